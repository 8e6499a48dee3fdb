"""The name of a partial derivative: `u_xxt` ⇄ the unknown `u` and its orders per coordinate (2, 1).

A multi-index α = (α_1, …, α_d) holds one order per coordinate, in the order of the problem's
coordinates; |α| is its total order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product

Orders = tuple[int, ...]

MAX_ORDER = 4


def derivative_name(unknown: str, orders: Orders, coordinates: Sequence[str]) -> str:
    """`u_xxt` for ("u", (2, 1), ("x", "t")); the bare unknown where every order is 0."""
    suffix = "".join(name * order for name, order in zip(coordinates, orders, strict=True))
    return f"{unknown}_{suffix}" if suffix else unknown


def parse_suffix(suffix: str, coordinates: Sequence[str]) -> Orders | None:
    """The orders that `xxt` names, or None where it is not made of coordinate names alone.

    Coordinate names may have several letters; `ambiguous_coordinate` says when that is
    ambiguous.
    """

    @cache
    def from_position(position: int) -> Orders | None:
        if position == len(suffix):
            return (0,) * len(coordinates)
        for axis, name in enumerate(coordinates):
            if suffix.startswith(name, position):
                rest = from_position(position + len(name))
                if rest is not None:
                    return tuple(order + (i == axis) for i, order in enumerate(rest))
        return None

    return from_position(0) if len(suffix) <= 64 else None


def ambiguous_coordinate(coordinates: Sequence[str]) -> str | None:
    """A coordinate whose name is made of the names of others (as `xx` beside `x`), or None."""
    for name in coordinates:
        others = [other for other in coordinates if other != name]
        if parse_suffix(name, others) is not None:
            return name
    return None


def add(a: Orders, b: Orders) -> Orders:
    """The multi-index of a derivative of a derivative."""
    return tuple(i + j for i, j in zip(a, b, strict=True))


def unit(axis: int, n_coordinates: int) -> Orders:
    """The first derivative along one coordinate."""
    return tuple(int(i == axis) for i in range(n_coordinates))


def lower_set(indices: Iterable[Orders]) -> tuple[Orders, ...]:
    """Every multi-index below or equal to one of `indices`, by total order, then along the
    coordinates.

    These are the derivatives that the chain rule needs on the way to the ones asked for.
    """
    closed = {
        below for index in indices for below in product(*(range(order + 1) for order in index))
    }
    return tuple(sorted(closed, key=lambda index: (sum(index), tuple(-order for order in index))))
