"""Transfinite interpolation: a function with given values and normal derivatives on faces of a box,
plus a network that is taken away there.

Along one axis the interpolants are Hermite's polynomials. Those of all axes are joined by their
Boolean sum (Gordon, SIAM J. Numer. Anal. 8, 1971; Leake, Johnston & Mortari, Mathematics 8, 2020,
1303): for each axis in turn

    g ← g + Σ H_k(x) (value_k − ∂ₓᵏ g on its face),     u = g + Π factor(x) net.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import comb, factorial

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    Call,
    Field,
    Node,
    Number,
    Symbol,
    call,
    differentiate,
    evaluate,
    substitute,
)
from laaf_cli.multi_index import derivative_name, unit
from laaf_cli.problem.domain import Domain, Face, grid_points
from laaf_cli.problem.transform import ROUNDING

AGREE = 1e-9
"""Values that differ by less than this fraction of their size agree."""

INSIDE, NEAR = 1e-9, 1e-6
"""How far from a face, as a fraction of the range, values still are those on it, and how nearly."""

N_POINTS, N_ALONG = 200, 5
"""Points at which values are compared: random ones, and along each coordinate of a grid."""

MAX_INTEGER = 100.0
"""A scale 1/length that is an integer up to this one is written as a factor."""

ZERO, ONE = Number(0.0), Number(1.0)


@dataclass(frozen=True, kw_only=True)
class FaceValue:
    """The value of ∂ᵏ unknown along the normal of a face."""

    name: str
    """The condition that gives it."""
    place: int
    """The index of the residual in the condition."""
    unknown: str
    face: Face
    order: int
    value: Node


class NoAnsatzError(Exception):
    """No form with this value is known; the text completes the sentence that it is left."""

    def __init__(self, why: str, value: FaceValue | None = None) -> None:
        super().__init__(why)
        self.value = value


def along(unknown: str, axis: int, order: int, domain: Domain) -> Field:
    """A derivative along an axis."""
    return Field(unknown, tuple(order * k for k in unit(axis, domain.dimension)))


def name_along(unknown: str, axis: int, order: int, domain: Domain) -> str:
    """What a derivative along an axis is called, in quotes."""
    orders = along(unknown, axis, order, domain).orders
    return f"'{derivative_name(unknown, orders, domain.coordinates)}'"


def sample(domain: Domain, fixed: Mapping[int, float]) -> Array:
    """Points of the domain [n, d], its corners among them, some coordinates of which have given
    values, by axis.
    """
    axes = [
        np.array([fixed[axis]]) if axis in fixed else along
        for axis, along in enumerate(domain.grid((N_ALONG,) * domain.dimension))
    ]
    points = domain.from_unit(np.random.default_rng(0).random((N_POINTS, domain.dimension)))
    for axis, value in fixed.items():
        points[:, axis] = value
    return np.concatenate([grid_points(tuple(axes)), points])


def values_on(domain: Domain, tree: Node, fixed: Mapping[int, float]) -> Array:
    """Those of a function of the coordinates at such points, [n]."""
    points = sample(domain, fixed)
    columns = dict(zip(domain.coordinates, points.T, strict=True))
    with np.errstate(all="ignore"):
        values = np.asarray(evaluate(tree, columns, {}, NUMPY), dtype=np.float64)
    return np.broadcast_to(values, len(points))


def _size(domain: Domain, tree: Node, fixed: Mapping[int, float]) -> float:
    return float(np.max(np.abs(values_on(domain, tree, fixed))))


def interpolate(domain: Domain, values: Sequence[FaceValue], output: Field) -> Node:
    """g + Π factor·output.

    Raises:
        NoAnsatzError: with what does not fit in.
    """
    # Time comes last: where start and boundary disagree, it is the start that is left.
    axes = [*domain.space, *([] if domain.time_axis is None else [domain.time_axis])]
    level: Node = ZERO
    factors: list[Node] = []
    placed: list[FaceValue] = []
    for axis in axes:
        on_axis = [value for value in values if value.face.axis == axis]
        if not on_axis:
            continue
        counts = [_count(domain, [e for e in on_axis if e.face.upper == upper]) for upper in (0, 1)]
        n_lower, n_upper = counts
        ends = _Ends(
            name=domain.coordinates[axis],
            lower=domain.lower[axis],
            upper=domain.upper[axis],
            n_lower=n_lower,
            n_upper=n_upper,
        )
        more: Node = ZERO
        for value in on_axis:
            gap = _gap(domain, value, level)
            _check_corners(domain, value, level, placed)
            more = _sum(more, _product([ends.basis(value.face.upper, value.order), gap]))
        level = _sum(level, more)
        factors += ends.factors
        placed += on_axis
    return _sum(level, _product([*factors, output]))


def _count(domain: Domain, values: Sequence[FaceValue]) -> int:
    """How many derivatives, from the value on, are given at one end.

    Raises:
        NoAnsatzError: one is left out.
    """
    for k, value in enumerate(sorted(values, key=lambda value: value.order)):
        if value.order != k:
            has, missing = (
                name_along(value.unknown, value.face.axis, order, domain)
                for order in (value.order, k)
            )
            why = f"it gives {has} at {value.face.name}, and nothing gives {missing} there"
            raise NoAnsatzError(why, value)
    return len(values)


def _on(domain: Domain, value: FaceValue, level: Node) -> Node:
    """∂ᵏ level on the face of a value."""
    coordinate = domain.coordinates[value.face.axis]
    for _ in range(value.order):
        level = differentiate(level, coordinate, domain.coordinates)
    return substitute(level, {Symbol(coordinate): Number(value.face.value)})


def _gap(domain: Domain, value: FaceValue, level: Node) -> Node:
    """value − ∂ᵏ level on its face, without the part that is rounding."""
    fixed, here = {value.face.axis: value.face.value}, _on(domain, value, level)
    whole = call("-", value.value, here)
    sizes = [_size(domain, tree, fixed) for tree in (whole, value.value, here)]
    if not np.isfinite(sizes).all():
        raise NoAnsatzError("its values are not finite everywhere", value)
    if sizes[0] <= ROUNDING * max(sizes):
        return ZERO
    if sizes[2] <= ROUNDING * sizes[1]:
        return value.value
    return call("neg", here) if sizes[1] <= ROUNDING * sizes[2] else whole


def _check_corners(
    domain: Domain, face_value: FaceValue, level: Node, placed: Sequence[FaceValue]
) -> None:
    """Raises NoAnsatzError where a value disagrees with one of another axis on the edge of both,
    or comes to it with a jump.
    """
    names = domain.coordinates
    fixed, parts = (
        {face_value.face.axis: face_value.face.value},
        [face_value.value, _on(domain, face_value, level)],
    )
    sizes = [_size(domain, part, fixed) for part in parts]
    for other in placed:
        axis, derived = other.face.axis, parts
        length = domain.upper[axis] - domain.lower[axis]
        for _ in range(other.order):
            derived = [differentiate(part, names[axis], names) for part in derived]
        scale = max(
            max(sizes) / length**other.order, *(_size(domain, part, fixed) for part in derived)
        )
        inside = other.face.value + (-1 if other.face.upper else 1) * INSIDE * length
        for place, share in ((other.face.value, AGREE), (inside, NEAR)):
            value, here = (values_on(domain, part, {**fixed, axis: place}) for part in derived)
            with np.errstate(all="ignore"):
                agrees = bool(np.all(np.abs(value - here) <= share * scale))
            if not agrees:
                raise NoAnsatzError(f"it disagrees with '{other.name}' where they meet", face_value)


@dataclass(frozen=True, kw_only=True)
class _Ends:
    """Hermite's interpolation along one axis, of so many derivatives at each end."""

    name: str
    lower: float
    upper: float
    n_lower: int
    n_upper: int

    @property
    def distances(self) -> tuple[Node, Node]:
        """From the lower and the upper end."""
        x = Symbol(self.name)
        return _minus(x, self.lower), call("-", Number(self.upper), x)

    @property
    def factors(self) -> list[Node]:
        """((x − a)/h)^m and ((b − x)/h)^n, with half the length as h where both ends are held: of
        order one inside, in any units.
        """
        h = (self.upper - self.lower) / (2 if self.n_lower and self.n_upper else 1)
        powers = zip(self.distances, (self.n_lower, self.n_upper), strict=True)
        return [_power(_scaled(distance, h), n) for distance, n in powers if n]

    def basis(self, upper: bool, order: int) -> Node:
        """The polynomial whose derivative of this order is 1 at one end, and all others 0 there
        and at the other end.

        (x − a)^k/k! (1 − s)^n Σ_{j < m − k} C(n − 1 + j, j) s^j with s = (x − a)/(b − a), the
        upper end in the mirror.
        """
        length = self.upper - self.lower
        near, far = self.distances[::-1] if upper else self.distances
        m, n = (self.n_lower, self.n_upper)[:: -1 if upper else 1]
        s, rest = _scaled(near, length), _scaled(far, length)
        series: Node = ZERO
        for j in range(m - order):
            share = comb(n - 1 + j, j) if n else int(j == 0)
            series = _sum(series, _product([Number(float(share)), _power(s, j)]))
        step = _minus(Symbol(self.name), self.upper) if upper else near
        front = [Number(1 / factorial(order)), _power(step, order)]
        return _product([*front, _power(rest, n), series])


