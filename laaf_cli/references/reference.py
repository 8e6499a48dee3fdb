"""What every reference is: a solution from elsewhere that can be evaluated anywhere and says how
far to trust it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.errors import ExitCode, LaafError
from laaf_cli.problem import Domain, grid_points


class ReferenceRefusedError(LaafError):
    """A reference does not apply to the problem; the text says why, in the user's terms."""

    exit_code = ExitCode.SPEC


@dataclass(frozen=True)
class ReferenceValues:
    """Fields at points.

    fields: each unknown [n_points], float64. error_estimate: of the largest absolute error among
    them, in the unit of the unknown. wall_time_s: what computing them took.
    """

    fields: Mapping[str, Array]
    error_estimate: float
    wall_time_s: float


def zero_if_rounding(values: Array, error: float | Array) -> Array:
    """Values of an unknown, or zeros where it is nowhere larger than its own error."""
    return np.zeros_like(values) if np.all(np.abs(values) <= error) else values


class Reference(ABC):
    """An independent solution of a problem.

    method: one line on how it is computed and how its error is estimated. fingerprint: what tells
    it from others of its kind besides the spec, as the checksum of a file; empty where the spec
    says all. takes_long: whether the first evaluation solves equations, so that a person should be
    told.
    """

    method: str
    takes_long: bool = False
    fingerprint: str = ""

    def check(self, domain: Domain) -> None:
        """Tells, at little cost, whether the reference covers a domain; raises
        ReferenceRefusedError where not.
        """
        self.evaluate(grid_points(domain.grid((2,) * domain.dimension)))

    @abstractmethod
    def evaluate(self, points: Array) -> ReferenceValues:
        """The unknowns at points [n, d] of the domain."""
