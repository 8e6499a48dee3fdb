"""Grids on which a solver of equations takes the residuals of a region to vanish."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array


class Axis(Protocol):
    """A coordinate, as a solver discretises it."""

    @property
    def nodes(self) -> Array:
        """The points at which residuals vanish."""

    @property
    def quadrature(self) -> tuple[Array, Array]:
        """Points and weights of integrals over the coordinate."""


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A grid of points, and the sums over some of its axes that are asked to vanish."""

    axes: tuple[Array, ...]
    """The points along each coordinate."""
    weights: Mapping[int, Array] = field(default_factory=dict)
    """By axis, the weights of the sum along it."""
    symbols: Mapping[str, float] = field(default_factory=dict)
    """Values of symbols besides the coordinates."""
    selected: NDArray[np.intp] | None = None
    """The rows that are wanted; None for all."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of points along each coordinate."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def n_rows(self) -> int:
        """The number of residuals: points that are wanted, on the axes that are not summed."""
        if self.selected is not None:
            return len(self.selected)
        return math.prod(
            len(points) for axis, points in enumerate(self.axes) if axis not in self.weights
        )

    def summed(self, values: Array) -> Array:
        """Values on the grid [p_1, …, p_d, …] → one for each row [n_rows, …]."""
        for axis in sorted(self.weights, reverse=True):
            values = np.tensordot(self.weights[axis], values, axes=(0, axis))
        free = len(self.axes) - len(self.weights)
        rows = values.reshape(-1, *values.shape[free:])
        return rows if self.selected is None else rows[self.selected]


def on_axes(axes: Sequence[Axis], fixed: Mapping[int, float]) -> tuple[Array, ...]:
    """The nodes of each axis, or the one value that it has in `fixed`."""
    return tuple(np.array([fixed[i]]) if i in fixed else axis.nodes for i, axis in enumerate(axes))
