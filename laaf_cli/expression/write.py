"""Tree → text, in the language that `parse` reads."""

from __future__ import annotations

import math
from collections.abc import Sequence

from laaf_cli.expression.functions import COMPARISONS
from laaf_cli.expression.interpolant import Interpolant
from laaf_cli.expression.tree import Call, Field, Node, Number, Symbol
from laaf_cli.multi_index import derivative_name

LEVELS = (
    {"or": 0, "and": 1}
    | dict.fromkeys(COMPARISONS - {"and", "or"}, 2)
    | {"+": 3, "-": 3, "*": 4, "/": 4, "neg": 5, "**": 6}
)
"""How tightly operators bind."""

ATOM = 7

_MULTIPLES = {k * math.pi: "pi" if k == 1 else f"{k}*pi" for k in range(1, 13)}


def write(tree: Node, coordinates: Sequence[str]) -> str:
    """The text of a resolved tree; read again, it has the same values up to rounding."""
    text, _ = _written(tree, coordinates)
    return text


def _written(tree: Node, coordinates: Sequence[str]) -> tuple[str, int]:
    """A text, and how tightly it binds."""
    match tree:
        case Symbol():
            return tree.name, ATOM
        case Field():
            return derivative_name(tree.unknown, tree.orders, coordinates), ATOM
        case Number():
            return _number(tree.value)
    if isinstance(values := tree.arguments[0], Interpolant):
        along = [place.name for place in tree.arguments[1:] if isinstance(place, Symbol)]
        order = "".join(f", {name}" * k for name, k in zip(along, values.orders, strict=False))
        return (f"D({values.name}{order})" if order else values.name), ATOM
    level = LEVELS.get(tree.function, ATOM)
    if level == ATOM:
        inner = ", ".join(write(argument, coordinates) for argument in tree.arguments)
        return f"{tree.function}({inner})", ATOM
    # What is left of a power binds more tightly, what is right of the others.
    least = [level + 1] if level in (2, 5, 6) else [level]
    is_chain = tree.function in ("+", "*", "and", "or") and continues(tree)
    parts = [
        _within(part, least[0] if i == 0 or is_chain else level + 1, coordinates, is_first=i == 0)
        for i, part in enumerate(tree.arguments)
    ]
    if tree.function == "neg":
        return f"-{parts[0]}", level
    joint = tree.function if tree.function in ("*", "/", "**") else f" {tree.function} "
    return joint.join(parts), level


def continues(tree: Call) -> bool:
    """Whether the right side of a sum or product is one itself, so that it needs no brackets."""
    right = tree.arguments[1]
    return isinstance(right, Call) and right.function == tree.function


def _within(part: Node, least: int, coordinates: Sequence[str], *, is_first: bool) -> str:
    text, level = _written(part, coordinates)
    return f"({text})" if level < least or (text[0] == "-" and not is_first) else text


def _number(value: float) -> tuple[str, int]:
    size = _MULTIPLES.get(abs(value))
    level = ATOM if size in (None, "pi") else LEVELS["*"]
    size = size or repr(abs(float(value))).removesuffix(".0")
    return (size, level) if value >= 0 else (f"-{size}", min(level, LEVELS["neg"]))
