"""Progress of a sweep on stderr: a live table on a terminal, a line for every finished run
elsewhere.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from laaf_cli.cli.console import messages, print_message

if TYPE_CHECKING:
    from rich.console import RenderableType

    from laaf_cli.sweep import Outcome, PlannedRun


class SweepProgress(ABC):
    """Shows the states of runs while the `with` lasts."""

    def __init__(self, runs: Sequence[PlannedRun]) -> None:
        from laaf_cli.sweep import Outcome, State

        self.outcomes = {run.path: Outcome(run=run, state=State.WAITING) for run in runs}
        self.started_s: dict[object, float] = {}

    def __enter__(self) -> SweepProgress:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, outcome: Outcome) -> None:
        """Takes a run's new state."""
        self.outcomes[outcome.run.path] = outcome
        self.started_s.setdefault(outcome.run.path, time.monotonic())
        self.show(outcome)

    @abstractmethod
    def show(self, outcome: Outcome) -> None:
        """Shows a run's new state."""

    def count(self, *names: str) -> int:
        return sum(outcome.state.name in names for outcome in self.outcomes.values())

    @property
    def n_ended(self) -> int:
        return len(self.outcomes) - self.count("WAITING", "RUNNING")


class _Live(SweepProgress):
    """One row per method: how many runs are done, running, failed, and the median error so far."""

    def __enter__(self) -> SweepProgress:
        from rich.live import Live

        self.live = Live(
            get_renderable=self._table,
            console=messages(),
            transient=True,
            refresh_per_second=2,
            vertical_overflow="visible",
        )
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show(self, outcome: Outcome) -> None:
        if outcome.detail:
            self.live.console.print(_line(self, outcome), markup=False, soft_wrap=True)

    def _table(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from laaf_cli.cli.tables import plain_table
        from laaf_cli.report.comparison_table import error_text

        table = plain_table("method", "finished", "running", "failed", "median relative L2")
        groups: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes.values():
            groups.setdefault(outcome.run.method, []).append(outcome)
        for method, outcomes in groups.items():
            states = [outcome.state.name for outcome in outcomes]
            errors = [
                math.inf if outcome.state.name == "DIVERGED" else outcome.error
                for outcome in outcomes
                if not math.isnan(outcome.error)
            ]
            table.add_texts(
                method,
                f"{states.count('FINISHED') + states.count('KEPT')}/{len(states)}",
                str(states.count("RUNNING") or ""),
                str(states.count("DIVERGED") + states.count("FAILED") or ""),
                error_text(statistics.median(errors)) if errors else "",
            )
        return Group(table, Text(self._running()))

    def _running(self) -> str:
        """Which runs are being trained, and for how long."""
        now = time.monotonic()
        names = [
            f"{path.name} {now - self.started_s[path]:.0f} s"
            for path, outcome in self.outcomes.items()
            if outcome.state.name == "RUNNING"
        ]
        return (
            f"{self.n_ended} of {len(self.outcomes)} runs; training: {', '.join(names[:4]) or '-'}"
        )


class _Plain(SweepProgress):
    def show(self, outcome: Outcome) -> None:
        if outcome.state.name not in ("RUNNING", "KEPT", "CANCELLED"):
            print_message(_line(self, outcome))

    def __exit__(self, *_: object) -> None:
        kept = self.count("KEPT")
        if kept:
            print_message(f"{kept} of {len(self.outcomes)} runs were there already")


class _Silent(SweepProgress):
    def show(self, outcome: Outcome) -> None:  # noqa: ARG002 - nothing is shown
        return None


def _line(progress: SweepProgress, outcome: Outcome) -> str:
    error = "" if math.isnan(outcome.error) else f", error {outcome.error:.2e}"
    seconds = "" if math.isnan(outcome.wall_time_s) else f", {outcome.wall_time_s:.1f} s"
    detail = f": {outcome.detail}" if outcome.detail else ""
    state = outcome.state.value
    return (
        f"[{progress.n_ended}/{len(progress.outcomes)}] {outcome.run.path}: "
        f"{state}{error}{seconds}{detail}"
    )


def make_sweep_progress(runs: Sequence[PlannedRun], *, quiet: bool) -> SweepProgress:
    """The progress that suits stderr."""
    if quiet:
        return _Silent(runs)
    return _Live(runs) if sys.stderr.isatty() else _Plain(runs)
