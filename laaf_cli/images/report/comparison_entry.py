"""What comparing needs of a classification."""

from __future__ import annotations

from pathlib import Path

from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.report.comparison_entry import ComparisonEntry, shared


def of_images(path: Path) -> ComparisonEntry:
    """That of a run file."""
    with ImageRunFile(path) as run:
        facts = run.attributes
        return ComparisonEntry(
            **shared(run),
            spec=run.spec,
            settings=run.settings,
            final_error=facts["test_error"],
            measured="",  # the test images are part of the problem
            loss=facts["train_loss"],
            recovery=run.recovery(),
            largest_scale=run.largest_scale(),
            constants={},
            n_points=facts["n_train"],
            reference=f"{facts['n_test']} test images",
        )
