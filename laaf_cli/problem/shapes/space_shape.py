"""A shape in space, and the pieces of surfaces that bound it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.shape import BESIDE, ON, AnyShape, Body, Combined
from laaf_cli.problem.shapes.solid import Solid
from laaf_cli.problem.shapes.surfaces import SurfacePiece, piece_on

GRIDS = (41, 81, 161)
"""Points along each coordinate of grids by which a shape is found to fall into regions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SpaceShape(AnyShape):
    """A shape of three dimensions."""

    quantity: ClassVar[str] = "volume"

    @cached_property
    def pieces(self) -> tuple[SurfacePiece, ...]:
        made = (
            piece_on(surface, partial(self._bounds, solid, is_turned), is_turned=is_turned)
            for solid in self.solids
            for surface in solid.surfaces
            for is_turned in (False, True)
        )
        return tuple(piece for piece in made if piece is not None)

    def _bounds(
        self, solid: Solid, is_turned: bool, points: Array, normals: Array
    ) -> NDArray[np.bool_]:
        """Which points [n, 3] of the surface of a solid have the shape on one side alone: on its
        own, or on the other where it is turned.
        """
        before = self.solids[: self.solids.index(solid)]
        within, without = (self._beside(solid, sign, points, normals) for sign in (-1, 1))
        held = (without & ~within) if is_turned else (within & ~without)
        for other in before:
            held &= np.abs(other.level(points)) > ON * self.size
        return held

    def _beside(self, solid: Solid, sign: int, points: Array, normals: Array) -> NDArray[np.bool_]:
        """Whether the shape is beside points on the surface of a solid: that is left in or out of
        it as a whole, and others whose surface is there, too, are asked for beside it.
        """
        beside = points + sign * BESIDE * self.size * normals

        def level(body: Body) -> Array:
            if isinstance(body, Combined):
                return body.of_levels(level(body.first), level(body.second))
            if body is solid:
                return np.full(len(points), sign * np.inf)
            values = body.level(points)
            on = np.abs(values) <= ON * self.size
            values[on] = body.level(beside[on])
            return values

        return np.maximum(level(self.body), level(self.box)) < 0

    @cached_property
    def n_apart(self) -> int:
        from scipy.ndimage import label

        n = 0
        for size in GRIDS:  # a coarse one misses what is narrow
            _, n = label(self._on_grid(size), np.ones((3, 3, 3)))
            if n <= 1:
                break
        return n

    def _on_grid(self, n: int) -> NDArray[np.bool_]:
        ends = [
            surface.at(np.array([[0.0, 0.0], [1.0, 1.0]])).points for surface in self.box.surfaces
        ]
        lower, upper = np.min(ends, axis=(0, 1)), np.max(ends, axis=(0, 1))
        axes = np.linspace(lower, upper, n + 2)[1:-1].T
        points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], 1)
        return (self.level(points) < 0).reshape(n, n, n)
