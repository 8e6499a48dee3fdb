"""The figure of a comparison: the error of every run, by method."""

from __future__ import annotations

import math
from pathlib import Path

from laaf_cli.errors import UsageError
from laaf_cli.report.comparison import MethodComparison
from laaf_cli.report.figures import ErrorGroup, comparison_figure, save


def draw_comparison(comparison: MethodComparison, path: Path) -> None:
    """Draws all errors of a comparison.

    Raises:
        UsageError: none is known or the file cannot be written.
    """
    several = len(comparison.problems) > 1
    groups = [
        ErrorGroup(
            label=f"{group.problem}: {group.label}" if several else group.label,
            color=group.style.color,
            errors=tuple(run.final_error for run in group.runs if not run.failed),
            n_failed=group.n_failed,
        )
        for group in comparison.groups
        if not math.isnan(group.error.median)
    ]
    if not groups:
        raise UsageError("no method has errors that are known, so there is nothing to draw")
    (name, *others) = (measure.name for measure in comparison.measures)
    save(comparison_figure(groups, y="error" if others else name), path)
