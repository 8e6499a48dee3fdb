"""What the paper's claims are about: numbers of a run of an equation, at the end and on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.runfile import RunFile
from laaf_cli.runfile.losses import loss_without_recovery
from laaf_cli.runfile.record import History
from laaf_cli.spec import RunSpec

NEAR = 0.02
"""A record within this fraction of the whole training speaks for an iteration."""


@dataclass(frozen=True, kw_only=True)
class EquationResult:
    """A run of an equation: its summary, what was recorded on the way, and how it was made."""

    entry: ComparisonEntry
    spec: RunSpec
    history: History
    losses: Array
    """The loss without slope recovery, [n_records]."""
    errors_at: Mapping[float, float]
    """Relative L2 error of the first unknown at the end, by time; empty without time."""
    facts: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> EquationResult:
        """Raises RunFileError where it cannot be read."""
        with RunFile(path) as run:
            history, at_times, spec = run.history(), run.error_at_times(), run.spec
            errors = at_times.relative_l2[spec.unknowns[0]] if at_times is not None else ()
            times = at_times.times if at_times is not None else ()
            return cls(
                entry=ComparisonEntry.read(path),
                spec=spec,
                history=history,
                losses=np.zeros(len(history.columns["total"]))
                + loss_without_recovery(spec, history.terms),
                errors_at=dict(zip(map(float, times), map(float, errors), strict=True)),
                facts=run.attributes,
            )

    def record_near(self, values: Array, iteration: int) -> float:
        """What the finite record nearest to an iteration holds: infinite where the run failed
        before, NaN without one near.
        """
        known = np.flatnonzero(np.isfinite(values))
        iterations = self.history.columns["iteration"]
        if self.entry.failed and iterations[-1] < iteration:
            return math.inf
        if not len(known):
            return math.nan
        nearest = known[np.argmin(np.abs(iterations[known] - iteration))]
        is_near = abs(iterations[nearest] - iteration) <= NEAR * iterations[-1]
        return float(values[nearest]) if is_near else math.nan

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.entry.seed

    @property
    def mean_scale(self) -> float:
        """The mean of n·a over hidden layers at the end, each by its neurons; NaN where it
        failed.
        """
        means = [float(layer[-1].mean()) for layer in self.history.slopes]
        return float(np.mean(means)) if means and not self.entry.failed else math.nan


@dataclass(frozen=True)
class Quantity:
    """A number of a run; infinite where the run failed, NaN where it is not known."""

    name: str
    of: Callable[[Any], float] = field(compare=False)


def error_after(iteration: int) -> Quantity:
    """The relative L2 error."""
    return Quantity(
        f"error after {iteration} iterations",
        lambda run: run.record_near(run.history.columns["relative_l2"], iteration),
    )


def loss_after(iteration: int) -> Quantity:
    """The loss without slope recovery."""
    return Quantity(
        f"loss without S(a) after {iteration} iterations",
        lambda run: run.record_near(run.losses, iteration),
    )


def error_at(*times: float) -> Quantity:
    """The largest relative L2 error at some times, at the end."""
    return Quantity(
        f"error at t = {', '.join(f'{time:g}' for time in times)}",
        lambda run: math.inf if run.entry.failed else max(run.errors_at[time] for time in times),
    )


SCALE = Quantity("mean n·a at the end", lambda run: run.mean_scale)
SECONDS = Quantity(
    "seconds of training", lambda run: math.nan if run.entry.failed else run.entry.wall_time_s
)
