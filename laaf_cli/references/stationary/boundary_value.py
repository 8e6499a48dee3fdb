"""The referee for problems without time: modes, collocation and least squares, refined until
nothing changes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import ExpressionError, functions
from laaf_cli.expression.functions import TABLE
from laaf_cli.problem import Domain, Problem
from laaf_cli.references.cell_balance import check_balances, make_cells
from laaf_cli.references.probes import probes, resolving, space_breaks, turns_of_parts
from laaf_cli.references.reference import (
    ROUNDING,
    UNWATCHED,
    Reference,
    ReferenceRefusedError,
    ReferenceValues,
    Watch,
    zero_if_rounding,
)
from laaf_cli.references.stationary.discretisation import (
    Discretisation,
    Residual,
    continuity,
    residuals_of,
)
from laaf_cli.references.stationary.gauss_newton import solve
from laaf_cli.references.stationary.refinement import (
    LEVELS,
    MANY,
    MAX_COEFFICIENTS,
    N_PROBES,
    TOLERANCE,
    Level,
    finer_ones,
    refine,
    undetermined,
)
from laaf_cli.text import listed


class BoundaryValue(Reference):
    """Problems without time in one or two coordinates: linear or not, for any number of unknowns.

    Every unknown is a sum of Chebyshev's polynomials, or of waves along periodic coordinates;
    equations and conditions are collocated and met in the sense of least squares (Boyd, Chebyshev
    and Fourier Spectral Methods, 2001, chapters 3 and 6). A nonlinear problem may have several
    solutions: this finds the one that Gauss-Newton reaches from 0, or from the smoothest functions
    that meet the conditions, or from ±1.
    """

    method = (
        "Chebyshev and Fourier collocation by least squares; error: change between the "
        "last two resolutions, or to elements cut elsewhere"
    )
    takes_long = True

    def __init__(self, problem: Problem) -> None:
        """Raises ReferenceRefusedError, naming what does not fit, for a problem of another form."""
        domain = problem.domain
        if domain.time is not None:
            raise ReferenceRefusedError(
                "'t' is time, and this reference is for problems without time"
            )
        if domain.dimension not in LEVELS:
            raise ReferenceRefusedError(
                f"there are {domain.dimension} coordinates ({listed(domain.coordinates)}); a "
                "spectral reference is for one or two"
            )
        equations = [term for term in problem.terms if term.kind == "equation"]
        n_equations = sum(len(term.residuals) for term in equations)
        if not equations:
            raise ReferenceRefusedError("there is no equation to solve")
        if n_equations < len(problem.unknowns):
            raise ReferenceRefusedError(
                f"the equations do not determine a solution: {n_equations} for "
                f"{len(problem.unknowns)} unknowns ({listed(problem.unknowns)})"
            )
        for term in problem.terms:
            unknown = sorted(frozenset().union(*map(functions, term.residuals)) - TABLE.keys())
            if unknown:
                raise ReferenceRefusedError(
                    f"'{term.name}' calls '{unknown[0]}' of a Python module, and the derivatives "
                    "of that are not known"
                )
        try:
            residuals = residuals_of(problem)
        except ExpressionError as error:
            raise ReferenceRefusedError(error.faults[0].what) from None
        breaks, probes = _places(domain, residuals)
        # Every resolution is made from this one.
        self._coarsest = Discretisation(
            domain=domain,
            unknowns=problem.unknowns,
            residuals=(*residuals, *continuity(residuals, domain, breaks)),
            breaks=breaks,
            probes=probes,
            n=LEVELS[domain.dimension][0],
        )
        if len(finer_ones(self._coarsest)) < 2:
            counts = " by ".join(str(len(along) + 1) for along in breaks)
            raise ReferenceRefusedError(
                f"the equations change their branch at so many places that there are {counts} "
                f"elements, and a spectral solution has {MAX_COEFFICIENTS} coefficients at most"
            )
        self._balances = problem.balances
        self._level: Level | None = None

    def check(self, domain: Domain) -> None:  # noqa: ARG002 - it covers the whole domain
        """Raises ReferenceRefusedError where coarse resolutions show that the conditions leave
        something open.

        Where these are large, that is left to solving.
        """
        coarse = finer_ones(self._coarsest)[:2]
        if not self._coarsest.is_linear or coarse[-1].n_coefficients > MANY:
            return
        for discretisation in coarse:
            try:
                solution = solve(discretisation, np.zeros(discretisation.n_coefficients), 1)
            except FloatingPointError as fault:
                raise ReferenceRefusedError(str(fault)) from None
            if solution.is_determined:
                return
        raise undetermined()

    def prepare(self, watch: Watch) -> None:
        self._solved(watch)

    def _solved(self, watch: Watch) -> Level:
        if self._level is None:
            level = refine(self._coarsest, watch)
            finest, coefficients = level.discretisation, level.solution.coefficients
            cells = [
                make_cells(np.array([modes.lower, *breaks, modes.upper]), modes.n)
                for modes, breaks in zip(finest.modes, finest.breaks, strict=True)
            ]
            check_balances(
                self._balances,
                cells,
                lambda tree, axes: finest.on_grid(tree, coefficients, tuple(axes)),
                level.relative_change,
            )
            self._level = level
        return self._level

    def evaluate(self, points: Array) -> ReferenceValues:
        start = time.perf_counter()
        level = self._solved(UNWATCHED)
        fields = {
            name: zero_if_rounding(_at(level, name, points), 2 * change)
            for name, change in zip(self._coarsest.unknowns, level.changes, strict=True)
        }
        errors = np.maximum(level.changes, ROUNDING * level.scales)
        estimates = dict(zip(fields, errors.tolist(), strict=True))
        return ReferenceValues(fields, estimates, time.perf_counter() - start)


def _places(
    domain: Domain, residuals: Sequence[Residual]
) -> tuple[tuple[tuple[float, ...], ...], tuple[Array, ...]]:
    """The breaks and the probes along each coordinate.

    Elements end where a formula changes its branch; along the only coordinate they also follow what
    is narrow.
    """
    trees = [residual.tree for residual in residuals]
    ranges = dict(
        zip(domain.coordinates, zip(domain.lower, domain.upper, strict=True), strict=True)
    )
    breaks, places = [], []
    for name, (lower, upper) in ranges.items():
        along_axis = space_breaks(trees, name, lower, upper)
        if domain.dimension == 1:
            along_axis = resolving(trees, name, ranges, along_axis, LEVELS[1][1], TOLERANCE)
        near = [*along_axis, *turns_of_parts(trees, name, lower, upper)]
        breaks.append(along_axis)
        places.append(probes(near, lower, upper, N_PROBES[domain.dimension]))
    return tuple(breaks), tuple(places)


def _at(level: Level, unknown: str, points: Array) -> Array:
    """The values of an unknown at scattered points, or at those of a grid, which cost far less."""
    discretisation = level.discretisation
    distinct, places = zip(
        *(np.unique(column, return_inverse=True) for column in points.T), strict=True
    )
    if math.prod(len(values) for values in distinct) <= 4 * len(points):
        zero = (0,) * len(distinct)
        on_grid = discretisation.values(level.solution.coefficients, unknown, zero, distinct)
        return np.asarray(on_grid[places])
    modes, index = discretisation.modes, discretisation.unknowns.index(unknown)
    coefficients = level.solution.coefficients.reshape(-1, *discretisation.shape)[index]
    values = np.empty(len(points))
    for part in np.array_split(np.arange(len(points)), 1 + len(points) // 4096):
        first, second = (m.values(points[part, axis], 0) for axis, m in enumerate(modes))
        values[part] = np.einsum("pj,pj->p", first @ coefficients, second)
    return values
