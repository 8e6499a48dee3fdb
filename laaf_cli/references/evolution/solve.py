"""One solution of equations in time, at a given accuracy, on a mesh that follows it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, evaluate, fields
from laaf_cli.references.collocation import ChebyshevAxis
from laaf_cli.references.evolution.form import EvolutionForm
from laaf_cli.references.evolution.initial_values import initial_values, smooths
from laaf_cli.references.evolution.mesh import Grid, Mesh, fitted
from laaf_cli.references.evolution.radau import SMALLEST_SHARE, IntegrationError, Integrator
from laaf_cli.references.evolution.radau_tableau import RadauStep
from laaf_cli.references.evolution.semidiscretisation import Semidiscretisation
from laaf_cli.references.evolution.time_events import TimeEvents
from laaf_cli.references.probes import probes, resolving, space_breaks, turns_of_parts
from laaf_cli.references.reference import Watch

MOST_COLUMNS = 900
CIRCLE = 2  # points of a circle for each point of the elements that resolve what is known
TIMES_PER_STEP = 101  # at which the formulas are sampled, for each of the steps of an accuracy
MOVE_WORK = 100.0  # operations for each entry of a matrix, in making a mesh and its operators
REST = 20  # steps after the mesh was found to be as fine as it may be
# steps so much longer, and a mesh so much coarser, are worth a new one
COARSER_STEPS, COARSER_SHARE = 10.0, 0.7
HELD = 100.0  # times the tolerance in space: what another mesh may lose of a state
MISSED = 0.03  # of the largest initial value: what may lie between nodes
MARGIN = 0.1  # of the tolerance in space, to which new elements resolve what is known


class OutOfWorkError(Exception):
    """The work allowed is done."""


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How finely is solved.

    The numbers differ from one accuracy to the next, so that no two solutions share a mesh or
    steps; where a stop makes them share a step, they do not share its method.
    """

    space: float
    """The last coefficients along space that are accepted, as fractions of the unknown."""
    time: float
    """The last coefficients along time that are accepted, as fractions of the unknown."""
    n_points: int
    """Nodes of an element."""
    n_circle: int
    """Nodes of a circle at first."""
    n_steps: int
    """The first step is the whole time over this."""
    n_stages: int
    """Stages of Radau's method."""


ACCURACIES = (
    Accuracy(space=1e-5, time=1e-5, n_points=12, n_circle=20, n_steps=60, n_stages=9),
    Accuracy(space=1e-6, time=1e-6, n_points=14, n_circle=22, n_steps=71, n_stages=8),
    Accuracy(space=1e-7, time=1e-7, n_points=16, n_circle=24, n_steps=83, n_stages=9),
    Accuracy(space=1e-9, time=1e-9, n_points=20, n_circle=26, n_steps=97, n_stages=8),
    Accuracy(space=1e-10, time=1e-10, n_points=24, n_circle=28, n_steps=109, n_stages=9),
    Accuracy(space=1e-11, time=1e-11, n_points=28, n_circle=34, n_steps=127, n_stages=8),
)


@dataclass(frozen=True)
class TimeStep:
    """A step in time and where the values of its unknowns are."""

    panel: RadauStep
    grids: Sequence[Grid]
    parts: Sequence[slice[int, int, Any]]

    def fields(
        self, form: EvolutionForm, points: Array, wanted: Collection[Field]
    ) -> dict[Field, Array]:
        """Derivatives of unknowns at points [n, d] of the step, [n] each."""
        times, which = np.unique(points[:, form.time_axis], return_inverse=True)
        x = np.zeros(len(points)) if form.space_axis is None else points[:, form.space_axis]
        highest = max((form.space_order(field) for field in wanted), default=0)
        matrices = {grid: grid.at(x, highest) for grid in set(self.grids)}
        states: dict[int, Array] = {}
        result = {}
        for field in wanted:
            order, unknown = form.time_order(field), form.unknown(field)
            if order not in states:
                states[order] = self.panel.at(times, order)[which]
            matrix = matrices[self.grids[unknown]][form.space_order(field)]
            values = states[order][:, self.parts[unknown]]
            result[field] = np.asarray(np.einsum("pn,pn->p", matrix, values))
        return result

    def at(self, form: EvolutionForm, points: Array) -> Array:
        """Every unknown, and every flux after them, at points [n, d] of the step,
        [n_unknowns + n_fluxes, n].
        """
        plain = [form.field(j, 0, 0) for j in range(len(form.unknowns))]
        held = {field for tree in form.fluxes.values() for field in fields(tree)}
        known = self.fields(form, points, dict.fromkeys([*plain, *held]))
        columns = dict(zip(form.coordinates, points.T, strict=True))
        fluxes = [evaluate(tree, columns, known, NUMPY) for tree in form.fluxes.values()]
        return np.stack([*(known[field] for field in plain), *fluxes])


