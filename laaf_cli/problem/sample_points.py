"""Points at which fields are wanted: those of a grid, of cells, or scattered ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.problem.shapes.triangulation import Indices, triangulate


@dataclass(frozen=True)
class SamplePoints:
    """Where fields are wanted: a rectilinear grid, or scattered points, of cells or of none."""

    coordinates: Mapping[str, Array]
    """By name, in the order of the network's inputs; on a grid the values along each axis [n_i],
    else one value for each point [n].
    """
    is_grid: bool
    cells: Indices | None = None
    """Of points that are no grid the corners of triangles [m, 3], or of wedges between triangles at
    two times [m, 6]; None for none.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """[n_1, …, n_d] of a grid, [n] of points."""
        sizes = tuple(len(values) for values in self.coordinates.values())
        return sizes if self.is_grid else sizes[:1]

    @property
    def n_points(self) -> int:
        """The number of points, of a grid the product of its shape."""
        return math.prod(self.shape)

    def block(self, start: int, stop: int) -> Array:
        """The points from `start` to before `stop`, [n, d]; on a grid the last coordinate runs
        fastest.
        """
        columns = list(self.coordinates.values())
        if self.is_grid:
            # A large grid is never laid out as a whole.
            indices = np.unravel_index(np.arange(start, min(stop, self.n_points)), self.shape)
            pairs = zip(columns, indices, strict=True)
            return np.stack([values[index] for values, index in pairs], axis=1)
        return np.stack([values[start:stop] for values in columns], axis=1)


def on_triangles(shape: PlaneShape, axes: Mapping[str, Array]) -> SamplePoints:
    """A shape in triangles as fine as a grid is, at all times of it.

    Args:
        axes: of the grid by coordinate, those of space and perhaps of time.
    """
    names = list(axes)
    steps = [np.ptp(axes[names[axis]]) / (len(axes[names[axis]]) - 1) for axis in shape.axes]
    made = triangulate(shape, float(min(steps)))
    n, places = (
        len(made.points),
        dict(zip((names[i] for i in shape.axes), made.points.T, strict=True)),
    )
    others = [name for name in names if name not in places]
    times = axes[others[0]] if others else np.zeros(1)
    columns = {name: np.tile(values, len(times)) for name, values in places.items()}
    columns |= {name: np.repeat(times, n) for name in others}
    cells = made.triangles
    if len(times) > 1:  # VTK has the first triangle of a wedge look away from the second
        lower = cells[:, ::-1] + n * np.arange(len(times) - 1)[:, None, None]
        cells = np.concatenate([lower, lower + n], axis=2).reshape(-1, 6)
    return SamplePoints({name: columns[name] for name in names}, is_grid=False, cells=cells)
