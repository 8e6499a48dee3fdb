"""The surface in space where a function is 0, by triangles whose points are put right by Newton's
method.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.curves import Level, onto
from laaf_cli.problem.shapes.motion import Motion
from laaf_cli.problem.shapes.surfaces import Holds, Surface, SurfacePoints

_CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])

_TETRAHEDRA = np.array(
    [[0, *np.cumsum([1 << axis for axis in order])] for order in permutations(range(3))]
)
"""The six of a cell of a grid, by the numbers of its corners, all along its diagonal."""


@dataclass(frozen=True, eq=False)
class Isosurface(Surface):
    """Triangles [n, 3, 3] near where a function is 0, which is negative inside."""

    triangles: Array
    level: Level
    motion: Motion

    def at(self, unit: Array) -> SurfacePoints:
        ends = np.cumsum(self._areas)
        at = unit[:, 0] * ends[-1]
        index = np.minimum(np.searchsorted(ends, at, side="right"), len(ends) - 1)
        first = np.sqrt(np.clip(1 - (ends[index] - at) / self._areas[index], 0, 1))[:, None]
        second = unit[:, 1:]
        a, b, c = self.triangles[index].swapaxes(0, 1)
        return self._put_right(a + first * (b - a) + first * second * (c - b), ends[-1])

    def _put_right(self, points: Array, areas: Array | float) -> SurfacePoints:
        points = onto(points, self.level)
        slopes = self.level(points)[1]
        sizes = np.linalg.norm(slopes, axis=1, keepdims=True)
        return SurfacePoints(
            points=self.motion.of_points(points),
            normals=slopes / np.where(sizes > 0, sizes, 1) @ self.motion.matrix,
            areas=np.broadcast_to(areas, len(points)),
        )

    @cached_property
    def _areas(self) -> Array:
        return _areas_of(self.triangles)

    def moved(self, motion: Motion) -> Isosurface:
        return Isosurface(self.triangles, self.level, self.motion.then(motion))

    def quadrature(self, holds: Holds) -> SurfacePoints:
        """The middles of triangles and of their quarters, so weighted that errors of second order
        in their size cancel.
        """
        a, b, c = self.triangles.swapaxes(0, 1)
        sides = np.concatenate([a + b, b + c, c + a]) / 2
        ab, bc, ca = np.split(onto(sides, self.level), 3)
        corners = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        quarters = np.concatenate([np.stack(three, 1) for three in corners])
        areas = np.concatenate([4 / 3 * _areas_of(quarters), -self._areas / 3])
        middles = np.concatenate([quarters.mean(1), self.triangles.mean(1)])
        found = self._put_right(middles, areas)
        return found.part(holds(found.points, found.normals))


def _areas_of(triangles: Array) -> Array:
    a, b, c = triangles.swapaxes(0, 1)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def isosurface(level: Level, axes: tuple[Array, Array, Array]) -> Isosurface:
    """The surface within a grid, by marching tetrahedra (Doi & Koide 1991); it may have no
    triangles.

    Args:
        axes: the coordinates [n_i] of the points of the grid.
    """
    sizes = tuple(map(len, axes))
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], 1)
    values = level(points)[0]
    values = np.where(values == 0, np.finfo(float).tiny, values)
    cells = np.ravel_multi_index(
        tuple(np.indices([size - 1 for size in sizes]).reshape(3, 1, -1) + _CORNERS.T[:, :, None]),
        sizes,
    ).T
    negative = (values[cells] < 0).sum(1)
    cells = cells[(negative > 0) & (negative < 8)]
    corners = cells[:, _TETRAHEDRA].reshape(-1, 4)
    corners = np.take_along_axis(corners, np.argsort(values[corners], axis=1), axis=1)
    negative = (values[corners] < 0).sum(1)

    def between(which: Array, first: int, second: int) -> Array:
        ends = corners[which][:, [first, second]]
        a, b = values[ends].T
        share = (a / (a - b))[:, None]
        return points[ends[:, 0]] * (1 - share) + points[ends[:, 1]] * share

    made = [np.zeros((0, 3, 3))]
    for n, edges in (
        (1, [((0, 1), (0, 2), (0, 3))]),
        (3, [((3, 0), (3, 1), (3, 2))]),
        (2, [((0, 2), (0, 3), (1, 3)), ((0, 2), (1, 3), (1, 2))]),
    ):
        made += [
            np.stack([between(negative == n, *edge) for edge in triangle], 1) for triangle in edges
        ]
    triangles = onto(np.concatenate(made).reshape(-1, 3), level, steps=20).reshape(-1, 3, 3)
    areas = _areas_of(triangles)
    return Isosurface(triangles[np.isfinite(areas) & (areas > 0)], level, Motion.none(3))
