"""What every smooth piece of the boundary of a shape is, in two dimensions or in three."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array


@dataclass(frozen=True, kw_only=True)
class BoundaryPoints:
    """Points and outward unit normals [n, d] of a shape, and which of them count: those that do are
    uniform.
    """

    points: Array
    normals: Array
    held: NDArray[np.bool_]


class BoundaryPiece(ABC):
    """A smooth piece of the boundary of a shape."""

    quantity: ClassVar[str]
    """The name of its measure."""
    n_numbers: ClassVar[int]
    """How many a point is drawn by."""

    @property
    @abstractmethod
    def measure(self) -> float:
        """Its length or area."""

    @property
    @abstractmethod
    def weight(self) -> float:
        """Its measure, were all points that are drawn held."""

    @property
    @abstractmethod
    def swept(self) -> float:
        """∮ p·n / d over it: its part of the area or volume of the shape."""

    @abstractmethod
    def draw(self, numbers: Array) -> BoundaryPoints:
        """A point for each row of numbers in [0, 1], [n, n_numbers]."""

    @abstractmethod
    def some(self, n: int) -> BoundaryPoints:
        """n points all over it, which all count."""


def on_pieces(pieces: Sequence[BoundaryPiece], numbers: Array) -> BoundaryPoints:
    """Points for numbers [n, n_numbers] in [0, 1] on all pieces together."""
    weights = np.array([piece.weight for piece in pieces])
    ends = np.cumsum(weights)
    at = np.clip(numbers[:, 0], 0, 1) * ends[-1]
    index = np.minimum(np.searchsorted(ends, at, side="right"), len(pieces) - 1)
    shares = np.column_stack([1 - (ends[index] - at) / weights[index], numbers[:, 1:]])
    drawings = [piece.draw(shares[index == i]) for i, piece in enumerate(pieces)]
    order = np.argsort(np.argsort(index, kind="stable"))
    return BoundaryPoints(
        points=np.concatenate([drawing.points for drawing in drawings])[order],
        normals=np.concatenate([drawing.normals for drawing in drawings])[order],
        held=np.concatenate([drawing.held for drawing in drawings])[order],
    )
