"""Motions of points: rotations and translations, and what else is linear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array


@dataclass(frozen=True, eq=False)
class Motion:
    """p → p · matrix + shift: a linear map [d, d] of rows, then a translation [d]."""

    matrix: Array
    shift: Array

    @classmethod
    def none(cls, dimension: int) -> Motion:
        """That leaves points where they are."""
        return cls(np.eye(dimension), np.zeros(dimension))

    @classmethod
    def turning(cls, angle: float, center: Array) -> Motion:
        """A rotation in the plane by an angle in radians, counterclockwise."""
        c, s = np.cos(angle), np.sin(angle)
        matrix = np.array([[c, s], [-s, c]])
        return cls(matrix, center - center @ matrix)

    @classmethod
    def turning_about(cls, angle: float, axis: Array, center: Array) -> Motion:
        """A rotation in space by an angle in radians, counterclockwise seen from where the axis [3]
        points to (Rodrigues' formula).
        """
        x, y, z = axis / np.linalg.norm(axis)
        across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        matrix = (np.eye(3) + np.sin(angle) * across + (1 - np.cos(angle)) * across @ across).T
        return cls(matrix, center - center @ matrix)

    def of_points(self, points: Array) -> Array:
        """The images of points [n, d]."""
        return points @ self.matrix + self.shift

    def before(self, points: Array) -> Array:
        """What a rotation and a translation move to points [n, d]."""
        return (points - self.shift) @ self.matrix.T

    def then(self, other: Motion) -> Motion:
        """This one, and another after it."""
        return Motion(self.matrix @ other.matrix, other.of_points(self.shift))
