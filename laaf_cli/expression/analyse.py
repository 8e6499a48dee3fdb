"""What a resolved tree needs: which unknowns and derivatives, which names, which orders."""

from __future__ import annotations

from collections.abc import Iterator

from laaf_cli.expression.tree import Call, Field, Node, Symbol


def nodes(tree: Node) -> Iterator[Node]:
    """Every distinct node of a tree, shared parts once."""
    seen: set[int] = set()
    stack = [tree]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, Call):
            stack.extend(node.arguments)


def fields(tree: Node) -> frozenset[Field]:
    """The unknowns and derivatives that stand in a tree."""
    return frozenset(node for node in nodes(tree) if isinstance(node, Field))


def symbols(tree: Node) -> frozenset[str]:
    """The coordinates that stand in a tree."""
    return frozenset(node.name for node in nodes(tree) if isinstance(node, Symbol))
