"""The referee on shapes: curved finite elements of higher and higher order, with NGSolve."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, evaluate, fields, partial
from laaf_cli.problem import NORMAL, Domain, Problem
from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.references.evolution.radau_tableau import RadauStep, radau_tableau
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
from laaf_cli.references.shapes.coefficients import coefficient
from laaf_cli.references.shapes.derivation import read_weak_form
from laaf_cli.references.shapes.discretisation import N_STAGES, MeshDiscretisation
from laaf_cli.references.shapes.plane_mesh import corners
from laaf_cli.references.shapes.weak_form import Check, WeakEquation

INSTALL = "pip install 'laaf[shapes]'"

LEVELS = (*((0.12, order) for order in range(4, 18, 2)), (0.06, 14))
"""The length of elements, as a fraction of the shape, and their order, one after another."""

LEVELS_IN_SPACE = ((0.25, 2), (0.25, 4), (0.25, 6), (0.25, 8), (0.25, 10), (0.12, 8), (0.12, 10))
"""The same of three dimensions."""

FEW_LEVELS, MOST_WORK = 3, 5e10
"""Levels in space that are solved in any case; elements × order⁹, which is what they take, beyond
which no other is.
"""

LEVELS_IN_TIME = (
    (0.12, 4, 8),
    (0.12, 6, 16),
    (0.12, 8, 32),
    (0.12, 8, 64),
    (0.12, 10, 128),
    (0.06, 10, 256),
)
"""The same, and the number of steps."""

N_QUARTERS = 4
"""How often the first step is cut to a quarter, for a solution may be rough at the start."""

AGREEMENT, AGREEMENT_IN_TIME, AGREEMENT_IN_SPACE, WORST_AGREEMENT = 1e-8, 1e-6, 1e-6, 1e-3
"""Errors as fractions of the largest value: what is aimed at, and what is refused."""

SLOWEST, FASTEST, SAFETY = 0.9, {2: 0.1, 3: 0.02}, 3.0
"""The largest fraction to which a level is thought to lower an error, and the smallest in so many
dimensions; the multiple of what is left then that is the estimate.
"""

FAIR = 1e-5
"""An error as a fraction of the largest value below which elements are not made smaller."""

CONFIRMED = 1e-2
"""The fraction of their terms that equations may miss, at half of the points."""

LITTLE = 1e-3
"""The fraction of an unknown whose changes need not be seen in equations."""

N_PROBES, N_TIMES = 400, 5


@dataclass(frozen=True, kw_only=True)
class MeshLevel:
    """A solution on one level: the coefficients [n] of all unknowns, in steps with time."""

    on: MeshDiscretisation
    coefficients: Array
    steps: Sequence[RadauStep] = ()

    def at(self, points: Array) -> Array:
        """The unknowns at points [n, d], [n_unknowns, n]."""
        form = self.on.form
        places = self.on.places(points[:, list(form.shape.axes)])
        values = np.empty((len(form.unknowns), len(points)))
        for here, coefficients in self._moments(points):
            for row, function in zip(values, self.on.values(coefficients), strict=True):
                row[here] = function(places[here]).ravel()
        return values

    def _moments(self, points: Array) -> list[tuple[Array, Array]]:
        """The points of each time, by number, and the coefficients then."""
        axis = self.on.form.time_axis
        if axis is None:
            return [(np.arange(len(points)), self.coefficients)]
        times, index = np.unique(points[:, axis], return_inverse=True)
        order = np.argsort(index, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(index))[:-1])
        return [
            (group, self.at_time(float(moment)))
            for group, moment in zip(groups, times, strict=True)
        ]

    def at_time(self, moment: float, order: int = 0) -> Array:
        """The coefficients at a time, or a derivative of them."""
        ends = [step.start + step.length for step in self.steps]
        step = self.steps[min(int(np.searchsorted(ends, moment)), len(ends) - 1)]
        found = step.at(np.array([moment]), order)[0]
        return found if order else self.levelled(found, moment)

    def levelled(self, coefficients: Array, moment: float) -> Array:
        """Coefficients [n] whose pressures have the level that the problem gives them."""
        import ngsolve as ng

        form, levelled = self.on.form, coefficients.copy()
        for name, level in form.levels.items():
            (pressure,) = fields(level.residual)
            known = {pressure: self.on.values(coefficients)[form.unknowns.index(name)]}
            off, slope = (
                self._value(tree, known, moment)
                for tree in (level.residual, partial(level.residual, pressure))
            )
            if level.point is None:
                shift = ng.Integrate(off, self.on.mesh) / ng.Integrate(slope, self.on.mesh)
            else:
                place = self.on.places(level.point[None])
                shift = off(place).item() / slope(place).item()
            levelled -= shift * self.on.one(name)
        return levelled

    def misses(self, points: Array) -> list[tuple[str, float]]:
        """By equation, what it misses at half of the points [n, d] as a fraction of its terms, or
        of what those are of a function that changes a little over the shape; by
        condition that is left over, what it misses on its part of the boundary.
        """
        form = self.on.form
        constraints = [equation for equation in form.equations if equation.test in form.levels]
        missed = [(equation.name, self._imbalance(equation)) for equation in constraints]
        places = self.on.places(points[:, list(form.shape.axes)])
        for equation in form.equations:
            off, sizes = [], []
            for here, _ in self._moments(points):
                moment = 0.0 if form.time_axis is None else float(points[here[0], form.time_axis])
                known = self._known(equation.residual, moment)
                off.append(self._value(equation.residual, known, moment)(places[here]).ravel())
                parts = [
                    np.abs(self._value(partial(equation.residual, f), known, moment)(places[here]))
                    * np.maximum(np.abs(known[f](places[here])), self._little(f))
                    for f in fields(equation.residual)
                ]
                sizes.append(np.sum(parts, axis=0).ravel())
            size = float(np.median(np.concatenate(sizes)))
            missed.append(
                (equation.name, float(np.median(np.abs(np.concatenate(off)))) / max(size, 1e-300))
            )
        return missed + [(check.name, self._off(check)) for check in form.checks]

    def _little(self, f: Field) -> float:
        """What a derivative in space is of a function of a small fraction of the unknown's size."""
        form = self.on.form
        values = self.on.values(self.coefficients)[form.unknowns.index(f.unknown)].vec.FV().NumPy()
        return LITTLE * float(np.abs(values).max()) / form.shape.size ** sum(f.orders)

    def _imbalance(self, equation: WeakEquation) -> float:
        """The integral of a constraint, as a fraction of that of its terms: not 0 where values at
        the boundary contradict it.
        """
        import ngsolve as ng

        moment = self.steps[-1].start if self.steps else 0.0
        known = self._known(equation.residual, moment)
        off = self._value(equation.residual, known, moment)
        size = sum(
            ng.Norm(self._value(partial(equation.residual, f), known, moment) * function)
            for f, function in known.items()
        )
        mesh = self.on.mesh
        return float(abs(ng.Integrate(off, mesh)) / max(ng.Integrate(size, mesh), 1e-300))

    def _off(self, check: Check) -> float:
        """The root mean square of what a condition on a piece of the boundary misses, as a fraction
        of what its terms would be with fields as large as inside.
        """
        import ngsolve as ng

        mesh, moment = self.on.mesh, self.steps[-1].start if self.steps else 0.0
        known = self._known(check.residual, moment)
        piece = mesh.Boundaries(f"piece {self.on.form.shape.pieces.index(check.piece)}")
        on_edge = {f: ng.BoundaryFromVolumeCF(function) for f, function in known.items()}

        def rms(value: Any, *part: Any) -> float:
            over = ng.Integrate(ng.CF(1), mesh, *part)
            return float(np.sqrt(ng.Integrate(value * value, mesh, *part) / over))

        edge = (ng.BND, 2 * self.on.order, piece)
        off = rms(self._value(check.residual, on_edge, moment), *edge)
        size = sum(
            rms(self._value(partial(check.residual, f), on_edge, moment), *edge) * rms(function)
            for f, function in known.items()
        )
        return off / max(size, 1e-300)

    def _known(self, tree: Node, moment: float) -> dict[Field, Any]:
        """What the fields of a tree are, as functions in space."""
        import ngsolve as ng

        form, known = self.on.form, {}
        for f in fields(tree):
            order = 0 if form.time_axis is None else f.orders[form.time_axis]
            vector = self.coefficients if form.time_axis is None else self.at_time(moment, order)
            function = self.on.values(vector)[form.unknowns.index(f.unknown)]
            along = [i for i, axis in enumerate(form.shape.axes) for _ in range(f.orders[axis])]
            if len(along) == 2:
                known[f] = function.Operator("hesse")[along[0], along[1]]
            elif along:
                known[f] = ng.grad(function)[along[0]]
            else:
                known[f] = function
        return known

    def _value(self, tree: Node, known: dict[Field, Any], moment: float) -> Any:
        import ngsolve as ng

        form = self.on.form
        places = dict(zip(form.shape.axes, (ng.x, ng.y, ng.z), strict=False))
        symbols = {name: places.get(axis, moment) for axis, name in enumerate(form.coordinates)}
        normal = ng.specialcf.normal(len(form.shape.axes))
        for i, axis in enumerate(form.shape.axes):
            symbols[f"{NORMAL}{form.coordinates[axis]}"] = normal[i]
        value = coefficient(tree, symbols, known)
        return ng.CF(value) if isinstance(value, float) else value