@dataclass(frozen=True)
class EvolutionSolution:
    """All steps, which follow one another."""

    form: EvolutionForm
    steps: tuple[TimeStep, ...]
    work: float
    """The work that the steps took, in operations."""

    def at(self, points: Array) -> Array:
        """Every unknown and flux at points [n, d] of the domain, [n_unknowns + n_fluxes, n]."""
        result = np.empty((len(self.form.unknowns) + len(self.form.fluxes), len(points)))
        for step, part in self._parts(points):
            result[:, part] = step.at(self.form, points[part])
        return result

    def fields(self, points: Array, wanted: Collection[Field]) -> dict[Field, Array]:
        """Derivatives of unknowns at points [n, d] of the domain, [n] each."""
        result = {field: np.empty(len(points)) for field in wanted}
        for step, part in self._parts(points):
            for field, values in step.fields(self.form, points[part], wanted).items():
                result[field][part] = values
        return result

    def step_at(self, time: float) -> TimeStep:
        """The step that a time lies in."""
        starts = [step.panel.start for step in self.steps[1:]]
        return self.steps[int(np.searchsorted(starts, time, side="left"))]

    def _parts(self, points: Array) -> Iterator[tuple[TimeStep, NDArray[np.intp]]]:
        """The points of each step, some at a time.

        What lies on the border of two steps belongs to the first of them, and the start to the
        initial values.
        """
        times = points[:, self.form.time_axis]
        of_step = np.searchsorted([step.panel.start for step in self.steps[1:]], times, side="left")
        for i in np.unique(of_step):
            here = np.flatnonzero(of_step == i)
            for part in np.split(here, range(1000, len(here), 1000)):
                yield self.steps[i], part


def solve(
    form: EvolutionForm, forcing: TimeEvents, accuracy: Accuracy, most_work: float, watch: Watch
) -> EvolutionSolution:
    """Integrates from the first time to the last, on a mesh that follows the solution.

    Args:
        most_work: in operations.

    Raises:
        IntegrationError: no step succeeds.
        OutOfWorkError: it took more work.
        OutOfTimeError: the deadline has passed.
    """
    solver = _Solver(form, forcing, accuracy)
    steps: list[TimeStep] = []
    while solver.integrator.time < form.end:
        if solver.work > most_work:
            raise OutOfWorkError
        watch.report(f"t = {solver.integrator.time:.3g} of {form.end:g}")
        with np.errstate(all="ignore"):
            steps += solver.advance(watch, is_first=not steps)
    return EvolutionSolution(form, tuple(steps), solver.work)


