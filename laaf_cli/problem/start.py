"""What a problem with time begins with, as formulas, and where that breaks or disagrees with the
conditions on faces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    ExpressionError,
    Field,
    Node,
    Number,
    Symbol,
    branch_breaks,
    differentiate,
    evaluate,
    fields,
    functions,
    nodes,
    partial,
    solved_for,
    substitute,
    switches,
    symbols,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.multi_index import Orders, unit
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.problem import Problem, Term
from laaf_cli.problem.time_direction import runs_back

SMALL = 1e-3
"""A smaller disagreement, relative to what disagrees, is ignored."""

NEAR = 1e-9
"""How far from a place its two sides are seen, relative to the length of the domain."""

MOST_BROKEN, MOST_OFF = 2, 3
"""The highest derivative whose jumps are looked for; and in time, whose disagreements are."""

N_POINTS, N_TIMES, MAX_NODES = 30, 300, 2000
"""At which sizes are measured, and over all times; of a formula at most."""


@dataclass(frozen=True)
class Start:
    """What a problem begins with, as formulas in its coordinates."""

    problem: Problem
    time: int

    @property
    def domain(self) -> Domain:
        """That of the problem."""
        return self.problem.domain

    @cached_property
    def is_upper(self) -> bool:
        """Whether time runs back from its end."""
        return runs_back(self.domain, self.problem.terms)

    @property
    def begins(self) -> float:
        """The time of the start."""
        return (self.domain.upper if self.is_upper else self.domain.lower)[self.time]

    @property
    def duration(self) -> float:
        """The length of the whole time."""
        return self.domain.upper[self.time] - self.domain.lower[self.time]

    @cached_property
    def points(self) -> Array:
        """Points all over the start, [n, d]."""
        unit_points = np.random.default_rng(0).random((N_POINTS, self.domain.dimension))
        return self.at(self.domain.from_unit(unit_points), self.time, self.is_upper)

    def at(self, points: Array, axis: int, upper: bool) -> Array:
        """Points [n, d] moved to an end of an axis."""
        ends = self.domain.upper if upper else self.domain.lower
        return self.placed(points, axis, ends[axis])

    @staticmethod
    def placed(points: Array, axis: int, value: float) -> Array:
        """Points [n, d] moved to a value along an axis."""
        moved = points.copy()
        moved[:, axis] = value
        return moved

    @cached_property
    def values(self) -> dict[Field, Node]:
        """The unknowns at the start, those that one condition gives by a formula."""
        return self._given((0,) * self.domain.dimension)

    def _given(self, orders: Orders) -> dict[Field, Node]:
        """What one condition gives at the start by a formula, of unknowns or of these derivatives
        of them.
        """
        given: dict[Field, list[Node | None]] = {}
        for term in self.problem.terms:
            if any(face.upper == self.is_upper for face in term.region.faces_along(self.time)):
                for residual in term.residuals:
                    if len(held := fields(residual)) == 1 and next(iter(held)).orders == orders:
                        (field,) = held
                        given.setdefault(field, []).append(solved_for(residual, field))
        return {
            field: tree
            for field, (tree, *others) in given.items()
            if tree is not None and not others and self._is_formula(tree)
        }

    def _is_formula(self, tree: Node) -> bool:
        return (
            not fields(tree)
            and symbols(tree) <= set(self.domain.coordinates)
            and not functions(tree) - TABLE.keys()
            and sum(1 for _ in nodes(tree)) <= MAX_NODES
        )

    @cached_property
    def rates(self) -> dict[Field, Node]:
        """∂/∂t of the unknowns at the start, given or by the equations."""
        rates = self._given(unit(self.time, self.domain.dimension))
        for field, equation in self.evolving.items():
            rate = self.moved(field, self.time)
            solved = solved_for(equation, rate)
            if solved is not None and (tree := self.begun(solved)) is not None:
                rates[rate] = tree
        return rates

    @cached_property
    def evolving(self) -> dict[Field, Node]:
        """For each unknown with values at the start the equation of its first derivative in time,
        where that is one.
        """
        evolving = {}
        for term in self.problem.terms:
            for residual in term.residuals if term.kind == "equation" else ():
                rates = [field for field in fields(residual) if field.orders[self.time]]
                for field in self.values:
                    if rates == [self.moved(field, self.time)]:
                        evolving[field] = residual
        return evolving

    @cached_property
    def highest(self) -> dict[str, tuple[int, Node]]:
        """By unknown, the order of its highest derivative in time, and that derivative by an
        equation.
        """
        highest = {}
        for term in self.problem.terms:
            for residual in term.residuals if term.kind == "equation" else ():
                order = max((field.orders[self.time] for field in fields(residual)), default=0)
                rates = [field for field in fields(residual) if field.orders[self.time] == order]
                if order and len(rates) == 1 and sum(rates[0].orders) == order:
                    solved = solved_for(residual, rates[0])
                    if solved is not None:
                        highest[rates[0].unknown] = order, solved
        return highest

    def rate(self, unknown: str, order: int) -> Node | None:
        """A derivative in time of an unknown at the start, from the first one on, given or by
        equations that are differentiated; None where it is not known.
        """
        key = unknown, order
        if key not in self._rates:
            self._rates[key] = None  # what it needs itself for is not known
            first = Field(unknown, unit(self.time, self.domain.dimension))
            self._rates[key] = self.rates.get(first) if order == 1 else self._derived(*key)
        return self._rates[key]

    def _derived(self, unknown: str, order: int) -> Node | None:
        if unknown not in self.highest or order < self.highest[unknown][0]:
            return None
        highest, tree = self.highest[unknown]
        names = self.domain.coordinates
        for _ in range(order - highest):
            tree = differentiate(tree, names[self.time], names)
        return self.begun(tree)

    @cached_property
    def _rates(self) -> dict[tuple[str, int], Node | None]:
        return {}

    def moved(self, field: Field, axis: int) -> Field:
        """The derivative of a field along an axis."""
        step = unit(axis, self.domain.dimension)
        return Field(field.unknown, tuple(map(sum, zip(field.orders, step, strict=True))))

    def begun(self, tree: Node, values: Mapping[Field, Node] | None = None) -> Node | None:
        """A tree with what is known at the start, or these values of unknowns, in place of its
        fields; None where something is not known.
        """
        values = self.values if values is None else values
        meanings: dict[Field | Symbol, Node] = {}
        names, zero = self.domain.coordinates, (0,) * self.domain.dimension
        for field in fields(tree):
            n_rates = field.orders[self.time]
            value = values.get(Field(field.unknown, zero))
            if n_rates:
                value = self.rate(field.unknown, n_rates)
            if value is None:
                return None
            for axis, order in enumerate(field.orders):
                for _ in range(0 if axis == self.time else order):
                    value = differentiate(value, names[axis], names)
            meanings[field] = value
        begun = substitute(tree, meanings)
        return begun if self._is_formula(begun) else None

    def evaluated(self, tree: Node, points: Array) -> Array:
        """A formula in the coordinates at points [n, d]: [n]."""
        columns = dict(zip(self.domain.coordinates, points.T, strict=True))
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to(evaluate(tree, columns, {}, NUMPY), len(points)))

    def conditions(self, axis: int, is_upper: bool) -> list[tuple[Term, Node]]:
        """The residuals that hold on a face, with its normal in them, and their terms."""
        normals: dict[Field | Symbol, Node] = {
            Symbol(f"normal {name}"): Number((1.0 if is_upper else -1.0) * (other == axis))
            for other, name in enumerate(self.domain.coordinates)
        }
        return [
            (term, substitute(residual, normals))
            for term in self.problem.terms
            for residual in term.residuals
            if any(face.upper == is_upper for face in term.region.faces_along(axis))
        ]

    def places(self, axis: int) -> Iterator[tuple[float, bool | None, list[tuple[float, ...]]]]:
        """Along an axis, the faces that disagree with the start or break in time, and the breaks of
        the start inside; with whether it is the upper face, None inside, and the times, () for the
        start.
        """
        domain = self.domain
        lower, upper = domain.lower[axis], domain.upper[axis]
        if axis in domain.periodic and self.seam(axis) == 0:
            yield lower, None, [()]
        for is_upper in () if axis in domain.periodic else (False, True):
            conditions = self.conditions(axis, is_upper)
            times: list[tuple[float, ...]] = []
            off = [self.disagrees(*condition, axis, is_upper, most=1) for condition in conditions]
            if any(order is not None for order in off):
                times.append(())
            later = self.breaks((residual for _, residual in conditions), self.time)
            times += [(time,) for time in later]
            if times:
                yield (upper if is_upper else lower), is_upper, times
        for place in self.breaks(self.values.values(), axis):
            yield place, None, [()]

    def broken(self, tree: Node, axis: int) -> dict[float, int]:
        """The places along an axis at which a formula in its coordinate breaks, and the lowest
        order of its derivatives that jump there.
        """
        names, orders = self.domain.coordinates, dict[float, int]()
        places = self.breaks([tree], axis) if self._is_formula(tree) else []
        for order in range(MOST_BROKEN + 1 if places else 0):
            orders |= {
                at: order for at in places if at not in orders if self._jumps(tree, axis, at)
            }
            tree = differentiate(tree, names[axis], names)
        return orders

    def _jumps(self, tree: Node, axis: int, place: float) -> bool:
        """Whether a formula has two values at a place along an axis."""
        step = NEAR * (self.domain.upper[axis] - self.domain.lower[axis])
        points = self.points
        if axis == self.time:
            points = self.domain.from_unit(np.random.default_rng(0).random(points.shape))
        below, above = (
            self.evaluated(tree, self.placed(points, axis, place + by)) for by in (-step, step)
        )
        size = max(np.max(np.abs(self.evaluated(tree, points))), np.max(np.abs([below, above])))
        return bool(np.any(np.abs(above - below) > SMALL * size))

    def seam(self, axis: int) -> int | None:
        """The lowest order of the derivatives of values at the start that jump from the end of a
        periodic axis to its beginning; None where they do not.
        """
        trees, name = list(self.values.values()), self.domain.coordinates[axis]
        lower, upper = self.domain.lower[axis], self.domain.upper[axis]
        ends = (lower + NEAR * (upper - lower), upper - NEAR * (upper - lower))
        for order in range(MOST_BROKEN + 1):
            for tree in trees:
                first, last = (
                    self.evaluated(tree, self.placed(self.points, axis, end)) for end in ends
                )
                size = np.max(np.abs(self.evaluated(tree, self.points)))
                if np.any(np.abs(last - first) > SMALL * size):
                    return order
            trees = [differentiate(tree, name, self.domain.coordinates) for tree in trees]
        return None

    def breaks(self, trees: Iterable[Node], axis: int) -> list[float]:
        """The places inside of the domain at which formulas in one coordinate break."""
        name, lower, upper = (
            self.domain.coordinates[axis],
            self.domain.lower[axis],
            self.domain.upper[axis],
        )
        places = {
            place
            for tree in trees
            for switch in switches(tree)
            if symbols(switch) == {name} and not fields(switch)
            for place in branch_breaks([switch], name, lower, upper)
        }
        return sorted(place for place in places if lower < place < upper)

    def disagrees(
        self, term: Term, residual: Node, axis: int, is_upper: bool, most: int = MOST_OFF
    ) -> int | None:
        """The lowest order of the derivatives in time of a condition that fail at the start of a
        face, None where none up to the highest does.
        """
        names = self.domain.coordinates
        some = self.domain.from_unit(
            np.random.default_rng(0).random((N_TIMES, self.domain.dimension))
        )
        face = self.at(some, axis, is_upper)
        points = self.at(face, self.time, self.is_upper)
        is_held = term.region.holds(points, self.domain)
        if not is_held.any() or any(field.orders[self.time] for field in fields(residual)):
            return None
        with suppress(ExpressionError):  # a formula that is too large, or of too high an order
            for order in range(most + 1):
                if self._is_off(residual, points[is_held], face):
                    return order
                residual = differentiate(residual, names[self.time], names)
        return None

    def _is_off(self, tree: Node, points: Array, face: Array) -> bool:
        """Whether a residual at the start is not 0 at points [n, d] of a face; what it could be is
        measured at all times.
        """
        begun = self.begun(tree)
        if begun is None:
            return False
        nothing: dict[Field | Symbol, Node] = dict.fromkeys(fields(tree), Number(0.0))
        size = np.max(np.abs(self.evaluated(substitute(tree, nothing), face)))
        for field in fields(tree):
            slope, value = self.begun(partial(tree, field)), self.begun(field)
            if slope is None or value is None:
                return False
            typical = np.max(np.abs(self.evaluated(value, self.points)))
            size = size + np.abs(self.evaluated(slope, points)) * typical
        return bool(np.any(np.abs(self.evaluated(begun, points)) > SMALL * size))
