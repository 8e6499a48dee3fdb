"""A shape in the plane, and the pieces of curves that bound it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.curves import CORNER, CurvePiece, PlaneCurve
from laaf_cli.problem.shapes.shape import BESIDE, ON, AnyShape
from laaf_cli.problem.shapes.solid import Solid

N_ALONG = 2001
"""Points of a curve between which the boundaries of other solids are looked for."""

N_HALVINGS = 60

N_DRAWN = 200
"""Points of a piece where it is drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaneShape(AnyShape):
    """A shape of two dimensions."""

    quantity: ClassVar[str] = "area"

    @cached_property
    def pieces(self) -> tuple[CurvePiece, ...]:
        return tuple(
            piece
            for i, solid in enumerate(self.solids)
            for curve in solid.curves
            for piece in self._of_curve(curve, self.solids[:i], self.solids[i + 1 :])
        )

    def _of_curve(
        self, curve: PlaneCurve, before: Sequence[Solid], after: Sequence[Solid]
    ) -> Iterator[CurvePiece]:
        """The pieces of a curve at which the inside is on one side and the outside on the other."""
        cuts = np.unique(
            np.concatenate(
                [self._crossings(curve, solid) for solid in (*before, *after)] + [[0, 1]]
            )
        )
        cuts = cuts[np.r_[True, np.diff(cuts) > CORNER]]
        kept: list[CurvePiece] = []
        for begin, end in pairwise(cuts):
            piece = CurvePiece(curve=curve, begin=begin, end=end, is_turned=False)
            middle, beside = np.array([0.5]), BESIDE * self.size * piece.normals(np.array([0.5]))
            at = piece.at(middle)
            if any(abs(solid.level(at)[0]) <= ON * self.size for solid in before):
                continue
            within, without = (self.level(at + sign * beside)[0] < 0 for sign in (-1, 1))
            if within == without:
                continue
            if kept and kept[-1].end == begin and kept[-1].is_turned == without:
                begin = kept.pop().begin
            kept.append(CurvePiece(curve=curve, begin=begin, end=end, is_turned=bool(without)))
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
    def loops(self) -> list[list[CurvePiece]]:
        """The pieces in closed lines, each in its order, the shape on the left."""
        ends = np.array([piece.ends for piece in self.pieces]).reshape(-1, 2, 2)
        left, loops = np.ones(len(ends), dtype=bool), []
        while left.any():
            loop = [int(np.argmax(left))]
            left[loop[0]] = False
            while left.any() and not self._meet(ends[loop[-1], 1], ends[loop[0], 0]):
                off = np.linalg.norm(ends[:, 0] - ends[loop[-1], 1], axis=1)
                loop.append(int(np.argmin(np.where(left, off, np.inf))))
                left[loop[-1]] = False
            loops.append([self.pieces[i] for i in loop])
        return loops

    def _meet(self, end: Array, start: Array) -> bool:
        return bool(np.linalg.norm(end - start) <= BESIDE * self.size)

    def outlines(self) -> list[Array]:
        """Closed lines [n, 2] through points of each loop, the shape on the left."""
        share = np.linspace(0, 1, N_DRAWN)
        return [
            np.concatenate([piece.at(share[::-1] if piece.is_turned else share) for piece in loop])
            for loop in self.loops
        ]

    @property
    def n_apart(self) -> int:
        # Each region has one outer line.
        return sum(sum(piece.swept for piece in loop) > 0 for loop in self.loops)
