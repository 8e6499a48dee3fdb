"""The primitives of space: for each an inside, by the sign of a function, and a boundary of smooth
surfaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.curves import Arc, PlaneCurve, StraightLine
from laaf_cli.problem.shapes.motion import Motion
from laaf_cli.problem.shapes.plane_solids import (
    of_box,
    of_capsule,
    of_ellipse,
    of_halfspace,
    of_ring,
)
from laaf_cli.problem.shapes.solid import BOX, NoSolidError, Primitive, Solid, positive
from laaf_cli.problem.shapes.surfaces import Flat, Revolved


def cuboid(lower: Array, upper: Array, kind: str) -> Solid:
    """That between two corners [3]."""
    lower, upper = np.minimum(lower, upper), np.maximum(lower, upper)
    sides = np.diag(upper - lower)
    positive(*(upper - lower).tolist())
    faces = []
    for axis in range(3):
        first, second = sides[(axis + 1) % 3], sides[(axis + 2) % 3]
        faces += [Flat(upper - first - second, first, second), Flat(lower, second, first)]
    level = partial(of_box, (lower + upper) / 2, (upper - lower) / 2)
    return Solid(kind=kind, level=level, surfaces=tuple(faces))


def _ball(numbers: Array, _box: Array) -> Solid:
    center, radius = numbers[:3], float(numbers[3])
    positive(radius)
    return Solid(
        kind="ball",
        level=partial(of_ring, center, -1.0, radius),
        surfaces=_revolved([_arc(0, radius, -np.pi / 2, np.pi)], Motion(np.eye(3), center)),
    )


def _ellipsoid(numbers: Array, _box: Array) -> Solid:
    center, half = numbers[:3], numbers[3:]
    positive(*half.tolist())
    return Solid(
        kind="ellipsoid",
        level=partial(of_ellipse, center, half),
        surfaces=_revolved([_arc(0, 1, -np.pi / 2, np.pi)], Motion(np.diag(half), center)),
    )


def _cylinder(numbers: Array, _box: Array) -> Solid:
    start, end, radius = numbers[:3], numbers[3:6], float(numbers[6])
    along = end - start
    height = float(np.linalg.norm(along))
    positive(radius, height)
    corners = np.array([(0, 0), (radius, 0), (radius, height), (0, height)])
    profile = [StraightLine(corners[i], corners[i + 1] - corners[i]) for i in range(3)]
    return Solid(
        kind="cylinder",
        level=partial(_of_cylinder, start, along / height, height, radius),
        surfaces=_revolved(profile, _frame(start, along)),
    )


def _of_cylinder(start: Array, axis: Array, height: float, radius: float, points: Array) -> Array:
    z = (points - start) @ axis
    r = np.linalg.norm(points - start - z[:, None] * axis, axis=1)
    return np.maximum(r - radius, np.abs(z - height / 2) - height / 2)


def _capsule(numbers: Array, _box: Array) -> Solid:
    start, end, radius = numbers[:3], numbers[3:6], float(numbers[6])
    height = float(np.linalg.norm(end - start))
    positive(radius, height)
    profile = [
        _arc(0, radius, -np.pi / 2, np.pi / 2),
        StraightLine(np.array([radius, 0.0]), np.array([0.0, height])),
        _arc(height, radius, 0, np.pi / 2),
    ]
    return Solid(
        kind="capsule",
        level=partial(of_capsule, start, end - start, radius),
        surfaces=_revolved(profile, _frame(start, end - start)),
    )


def _torus(numbers: Array, _box: Array) -> Solid:
    center, large, small = numbers[:3], float(numbers[3]), float(numbers[4])
    positive(small)
    if not small < large:
        raise NoSolidError(f"its radius {small:g} is not less than that of its ring {large:g}")
    circle = Arc(
        center=np.array([large, 0.0]), first=np.array([small, 0.0]), second=np.array([0.0, small])
    )
    return Solid(
        kind="torus",
        level=partial(_of_torus, center, large, small),
        surfaces=_revolved([circle], Motion(np.eye(3), center)),
    )


def _of_torus(center: Array, large: float, small: float, points: Array) -> Array:
    off = points - center
    return np.hypot(np.linalg.norm(off[:, :2], axis=1) - large, off[:, 2]) - small


def _halfspace(numbers: Array, box: Array) -> Solid:
    place, normal = numbers[:3], numbers[3:]
    if not normal.any():
        raise NoSolidError("its normal is zero")
    first, second, normal = _frame(place, normal).matrix
    middle = box.mean(0)
    reach = float(np.linalg.norm(box[1] - box[0]))  # beyond the box on all sides
    middle = middle - ((middle - place) @ normal) * normal
    surface = Flat(middle - reach / 2 * (first + second), reach * first, reach * second)
    return Solid(kind="halfspace", level=partial(of_halfspace, place, normal), surfaces=(surface,))


def _arc(height: float, radius: float, begin: float, sweep: float) -> Arc:
    """Of a circle about the axis, in (r, z)."""
    first, second = np.array([radius, 0.0]), np.array([0.0, radius])
    return Arc(center=np.array([0.0, height]), first=first, second=second, begin=begin, sweep=sweep)


def _frame(start: Array, along: Array) -> Motion:
    """What brings the axis of z to a point [3] and a direction [3]."""
    axis = along / np.linalg.norm(along)
    across = np.eye(3)[np.argmin(np.abs(axis))]
    first = np.cross(across, axis)
    first /= np.linalg.norm(first)
    return Motion(np.stack([first, np.cross(axis, first), axis]), start)


def _revolved(profile: Sequence[PlaneCurve], motion: Motion) -> tuple[Revolved, ...]:
    return tuple(Revolved(curve, motion) for curve in profile)


OF_SPACE: dict[str, Primitive] = {
    BOX: Primitive(
        arguments="",
        meaning="the ranges of the coordinates",
        make=lambda _numbers, box: cuboid(box[0], box[1], BOX),
        n_arguments=0,
    ),
    "cuboid": Primitive(
        arguments="x0, y0, z0, x1, y1, z1",
        meaning="that between two corners",
        make=lambda numbers, _box: cuboid(numbers[:3], numbers[3:], "cuboid"),
        n_arguments=6,
    ),
    "ball": Primitive(arguments="x, y, z, r", meaning="a ball", make=_ball, n_arguments=4),
    "ellipsoid": Primitive(
        arguments="x, y, z, a, b, c",
        meaning="an ellipsoid with half-axes a, b and c",
        make=_ellipsoid,
        n_arguments=6,
    ),
    "cylinder": Primitive(
        arguments="x0, y0, z0, x1, y1, z1, r",
        meaning="a cylinder between the centres of its ends",
        make=_cylinder,
        n_arguments=7,
    ),
    "capsule": Primitive(
        arguments="x0, y0, z0, x1, y1, z1, r",
        meaning="all within r of the line between two points",
        make=_capsule,
        n_arguments=7,
    ),
    "torus": Primitive(
        arguments="x, y, z, R, r",
        meaning="all within r of a circle of radius R about the z axis",
        make=_torus,
        n_arguments=5,
    ),
    "halfspace": Primitive(
        arguments="x, y, z, nx, ny, nz",
        meaning="the side of the plane through a point that the normal leaves",
        make=_halfspace,
        n_arguments=6,
    ),
}