class NotInstalledError(ReferenceRefusedError):
    """What a reference needs is not installed."""


class FiniteElements(Reference):
    """Systems of equations of second order in space on shapes, with time or without.

    Elements are curved, finer towards corners, and Newton's method solves what is not linear; in
    time Radau IIA of order 5 (Schöberl, NETGEN, Computing and Visualization in Science 1, 1997).
    """

    method = (
        "curved finite elements (NGSolve); error: extrapolated from the changes between resolutions"
    )
    takes_long = True

    def __init__(self, problem: Problem) -> None:
        """Raises ReferenceRefusedError, naming what does not fit, for a problem of another form,
        NotInstalledError without NGSolve.
        """
        self.form = read_weak_form(problem)
        if find_spec("ngsolve") is None:
            raise NotInstalledError(f"the referee by finite elements needs NGSolve: {INSTALL}")
        self.unknowns, self.domain = problem.unknowns, problem.domain
        self.levels: list[MeshLevel] = []
        self.changes = np.zeros(0)  # errors at the probes, of each unknown

    def __getstate__(self) -> dict[str, object]:
        """What is solved stays behind when a worker gets the reference."""
        return self.__dict__ | {"levels": []}

    def check(self, domain: Domain) -> None:
        """Nothing is left to check: the form has been read, and it covers the whole domain."""

    def prepare(self, watch: Watch) -> None:
        self._solved(watch)

    def evaluate(self, points: Array) -> ReferenceValues:
        began = time.perf_counter()
        *rough, fine = (level.at(points) for level in self._solved(UNWATCHED))
        errors = _errors([*rough, fine], self.dimension)
        errors = np.maximum(errors, ROUNDING * np.max(np.abs(fine), axis=1, initial=0.0))
        errors = np.maximum(errors, self._jumps(points))
        # Not by their errors at these points, of which one may be a singular corner.
        known = map(zero_if_rounding, fine, 2 * self.changes)
        values = dict(zip(self.form.unknowns, known, strict=True))
        return ReferenceValues(
            {name: values[name] for name in self.unknowns},
            dict(zip(self.unknowns, errors.tolist(), strict=False)),
            time.perf_counter() - began,
        )

    def _solved(self, watch: Watch) -> list[MeshLevel]:
        """The last three levels."""
        if self.levels:
            return self.levels
        points = self._probes()
        levels: list[MeshLevel] = []
        values: list[Array] = []
        is_moving = self.form.time_axis is not None
        aim = AGREEMENT if self.dimension == 2 else AGREEMENT_IN_SPACE
        aim = AGREEMENT_IN_TIME if is_moving else aim
        best = np.inf

        def is_large(size: float, order: int) -> bool:
            if self.dimension == 2 or len(levels) < FEW_LEVELS:
                return False
            last = levels[-1].on
            return int(last.mesh.ne) * (last.size / size) ** 3 * order**9 > MOST_WORK

        try:
            for size, order, *n in self._resolutions:
                if is_large(size, order):
                    continue
                if levels and size < levels[-1].on.size and best <= FAIR and not is_moving:
                    break
                watch.report(f"finite elements of order {order}")
                before = levels[-1] if levels else None
                levels.append(self._level(watch, before, size, order, *n))
                values.append(levels[-1].at(points))
                scale = np.max(np.abs(values[-1]), axis=1).clip(min=1e-300)
                change = np.inf
                if len(values) > 1:
                    change = float(np.max(_errors(values[-3:], self.dimension) / scale))
                if change <= aim or (len(values) > 4 and change > best):
                    break
                best = min(best, change)
        except OutOfTimeError:
            if len(levels) < 2:
                raise out_of_time() from None
        scale = np.max(np.abs(values[-1]), axis=1).clip(min=1e-300)
        self.changes = _errors(values[-3:], self.dimension)
        change = float(np.max(self.changes / scale))
        if change > WORST_AGREEMENT:
            raise ReferenceRefusedError(
                f"finite elements of the highest order still change by {change:.1e} of the largest "
                "value"
            )
        for name, missed in levels[-1].misses(points):
            if not missed <= CONFIRMED:
                raise ReferenceRefusedError(
                    f"the solution by finite elements misses '{name}' by {missed:.1e} of its terms"
                )
        self.levels = levels[-3:]
        return self.levels

    @property
    def dimension(self) -> int:
        """Of space."""
        return len(self.form.shape.axes)

    @property
    def _resolutions(self) -> Sequence[tuple[float, int] | tuple[float, int, int]]:
        if self.form.time_axis is not None:
            return LEVELS_IN_TIME
        return LEVELS if self.dimension == 2 else LEVELS_IN_SPACE

    def _jumps(self, points: Array) -> Array:
        """By unknown [n_unknowns], the difference of the values that two pieces of the boundary
        give it in a corner that is among points [n, d], where it has none.
        """
        form, level = self.form, self.levels[-1]
        jumps = np.zeros(len(form.unknowns))
        reach = level.on.smallest
        shape = form.shape
        for piece, following in corners(shape) if isinstance(shape, PlaneShape) else ():
            off = points[:, list(form.shape.axes)] - piece.ends[1]
            there = points[np.linalg.norm(off, axis=1) <= reach].copy()
            there[:, list(form.shape.axes)] = piece.ends[1]
            columns = dict(zip(form.coordinates, there.T, strict=True))
            for k, name in enumerate(form.unknowns):
                given = form.values.get(name, {})
                if len(there) and piece in given and following in given:
                    one, other = (
                        evaluate(given[of], columns, {}, NUMPY) for of in (piece, following)
                    )
                    jumps[k] = max(jumps[k], np.max(np.abs(one - other)))
        return jumps

    def _probes(self) -> Array:
        """Points [n, d] all over the domain."""
        points = self.domain.scattered(N_PROBES, np.random.default_rng(0))
        if (axis := self.form.time_axis) is not None:
            lower, upper = self.domain.lower[axis], self.domain.upper[axis]
            shares = np.array([0.0161, 0.1459, 0.382, 0.618, 1.0])
            points[:, axis] = lower + (upper - lower) * np.resize(shares, len(points))
        return points

    def _level(
        self, watch: Watch, before: MeshLevel | None, size: float, order: int, n_steps: int = 0
    ) -> MeshLevel:
        on = MeshDiscretisation(self.form, size, order)
        axis = self.form.time_axis
        if axis is None:
            guess = None
            if before is not None:
                guess = on.carried(before.on.values(before.coefficients))[None]
            level = MeshLevel(on=on, coefficients=on.step(watch, guess=guess)[-1])
            return replace(level, coefficients=level.levelled(level.coefficients, 0.0))
        lower, upper = self.domain.lower[axis], self.domain.upper[axis]
        first = 4.0 ** -np.arange(N_QUARTERS, 0, -1) / n_steps
        shares = np.r_[0.0, first, np.arange(1, n_steps + 1) / n_steps]
        steps: list[RadauStep] = []
        state = on.start()
        for begin, end in pairwise((lower + (upper - lower) * shares).tolist()):
            nodes = begin + (end - begin) * radau_tableau(N_STAGES, 1).nodes
            stages = on.step(watch, begin, end - begin, steps[-1].at(nodes) if steps else None)
            if not steps:  # what has no derivative in time is not known at the start
                state = np.where(on.moves, state, radau_tableau(N_STAGES, 1).at_start @ stages)
            steps.append(RadauStep(begin, end - begin, np.concatenate([state[None], stages])))
            state = stages[-1]
            on.set_before(state)
        return MeshLevel(on=on, coefficients=state, steps=steps)


def _errors(values: Sequence[Array], dimension: int) -> Array:
    """By unknown [n_unknowns], what further levels would change if they lowered the error as the
    last three did; of two levels the change.
    """
    changes = [np.max(np.abs(a - b), axis=1, initial=0.0) for a, b in pairwise(values)]
    if len(changes) < 2:
        return changes[-1]
    ratio = np.divide(
        changes[-1], changes[-2], out=np.zeros_like(changes[-1]), where=changes[-2] > 0
    )
    ratio = np.clip(ratio, FASTEST[dimension], SLOWEST)
    return SAFETY * changes[-1] * ratio / (1 - ratio)
