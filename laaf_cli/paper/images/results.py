"""What the runs of images come to: by method, their losses by epoch, and what they end with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.spec import ImageSpec
from laaf_cli.paper.columns import FIXED, Column
from laaf_cli.paper.results import Quantity
from laaf_cli.report.comparison_entry import SUCCESSES
from laaf_cli.report.statistics import PairedComparison, compare_pairs, holm
from laaf_cli.text import printable


@dataclass(frozen=True, kw_only=True)
class ImageResult:
    """A run of images."""

    spec: ImageSpec
    epochs: Array
    """The epochs of the records, [n_records]."""
    losses: Array
    """Cross entropy of the training images in training mode without S(a), [n_records]."""
    failed: bool
    """Whether it diverged or was interrupted; training loss and test error are infinite then."""
    training_loss: float
    test_error: float
    largest_scale: float
    """The largest n·a at the end."""
    wall_time_s: float
    n_parameters: int
    n_slopes: int
    images: tuple[int, int]
    """Training and test images."""
    device: str
    made: str
    """What of laaf, PyTorch and the machine made it."""

    @classmethod
    def read(cls, path: Path) -> ImageResult:
        """Raises RunFileError where it cannot be read."""
        with ImageRunFile(path) as run:
            facts, history = run.attributes, run.history()
            failed = facts["stop_reason"] not in SUCCESSES
            return cls(
                spec=run.spec,
                epochs=history.epochs,
                losses=history.columns["train_loss"],
                failed=failed,
                training_loss=math.inf if failed else facts["train_loss"],
                test_error=math.inf if failed else facts["test_error"],
                largest_scale=run.largest_scale(),
                wall_time_s=facts["wall_time_s"],
                n_parameters=facts["n_parameters"],
                n_slopes=facts["n_slopes"],
                images=(facts["n_train"], facts["n_test"]),
                device=f"{printable(facts['device'])}, {facts['dtype']}",
                made=printable(
                    f"{facts['device']}, {facts['dtype']}, laaf {facts['laaf_version']}, "
                    f"PyTorch {facts['torch_version']}"
                ),
            )

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.spec.seed

    @property
    def early_loss(self) -> float:
        """The training loss at the first drop of the learning rate; infinite where it failed, NaN
        where it never drops.
        """
        drops = self.spec.training.drops or ()
        at = np.flatnonzero(self.epochs == min(drops, default=-1))
        return math.inf if self.failed else float(self.losses[at[0]]) if len(at) else math.nan

    @property
    def n_epochs(self) -> float:
        """The passes over the training images that were carried out; a fraction where it was
        stopped in one.
        """
        return float(self.epochs[-1])

    @property
    def images_per_s(self) -> float:
        """Training images per second of training."""
        return self.n_epochs * self.images[0] / self.wall_time_s if self.wall_time_s else math.nan

    @property
    def column(self) -> Column:
        """The method that it is a run of."""
        slopes = self.spec.slopes
        if not slopes.row.is_adaptive:
            return FIXED
        return Column(kind=slopes.row, recovery=slopes.recovery is not None, n=f"{slopes.n:g}")


EARLY = Quantity("training loss at the first drop of the learning rate", lambda run: run.early_loss)
FINAL = Quantity("training loss at the end", lambda run: run.training_loss)
TEST_ERROR = Quantity("test error at the end", lambda run: run.test_error)

Results = Mapping[Column, Sequence[ImageResult]]
"""The runs of a data set by method; only methods that have runs."""


def against_fixed(results: Results, of: str) -> dict[Column, PairedComparison]:
    """Each adaptive method against fixed slopes, over the seeds that both have; p after Holm for
    all of them.

    Args:
        of: `training_loss` or `test_error`.
    """
    if FIXED not in results:
        return {}
    by_method = {
        column: {run.spec.seed: float(getattr(run, of)) for run in runs}
        for column, runs in results.items()
    }
    adaptive = [column for column in by_method if column != FIXED]
    pairs = holm([compare_pairs(by_method[column], by_method[FIXED]) for column in adaptive])
    return dict(zip(adaptive, pairs, strict=True))
