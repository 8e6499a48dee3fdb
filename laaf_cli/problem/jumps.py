"""Jumps that a derivative loses: `D(k*u_x, x)` where k jumps along x holds on both sides, and
not across.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    Call,
    Node,
    Scope,
    evaluate,
    fields,
    functions,
    nodes,
    resolve,
    symbols,
)
from laaf_cli.problem.domain import Domain

N_LINES = 500
"""Lines along which jumps are looked for."""

N_HALVINGS = 60

MAX_WORK = 10_000
"""Operations that may be computed on all lines to look for the jumps of one expression: a tenth
of a second.
"""

CONTINUOUS = 1e-9
"""A jump below this share of the size of the expression is none."""

DISCONTINUOUS = ("where", "sign", "floor")


def lost_jumps(tree: Node, scope: Scope, domain: Domain) -> list[str]:
    """The functions at whose jumps a derivative that `D` or `laplacian` writes is taken, each once,
    in order.

    tree: as it was parsed, with its `D` and `laplacian`; it must resolve in the scope.
    """
    found: dict[str, None] = {}
    work = 0
    derived: dict[int, Node] = {}
    if functions(tree) & {"D", "laplacian"}:
        resolve(tree, scope, derived)
    for node in nodes(tree):
        if isinstance(node, Call) and node.function in ("D", "laplacian"):
            is_laplacian = node.function == "laplacian"
            along = scope.space if is_laplacian else symbols(Call("D", node.arguments[1:]))
            differentiated = derived[id(node)]
            for each in nodes(differentiated):
                work += 1
                if not isinstance(each, Call) or each.function in found:
                    continue
                if each.function not in DISCONTINUOUS:
                    continue
                # What changes by steps: the condition of a `where`, and the values of the others.
                step = each.arguments[0] if each.function == "where" else each
                work += N_HALVINGS * sum(1 for _ in nodes(step))
                if work > MAX_WORK:  # a hint is not worth more
                    return [name for name in DISCONTINUOUS if name in found]
                if _jumps(differentiated, step, along, domain):
                    found[each.function] = None
    return [name for name in DISCONTINUOUS if name in found]


def _jumps(tree: Node, step: Node, along: Collection[str], domain: Domain) -> bool:
    """Whether a resolved tree jumps at a break of `step` where the coordinates `along` and the
    unknowns change.

    Random points are joined in pairs by lines; on each that crosses a break, it is enclosed by
    halving. There the tree is evaluated on both sides: x*sign(x), or a `where` whose branches meet,
    has no jump.
    """
    random = np.random.default_rng(0)
    start, end = (_some_values(tree, domain, random) for _ in range(2))
    end |= {key: start[key] for key in start if isinstance(key, str) and key not in along}
    crossing = _value(step, start) != _value(step, end)
    left = {key: values[crossing] for key, values in start.items()}
    right = {key: values[crossing] for key, values in end.items()}
    before = _value(step, left)
    # Both sides come as near to the break as numbers lie.
    for _ in range(N_HALVINGS):
        middle = {key: (left[key] + right[key]) / 2 for key in left}
        is_left = _value(step, middle) == before
        left = {key: np.where(is_left, middle[key], left[key]) for key in left}
        right = {key: np.where(is_left, right[key], middle[key]) for key in right}
    size, one, other = (np.abs(_value(tree, start)), _value(tree, left), _value(tree, right))
    with np.errstate(all="ignore"):
        jump = np.abs(one - other)
    return bool(np.any(jump > CONTINUOUS * np.max(size, where=np.isfinite(size), initial=0.0)))


def _some_values(tree: Node, domain: Domain, random: np.random.Generator) -> dict[Any, Array]:
    """Points of the domain by coordinate, and values of everything else in a tree, [n_lines]
    each.
    """
    points = domain.from_unit(random.random((N_LINES, domain.dimension)))
    values: dict[Any, Array] = {
        name: random.uniform(0.5, 1.5, N_LINES) for name in sorted(symbols(tree))
    }
    ordered = sorted(fields(tree), key=lambda field: (field.unknown, field.orders))
    values |= {field: random.uniform(-1.5, 1.5, N_LINES) for field in ordered}
    return values | dict(zip(domain.coordinates, points.T, strict=True))


def _value(tree: Node, values: dict[Any, Array]) -> Any:
    with np.errstate(all="ignore"):
        n = len(next(iter(values.values())))
        return np.broadcast_to(evaluate(tree, values, values, NUMPY), n)
