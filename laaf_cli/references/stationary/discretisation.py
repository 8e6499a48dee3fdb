"""A problem without time as equations for the coefficients of modes: residuals and their Jacobian.

Every unknown is a sum of products of modes, one along each coordinate. Each residual tree is asked
to vanish at points of its region that form a grid: the nodes of both coordinates for an equation,
one bound and the nodes of the other coordinate for a condition on a face, and so on; pairs of faces
and integrals are weighted sums over such a grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, evaluate, fields, partial
from laaf_cli.multi_index import Orders
from laaf_cli.problem import Domain, Problem, Region
from laaf_cli.problem.patches import Patch
from laaf_cli.references.stationary.modes import MODES, Modes


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
        if not term.region.is_observed
        for tree in term.residuals
    )


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
        axes = self._modes(self.n_nodes)
        return tuple(
            (residual, patch)
            for residual in self.residuals
            for patch in residual.region.patches(self.domain, axes)
        )

    @property
    def ends(self) -> NDArray[np.intp]:
        """The row after the last of each residual on each patch."""
        return np.cumsum([patch.n_rows for _, patch in self.rows])

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
        coarse = (slice(None), *(slice(size) for size in self.shape))
        result[coarse] = coefficients.reshape(-1, *self.shape)
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
