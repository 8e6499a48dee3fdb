"""What the trainings of the two tasks tell, as events of progress."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from laaf_cli.runs.progress import Callback, Progress

if TYPE_CHECKING:
    from laaf_cli.images.trainer import EpochRecord
    from laaf_cli.training import Record


class ProgressWatcher:
    """Turns the records of a training of `n_iterations` into events."""

    def __init__(self, n_iterations: int, on_progress: Callback) -> None:
        self.n_iterations, self.on_progress = n_iterations, on_progress
        self.error = math.nan
        self.epoch = ""

    def on_record(self, record: Record) -> None:
        """Tells a record of an equation, with the last known error."""
        if not math.isnan(record.relative_l2):
            self.error = record.relative_l2
        error = "" if math.isnan(self.error) else f"relative L2 {self.error:.2e}  "
        terms = "  ".join(f"{name} {value:.1e}" for name, value in record.terms.items())
        constants = "".join(f"{name} {value:.4g}  " for name, value in record.constants.items())
        message = f"{error}{constants}loss {record.total:.2e}  ({terms})"
        self._tell(record.iteration, record.wall_time_s, record.total, message)

    def on_epoch(self, record: EpochRecord) -> None:
        """Tells the end of an epoch over images."""
        self.error = record.test_error
        self.epoch = (
            f"after epoch {record.epoch:g}: training loss {record.train_loss:.3g}, "
            f"test error {record.test_error:.2%}"
        )
        self._tell(record.iteration, record.wall_time_s, record.train_loss, self.epoch)

    def on_step(self, iteration: int, wall_time_s: float, loss: float) -> None:
        """Tells a step within an epoch."""
        # A training that is gone on with within an epoch has not come to the end of one.
        so_far = f"{self.epoch}; " if self.epoch else ""
        message = f"{so_far}loss of the last batch {loss:.3g}"
        self._tell(iteration, wall_time_s, loss, message)

    def _tell(self, iteration: int, wall_time_s: float, loss: float, message: str) -> None:
        self.on_progress(
            Progress(
                iteration=iteration,
                n_iterations=self.n_iterations,
                wall_time_s=wall_time_s,
                loss=loss,
                error=self.error,
                message=message,
            )
        )
