"""Nodes of an interval, and what functions known at them alone imply: derivatives, values between,
integrals.

On an interval: Chebyshev's extreme points and the polynomial through them. On a period: equispaced
points and the trigonometric polynomial through them. Where the function is smooth, both converge
faster than any power of the number of nodes (Trefethen, Spectral Methods in MATLAB, 2000, chapters
3 to 6).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.multi_index import MAX_ORDER


@dataclass(frozen=True)
class CollocationAxis(ABC):
    """An interval [lower, upper] with n nodes."""

    lower: float
    upper: float
    n: int

    @property
    @abstractmethod
    def nodes(self) -> Array:
        """The nodes [n], ascending."""

    @property
    @abstractmethod
    def weights(self) -> Array:
        """The weights [n] of the integral over the interval of the function through values at
        the nodes.
        """

    @property
    @abstractmethod
    def _derivatives(self) -> tuple[Array, ...]:
        """The matrices of the orders 0 to MAX_ORDER."""

    @abstractmethod
    def interpolation(self, points: Array) -> Array:
        """The matrix [n_points, n] that takes values at the nodes to values at points of the
        interval.
        """

    def derivative(self, order: int) -> Array:
        """The matrix [n, n] that takes values at the nodes to the derivative of an order, 0 to
        4, at the nodes.
        """
        return self._derivatives[order]

    @property
    def length(self) -> float:
        """The length of the interval, in the units of the coordinate."""
        return self.upper - self.lower


@dataclass(frozen=True)
class ChebyshevAxis(CollocationAxis):
    """The extreme points of Chebyshev's polynomial, both ends included; n ≥ 2.

    On [−1, 1]: x_j = −cos(jπ/(n − 1)), barycentric weights (−1)^j, halved at the ends (Berrut &
    Trefethen, SIAM Review 46, 2004, equation 5.4).
    """

    @cached_property
    def nodes(self) -> Array:
        # A sine about the middle, unlike the cosine, makes them symmetric to the last bit.
        unit = np.sin(np.pi * (2 * np.arange(self.n) - (self.n - 1)) / (2 * (self.n - 1)))
        nodes: Array = (self.lower + self.upper) / 2 + self.length / 2 * unit
        nodes[0], nodes[-1] = self.lower, self.upper
        return nodes

    @cached_property
    def weights(self) -> Array:
        """Clenshaw-Curtis, exact for polynomials of degree n − 1: ∫T_k = 2/(1 − k²) for even k."""
        last = self.n - 1
        degrees = np.arange(0, self.n, 2)
        moments = 2 / (1 - degrees.astype(float) ** 2)
        moments[degrees == last] /= 2
        moments[0] /= 2
        ends = np.where(np.isin(np.arange(self.n), (0, last)), 0.5, 1.0)
        weights: Array = (
            self.length / last * ends * (np.cos(np.outer(self._angles, degrees)) @ moments)
        )
        return weights

    @cached_property
    def _angles(self) -> Array:
        angles: Array = np.pi * np.arange(self.n)[::-1] / (self.n - 1)
        return angles

    @cached_property
    def _barycentric(self) -> Array:
        weights = np.where(np.arange(self.n) % 2, -1.0, 1.0)
        weights[[0, -1]] /= 2
        return weights

    @cached_property
    def _derivatives(self) -> tuple[Array, ...]:
        """By the recursion of Welfert (Weideman & Reddy, ACM TOMS 26, 2000, equation 13), rows
        that sum to zero.
        """
        angles = self._angles
        # cos a − cos b as a product: differences of neighbouring nodes would cancel.
        gaps = (
            2
            * np.sin(np.add.outer(angles, angles) / 2)
            * np.sin(np.subtract.outer(angles, angles).T / 2)
        )
        # sin is exact near 0 and not near π: the upper half mirrors the lower.
        half = (self.n + 1) // 2
        gaps[-half:] = -gaps[:half][::-1, ::-1]
        np.fill_diagonal(gaps, 1.0)
        ratio = self._barycentric[None, :] / self._barycentric[:, None]
        matrices = [np.eye(self.n)]
        for order in range(1, MAX_ORDER + 1):
            before = matrices[-1]
            matrix = order / gaps * (ratio * np.diag(before)[:, None] - before)
            np.fill_diagonal(matrix, 0.0)
            np.fill_diagonal(matrix, -matrix.sum(axis=1))
            matrices.append(matrix)
        return tuple(matrix * (2 / self.length) ** order for order, matrix in enumerate(matrices))

    def interpolation(self, points: Array) -> Array:
        """Berrut & Trefethen 2004, equation 4.2."""
        return _barycentric_matrix(points[:, None] - self.nodes, self._barycentric)


@dataclass(frozen=True)
class FourierAxis(CollocationAxis):
    """Equispaced points of a period, its upper end left out; n even."""

    @cached_property
    def nodes(self) -> Array:
        nodes: Array = self.lower + self.length * np.arange(self.n) / self.n
        return nodes

    @cached_property
    def weights(self) -> Array:
        """The trapezoidal rule."""
        return np.full(self.n, self.length / self.n)

    @cached_property
    def _derivatives(self) -> tuple[Array, ...]:
        """Circulant: the transform of (ik)^order, where the highest wave has no odd derivative
        (Trefethen 2000, 3).
        """
        from scipy.linalg import circulant

        waves = 1j * np.fft.fftfreq(self.n, 1 / self.n)
        matrices = []
        for order in range(MAX_ORDER + 1):
            factors = waves**order
            if order % 2:
                factors[self.n // 2] = 0
            matrices.append(
                circulant(np.fft.ifft(factors).real) * (2 * np.pi / self.length) ** order
            )
        return tuple(matrices)

    def interpolation(self, points: Array) -> Array:
        """The periodic cardinal functions for even n, barycentric (Berrut & Trefethen 2004,
        equation 7.3).
        """
        phases = np.pi * np.mod((points[:, None] - self.nodes) / self.length + 0.5, 1.0) - np.pi / 2
        return _barycentric_matrix(np.tan(phases), np.where(np.arange(self.n) % 2, -1.0, 1.0))


def _barycentric_matrix(gaps: Array, weights: Array) -> Array:
    """weights/gaps with rows that sum to 1; a point on a node takes its value."""
    on_node = gaps == 0
    matrix: Array = weights / np.where(on_node, 1.0, gaps)
    there = on_node.any(axis=1)
    matrix[there] = on_node[there]
    return matrix / matrix.sum(axis=1, keepdims=True)
