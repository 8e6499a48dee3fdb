"""Functions of an interval that a smooth one is a quickly falling sum of: Chebyshev's polynomials,
or waves.

Solving for the coefficients of modes, and not for values at nodes, keeps rounding small: the
derivative of a mode is known to the last digit, while a matrix that differentiates values through n
nodes loses n^(2·order) digits.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.references.collocation import ChebyshevAxis


@dataclass(frozen=True)
class Modes(ABC):
    """The first modes on [lower, upper]; n: how fine, even."""

    lower: float
    upper: float
    n: int

    @property
    @abstractmethod
    def degrees(self) -> Array:
        """The degree or wave number of each mode, [n_modes]."""

    @property
    @abstractmethod
    def nodes(self) -> Array:
        """As many points inside as there are modes, at which these can be told apart best."""

    @property
    @abstractmethod
    def quadrature(self) -> tuple[Array, Array]:
        """Points and weights of integrals over the interval."""

    @abstractmethod
    def values(self, points: Array, order: int) -> Array:
        """A derivative of every mode at points, [n_points, n_modes]."""


@dataclass(frozen=True)
class ChebyshevModes(Modes):
    """T_0 … T_{n−1}, moved to the interval; the nodes are the zeros of T_n."""

    @property
    def degrees(self) -> Array:
        return np.arange(float(self.n))

    @property
    def nodes(self) -> Array:
        unit = np.sin(np.pi * (2 * np.arange(self.n) + 1 - self.n) / (2 * self.n))
        points: Array = (self.lower + self.upper) / 2 + (self.upper - self.lower) / 2 * unit
        return points

    @property
    def quadrature(self) -> tuple[Array, Array]:
        # One more node than there are modes makes the integral of each of them exact.
        axis = ChebyshevAxis(self.lower, self.upper, self.n + 1)
        return axis.nodes, axis.weights

    def values(self, points: Array, order: int) -> Array:
        """T_k = cos(k arccos x), and T_k^(m) = 2^(m−1) (m−1)! k C^(m)_{k−m} (DLMF 18.9.21,
        18.9.19).

        C^(m), Gegenbauer's polynomials, by their recurrence (DLMF 18.9.1), which is stable on [−1,
        1].
        """
        unit = ((points - self.lower) - (self.upper - points)) / (self.upper - self.lower)
        if order == 0:
            return np.cos(np.outer(np.arccos(np.clip(unit, -1, 1)), self.degrees))
        gegenbauer = np.zeros((len(points), self.n))
        for k in range(order, self.n):
            i = k - order
            if i < 2:
                gegenbauer[:, k] = (2 * order * unit) ** i
            else:
                gegenbauer[:, k] = (
                    2 * unit * (i + order - 1) * gegenbauer[:, k - 1]
                    - (i + 2 * order - 2) * gegenbauer[:, k - 2]
                ) / i
        factor = (
            2 ** (order - 1) * math.factorial(order - 1) * (2 / (self.upper - self.lower)) ** order
        )
        return gegenbauer * (factor * self.degrees)


@dataclass(frozen=True)
class FourierModes(Modes):
    """1, cos κ, sin κ, …, cos(n/2)κ, sin(n/2)κ with κ = 2π(x − lower)/(upper − lower); the nodes
    are equispaced.
    """

    @property
    def degrees(self) -> Array:
        return (np.arange(self.n + 1.0) + 1) // 2

    @property
    def nodes(self) -> Array:
        points: Array = self.lower + (self.upper - self.lower) * np.arange(self.n + 1) / (
            self.n + 1
        )
        return points

    @property
    def quadrature(self) -> tuple[Array, Array]:
        return self.nodes, np.full(self.n + 1, (self.upper - self.lower) / (self.n + 1))

    def values(self, points: Array, order: int) -> Array:
        rate = 2 * np.pi / (self.upper - self.lower)
        # A sine is a cosine a quarter turn late, a derivative is a quarter turn early.
        turns = order - (np.arange(self.n + 1) % 2 == 0)
        turns[0] = order
        phases = np.outer(points - self.lower, rate * self.degrees) + np.pi / 2 * turns
        return (rate * self.degrees) ** order * np.cos(phases)


MODES: dict[bool, type[Modes]] = {False: ChebyshevModes, True: FourierModes}
"""The modes of an interval, by whether the functions on it are periodic."""
