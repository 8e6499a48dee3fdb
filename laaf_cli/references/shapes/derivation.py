"""The weak form of a problem on a shape: fluxes, their ends at the boundary, and given values.

An equation Σ ∂F_j/∂x_j + r = 0 becomes ∫ (r v − F·∇v) + ∮ F·n v = 0 for every v that is 0 where the
unknown is given. Where another condition c = 0 holds, F·n − λ c takes the place of F·n, with the λ
that leaves no derivative along the normal in it.

A pressure is an unknown whose equation is a constraint on others, as ∂u/∂x + ∂v/∂y = 0: it occurs
in the equations of those by its first derivatives, which belong to their fluxes. Where it is given
on the boundary, λ takes it out of F·n, and the constraint what is left along the normal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    ExpressionError,
    Field,
    Node,
    Number,
    Symbol,
    call,
    differentiate,
    evaluate,
    fields,
    functions,
    partial,
    solved_for,
    substitute,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.expression.tree import ZERO
from laaf_cli.problem import NORMAL, Interior, OnFaces, Problem, Term
from laaf_cli.problem.regions import AtPlace, IntegralOver, OnParts
from laaf_cli.problem.shapes.boundary import BoundaryPiece
from laaf_cli.problem.shapes.read import box_shape
from laaf_cli.problem.shapes.shape import AnyShape
from laaf_cli.problem.shapes.solid import NoSolidError
from laaf_cli.references.reference import ReferenceRefusedError
from laaf_cli.references.shapes.weak_form import Check, PressureLevel, WeakEquation, WeakForm
from laaf_cli.text import listed

RATE = "rate of "
"""What the name of an unknown for ∂u/∂t begins with; no name in a spec can hold a space."""

N_TRIED = 20

NEARLY = 1e-9


def read_weak_form(problem: Problem) -> WeakForm:
    """The weak form of a problem on a shape or on a box.

    Raises:
        ReferenceRefusedError: naming what has none.
    """
    domain = problem.domain
    shape = domain.shape
    if len(domain.space) not in (2, 3) or domain.periodic:
        raise ReferenceRefusedError(
            "the finite elements are for two or three coordinates of space that are not periodic"
        )
    if len(domain.space) == 3 and domain.time_axis is not None:
        raise ReferenceRefusedError(
            "the finite elements take time with two coordinates of space, not with three"
        )
    try:
        shape = shape or box_shape(domain)
    except NoSolidError:
        raise ReferenceRefusedError("the box is too thin for finite elements") from None
    _check(problem, shape)
    return _WeakDerivation(problem, shape).form()


def has_pressure(problem: Problem) -> bool:
    """Whether a problem has a weak form with a pressure in it."""
    try:
        return bool(read_weak_form(problem).pressures)
    except (ReferenceRefusedError, ExpressionError):
        return False


def _on_boundary(term: Term, shape: AnyShape) -> tuple[BoundaryPiece, ...]:
    """The pieces of the boundary on which a term holds."""
    if not isinstance(term.region, OnFaces):
        return term.region.on_boundary
    return tuple(
        piece
        for face in term.region.faces
        if face.axis in shape.axes
        for piece in shape.flat(shape.axes.index(face.axis), face.value)
    )


def _check(problem: Problem, shape: AnyShape) -> None:
    """Refuses what no weak form is made of."""
    if problem.fluxes:
        raise ReferenceRefusedError(
            f"'{next(iter(problem.fluxes))}' jumps where it is differentiated, and the finite "
            "elements do not follow the jump"
        )
    for term in problem.terms:
        if term.kind == "data" or term.region.is_observed:
            raise ReferenceRefusedError(f"'{term.name}' holds data, which only exact and file take")
        if called := frozenset().union(*map(functions, term.residuals)) - TABLE.keys():
            raise ReferenceRefusedError(f"'{term.name}' calls '{min(called)}' of a Python module")
        for f in term.fields:
            if sum(f.orders[axis] for axis in shape.axes) > 2:
                raise ReferenceRefusedError(
                    f"'{term.name}' is of order {sum(f.orders)}, and the finite elements take "
                    "equations of second order in space"
                )
        is_whole = isinstance(term.region, OnFaces | OnParts) and term.region.only is None
        is_level = isinstance(term.region, AtPlace | IntegralOver)
        if not (isinstance(term.region, Interior) or is_whole or is_level):
            raise ReferenceRefusedError(
                f"'{term.name}' holds neither at the start nor on whole parts of the boundary"
            )
        at = term.region.faces if isinstance(term.region, OnFaces) else ()
        if any(face.upper and face.axis not in shape.axes for face in at):
            raise ReferenceRefusedError(f"'{term.name}' holds at the end of time")


@dataclass
class _WeakDerivation:
    problem: Problem
    shape: AnyShape

    def __post_init__(self) -> None:
        domain = self.problem.domain
        self.names, self.time = domain.coordinates, domain.time_axis
        self.space = self.shape.axes
        self.normal = [Symbol(f"{NORMAL}{self.names[axis]}") for axis in self.space]
        terms = self.problem.terms
        self.rates = sorted(
            {
                f.unknown
                for term in terms
                for f in term.fields
                if self.time is not None and f.orders[self.time] == 2
            }
        )
        if any(f.orders[self.time or 0] > 2 for term in terms for f in term.fields):
            raise ReferenceRefusedError("an equation is of order 3 in time, and 2 is the most")
        self.terms = [self._first_order(term) for term in terms] if self.rates else list(terms)

    def form(self) -> WeakForm:
        unknowns = (*self.problem.unknowns, *(RATE + name for name in self.rates))
        paired = list(self._paired(unknowns))
        self.pressures = frozenset(
            test for _, residual, test in paired if self._is_constraint(residual, test, paired)
        )
        values, others = self._conditions()
        equations = []
        for name, residual, test in paired:
            fluxes, rest = self._fluxes(name, residual, test)
            equations.append(
                WeakEquation(
                    name=name,
                    test=test,
                    fluxes=fluxes,
                    rest=rest,
                    residual=residual,
                    is_constraint=test in self.pressures,
                )
            )
        closed, checks = self._closed(equations, values, others)
        return WeakForm(
            shape=self.shape,
            coordinates=self.names,
            unknowns=unknowns,
            equations=closed,
            values=values,
            start=self._start(unknowns, closed),
            pressures=self.pressures,
            levels=self._levels(closed, others),
            checks=checks,
        )

    def _field(self, unknown: str, *along: int) -> Field:
        orders = tuple(along.count(axis) for axis in range(len(self.names)))
        return Field(unknown, orders)

    def _first_order(self, term: Term) -> Term:
        """A term with rates for the derivatives in time of unknowns that have second ones."""
        time = self.time or 0
        meanings: dict[Field | Symbol, Node] = {}
        for f in term.fields:
            if f.unknown in self.rates and f.orders[time]:
                orders = tuple(k - (i == time) for i, k in enumerate(f.orders))
                meanings[f] = Field(RATE + f.unknown, orders)
        return replace(term, residuals=tuple(substitute(r, meanings) for r in term.residuals))

    def _paired(self, unknowns: Sequence[str]) -> Iterator[tuple[str, Node, str]]:
        """Each equation with the unknown whose test functions it gets."""
        from scipy.optimize import linear_sum_assignment

        equations = [(t.name, r) for t in self.terms if t.kind == "equation" for r in t.residuals]
        for name in self.rates:
            rate = call("-", self._field(name, self.time or 0), self._field(RATE + name))
            yield RATE + name, rate, name
        left = [name for name in unknowns if name not in self.rates]
        if len(equations) != len(left):
            raise ReferenceRefusedError(
                f"there are {len(equations)} equations for {len(left)} unknowns"
            )

        def fits(residual: Node, unknown: str) -> int:
            inner = unknown.removeprefix(RATE)
            orders = [f.orders for f in fields(residual) if f.unknown == inner]
            second = any(sum(of[axis] for axis in self.space) == 2 for of in orders)
            along_one = sum(of[axis] == 2 for of in orders for axis in self.space)
            moves = any(
                f.unknown == unknown and self.time is not None and f.orders[self.time]
                for f in fields(residual)
            )
            return 6 * second + 3 * moves + along_one

        table = np.array(
            [[fits(residual, unknown) for unknown in left] for _, residual in equations]
        )
        for i, k in zip(*linear_sum_assignment(table, maximize=True), strict=True):
            yield *equations[i], left[k]

    def _is_constraint(
        self, residual: Node, test: str, paired: Sequence[tuple[str, Node, str]]
    ) -> bool:
        """Whether an unknown is a pressure: its equation holds no derivative of it and none of
        second order or in time, and its first derivatives occur where others have second ones.
        """

        def order(f: Field) -> int:
            return sum(f.orders[axis] for axis in self.space)

        def moves(f: Field) -> bool:
            return self.time is not None and f.orders[self.time] > 0

        holds_more = any(
            moves(f) or order(f) > 1 or (f.unknown == test and any(f.orders))
            for f in fields(residual)
        )
        pushed = [
            (other, unknown)
            for _, other, unknown in paired
            if any(f.unknown == test and any(f.orders) for f in fields(other))
        ]
        return (
            not holds_more
            and bool(pushed)
            and all(
                any(f.unknown == unknown and order(f) == 2 for f in fields(other))
                and not any(f.unknown == test and (order(f) > 1 or moves(f)) for f in fields(other))
                for other, unknown in pushed
            )
        )

    def _fluxes(self, name: str, residual: Node, test: str) -> tuple[dict[int, Node], Node]:
        """F and r of an equation: as the spec writes it, and of what is left second derivatives and
        the gradients of pressures.
        """
        fluxes: dict[int, Node] = {}
        rest = residual
        if test in self.pressures:
            return fluxes, rest
        balance = next((b for b in self.problem.balances if b.name == name), None)
        if balance is not None and not self.rates:
            fluxes, rest = dict(balance.fluxes), balance.rest
        for f in sorted(fields(rest), key=lambda f: (f.unknown, f.orders)):
            along = [axis for axis in self.space for _ in range(f.orders[axis])]
            if len(along) < 2:
                continue
            factor = partial(rest, f)
            if any(sum(g.orders[axis] for axis in self.space) > 0 for g in fields(factor)):
                raise ReferenceRefusedError(
                    f"a coefficient of '{name}' holds derivatives: write what is differentiated as "
                    "a flux, as in D(k*u_x, x)"
                )
            for second in along[::-1]:
                slope = Field(f.unknown, tuple(k - (i == second) for i, k in enumerate(f.orders)))
                half = call("*", Number(0.5), factor)
                fluxes[second] = call("+", fluxes.get(second, ZERO), call("*", half, slope))
                drift = call("*", differentiate(half, self.names[second], self.names), slope)
                rest = call("-", rest, drift)
            rest = substitute(rest, {f: ZERO})
        for f in sorted(fields(rest), key=lambda f: (f.unknown, f.orders)):
            along = [axis for axis in self.space if f.orders[axis]]
            factor = partial(rest, f)
            if f.unknown not in self.pressures or not along or fields(factor):
                continue
            (axis,) = along
            pressure = self._field(f.unknown)
            fluxes[axis] = call("+", fluxes.get(axis, ZERO), call("*", factor, pressure))
            drift = call("*", differentiate(factor, self.names[axis], self.names), pressure)
            rest = call("-", substitute(rest, {f: ZERO}), drift)
        for tree in (rest, *fluxes.values()):
            if any(sum(g.orders[axis] for axis in self.space) > 1 for g in fields(tree)):
                raise ReferenceRefusedError(f"the equation '{name}' has no weak form")
        return fluxes, rest

    def _conditions(
        self,
    ) -> tuple[dict[str, dict[BoundaryPiece, Node]], dict[BoundaryPiece, list[tuple[str, Node]]]]:
        """Given values by unknown and piece, and the other conditions by piece."""
        values: dict[str, dict[BoundaryPiece, Node]] = {}
        others: dict[BoundaryPiece, list[tuple[str, Node]]] = {}
        for term in self.terms:
            pieces = _on_boundary(term, self.shape)
            for residual in term.residuals if pieces else ():
                value = self._value(residual)
                for piece in pieces:
                    if value is None or value[0] in self.pressures:
                        others.setdefault(piece, []).append((term.name, residual))
                    elif piece in values.setdefault(value[0], {}):
                        raise ReferenceRefusedError(
                            f"'{value[0]}' is given twice on a part of the boundary"
                        )
                    else:
                        values[value[0]][piece] = value[1]
        for name in self.rates:
            if self.time is not None:
                values[RATE + name] = {
                    piece: differentiate(value, self.names[self.time], self.names)
                    for piece, value in values.get(name, {}).items()
                }
        return values, others

    def _value(self, residual: Node) -> tuple[str, Node] | None:
        """The unknown that a residual gives as a function of the coordinates, and that."""
        held = fields(residual)
        if len(held) != 1 or any(next(iter(held)).orders):
            return None
        (only,) = held
        value = solved_for(residual, only)
        return None if value is None else (only.unknown, value)

    def _closed(
        self,
        equations: Sequence[WeakEquation],
        values: Mapping[str, Mapping[BoundaryPiece, Node]],
        others: Mapping[BoundaryPiece, Sequence[tuple[str, Node]]],
    ) -> tuple[tuple[WeakEquation, ...], tuple[Check, ...]]:
        """The equations with what their fluxes are at the boundary, and the conditions that this
        leaves over where there is a pressure.
        """
        from scipy.optimize import linear_sum_assignment

        ends: list[dict[BoundaryPiece, Node]] = [{} for _ in equations]
        constraints = [equation.residual for equation in equations if equation.is_constraint]
        checks: list[Check] = []
        for piece in self.shape.pieces:
            free = [
                i
                for i, equation in enumerate(equations)
                if equation.fluxes and piece not in values.get(equation.test, {})
            ]
            given = others.get(piece, [])
            has_more = bool(free) and bool(constraints) and len(given) > len(free)
            if len(free) != len(given) and not has_more:
                tests = [equations[i].test.removeprefix(RATE) for i in free]
                hint = ""
                if self.pressures and len(given) < len(free):
                    hint = f"; where a fluid flows out freely, write nu*{tests[0]}_n - "
                    hint += f"{min(self.pressures)} = 0 for the velocity across, v_n = 0 along"
                raise ReferenceRefusedError(
                    f"a part of the boundary has {len(given)} conditions on fluxes for "
                    f"{len(free)} unknowns that are not given there ({listed(tests)}){hint}"
                )
            made = {
                (i, k): end
                for i in free
                for k, (_, residual) in enumerate(given)
                if (end := self._end(equations[i], residual, piece, constraints)) is not None
            }
            fits = np.array([[(i, k) in made for k in range(len(given))] for i in free])
            pairs = zip(*linear_sum_assignment(fits, maximize=True), strict=True) if free else ()
            order = {free[row]: int(k) for row, k in pairs if fits[row, k]}
            if len(order) < len(free):
                raise ReferenceRefusedError(
                    f"{listed(f'{name!r}' for name, _ in given)} do not give the flux of an "
                    "equation at the boundary"
                )
            for i, k in order.items():
                ends[i][piece] = made[i, k]
            checks += [
                Check(name=name, residual=residual, piece=piece)
                for k, (name, residual) in enumerate(given)
                if k not in order.values()
            ]
        closed = [
            replace(equation, ends=of_equation)
            for equation, of_equation in zip(equations, ends, strict=True)
        ]
        return tuple(closed), tuple(checks)

    def _levels(
        self,
        equations: Sequence[WeakEquation],
        others: Mapping[BoundaryPiece, Sequence[tuple[str, Node]]],
    ) -> dict[str, PressureLevel]:
        """What fixes the pressures that equations and conditions hold in derivatives alone."""
        given: dict[str, tuple[str, PressureLevel]] = {}
        axes = set(self.space)
        for term in self.terms:
            region, point = term.region, None
            if isinstance(region, AtPlace) and set(region.values) == axes:
                point = np.array([region.values[axis] for axis in self.space])
            elif not (isinstance(region, IntegralOver) and set(region.axes) == axes):
                if isinstance(region, AtPlace | IntegralOver):
                    raise ReferenceRefusedError(f"'{term.name}' holds inside of the domain")
                continue
            for residual in term.residuals:
                value = self._value(residual)
                if value is None or value[0] not in self.pressures or value[0] in given:
                    raise ReferenceRefusedError(
                        f"'{term.name}' holds inside of the domain and is not the one value of a "
                        "pressure"
                    )
                given[value[0]] = term.name, PressureLevel(residual=residual, point=point)
        trees = [equation.residual for equation in equations]
        trees += [residual for pairs in others.values() for _, residual in pairs]
        for name in sorted(self.pressures):
            is_free = not any(self._field(name) in fields(tree) for tree in trees)
            if is_free and name not in given:
                raise ReferenceRefusedError(
                    f"any constant may be added to '{name}': give its value at a point"
                )
            ends = [tree for equation in equations for tree in equation.ends.values()]
            if is_free and any(self._field(name) in fields(tree) for tree in ends):
                raise ReferenceRefusedError(
                    f"where a fluid flows out, '{name}' is part of what is given: write it into a "
                    f"condition there, as nu*u_x - {name} = 0, in place of its value at a point"
                )
            if not is_free and name in given:
                raise ReferenceRefusedError(
                    f"'{name}' is given by '{given[name][0]}' and has its level already, from an "
                    "equation or from a condition on the boundary that holds it"
                )
        return {name: level for name, (_, level) in given.items()}

    def _end(
        self,
        equation: WeakEquation,
        residual: Node,
        piece: BoundaryPiece,
        constraints: Sequence[Node],
    ) -> Node | None:
        """F·n − λ c; None where derivatives along the normal are left in it."""
        flux: Node = ZERO
        for axis, normal in zip(self.space, self.normal, strict=True):
            flux = call("+", flux, call("*", normal, equation.fluxes.get(axis, ZERO)))
        inner = equation.test.removeprefix(RATE)
        above, below = self._along_normal(flux, inner), self._along_normal(residual, inner)
        if below != ZERO:
            end = call("-", flux, call("*", call("/", above, below), residual))
        else:
            end = flux
            held = {f for f in fields(residual) if f.unknown in self.pressures} & fields(flux)
            if len(held) != 1:
                return None
            (pressure,) = held
            share = call("/", partial(flux, pressure), partial(residual, pressure))
            end = call("-", flux, call("*", share, residual))
            for constraint in constraints:
                if (along := self._along_normal(constraint, inner)) != ZERO:
                    end = call("-", end, call("*", call("/", above, along), constraint))
        unknowns = {f.unknown for f in fields(end)}
        some, random = piece.some(N_TRIED), np.random.default_rng(0)
        columns = self._columns(some.points, some.normals, random)
        known = {f: random.uniform(0.5, 1.5, N_TRIED) for f in fields(end)}
        for unknown in unknowns:
            tree = self._along_normal(end, unknown)
            known |= {f: random.uniform(0.5, 1.5, N_TRIED) for f in fields(tree) - known.keys()}
            with np.errstate(all="ignore"):
                left = np.broadcast_to(evaluate(tree, columns, known, NUMPY), N_TRIED)
                size = np.broadcast_to(evaluate(above, columns, known, NUMPY), N_TRIED)
            if not (np.abs(left) <= NEARLY * (1 + np.abs(size))).all():
                return None
        return end

    def _along_normal(self, tree: Node, unknown: str) -> Node:
        """∂tree/∂(∂unknown/∂n)."""
        total: Node = ZERO
        for axis, normal in zip(self.space, self.normal, strict=True):
            slope = partial(tree, self._field(unknown, axis))
            total = call("+", total, call("*", normal, slope))
        return total

    def _columns(
        self, points: Array, normals: Array, random: np.random.Generator
    ) -> dict[str, Array]:
        columns = {name: random.uniform(0, 1, len(points)) for name in self.names}
        for i, axis in enumerate(self.space):
            columns[self.names[axis]] = points[:, i]
            columns[self.normal[i].name] = normals[:, i]
        return columns

    def _start(self, unknowns: Sequence[str], equations: Sequence[WeakEquation]) -> dict[str, Node]:
        """The values at the start; where none are given, unknowns without a derivative in time are
        0 there, for they follow from the others.
        """
        if self.time is None:
            return {}
        start: dict[str, Node] = {}
        for term in self.terms:
            is_start = isinstance(term.region, OnFaces) and not _on_boundary(term, self.shape)
            for residual in term.residuals if is_start else ():
                value = self._value(residual)
                if value is None:
                    raise ReferenceRefusedError(
                        f"'{term.name}' does not give one unknown at the start"
                    )
                start[value[0]] = value[1]
        moving = {f.unknown for e in equations for f in fields(e.residual) if f.orders[self.time]}
        for name in unknowns:
            if name in moving and name not in start:
                raise ReferenceRefusedError(
                    f"'{name}' is not given at the start, where its derivative in time is taken"
                )
        return {name: start.get(name, ZERO) for name in unknowns}
