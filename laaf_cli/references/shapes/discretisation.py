"""Curved finite elements of one order for a weak form: a step in time, or all without time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import Field, Node, fields, partial, symbols
from laaf_cli.problem import NORMAL
from laaf_cli.references.evolution.radau_tableau import radau_tableau
from laaf_cli.references.probes import is_linear
from laaf_cli.references.reference import ReferenceRefusedError, Watch
from laaf_cli.references.shapes.coefficients import coefficient
from laaf_cli.references.shapes.mesh import make_mesh, smallest
from laaf_cli.references.shapes.weak_form import WeakForm

N_STAGES = 3
"""Of Radau IIA in time: order 5."""

MAX_STEPS, MAX_HALVINGS = 30, 8
"""Of Newton's method."""

THICKER, MAX_TRIED = 4.0, 20
"""The factor by which terms of second order are made larger, and how often they are changed, for
Newton's method to converge.
"""

SOLVED, SOLVED_IN_TIME, ROUNDED, NOTHING, MUCH_LESS = 1e-11, 1e-9, 1e-6, 1e-9, 0.1
"""The size of a step, as a fraction of the solution, after which no other is needed; that at which
a step with a new matrix that gains little is rounding; that below which an unknown is nothing
beside others; the fraction of the residual to which a step brings it with a matrix that is kept.
"""

SAME_LENGTH = 1e-9
"""Steps whose lengths differ by a smaller fraction have one matrix."""

MORE_ORDER = 4
"""By how much integrals are taken more precisely than polynomials of the elements need."""

NEAREST = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
"""How far, as fractions of the size of the shape, points are moved inwards that the mesh, whose
boundary is one of polynomials, does not hold.
"""


