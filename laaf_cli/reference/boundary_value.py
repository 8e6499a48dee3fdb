"""The referee for problems without time: modes, collocation and least squares, refined until nothing changes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from laaf_cli.errors import listed
from laaf_cli.expression import Call, Node
from laaf_cli.expression.analyse import nodes
from laaf_cli.expression.functions import TABLE
from laaf_cli.problem import Domain, Problem
from laaf_cli.problem.domain import Array
from laaf_cli.reference.discretisation import Discretisation, residuals_of
from laaf_cli.reference.gauss_newton import Stationary, solve
from laaf_cli.reference.reference import Reference, ReferenceRefusedError, ReferenceValues

LEVELS: dict[int, tuple[int, ...]] = {
    1: (16, 32, 64, 128, 256, 512, 1024),
    2: (8, 12, 16, 24, 32, 40, 48, 60),
}
"""The modes along each coordinate, by the number of coordinates."""
MAX_COEFFICIENTS = 4400
"""Of all unknowns: their Jacobian then has about 160 MB and is factorised in some seconds."""
TOLERANCE = 1e-11
"""The change, relative to the largest value, at which refining ends."""
LARGEST_ERROR = 1e-3
"""Relative to the largest value: beyond it a reference is none."""

_FINE_NODES = {1: 2050, 2: 130}  # beyond the finest level, and nodes of no level
_UNSEEN = 1e-3  # the residual between the nodes above which two resolutions that agree may both have missed something
_ROUNDING = 1e-8  # the relative change below which it may be rounding
_STALLED = 1e-8  # the residual at the nodes below which it may be rounding
_LAST_START = {1: 128, 2: 24}  # the finest resolution at which a first solution is looked for
_ACCEPTED = 0.03  # the residual, at the coarsest resolution, of what may become a solution


@dataclass(frozen=True)
class _Level:
    """The solution at one resolution.

    changes: of each unknown since the resolution before, where there was one; scales: the largest values of each.
    """

    discretisation: Discretisation
    found: Stationary
    changes: Array | None
    scales: Array

    @property
    def relative_change(self) -> float:
        """The largest among the unknowns; one that is nothing but rounding beside the others counts with them."""
        if self.changes is None:
            return np.inf
        scales = np.maximum(self.scales, 1e-9 * self.scales.max())
        return float(np.max(np.divide(self.changes, scales, out=np.zeros_like(scales), where=self.changes > 0)))

    @cached_property
    def residuals(self) -> Array:
        """The root mean square of every residual on every patch, in its own unit.

        The mean is taken with the scales of the rows: an equation counts less near the bounds, where polynomials are
        steep.
        """
        scales = self.found.row_scale
        return np.array(
            [
                np.sqrt(np.mean(part**2)) / np.median(scale)
                for part, scale in zip(self._split(scales * self.found.residuals), self._split(scales), strict=True)
            ]
        )

    @property
    def worst(self) -> tuple[int, float]:
        """The patch that adds most to the scaled residual, and the root mean square of the residual there."""
        scaled = [np.sum(part**2) for part in self._split(self.found.row_scale * self.found.residuals)]
        return int(np.argmax(scaled)), float(self.residuals[np.argmax(scaled)])

    def unseen(self, n_nodes: int) -> float:
        """The scaled residual at other nodes: large where a narrow peak was missed.

        There are no scales for those rows; that of the median row of the same patch stands for them.
        """
        fine = replace(self.discretisation, n_nodes=n_nodes)
        with np.errstate(invalid="ignore", over="ignore"):
            parts = np.split(fine.residual(self.found.coefficients), fine.ends[:-1])
            squares = [
                len(scales) * np.median(scales) ** 2 * np.mean(part**2)
                for part, scales in zip(parts, self._split(self.found.row_scale), strict=True)
            ]
        return float(np.sqrt(np.sum(squares)) / (self.found.size or 1.0))

    def _split(self, rows: Array) -> list[Array]:
        return np.split(rows, self.discretisation.ends[:-1])


class BoundaryValue(Reference):
    """Problems without time in one or two coordinates: linear or not, for any number of unknowns.

    Every unknown is a sum of Chebyshev's polynomials, or of waves along periodic coordinates; equations and
    conditions are collocated and met in the sense of least squares (Boyd, Chebyshev and Fourier Spectral Methods,
    2001, chapters 3 and 6). A nonlinear problem may have several solutions: this finds the one that Gauss-Newton
    reaches from 0, or from the smoothest functions that meet the conditions, or from ±1.
    """

    method = "Chebyshev and Fourier collocation by least squares; error: change between the last two resolutions"

    def __init__(self, problem: Problem) -> None:
        """Raises ReferenceRefusedError, naming what does not fit, for a problem of another form."""
        domain = problem.domain
        if domain.time is not None:
            raise ReferenceRefusedError("'t' is time, and this reference is for problems without time")
        if domain.dimension not in LEVELS:
            raise ReferenceRefusedError(
                f"there are {domain.dimension} coordinates ({listed(domain.coordinates)}); a spectral reference is "
                "for one or two"
            )
        equations = [term for term in problem.terms if term.kind == "equation"]
        n_equations = sum(len(term.residuals) for term in equations)
        if n_equations < len(problem.unknowns):
            raise ReferenceRefusedError(
                f"the equations do not determine a solution: there are {n_equations} for {len(problem.unknowns)} "
                f"unknowns ({listed(problem.unknowns)})"
            )
        for term in problem.terms:
            if term.kind != "data":
                _check_functions(term.name, term.residuals)
        self.domain, self.unknowns = domain, problem.unknowns
        self.residuals = residuals_of(problem)
        self._best: _Level | None = None
        axes = tuple(
            np.linspace(lower, upper, 2001 if domain.dimension == 1 else 81)
            for lower, upper in zip(domain.lower, domain.upper, strict=True)
        )
        self._fine = axes

    def check(self, domain: Domain) -> None:  # noqa: ARG002 - it is that of the problem
        """Raises ReferenceRefusedError where a coarse resolution shows that the conditions leave something open."""
        coarse = self._discretisation(LEVELS[self.domain.dimension][1 if self.domain.dimension == 2 else 0])
        if coarse.is_linear and not solve(coarse, np.zeros(coarse.n_coefficients)).is_determined:
            raise _undetermined()

    def evaluate(self, points: Array) -> ReferenceValues:
        start = time.perf_counter()
        if self._best is None:
            self._best = self._refined()
        best = self._best
        assert best.changes is not None
        fields = {name: self._at(best, i, points) for i, name in enumerate(self.unknowns)}
        rounding = 100 * np.finfo(float).eps * best.scales.max()
        return ReferenceValues(fields, float(max(best.changes.max(), rounding)), time.perf_counter() - start)

    def _at(self, level: _Level, unknown: int, points: Array) -> Array:
        """The values of an unknown at scattered points, or at those of a grid, which cost far less."""
        modes = level.discretisation.modes
        coefficients = level.found.coefficients.reshape(len(self.unknowns), *level.discretisation.shape)[unknown]
        distinct, places = zip(*(np.unique(column, return_inverse=True) for column in points.T), strict=True)
        if np.prod([len(values) for values in distinct]) <= 4 * len(points):
            zero = (0,) * len(modes)
            on_grid = level.discretisation.values(level.found.coefficients, self.unknowns[unknown], zero, distinct)
            return np.asarray(on_grid[places])
        values = np.empty(len(points))
        for part in np.array_split(np.arange(len(points)), 1 + len(points) // 4096):
            first, second = (m.values(points[part, axis], 0) for axis, m in enumerate(modes))
            values[part] = np.einsum("pj,pj->p", first @ coefficients, second)
        return values

    def _discretisation(self, n: int, n_nodes: int | None = None) -> Discretisation:
        return Discretisation(self.domain, self.unknowns, self.residuals, n, n_nodes or n)

    def _refined(self) -> _Level:
        """The solution at the resolution that is worth most, or a refusal."""
        levels: list[_Level] = []
        failure = _NOT_CONVERGED
        for n in LEVELS[self.domain.dimension]:
            discretisation = self._discretisation(n)
            may_start = n <= _LAST_START[self.domain.dimension]
            if discretisation.n_coefficients > MAX_COEFFICIENTS:
                break
            try:
                found = self._solved(discretisation, levels[-1] if levels else None, may_start)
            except FloatingPointError as error:
                failure = str(error)
                continue
            if discretisation.is_linear and not found.is_determined:
                raise _undetermined()
            if found.converged:
                levels.append(self._level(discretisation, found, levels[-1] if levels else None))
                if _is_enough(levels) and levels[-1].unseen(_FINE_NODES[self.domain.dimension]) < _UNSEEN:
                    break
            elif not may_start:
                break
            if len(levels) > 1 and not any(level.found.is_determined for level in levels[-2:]):
                raise _undetermined()
        if len(levels) < 2:
            raise ReferenceRefusedError(failure)
        # Where rounding grows the finest is not the best; elsewhere a small change may be chance.
        best = min(levels, key=lambda level: level.relative_change)
        if best.relative_change > _ROUNDING:
            changes = [level.changes for level in levels[-2:] if level.changes is not None]
            best = replace(levels[-1], changes=np.max(changes, axis=0))
        self._judge(best, levels)
        return best

    def _solved(self, discretisation: Discretisation, before: _Level | None, may_start: bool) -> Stationary:
        """From the coarser solution, or else from the first start that leads somewhere."""
        if discretisation.is_linear:
            return solve(discretisation, np.zeros(discretisation.n_coefficients))
        attempts: list[Stationary] = []
        if before is not None:
            attempts.append(
                solve(discretisation, before.discretisation.refined(before.found.coefficients, discretisation))
            )
            if attempts[0].converged or not may_start:
                return attempts[0]
        faults = []
        for start in discretisation.starts():
            try:
                attempts.append(solve(discretisation, start))
            except FloatingPointError as fault:
                faults.append(fault)
                continue
            if attempts[-1].converged and attempts[-1].residual < _ACCEPTED:
                break
        if not attempts:
            raise faults[0]
        return max(attempts, key=lambda found: (found.converged, -found.residual))

    def _level(self, discretisation: Discretisation, found: Stationary, before: _Level | None) -> _Level:
        zero = (0,) * self.domain.dimension

        def fine(d: Discretisation, coefficients: Array) -> list[Array]:
            return [d.values(coefficients, name, zero, self._fine) for name in self.unknowns]

        values = fine(discretisation, found.coefficients)
        scales = np.array([np.abs(field).max() for field in values])
        if before is None:
            return _Level(discretisation, found, None, scales)
        earlier = fine(before.discretisation, before.found.coefficients)
        changes = np.array([np.abs(a - b).max() for a, b in zip(values, earlier, strict=True)])
        return _Level(discretisation, found, changes, scales)

    def _judge(self, best: _Level, levels: list[_Level]) -> None:
        """Raises ReferenceRefusedError where the finest solution is not one, or not good enough."""
        if not best.found.is_determined:
            raise _undetermined()
        if best.relative_change > LARGEST_ERROR:
            raise ReferenceRefusedError(
                f"the solution is not smooth enough for {best.discretisation.n} modes along each coordinate: between "
                f"the last two resolutions it still changes by {best.relative_change:.1g} of its largest value"
            )
        half = [level for level in levels if level.discretisation.n <= best.discretisation.n / 2]
        if best.found.residual > _STALLED and half:
            worst, size = best.worst
            if size > half[-1].residuals[worst] / 2:
                raise ReferenceRefusedError(
                    "the equations and conditions contradict each other, or have no smooth solution: however fine the "
                    f"resolution, {best.discretisation.rows[worst][0].name} is missed by {size:.1g}"
                )


def _is_enough(levels: list[_Level]) -> bool:
    """Whether the last two resolutions agree, or differ by growing rounding."""
    changes = [level.relative_change for level in levels]
    if len(levels) < 2:
        return False
    return changes[-1] <= TOLERANCE or (changes[-2] < _ROUNDING and changes[-1] > changes[-2])


_NOT_CONVERGED = (
    "Newton's iteration found no solution, neither from 0 nor from the smoothest functions that meet the conditions "
    "nor from 1 or -1"
)


def _undetermined() -> ReferenceRefusedError:
    return ReferenceRefusedError(
        "the conditions do not determine the solution: other functions meet all equations and conditions as well; is "
        "a condition missing, or a value at one point?"
    )


def _check_functions(term: str, trees: tuple[Node, ...]) -> None:
    """Only functions of the table have derivatives that are known."""
    for tree in trees:
        for node in nodes(tree):
            if isinstance(node, Call) and node.function not in TABLE:
                raise ReferenceRefusedError(
                    f"'{term}' calls the function '{node.function}' of a Python module, whose derivatives are not known"
                )
