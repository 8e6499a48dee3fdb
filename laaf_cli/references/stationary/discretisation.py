"""A problem without time as equations for the coefficients of modes: residuals and their Jacobian.

Every unknown is a sum of products of modes, one along each coordinate. Each residual tree is asked
to vanish at points of its region that form a grid: the nodes of both coordinates for an equation,
one bound and the nodes of the other coordinate for a condition on a face, and so on; pairs of faces
and integrals are weighted sums over such a grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, Number, evaluate, fields, partial
from laaf_cli.multi_index import Orders
from laaf_cli.problem import Domain, Problem
from laaf_cli.problem.patches import Axis, Patch, on_axes
from laaf_cli.references.probes import crossings, is_linear, peaks, probes
from laaf_cli.references.stationary.modes import FourierModes, Modes, make_modes


class CollocationSite(Protocol):
    """Where a residual vanishes."""

    def patches(self, domain: Domain, axes: Sequence[Axis]) -> list[Patch]:
        """The grids on which it does."""


@dataclass(frozen=True)
class Probes:
    """A coordinate at whose nodes residuals are looked at, and not solved for."""

    nodes: Array
    quadrature: tuple[Array, Array]


@dataclass(frozen=True)
class Interfaces:
    """Breaks of an axis, at which values from both sides are equal."""

    axis: int
    breaks: tuple[float, ...]
    is_periodic: bool
    """Whether both ends of the axis are an interface too."""

    def patches(self, domain: Domain, axes: Sequence[Axis]) -> list[Patch]:
        """One grid for each interface, on which the value above it less that below is taken."""
        sides = [(np.nextafter(place, -np.inf), place) for place in self.breaks]
        if self.is_periodic:
            sides.append((domain.upper[self.axis], domain.lower[self.axis]))
        others = on_axes(axes, {self.axis: 0.0})
        return [
            Patch(
                axes=(*others[: self.axis], np.array(both), *others[self.axis + 1 :]),
                weights={self.axis: np.array([-1.0, 1.0])},
            )
            for both in sides
        ]


@dataclass(frozen=True, kw_only=True)
class Residual:
    """A residual tree and its partial derivatives by the fields in it."""

    name: str
    """Its name, in words."""
    is_equation: bool
    tree: Node
    partials: Mapping[Field, Node]
    region: CollocationSite

    @cached_property
    def is_linear(self) -> bool:
        """Whether one linear system gives the unknowns."""
        return is_linear(self.tree)


def residuals_of(problem: Problem) -> tuple[Residual, ...]:
    """The equations and conditions; what was observed is not part of the statement."""
    return tuple(
        Residual(
            name=f"the {term.kind} '{term.name}'",
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


def continuity(
    residuals: Sequence[Residual], domain: Domain, breaks: Sequence[tuple[float, ...]]
) -> tuple[Residual, ...]:
    """What holds at the breaks of each axis: an unknown, and its derivatives along the axis below
    the highest that an equation holds, have no jump.
    """
    held = sorted(
        {f for r in residuals if r.is_equation for f in fields(r.tree)},
        key=lambda f: (f.unknown, f.orders),
    )
    result = []
    for axis, places in enumerate(breaks):
        for unknown in dict.fromkeys(f.unknown for f in held) if places else ():
            for order in range(max(f.orders[axis] for f in held if f.unknown == unknown)):
                field = Field(unknown, tuple(order if i == axis else 0 for i in range(len(breaks))))
                result.append(
                    Residual(
                        name=f"the continuity of '{unknown}' along '{domain.coordinates[axis]}'",
                        is_equation=False,
                        tree=field,
                        partials={field: Number(1.0)},
                        region=Interfaces(axis, places, axis in domain.periodic),
                    )
                )
    return tuple(result)


N_LINES = 3
"""Lines along each coordinate on which places are looked for where nonlinear formulas turn."""
MOST_PROBES = {1: 100_000, 2: 700}

JITTER = 4 * float(np.finfo(float).eps)


@dataclass(frozen=True, kw_only=True)
class Discretisation:
    """A problem at one resolution.

    The coefficients of all unknowns form one vector [n_coefficients].
    """

    domain: Domain
    unknowns: tuple[str, ...]
    residuals: tuple[Residual, ...]
    breaks: tuple[tuple[float, ...], ...]
    """By axis, the ends of its elements inside the domain."""
    probes: tuple[Array, ...]
    """By axis, points that are not nodes."""
    n: int
    """The modes along each element, even."""
    jitter: float = 0.0
    """By what share coordinates in formulas are moved at random."""
    thinned: int | None = None
    """The axis on whose elements half the modes are enough."""

    @cached_property
    def modes(self) -> tuple[Modes, ...]:
        """The modes along each coordinate."""
        ends = zip(self.domain.lower, self.domain.upper, strict=True)
        return tuple(
            make_modes(
                *both,
                4 + 2 * (self.n // 4) if axis == self.thinned else self.n,
                breaks=self.breaks[axis],
                is_periodic=axis in self.domain.periodic,
            )
            for axis, both in enumerate(ends)
        )

    @property
    def is_linear(self) -> bool:
        """Whether every residual is, so that one step solves it."""
        return all(residual.is_linear for residual in self.residuals)

    @property
    def shape(self) -> tuple[int, ...]:
        """The coefficients of one unknown, by coordinate."""
        return tuple(len(modes.degrees) for modes in self.modes)

    @property
    def n_coefficients(self) -> int:
        """The coefficients of all unknowns together, the columns of the Jacobian."""
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
        return self._rows(self.modes)

    def _rows(self, axes: Sequence[Axis]) -> tuple[tuple[Residual, Patch], ...]:
        return tuple(
            (residual, patch)
            for residual in self.residuals
            for patch in residual.region.patches(self.domain, axes)
        )

    def unseen(self, coefficients: Array) -> list[Array]:
        """The residuals at the probes, for each residual on each patch."""
        axes = [
            Probes(points, modes.quadrature)
            for points, modes in zip(self.probes, self.modes, strict=True)
        ]
        return self._residuals(coefficients, self._rows(axes))

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

    def on_grid(self, tree: Node, coefficients: Array, axes: tuple[Array, ...]) -> Array:
        """The values of a tree on a grid."""
        known = {f: self.values(coefficients, f.unknown, f.orders, axes) for f in fields(tree)}
        return self._on_patch(tree, Patch(axes=axes), known)

    def refined(self, coefficients: Array, finer: Discretisation) -> Array:
        """The same functions with the modes of a finer discretisation."""
        result = np.zeros((len(self.unknowns), *finer.shape))
        places = [mine.places_in(its) for mine, its in zip(self.modes, finer.modes, strict=True)]
        result[np.ix_(np.arange(len(self.unknowns)), *places)] = coefficients.reshape(
            -1, *self.shape
        )
        return result.ravel()

    def interpolated(self, coefficients: Array, other: Discretisation) -> Array:
        """The coefficients of a discretisation with other elements, by values at its nodes."""
        result = []
        zero = (0,) * len(self.modes)
        nodes = tuple(modes.nodes for modes in other.modes)
        for unknown in self.unknowns:
            values = self.values(coefficients, unknown, zero, nodes)
            for axis, modes in enumerate(other.modes):
                inverse = np.linalg.inv(modes.values(modes.nodes, 0))
                values = np.moveaxis(np.tensordot(inverse, values, axes=(1, axis)), 0, axis)
            result.append(values.ravel())
        return np.concatenate(result)

    def spread(
        self, coefficients: Array, n: int, of: Discretisation | None = None
    ) -> tuple[Array, ...]:
        """Every unknown on a grid all over the domain, that of another discretisation where it is
        given.
        """
        axes = tuple(modes.spread(n) for modes in (of or self).modes)
        zero = (0,) * len(axes)
        return tuple(self.values(coefficients, name, zero, axes) for name in self.unknowns)

    def probed(self, coefficients: Array) -> Discretisation:
        """The same with probes only near where parts of nonlinear equations change their sign, on
        axes along which they do.
        """
        trees = [r.tree for r in self.residuals if r.is_equation and not r.is_linear]
        if not trees:
            return self
        held = {f for tree in trees for f in fields(tree)}
        near: list[list[Array]] = [[] for _ in self.probes]
        for axis, along in enumerate(self.probes):
            spread = tuple(modes.spread(N_LINES + 2)[1:-1] for modes in self.modes)
            axes = tuple(along if i == axis else points for i, points in enumerate(spread))
            grid = [_lines(x, axis) for x in np.meshgrid(*axes, indexing="ij")]
            values = {
                f: _lines(self.values(coefficients, f.unknown, f.orders, axes), axis) for f in held
            }
            for i in range(len(grid[axis])):
                columns = {
                    name: x[i] for name, x in zip(self.domain.coordinates, grid, strict=True)
                }
                known = {f: lines[i] for f, lines in values.items()}
                places = crossings(trees, columns, known, along)
                ends = self.domain.lower[axis], self.domain.upper[axis]
                if len(places):
                    near[axis].append(probes(places, *ends, 2))
        most = MOST_PROBES[len(near)]
        found = [
            np.unique(np.concatenate(some)) if some else along
            for some, along in zip(near, self.probes, strict=True)
        ]
        return replace(self, probes=tuple(p[:: 1 + len(p) // most] for p in found))

    def at_peaks(self) -> Iterator[Discretisation]:
        """The same with probes near one of the peaks of formulas in both coordinates."""
        ends = zip(self.domain.lower, self.domain.upper, strict=True)
        ranges = dict(zip(self.domain.coordinates, ends, strict=True))
        for peak in peaks((r.tree for r in self.residuals if r.is_equation), ranges):
            near = zip(peak, ranges.values(), strict=True)
            yield replace(self, probes=tuple(probes([at], *both, 2) for at, both in near))

    def shifted(self) -> Discretisation:
        """The same problem with every element cut in two unequal ones along the first coordinate
        that is not a circle, on which half the modes do as well; with more modes elsewhere.

        Formulas are off by some units of rounding, so that what they lose is seen.
        """
        golden = (np.sqrt(5) - 1) / 2
        breaks = list(self.breaks)
        plain = [i for i, modes in enumerate(self.modes) if not isinstance(modes, FourierModes)]
        for axis in plain[:1]:
            modes = self.modes[axis]
            ends = np.array([modes.lower, *breaks[axis], modes.upper])
            cuts = ends[:-1] + golden * np.diff(ends)
            breaks[axis] = tuple(sorted([*breaks[axis], *map(float, cuts)]))
        stated = [r for r in self.residuals if not isinstance(r.region, Interfaces)]
        return replace(
            self,
            residuals=(*stated, *continuity(stated, self.domain, breaks)),
            breaks=tuple(breaks),
            jitter=JITTER,
            n=self.n + 2,
            thinned=plain[0] if plain else None,
        )

    def starts(self) -> Iterator[Array]:
        """Where a search for the solution may begin: 0, the smoothest functions that meet the
        conditions, 1, −1.

        Smoothest: the minimum of Σ (1 + |k|²)² c_k², as far as the conditions, linearised about 0,
        leave it open.
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
            yield np.where(self.roughness == 1, value, 0.0)

    def residual(self, coefficients: Array) -> Array:
        """The residuals of all rows [n_rows]."""
        return np.concatenate(self._residuals(coefficients, self.rows))

    def _residuals(
        self, coefficients: Array, rows: Sequence[tuple[Residual, Patch]]
    ) -> list[Array]:
        parts = []
        for residual, patch in rows:
            known = self._known(residual, patch, coefficients)
            parts.append(patch.summed(self._on_patch(residual.tree, patch, known)))
        return parts

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
        axes = patch.axes
        if self.jitter:
            random = np.random.default_rng(0)
            axes = tuple(x * (1 + self.jitter * random.uniform(-1, 1, len(x))) for x in axes)
        grid = np.meshgrid(*axes, indexing="ij", sparse=True)
        symbols = {**dict(zip(self.domain.coordinates, grid, strict=True)), **patch.symbols}
        with np.errstate(all="ignore"):
            return np.broadcast_to(
                np.asarray(evaluate(tree, symbols, known, NUMPY), np.float64), patch.shape
            )


def _lines(values: Array, axis: int) -> Array:
    """Values on a grid, as lines along an axis [n_lines, n]."""
    moved = np.moveaxis(values, axis, -1)
    return moved.reshape(-1, moved.shape[-1])
