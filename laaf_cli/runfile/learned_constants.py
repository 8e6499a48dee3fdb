"""Learned constants: what training found, how much it still moved at the end, and how far it is
from the truth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import computed_field

from laaf_cli.arrays import Array
from laaf_cli.json_record import JsonRecord
from laaf_cli.spec import LearnedSpec, RunSpec

MIN_RECORDS = 10

SPREAD_OVER = "spread over the last tenth of the training"
"""What `EstimatedConstant.spread` is; it says nothing of noise in the data, or of another seed."""


@dataclass(frozen=True, kw_only=True)
class EstimatedConstant(JsonRecord):
    """A constant that training found.

    Its last records are those of the last tenth of the training, at least MIN_RECORDS.
    """

    start: float
    """Its value before training."""
    lower: float
    """Its lower bound, infinite where it has none."""
    upper: float
    """Its upper bound, infinite where it has none."""
    value: float
    """Its value at the end."""
    mean: float
    """The mean of its last records."""
    deviation: float
    """The standard deviation of its last records."""
    drift: float
    """The size of the change of a straight line fitted to its last records, over their
    iterations.
    """
    truth: float | None
    """Its true value; None where it is not known."""
    interval: list[float] | None
    """Both ends of its 95 % interval: what noise in the data leaves open, if the equations hold
    exactly; None without.
    """
    no_interval: str
    """Why it has none; empty where it has one, and where nobody has looked."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def spread(self) -> float:
        """How much it still moved: the larger of standard deviation and drift."""
        return max(self.deviation, self.drift)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def error(self) -> float | None:
        """|value − truth|; None where the truth is not known."""
        return None if self.truth is None else abs(self.value - self.truth)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def relative_error(self) -> float | None:
        """|value − truth| / |truth|; None where the truth is 0 or not known."""
        return self.error / abs(self.truth) if self.error is not None and self.truth else None


def found_constants(
    spec: RunSpec,
    iteration: Array,
    histories: Mapping[str, Array],
    intervals: Mapping[str, str | float],
) -> dict[str, EstimatedConstant]:
    """The learned constants of a spec, from their histories [n_records] over the iterations
    [n_records].

    Args:
        intervals: as the run file has them, empty where it has none.
    """
    constants = {}
    for name, values in histories.items():
        ends = [float(intervals.get(f"{end}_{name}", math.nan)) for end in ("lower", "upper")]
        constants[name] = _found(
            spec.learn[name],
            iteration,
            values,
            interval=None if any(map(math.isnan, ends)) else ends,
            no_interval=str(intervals.get(f"why_not_{name}", "")),
        )
    return constants


def bounds_of(learned: LearnedSpec) -> tuple[float, float]:
    """Lower and upper bound, infinite where it has no bound."""
    lower, upper = learned.bounds or (-math.inf, math.inf)
    return max(lower, 0.0) if learned.positive else lower, min(
        upper, 0.0
    ) if learned.negative else upper


def _found(learned: LearnedSpec, iteration: Array, values: Array, **more: Any) -> EstimatedConstant:
    last = slice(-max(MIN_RECORDS, len(values) // 10), None)
    lower, upper = bounds_of(learned)
    with np.errstate(all="ignore"):  # an untrusted file may hold infinities
        mean, deviation = float(np.mean(values[last])), float(np.std(values[last]))
        drift = _drift(iteration[last].astype(np.float64), values[last])
    return EstimatedConstant(
        start=learned.start,
        lower=lower,
        upper=upper,
        value=float(values[-1]),
        mean=mean,
        deviation=deviation,
        drift=drift,
        truth=learned.truth,
        **more,
    )


def _drift(x: Array, y: Array) -> float:
    """|slope| (x_n − x_1) of the straight line that fits y best; 0 for a single value."""
    away = x - x.mean()
    square = float(away @ away)
    return abs(float(away @ (y - y.mean()))) / square * float(x[-1] - x[0]) if square else 0.0
