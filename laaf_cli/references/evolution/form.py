"""Reads a problem as one that evolves in time along at most one coordinate of space, or says
what does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from laaf_cli.expression import (
    Field,
    Node,
    differentiate,
    fields,
    functions,
    partial,
    switches,
    symbols,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.multi_index import derivative_name
from laaf_cli.problem import Problem, Term, flux_tree, without_fluxes
from laaf_cli.references.reference import ReferenceRefusedError
from laaf_cli.text import listed


@dataclass(frozen=True, kw_only=True)
class EvolutionForm:
    """Equations in time, with what holds at the start and at the ends of space; every tree is a
    residual.
    """

    coordinates: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    time_axis: int
    space_axis: int | None
    unknowns: tuple[str, ...]
    equations: tuple[Node, ...]
    time_orders: tuple[int, ...]
    """The highest derivative of each unknown along time."""
    space_orders: tuple[int, ...]
    """The highest derivative of each unknown along space."""
    initial: tuple[Node, ...]
    at_lower: tuple[Node, ...]
    """Conditions at the lower end of space."""
    at_upper: tuple[Node, ...]
    """Conditions at the upper end of space."""
    pairs: tuple[Node, ...]
    """Trees that have equal values at both ends."""
    is_periodic: bool
    """Whether space is a circle, and the pairs say no more than that."""
    continuous: tuple[Node, ...]
    """Trees that have no jump along space."""
    fluxes: Mapping[str, Node]
    """The fluxes that were put in for unknowns, by name."""

    @property
    def start(self) -> float:
        """The first time."""
        return self.lower[self.time_axis]

    @property
    def end(self) -> float:
        """The last time."""
        return self.upper[self.time_axis]

    def time_order(self, field: Field) -> int:
        """How often a field is differentiated in time."""
        return field.orders[self.time_axis]

    def space_order(self, field: Field) -> int:
        """How often a field is differentiated in space."""
        return 0 if self.space_axis is None else field.orders[self.space_axis]

    def unknown(self, field: Field) -> int:
        """The index of the unknown of a field."""
        return self.unknowns.index(field.unknown)

    def field(self, unknown: int, space: int, time: int) -> Field:
        """The derivative of an unknown of some orders along space and time."""
        orders = [0] * len(self.coordinates)
        orders[self.time_axis] = time
        if self.space_axis is not None:
            orders[self.space_axis] = space
        return Field(self.unknowns[unknown], tuple(orders))


def read_evolution(problem: Problem) -> EvolutionForm:
    """The form of a problem.

    Fluxes along space that jump at fixed places are put into the equations, and are what is
    continuous there: a system of first order for waves is rougher than its equation of second.

    Raises:
        ReferenceRefusedError: naming what does not fit.
    """
    domain, fluxes = problem.domain, _fluxes(problem)
    if fluxes:
        problem = without_fluxes(problem, fluxes)
    if domain.time_axis is None:
        raise _refused("there is no coordinate 't'")
    if domain.dimension > 2:
        raise _refused(
            f"there are {domain.dimension - 1} coordinates of space, and it knows one at most"
        )
    space_axis = None if domain.dimension == 1 else 1 - domain.time_axis
    equations = [term for term in problem.terms if term.kind == "equation"]
    conditions = [term for term in problem.terms if term.kind == "condition"]
    _check_functions([*equations, *conditions])
    residuals = tuple(residual for term in equations for residual in term.residuals)
    if len(residuals) != len(problem.unknowns):
        raise _refused(f"there are {len(residuals)} equations for {len(problem.unknowns)} unknowns")
    held = [field for residual in residuals for field in fields(residual)]
    time_orders = _highest(problem.unknowns, held, domain.time_axis)
    space_orders = _highest(problem.unknowns, held, space_axis)
    for term in equations:
        _check_highest(term, problem, time_orders)
    reader = _Conditions(problem, time_orders)
    for term in conditions:
        reader.read(term)
    reader.check_start()
    pairs = tuple(dict.fromkeys(reader.pairs))
    is_circle = _pairs_make_circle(pairs, problem.unknowns, space_orders, space_axis)
    is_periodic = space_axis is not None and (reader.axis_is_periodic or is_circle)
    form = EvolutionForm(
        coordinates=domain.coordinates,
        lower=domain.lower,
        upper=domain.upper,
        time_axis=domain.time_axis,
        space_axis=space_axis,
        unknowns=problem.unknowns,
        equations=residuals,
        time_orders=time_orders,
        space_orders=space_orders,
        initial=tuple(dict.fromkeys(reader.initial)),
        at_lower=tuple(dict.fromkeys(reader.ends[False])),
        at_upper=tuple(dict.fromkeys(reader.ends[True])),
        pairs=pairs,
        is_periodic=is_periodic,
        continuous=_continuous(problem, space_orders, space_axis, fluxes),
        fluxes={name: flux.tree for name, flux in fluxes.items()},
    )
    _check_ends(form)
    return form


@dataclass(frozen=True, kw_only=True)
class _Flux:
    """What an unknown represents, and the highest derivative along space that is taken of it."""

    tree: Node
    order: int


def _fluxes(problem: Problem) -> dict[str, _Flux]:
    """The fluxes that can be put in: those whose jumps are at fixed places."""
    domain, fluxes = problem.domain, {}
    if domain.dimension != 2 or domain.time_axis is None:
        return {}
    held = {f for term in problem.terms for tree in term.residuals for f in fields(tree)}
    for name in problem.fluxes:
        tree = flux_tree(problem, name)
        orders = {f.orders for f in held if f.unknown == name} - {(0, 0)}
        along = [order[1 - domain.time_axis] for order in orders]
        is_fixed = all(len(symbols(s)) <= 1 and not fields(s) for s in switches(tree))
        is_along_space = not any(order[domain.time_axis] for order in orders) and along
        is_plain = not any(
            f.orders[domain.time_axis] or f.unknown in problem.fluxes for f in fields(tree)
        )
        if is_fixed and is_along_space and is_plain:
            fluxes[name] = _Flux(tree=tree, order=max(along))
    return fluxes


def _continuous(
    problem: Problem,
    space_orders: Sequence[int],
    space_axis: int | None,
    fluxes: Mapping[str, _Flux],
) -> tuple[Node, ...]:
    """Every unknown and its derivatives along space below the highest; instead of the last ones,
    the flux that holds them, and its derivatives.
    """
    if space_axis is None:
        return ()
    left = dict(zip(problem.unknowns, space_orders, strict=True))
    trees: list[Node] = []
    for flux in fluxes.values():
        highest = {
            f.unknown
            for f in fields(flux.tree)
            if f.orders[space_axis] + flux.order == left[f.unknown]
        }
        if not highest:
            raise _refused("what a flux holds is not what the equations differentiate most")
        left[min(highest)] -= flux.order
        tree = flux.tree
        for _ in range(flux.order):
            trees.append(tree)
            coordinates = problem.domain.coordinates
            tree = differentiate(tree, coordinates[space_axis], coordinates)
    for unknown, order in left.items():
        trees += [Field(unknown, (k, 0) if space_axis == 0 else (0, k)) for k in range(order)]
    return tuple(trees)


class _Conditions:
    """Sorts conditions by where they hold."""

    def __init__(self, problem: Problem, time_orders: Sequence[int]) -> None:
        self.problem, self.time_orders = problem, time_orders
        self.domain = problem.domain
        self.initial: list[Node] = []
        self.ends: dict[bool, list[Node]] = {False: [], True: []}
        self.pairs: list[Node] = []
        space = [axis for axis in range(self.domain.dimension) if axis != self.domain.time_axis]
        self.axis_is_periodic = any(axis in self.domain.periodic for axis in space)

    def read(self, term: Term) -> None:
        region = term.region
        if region.paired_axis is not None:
            if region.paired_axis == self.domain.time_axis:
                raise _refused(f"the condition '{term.name}' makes time periodic")
            self._check_rates(term)
            self.pairs += term.residuals
            return
        faces = region.whole_faces(self.domain)
        if not faces:
            raise _refused(
                f"the condition '{term.name}' holds neither at the start nor at a whole end of "
                "space"
            )
        for face in faces:
            if face.axis != self.domain.time_axis:
                self._check_rates(term)
                self.ends[face.upper] += term.residuals
            elif face.upper:
                raise _refused(
                    f"the condition '{term.name}' at {face.name} is not an initial condition"
                )
            else:
                self.initial += [
                    residual for residual in term.residuals if self._is_initial(term, residual)
                ]

    def _check_rates(self, term: Term) -> None:
        """Refuses derivatives in time above those of the equations at an end of space."""
        orders = dict(zip(self.problem.unknowns, self.time_orders, strict=True))
        for field in (f for residual in term.residuals for f in fields(residual)):
            if field.orders[self.domain.time_axis or 0] > orders[field.unknown]:
                raise _refused(
                    f"the condition '{term.name}' speaks of {self._name(field)}, a derivative in "
                    "time that no equation holds"
                )

    def _is_initial(self, term: Term, residual: Node) -> bool:
        """Whether a residual at the start says something; unknowns without derivatives in time
        need none.
        """
        orders = dict(zip(self.problem.unknowns, self.time_orders, strict=True))
        if any(orders[field.unknown] == 0 for field in fields(residual)):
            return False
        for field in fields(residual):
            time = field.orders[self.domain.time_axis or 0]
            if time >= orders[field.unknown]:
                raise _refused(
                    f"the initial condition '{term.name}' speaks of {self._name(field)}, "
                    "which follows from the equations"
                )
        return True

    def check_start(self) -> None:
        """Refuses a start at which something is left open."""
        initial_fields = {field for residual in self.initial for field in fields(residual)}
        for unknown, order in zip(self.problem.unknowns, self.time_orders, strict=True):
            for time in range(order):
                orders = tuple(
                    time if axis == self.domain.time_axis else 0
                    for axis in range(self.domain.dimension)
                )
                if Field(unknown, orders) not in initial_fields:
                    raise _refused(
                        f"there is no initial condition for {self._name(Field(unknown, orders))}"
                    )

    def _name(self, field: Field) -> str:
        return derivative_name(field.unknown, field.orders, self.domain.coordinates)


def _check_functions(terms: Iterable[Term]) -> None:
    for term in terms:
        for residual in term.residuals:
            for name in sorted(functions(residual) - TABLE.keys()):
                raise _refused(
                    f"'{term.name}' calls the Python function '{name}', whose derivatives are "
                    "not known"
                )


def _highest(unknowns: Sequence[str], held: Sequence[Field], axis: int | None) -> tuple[int, ...]:
    if axis is None:
        return (0,) * len(unknowns)
    return tuple(
        max((field.orders[axis] for field in held if field.unknown == name), default=0)
        for name in unknowns
    )


def _check_highest(term: Term, problem: Problem, time_orders: Sequence[int]) -> None:
    """Refuses equations without derivatives in time, and others than linear ones in the highest."""
    if not any(time_orders):
        raise _refused("no equation holds a derivative in time")
    time_axis = problem.domain.time_axis or 0
    orders = dict(zip(problem.unknowns, time_orders, strict=True))

    def is_highest(field: Field) -> bool:
        return field.orders[time_axis] == orders[field.unknown] > 0

    for residual in term.residuals:
        for field in filter(is_highest, fields(residual)):
            if any(is_highest(other) for other in fields(partial(residual, field))):
                name = derivative_name(field.unknown, field.orders, problem.domain.coordinates)
                raise _refused(
                    f"the equation '{term.name}' is not linear in its highest time derivative "
                    f"{name}"
                )


def _pairs_make_circle(
    pairs: Sequence[Node],
    unknowns: Sequence[str],
    space_orders: Sequence[int],
    space_axis: int | None,
) -> bool:
    """Whether the pairs are those of all unknowns and their derivatives below the highest, and
    no others.
    """
    if space_axis is None or not pairs or not all(isinstance(pair, Field) for pair in pairs):
        return False
    needed = {
        Field(unknown, tuple(space if axis == space_axis else 0 for axis in range(2)))
        for unknown, order in zip(unknowns, space_orders, strict=True)
        for space in range(max(order, 1))
    }
    return needed <= set(pairs)


def _check_ends(form: EvolutionForm) -> None:
    """Refuses more or fewer conditions at the ends of space than the orders of the equations
    take.
    """
    if form.space_axis is None:
        return
    space = form.coordinates[form.space_axis]
    count = len(form.at_lower) + len(form.at_upper)
    if form.is_periodic:
        if count:
            raise _refused(f"conditions are given at the ends of {space}, which is periodic")
        return
    count += len(form.pairs)
    needed = sum(form.space_orders)
    if count != needed:
        raise _refused(
            f"{count} different conditions are given at the ends of {space}; the equations, by "
            f"their orders {listed(map(str, form.space_orders))} in {space}, take {needed}"
        )


def _refused(reason: str) -> ReferenceRefusedError:
    return ReferenceRefusedError(f"the spectral solution in time does not apply: {reason}")
