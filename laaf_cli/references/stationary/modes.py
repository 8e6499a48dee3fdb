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
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.references.collocation import ChebyshevAxis


@dataclass(frozen=True)
class Modes(ABC):
    """The first modes on [lower, upper]."""

    lower: float
    upper: float
    n: int
    """The number of modes, even."""

    @property
    @abstractmethod
    def degrees(self) -> Array:
        """The degree or wave number of each mode, [n_modes]."""

    @property
    @abstractmethod
    def nodes(self) -> Array:
        """As many points inside as there are modes, at which these can be distinguished best."""

    @property
    @abstractmethod
    def quadrature(self) -> tuple[Array, Array]:
        """Points and weights of integrals over the interval."""

    @abstractmethod
    def values(self, points: Array, order: int) -> Array:
        """A derivative of every mode at points, [n_points, n_modes]."""

    def places_in(self, finer: Modes) -> NDArray[np.intp]:
        """The index of each of these modes among those of a finer resolution, [n_modes]."""
        return np.arange(min(len(self.degrees), len(finer.degrees)))

    def spread(self, n: int) -> Array:
        """Points at which functions are compared, whatever the resolution: n equidistant ones."""
        return np.linspace(self.lower, self.upper, n)


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


@dataclass(frozen=True, kw_only=True)
class ElementModes(Modes):
    """Chebyshev's polynomials on each of the elements between breaks, n on each; zero elsewhere.

    A break belongs to the element above it; the last number below the break, to the one below.
    """

    breaks: tuple[float, ...]

    @cached_property
    def elements(self) -> tuple[ChebyshevModes, ...]:
        """The modes of each element, from the lower bound upwards."""
        ends = pairwise((self.lower, *self.breaks, self.upper))
        return tuple(ChebyshevModes(*both, self.n) for both in ends)

    @property
    def degrees(self) -> Array:
        return np.concatenate([element.degrees for element in self.elements])

    @property
    def nodes(self) -> Array:
        return np.concatenate([element.nodes for element in self.elements])

    @property
    def quadrature(self) -> tuple[Array, Array]:
        parts = []
        for element in self.elements:
            points, weights = element.quadrature
            if element.upper < self.upper:
                points = np.minimum(points, np.nextafter(element.upper, -np.inf))
            parts.append((points, weights))
        points, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
        return points, weights

    def values(self, points: Array, order: int) -> Array:
        result = np.zeros((len(points), self.n * len(self.elements)))
        owners = np.searchsorted(self.breaks, points, side="right")
        for i in np.unique(owners):
            here = np.flatnonzero(owners == i)
            mine = slice(i * self.n, (i + 1) * self.n)
            result[here, mine] = self.elements[i].values(points[here], order)
        return result

    def places_in(self, finer: Modes) -> NDArray[np.intp]:
        firsts = finer.n * np.arange(len(self.elements))
        return np.add.outer(firsts, np.arange(self.n)).ravel()

    def spread(self, n: int) -> Array:
        inner = [np.linspace(e.lower, e.upper, 2 + n // 16)[1:-1] for e in self.elements]
        return np.unique(np.concatenate([super().spread(n), *inner]))


def make_modes(
    lower: float, upper: float, n: int, *, breaks: tuple[float, ...], is_periodic: bool
) -> Modes:
    """The modes of an interval: elements where there are breaks, waves where all is periodic."""
    if breaks:
        return ElementModes(lower, upper, n, breaks=breaks)
    return FourierModes(lower, upper, n) if is_periodic else ChebyshevModes(lower, upper, n)
