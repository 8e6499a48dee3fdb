"""Progress of a training on stderr: a live line on a terminal, a plain line now and then
elsewhere.
"""

from __future__ import annotations

import math
import sys
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from laaf_cli.cli.console import messages, print_message

if TYPE_CHECKING:
    from laaf_cli.images.trainer import EpochRecord
    from laaf_cli.training import Record

N_PLAIN_LINES = 10
PLAIN_EVERY_S = 30.0


class TrainingProgress(ABC):
    """Shows a training of `total` iterations while the `with` lasts."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.error = math.nan
        self.epoch = ""

    def __enter__(self) -> TrainingProgress:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def on_record(self, record: Record) -> None:
        """Shows a record of an equation."""
        if not math.isnan(record.relative_l2):
            self.error = record.relative_l2
        self.show(record.iteration, record.wall_time_s, self._losses(record))

    def on_epoch(self, record: EpochRecord) -> None:
        """Shows the end of an epoch over images."""
        self.epoch = (
            f"after epoch {record.epoch:g}: training loss {record.train_loss:.3g}, "
            f"test error {record.test_error:.2%}"
        )
        self.show(record.iteration, record.wall_time_s, self.epoch)

    def on_step(self, iteration: int, wall_time_s: float, loss: float) -> None:
        """Shows a step within an epoch."""
        # A training that is gone on with within an epoch has not come to the end of one.
        so_far = f"{self.epoch}; " if self.epoch else ""
        self.show(iteration, wall_time_s, f"{so_far}loss of the last batch {loss:.3g}")

    @abstractmethod
    def show(self, iteration: int, wall_time_s: float, text: str) -> None:
        """Shows how far the training is, and a line on how it does."""

    def _losses(self, record: Record) -> str:
        """The last known error, learned constants, the loss and its terms, in one line."""
        error = "" if math.isnan(self.error) else f"relative L2 {self.error:.2e}  "
        terms = "  ".join(f"{name} {value:.1e}" for name, value in record.terms.items())
        constants = "".join(f"{name} {value:.4g}  " for name, value in record.constants.items())
        return f"{error}{constants}loss {record.total:.2e}  ({terms})"


class _Live(TrainingProgress):
    """A bar with the times, and under it a line with the error and the loss."""

    def __enter__(self) -> TrainingProgress:
        from rich.console import Group
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.text import Text

        columns: list[Any] = [
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeRemainingColumn(),
            TextColumn("remaining"),
        ]
        console = messages()
        self.progress = Progress(*columns, console=console)
        self.task = self.progress.add_task("", total=self.total)
        self.text = Text("starting")
        self.live = Live(
            Group(self.progress, self.text), console=console, transient=True, refresh_per_second=4
        )
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show(self, iteration: int, wall_time_s: float, text: str) -> None:  # noqa: ARG002 - the bar has a clock
        self.progress.update(self.task, completed=iteration)
        self.text.plain = text


class _Plain(TrainingProgress):
    def __enter__(self) -> TrainingProgress:
        self.next_iteration = 0
        self.last_s = time.monotonic()
        return self

    def show(self, iteration: int, wall_time_s: float, text: str) -> None:
        due = iteration >= self.next_iteration or iteration == self.total
        if not due and time.monotonic() - self.last_s < PLAIN_EVERY_S:
            return
        self.next_iteration = iteration + max(1, self.total // N_PLAIN_LINES)
        self.last_s = time.monotonic()
        done = iteration / self.total
        remaining = f", {wall_time_s * (1 - done) / done:.0f} s remaining" if 0 < done < 1 else ""
        print_message(f"iteration {iteration}/{self.total}  {wall_time_s:.1f} s{remaining}  {text}")


class _Silent(TrainingProgress):
    def show(self, iteration: int, wall_time_s: float, text: str) -> None:
        """Nothing is shown."""


def make_progress(total: int, *, quiet: bool) -> TrainingProgress:
    """The progress that suits stderr."""
    if quiet:
        return _Silent(total)
    return _Live(total) if sys.stderr.isatty() else _Plain(total)