def _scaled(distance: Node, length: float) -> Node:
    scale = 1 / length
    if 1 <= scale <= MAX_INTEGER and scale.is_integer():
        return _product([Number(scale), distance])
    return call("/", distance, Number(length))


def _power(base: Node, n: int) -> Node:
    return call("**", base, Number(float(n)))


def _minus(x: Node, value: float) -> Node:
    return call("-", x, Number(value)) if value >= 0 else call("+", x, Number(-value))


def _sum(a: Node, b: Node) -> Node:
    """The sum; that with a negative number is a difference."""
    return (
        call("-", a, b.arguments[0])
        if isinstance(b, Call) and b.function == "neg" and a != ZERO
        else call("+", a, b)
    )


def _product(parts: Sequence[Node]) -> Node:
    """The product, its integers made one in front, and their sign that of the whole."""
    flat: list[Node] = []
    number = 1.0
    for part in parts:
        leading: Node = part
        rest: Node = ONE
        if isinstance(part, Call) and part.function == "*":
            leading, rest = part.arguments
        elif isinstance(part, Call) and part.function == "neg":
            leading, rest = Number(-1.0), part.arguments[0]
        if isinstance(leading, Number) and leading.value.is_integer():
            number *= leading.value
            leading = ONE
        flat += [factor for factor in (leading, rest) if factor != ONE]
    size: Node = Number(abs(number))
    whole = reduce(lambda a, b: call("*", a, b), flat, size)
    return call("neg", whole) if number < 0 else whole
