"""Smooth surfaces in space, each with a side that looks out of its solid, and the pieces of them
that bound a shape.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.boundary import BoundaryPiece, BoundaryPoints
from laaf_cli.problem.shapes.curves import PlaneCurve
from laaf_cli.problem.shapes.motion import Motion

N_LINES, N_ALONG_LINE = 96, 129
"""Lines over a surface, and points of each, between which its pieces are looked for."""

N_HALVINGS = 45

N_PARTS, N_NODES = 8, 24
"""Of Gauss-Legendre quadrature: parts of what is between changes across lines; nodes of each, and
along a line.
"""

N_TRIED = 4096
"""Points of a surface by which its pieces are found."""

Holds = Callable[[Array, Array], NDArray[np.bool_]]
"""Points and unit normals [n, 3] of a surface → which of them bound a shape."""


@dataclass(frozen=True, kw_only=True)
class SurfacePoints:
    """Points and unit normals [n, 3] out of the solid, and the areas [n] that they are for."""

    points: Array
    normals: Array
    areas: Array

    def part(self, chosen: NDArray[np.bool_]) -> SurfacePoints:
        """Some of them."""
        return SurfacePoints(
            points=self.points[chosen], normals=self.normals[chosen], areas=self.areas[chosen]
        )


class Surface(ABC):
    """A smooth surface over the unit square."""

    @abstractmethod
    def at(self, unit: Array) -> SurfacePoints:
        """Its points at those of the unit square [n, 2], with the area for one of that."""

    @abstractmethod
    def moved(self, motion: Motion) -> Surface:
        """The surface after a motion."""

    @abstractmethod
    def quadrature(self, holds: Holds) -> SurfacePoints:
        """Points with weights by which functions are integrated over a part of the surface."""


def _made(points: Array, first: Array, second: Array) -> SurfacePoints:
    """Args: first, second: the derivatives [n, 3] of points."""
    across = np.cross(first, second)
    areas = np.linalg.norm(across, axis=1)
    normals = across / np.where(areas > 0, areas, 1)[:, None]
    return SurfacePoints(points=points, normals=normals, areas=areas)


@dataclass(frozen=True, eq=False)
class Flat(Surface):
    """A parallelogram: a point [3] and two sides [3], whose cross product looks out."""

    start: Array
    first: Array
    second: Array

    def at(self, unit: Array) -> SurfacePoints:
        sides = (np.broadcast_to(side, (len(unit), 3)) for side in (self.first, self.second))
        return _made(self.start + unit @ np.stack([self.first, self.second]), *sides)

    def moved(self, motion: Motion) -> Flat:
        sides = self.first @ motion.matrix, self.second @ motion.matrix
        return Flat(motion.of_points(self.start), *sides)

    def quadrature(self, holds: Holds) -> SurfacePoints:
        return _by_lines(self, holds)


@dataclass(frozen=True, eq=False)
class Revolved(Surface):
    """A curve in (r, z), its solid on the left, turned round the axis of z and then moved."""

    profile: PlaneCurve
    motion: Motion

    def at(self, unit: Array) -> SurfacePoints:
        angle, one = 2 * np.pi * unit[:, 0], np.ones(len(unit))
        (r, z), (dr, dz) = self.profile.at(unit[:, 1]).T, self.profile.velocity(unit[:, 1]).T
        c, s = np.cos(angle), np.sin(angle)
        points = np.stack([r * c, r * s, z], 1)
        around = 2 * np.pi * np.stack([-r * s, r * c, 0 * one], 1)
        along = np.stack([dr * c, dr * s, dz], 1)
        return _made(
            self.motion.of_points(points), around @ self.motion.matrix, along @ self.motion.matrix
        )

    def moved(self, motion: Motion) -> Revolved:
        return Revolved(self.profile, self.motion.then(motion))

    def quadrature(self, holds: Holds) -> SurfacePoints:
        return _by_lines(self, holds)


@dataclass(frozen=True, eq=False, kw_only=True)
class SurfacePiece(BoundaryPiece):
    """What of a surface bounds a shape that is on one side of it."""

    surface: Surface
    holds: Holds
    is_turned: bool
    """Whether the shape is outside of the solid of the surface, as where that is cut out."""
    window: Array = field(default_factory=lambda: np.array([[0.0, 0.0], [1.0, 1.0]]))
    """Lower and upper corner [2, 2] of what of the unit square it lies in."""
    quantity: ClassVar[str] = "area"
    n_numbers: ClassVar[int] = 3

    def draw(self, numbers: Array) -> BoundaryPoints:
        lower, upper = self.window
        found = self.surface.at(lower + (upper - lower) * numbers[:, :2])
        held = self.holds(found.points, found.normals) & (
            numbers[:, 2] * self._largest <= found.areas
        )
        return BoundaryPoints(points=found.points, normals=self._outward(found.normals), held=held)

    def _outward(self, normals: Array) -> Array:
        return -normals if self.is_turned else normals

    def some(self, n: int) -> BoundaryPoints:
        return BoundaryPoints(
            points=np.resize(self._tried.points, (n, 3)),
            normals=np.resize(self._outward(self._tried.normals), (n, 3)),
            held=np.ones(n, dtype=bool),
        )

    @cached_property
    def _tried(self) -> SurfacePoints:
        lower, upper = self.window
        found = self.surface.at(lower + (upper - lower) * scattered_unit(N_TRIED))
        return found.part(self.holds(found.points, found.normals))

    @cached_property
    def _largest(self) -> float:
        return float(self._tried.areas.max()) * 1.01  # for between the points it may be larger

    @property
    def weight(self) -> float:
        return self._largest * float(np.prod(self.window[1] - self.window[0]))

    @cached_property
    def _nodes(self) -> SurfacePoints:
        return self.surface.quadrature(self.holds)

    @property
    def measure(self) -> float:
        """∫ dA; to about 1e-4 of it where what is cut out of it has corners, for lines miss what is
        narrower there than the distance of their points.
        """
        return float(self._nodes.areas.sum())

    @property
    def swept(self) -> float:
        """⅓ ∮ p·n dA over it."""
        nodes = self._nodes
        return float(np.sum(nodes.points * self._outward(nodes.normals) * nodes.areas[:, None])) / 3


def scattered_unit(n: int) -> Array:
    """Points [n, 2] all over the unit square, by the plastic number (Roberts, 2018)."""
    plastic = 1.32471795724474602596
    return (0.5 + np.arange(1, n + 1)[:, None] / [plastic, plastic**2]) % 1


def piece_on(surface: Surface, holds: Holds, *, is_turned: bool) -> SurfacePiece | None:
    """The piece of a surface where something holds; None where that is nowhere."""
    unit = scattered_unit(N_TRIED)
    found = surface.at(unit)
    held = unit[holds(found.points, found.normals)]
    if not len(held):
        return None
    margin = 2 / np.sqrt(N_TRIED)
    window = np.clip([held.min(0) - margin, held.max(0) + margin], 0, 1)
    return SurfacePiece(surface=surface, holds=holds, is_turned=is_turned, window=window)


def _by_lines(surface: Surface, holds: Holds) -> SurfacePoints:
    """By Gauss-Legendre quadrature on lines over the surface, between the places where they enter
    and leave the part; across lines it begins again where the number of those places changes.
    """

    def held(s: Array, t: Array) -> NDArray[np.bool_]:
        found = surface.at(np.stack([s.ravel(), t.ravel()], 1))
        return holds(found.points, found.normals).reshape(s.shape)

    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    nodes, weights = (nodes + 1) / 2, weights / 2
    # What is integrated may begin as a root does: a change of variable makes it smooth.
    smooth, slopes = nodes**2 * (3 - 2 * nodes), 6 * nodes * (1 - nodes)
    ends = np.r_[0.0, _changes(held), 1.0]
    ends = np.unique(np.concatenate([np.linspace(a, b, N_PARTS + 1) for a, b in pairwise(ends)]))
    widths = np.diff(ends)[:, None]
    s, of_line = (ends[:-1, None] + widths * smooth).ravel(), (widths * slopes * weights).ravel()
    line, begins, stops = _intervals(held, s)
    lengths = (stops - begins)[:, None]
    t = begins[:, None] + lengths * nodes
    found = surface.at(np.stack([np.repeat(s[line], N_NODES), t.ravel()], 1))
    return SurfacePoints(
        points=found.points,
        normals=found.normals,
        areas=found.areas * (of_line[line][:, None] * lengths * weights).ravel(),
    )


Held = Callable[[Array, Array], NDArray[np.bool_]]
"""Points (s, t) of the unit square, by arrays of one form → which belong to a part."""

_GRID = (np.arange(N_ALONG_LINE) + 0.5) / N_ALONG_LINE


def _padded(held: Held, s: Array) -> NDArray[np.int8]:
    """1 at points of lines that belong to a part, with a 0 before and behind each line."""
    on_lines = held(*np.meshgrid(s, _GRID, indexing="ij"))
    return np.pad(on_lines, ((0, 0), (1, 1))).astype(np.int8)


def _changes(held: Held) -> Array:
    """The lines between which the number of places changes where they enter and leave a part."""

    def n_places(s: Array) -> NDArray[np.intp]:
        return np.count_nonzero(np.diff(_padded(held, s)), axis=1)

    lines = (np.arange(N_LINES) + 0.5) / N_LINES
    counts = n_places(lines)
    at = np.flatnonzero(np.diff(counts))
    low, high = lines[at], lines[at + 1]
    for _ in range(N_HALVINGS if len(at) else 0):
        middle = (low + high) / 2
        is_low = n_places(middle) == counts[at]
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return low


def _intervals(held: Held, s: Array) -> tuple[NDArray[np.intp], Array, Array]:
    """What of lines belongs to a part: the number of the line, begin and end of each interval."""
    padded, edges = _padded(held, s), np.r_[0.0, _GRID, 1.0]
    line, place = np.nonzero(np.diff(padded))
    is_start = padded[line, place + 1] == 1
    low, high = edges[place], edges[place + 1]
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        is_low = held(s[line], middle) != is_start
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return line[is_start], low[is_start], low[~is_start]
