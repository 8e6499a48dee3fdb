"""What others write for derivatives and integrals, and how it is written here."""

from __future__ import annotations

import re

from laaf_cli.expression.faults import ExpressionError, fault
from laaf_cli.expression.tree import Call, Node, Number, Symbol

_INTEGRALS = frozenset({"integral", "Integral", "integrate", "int", "quad", "trapz"})


def check_notation(node: Call, unknowns: tuple[str, ...], coordinates: tuple[str, ...]) -> None:
    """Raises ExpressionError for an integral, and for `div(grad(u))`, `diff(u, x, 2)` and
    `d2u/dx2`.
    """
    match node:
        case Call(function=name) if name in _INTEGRALS:
            raise _integral(node, unknowns, coordinates)
        case Call(function="div", arguments=(Call(function="grad"),)):
            raise fault("unknown function 'div'", node.span, "Write laplacian(…) for div(grad(…)).")
        case Call(function=("div" | "grad") as name):
            hint = "Write the derivatives out, as u_x, or D(k*u_x, x) + D(k*u_y, y)."
            raise fault(f"unknown function '{name}'", node.span, hint)
        case Call(function="diff", arguments=(Symbol(name=unknown), Symbol(name=along), *rest)):
            times = [int(part.value) for part in rest if isinstance(part, Number)]
            if unknown in unknowns and along in coordinates and len(times) == len(rest) <= 1:
                hint = f"Write {unknown}_{along * max(1, min(*times, 4))}." if times else ""
                hint = hint or f"Write {unknown}_{along}."
                raise fault("unknown function 'diff'", node.span, hint)
        case Call(function="/", arguments=(above, Symbol(name=below))):
            _check_quotient(node, above, below, unknowns, coordinates)


def _integral(
    node: Call, unknowns: tuple[str, ...], coordinates: tuple[str, ...]
) -> ExpressionError:
    what = f"'{node.function}' stands in an expression, and integrals are not supported there"
    example = f"I_{coordinates[0]} = {unknowns[0]}" if unknowns and coordinates else "I_x = u"
    hint = f"Let an unknown of its own have the integrand as its derivative, as in {example}."
    return fault(what, node.span, hint)


def _check_quotient(
    node: Call, above: Node, below: str, unknowns: tuple[str, ...], coordinates: tuple[str, ...]
) -> None:
    """Raises ExpressionError for `du/dt` and `k*d2u/dx2`."""
    last = above.arguments[1] if isinstance(above, Call) and above.function == "*" else above
    if not isinstance(last, Symbol):
        return
    top, bottom = re.fullmatch("d([2-4]?)(.+)", last.name), re.fullmatch("d(.+?)([2-4]?)", below)
    if top and bottom and top[1] == bottom[2]:
        order, unknown, along = int(top[1] or 1), top[2], bottom[1]
        if unknown in unknowns and along in coordinates:
            what = f"a derivative is not written '{last.name}/{below}'"
            raise fault(what, (last.span[0], node.span[1]), f"Write {unknown}_{along * order}.")
