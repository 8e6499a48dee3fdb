"""A shape in the plane: solids that are joined, met or cut out, and the pieces of curves that bound
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.curves import BoundaryPiece, Motion, PlaneCurve
from laaf_cli.problem.shapes.solids import Solid

N_ALONG = 2001
"""Points of a curve between which the boundaries of other solids are looked for."""

N_HALVINGS = 60

N_AROUND = 32
"""Directions in which the inside is looked for beside a point of a boundary."""

N_DRAWN = 200
"""Points of a piece where it is drawn."""

ON, BESIDE, CORNER = 1e-9, 1e-6, 1e-9
"""As fractions of the size of the box: how near to a boundary a point lies on it; how far beside a
curve both sides of it are looked at; what of a piece at each end, as a fraction of its length, is
the corner and belongs to no part.
"""

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
        first, second = self.first.level(points), self.second.level(points)
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
class PlaneShape:
    """What of the box of the coordinates of space is inside of a body."""

    text: str
    """As the user wrote it."""
    axes: tuple[int, int]
    """Those of space among the coordinates of the problem."""
    body: Body
    box: Solid
    size: float
    """The diagonal of the box."""
    named: Mapping[str, Sequence[Solid]]
    """Solids by the names of parts that lie on their boundaries."""

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which points [n, d] of the problem are inside or, within rounding, on the boundary.

        What two solids have in common of their boundaries may bound nothing: the inside must be
        beside a point.
        """
        points = points[:, self.axes]
        level = self._level(points)
        held = level < -ON * self.size
        on = np.flatnonzero(np.abs(level) <= ON * self.size)
        angles = np.linspace(0, 2 * np.pi, N_AROUND, endpoint=False)
        for step in BESIDE * self.size * np.stack([np.cos(angles), np.sin(angles)], 1):
            held[on] |= self._level(points[on] + step) < 0
        return held

    def _level(self, points: Array) -> Array:
        return np.maximum(self.body.level(points), self.box.level(points))

    @cached_property
    def pieces(self) -> tuple[BoundaryPiece, ...]:
        """The smooth pieces of the boundary; a curve of two solids is that of the first."""
        all_solids = list(dict.fromkeys([*solids(self.body), self.box]))
        return tuple(
            piece
            for i, solid in enumerate(all_solids)
            for curve in solid.curves
            for piece in self._of_curve(curve, all_solids[:i], all_solids[i + 1 :])
        )

    def _of_curve(
        self, curve: PlaneCurve, before: Sequence[Solid], after: Sequence[Solid]
    ) -> Iterator[BoundaryPiece]:
        """The pieces of a curve at which the inside is on one side and the outside on the other."""
        cuts = np.unique(
            np.concatenate(
                [self._crossings(curve, solid) for solid in (*before, *after)] + [[0, 1]]
            )
        )
        cuts = cuts[np.r_[True, np.diff(cuts) > CORNER]]
        kept: list[BoundaryPiece] = []
        for begin, end in pairwise(cuts):
            piece = BoundaryPiece(curve=curve, begin=begin, end=end, is_turned=False)
            middle, beside = np.array([0.5]), BESIDE * self.size * piece.normals(np.array([0.5]))
            at = piece.at(middle)
            if any(abs(solid.level(at)[0]) <= ON * self.size for solid in before):
                continue
            within, without = (self._level(at + sign * beside)[0] < 0 for sign in (-1, 1))
            if within == without:
                continue
            if kept and kept[-1].end == begin and kept[-1].is_turned == without:
                begin = kept.pop().begin
            kept.append(BoundaryPiece(curve=curve, begin=begin, end=end, is_turned=bool(without)))
        return iter(kept)

    def _crossings(self, curve: PlaneCurve, solid: Solid) -> Array:
        """Where a curve meets the boundary of a solid, or leaves it, as values of s."""

        def side(s: Array) -> Array:
            level = solid.level(curve.at(s))
            return np.where(np.abs(level) <= ON * self.size, 0.0, np.sign(level))

        s = np.linspace(0, 1, N_ALONG)
        sides = side(s)
        at = np.flatnonzero(sides[1:] != sides[:-1])
        low, high, of_low = s[at], s[at + 1], sides[at]
        for _ in range(N_HALVINGS if len(at) else 0):
            middle = (low + high) / 2
            is_low = side(middle) == of_low
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        # From the edge of the band that counts as the boundary on to the boundary itself.
        base, step = np.where(of_low != 0, low, high), np.where(of_low != 0, -1e-6, 1e-6)
        level = solid.level(curve.at(base))
        slope = (solid.level(curve.at(base + step)) - level) / step
        is_steep = np.abs(slope) > 1e-3 * self.size
        return np.clip(base - np.where(is_steep, level / np.where(is_steep, slope, 1), 0), 0, 1)

    @cached_property
    def area(self) -> float:
        """Its area, in the units of the coordinates."""
        return sum(piece.swept for piece in self.pieces)

    @cached_property
    def loops(self) -> list[list[BoundaryPiece]]:
        """The pieces in closed lines, each in its order, the shape on the left."""
        left, loops = list(self.pieces), []
        while left:
            loop = [left.pop(0)]
            while not _meet(loop[-1], loop[0], self.size):
                distances = [np.linalg.norm(piece.ends[0] - loop[-1].ends[1]) for piece in left]
                if not distances:
                    break
                loop.append(left.pop(int(np.argmin(distances))))
            loops.append(loop)
        return loops

    def outlines(self) -> list[Array]:
        """Closed lines [n, 2] through points of each loop, the shape on the left."""
        share = np.linspace(0, 1, N_DRAWN)
        return [
            np.concatenate([piece.at(share[::-1] if piece.is_turned else share) for piece in loop])
            for loop in self.loops
        ]

    @property
    def n_apart(self) -> int:
        """In how many regions that do not touch it falls: each has one outer line."""
        return sum(sum(piece.swept for piece in loop) > 0 for loop in self.loops)

    def part(self, name: str) -> tuple[BoundaryPiece, ...]:
        """The pieces of a part by its name; KeyError for a name that no part has."""
        if name == BOUNDARY:
            return self.pieces
        return self.on(self.named[name])

    def along_line(self, axis: int, value: float) -> tuple[BoundaryPiece, ...]:
        """The straight pieces at which a coordinate, the first or the second, has a value."""
        some = np.array([0.21, 0.5, 0.83])
        return tuple(
            piece
            for piece in self.pieces
            if (np.abs(piece.at(some)[:, axis] - value) <= 10 * ON * self.size).all()
        )

    def on(self, bodies: Sequence[Solid]) -> tuple[BoundaryPiece, ...]:
        """The pieces that lie on the boundary of one of the solids."""
        some = np.array([0.21, 0.5, 0.83])
        return tuple(
            piece
            for piece in self.pieces
            if any(
                (np.abs(solid.level(piece.at(some))) <= 10 * ON * self.size).all()
                for solid in bodies
            )
        )


def _meet(last: BoundaryPiece, first: BoundaryPiece, size: float) -> bool:
    return bool(np.linalg.norm(last.ends[1] - first.ends[0]) <= BESIDE * size)


def on_pieces(pieces: Sequence[BoundaryPiece], fractions: Array) -> tuple[Array, Array]:
    """Points and outward normals [n, 2] at fractions [n] of the length of all pieces, off their
    corners.
    """
    lengths = np.array([piece.length for piece in pieces])
    ends = np.cumsum(lengths)
    at = np.clip(fractions, 0, 1) * ends[-1]
    index = np.minimum(np.searchsorted(ends, at, side="right"), len(pieces) - 1)
    points, normals = np.empty((len(at), 2)), np.empty((len(at), 2))
    for i, piece in enumerate(pieces):
        here = index == i
        share = piece.along(np.clip(1 - (ends[i] - at[here]) / lengths[i], CORNER, 1 - CORNER))
        points[here], normals[here] = piece.at(share), piece.normals(share)
    return points, normals
