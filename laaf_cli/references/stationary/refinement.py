"""A discretised problem, solved at finer and finer resolutions until nothing changes, and a
verdict on the result.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.references.reference import ReferenceRefusedError, Watch, out_of_time
from laaf_cli.references.stationary.discretisation import Discretisation
from laaf_cli.references.stationary.gauss_newton import Stationary, solve

LEVELS: dict[int, tuple[int, ...]] = {
    1: (16, 32, 64, 128, 256, 512, 1024),
    2: (8, 12, 16, 24, 32, 40, 48, 60),
}
"""The modes along each coordinate, by the number of coordinates."""
MANY_ELEMENTS, LEVELS_OF_MANY = 4, (16, 24, 32, 40, 48, 64)
"""Breaks from which on less is added from one resolution to the next, and what."""
MAX_COEFFICIENTS = 4900
"""Of all unknowns: their Jacobian then has about 200 MB and is factorised in some seconds."""
MANY = 1500
"""Coefficients from which on a factorisation takes seconds."""
TOLERANCE = 1e-10
"""The change, relative to the largest value, at which refining ends."""
LARGEST_ERROR = 1e-3
"""Relative to the largest value: beyond it a reference is rejected."""

N_PROBES = {1: 2050, 2: 130}
"""Points along each coordinate at which residuals are looked at between the nodes."""
# the residual between the nodes above which two resolutions that agree may both have missed
# something, and that above which they have
_UNSEEN, _MISSED = 1e-3, 0.03
_FAIR = 1e-6  # the change that is good enough at many coefficients
_RECENT = 4  # the changes of which the largest counts then
_ROUNDING = 1e-8  # the relative change below which it may be rounding
# the relative change below which the residual may be compared with that of half the resolution
_SETTLED = 0.01
_STALLED = 1e-8  # the residual at the nodes below which it may be rounding
_LAST_START = {1: 64, 2: 24}  # the finest resolution at which a first solution is looked for
_ACCEPTED = 0.01  # the residual, at the coarsest resolution, of what may become a solution
_EVEN = {1: 2001, 2: 81}  # the points of an even grid on which two resolutions are compared


@dataclass(frozen=True, kw_only=True)
class Level:
    """The solution at one resolution."""

    discretisation: Discretisation
    solution: Stationary
    values: tuple[Array, ...]
    """The values of each unknown all over the domain."""
    changes: Array
    """The largest change of each unknown since the resolution before, infinite at the first."""

    @property
    def relative_change(self) -> float:
        """The largest among the unknowns; one that is nothing but rounding beside the others
        counts with them.
        """
        scales = np.maximum(self.scales, 1e-9 * self.scales.max())
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.nanmax(self.changes / scales, initial=0.0))

    @property
    def scales(self) -> Array:
        """The largest absolute value of each unknown."""
        return np.array([np.abs(field).max() for field in self.values])

    @cached_property
    def residuals(self) -> Array:
        """The root mean square of every residual on every patch, in its own unit.

        The mean is taken with the scales of the rows: an equation counts less near the bounds,
        where polynomials are steep.
        """
        scales = self.solution.row_scale
        parts = zip(self._split(scales * self.solution.residuals), self._split(scales), strict=True)
        sizes = [
            np.sqrt(np.mean(part**2)) / np.median(scale) if len(part) else 0.0
            for part, scale in parts
        ]
        return np.array(sizes)

    @property
    def worst(self) -> tuple[int, float]:
        """The patch that adds most to the scaled residual, and the root mean square of the
        residual there.
        """
        scaled = self._split(self.solution.row_scale * self.solution.residuals)
        worst = int(np.argmax([np.sum(part**2) for part in scaled]))
        return worst, float(self.residuals[worst])

    @cached_property
    def unseen(self) -> float:
        """The scaled residual at the probes: large where something narrow was missed.

        There are no scales for those rows; that of the median row of the same patch replaces
        them.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            parts = self.discretisation.unseen(self.solution.coefficients)
            squares = [
                len(scales) * np.median(scales) ** 2 * np.mean(part**2)
                for part, scales in zip(parts, self._split(self.solution.row_scale), strict=True)
                if len(part) and len(scales)
            ]
        return float(np.sqrt(np.sum(squares)) / (self.solution.size or 1.0))

    def _split(self, rows: Array) -> list[Array]:
        return np.split(rows, self.discretisation.ends[:-1])


