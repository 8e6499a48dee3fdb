"""The places along space at which a formula changes from one branch to another."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from laaf_cli.expression import NUMPY, Call, Node, Number, evaluate, fields, symbols
from laaf_cli.expression.analyse import nodes
from laaf_cli.expression.functions import COMPARISONS
from laaf_cli.problem.domain import Array

N_PLACES = 4001
MOST_BREAKS = 20
_ZERO = Number(0.0)


def branch_breaks(trees: Iterable[Node], coordinate: str, lower: float, upper: float) -> tuple[float, ...]:
    """Where comparisons of functions of one coordinate change, ascending and inside (lower, upper).

    Those of `where`, and those that are hidden in abs, sign, min and max. A branch narrower than 1/4000 of the range
    may go unseen, and so do all where there are more than 20.
    """
    found: set[float] = set()
    for tree in trees:
        for node in nodes(tree):
            condition = _condition(node)
            if condition is not None and not fields(condition) and symbols(condition) == {coordinate}:
                found |= _changes(condition, coordinate, lower, upper)
    return tuple(sorted(found)) if len(found) <= MOST_BREAKS else ()


def _condition(node: Node) -> Node | None:
    if not isinstance(node, Call):
        return None
    if node.function in COMPARISONS:
        return node
    if node.function in ("abs", "sign"):
        return Call("<", (node.arguments[0], _ZERO))
    return Call("<", node.arguments) if node.function in ("min", "max") else None


def _changes(condition: Node, coordinate: str, lower: float, upper: float) -> set[float]:
    """By bisection between neighbours of a fine grid."""

    def holds(x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(evaluate(condition, {coordinate: x}, {}, NUMPY), dtype=bool), x.shape)

    x = np.linspace(lower, upper, N_PLACES)
    truth = holds(x)
    at = np.flatnonzero(truth[1:] != truth[:-1])
    left, right = x[at], x[at + 1]
    for _ in range(60):
        middle = (left + right) / 2
        is_left = holds(middle) == truth[at]
        left, right = np.where(is_left, middle, left), np.where(is_left, right, middle)
    margin = 1e-9 * (upper - lower)
    return {float(place) for place in right if lower + margin < place < upper - margin}
