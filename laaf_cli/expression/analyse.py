"""What a resolved tree needs: which unknowns and derivatives, which names, which orders."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from laaf_cli.expression.functions import TABLE
from laaf_cli.expression.interpolant import FIELD, Interpolant
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
    """The unknowns and derivatives in a tree."""
    return tree.fields


def functions(tree: Node) -> frozenset[str]:
    """The functions and operators that a tree calls; values of files are no functions."""
    called = (node.function for node in nodes(tree) if isinstance(node, Call))
    return frozenset(called) - {FIELD}


def interpolants(tree: Node) -> frozenset[Interpolant]:
    """The values of files in a tree, and their derivatives."""
    return frozenset(node for node in nodes(tree) if isinstance(node, Interpolant))


def symbols(tree: Node) -> frozenset[str]:
    """The coordinates and other names in a tree."""
    return frozenset(node.name for node in nodes(tree) if isinstance(node, Symbol))


def addends(tree: Node, sign: float = 1.0) -> Iterator[tuple[float, Node]]:
    """The signed terms of a sum."""
    match tree:
        case Call(function="+", arguments=(left, right)):
            yield from addends(left, sign)
            yield from addends(right, sign)
        case Call(function="-", arguments=(left, right)):
            yield from addends(left, sign)
            yield from addends(right, -sign)
        case Call(function="neg", arguments=(inner,)):
            yield from addends(inner, -sign)
        case _:
            yield sign, tree


def hoist(tree: Node, label: str, varying: Collection[str] = ()) -> tuple[Node, dict[str, Node]]:
    """The tree with every largest part that training does not change replaced by a symbol, and
    those parts by symbol.

    Such parts have one value at each point, whatever the network: they need be computed only once.
    Calls of functions that are not in the table stay.

    Args:
        label: what the new symbols begin with; no name in a spec holds a space, so they cannot be
            confused.
        varying: symbols that training changes, as learned constants.
    """
    parts: dict[Node, str] = {}
    known: dict[int, Node] = {}
    changing: dict[int, bool] = {}

    def changes(node: Node) -> bool:
        if isinstance(node, Call):
            if id(node) not in changing:
                inner = [changes(part) for part in node.arguments]
                changing[id(node)] = node.function not in (*TABLE, FIELD) or any(inner)
            return changing[id(node)]
        return isinstance(node, Field) or (isinstance(node, Symbol) and node.name in varying)

    def visit(node: Node) -> Node:
        if isinstance(node, Number | Field) or (isinstance(node, Symbol) and node.name in varying):
            return node
        if id(node) in known:
            return known[id(node)]
        new: Node = node
        if not changes(node):
            new = Symbol(parts.setdefault(node, f"{label} {len(parts)}"), node.span)
        elif isinstance(node, Call):
            new = Call(node.function, tuple(visit(part) for part in node.arguments), node.span)
        known[id(node)] = new
        return new

    return visit(tree), {name: part for part, name in parts.items()}
