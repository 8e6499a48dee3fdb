"""A problem without time as equations for the coefficients of modes: residuals and their Jacobian.

Every unknown is a sum of products of modes, one along each coordinate. Each residual tree is asked
to vanish at points of its region that form a grid: the nodes of both coordinates for an equation,
one bound and the nodes of the other coordinate for a condition on a face, and so on; pairs of faces
and integrals are weighted sums over such a grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, evaluate, fields, partial
from laaf_cli.multi_index import Orders
from laaf_cli.problem import (
    NORMAL,
    AtPlace,
    Domain,
    Face,
    IntegralOver,
    Interior,
    Observed,
    OnFaces,
    PeriodicPair,
    Problem,
    Region,
    Sampled,
    grid_points,
)
from laaf_cli.reference.stationary.modes import MODES, Modes


@dataclass(frozen=True, kw_only=True)
class Residual:
    """A residual tree and its partial derivatives by the fields in it."""

    term: str
    is_equation: bool
    tree: Node
    partials: Mapping[Field, Node]
    region: Region

    @property
    def name(self) -> str:
        return f"the {'equation' if self.is_equation else 'condition'} '{self.term}'"

    @property
    def is_linear(self) -> bool:
        return not any(fields(tree) for tree in self.partials.values())


def residuals_of(problem: Problem) -> tuple[Residual, ...]:
    """The equations and conditions; what was observed is not part of the statement."""
    return tuple(
        Residual(
            term=term.name,
            is_equation=term.kind == "equation",
            tree=tree,
            partials={
                f: partial(tree, f)
                for f in sorted(fields(tree), key=lambda f: (f.unknown, f.orders))
            },
            region=term.region,
        )
        for term in problem.terms
        if not isinstance(term.region, Observed | Sampled)
        for tree in term.residuals
    )


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A grid of points, and the sums over some of its axes that are asked to vanish.

    axes: the points along each coordinate; weights: of the sum along some of them; symbols: beside
    the coordinates; kept: the rows that are wanted where not all of them are.
    """

    axes: tuple[Array, ...]
    weights: Mapping[int, Array] = field(default_factory=dict)
    symbols: Mapping[str, float] = field(default_factory=dict)
    kept: NDArray[np.intp] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis) for axis in self.axes)

    @property
    def n_rows(self) -> int:
        if self.kept is not None:
            return len(self.kept)
        return math.prod(
            len(points) for axis, points in enumerate(self.axes) if axis not in self.weights
        )

    def summed(self, values: Array) -> Array:
        """Values on the grid [p_1, …, p_d, …] → one for each row [n_rows, …]."""
        for axis in sorted(self.weights, reverse=True):
            values = np.tensordot(self.weights[axis], values, axes=(0, axis))
        free = len(self.axes) - len(self.weights)
        rows = values.reshape(-1, *values.shape[free:])
        return rows if self.kept is None else rows[self.kept]


