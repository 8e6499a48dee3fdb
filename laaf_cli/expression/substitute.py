"""Other trees in place of unknowns, derivatives and names."""

from __future__ import annotations

from collections.abc import Mapping

from laaf_cli.expression.simplify import call
from laaf_cli.expression.tree import Field, Node, Number, Symbol


def substitute(tree: Node, meanings: Mapping[Field | Symbol, Node]) -> Node:
    """The tree with other trees in place of some of its unknowns, derivatives and names,
    simplified.
    """
    known: dict[int, Node] = {}

    def visit(node: Node) -> Node:
        if isinstance(node, Number):
            return node
        if isinstance(node, Field | Symbol):
            return meanings.get(node, node)
        if id(node) not in known:
            known[id(node)] = call(
                node.function, *(visit(argument) for argument in node.arguments), span=node.span
            )
        return known[id(node)]

    return visit(tree) if meanings else tree
