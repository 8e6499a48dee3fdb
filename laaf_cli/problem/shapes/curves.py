"""Smooth plane curves, each with its solid on the left, and the pieces that bound a shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.boundary import BoundaryPiece, BoundaryPoints
from laaf_cli.problem.shapes.motion import Motion

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

N_PANELS, N_NODES = 64, 16
"""Of Gauss-Legendre quadrature along a piece."""

N_TABLE = 1025
"""Points at which the length along a piece is known; between them it is interpolated."""

CORNER = 1e-9
"""What of a piece at each end, as a fraction of its length, is the corner, which is in no part."""


Level = Callable[[Array], tuple[Array, Array]]
"""Points [n, d] → values [n] and gradients [n, d]."""


class PlaneCurve(ABC):
    """A smooth curve over s in [0, 1]."""

    @abstractmethod
    def at(self, s: Array) -> Array:
        """Its points [n, 2]."""

    @abstractmethod
    def velocity(self, s: Array) -> Array:
        """∂/∂s of the same."""

    @abstractmethod
    def moved(self, motion: Motion) -> PlaneCurve:
        """The curve after a motion."""


@dataclass(frozen=True, eq=False)
class StraightLine(PlaneCurve):
    """A straight line from a point [2] along a vector [2]."""

    start: Array
    along: Array

    def at(self, s: Array) -> Array:
        return self.start + s[:, None] * self.along

    def velocity(self, s: Array) -> Array:
        return np.tile(self.along, (len(s), 1))

    def moved(self, motion: Motion) -> PlaneCurve:
        return StraightLine(motion.of_points(self.start), self.along @ motion.matrix)


@dataclass(frozen=True, eq=False, kw_only=True)
class Arc(PlaneCurve):
    """center + cos θ · first + sin θ · second, θ from `begin` by `sweep`: of an ellipse where the
    half-axes [2] are orthogonal.
    """

    center: Array
    first: Array
    second: Array
    begin: float = 0.0
    sweep: float = 2 * np.pi

    @property
    def is_circular(self) -> bool:
        """Whether it is part of a circle."""
        return bool(np.isclose(self.first @ self.first, self.second @ self.second, rtol=1e-14))

    def at(self, s: Array) -> Array:
        theta = self.begin + self.sweep * s[:, None]
        return self.center + np.cos(theta) * self.first + np.sin(theta) * self.second

    def velocity(self, s: Array) -> Array:
        theta = self.begin + self.sweep * s[:, None]
        return self.sweep * (np.cos(theta) * self.second - np.sin(theta) * self.first)

    def moved(self, motion: Motion) -> PlaneCurve:
        first, second = self.first @ motion.matrix, self.second @ motion.matrix
        return replace(self, center=motion.of_points(self.center), first=first, second=second)


@dataclass(frozen=True, eq=False)
class Traced(PlaneCurve):
    """Where a function is 0, by a spline through points of it that is put right by Newton's
    method.
    """

    spline: CubicSpline
    level: Level
    motion: Motion

    def at(self, s: Array) -> Array:
        return self.motion.of_points(onto(self.spline(s), self.level))

    def velocity(self, s: Array) -> Array:
        return self.spline(s, 1) @ self.motion.matrix

    def moved(self, motion: Motion) -> PlaneCurve:
        return replace(self, motion=self.motion.then(motion))


def onto(points: Array, level: Level, steps: int = 3) -> Array:
    """Points [n, d] near where a function is 0, moved there along its gradient."""
    for _ in range(steps):
        values, slopes = level(points)
        squares = np.square(slopes).sum(1)
        points = points - (values / np.where(squares > 0, squares, 1.0))[:, None] * slopes
    return points


@dataclass(frozen=True, eq=False, kw_only=True)
class CurvePiece(BoundaryPiece):
    """The part of a curve from one s to another that bounds a shape; the shape is on its left
    unless it is turned.
    """

    curve: PlaneCurve
    begin: float
    end: float
    is_turned: bool
    """Whether the shape is outside of the solid of the curve, as where that is cut out."""
    quantity: ClassVar[str] = "length"
    n_numbers: ClassVar[int] = 1

    def at(self, share: Array) -> Array:
        """Points [n, 2] at fractions of the range of s."""
        return self.curve.at(self.begin + (self.end - self.begin) * share)

    def velocity(self, share: Array) -> Array:
        """Their derivatives by that fraction."""
        return (self.end - self.begin) * self.curve.velocity(
            self.begin + (self.end - self.begin) * share
        )

    def normals(self, share: Array) -> Array:
        """The outward unit normals [n, 2] of the shape."""
        velocity = self.velocity(share)
        normals = np.stack([velocity[:, 1], -velocity[:, 0]], 1)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return -normals if self.is_turned else normals

    @property
    def ends(self) -> Array:
        """First and last point [2, 2] with the shape on the left."""
        ends = self.at(np.array([0.0, 1.0]))
        return ends[::-1] if self.is_turned else ends

    @cached_property
    def measure(self) -> float:
        """∫ |dp|."""
        share, weights = _quadrature()
        return float(weights @ np.linalg.norm(self.velocity(share), axis=1))

    @property
    def weight(self) -> float:
        return self.measure

    @cached_property
    def swept(self) -> float:
        """½ ∮ x dy − y dx along it."""
        share, weights = _quadrature()
        (x, y), (u, v) = self.at(share).T, self.velocity(share).T
        return float(weights @ (x * v - y * u)) / 2 * (-1 if self.is_turned else 1)

    def along(self, fraction: Array) -> Array:
        """Fractions of s at fractions of the length."""
        share, lengths = self._table
        return np.interp(fraction, lengths, share)

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        share = np.linspace(0, 1, N_TABLE)
        middle = (share[1:] + share[:-1]) / 2
        speed, between = (np.linalg.norm(self.velocity(at), axis=1) for at in (share, middle))
        lengths = np.cumsum(np.r_[0.0, speed[1:] + speed[:-1] + 4 * between])  # Simpson's rule
        return share, lengths / lengths[-1]

    def draw(self, numbers: Array) -> BoundaryPoints:
        share = self.along(np.clip(numbers[:, 0], CORNER, 1 - CORNER))
        held = np.ones(len(share), dtype=bool)
        return BoundaryPoints(points=self.at(share), normals=self.normals(share), held=held)

    def some(self, n: int) -> BoundaryPoints:
        return self.draw(np.linspace(0.05, 0.95, n)[:, None])

    def split(self, n: int) -> list[CurvePiece]:
        """The piece in n parts."""
        cuts = np.linspace(self.begin, self.end, n + 1)
        return [replace(self, begin=a, end=b) for a, b in pairwise(cuts)]


def _quadrature() -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    starts = np.arange(N_PANELS)[:, None]
    return ((starts + (nodes + 1) / 2) / N_PANELS).ravel(), np.tile(
        weights / 2 / N_PANELS, N_PANELS
    )
