"""Shapes: solids that are joined, met or cut out, and what all shapes have, of two dimensions or of
three.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.boundary import BoundaryPiece
from laaf_cli.problem.shapes.motion import Motion
from laaf_cli.problem.shapes.solid import Solid

N_AROUND = 32
"""Directions in the plane in which the inside is looked for beside a point of a boundary; twice as
many in space.
"""

ON, BESIDE = 1e-9, 1e-6
"""As fractions of the size of the box: how near to a boundary a point lies on it; how far beside it
both sides are looked at.
"""

N_LOOKED_AT = 20
"""Points of a piece by which it is found on what it lies."""

BOUNDARY = "boundary"
"""The part that is all of the boundary."""


@dataclass(frozen=True, eq=False)
class Combined:
    """Two parts of a shape: `+` joined, `*` what they have in common, `-` the first without the
    second.
    """

    operator: str
    first: Body
    second: Body

    def level(self, points: Array) -> Array:
        """Negative inside, [n]."""
        return self.of_levels(self.first.level(points), self.second.level(points))

    def of_levels(self, first: Array, second: Array) -> Array:
        """The same of the levels of both parts."""
        if self.operator == "+":
            return np.minimum(first, second)
        return np.maximum(first, second if self.operator == "*" else -second)

    def moved(self, motion: Motion) -> Combined:
        """The same after a motion."""
        return Combined(self.operator, self.first.moved(motion), self.second.moved(motion))


Body = Solid | Combined


def solids(body: Body) -> Iterator[Solid]:
    """Those that a body is made of, in order."""
    if isinstance(body, Combined):
        yield from solids(body.first)
        yield from solids(body.second)
    else:
        yield body


@dataclass(frozen=True, kw_only=True, eq=False)
class AnyShape(ABC):
    """What of the box of the coordinates of space is inside of a body."""

    text: str
    """As the user wrote it."""
    axes: tuple[int, ...]
    """Those of space among the coordinates of the problem."""
    body: Body
    box: Solid
    size: float
    """The diagonal of the box."""
    named: Mapping[str, Sequence[Solid]]
    """Solids by the names of parts that lie on their boundaries."""
    quantity: ClassVar[str]
    """The name of its measure."""

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which points [n, d] of the problem are inside or, within rounding, on the boundary.

        What two solids have in common of their boundaries may bound nothing: the inside must be
        beside a point.
        """
        points = points[:, self.axes]
        level = self.level(points)
        held = level < -ON * self.size
        on = np.flatnonzero(np.abs(level) <= ON * self.size)
        for step in BESIDE * self.size * _directions(len(self.axes)):
            held[on] |= self.level(points[on] + step) < 0
        return held

    def share_around(self, point: Array) -> float:
        """In what fraction of all directions from a point [d] the inside is beside it."""
        beside = point + BESIDE * self.size * _directions(len(self.axes))
        return float(np.mean(self.level(beside) < 0))

    def level(self, points: Array) -> Array:
        """Negative inside, [n], of points of space."""
        return np.maximum(self.body.level(points), self.box.level(points))

    @property
    @abstractmethod
    def pieces(self) -> Sequence[BoundaryPiece]:
        """The smooth pieces of the boundary; what is the boundary of two solids is that of the
        first.
        """

    @property
    @abstractmethod
    def n_apart(self) -> int:
        """In how many regions that do not touch it falls."""

    @cached_property
    def measure(self) -> float:
        """Its area or volume, in the units of the coordinates."""
        return sum(piece.swept for piece in self.pieces)

    @property
    def solids(self) -> list[Solid]:
        """All solids that it is made of."""
        return list(dict.fromkeys([*solids(self.body), self.box]))

    def part(self, name: str) -> tuple[BoundaryPiece, ...]:
        """The pieces of a part by its name; KeyError for a name that no part has."""
        if name == BOUNDARY:
            return tuple(self.pieces)
        return self.on(self.named[name])

    def flat(self, axis: int, value: float) -> tuple[BoundaryPiece, ...]:
        """The pieces at which a coordinate, by number, has a value."""
        return tuple(
            piece
            for piece in self.pieces
            if (
                np.abs(piece.some(N_LOOKED_AT).points[:, axis] - value) <= 10 * ON * self.size
            ).all()
        )

    def on(self, bodies: Sequence[Solid]) -> tuple[BoundaryPiece, ...]:
        """The pieces that lie on the boundary of one of the solids."""

        def lies_on(piece: BoundaryPiece, solid: Solid) -> bool:
            level = solid.level(piece.some(N_LOOKED_AT).points)
            return bool((np.abs(level) <= 10 * ON * self.size).all())

        return tuple(
            piece for piece in self.pieces if any(lies_on(piece, solid) for solid in bodies)
        )


def _directions(dimension: int) -> Array:
    """Unit vectors [n, d] in all directions; in space by the golden angle."""
    if dimension == 2:
        angles = np.linspace(0, 2 * np.pi, N_AROUND, endpoint=False)
        return np.stack([np.cos(angles), np.sin(angles)], 1)
    z = (np.arange(2 * N_AROUND) + 0.5) / N_AROUND - 1
    angles = np.pi * (3 - np.sqrt(5)) * np.arange(2 * N_AROUND)
    return np.column_stack(
        [np.sqrt(1 - z**2)[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1), z]
    )