@dataclass(frozen=True, kw_only=True)
class Discretisation:
    """A problem at one resolution.

    n: the modes along each coordinate; n_nodes: the points along each coordinate; both even.
    The coefficients of all unknowns form one vector [n_coefficients].
    """

    domain: Domain
    unknowns: tuple[str, ...]
    residuals: tuple[Residual, ...]
    n: int
    n_nodes: int

    @cached_property
    def modes(self) -> tuple[Modes, ...]:
        return self._modes(self.n)

    def _modes(self, n: int) -> tuple[Modes, ...]:
        ends = zip(self.domain.lower, self.domain.upper, strict=True)
        return tuple(
            MODES[axis in self.domain.periodic](lower, upper, n)
            for axis, (lower, upper) in enumerate(ends)
        )

    @property
    def is_linear(self) -> bool:
        return all(residual.is_linear for residual in self.residuals)

    @property
    def shape(self) -> tuple[int, ...]:
        """The coefficients of one unknown, by coordinate."""
        return tuple(len(modes.degrees) for modes in self.modes)

    @property
    def n_coefficients(self) -> int:
        return len(self.unknowns) * int(np.prod(self.shape))

    @cached_property
    def roughness(self) -> Array:
        """1 + |k|² for every coefficient, [n_coefficients]."""
        squares = np.add.reduce(
            np.meshgrid(*(modes.degrees**2 for modes in self.modes), indexing="ij")
        )
        return np.tile(1 + squares.ravel(), len(self.unknowns))

    @cached_property
    def rows(self) -> tuple[tuple[Residual, Patch], ...]:
        """Every residual on every patch of its region, in the order of the rows of the residual
        vector.
        """
        return tuple(
            (residual, patch)
            for residual in self.residuals
            for patch in self._patches(residual.region)
        )

    @property
    def ends(self) -> NDArray[np.intp]:
        """The row after the last of each residual on each patch."""
        return np.cumsum([patch.n_rows for _, patch in self.rows])

    def _patches(self, region: Region) -> list[Patch]:
        """The grids of a region; raises TypeError for a kind of region that is no part of a
        statement.
        """
        modes = self._modes(self.n_nodes)
        nodes = [one.nodes for one in modes]
        match region:
            case Interior():
                return [Patch(axes=tuple(nodes))]
            case OnFaces(faces=faces):
                return [self._face(region, face, nodes) for face in faces]
            case AtPlace(values=values):
                return [Patch(axes=_with(nodes, values))]
            case PeriodicPair(axis=axis):
                ends = np.array([self.domain.lower[axis], self.domain.upper[axis]])
                axes = [ends if i == axis else points for i, points in enumerate(nodes)]
                return [Patch(axes=tuple(axes), weights={axis: np.array([-1.0, 1.0])})]
            case IntegralOver(axes=over, fixed=fixed):
                rules = {axis: modes[axis].quadrature for axis in over}
                axes = [
                    rules[i][0] if i in rules else points
                    for i, points in enumerate(_with(nodes, fixed))
                ]
                return [
                    Patch(
                        axes=tuple(axes),
                        weights={axis: weights for axis, (_, weights) in rules.items()},
                    )
                ]
        raise TypeError(f"no residual can stand in {type(region).__name__}")

    def _face(self, region: OnFaces, face: Face, nodes: Sequence[Array]) -> Patch:
        normal = region.normal(face, self.domain)
        symbols = {
            f"{NORMAL}{name}": part
            for name, part in zip(self.domain.coordinates, normal.tolist(), strict=True)
        }
        axes = _with(nodes, {face.axis: face.value})
        kept = (
            None
            if region.only is None
            else np.flatnonzero(region.only.holds(grid_points(axes), self.domain))
        )
        return Patch(axes=axes, weights={}, symbols=symbols, kept=kept)

    def values(
        self, coefficients: Array, unknown: str, orders: tuple[int, ...], axes: tuple[Array, ...]
    ) -> Array:
        """A derivative of an unknown on a grid."""
        index = self.unknowns.index(unknown)
        result = coefficients.reshape(len(self.unknowns), *self.shape)[index]
        for axis, (modes, points, order) in enumerate(zip(self.modes, axes, orders, strict=True)):
            result = np.moveaxis(
                np.tensordot(modes.values(points, order), result, axes=(1, axis)), 0, axis
            )
        return result

    def refined(self, coefficients: Array, finer: Discretisation) -> Array:
        """The same functions with the modes of a finer discretisation."""
        result = np.zeros((len(self.unknowns), *finer.shape))
        result[(slice(None), *(slice(size) for size in self.shape))] = coefficients.reshape(
            -1, *self.shape
        )
        return result.ravel()

    def starts(self) -> Iterator[Array]:
        """Where a search for the solution may begin: 0, the smoothest functions that meet the
        conditions, 1, −1.

        Smoothest: the least Σ (1 + |k|²)² c_k², as far as the conditions, linearised about 0, leave
        it open.
        """
        from scipy.linalg import lstsq

        zero = np.zeros(self.n_coefficients)
        yield zero
        conditions = replace(self, residuals=tuple(r for r in self.residuals if not r.is_equation))
        if conditions.residuals:
            matrix, right = conditions.jacobian(zero) / self.roughness, -conditions.residual(zero)
            if np.all(np.isfinite(matrix)) and np.all(np.isfinite(right)):
                yield lstsq(matrix, right, cond=1e-10, lapack_driver="gelsy")[0] / self.roughness
        for value in (1.0, -1.0):
            constant = np.zeros((len(self.unknowns), self.n_coefficients // len(self.unknowns)))
            constant[:, 0] = value
            yield constant.ravel()

    def residual(self, coefficients: Array) -> Array:
        """The residuals of all rows [n_rows]."""
        parts = []
        for residual, patch in self.rows:
            known = self._known(residual, patch, coefficients)
            parts.append(patch.summed(self._on_patch(residual.tree, patch, known)))
        return np.concatenate(parts)

    def jacobian(self, coefficients: Array) -> Array:
        """∂residual/∂coefficients [n_rows, n_coefficients]."""
        n_modes = int(np.prod(self.shape))
        jacobian = np.zeros(
            (sum(patch.n_rows for _, patch in self.rows), self.n_coefficients), order="F"
        )
        first = 0
        for residual, patch in self.rows:
            known = self._known(residual, patch, coefficients)
            for unknown, tree in residual.partials.items():
                factor = self._on_patch(tree, patch, known)
                block = self._products(unknown.orders, patch)
                block *= factor.reshape(*factor.shape, *(1,) * factor.ndim)
                column = self.unknowns.index(unknown.unknown) * n_modes
                where = slice(first, first + patch.n_rows), slice(column, column + n_modes)
                jacobian[where] += patch.summed(block).reshape(patch.n_rows, n_modes)
            first += patch.n_rows
        return jacobian

    def _known(self, residual: Residual, patch: Patch, coefficients: Array) -> dict[Field, Array]:
        return {
            f: self.values(coefficients, f.unknown, f.orders, patch.axes) for f in residual.partials
        }

    def _products(self, orders: Orders, patch: Patch) -> Array:
        """A derivative of every product of modes on a grid, [p_1, …, p_d, n_1, …, n_d]."""
        dimension = len(self.modes)
        factors = []
        for axis, (modes, points, order) in enumerate(
            zip(self.modes, patch.axes, orders, strict=True)
        ):
            values = modes.values(points, order)
            shape = [1] * (2 * dimension)
            shape[axis], shape[dimension + axis] = values.shape
            factors.append(values.reshape(shape))
        # Multiplied by ones, for a single factor is its own product and must not be shared.
        return reduce(np.multiply, factors, np.ones(1))

    def fault(self, coefficients: Array) -> str:
        """The first term that is not finite, or whose derivatives are not, and where: for a
        person.
        """
        for residual, patch in self.rows:
            known = self._known(residual, patch, coefficients)
            for tree in (residual.tree, *residual.partials.values()):
                bad = np.argwhere(~np.isfinite(self._on_patch(tree, patch, known)))
                if len(bad):
                    named = zip(self.domain.coordinates, patch.axes, bad[0], strict=True)
                    place = ", ".join(f"{name} = {points[i]:.4g}" for name, points, i in named)
                    return f"{residual.name} is not finite at {place}"
        return ""

    def _on_patch(self, tree: Node, patch: Patch, known: Mapping[Field, Array]) -> Array:
        grid = np.meshgrid(*patch.axes, indexing="ij", sparse=True)
        symbols = {**dict(zip(self.domain.coordinates, grid, strict=True)), **patch.symbols}
        with np.errstate(all="ignore"):
            return np.broadcast_to(
                np.asarray(evaluate(tree, symbols, known, NUMPY), np.float64), patch.shape
            )


def _with(nodes: Sequence[Array], fixed: Mapping[int, float]) -> tuple[Array, ...]:
    """The points along each axis, a single one where its value is fixed."""
    return tuple(
        np.array([fixed[axis]]) if axis in fixed else points for axis, points in enumerate(nodes)
    )
