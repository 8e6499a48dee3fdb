"""The part of a tree that is linear in derivatives, with coefficients that only points determine."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from laaf_cli.expression.analyse import fields, functions, symbols
from laaf_cli.expression.differentiate import partial
from laaf_cli.expression.faults import ExpressionError
from laaf_cli.expression.functions import TABLE
from laaf_cli.expression.substitute import substitute
from laaf_cli.expression.tree import ZERO, Field, Node


def linear_coefficients(tree: Node, varying: Collection[str] = ()) -> dict[Field, Node]:
    """c_f = ∂tree/∂f of every derivative f of an unknown whose c_f contains neither unknowns nor varying symbols.

    Then tree = rest + Σ c_f f, where the rest is the tree without these derivatives.
    """
    found = {}
    for field in sorted(fields(tree), key=lambda field: (field.unknown, field.orders)):
        if any(field.orders):
            try:
                coefficient = partial(tree, field)
            except ExpressionError:  # it is inside a Python function, or the coefficient would be huge
                continue
            if not (fields(coefficient) or symbols(coefficient).intersection(varying) or _calls_python(coefficient)):
                found[field] = coefficient
    return found


def without(tree: Node, linear: Mapping[Field, Node]) -> Node:
    """The rest of a tree: these derivatives set to 0."""
    return substitute(tree, dict.fromkeys(linear, ZERO))


def _calls_python(tree: Node) -> bool:
    return bool(functions(tree) - TABLE.keys())
