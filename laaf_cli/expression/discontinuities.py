"""The places along a coordinate at which a formula changes from one branch to another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression.analyse import fields, symbols
from laaf_cli.expression.functions import COMPARISONS
from laaf_cli.expression.interpret import NUMPY, evaluate
from laaf_cli.expression.tree import Call, Node, Number

N_PLACES = 4001
SAME = 1e-12
"""Places at most this far from each other, relative to the range, are one."""
_ZERO = Number(0.0)

BENDS = ("abs", "min", "max")


def branch_breaks(
    trees: Iterable[Node], coordinate: str, lower: float, upper: float
) -> tuple[float, ...]:
    """Where comparisons of functions of one coordinate change, ascending and inside (lower, upper).

    Those of `where`, and those that are hidden in abs, sign, floor, min and max. Branches of any
    width are found where the two sides of a comparison come closest between places a 1/4000 of the
    range between them, as those of abs(t − a) < w do.
    """
    places: set[float] = set()
    for tree in trees:
        for switch in switches(tree):
            if fields(switch) or symbols(switch) != {coordinate}:
                continue
            closest = np.zeros(0)
            if isinstance(switch, Call) and switch.function in ("<", "<=", ">", ">="):
                closest = _nearest(Call("-", switch.arguments), coordinate, lower, upper)
            places |= _changes(switch, coordinate, lower, upper, closest)
    apart: list[float] = []
    for place in sorted(places):  # rounding makes two of what is written in two ways
        if not apart or place - apart[-1] > SAME * (upper - lower):
            apart.append(place)
    return tuple(apart)


def switches(tree: Node) -> Iterator[Node]:
    """What takes another value where a tree changes its branch; what only bends and is compared
    changes none.
    """
    seen: set[tuple[int, bool]] = set()
    stack = [(tree, False)]
    while stack:
        node, is_compared = stack.pop()
        if (id(node), is_compared) in seen or not isinstance(node, Call):
            continue
        seen.add((id(node), is_compared))
        switch = _switch(node)
        if switch is not None and not (is_compared and node.function in BENDS):
            yield switch
        is_compared |= node.function in COMPARISONS
        stack.extend((argument, is_compared) for argument in node.arguments)


def turns(tree: Node, coordinate: str, lower: float, upper: float) -> set[float]:
    """Where a function of one coordinate changes its sign, or comes closest to zero or farthest
    from it, inside (lower, upper).
    """
    nearest = _nearest(tree, coordinate, lower, upper)
    farthest = _nearest(tree, coordinate, lower, upper, -1)
    changes = _changes(Call("<", (tree, _ZERO)), coordinate, lower, upper, nearest)
    return changes | set(map(float, nearest)) | set(map(float, farthest))


def _switch(node: Node) -> Node | None:
    """What takes another value where the branch changes: a comparison, or the integer of floor."""
    if not isinstance(node, Call):
        return None
    if node.function in COMPARISONS or node.function == "floor":
        return node
    if node.function in ("abs", "sign"):
        return Call("<", (node.arguments[0], _ZERO))
    return Call("<", node.arguments) if node.function in ("min", "max") else None


def _changes(switch: Node, coordinate: str, lower: float, upper: float, more: Array) -> set[float]:
    """The first float of the new state, by bisection between neighbours of a fine grid and some
    places more.
    """
    x = np.unique(np.concatenate([np.linspace(lower, upper, N_PLACES), more]))
    state = _along(switch, coordinate, x)
    at = np.flatnonzero(state[1:] != state[:-1])
    if not len(at):
        return set()
    # Near zero floats are far closer than a fraction of the range.
    left, right = _rank(x[at]), _rank(x[at + 1])
    for _ in range(64):
        middle = (left >> 1) + (right >> 1) + (left & right & 1)
        is_left = _along(switch, coordinate, _of_rank(middle)) == state[at]
        left, right = np.where(is_left, middle, left), np.where(is_left, right, middle)
    margin = 1e-9 * (upper - lower)
    return {float(place) for place in _of_rank(right) if lower + margin < place < upper - margin}


def _rank(floats: Array) -> NDArray[np.int64]:
    """The numbers of floats in the order of all of them; 0 is that of 0."""
    bits = floats.view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)


def _of_rank(numbers: NDArray[np.int64]) -> Array:
    """The floats of these numbers."""
    bits = np.where(numbers < 0, np.iinfo(np.int64).min - numbers, numbers)
    return bits.view(np.float64)


def _nearest(tree: Node, coordinate: str, lower: float, upper: float, sign: int = 1) -> Array:
    """Where a function comes closest to zero between the places of a fine grid, or, for the sign
    −1, farthest from it, by ternary search.
    """
    x = np.linspace(lower, upper, N_PLACES)
    size = sign * np.abs(_along(tree, coordinate, x))
    at = 1 + np.flatnonzero((size[1:-1] <= size[:-2]) & (size[1:-1] < size[2:]))
    if not len(at):
        return np.zeros(0)
    left, right = x[at - 1], x[at + 1]
    signs = sign * np.sign(_along(tree, coordinate, x[at]))
    for _ in range(64):
        third = (right - left) / 3
        # The function itself and not its size is followed down, through zero, to where it is
        # lowest.
        both = _along(tree, coordinate, np.concatenate([left + third, right - third]))
        low, high = signs * np.split(both, 2)
        is_right = low > high
        left, right = (
            np.where(is_right, left + third, left),
            np.where(is_right, right, right - third),
        )
    return (left + right) / 2


def _along(tree: Node, coordinate: str, x: Array) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        values = evaluate(tree, {coordinate: x}, {}, NUMPY)
    return np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), x.shape))
