"""Where a solution depends on a similarity variable: at the start, where what it begins with jumps
or bends, or disagrees with the conditions on a face, and diffusion smooths that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from laaf_cli.multi_index import unit
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.problem import Problem, Term
from laaf_cli.problem.time_direction import runs_back

MOST = 6
"""Of all variables; more inputs would cost more than they bring."""

SMALL = 1e-3
"""A smaller disagreement, relative to what disagrees, is ignored."""

ALIKE = 4.0
"""The ratio of diffusivities up to which one variable does for both."""

N_POINTS, MAX_NODES = 30, 2000
"""At which sizes are measured; of a formula at most."""


def similarity_variables(problem: Problem) -> dict[str, list[tuple[float, ...]]]:
    """By coordinate, the places of disagreements, jumps and bends at the start, with the
    diffusivity, negative where time runs back, and the velocity there; with the time as well where
    conditions on a face break later.

    They are found where the start is given by formulas, and the equations by a first derivative in
    time and at most a second along the coordinate.
    """
    domain = problem.domain
    if domain.time_axis is None or problem.fluxes:
        return {}
    start, found = _Start(problem, domain.time_axis), dict[str, list[tuple[float, ...]]]()
    try:
        for axis, name in enumerate(domain.coordinates):
            if axis != domain.time_axis:
                found[name] = list(start.along(axis))
    except ExpressionError:
        return {}  # formulas that are too large
    found = {name: variables for name, variables in found.items() if variables}
    return found if sum(map(len, found.values())) <= MOST else {}


@dataclass(frozen=True)
class _Start:
    """What a problem begins with, as formulas in its coordinates."""

    problem: Problem
    time: int

    @property
    def domain(self) -> Domain:
        return self.problem.domain

    @cached_property
    def is_upper(self) -> bool:
        """Whether time runs back from its end."""
        return runs_back(self.domain, self.problem.terms)

    @cached_property
    def points(self) -> Array:
        """Points all over the start, [n, d]."""
        unit_points = np.random.default_rng(0).random((N_POINTS, self.domain.dimension))
        return self._at(self.domain.from_unit(unit_points), self.time, self.is_upper)

    def _at(self, points: Array, axis: int, upper: bool) -> Array:
        ends = self.domain.upper if upper else self.domain.lower
        return self._with(points, axis, ends[axis])

    @staticmethod
    def _with(points: Array, axis: int, value: float) -> Array:
        moved = points.copy()
        moved[:, axis] = value
        return moved

    @cached_property
    def values(self) -> dict[Field, Node]:
        """The unknowns at the start, those that one condition gives by a formula."""
        values: dict[str, list[Node | None]] = {}
        for term in self.problem.terms:
            if any(face.upper == self.is_upper for face in term.region.faces_along(self.time)):
                for residual in term.residuals:
                    if len(held := fields(residual)) == 1 and not any(next(iter(held)).orders):
                        (field,) = held
                        values.setdefault(field.unknown, []).append(solved_for(residual, field))
        return {
            Field(name, (0,) * self.domain.dimension): tree
            for name, (tree, *others) in values.items()
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
        """∂/∂t of the unknowns at the start."""
        rates: dict[Field, Node] = {}
        for field, equation in self.evolving.items():
            rate = self._moved(field, self.time)
            solved = solved_for(equation, rate)
            if solved is not None and (tree := self._begun(solved)) is not None:
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
                    if rates == [self._moved(field, self.time)]:
                        evolving[field] = residual
        return evolving

    def _moved(self, field: Field, axis: int) -> Field:
        """The derivative of a field along an axis."""
        step = unit(axis, self.domain.dimension)
        return Field(field.unknown, tuple(map(sum, zip(field.orders, step, strict=True))))

    def _begun(self, tree: Node, values: Mapping[Field, Node] | None = None) -> Node | None:
        """A tree with what is known at the start, or these values of unknowns, in place of its
        fields; None where something is not known.
        """
        values = self.values if values is None else values
        meanings: dict[Field | Symbol, Node] = {}
        names, zero = self.domain.coordinates, (0,) * self.domain.dimension
        for field in fields(tree):
            n_rates = field.orders[self.time]
            known = Field(field.unknown, zero)
            if n_rates:
                known = self._moved(known, self.time)
            value = (self.rates if n_rates else values).get(known) if n_rates < 2 else None
            if value is None:
                return None
            for axis, order in enumerate(field.orders):
                for _ in range(0 if axis == self.time else order):
                    value = differentiate(value, names[axis], names)
            meanings[field] = value
        begun = substitute(tree, meanings)
        return begun if self._is_formula(begun) else None

    def _evaluated(self, tree: Node, points: Array) -> Array:
        columns = dict(zip(self.domain.coordinates, points.T, strict=True))
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to(evaluate(tree, columns, {}, NUMPY), len(points)))

    def along(self, axis: int) -> Iterator[tuple[float, ...]]:
        """The place, the diffusivity, the velocity and, where it is not the start, the time of each
        variable along an axis.
        """
        for place, is_upper, times in self.places(axis):
            last = 0.0
            for diffusivity, velocity in sorted(
                self.spreads(axis, place, is_upper), key=lambda pair: abs(pair[0])
            ):
                if abs(diffusivity) > ALIKE * last:
                    for time in times:
                        yield place, diffusivity, velocity, *time
                    last = abs(diffusivity)

    def places(self, axis: int) -> Iterator[tuple[float, bool | None, list[tuple[float, ...]]]]:
        """Along an axis, the faces that disagree with the start or break in time, and the breaks of
        the start inside; with whether it is the upper face, None inside, and the times, () for the
        start.
        """
        domain = self.domain
        lower, upper = domain.lower[axis], domain.upper[axis]
        if axis in domain.periodic and self._has_seam(axis):
            yield lower, None, [()]
        for is_upper in () if axis in domain.periodic else (False, True):
            conditions = [
                (term, residual)
                for term in self.problem.terms
                for residual in term.residuals
                if any(face.upper == is_upper for face in term.region.faces_along(axis))
            ]
            times: list[tuple[float, ...]] = []
            if any(self._disagrees(*condition, axis, is_upper) for condition in conditions):
                times.append(())
            later = self._breaks((residual for _, residual in conditions), self.time)
            times += [(time,) for time in later]
            if times:
                yield (upper if is_upper else lower), is_upper, times
        for place in self._breaks(self.values.values(), axis):
            yield place, None, [()]

    def _has_seam(self, axis: int) -> bool:
        """Whether a value at the start jumps from the end of a periodic axis to its beginning."""
        for tree in self.values.values():
            first, last = (
                self._evaluated(tree, self._at(self.points, axis, upper)) for upper in (False, True)
            )
            size = np.max(np.abs(self._evaluated(tree, self.points)))
            if np.any(np.abs(last - first) > SMALL * size):
                return True
        return False

    def _breaks(self, trees: Iterable[Node], axis: int) -> list[float]:
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

    def _disagrees(self, term: Term, residual: Node, axis: int, is_upper: bool) -> bool:
        """Whether a condition, or its derivative in time, does not hold at the start of a face."""
        names = self.domain.coordinates
        normals: dict[Field | Symbol, Node] = {
            Symbol(f"normal {name}"): Number((1.0 if is_upper else -1.0) * (other == axis))
            for other, name in enumerate(names)
        }
        points = self._at(self.points, axis, is_upper)
        points = points[term.region.holds(points, self.domain)]
        if not len(points) or any(field.orders[self.time] for field in fields(residual)):
            return False
        try:
            tree = substitute(residual, normals)
            later = differentiate(tree, names[self.time], names)
            return any(self._is_off(each, points) for each in (tree, later))
        except ExpressionError:
            return False  # a formula that is too large, or of too high an order

    def _is_off(self, tree: Node, points: Array) -> bool:
        """Whether a residual at the start is not 0 at points [n, d] of a face."""
        begun = self._begun(tree)
        if begun is None:
            return False
        nothing: dict[Field | Symbol, Node] = dict.fromkeys(fields(tree), Number(0.0))
        size = np.abs(self._evaluated(substitute(tree, nothing), points))
        for field in fields(tree):
            slope, value = self._begun(partial(tree, field)), self._begun(field)
            if slope is None or value is None:
                return False
            typical = np.max(np.abs(self._evaluated(value, self.points)))
            size = size + np.abs(self._evaluated(slope, points)) * typical
        return bool(np.any(np.abs(self._evaluated(begun, points)) > SMALL * size))

    def spreads(
        self, axis: int, place: float, is_upper: bool | None
    ) -> Iterator[tuple[float, float]]:
        """The diffusivity and the velocity of each unknown at a place, where it diffuses.

        Args:
            is_upper: whether the place is the upper face; None inside.
        """
        at_start = self._with(self.points, axis, place)
        ends = self.domain.lower if self.is_upper else self.domain.upper
        at_end = self._with(at_start, self.time, ends[self.time])
        for field, equation in self.evolving.items():
            slope = self._moved(field, axis)
            derivatives = self._moved(field, self.time), self._moved(slope, axis), slope
            held = fields(equation)
            if derivatives[1] not in held or any(other.orders[axis] > 2 for other in held):
                continue
            trees = [partial(equation, derivative) for derivative in derivatives]
            yield from self._spread(trees, self.values, at_start, is_upper)
            # Where it depends on the solution, that on a face may be far from the start.
            if any(field in fields(tree) for tree in trees) and is_upper is not None:
                for value in self._given(field, axis, is_upper):
                    yield from self._spread(trees, {field: value}, at_end, is_upper)

    def _given(self, field: Field, axis: int, is_upper: bool) -> Iterator[Node]:
        """What conditions on a face give an unknown."""
        for term in self.problem.terms:
            if any(face.upper == is_upper for face in term.region.faces_along(axis)):
                for residual in term.residuals:
                    if fields(residual) == {field} and (value := solved_for(residual, field)):
                        yield value

    def _spread(
        self,
        trees: Sequence[Node],
        values: Mapping[Field, Node],
        points: Array,
        is_upper: bool | None,
    ) -> Iterator[tuple[float, float]]:
        """The diffusivity and the velocity, by the factors of the derivative in time, the second
        and the first in space, with these values of unknowns; none where nothing diffuses.
        """
        known = [self._begun(tree, values) for tree in trees]
        rate, bend, tilt = (
            np.full(1, np.nan) if tree is None else self._evaluated(tree, points) for tree in known
        )
        with np.errstate(all="ignore"):
            diffusivity, velocity = (float(np.median(x / rate)) for x in (-bend, tilt))
        sign = -1.0 if self.is_upper else 1.0
        if np.isfinite(diffusivity) and sign * diffusivity > 0:
            # What is carried out of the domain stays at its face.
            leaves = is_upper is not None and sign * velocity * (1 if is_upper else -1) > 0
            yield diffusivity, 0.0 if leaves or not np.isfinite(velocity) else velocity
