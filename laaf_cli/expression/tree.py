"""The tree of an expression: four kinds of node, each with its place in the text.

A tree is a value: nodes are frozen, two trees are equal when they mean the same text, and subtrees
are shared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from laaf_cli.multi_index import Orders

Span = tuple[int, int]
"""First character and the one after the last, in the text that was parsed."""

NOWHERE: Span = (0, 0)


@dataclass(frozen=True)
class Number:
    """A real number."""

    value: float
    span: Span = field(default=NOWHERE, compare=False)
    depth = 1
    size = 1
    fields: ClassVar[frozenset[Field]] = frozenset()


@dataclass(frozen=True)
class Symbol:
    """A coordinate or a constant, by name; before resolution any name."""

    name: str
    span: Span = field(default=NOWHERE, compare=False)
    depth = 1
    size = 1
    fields: ClassVar[frozenset[Field]] = frozenset()


@dataclass(frozen=True)
class Field:
    """An unknown or one of its derivatives."""

    unknown: str
    orders: Orders
    span: Span = field(default=NOWHERE, compare=False)
    depth = 1
    size = 1

    @property
    def fields(self) -> frozenset[Field]:
        """Itself."""
        return frozenset((self,))


@dataclass(frozen=True)
class Call:
    """A function or operator of the table applied to arguments.

    `depth` and `size` (counted as a tree, shared parts each time) bound what hostile input may
    build.
    """

    function: str
    arguments: tuple[Node, ...]
    span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(init=False, compare=False)
    size: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max((a.depth for a in self.arguments), default=0))
        object.__setattr__(self, "size", 1 + sum(a.size for a in self.arguments))

    @cached_property
    def fields(self) -> frozenset[Field]:
        """The unknowns and derivatives in it; one set for as many nodes as hold the same."""
        parts = [argument.fields for argument in self.arguments]
        largest = max(parts, key=len, default=frozenset())
        joined = largest.union(*parts)
        return largest if len(joined) == len(largest) else joined


Node = Number | Symbol | Field | Call

ZERO = Number(0.0)
ONE = Number(1.0)


def is_number(node: Node, value: float) -> bool:
    """Whether a node is a number of exactly this value."""
    return isinstance(node, Number) and node.value == value
