"""Boxes of any dimension, their faces, and what of them a shape leaves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.shape import AnyShape

SHORTEST, LARGEST = 1e-30, 1e30
"""Of the lengths and bounds of a domain: squares of fourth derivatives, 1/length⁸ in size, are then
numbers of double precision.
"""


@dataclass(frozen=True, kw_only=True)
class Face:
    """One side of a box: the points at which coordinate `axis` has its lower or upper bound
    `value`.
    """

    axis: int
    upper: bool
    value: float
    name: str


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A box, or the shape that lies in it: its coordinates, in the order of the network's inputs,
    and their bounds.
    """

    coordinates: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    periodic: tuple[int, ...] = ()
    """The axes along which all functions are periodic, the range being the period; empty means
    none.
    """
    shape: AnyShape | None = None
    """What of the box is the domain; all of it where None."""

    @property
    def dimension(self) -> int:
        """The number of coordinates, time among them."""
        return len(self.coordinates)

    @property
    def time_axis(self) -> int | None:
        """The coordinate named `t`, if there is one."""
        return self.coordinates.index("t") if "t" in self.coordinates else None

    @property
    def time(self) -> str | None:
        """The name of the coordinate of time, if there is one."""
        return None if self.time_axis is None else "t"

    @cached_property
    def faces(self) -> tuple[Face, ...]:
        """All faces, lower before upper, in the order of the coordinates; those of time alone where
        there is a shape.
        """
        return tuple(
            Face(axis=axis, upper=upper, value=value, name=f"{name} = {value:g}")
            for axis, name in enumerate(self.coordinates)
            if self.shape is None or axis not in self.shape.axes
            for upper, value in ((False, self.lower[axis]), (True, self.upper[axis]))
        )

    @property
    def boundary(self) -> tuple[Face, ...]:
        """The faces in space: those of every coordinate but time that is not periodic."""
        return tuple(
            face for face in self.faces if face.axis not in (self.time_axis, *self.periodic)
        )

    @property
    def space(self) -> tuple[int, ...]:
        """The axes of space: all but time."""
        return tuple(axis for axis in range(self.dimension) if axis != self.time_axis)

    def face(self, axis: int, value: float) -> Face | None:
        """The face at `value`, within rounding of the size of the domain, or None."""
        size = self.upper[axis] - self.lower[axis]
        for face in self.faces:
            if face.axis == axis and abs(face.value - value) <= 1e-12 * size:
                return face
        return None

    def from_unit(self, unit: Array) -> Array:
        """Points of the unit cube [n, d] → points of the box [n, d]."""
        lower, upper = np.asarray(self.lower), np.asarray(self.upper)
        # Clipped, for rounding must not carry a point over the bound.
        return np.clip(lower + (upper - lower) * unit, lower, upper)

    def inside(self, points: Array) -> NDArray[np.bool_]:
        """Which points [n, d] of the box belong to the domain."""
        return np.ones(len(points), dtype=bool) if self.shape is None else self.shape.holds(points)

    def scattered(self, n: int, random: np.random.Generator) -> Array:
        """Independent uniform points [n, d] of the domain."""
        points = self.from_unit(random.random((n, self.dimension)))
        if self.shape is None:
            return points
        points = points[self.inside(points)]
        while len(points) < n:
            more = self.from_unit(random.random((n, self.dimension)))
            points = np.concatenate([points, more[self.inside(more)]])
        return points[:n]

    def grid(self, sizes: tuple[int, ...]) -> tuple[Array, ...]:
        """Equidistant values of each coordinate, both bounds included."""
        return tuple(np.linspace(*ends) for ends in zip(self.lower, self.upper, sizes, strict=True))


def grid_points(axes: tuple[Array, ...]) -> Array:
    """All points of a rectilinear grid, [n_points, d]; the last coordinate runs fastest."""
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
