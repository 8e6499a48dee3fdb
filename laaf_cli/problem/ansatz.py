"""The form of the solution: each unknown as an expression in the outputs of a network.

u(x) = g(x) + h(x) net(x) meets conditions exactly where g meets them and h vanishes (Lagaris, Likas
& Fotiadis, IEEE Transactions on Neural Networks 9, 1998, section III). Derivatives of u follow
symbolically.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from laaf_cli.expression import Field, Node, differentiate


@dataclass(frozen=True, kw_only=True)
class Ansatz:
    """Unknowns from outputs."""

    coordinates: tuple[str, ...]
    outputs: tuple[str, ...]
    """Names of the network's outputs."""
    trees: Mapping[str, Node] = field(default_factory=dict)
    """Each unknown that is not an output itself, as an expression in the coordinates and the
    outputs.
    """
    harmonics: Mapping[int, int] = field(default_factory=dict)
    """By axis, the number of harmonics of the inputs that are periodic."""

    def tree(self, wanted: Field) -> Node:
        """An unknown or a derivative of it, in the outputs.

        Raises:
            ExpressionError: for an order above 4.
        """
        if wanted.unknown not in self.trees:
            return wanted
        if wanted not in self._derived:
            tree = self.trees[wanted.unknown]
            for coordinate, order in zip(self.coordinates, wanted.orders, strict=True):
                for _ in range(order):
                    tree = differentiate(tree, coordinate, self.coordinates)
            self._derived[wanted] = tree
        return self._derived[wanted]

    @cached_property
    def _derived(self) -> dict[Field, Node]:
        """Those that were asked for: many terms need the same ones."""
        return {}
