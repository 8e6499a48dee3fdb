"""The part of a tree that is linear in derivatives, with coefficients that only points
determine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from laaf_cli.expression.analyse import fields, functions, nodes, symbols
from laaf_cli.expression.differentiate import partial
from laaf_cli.expression.faults import ExpressionError
from laaf_cli.expression.functions import TABLE
from laaf_cli.expression.simplify import call
from laaf_cli.expression.substitute import substitute
from laaf_cli.expression.tree import ZERO, Call, Field, Node

LINEAR = frozenset({"+", "-", "*", "/", "neg", "where"})
"""What may contain a derivative that counts as linear; of `where` in its branches alone.

Elsewhere ∂tree/∂f may be free of f though the tree is not linear in it: that of sign(f) and of a
comparison is 0.
"""


def linear_coefficients(tree: Node, varying: Collection[str] = ()) -> dict[Field, Node]:
    """c_f = ∂tree/∂f of every derivative f of an unknown whose c_f contains neither unknowns nor
    varying symbols.

    Then tree = rest + Σ c_f f, where the rest is the tree without these derivatives.
    """
    elsewhere: frozenset[Field] = frozenset()
    for node in nodes(tree):
        if isinstance(node, Call) and node.function == "where":
            elsewhere |= fields(node.arguments[0])
        elif isinstance(node, Call) and node.function not in LINEAR:
            elsewhere |= fields(node)
    coefficients = {}
    for field in sorted(fields(tree) - elsewhere, key=lambda field: (field.unknown, field.orders)):
        if any(field.orders):
            try:
                coefficient = partial(tree, field)
            except ExpressionError:
                continue  # it is inside a Python function, or the coefficient would be huge
            if not (
                fields(coefficient)
                or symbols(coefficient).intersection(varying)
                or functions(coefficient) - TABLE.keys()
            ):
                coefficients[field] = coefficient
    return coefficients


def solved_for(tree: Node, field: Field) -> Node | None:
    """The value of a field at which a tree is 0; None where ∂tree/∂field holds the field.

    Raises ExpressionError where it has no finite value.
    """
    slope = partial(tree, field)
    if field in fields(slope):
        return None
    return call("/", call("neg", substitute(tree, {field: ZERO})), slope)


def without(tree: Node, linear: Mapping[Field, Node]) -> Node:
    """The rest of a tree: these derivatives set to 0.

    Raises ExpressionError where a part of it has no finite value then.
    """
    return substitute(tree, dict.fromkeys(linear, ZERO))