class MeshDiscretisation:
    """The elements of a mesh, and Newton's method on them.

    Args:
        size: the length of elements, as a fraction of the size of the shape.
        order: the degree of polynomials.
    """

    def __init__(self, form: WeakForm, size: float, order: int) -> None:
        import ngsolve as ng

        self.form, self.size, self.order = form, size, order
        self.mesh = make_mesh(form.shape, size * form.shape.size, order)
        self.smallest = smallest(form.shape, size * form.shape.size, order)
        self.n_stages = 1 if form.time_axis is None else N_STAGES
        self.spaces = [
            ng.H1(
                self.mesh,
                order=order - (name in form.pressures),
                dirichlet=_names(form, form.values.get(name, ())),
            )
            for name in form.unknowns
        ]
        self.space = ng.FESpace(self.spaces * self.n_stages)
        self.free, self.coupled = (
            ng.BitArray(self.space.FreeDofs(inner)) for inner in (False, True)
        )
        for stage in range(self.n_stages):
            for name in form.levels:  # one value of what is free by a constant stays
                at = self._part(stage, name).start + self._middle(name)
                self.free.Clear(at)
                self.coupled.Clear(at)
        self.times = [ng.Parameter(0.0) for _ in range(self.n_stages)]
        self.rate = ng.Parameter(1.0)  # 1 / the length of a step
        self.thickness = ng.Parameter(1.0)  # before what is of second order
        self.before = [ng.GridFunction(space) for space in self.spaces]
        self.solution = ng.GridFunction(self.space)
        self._inverse: Any = None
        self._inverse_of = 0.0

    @property
    def n_unknowns(self) -> int:
        """The number of coefficients."""
        return int(self.space.ndof)

    def _part(self, stage: int, name: str) -> slice:
        """Where the coefficients of an unknown at a stage are among all."""
        m = len(self.form.unknowns)
        part = self.space.Range(stage * m + self.form.unknowns.index(name))
        return slice(part.start, part.stop)

    def _middle(self, name: str) -> int:
        """Which coefficient of an unknown is that of the vertex among the largest elements."""
        import ngsolve as ng

        space = self.spaces[self.form.unknowns.index(name)]
        shares = ng.LinearForm(space.TestFunction() * ng.dx).Assemble().vec.FV().NumPy()
        return int(np.argmax(shares[: self.mesh.nv]))

    @cached_property
    def matrix(self) -> Any:
        """The form, all stages together."""
        import ngsolve as ng

        (trials, tests), m = self.space.TnT(), len(self.form.unknowns)
        form = ng.BilinearForm(self.space, condense=True)
        inside = ng.dx(bonus_intorder=MORE_ORDER)
        for stage in range(self.n_stages):
            tests_here = dict(
                zip(self.form.unknowns, tests[stage * m : (stage + 1) * m], strict=True)
            )
            at = _Fields(self, list(trials), stage)
            on_edge = _Fields(self, list(trials), stage, is_edge=True)
            for equation in self.form.equations:
                v = tests_here[equation.test]
                whole = at.of(equation.rest) * v
                for i, axis in enumerate(self.form.shape.axes):
                    if axis in equation.fluxes:
                        whole = whole - at.of(equation.fluxes[axis], is_flux=True) * ng.grad(v)[i]
                form += whole.Compile() * inside
                for tree, pieces in _grouped(equation.ends):
                    edge = ng.ds(_names(self.form, pieces), bonus_intorder=MORE_ORDER)
                    form += on_edge.of(tree, is_flux=True) * v.Trace() * edge
        return form

    @cached_property
    def is_linear(self) -> bool:
        """Whether one step of Newton's method solves it."""
        return all(map(is_linear, self._trees))

    @cached_property
    def is_steady(self) -> bool:
        """Whether, where it is linear, its matrix is the same at all times."""
        time = self.form.time_axis
        if time is None or not self.is_linear:
            return False
        name = self.form.coordinates[time]
        return not any(
            name in symbols(partial(tree, f)) for tree in self._trees for f in fields(tree)
        )

    @cached_property
    def is_thinned(self) -> bool:
        """Whether a factor multiplies what is of second order."""
        return self.form.time_axis is None and not self.is_linear

    @property
    def _trees(self) -> list[Node]:
        return [
            tree
            for equation in self.form.equations
            for tree in (equation.rest, *equation.fluxes.values(), *equation.ends.values())
        ]

    def start(self) -> Array:
        """The coefficients [n] of all unknowns at the start."""
        at = _Fields(self, [], 0)
        for name, function in zip(self.form.unknowns, self.before, strict=True):
            function.Set(_function(at.of(self.form.start[name])), bonus_intorder=MORE_ORDER)
        return np.concatenate([function.vec.FV().NumPy() for function in self.before])

    def set_before(self, coefficients: Array) -> None:
        """Takes coefficients [n] of all unknowns for what a step begins with."""
        place = 0
        for function, space in zip(self.before, self.spaces, strict=True):
            function.vec.FV().NumPy()[:] = coefficients[place : place + space.ndof]
            place += space.ndof

    def carried(self, functions: Sequence[Any]) -> Array:
        """The coefficients [n] that are nearest to unknowns on another mesh."""
        import ngsolve as ng

        carried = [ng.GridFunction(space) for space in self.spaces]
        for function, other in zip(carried, functions, strict=True):
            function.Set(other)
        return np.concatenate([function.vec.FV().NumPy() for function in carried])

    def step(
        self, watch: Watch, start: float = 0.0, length: float = 1.0, guess: Array | None = None
    ) -> Array:
        """What a step in time, or the problem without time, comes to: [stages, n].

        Args:
            guess: what it may come to, [stages, n]; where None the values before a step in time,
                and 0 without time.
        """
        nodes = radau_tableau(N_STAGES, 1).nodes
        for parameter, node in zip(self.times, nodes, strict=False):
            parameter.Set(start + node * length)
        self.rate.Set(1 / length)
        m = len(self.form.unknowns)
        for stage in range(self.n_stages):
            at = _Fields(self, [], stage)
            for k, name in enumerate(self.form.unknowns):
                part = self.solution.components[stage * m + k]
                values = {
                    f"piece {i}": _function(at.of(self.form.values[name][piece]))
                    for i, piece in enumerate(self.form.shape.pieces)
                    if piece in self.form.values.get(name, {})
                }
                if values:
                    on = self.mesh.Boundaries("|".join(values))
                    part.Set(self.mesh.BoundaryCF(values), definedon=on, bonus_intorder=MORE_ORDER)
        if guess is None:
            before = np.concatenate([part.vec.FV().NumPy() for part in self.before])
            guess = np.tile(before, (self.n_stages, 1))
        free = _mask(self.free)
        self.solution.vec.FV().NumPy()[free] = guess.ravel()[free]
        with np.errstate(all="ignore"):
            if self.form.time_axis is None:
                self._thinning(watch)
            else:
                self._newton(watch, length)
        found = self.solution.vec.FV().NumPy().copy()
        if not np.isfinite(found).all():
            raise ReferenceRefusedError("the finite elements come to values that are not finite")
        return np.reshape(found, (self.n_stages, -1))

    def _thinning(self, watch: Watch) -> None:
        """Newton's method, with the terms of second order made larger where it does not converge
        otherwise, and from there on smaller and smaller.
        """
        known = self.solution.vec.CreateVector()
        known.data = self.solution.vec
        thickness, factor = 1.0, THICKER
        reached = np.inf
        for _ in range(MAX_TRIED):
            self.thickness.Set(thickness)
            self._inverse = None
            try:
                self._newton(watch, 1.0)
            except ReferenceRefusedError:
                if self.is_linear:
                    raise
                self.solution.vec.data = known
                if np.isinf(reached):
                    thickness *= THICKER
                else:
                    factor = np.sqrt(factor)
                    thickness = reached / factor
            else:
                if thickness == 1.0:
                    return
                known.data, reached = self.solution.vec, thickness
                thickness = max(1.0, thickness / factor)
        raise _not_converged()

    def _newton(self, watch: Watch, length: float) -> None:
        form, u = self.matrix, self.solution.vec
        residual, step, trial = u.CreateVector(), u.CreateVector(), u.CreateVector()
        free = _mask(self.free)
        form.Apply(u, residual)
        size = _norm(residual, free)
        is_other = abs(self._inverse_of - length) > SAME_LENGTH * length
        is_slow = self._inverse is None or is_other
        for _ in range(MAX_STEPS):
            watch.check()
            is_exact = is_slow or self.is_steady
            if is_slow:
                form.AssembleLinearization(u)
                self._inverse = form.mat.Inverse(self.coupled, inverse="umfpack")
                self._inverse_of = length
            residual.data += form.harmonic_extension_trans * residual
            step.data = self._inverse * residual
            step.data += form.harmonic_extension * step
            step.data += form.inner_solve * residual
            factor = 1.0
            for _ in range(MAX_HALVINGS):
                trial.data = u - factor * step
                form.Apply(trial, residual)
                new = _norm(residual, free)
                if self.is_linear or new < size or not is_slow:
                    break
                factor /= 2
            if new < size or is_slow:
                u.data = trial
            else:
                form.Apply(u, residual)
            share = self._share(step, u)
            is_rounding = is_slow and share <= ROUNDED and new > MUCH_LESS * size
            is_solved = share <= (SOLVED if self.form.time_axis is None else SOLVED_IN_TIME)
            if (self.is_linear and is_exact) or is_solved or is_rounding:
                return
            is_slow, size = new > MUCH_LESS * size, new if is_slow else min(size, new)
        raise _not_converged()

    def _share(self, step: Any, solution: Any) -> float:
        """The size of a step as a fraction of that of the solution, of the unknown where it is
        largest; one that is nothing but rounding beside the others counts with them.
        """
        sizes, steps = (
            np.array(
                [
                    np.linalg.norm(
                        [values[self._part(stage, name)] for stage in range(self.n_stages)]
                    )
                    for name in self.form.unknowns
                ]
            )
            for values in (solution.FV().NumPy(), step.FV().NumPy())
        )
        least = max(NOTHING * sizes.max(), 1e-300)
        return float(np.max(steps / np.maximum(sizes, least)))

    def values(self, coefficients: Array) -> list[Any]:
        """The unknowns of coefficients [n], as functions."""
        import ngsolve as ng

        made, place = [], 0
        for space in self.spaces:
            function = ng.GridFunction(space)
            function.vec.FV().NumPy()[:] = coefficients[place : place + space.ndof]
            made.append(function)
            place += space.ndof
        return made

    @cached_property
    def moves(self) -> NDArray[np.bool_]:
        """Which coefficients [n] belong to unknowns whose derivatives in time occur."""
        time = self.form.time_axis or 0
        moving = {
            f.unknown for e in self.form.equations for f in fields(e.residual) if f.orders[time]
        }
        return np.concatenate(
            [
                np.full(space.ndof, name in moving)
                for name, space in zip(self.form.unknowns, self.spaces, strict=True)
            ]
        )

    def one(self, name: str) -> Array:
        """The coefficients [n] of an unknown that is 1 while all others are 0."""
        import ngsolve as ng

        k = self.form.unknowns.index(name)
        functions = [ng.GridFunction(space) for space in self.spaces]
        functions[k].Set(ng.CF(1))
        return np.concatenate([function.vec.FV().NumPy() for function in functions])

    @cached_property
    def _middles(self) -> Array:
        """Those of the elements, [n, d]."""
        vertices = np.array([vertex.point for vertex in self.mesh.vertices])
        return np.array(
            [vertices[[v.nr for v in element.vertices]].mean(0) for element in self.mesh.Elements()]
        )

    def places(self, points: Array) -> Any:
        """The places in the mesh of points [n, d] of the shape."""
        places = self.mesh(*np.ascontiguousarray(points.T))
        for distance in NEAREST:
            lost = np.flatnonzero(places["nr"] < 0)
            if not len(lost):
                break
            off = self._middles[None, :, :] - points[lost, None, :]
            lengths = np.linalg.norm(off, axis=2)
            nearest = np.argmin(lengths, axis=1)
            inward = (
                off[np.arange(len(lost)), nearest] / lengths[np.arange(len(lost)), nearest, None]
            )
            moved = points[lost] + distance * self.form.shape.size * inward
            places[lost] = self.mesh(*np.ascontiguousarray(moved.T))
        if (places["nr"] < 0).any():
            raise ReferenceRefusedError("points of the shape are not in the mesh of the elements")
        return places


