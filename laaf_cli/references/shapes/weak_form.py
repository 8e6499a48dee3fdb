"""What finite elements solve: equations multiplied by test functions, and what is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from laaf_cli.arrays import Array
from laaf_cli.expression import Field, Node
from laaf_cli.problem.shapes.boundary import BoundaryPiece
from laaf_cli.problem.shapes.shape import AnyShape


@dataclass(frozen=True, kw_only=True)
class WeakEquation:
    """An equation and the component whose test functions it is multiplied by."""

    name: str
    test: str
    fluxes: Mapping[int, Node]
    """F by axis of space, where there is one."""
    rest: Node
    residual: Node
    """The equation itself."""
    is_constraint: bool = False
    """Whether it holds nothing of the unknown that it determines."""
    ends: Mapping[BoundaryPiece, Node] = field(default_factory=dict)
    """What is integrated with the test functions over pieces of the boundary."""


@dataclass(frozen=True, kw_only=True)
class PressureLevel:
    """What fixes a pressure that the equations and the boundary leave free by a constant."""

    residual: Node
    """In the coordinates and the pressure."""
    point: Array | None
    """Where it is 0, [2]; where its integral over the shape is 0, None."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A condition on a piece of the boundary beyond those that determine the solution."""

    name: str
    residual: Node
    piece: BoundaryPiece


@dataclass(frozen=True, kw_only=True)
class WeakForm:
    """What finite elements solve."""

    shape: AnyShape
    coordinates: tuple[str, ...]
    unknowns: tuple[str, ...]
    """Those of the problem, and rates."""
    equations: tuple[WeakEquation, ...]
    values: Mapping[str, Mapping[BoundaryPiece, Node]]
    """What unknowns are on pieces of the boundary, functions of the coordinates."""
    start: Mapping[str, Node]
    """What unknowns are at the start; empty without time."""
    pressures: frozenset[str] = frozenset()
    levels: Mapping[str, PressureLevel] = field(default_factory=dict)
    """By pressure, for those that are free by a constant."""
    checks: tuple[Check, ...] = ()
    """What the solution must meet as well."""

    @property
    def time_axis(self) -> int | None:
        """The axis of time, if there is one."""
        return next((i for i in range(len(self.coordinates)) if i not in self.shape.axes), None)

    def at_rest(self, unknown: str) -> Field:
        """The unknown itself."""
        return Field(unknown, (0,) * len(self.coordinates))
