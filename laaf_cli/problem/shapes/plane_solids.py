"""The primitives of the plane: for each an inside, by the sign of a function, and a boundary of
smooth curves.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.curves import Arc, StraightLine
from laaf_cli.problem.shapes.mesh_file import Outline
from laaf_cli.problem.shapes.solid import BOX, NoSolidError, Primitive, Solid, positive

MESH = "mesh"
"""The kind of what a mesh fills."""

AT_A_TIME = 2_000_000
"""Points × sides at a time, at most."""


def polygon(corners: Array, kind: str = "polygon") -> Solid:
    """The inside of a closed line through corners [n, 2].

    Raises:
        NoSolidError: it has no inside.
    """
    following = np.roll(corners, -1, axis=0)
    area = float(np.sum(corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0])) / 2
    sides = np.linalg.norm(following - corners, axis=1)
    if len(corners) < 3 or abs(area) <= 1e-12 * float(sides.max()) ** 2:
        raise NoSolidError("its corners lie on a line")
    if not sides.all():
        raise NoSolidError("two corners that follow each other are the same")
    if area < 0:
        corners, following = following[::-1], corners[::-1]
    along = following - corners
    lines = tuple(StraightLine(start, side) for start, side in zip(corners, along, strict=True))
    return Solid(kind=kind, level=partial(_of_polygon, corners, along), curves=lines)


def of_outline(outline: Outline) -> Solid:
    """The inside of a mesh; the sides of one name are a kind of their own."""
    starts = np.concatenate([line[:-1] for _, line in outline.runs])
    along = np.concatenate([np.diff(line, axis=0) for _, line in outline.runs])
    lines = tuple(StraightLine(start, side) for start, side in zip(starts, along, strict=True))
    return Solid(kind=MESH, level=partial(_of_polygon, starts, along), curves=lines)


def of_side(outline: Outline, name: str) -> Solid:
    """What has the sides of one name for its boundary, and no inside."""
    lines = [line for of, line in outline.runs if of == name]
    starts = np.concatenate([line[:-1] for line in lines])
    along = np.concatenate([np.diff(line, axis=0) for line in lines])
    return Solid(kind=MESH, level=partial(_from_lines, starts, along))


def _from_lines(starts: Array, along: Array, points: Array) -> Array:
    return np.abs(_of_polygon(starts, along, points))


def _of_polygon(corners: Array, along: Array, points: Array) -> Array:
    """Args: corners, along: where sides begin, and to where they go, [n, 2] in any order."""
    if len(points) * len(corners) > AT_A_TIME and len(points) > 1:
        parts = np.array_split(
            points, min(len(points), 1 + len(points) * len(corners) // AT_A_TIME)
        )
        return np.concatenate([_of_polygon(corners, along, part) for part in parts])
    x, y = (points[:, None, i] - corners[:, i] for i in range(2))
    u, v = along.T
    share = np.clip((x * u + y * v) / (u * u + v * v), 0, 1)
    nearest = np.hypot(x - share * u, y - share * v).min(1)
    crosses = ((y < 0) != (y < v)) & (x * np.abs(v) < y * u * np.sign(v))
    return np.where(crosses.sum(1) % 2 == 1, -nearest, nearest)


def rectangle(lower: Array, upper: Array, kind: str) -> Solid:
    """That between two corners [2]."""
    lower, upper = np.minimum(lower, upper), np.maximum(lower, upper)
    if not (lower < upper).all():
        raise NoSolidError("it has no width or no height")
    (x0, y0), (x1, y1) = lower, upper
    sides = polygon(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])).curves
    level = partial(of_box, (lower + upper) / 2, (upper - lower) / 2)
    return Solid(kind=kind, level=level, curves=sides)


def of_box(middle: Array, half: Array, points: Array) -> Array:
    """The level of a box about its middle [d], with half its sides [d]."""
    return np.max(np.abs(points - middle) - half, 1)


def _circle(center: Array, radius: float, *, turned: bool = False) -> Arc:
    positive(radius)
    sweep = -2 * np.pi if turned else 2 * np.pi
    return Arc(
        center=center, first=np.array([radius, 0.0]), second=np.array([0.0, radius]), sweep=sweep
    )


def _disk(numbers: Array, _box: Array) -> Solid:
    center, radius = numbers[:2], float(numbers[2])
    circle = _circle(center, radius)
    return Solid(kind="disk", level=partial(of_ring, center, -1.0, radius), curves=(circle,))


def of_ring(center: Array, inner: float, outer: float, points: Array) -> Array:
    """The level of all at distances [inner, outer] from a point [d]."""
    distance = np.linalg.norm(points - center, axis=1)
    return np.maximum(distance - outer, inner - distance)


def _ellipse(numbers: Array, _box: Array) -> Solid:
    center, half = numbers[:2], numbers[2:]
    positive(*half.tolist())
    arc = Arc(center=center, first=np.array([half[0], 0.0]), second=np.array([0.0, half[1]]))
    return Solid(kind="ellipse", level=partial(of_ellipse, center, half), curves=(arc,))


def of_ellipse(center: Array, half: Array, points: Array) -> Array:
    """The level of an ellipse or ellipsoid with half-axes [d]."""
    return half.min() * (np.linalg.norm((points - center) / half, axis=1) - 1)


def _annulus(numbers: Array, _box: Array) -> Solid:
    center, inner, outer = numbers[:2], float(numbers[2]), float(numbers[3])
    if not inner < outer:
        raise NoSolidError(f"its inner radius {inner:g} is not less than the outer {outer:g}")
    curves = (_circle(center, outer), _circle(center, inner, turned=True))
    return Solid(kind="annulus", level=partial(of_ring, center, inner, outer), curves=curves)


def _capsule(numbers: Array, _box: Array) -> Solid:
    start, end, radius = numbers[:2], numbers[2:4], float(numbers[4])
    positive(radius, float(np.linalg.norm(end - start)))
    along = (end - start) / np.linalg.norm(end - start)
    left = radius * np.array([-along[1], along[0]])
    curves = (
        StraightLine(start - left, end - start),
        Arc(center=end, first=-left, second=radius * along, sweep=np.pi),
        StraightLine(end + left, start - end),
        Arc(center=start, first=left, second=-radius * along, sweep=np.pi),
    )
    level = partial(of_capsule, start, end - start, radius)
    return Solid(kind="capsule", level=level, curves=curves)


def of_capsule(start: Array, side: Array, radius: float, points: Array) -> Array:
    """The level of all within a radius of the line from a point [d] along a vector [d]."""
    share = np.clip((points - start) @ side / (side @ side), 0, 1)
    return np.linalg.norm(points - start - share[:, None] * side, axis=1) - radius


def _halfplane(numbers: Array, box: Array) -> Solid:
    place, normal = numbers[:2], numbers[2:]
    size = float(np.linalg.norm(normal))
    if not size > 0:
        raise NoSolidError("its normal is zero")
    normal = normal / size
    reach = 2 * float(np.abs(box - place).sum())  # beyond the box on both sides
    along = reach * np.array([-normal[1], normal[0]])
    return Solid(
        kind="halfplane",
        level=partial(of_halfspace, place, normal),
        curves=(StraightLine(place - along, 2 * along),),
    )


def of_halfspace(place: Array, normal: Array, points: Array) -> Array:
    """The level of what a unit normal [d] at a place [d] leaves."""
    return (points - place) @ normal


def _rectangle(numbers: Array, _box: Array) -> Solid:
    return rectangle(numbers[:2], numbers[2:], "rectangle")


OF_PLANE: dict[str, Primitive] = {
    BOX: Primitive(
        arguments="",
        meaning="the ranges of the coordinates",
        make=lambda _numbers, box: rectangle(box[0], box[1], BOX),
        n_arguments=0,
    ),
    "rectangle": Primitive(
        arguments="x0, y0, x1, y1",
        meaning="that between two corners",
        make=_rectangle,
        n_arguments=4,
    ),
    "disk": Primitive(arguments="x, y, r", meaning="a disk", make=_disk, n_arguments=3),
    "ellipse": Primitive(
        arguments="x, y, a, b",
        meaning="an ellipse with half-axes a and b",
        make=_ellipse,
        n_arguments=4,
    ),
    "annulus": Primitive(
        arguments="x, y, r, R", meaning="the ring between two circles", make=_annulus, n_arguments=4
    ),
    "capsule": Primitive(
        arguments="x0, y0, x1, y1, r",
        meaning="all within r of the line between two points",
        make=_capsule,
        n_arguments=5,
    ),
    "halfplane": Primitive(
        arguments="x, y, nx, ny",
        meaning="the side of the line through (x, y) that the normal (nx, ny) leaves",
        make=_halfplane,
        n_arguments=4,
    ),
    "polygon": Primitive(
        arguments="x0, y0, x1, y1, x2, y2, …",
        meaning="the inside of a closed line through corners",
        make=lambda numbers, _box: polygon(numbers.reshape(-1, 2)),
        n_arguments=None,
    ),
}
