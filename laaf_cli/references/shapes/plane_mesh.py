"""Meshes of shapes in the plane with curved elements, finer and finer towards corners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.curves import Arc, CurvePiece, StraightLine
from laaf_cli.problem.shapes.plane_shape import PlaneShape

N_SPLINE = 401
"""Points that the spline of a piece goes through, of curves that are not lines or circles."""

QUARTERS = 4
"""Edges of a piece that is a whole curve, which needs several."""

TOWARDS_CORNER = 0.15
"""The size of an element next to a corner, as a fraction of the one behind it."""


def make_plane_mesh(shape: PlaneShape, size: float, order: int) -> Any:
    """The mesh of a shape whose boundaries are named `piece 0`, … in the order of its pieces.

    Args:
        size: the length of its elements, at most.
        order: the degree of the polynomials by which elements are curved; towards each end of a
            piece there are half as many layers of elements, for solutions may be singular there.
    """
    import ngsolve as ng
    from netgen.occ import Face, OCCGeometry, Wire

    outer, holes = None, []
    for loop in shape.loops:
        edges = [edge for piece in loop for edge in _edges(piece)]
        face = Face(Wire(edges))
        if sum(piece.swept for piece in loop) > 0:
            outer = face
        else:
            holes.append(face)
    for hole in holes:
        outer = outer - hole
    assert outer is not None  # noqa: S101 - a shape has one outer line
    ends = np.concatenate(
        [piece.ends[:1] for piece in shape.pieces if not is_closed(piece)] or [np.zeros((0, 2))]
    )
    for vertex in outer.vertices:
        at = np.array([vertex.p.x, vertex.p.y])
        if (np.linalg.norm(ends - at, axis=1) <= 1e-6 * shape.size).any():
            vertex.hpref = 1
    samples = np.stack([piece.at(np.linspace(0, 1, N_SPLINE)) for piece in shape.pieces])
    for edge in outer.edges:
        begin, end = edge.parameter_interval
        middle = edge.Value((begin + end) / 2)
        off = np.linalg.norm(samples - [middle.x, middle.y], axis=2).min(1)
        edge.name = f"piece {int(np.argmin(off))}"
    mesh = ng.Mesh(OCCGeometry(outer, dim=2).GenerateMesh(maxh=size))
    if len(ends):
        mesh.RefineHP(_n_layers(order), TOWARDS_CORNER)
    mesh.Curve(order)
    return mesh


def _n_layers(order: int) -> int:
    return 1 + order // 2


def smallest_in_plane(size: float, order: int) -> float:
    """The size of the elements at corners."""
    return float(size * TOWARDS_CORNER ** _n_layers(order))


def corners(shape: PlaneShape) -> Iterator[tuple[CurvePiece, CurvePiece]]:
    """The pieces that meet at each corner: the end of the first is the start of the second."""
    for loop in shape.loops:
        yield from zip(loop, [*loop[1:], loop[0]], strict=True)


def is_closed(piece: CurvePiece) -> bool:
    """Whether a piece is a whole closed curve, which has no ends."""
    first, last = piece.ends
    return bool(np.linalg.norm(first - last) <= 1e-9 * piece.measure)


def _edges(piece: CurvePiece) -> list[Any]:
    """The edges of a piece, with the shape on the left."""
    parts = piece.split(QUARTERS if is_closed(piece) else 1)
    return [_edge(part) for part in (parts[::-1] if piece.is_turned else parts)]


def _edge(piece: CurvePiece) -> Any:
    from netgen.occ import ArcOfCircle, Pnt, Segment, SplineInterpolation

    def along(n: int) -> list[Any]:
        points: Array = piece.at(np.linspace(0, 1, n))
        return [Pnt(x, y, 0) for x, y in (points[::-1] if piece.is_turned else points).tolist()]

    if isinstance(piece.curve, StraightLine):
        return Segment(*along(2))
    if isinstance(piece.curve, Arc) and piece.curve.is_circular:
        return ArcOfCircle(*along(3))
    return SplineInterpolation(along(N_SPLINE))
