"""One solution of equations in time, at a given accuracy, on a mesh that follows it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from laaf_cli.problem.domain import Array
from laaf_cli.reference.evolution_form import EvolutionForm
from laaf_cli.reference.initial_values import initial_values, smooths
from laaf_cli.reference.mesh import Grid, Mesh, fitted
from laaf_cli.reference.radau import IntegrationError, Integrator, Panel
from laaf_cli.reference.semidiscretisation import Semidiscretisation

MOST_COLUMNS = 900
MARGIN = 0.1  # of the tolerance in space, to which a new mesh resolves what is known


class OutOfTimeError(Exception):
    """The deadline has passed."""


@dataclass(frozen=True)
class Accuracy:
    """How finely is solved.

    space, time: the last coefficients that are let pass, as shares of the unknown. n_points: of an element;
    n_circle: of a circle at first. They differ from one accuracy to the next, so that no two solutions share a mesh.
    """

    space: float
    time: float
    n_points: int
    n_circle: int


ACCURACIES = (
    Accuracy(1e-7, 1e-8, 16, 24),
    Accuracy(1e-9, 1e-9, 20, 32),
    Accuracy(1e-10, 1e-10, 24, 42),
    Accuracy(1e-11, 1e-11, 28, 28),
)


@dataclass(frozen=True)
class Step:
    """A step in time and where the values of its unknowns stand."""

    panel: Panel
    grids: Sequence[Grid]
    parts: Sequence[slice]

    def at(self, form: EvolutionForm, points: Array) -> Array:
        """Every unknown at points [n, d] of the step, [n_unknowns, n]."""
        times, which = np.unique(points[:, form.time_axis], return_inverse=True)
        states = self.panel.at(times)[which]
        x = np.zeros(len(points)) if form.space_axis is None else points[:, form.space_axis]
        matrices = {grid: grid.interpolation(x) for grid in set(self.grids)}
        parts = zip(self.grids, self.parts, strict=True)
        return np.stack([np.einsum("pn,pn->p", matrices[grid], states[:, part]) for grid, part in parts])


@dataclass(frozen=True)
class Solution:
    """All steps, which follow one another."""

    form: EvolutionForm
    steps: tuple[Step, ...]

    def at(self, points: Array) -> Array:
        """Every unknown at points [n, d] of the domain, [n_unknowns, n]."""
        result = np.empty((len(self.form.unknowns), len(points)))
        times = points[:, self.form.time_axis]
        of_step = np.searchsorted([step.panel.start for step in self.steps[1:]], times, side="right")
        for i in np.unique(of_step):
            here = np.flatnonzero(of_step == i)
            for part in np.split(here, range(1000, len(here), 1000)):
                result[:, part] = self.steps[i].at(self.form, points[part])
        return result


def solve(form: EvolutionForm, accuracy: Accuracy, deadline: float) -> Solution:
    """Raises IntegrationError where that fails, and OutOfTimeError after the deadline, a time of perf_counter."""
    solver = _Solver(form, accuracy)
    steps: list[Step] = []
    while solver.integrator.time < form.end:
        if time.perf_counter() > deadline:
            raise OutOfTimeError
        step = solver.advance()
        if step is not None:
            steps.append(step)
    return Solution(form, tuple(steps))


class _Solver:
    """The system on its present mesh, and the mesh anew where it does not resolve what comes."""

    def __init__(self, form: EvolutionForm, accuracy: Accuracy) -> None:
        self.form, self.accuracy = form, accuracy
        self.most_points = MOST_COLUMNS // len(form.unknowns)
        self.mesh = fitted(self._first_mesh(), self._initial, MARGIN * accuracy.space, self.most_points)
        self.coarsest = self._first_mesh()
        self.system = Semidiscretisation(form, self.mesh)
        state = np.zeros((1 + max(form.time_orders), len(self.system.orders)))
        by_grid = {grid: initial_values(form, grid) for grid in set(self.system.grids)}
        for unknown, (grid, part) in enumerate(zip(self.system.grids, self.system.parts, strict=True)):
            order = form.time_orders[unknown]
            for k in range(order):
                state[order - k, part] = by_grid[grid][form.field(unknown, 0, k)]
        self.integrator = Integrator(self.system, state, form.start, form.end, accuracy.time)

    def advance(self) -> Step | None:
        """The next step; None where it showed that another mesh is needed."""
        before = self.integrator.state
        panel = self.integrator.advance()
        after = self.integrator.state
        if not np.all(np.isfinite(after)):
            raise IntegrationError(f"the solution is not finite at t = {self.integrator.time:.6g}")
        grids, parts = self.system.grids, self.system.parts
        if self.form.space_axis is None or self._is_resolved(after):
            return Step(panel, grids, parts)
        scale = self.integrator.scale
        mesh = fitted(
            self.coarsest,
            lambda grid: np.concatenate([self._shares(state, scale, grid) for state in (before, after)]),
            MARGIN * self.accuracy.space,
            self.most_points,
        )
        if mesh == self.mesh:
            return Step(panel, grids, parts)
        self._move(mesh, before, panel)
        return None

    def _first_mesh(self) -> Mesh:
        form = self.form
        if form.space_axis is None:
            return Mesh((), 1)
        breaks = (form.lower[form.space_axis], form.upper[form.space_axis])
        if form.is_periodic and not self._kinks_vanish(breaks):
            return Mesh(breaks, self.accuracy.n_circle, is_circle=True)
        return Mesh(breaks, self.accuracy.n_points)

    def _kinks_vanish(self, breaks: tuple[float, ...]) -> bool:
        """Whether the start is not smooth where the ends meet, as on a circle, and what follows is."""
        circle = Mesh(breaks, 512, is_circle=True).grid(0)
        values = self._initial(circle)
        return bool(np.max(circle.tails(values)) > 1e-9) and smooths(self.form, circle)

    def _initial(self, grid: Grid) -> Array:
        """The initial values as shares of the largest of their kind, [n_values, size]."""
        values = np.stack(list(initial_values(self.form, grid).values()))
        sizes = np.max(np.abs(values), axis=1, keepdims=True)
        return values / np.where(sizes > 0, sizes, 1.0)

    def _shares(self, state: Array, scale: Array, grid: Grid | None = None) -> Array:
        """The unknowns, and what of their derivatives in time belongs to the state, as shares of their scale.

        On their own grids where these are all alike, or else on a given one, [n_functions, size].
        """
        result = []
        span = self.form.end - self.form.start
        for j, (own, part) in enumerate(zip(self.system.grids, self.system.parts, strict=True)):
            matrix = None if grid is None else own.interpolation(grid.nodes_inside)
            order = self.form.time_orders[j]
            for q in range(min(order, 1), order + 1):
                values = state[q, part]
                size = max(scale[part][0] / span ** (order - q), float(np.max(np.abs(values))))
                result.append((values if matrix is None else matrix @ values) / (size if size > 0 else 1.0))
        return np.stack(result)

    def _is_resolved(self, state: Array) -> bool:
        grid = self.mesh.grid(max(self.form.space_orders))
        shares = self._shares(state, self.integrator.scale, None if set(self.system.grids) == {grid} else grid)
        return bool(np.max(grid.tails(shares)) <= self.accuracy.space)

    def _move(self, mesh: Mesh, state: Array, panel: Panel) -> None:
        """Begins anew at the start of a step, on another mesh."""
        system = Semidiscretisation(self.form, mesh)
        moved = np.zeros((len(state), len(system.orders)))
        old = self.integrator
        scale = np.zeros(len(system.orders))
        for own, part, grid, new in zip(self.system.grids, self.system.parts, system.grids, system.parts, strict=True):
            moved[:, new] = state[:, part] @ own.interpolation(grid.nodes_inside).T
            scale[new] = old.scale[part][0]
        self.mesh, self.system = mesh, system
        self.integrator = Integrator(system, moved, panel.start, self.form.end, self.accuracy.time)
        self.integrator.length, self.integrator.scale = panel.length, np.maximum(scale, self.integrator.scale)
