"""A solid where an inequality in the coordinates holds; its boundary is traced on a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Call, Node, differentiate, evaluate
from laaf_cli.problem.shapes.curves import PlaneCurve, Traced, onto
from laaf_cli.problem.shapes.isosurface import Isosurface, isosurface
from laaf_cli.problem.shapes.motion import Motion
from laaf_cli.problem.shapes.solid import NoSolidError, Solid

N_GRID = {2: 401, 3: 61}
"""Points along each of so many coordinates between which the boundary is looked for."""

N_WITHIN = 31
"""Points along each at which it is to have a value."""

BEYOND = 0.05
"""How far beyond the box it is followed, as a fraction of the box."""

FLATTEST = 1e-12


@dataclass(frozen=True)
class Inequality:
    """A function that is negative where an inequality holds, and its slopes."""

    names: tuple[str, ...]
    tree: Node
    slopes: tuple[Node, ...]

    def values(self, points: Array) -> tuple[Array, Array]:
        """Values [n] and gradients [n, d] at points [n, d]."""
        columns = dict(zip(self.names, points.T, strict=True))
        with np.errstate(all="ignore"):
            value, *slopes = (
                np.broadcast_to(np.asarray(evaluate(tree, columns, {}, NUMPY), float), len(points))
                for tree in (self.tree, *self.slopes)
            )
        return value, np.stack(slopes, 1)

    def level(self, points: Array) -> Array:
        """To first order the distance from the boundary, negative inside; [n]."""
        value, slopes = self.values(points)
        level = value / np.linalg.norm(slopes, axis=1).clip(min=FLATTEST)
        return np.where(np.isnan(level), np.inf, level)


def inequality(comparison: Call, names: tuple[str, ...], box: Array) -> Solid:
    """The solid of a comparison, as `x**2 + y**2 < 1`.

    Args:
        names: the coordinates of space.
        box: lower and upper corner [2, d].

    Raises:
        NoSolidError: it holds everywhere in the box or nowhere, or has no value in parts of it.
        ExpressionError: it cannot be differentiated.
    """
    left, right = comparison.arguments
    sides = (left, right) if comparison.function in ("<", "<=") else (right, left)
    tree = Call("-", sides)
    made = Inequality(names, tree, tuple(differentiate(tree, name, names) for name in names))
    reach = BEYOND * (box[1] - box[0])
    axes = tuple(np.linspace(box[0] - reach, box[1] + reach, N_GRID[len(names)]).T)
    within = np.meshgrid(*np.linspace(box[0], box[1], N_WITHIN).T)
    if np.isnan(made.values(np.stack([axis.ravel() for axis in within], 1))[0]).any():
        raise NoSolidError("it has no value in parts of the ranges of the coordinates")
    curves: tuple[PlaneCurve, ...] = ()
    surfaces: tuple[Isosurface, ...] = ()
    if len(axes) == 2:
        curves = tuple(_traced(made, *axes))
    elif len((surface := isosurface(made.values, axes)).triangles):
        surfaces = (surface,)
    if not curves and not surfaces:
        raise NoSolidError("it holds everywhere or nowhere in the ranges of the coordinates")
    return Solid(kind="inequality", level=made.level, curves=curves, surfaces=surfaces)


def _traced(made: Inequality, x: Array, y: Array) -> Iterator[PlaneCurve]:
    """The lines on which the function is 0, what is negative on the left."""
    from contourpy import contour_generator
    from scipy.interpolate import CubicSpline

    points = np.stack([axis.ravel() for axis in np.meshgrid(x, y)], 1)
    for line in contour_generator(x, y, made.values(points)[0].reshape(len(y), len(x))).lines(0.0):
        line = onto(np.asarray(line), made.values, steps=20)
        steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
        line = line[np.r_[True, steps > 1e-3 * steps.max(initial=0.0)]]
        if len(line) < 4:
            continue
        is_closed = bool(np.linalg.norm(line[-1] - line[0]) <= steps.max())
        if is_closed:
            line = np.concatenate([line[:-1], line[:1]])
        middle = len(line) // 2
        ahead, slope = (
            line[middle + 1] - line[middle - 1],
            made.values(line[middle : middle + 1])[1][0],
        )
        if ahead[1] * slope[0] - ahead[0] * slope[1] < 0:  # the outside is to be on the right
            line = line[::-1]
        for _ in range(2):  # the second time through points at equal distances
            lengths = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
            s = lengths / lengths[-1]
            spline = CubicSpline(s, line, bc_type="periodic") if is_closed else CubicSpline(s, line)
            line = onto(spline(np.linspace(0, 1, len(line))), made.values)
            if is_closed:
                line[-1] = line[0]
        yield Traced(spline, made.values, Motion.none(2))