class _Fields:
    """What names mean at a stage: trial functions, or functions that are known.

    Args:
        trials: of all stages; empty where unknowns have no meaning.
        is_edge: whether on the boundary.
    """

    def __init__(
        self, on: MeshDiscretisation, trials: Sequence[Any], stage: int, *, is_edge: bool = False
    ) -> None:
        import ngsolve as ng

        self.on, self.trials, self.stage, self.is_edge = on, trials, stage, is_edge
        form = on.form
        self.symbols: dict[str, Any] = {}
        normal = ng.specialcf.normal(len(form.shape.axes))
        for i, axis in enumerate(form.shape.axes):
            self.symbols[form.coordinates[axis]] = (ng.x, ng.y, ng.z)[i]
            self.symbols[f"{NORMAL}{form.coordinates[axis]}"] = normal[i]
        if form.time_axis is not None:
            self.symbols[form.coordinates[form.time_axis]] = on.times[stage]

    def of(self, tree: Node, *, is_flux: bool = False) -> Any:
        """The coefficient function of a tree."""
        known = {f: self._field(f) for f in fields(tree)}
        if is_flux and self.on.is_thinned:
            known = {
                f: self.on.thickness * value if any(f.orders) else value
                for f, value in known.items()
            }
        return coefficient(tree, self.symbols, known)

    def _field(self, f: Field) -> Any:
        form, m = self.on.form, len(self.on.form.unknowns)
        k, time = form.unknowns.index(f.unknown), form.time_axis
        along = [i for i, axis in enumerate(form.shape.axes) for _ in range(f.orders[axis])]

        def part(function: Any) -> Any:
            import ngsolve as ng

            if not along:
                return function.Trace() if self.is_edge and hasattr(function, "Trace") else function
            slope = ng.grad(function)
            return slope.Trace()[along[0]] if self.is_edge else slope[along[0]]

        if time is None or not f.orders[time]:
            return part(self.trials[self.stage * m + k])
        weights = np.linalg.inv(radau_tableau(N_STAGES, 1).powers[1])[self.stage]
        total = -float(weights.sum()) * part(self.on.before[k])
        for j, weight in enumerate(weights.tolist()):
            total = total + weight * part(self.trials[j * m + k])
        return self.on.rate * total


def _function(value: Any) -> Any:
    import ngsolve as ng

    return ng.CF(value) if isinstance(value, float) else value


def _names(form: WeakForm, pieces: Any) -> str:
    """The boundaries of pieces, as NGSolve names them; a name that no boundary has for none."""
    names = [f"piece {i}" for i, piece in enumerate(form.shape.pieces) if piece in pieces]
    return "|".join(names) or "none"


def _grouped(ends: Mapping[Any, Node]) -> list[tuple[Node, list[Any]]]:
    """The trees, each with the pieces that it is integrated over."""
    grouped: list[tuple[Node, list[Any]]] = []
    for piece, tree in ends.items():
        same = next((pieces for other, pieces in grouped if other == tree), None)
        if same is None:
            grouped.append((tree, [piece]))
        else:
            same.append(piece)
    return grouped


def _norm(vector: Any, free: NDArray[np.bool_]) -> float:
    return float(np.linalg.norm(vector.FV().NumPy()[free]))


def _mask(free: Any) -> NDArray[np.bool_]:
    return np.array(list(free), dtype=bool)


def _not_converged() -> ReferenceRefusedError:
    return ReferenceRefusedError("Newton's method does not converge on the finite elements")