class _Solver:
    """The system on its present mesh, and a new mesh where it does not resolve what comes."""

    def __init__(self, form: EvolutionForm, forcing: TimeEvents, accuracy: Accuracy) -> None:
        self.form, self.accuracy = form, accuracy
        self.most_points = MOST_COLUMNS // len(form.unknowns)
        self.coarsest = self._known_mesh(at_start=False)
        first = self._known_mesh(at_start=True)
        self.mesh = fitted(first, self._initial, self._tolerance, self.most_points)
        self.system = Semidiscretisation(form, self.mesh)
        state = np.zeros((1 + max(form.time_orders), len(self.system.orders)))
        by_grid = {grid: initial_values(form, grid) for grid in set(self.system.grids)}
        for grid, values in by_grid.items():
            self._check_start(grid, values)
        for unknown, (grid, part) in enumerate(
            zip(self.system.grids, self.system.parts, strict=True)
        ):
            order = form.time_orders[unknown]
            for k in range(order):
                state[order - k, part] = by_grid[grid][form.field(unknown, 0, k)]
        length = (form.end - form.start) / accuracy.n_steps
        self.schedule = forcing.schedule(TIMES_PER_STEP * accuracy.n_steps)
        self.integrator = self._integrator(state, form.start, length)
        self.work_before = MOVE_WORK * self.system.orders.size**2
        self.rest, self.length = 0, length

    def _check_start(self, grid: Grid, values: Mapping[Field, Array]) -> None:
        """Raises IntegrationError where the initial values lie between the nodes."""
        form, axis = self.form, self.form.space_axis
        held = {field for tree in form.initial for field in fields(tree)}
        if axis is None or any(form.space_order(field) for field in held):
            return
        lower, upper = form.lower[axis], form.upper[axis]
        turns = turns_of_parts(form.initial, form.coordinates[axis], lower, upper)
        ends = pairwise(probes(turns, lower, upper))
        close = Grid(tuple(ChebyshevAxis(*both, 2) for both in ends))
        to_probes = grid.interpolation(close.nodes)
        exact = initial_values(form, close)
        rounding = SMALLEST_SHARE * max(np.max(np.abs(there)) for there in exact.values())
        for field, there in exact.items():
            missed = np.max(np.abs(there - to_probes @ values[field]))
            if missed > max(MISSED * np.max(np.abs(there)), rounding):
                raise IntegrationError(
                    f"the initial values hold something so narrow that {grid.size} points miss it"
                )

    def _integrator(self, state: Array, start: float, length: float) -> Integrator:
        a = self.accuracy
        return Integrator(
            self.system, state, start, self.form.end, a.time, length, a.n_stages, self.schedule
        )

    @property
    def work(self) -> float:
        return self.work_before + self.integrator.work

    def advance(self, watch: Watch, is_first: bool) -> list[TimeStep]:
        """The next step, the first one after the initial values; none where it showed that
        another mesh is needed.
        """
        before, is_new = self.integrator.state, self.integrator.is_first
        panel = self.integrator.advance(watch)
        after = self.integrator.state
        steps = [self._start(before, panel)] if is_first else []
        steps.append(TimeStep(panel, self.system.grids, self.system.parts))
        self.rest = 0 if is_new else self.rest - 1
        if self.form.space_axis is None or self.rest > 0:
            return steps
        grid = self.mesh.grid(max(self.form.space_orders))
        other = None if set(self.system.grids) == {grid} else grid
        shares = self._shares(after, self.integrator.scale, other)
        if np.max(grid.tails(shares)) <= self.accuracy.space:
            self._coarsen(after, panel.length)
            return steps
        # Elements are merged once at a time, or two meshes might take turns for ever.
        mesh = self._fitted(self.mesh if is_new else self.coarsest, before, after)
        if not self._holds(mesh, after):
            mesh = self._fitted(self.mesh, before, after)
        if mesh == self.mesh:
            self.rest = REST
            return steps
        self._move(mesh, before, panel.start, panel.length)
        return []

    def _coarsen(self, state: Array, length: float) -> None:
        """Continues with fewer elements where these are enough, looking for them when steps have
        become much longer.
        """
        if (
            self.integrator.time >= self.form.end
            or self.mesh.is_circle
            or length < COARSER_STEPS * self.length
        ):
            return
        self.length = length
        mesh = self._fitted(self.coarsest, state)
        is_coarser = mesh.n_elements <= COARSER_SHARE * self.mesh.n_elements
        if is_coarser and self._holds(mesh, state):
            self._move(mesh, state, self.integrator.time, self.integrator.length)

    def _fitted(self, mesh: Mesh, *states: Array) -> Mesh:
        scale = self.integrator.scale
        return fitted(
            mesh,
            lambda grid: np.concatenate([self._shares(state, scale, grid) for state in states]),
            self._tolerance,
            self.most_points,
        )

    def _holds(self, mesh: Mesh, state: Array) -> bool:
        """Whether a state is known on a mesh: what is narrow may lie between all of its nodes."""
        if mesh.is_circle:
            return True
        fine = self.mesh.grid(max(self.form.space_orders))
        grid = mesh.grid(max(self.form.space_orders))
        scale = self.integrator.scale
        shares = self._shares(state, scale, grid) @ grid.interpolation(fine.nodes_inside).T
        return bool(
            np.max(np.abs(shares - self._shares(state, scale, fine))) <= HELD * self.accuracy.space
        )

    def _start(self, state: Array, panel: RadauStep) -> TimeStep:
        """The initial values themselves, which a step leaves at once where they do not meet the
        conditions.
        """
        orders = self.system.orders
        values = np.where(orders > 0, state[orders, np.arange(len(orders))], panel.values[0])
        constant = RadauStep(panel.start, panel.length, np.tile(values, (len(panel.values), 1)))
        return TimeStep(constant, self.system.grids, self.system.parts)

    @property
    def _tolerance(self) -> float:
        """What a new mesh resolves; on a circle it grows by so much that no margin is needed."""
        return self.accuracy.space * (1.0 if self.coarsest.is_circle else MARGIN)

    def _known_mesh(self, at_start: bool) -> Mesh:
        """Elements that resolve what the equations hold beside the unknowns; also the initial
        values, at the start.
        """
        form = self.form
        if form.space_axis is None:
            return Mesh((), 1)
        space = form.coordinates[form.space_axis]
        ranges = {
            name: (low, high)
            for name, low, high in zip(form.coordinates, form.lower, form.upper, strict=True)
        }
        lower, upper = ranges[space]
        breaks = space_breaks((*form.equations, *form.initial), space, lower, upper)
        trees = (*form.equations, *(form.initial if at_start else ()))
        n, tolerance = self.accuracy.n_points, self.accuracy.space
        elements = resolving(trees, space, ranges, breaks, n, tolerance)
        if form.is_periodic and not breaks:
            circle = Mesh((lower, upper), 512, is_circle=True).grid(0)
            has_kinks = np.max(circle.tails(self._initial(circle))) > 1e-9
            # Elements for what is not smooth where the ends meet at the start, and is afterwards.
            if not (has_kinks and smooths(form, circle)):
                n_circle = max(self.accuracy.n_circle, CIRCLE * n * len(elements))
                return Mesh((lower, upper), n_circle, is_circle=True)
        return Mesh((lower, *elements, upper), n)

    def _initial(self, grid: Grid) -> Array:
        """The initial values as fractions of their scale, [n_values, size]."""
        values = initial_values(self.form, grid)
        span = self.form.end - self.form.start
        plain = [value for field, value in values.items() if sum(field.orders) == 0]
        largest = max(float(np.max(np.abs(value))) for value in plain)
        result = []
        for field, value in values.items():
            least = SMALLEST_SHARE * largest / span ** self.form.time_order(field)
            size = max(least, float(np.max(np.abs(value))))
            result.append(value / (size if size > 0 else 1.0))
        return np.stack(result)

    def _shares(self, state: Array, scale: Array, grid: Grid | None = None) -> Array:
        """The unknowns, and what of their derivatives in time belongs to the state, as fractions of
        their scale.

        On their own grids where these are all alike, or else on a given one, [n_functions, size].
        """
        result = []
        span = self.form.end - self.form.start
        for j, (own_grid, part) in enumerate(
            zip(self.system.grids, self.system.parts, strict=True)
        ):
            matrix = None if grid is None else own_grid.interpolation(grid.nodes_inside)
            order = self.form.time_orders[j]
            for q in range(min(order, 1), order + 1):
                values = state[q, part]
                size = max(scale[part][0] / span ** (order - q), float(np.max(np.abs(values))))
                result.append(
                    (values if matrix is None else matrix @ values) / (size if size > 0 else 1.0)
                )
        return np.stack(result)

    def _move(self, mesh: Mesh, state: Array, start: float, length: float) -> None:
        """Continues from a state, on another mesh, with a step of some length."""
        system = Semidiscretisation(self.form, mesh)
        self.length = min(self.length, length)
        moved = np.zeros((len(state), len(system.orders)))
        old = self.integrator
        scale = np.zeros(len(system.orders))
        for old_grid, part, grid, new in zip(
            self.system.grids, self.system.parts, system.grids, system.parts, strict=True
        ):
            moved[:, new] = state[:, part] @ old_grid.interpolation(grid.nodes_inside).T
            scale[new] = old.scale[part][0]
        self.mesh, self.system = mesh, system
        self.integrator = self._integrator(moved, start, length)
        self.work_before += old.work + MOVE_WORK * system.orders.size**2
        self.integrator.scale = np.maximum(scale, self.integrator.scale)
