"""Equations in time and space → a system in time, by collocation in space.

On each element of a mesh an unknown whose highest derivative in space is of order d is the
polynomial through N + d values. The equations hold at N points of the element. The unknown and its
derivatives below the highest, or the fluxes that hold these, are continuous from one element to the
next, d conditions each, and
the Σ d conditions at the ends of space make up the rest (rectangular collocation: Driscoll & Hale,
IMA J. Numer. Anal. 36, 2016). No row is replaced and no value eliminated, so that conditions of any
kind, nonlinear ones, ones in time derivatives or ones that couple both ends, are algebraic
equations among others. On a circle an unknown is a trigonometric polynomial, and the equations hold
at its nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, evaluate, fields, partial
from laaf_cli.references.evolution.form import EvolutionForm
from laaf_cli.references.evolution.mesh import Mesh
from laaf_cli.references.probes import beside


@dataclass(frozen=True)
class Row:
    """A residual at the points of a site; minus that at another site for values that are to be
    equal there.
    """

    tree: Node
    site: SpaceNodes
    other: SpaceNodes | None = None


@dataclass(frozen=True, eq=False)
class SpaceNodes:
    """Points in space, and the matrices from values of an unknown to its derivatives there."""

    n_points: int
    symbols: Mapping[str, Array | float]
    """The coordinate of space [n_points, 1] and the component of the normal."""
    operators: tuple[tuple[Array, ...], ...]
    """For each unknown the matrices of the orders 0, 1, …, [n_points, n_values] each."""


class Semidiscretisation:
    """An ImplicitSystem for the values of all unknowns at their nodes, one unknown after the
    other.
    """

    def __init__(self, form: EvolutionForm, mesh: Mesh) -> None:
        self.form = form
        self.grids = tuple(mesh.grid(order) for order in form.space_orders)
        sizes = [grid.size for grid in self.grids]
        self.parts: Sequence[slice[int, int, Any]] = [
            slice(*ends) for ends in pairwise(accumulate(sizes, initial=0))
        ]
        self.orders: NDArray[np.intp] = np.repeat(form.time_orders, sizes)
        self.rows = self._rows(mesh)

    def residual(self, times: Array, levels: Array) -> Array:
        """G [n, s] at times [s]: equations inside the elements, conditions at their ends."""
        parts = []
        with np.errstate(all="ignore"):
            for row in self.rows:
                here = self._at_site(row.site, row.tree, times, levels)
                if row.other is not None:
                    here = here - self._at_site(row.other, row.tree, times, levels)
                parts.append(here)
        return np.concatenate(parts)

    def jacobian(self, time: float, levels: Array) -> list[Array]:
        """∂G/∂level, [n, n] each, of a system that is local in time."""
        size = len(self.orders)
        result = [np.zeros((size, size)) for _ in levels]
        row_start = 0
        for row, partials in zip(self.rows, self._partials, strict=True):
            rows = slice(row_start, row_start := row_start + row.site.n_points)
            for field, derivative in partials.items():
                unknown = self.form.unknown(field)
                level = self.form.time_orders[unknown] - self.form.time_order(field)
                for site, sign in ((row.site, 1.0), (row.other, -1.0)):
                    if site is not None:
                        now = np.array([time])
                        factor = self._at_site(site, derivative, now, levels[:, :, None])
                        operator = site.operators[unknown][self.form.space_order(field)]
                        result[level][rows, self.parts[unknown]] += sign * factor * operator
        return result

    @cached_property
    def _partials(self) -> tuple[dict[Field, Node], ...]:
        """∂row/∂field of every row, by field."""
        return tuple(
            {field: partial(row.tree, field) for field in fields(row.tree)} for row in self.rows
        )

    def _at_site(self, site: SpaceNodes, tree: Node, times: Array, levels: Array) -> Array:
        """A tree at the points of a site at some times, [n_points, n_times]."""
        values = {}
        for field in fields(tree):
            unknown = self.form.unknown(field)
            level = self.form.time_orders[unknown] - self.form.time_order(field)
            operator = site.operators[unknown][self.form.space_order(field)]
            values[field] = operator @ levels[level, self.parts[unknown]]
        symbols = {**site.symbols, "t": times[None, :]}
        result = evaluate(tree, symbols, values, NUMPY)
        return np.broadcast_to(result, (site.n_points, len(times)))

    def _rows(self, mesh: Mesh) -> tuple[Row, ...]:
        form = self.form
        inside = self._site(*mesh.inside)
        rows = [Row(tree, inside) for tree in form.equations]
        if mesh.is_circle or form.space_axis is None:
            return tuple(rows)
        pairs = form.continuous if form.is_periodic else form.pairs
        last = len(mesh.breaks) - 2
        at_lower = self._site(np.array(mesh.breaks[:1]), np.array([0]), -1.0)
        at_upper = self._site(np.array(mesh.breaks[-1:]), np.array([last]), 1.0)
        rows += [Row(tree, at_lower) for tree in form.at_lower]
        rows += [Row(tree, at_upper) for tree in form.at_upper]
        rows += [Row(tree, at_upper, at_lower) for tree in pairs]
        if last > 0:
            between, left = np.array(mesh.breaks[1:-1]), np.arange(last)
            # A coefficient that jumps at a break has another value on either side.
            aside = beside(mesh.breaks[0], mesh.breaks[-1])
            below = self._site(between, left, at=between - aside)
            above = self._site(between, left + 1, at=between + aside)
            rows += [Row(tree, below, above) for tree in form.continuous]
        return tuple(rows)

    def _site(
        self,
        points: Array,
        elements: NDArray[np.intp],
        normal: float = 0.0,
        at: Array | None = None,
    ) -> SpaceNodes:
        """Points, each as one of its element.

        Args:
            at: where formulas are evaluated instead.
        """
        form = self.form
        held = [
            field
            for tree in (
                *(*form.equations, *form.continuous),
                *(*form.at_lower, *form.at_upper, *form.pairs),
            )
            for field in fields(tree)
        ]
        highest = max((form.space_order(field) for field in held), default=0)
        known = {grid: grid.operators(points, elements, highest) for grid in set(self.grids)}
        symbols: dict[str, Array | float] = {}
        if form.space_axis is not None:
            space = form.coordinates[form.space_axis]
            symbols = {space: (points if at is None else at)[:, None], f"normal {space}": normal}
        return SpaceNodes(len(points), symbols, tuple(known[grid] for grid in self.grids))
