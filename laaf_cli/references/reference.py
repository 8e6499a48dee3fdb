"""What every reference is: a solution from elsewhere that can be evaluated anywhere and says how
far to trust it.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.errors import ExitCode, LaafError
from laaf_cli.problem import Domain, grid_points

ROUNDING = 16 * float(np.finfo(float).eps)
"""Of the largest value of an unknown: what a solver does not claim to be better than."""


class ReferenceRefusedError(LaafError):
    """A reference does not apply to the problem; the text says why, in the user's terms."""

    exit_code = ExitCode.SPEC


@dataclass(frozen=True)
class ReferenceValues:
    """Fields at points."""

    fields: Mapping[str, Array]
    """Each unknown [n_points], float64."""
    error_estimates: Mapping[str, float]
    """An estimate of the largest absolute error of each unknown, in its own unit."""
    wall_time_s: float
    """The seconds that computing them took."""

    @property
    def error_estimate(self) -> float:
        """The largest of them."""
        return max(self.error_estimates.values())


def zero_if_rounding(values: Array, error: float | Array) -> Array:
    """Values of an unknown, or zeros where it is nowhere larger than its own error."""
    return np.zeros_like(values) if np.all(np.abs(values) <= error) else values


def _silent(_text: str) -> None:
    """Reports nothing."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a solver heeds while it works."""

    deadline: float = math.inf
    """A time of `time.perf_counter` after which it ends with what it has, or is refused."""
    report: Callable[[str], None] = _silent
    """Called with the progress, in words."""

    def of(self, part: str) -> Watch:
        """That of a part of the work, which prefixes its reports with its name."""
        return replace(self, report=lambda text: self.report(f"{part}, {text}"))

    def check(self) -> None:
        """Raises OutOfTimeError after the deadline."""
        if time.perf_counter() > self.deadline:
            raise OutOfTimeError


UNWATCHED = Watch()


class OutOfTimeError(Exception):
    """The deadline of a solver has passed."""


def out_of_time(reached: str = "") -> ReferenceRefusedError:
    """The refusal of a reference that took too long, to be raised.

    Args:
        reached: what it had come to, in words.
    """
    return ReferenceRefusedError(
        f"the spectral solution was not found within the time that it has{reached}; "
        "reference: spectral gives it as long as it takes"
    )


class Reference(ABC):
    """An independent solution of a problem."""

    method: str
    """One line on how it is computed and how its error is estimated."""
    takes_long: bool = False
    """Whether the first evaluation solves equations, so that a person should be informed."""
    fingerprint: str = ""
    """What distinguishes it from others of its kind besides the spec, e.g. the checksum of a file;
    empty where the spec says all.
    """

    def check(self, domain: Domain) -> None:
        """Whether the reference covers a domain; costs little.

        Raises:
            ReferenceRefusedError: it does not.
        """
        self.evaluate(grid_points(domain.grid((2,) * domain.dimension)))

    def prepare(self, watch: Watch) -> None:  # noqa: B027, what is known needs no solving
        """Solves what `evaluate` needs, which does so by itself where it has not been.

        Raises:
            ReferenceRefusedError: there is no solution, or not within the time.
        """

    @abstractmethod
    def evaluate(self, points: Array) -> ReferenceValues:
        """The unknowns at points [n, d] of the domain."""
