"""Points at which fields are wanted: those of a grid, or scattered ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array


@dataclass(frozen=True)
class SamplePoints:
    """Where fields are wanted: a rectilinear grid, or scattered points."""

    coordinates: Mapping[str, Array]
    """By name, in the order of the network's inputs; on a grid the values along each axis [n_i],
    else one value for each point [n].
    """
    is_grid: bool

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
