"""A shape in the plane as triangles whose edges follow its boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.curves import CurvePiece
from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.problem.shapes.shape import BESIDE

MOST_TURN = np.pi / 24
"""By which an edge on the boundary turns from the one before it."""

OFF_BOUNDARY = 0.6
"""How far points inside are from those of the boundary, in edges."""

MAX_ROUNDS = 20
"""Of halving the edges of the boundary that are not edges of triangles."""

FLATTEST = 1e-9
"""The smallest area of a triangle, in squares of edges."""

N_AT_A_TIME = 2000

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Triangulation:
    """Points [n, 2], and the corners of triangles [m, 3] by number, counterclockwise."""

    points: Array
    triangles: Indices


@dataclass
class _Edges:
    """Edges of one piece: fractions of its length [n + 1] in its own direction."""

    piece: CurvePiece
    fractions: Array

    def points(self) -> Array:
        return self.piece.at(self.piece.along(self.fractions))

    def split(self, which: NDArray[np.bool_]) -> None:
        middles = (self.fractions[1:] + self.fractions[:-1]) / 2
        self.fractions = np.sort(np.concatenate([self.fractions, middles[which]]))


def triangulate(shape: PlaneShape, length: float) -> Triangulation:
    """The shape in triangles: those of Delaunay of points on the boundary and of a lattice inside.

    Args:
        length: of their edges, at most; on a curved boundary they are shorter.
    """
    from scipy.spatial import Delaunay, KDTree

    edges = [
        _Edges(piece, np.linspace(0, 1, _n_edges(piece, length) + 1)) for piece in shape.pieces
    ]
    lattice: Array | None = None
    for _ in range(MAX_ROUNDS):
        along = [edge.points() for edge in edges]
        boundary, numbers = _welded(np.concatenate(along), BESIDE * shape.size)
        ends = np.split(numbers, np.cumsum([len(points) for points in along])[:-1])
        segments = np.concatenate([np.stack([of[:-1], of[1:]], 1) for of in ends])
        if lattice is None:
            lattice = _lattice(shape, length)
            lattice = lattice[_is_within(lattice, boundary, segments)]
        off, _nearest = KDTree(boundary).query(lattice)
        points = np.concatenate([boundary, lattice[off > OFF_BOUNDARY * length]])
        triangles = Delaunay(points).simplices.astype(np.intp)
        missing = _missing(segments, triangles, len(points))
        if not missing.any():
            break
        cuts = np.cumsum([len(of) - 1 for of in ends])[:-1]
        for edge, which in zip(edges, np.split(missing, cuts), strict=True):
            edge.split(which)
    a, b, c = (points[triangles[:, i]] for i in range(3))
    first, second = b - a, c - a
    area = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    held = np.abs(area) > FLATTEST * length**2
    held[held] = _is_within(((a + b + c) / 3)[held], boundary, segments)
    triangles = np.where((area < 0)[:, None], triangles[:, ::-1], triangles)[held]
    used, corners = np.unique(triangles, return_inverse=True)
    return Triangulation(points[used], corners.reshape(-1, 3).astype(np.intp))


def _n_edges(piece: CurvePiece, length: float) -> int:
    share = piece.along(np.linspace(0, 1, 65))
    before, after = (normals for normals in (piece.normals(share)[:-1], piece.normals(share)[1:]))
    turns = np.arccos(np.clip((before * after).sum(1), -1, 1))
    return max(1, *np.ceil([piece.measure / length, turns.sum() / MOST_TURN]).astype(int).tolist())


def _welded(points: Array, near: float) -> tuple[Array, Indices]:
    """Points without those that are at another one, and the numbers that all of them have then."""
    from scipy.spatial import KDTree

    numbers = np.arange(len(points))
    for first, second in KDTree(points).query_pairs(near, output_type="ndarray"):
        numbers[numbers == numbers[second]] = numbers[first]
    kept, numbers = np.unique(numbers, return_inverse=True)
    return points[kept], numbers.astype(np.intp)


def _lattice(shape: PlaneShape, length: float) -> Array:
    """The points [n, 2] of equilateral triangles all over the box of a shape."""
    ends = np.concatenate([piece.at(np.linspace(0, 1, 33)) for piece in shape.pieces])
    lower, upper = ends.min(0) - length, ends.max(0) + length
    y = np.arange(lower[1], upper[1], length * np.sqrt(3) / 2)
    x = np.arange(lower[0], upper[0], length)
    columns, rows = np.meshgrid(x, y)
    columns = columns + (np.arange(len(y)) % 2)[:, None] * length / 2
    return np.stack([columns.ravel(), rows.ravel()], 1)


def _is_within(points: Array, boundary: Array, segments: Indices) -> NDArray[np.bool_]:
    """Which points [n, 2] are inside of closed lines: a ray to the right crosses an odd number of
    segments.
    """
    within = np.zeros(len(points), dtype=bool)
    starts, along = boundary[segments[:, 0]], boundary[segments[:, 1]] - boundary[segments[:, 0]]
    is_level = along[:, 1] == 0
    slopes = along[:, 0] / np.where(is_level, 1, along[:, 1])
    for start in range(0, len(points), N_AT_A_TIME):
        x, y = points[start : start + N_AT_A_TIME, :, None].swapaxes(0, 1)
        above = y - starts[:, 1]
        crosses = (above < 0) != (above < along[:, 1])
        crosses &= x - starts[:, 0] < above * slopes
        within[start : start + N_AT_A_TIME] = crosses.sum(1) % 2 == 1
    return within


def _missing(segments: Indices, triangles: Indices, n: int) -> NDArray[np.bool_]:
    """Which segments [k, 2] are no edges of triangles."""
    sides = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]])
    )
    wanted = np.sort(segments)
    is_point = wanted[:, 0] == wanted[:, 1]
    return ~np.isin(wanted[:, 0] * n + wanted[:, 1], sides[:, 0] * n + sides[:, 1]) & ~is_point
