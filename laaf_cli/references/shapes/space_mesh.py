"""Meshes of shapes in space with curved elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.curves import Arc, PlaneCurve, StraightLine
from laaf_cli.problem.shapes.motion import Motion
from laaf_cli.problem.shapes.shape import Body, Combined
from laaf_cli.problem.shapes.solid import Solid
from laaf_cli.problem.shapes.space_shape import SpaceShape
from laaf_cli.problem.shapes.surfaces import Flat, Revolved
from laaf_cli.references.reference import ReferenceRefusedError

REENTRANT = 0.55
"""The fraction of directions from an edge that lead inside, from which on solutions are singular
there.
"""

TOWARDS_EDGE = 0.15
"""The size of an element next to such an edge, as a fraction of the one behind it."""

N_NEAR = 4000
"""Points of a piece by which the faces of a mesh are found to lie on it."""


def make_space_mesh(shape: SpaceShape, size: float, order: int) -> Any:
    """The mesh of a shape whose boundaries are named `piece 0`, … in the order of its pieces.

    Args:
        size: the length of its elements, at most.
        order: the degree of the polynomials by which elements are curved.

    Raises:
        ReferenceRefusedError: it has surfaces that are given by inequalities alone.
    """
    import ngsolve as ng
    from netgen.occ import OCCGeometry

    body = _of_body(shape.body)
    if shape.body is not shape.box:
        body = body * _of_solid(shape.box)
    sharp = [edge for edge in body.edges if _is_reentrant(edge, shape)]
    for edge in sharp:
        edge.hpref = 1
    made = OCCGeometry(body).GenerateMesh(maxh=size)
    _name(made, shape)
    mesh = ng.Mesh(made)
    if sharp:
        mesh.RefineHP(1 + order // 4, TOWARDS_EDGE)
    mesh.Curve(order)
    return mesh


def _is_reentrant(edge: Any, shape: SpaceShape) -> bool:
    """Whether a solution may be singular on an edge; of shapes with flat faces alone, for NGSolve
    refines towards no others.
    """
    if not all(isinstance(surface, Flat) for solid in shape.solids for surface in solid.surfaces):
        return False
    begin, end = edge.parameter_interval
    middle = edge.Value((begin + end) / 2)
    return shape.share_around(np.array([middle.x, middle.y, middle.z])) > REENTRANT


def _name(made: Any, shape: SpaceShape) -> None:
    """Names the faces of a mesh by the pieces that their elements are nearest to."""
    from scipy.spatial import KDTree

    points = made.Coordinates()
    faces: dict[int, list[Array]] = {}
    for element in made.Elements2D():
        corners = [vertex.nr - 1 for vertex in element.vertices]
        faces.setdefault(element.index, []).append(points[corners].mean(0))
    near = [KDTree(piece.some(N_NEAR).points) for piece in shape.pieces]
    for index, middles in faces.items():
        distances = [np.mean(tree.query(np.array(middles))[0]) for tree in near]
        made.SetBCName(index - 1, f"piece {int(np.argmin(distances))}")


def _of_body(body: Body) -> Any:
    if not isinstance(body, Combined):
        return _of_solid(body)
    first, second = _of_body(body.first), _of_body(body.second)
    return {"+": first.__add__, "-": first.__sub__, "*": first.__mul__}[body.operator](second)


def _of_solid(solid: Solid) -> Any:
    flat = [surface for surface in solid.surfaces if isinstance(surface, Flat)]
    revolved = [surface for surface in solid.surfaces if isinstance(surface, Revolved)]
    if flat:
        return _extruded(flat)
    if not revolved:
        raise ReferenceRefusedError(
            "the finite elements in space are for balls, cylinders and other primitives, and not "
            "for inequalities"
        )
    return _revolved([surface.profile for surface in revolved], revolved[0].motion)


def _extruded(faces: Sequence[Flat]) -> Any:
    """A parallelepiped, or of a single face what is behind it, as far as it is wide."""
    from netgen.occ import Face, MakePolygon, Vec, Vertex

    first = faces[0]
    across = np.cross(first.first, first.second)
    depth = -across * np.linalg.norm(first.first) / np.linalg.norm(across)
    if len(faces) > 1:
        depth = faces[1].start - first.start
    corners = [
        first.start + a * first.first + b * first.second
        for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]
    outline = MakePolygon([Vertex(_point(corner)) for corner in [*corners, corners[0]]])
    return Face(outline).Extrude(Vec(*depth.tolist()))


def _revolved(profile: Sequence[PlaneCurve], motion: Motion) -> Any:
    """What curves in (r, z) bound as they turn round the axis of z."""
    from netgen.occ import ArcOfCircle, Axes, Axis, Dir, Ellipsoid, Face, Segment, Wire

    lengths = np.linalg.norm(motion.matrix, axis=1)
    first, _second, axis = motion.matrix / lengths[:, None]
    center = _point(motion.shift)
    if not np.allclose(lengths, 1, rtol=1e-12):
        axes = Axes(center, Dir(*axis.tolist()), Dir(*first.tolist()))
        return Ellipsoid(axes, *lengths.tolist())

    def at(curve: PlaneCurve, *s: float) -> list[Any]:
        places = curve.at(np.array(s))
        return [_point(motion.of_points(np.array([r, 0.0, z]))) for r, z in places.tolist()]

    edges = []
    for curve in profile:
        if isinstance(curve, StraightLine):
            edges.append(Segment(*at(curve, 0, 1)))
        elif isinstance(curve, Arc):
            edges += [ArcOfCircle(*at(curve, *s)) for s in ((0, 0.25, 0.5), (0.5, 0.75, 1))]
    start, end = profile[0].at(np.zeros(1)), profile[-1].at(np.ones(1))
    if not np.allclose(start, end, rtol=0, atol=1e-12 * float(np.abs(end).max())):
        edges.append(Segment(*at(profile[-1], 1), *at(profile[0], 0)))
    return Face(Wire(edges)).Revolve(Axis(center, Dir(*axis.tolist())), 360)


def _point(place: Array) -> Any:
    from netgen.occ import Pnt

    return Pnt(*place.tolist())