def finer_ones(discretisation: Discretisation) -> list[Discretisation]:
    """The same problem at the resolutions that there is room for, the coarsest first."""
    dimension = discretisation.domain.dimension
    is_cut = max(map(len, discretisation.breaks)) >= MANY_ELEMENTS
    levels = LEVELS_OF_MANY if is_cut and dimension == 1 else LEVELS[dimension]
    finer = (replace(discretisation, n=n) for n in levels)
    return [each for each in finer if each.n_coefficients <= MAX_COEFFICIENTS]


def refine(discretisation: Discretisation, watch: Watch) -> Level:
    """The solution at the resolution that is worth most; that of the argument does not matter.

    Raises:
        ReferenceRefusedError: no solution, several, or none that is accurate enough, or not
            within the time.
    """
    last_start = _LAST_START[discretisation.domain.dimension]
    levels: list[Level] = []
    failure, n_singular = "", 0
    n_before, took = 1, 0.0
    for finer in finer_ones(discretisation):
        n = finer.n
        began = time.perf_counter()
        # What the last resolution took, and the work that grows as the cube of the coefficients;
        # as much again for the shifted elements.
        if began + 2 * took * (finer.n_coefficients / n_before) ** 3 > watch.deadline:
            if levels and levels[-1].relative_change <= LARGEST_ERROR:
                break
            raise out_of_time(f", with {n} modes along each coordinate")
        watch.report(f"{n} modes along each coordinate")
        n_before = finer.n_coefficients
        try:
            solution = _solved(finer, levels, n <= last_start)
        except FloatingPointError as error:
            if failure and finer.is_linear:
                break
            failure = failure or str(error)
            continue
        took = time.perf_counter() - began
        n_singular = 0 if solution.is_determined else n_singular + 1
        if n_singular == 2 and (solution.converged or finer.is_linear):
            raise undetermined()
        if solution.converged:
            levels.append(_level(finer, solution, levels))
            before, last = [np.inf, *(level.relative_change for level in levels)][-2:]
            # The last two resolutions agree, or differ by rounding that grows.
            agree = last <= TOLERANCE or (before < _ROUNDING and last > before)
            agree |= last <= _FAIR and finer.n_coefficients >= MANY
            if agree and levels[-1].unseen < _UNSEEN:
                break
        elif n > last_start:
            break
    if len(levels) < 2:
        raise ReferenceRefusedError(failure or _NOT_CONVERGED)
    return _confirmed(_judged(levels))


def _confirmed(level: Level) -> Level:
    """The level, whose changes are no less than the difference to a solution on shifted elements.

    Raises:
        ReferenceRefusedError: the equations ask for something between the nodes that the solution
            lacks, or the other elements give no solution.
    """
    coefficients = level.solution.coefficients
    near = level.discretisation.probed(coefficients)
    # The second time the places are known to the square of the distance of the probes.
    nearer = near.probed(coefficients)
    for probed in (level.discretisation, nearer, *level.discretisation.at_peaks()):
        seen = replace(level, discretisation=probed)
        if seen.unseen > _MISSED:
            raise ReferenceRefusedError(
                "the equations or conditions hold something so narrow that "
                f"{seen.discretisation.n} modes along each coordinate miss it: between their "
                f"points the residual is {seen.unseen:.1g} of the size of the terms"
            )
    mine = level.discretisation
    shifted = mine.shifted()
    try:
        # The first step leads there, and the others are rid of its rounding.
        start = mine.interpolated(coefficients, shifted)
        solution = solve(shifted, start, most_steps=3)
    except FloatingPointError as error:
        raise ReferenceRefusedError(str(error)) from None
    n = _EVEN[mine.domain.dimension]
    values = shifted.spread(solution.coefficients, n, mine)
    other = np.array([np.abs(a - b).max() for a, b in zip(values, level.values, strict=True)])
    return replace(level, changes=np.maximum(level.changes, other))


