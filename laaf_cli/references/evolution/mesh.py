"""Space cut into elements, which are bisected where a function is not resolved.

A function is resolved on an element where the last coefficients of its Chebyshev series, on a
circle those of its Fourier series, are small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.references.collocation import ChebyshevAxis, CollocationAxis, FourierAxis

NARROWEST = 1e-6  # element, as a fraction of space
N_LAST = 3  # coefficients of an element that are looked at
GROWTH = 1.5  # of the number of points on a circle


@dataclass(frozen=True)
class Grid:
    """The nodes of one unknown on all elements; where there is no space, one value that is the
    same everywhere.
    """

    axes: tuple[CollocationAxis, ...]

    @property
    def size(self) -> int:
        """The number of values, those at breaks counted once for each element."""
        return sum(axis.n for axis in self.axes) if self.axes else 1

    @cached_property
    def nodes(self) -> Array:
        """The nodes of all elements one after another, [size]."""
        return np.concatenate([axis.nodes for axis in self.axes]) if self.axes else np.zeros(1)

    @property
    def element_of_node(self) -> NDArray[np.intp]:
        """The index of the element of each node, [size]."""
        return np.repeat(np.arange(len(self.axes)), [axis.n for axis in self.axes])

    @cached_property
    def nodes_inside(self) -> Array:
        """The nodes, those at breaks moved by rounding into their element: what jumps at a break
        has a side there.
        """
        if len(self.axes) < 2:
            return self.nodes
        parts = []
        for axis in self.axes:
            nudge = 4 * np.finfo(float).eps * max(abs(axis.lower), abs(axis.upper))
            parts.append(np.clip(axis.nodes, axis.lower + nudge, axis.upper - nudge))
        return np.concatenate(parts)

    def operators(
        self, points: Array, elements: NDArray[np.intp], highest: int
    ) -> tuple[Array, ...]:
        """The matrices [n_points, size] that take values to derivatives of orders 0 to `highest` at
        points.

        Args:
            elements: [n_points] whose polynomial is differentiated, for at a break there are two.
        """
        if not self.axes:
            return (np.ones((len(points), 1)),)
        result = np.zeros((highest + 1, len(points), self.size))
        start = 0
        for element, axis in enumerate(self.axes):
            here = np.flatnonzero(elements == element)
            if len(here):
                to_points = axis.interpolation(points[here])
                for order in range(highest + 1):
                    result[order, here, start : start + axis.n] = to_points @ axis.derivative(order)
            start += axis.n
        return tuple(result)

    def at(self, points: Array, highest: int) -> tuple[Array, ...]:
        """The operators at points, each of the element that it lies in; a break lies above."""
        inner = [axis.lower for axis in self.axes[1:]]
        return self.operators(points, np.searchsorted(inner, points, side="right"), highest)

    def interpolation(self, points: Array) -> Array:
        """The matrix [n_points, size] that takes values at the nodes to values at points."""
        return self.at(points, 0)[0]

    def tails(self, values: Array) -> Array:
        """The largest of the last coefficients of some functions [n_functions, size] on each
        element.
        """
        from scipy.fft import dct

        values = values.reshape(len(values), len(self.axes), -1)
        size = values.shape[2]
        if isinstance(self.axes[0], FourierAxis):
            coefficients = 2 * np.abs(np.fft.rfft(values)) / size
            return np.max(coefficients[:, :, -max(N_LAST, size // 16) :], axis=2)
        return np.max(np.abs(dct(values, type=1))[:, :, -N_LAST:], axis=2) / (size - 1)


@dataclass(frozen=True)
class Mesh:
    """The elements that space is divided into."""

    breaks: tuple[float, ...]
    """The ends of the elements; empty where there is no space."""
    n_points: int
    """The points of an element, besides those that the order of an unknown adds."""
    is_circle: bool = False
    """Whether there is one element, and it is periodic."""

    @property
    def n_elements(self) -> int:
        """The number of elements, 1 where there is no space."""
        return max(1, len(self.breaks) - 1)

    def grid(self, order: int) -> Grid:
        """The nodes of an unknown whose highest derivative is of an order."""
        if self.is_circle:
            return Grid((FourierAxis(self.breaks[0], self.breaks[-1], self.n_points),))
        return Grid(
            tuple(ChebyshevAxis(*ends, self.n_points + order) for ends in pairwise(self.breaks))
        )

    @property
    def inside(self) -> tuple[Array, NDArray[np.intp]]:
        """The points at which the equations hold, the zeros of Chebyshev's polynomial, and their
        elements.
        """
        if not self.breaks:
            return np.zeros(1), np.zeros(1, np.intp)
        if self.is_circle:
            nodes = self.grid(0).nodes
            return nodes, np.zeros(len(nodes), np.intp)
        unit = -np.cos(np.pi * (2 * np.arange(self.n_points) + 1) / (2 * self.n_points))
        points = [
            (lower + upper) / 2 + (upper - lower) / 2 * unit
            for lower, upper in pairwise(self.breaks)
        ]
        return np.concatenate(points), np.repeat(np.arange(self.n_elements), self.n_points)

    def refined(self, is_unresolved: NDArray[np.bool_]) -> Mesh:
        """More points on a circle, the unresolved elements in two elsewhere; itself where these
        are the narrowest.
        """
        if self.is_circle:
            return (
                replace(self, n_points=2 * int(GROWTH * self.n_points / 2))
                if np.any(is_unresolved)
                else self
            )
        narrowest = NARROWEST * (self.breaks[-1] - self.breaks[0])
        breaks = list(self.breaks[:1])
        for (lower, upper), is_open in zip(pairwise(self.breaks), is_unresolved, strict=True):
            breaks += (
                [(lower + upper) / 2, upper] if is_open and upper - lower > narrowest else [upper]
            )
        return replace(self, breaks=tuple(breaks))


def fitted(
    mesh: Mesh, functions: Callable[[Grid], Array], tolerance: float, most_points: int
) -> Mesh:
    """A mesh refined until it resolves some functions: grid → values [n_functions, size].

    Args:
        tolerance: of the last coefficients.
        most_points: on all elements; the worst are bisected first.
    """
    while mesh.breaks:
        grid = mesh.grid(1)
        tails = np.max(grid.tails(functions(grid)), axis=0)
        room = max(0, most_points // mesh.n_points - mesh.n_elements)
        is_open = tails > tolerance
        is_open &= tails >= np.sort(tails)[-min(max(room, 1), len(tails))]
        finer = mesh.refined(is_open)
        if finer == mesh or finer.n_points * finer.n_elements > most_points:
            return mesh
        mesh = finer
    return mesh
