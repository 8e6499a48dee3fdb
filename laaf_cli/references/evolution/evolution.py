"""The referee for equations in time along at most one coordinate of space.

Collocation in space on elements that follow the solution (`semidiscretisation`, `mesh`), Radau's
method in time (`radau`). All tolerances are tightened, with other numbers of points per element,
until two solutions agree; what is left between the last two is the error estimate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, ExpressionError, Node, evaluate, fields
from laaf_cli.problem import Balance, Domain, Problem, grid_points
from laaf_cli.references.cell_balance import Cells, check_balances, make_cells
from laaf_cli.references.collocation import ChebyshevAxis
from laaf_cli.references.evolution.form import EvolutionForm, read_evolution
from laaf_cli.references.evolution.radau import SMALLEST_SHARE, IntegrationError
from laaf_cli.references.evolution.solve import ACCURACIES, EvolutionSolution, OutOfWorkError, solve
from laaf_cli.references.evolution.time_events import TimeEvents
from laaf_cli.references.evolution.unseen import missed
from laaf_cli.references.reference import (
    ROUNDING,
    UNWATCHED,
    OutOfTimeError,
    Reference,
    ReferenceRefusedError,
    ReferenceValues,
    Watch,
    out_of_time,
    zero_if_rounding,
)

AGREEMENT, WORST_AGREEMENT = 1e-9, 1e-3
"""Of two solutions, as fractions of the largest value of an unknown: what is aimed at, and what is
refused. What may be left near a place at which an equation holds something narrow is AGREEMENT too.
"""

BALANCED_AT = tuple(np.sort(np.arange(1, 14) * (np.sqrt(5) - 1) / 2 % 1.0).tolist())
"""Fractions of the time at which balances are checked: what passes a break passes it between two of
them.
"""

MOST_WORK = 2e11
FAIR_WORK, FAIR_AGREEMENT = 1.5e10, 1e-6
"""After so many operations less is good enough; they and not seconds, so that every machine
finds the same.
"""

MOST_SECONDS = 1800.0
"""After which the reference is refused, whatever has been reached."""


class Evolution(Reference):
    """Systems of equations of any order in time, along one coordinate of space or none."""

    takes_long = True

    def __init__(self, problem: Problem) -> None:
        """Raises ReferenceRefusedError, naming what does not fit, for a problem of another form."""
        self.form = read_evolution(problem)
        self.method = (
            "Radau's method in time; error: change when it is refined"
            if self.form.space_axis is None
            else "collocation in space (Chebyshev elements, or Fourier), Radau's method in time; "
            "error: change when both are refined"
        )
        self.balances = problem.balances
        self.solutions: tuple[EvolutionSolution, EvolutionSolution] | None = None

    def check(self, domain: Domain) -> None:
        """Nothing is left to check: the form has been read, and the solution covers the whole
        domain.
        """

    def prepare(self, watch: Watch) -> None:
        self._solved(watch)

    def _solved(self, watch: Watch) -> tuple[EvolutionSolution, EvolutionSolution]:
        if self.solutions is None:
            try:
                self.solutions = converged(self.form, MOST_WORK, watch, self.balances)
            except ExpressionError as error:
                why = f"the derivatives of the equations cannot be formed: {error.faults[0].what}"
                raise ReferenceRefusedError(why) from None
        return self.solutions

    def evaluate(self, points: Array) -> ReferenceValues:
        """Raises ReferenceRefusedError where no two solutions agree."""
        began = time.perf_counter()
        rough, fine = (solution.at(points) for solution in self._solved(UNWATCHED))
        changes = np.max(np.abs(rough - fine), axis=1, initial=0.0)
        errors = np.maximum(changes, ROUNDING * np.max(np.abs(fine), axis=1, initial=0.0))
        known = map(zero_if_rounding, fine, 2 * changes)
        names = (*self.form.unknowns, *self.form.fluxes)
        fields = dict(zip(names, known, strict=True))
        estimates = dict(zip(names, errors.tolist(), strict=True))
        return ReferenceValues(fields, estimates, time.perf_counter() - began)


def converged(
    form: EvolutionForm,
    most_work: float,
    watch: Watch = UNWATCHED,
    balances: Sequence[Balance] = (),
) -> tuple[EvolutionSolution, EvolutionSolution]:
    """The last two of ever more accurate solutions, which agree to AGREEMENT or as far as the
    limits allow.

    Args:
        most_work: in operations.

    Raises:
        ReferenceRefusedError: they do not agree to WORST_AGREEMENT, or the equations cannot be
            solved.
    """
    deadline = min(watch.deadline, time.perf_counter() + MOST_SECONDS)
    watch = replace(watch, deadline=deadline)
    places, forcing = _places(form), TimeEvents(form)
    best: tuple[EvolutionSolution, EvolutionSolution] | None = None
    before: EvolutionSolution | None = None
    reached, why = math.inf, ""
    work = [math.inf]
    done = 0.0
    for i, accuracy in enumerate(ACCURACIES):
        progress = f"accuracy {i + 1} of at most {len(ACCURACIES)}"
        if len(work) > 2 and done + work[-1] ** 2 / work[-2] > most_work:
            break
        try:
            solution = solve(form, forcing, accuracy, most_work - done, watch.of(progress))
        except OutOfWorkError:
            why = f" within the work of {most_work:.1e} operations"
            break
        except OutOfTimeError:
            if reached <= WORST_AGREEMENT:
                break
            raise out_of_time() from None
        except IntegrationError as error:
            if why:
                break
            before, why = None, f": {error}"
            continue
        done += solution.work
        work.append(solution.work)
        if before is not None:
            difference = _difference(before.at(places), solution.at(places))
            if difference < reached:
                reached, best = difference, (before, solution)
        if reached <= (FAIR_AGREEMENT if done > FAIR_WORK else AGREEMENT):
            break
        before = solution
    if best is None:
        raise ReferenceRefusedError(f"the spectral solution in time was not found{why}")
    if reached > WORST_AGREEMENT:
        raise ReferenceRefusedError(
            f"the spectral solution in time does not settle{why}: two accuracies differ by "
            f"{reached:.1e} of their size"
        )
    _check_balances(best[1], balances, reached)
    if (off := missed(best[1])) > max(AGREEMENT, 100 * reached):
        raise ReferenceRefusedError(
            "the equations hold something so narrow that the spectral solution in time steps over "
            f"it; it would change the solution by {off:.1g}"
        )
    return best


def _check_balances(solution: EvolutionSolution, balances: Sequence[Balance], error: float) -> None:
    """Raises ReferenceRefusedError where the solution does not keep them, at some times."""
    form = solution.form
    known = [balance for balance in balances if _is_known(form, balance)]
    for share in BALANCED_AT if known else ():
        time = form.start + share * (form.end - form.start)
        elements = solution.step_at(time).grids[0].axes
        ends = np.array([*(element.lower for element in elements), elements[-1].upper])
        cells: list[Cells | float] = [make_cells(ends, max(element.n for element in elements))]
        cells.insert(form.time_axis, time)

        def on_grid(tree: Node, axes: Sequence[Array]) -> Array:
            points = grid_points(tuple(axes))
            columns = dict(zip(form.coordinates, points.T, strict=True))
            values = evaluate(tree, columns, solution.fields(points, fields(tree)), NUMPY)
            return np.broadcast_to(values, len(points)).reshape(*map(len, axes))

        with np.errstate(all="ignore"):
            check_balances(known, cells, on_grid, error)


def _is_known(form: EvolutionForm, balance: Balance) -> bool:
    """Whether the solver knows the derivatives in time."""
    held = {f for tree in (balance.rest, *balance.fluxes.values()) for f in fields(tree)}
    return all(form.time_order(f) <= form.time_orders[form.unknown(f)] for f in held)


def _difference(rough: Array, fine: Array) -> float:
    """The largest difference, as a fraction of the largest value of the same unknown, or of what
    the steps in time hold small.
    """
    sizes = np.max(np.abs(fine), axis=1)
    sizes = np.maximum(sizes, SMALLEST_SHARE * np.max(sizes))
    differences = np.max(np.abs(rough - fine), axis=1)
    return float(np.max(differences / np.where(sizes > 0, sizes, 1.0)))


def _places(form: EvolutionForm) -> Array:
    """Where solutions are compared: all over, and closer near the ends of space, [n, d]."""
    if form.space_axis is None:
        return np.linspace(form.start, form.end, 1001)[:, None]
    times = np.linspace(form.start, form.end, 41)
    lower, upper = form.lower[form.space_axis], form.upper[form.space_axis]
    x = np.concatenate([np.linspace(lower, upper, 201), ChebyshevAxis(lower, upper, 80).nodes])
    columns = [axis.ravel() for axis in np.meshgrid(x, times, indexing="ij")]
    return np.stack(columns if form.space_axis == 0 else columns[::-1], axis=1)