def _solved(discretisation: Discretisation, levels: Sequence[Level], may_start: bool) -> Stationary:
    """From the coarser solution, or else from the first start that leads somewhere."""
    if discretisation.is_linear:
        return solve(discretisation, np.zeros(discretisation.n_coefficients))
    attempts: list[Stationary] = []
    if levels:
        coarser = levels[-1]
        start = coarser.discretisation.refined(coarser.solution.coefficients, discretisation)
        attempts.append(solve(discretisation, start))
        if _leads_on(attempts[0]) or not may_start:
            return attempts[0]
    faults = []
    for start in discretisation.starts():
        try:
            attempts.append(solve(discretisation, start))
        except FloatingPointError as fault:
            faults.append(fault)
            continue
        if _leads_on(attempts[-1]):
            break
    if not attempts:
        raise faults[0]
    return max(attempts, key=lambda solution: (solution.converged, -solution.residual))


def _leads_on(solution: Stationary) -> bool:
    """Whether this may become a solution, and is no mere minimum of the residual."""
    return solution.converged and solution.residual < _ACCEPTED


def _level(discretisation: Discretisation, solution: Stationary, levels: Sequence[Level]) -> Level:
    values = discretisation.spread(solution.coefficients, _EVEN[discretisation.domain.dimension])
    changes = np.full(len(values), np.inf)
    if levels:
        before = levels[-1].values
        changes = np.array([np.abs(a - b).max() for a, b in zip(values, before, strict=True)])
    return Level(discretisation=discretisation, solution=solution, values=values, changes=changes)


def _judged(levels: Sequence[Level]) -> Level:
    """The level to take.

    Raises:
        ReferenceRefusedError: it is no solution, or not good enough.
    """
    best = min(levels, key=lambda level: level.relative_change)
    if best.relative_change > _ROUNDING:
        # Where rounding does not grow, the finest is the best; where much is left between its
        # nodes, a small change may be chance.
        best = levels[-1]
        if best.unseen > _UNSEEN:
            recent = [level.changes for level in levels[1:][-_RECENT:]]
            best = replace(best, changes=np.max(recent, axis=0))
    if not best.solution.is_determined:
        raise undetermined()
    if best.relative_change < _SETTLED:
        _check_consistent(best, levels)
    if best.relative_change > LARGEST_ERROR:
        raise ReferenceRefusedError(
            f"the solution is not smooth enough for {best.discretisation.n} modes along each "
            "coordinate: from one resolution to the next it still changes by "
            f"{best.relative_change:.1g} of its largest value; values that disagree where faces "
            "meet make it so, and jumps along inclined lines"
        )
    return best


def _check_consistent(level: Level, levels: Sequence[Level]) -> None:
    """Raises ReferenceRefusedError where the residual is as large as with half as many modes."""
    coarser = [other for other in levels if other.discretisation.n <= level.discretisation.n / 2]
    if level.solution.residual <= _STALLED or not coarser:
        return
    worst, size = level.worst
    if size > coarser[-1].residuals[worst] / 2:
        raise ReferenceRefusedError(
            "the equations and conditions contradict each other, or have no smooth solution: "
            "however fine the "
            f"resolution, {level.discretisation.rows[worst][0].name} is missed by {size:.1g}"
        )


_NOT_CONVERGED = (
    "Newton's iteration found no solution, neither from 0 nor from the smoothest functions that "
    "meet the conditions nor from 1 or -1"
)


def undetermined() -> ReferenceRefusedError:
    """The refusal of a problem that several functions solve, to be raised."""
    return ReferenceRefusedError(
        "the conditions do not determine the solution: other functions meet all equations and "
        "conditions as well: a condition is missing, or a value at one point"
    )
