"""What a resolved tree needs: which unknowns and derivatives, which names, which orders."""

from __future__ import annotations

from collections.abc import Iterator

from laaf_cli.expression.tree import Call, Field, Node, Number, Symbol


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


def hoist(tree: Node, label: str) -> tuple[Node, dict[str, Node]]:
    """The tree with every largest part that needs no unknown replaced by a symbol, and those parts by symbol.

    label: what the new symbols begin with; no name in a spec holds a space, so they cannot be confused.

    Such parts have one value at each point, whatever the network: they need be computed only once.
    """
    parts: dict[Node, str] = {}
    known: dict[int, Node] = {}

    def visit(node: Node) -> Node:
        if isinstance(node, Number | Field):
            return node
        if id(node) not in known:
            known[id(node)] = replaced(node)
        return known[id(node)]

    def replaced(node: Symbol | Call) -> Node:
        if not fields(node):
            return Symbol(parts.setdefault(node, f"{label} {len(parts)}"), node.span)
        if isinstance(node, Symbol):
            return node
        return Call(node.function, tuple(visit(argument) for argument in node.arguments), node.span)

    return visit(tree), {name: part for part, name in parts.items()}
