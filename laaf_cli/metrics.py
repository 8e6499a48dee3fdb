"""How far a solution is from a reference, and a residual at held-out points from that at the points
of training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def relative_l2(solution: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """‖solution − reference‖₂ / ‖reference‖₂ over the points at which the reference has a value,
    both arrays of one shape, in float64.

    Where the reference is zero everywhere, the root mean square of the solution: an absolute error.
    """
    _check_shapes(solution, reference)
    is_known = ~np.isnan(reference)
    distance, size = _norm((solution - reference)[is_known]), _norm(reference[is_known])
    return distance / (size if size > 0 else math.sqrt(is_known.sum()))


def is_zero(reference: NDArray[np.float64]) -> bool:
    """Whether errors are not relative to a reference, since it is zero everywhere."""
    return _norm(reference[~np.isnan(reference)]) == 0


def _norm(values: NDArray[np.float64]) -> float:
    """Not by BLAS: its threads spin for a while once awake, and a monitored training took half
    as long again.
    """
    return math.sqrt(float(np.sum(np.square(values))))


def max_error(solution: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """max |solution − reference| over the points at which the reference has a value, in the unit of
    the unknown.
    """
    _check_shapes(solution, reference)
    return float(np.max(np.abs(solution - reference)[~np.isnan(reference)]))


FAR_ABOVE = 10.0
"""How much larger a term may be at held-out points.

Squares of residuals have heavy tails at shocks. Measured as the largest of three or more seeds, or
of 50 draws of held-out points: 1.1 for heat and Poisson, 4.2 for Burgers after 2500 iterations, all
with the points of the bundled specs; with 20 interior points, the minimum of five seeds is 300 for
heat, 1300 for Burgers and 400 000 for Poisson after 2000.
"""

NEGLIGIBLE = 1e-8
"""A term below this fraction of its value at the start is as good as zero."""


def far_above(
    fresh: Mapping[str, float], trained: Mapping[str, float], start: Mapping[str, float]
) -> list[str]:
    """The terms whose mean square at held-out points is more than FAR_ABOVE times that at the
    points of training.

    Args:
        start: the terms before training. One that is negligible at held-out points too needs no
            warning.
    """
    return [
        name
        for name, value in fresh.items()
        if value > FAR_ABOVE * trained[name] and value > NEGLIGIBLE * start[name]
    ]


def absolute_errors(
    reference: Mapping[str, NDArray[np.float64]],
    at_times: Iterable[tuple[float, Mapping[str, NDArray[np.float64]]]] = (),
) -> list[str]:
    """A sentence for each unknown whose error is absolute, everywhere or at single times.

    Args:
        reference: the values by unknown.
        at_times: single times, and the values there.
    """
    zero = [name for name, values in reference.items() if is_zero(values)]
    times: dict[str, list[str]] = {}
    for time, fields in at_times:
        for name, values in fields.items():
            if name not in zero and is_zero(values):
                times.setdefault(name, []).append(f"{time:g}")
    where = [(name, "") for name in zero]
    where += [(name, f" at t = {', '.join(shown)}") for name, shown in times.items()]
    return [
        f"the reference of '{name}' is zero{when}, so that its error{when and ' there'} is the "
        "root mean square, and not a fraction"
        for name, when in where
    ]


def number_or_word(value: float, form: str) -> str:
    """A number in a format; words for one that is not finite, as of training that diverged."""
    return f"{value:{form}}" if math.isfinite(value) else "not finite"


def goal_text(error: float, goal: float, by: str = "") -> str:
    """Whether an error meets a goal, in a sentence.

    Args:
        error: infinite where it is not known.
        by: what it is estimated from, where it is.
    """
    if math.isinf(error):
        return f"whether it is solved to the goal {goal:g} is not known"
    aim = f"{error:.1e}{by and f', by {by}'} (goal {goal:g})"
    return f"solved to {aim}" if error <= goal else f"not solved to the goal: {aim}"


def _check_shapes(solution: NDArray[np.float64], reference: NDArray[np.float64]) -> None:
    if solution.shape != reference.shape:
        raise ValueError(f"shapes differ: solution {solution.shape}, reference {reference.shape}")


@dataclass(frozen=True)
class Measure:
    """An error, at least 0."""

    name: str
    """What sentences call it."""
    heading: str
    """The heading of its column."""
    is_share: bool
    """Whether it is printed in percent."""

    def text(self, value: float, digits: int = 2) -> str:
        """An error for people; `failed` for an infinite one, `-` for an unknown one.

        Args:
            digits: after the point.
        """
        if not math.isfinite(value):
            return "-" if math.isnan(value) else "failed"
        return f"{100 * value:.{digits}f} %" if self.is_share else f"{value:.{digits}e}"

    def bound_text(self, bound: float) -> str:
        """A bound on the error as it was given, in the unit of the error."""
        return f"{100 * bound:g} %" if self.is_share else f"{bound:g}"
