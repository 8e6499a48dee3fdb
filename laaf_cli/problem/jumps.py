"""Jumps that a derivative loses: `D(k*u_x, x)` where k jumps along x holds on both sides, and
not across.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Call, Node, Scope, evaluate, fields, nodes, resolve, symbols
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
    for node in nodes(tree):
        if isinstance(node, Call) and node.function in ("D", "laplacian"):
            along = (
                scope.space
                if node.function == "laplacian"
                else tuple(symbols(Call("D", node.arguments[1:])))
            )
            differentiated = resolve(node.arguments[0], scope)
            for each in nodes(differentiated):
                work += 1
                if not (
                    isinstance(each, Call)
                    and each.function in DISCONTINUOUS
                    and each.function not in found
                ):
                    continue
                step = _step(each)
                work += N_HALVINGS * sum(1 for _ in nodes(step))
                if work > MAX_WORK:  # a hint is not worth more
                    return [name for name in DISCONTINUOUS if name in found]
                if _jumps(differentiated, step, along, domain):
                    found[each.function] = None
    return [name for name in DISCONTINUOUS if name in found]


def _step(node: Call) -> Node:
    """What changes by steps: the condition of a `where`, and the values of the others."""
    return node.arguments[0] if node.function == "where" else node


def _jumps(tree: Node, step: Node, along: tuple[str, ...], domain: Domain) -> bool:
    """Whether a resolved tree jumps at a break of `step` where the coordinates `along` and the
    unknowns change.

    Random points are joined in pairs by lines; on each that crosses a break, it is enclosed by
    halving. There the tree is evaluated on both sides: x*sign(x), or a `where` whose branches meet,
    has no jump.
    """
    random = np.random.default_rng(0)
    start, end = (_some_values(tree, domain, random) for _ in range(2))
    end |= {
        name: values
        for name, values in start.items()
        if isinstance(name, str) and name not in along
    }
    left, right = _enclosed(step, start, end)
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


def _enclosed(
    step: Node, start: dict[Any, Array], end: dict[Any, Array]
) -> tuple[dict[Any, Array], dict[Any, Array]]:
    """Both sides of a break of `step`, as near as numbers lie, on each line from start to end
    that crosses one.
    """
    crossing = _value(step, start) != _value(step, end)
    left, right = (
        {name: values[crossing] for name, values in side.items()} for side in (start, end)
    )
    before = _value(step, left)
    for _ in range(N_HALVINGS):
        middle = {name: (left[name] + right[name]) / 2 for name in left}
        is_left = _value(step, middle) == before
        left = {name: np.where(is_left, middle[name], left[name]) for name in left}
        right = {name: np.where(is_left, right[name], middle[name]) for name in right}
    return left, right


def _value(tree: Node, values: dict[Any, Array]) -> Any:
    with np.errstate(all="ignore"):
        return np.broadcast_to(
            evaluate(tree, values, values, NUMPY), len(next(iter(values.values())))
        )
