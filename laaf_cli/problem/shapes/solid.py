"""What all primitives are, in the plane and in space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.curves import PlaneCurve
from laaf_cli.problem.shapes.motion import Motion
from laaf_cli.problem.shapes.surfaces import Surface

BOX = "box"
"""The primitive that is the whole box of the coordinates."""


Level = Callable[[Array], Array]


class NoSolidError(Exception):
    """Numbers that make no primitive, with the reason."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """A primitive at its place."""

    kind: str
    """Its name in the table."""
    level: Level
    """Points [n, d] → [n], negative inside, positive outside, 0 on the boundary."""
    curves: tuple[PlaneCurve, ...] = ()
    """The boundary in the plane, the solid on the left of each."""
    surfaces: tuple[Surface, ...] = ()
    """The boundary in space."""

    def moved(self, motion: Motion) -> Solid:
        """The solid after a motion."""
        return Solid(
            kind=self.kind,
            level=partial(_moved_level, self.level, motion),
            curves=tuple(curve.moved(motion) for curve in self.curves),
            surfaces=tuple(surface.moved(motion) for surface in self.surfaces),
        )


def _moved_level(level: Level, motion: Motion, points: Array) -> Array:
    return level(motion.before(points))


@dataclass(frozen=True, kw_only=True)
class Primitive:
    """A row of the table."""

    arguments: str
    """Their names, as messages show them."""
    meaning: str
    make: Callable[[Array, Array], Solid]
    """The arguments [n], and lower and upper corner of the box [2, d] → the solid; raises
    NoSolidError.
    """
    n_arguments: int | None
    """None for any even number from six on."""


def positive(*lengths: float) -> None:
    """Raises NoSolidError for a length that is not positive."""
    for length in lengths:
        if not length > 0:
            raise NoSolidError(f"a length of {length:g} is not positive")
