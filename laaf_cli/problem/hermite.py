"""Hermite's interpolation along one axis, as trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import comb, factorial

from laaf_cli.expression import Call, Node, Number, Symbol, call

MAX_INTEGER = 100.0
"""A scale 1/length that is a whole number up to this one is written as a factor."""

ZERO, ONE = Number(0.0), Number(1.0)


@dataclass(frozen=True)
class Ends:
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
            series = total(series, product([Number(float(share)), _power(s, j)]))
        step = _minus(Symbol(self.name), self.upper) if upper else near
        front = [Number(1 / factorial(order)), _power(step, order)]
        return product([*front, _power(rest, n), series])


def _scaled(distance: Node, length: float) -> Node:
    scale = 1 / length
    if 1 <= scale <= MAX_INTEGER and scale.is_integer():
        return product([Number(scale), distance])
    return call("/", distance, Number(length))


def _power(base: Node, n: int) -> Node:
    return call("**", base, Number(float(n)))


def _minus(x: Node, value: float) -> Node:
    return call("-", x, Number(value)) if value >= 0 else call("+", x, Number(-value))


def total(a: Node, b: Node) -> Node:
    """The sum; that with a negative number is a difference."""
    return (
        call("-", a, b.arguments[0])
        if isinstance(b, Call) and b.function == "neg" and a != ZERO
        else call("+", a, b)
    )


def product(parts: Sequence[Node]) -> Node:
    """The product, its whole numbers made one in front, and their sign that of the whole."""
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
        flat += [each for each in (leading, rest) if each != ONE]
    size: Node = Number(abs(number))
    whole = reduce(lambda a, b: call("*", a, b), flat, size)
    return call("neg", whole) if number < 0 else whole
