"""The phases of a training: the settings of each, the laws of the learning rate, and how each
ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

DEFAULT_LEARNING_RATE = 1e-3

DEFAULT_GOAL = 1e-7

SHARE_OF_GOAL = 1e-2
"""The residual in windows of time for an error: those that one hands on add up, and grow."""


@dataclass(frozen=True, kw_only=True)
class LearningRate:
    """The settings of a law: what they mean is in the table below."""

    first: float
    n_iterations: int
    factor: float | None = None
    every: int | None = None
    final: float | None = None


@dataclass(frozen=True)
class Law:
    """A row of the table: the learning rate at an iteration of the phase, and the keys that it
    takes.
    """

    rate: Callable[[LearningRate, int], float]
    keys: tuple[str, ...] = ()
    meaning: str = ""


def _cosine(s: LearningRate, i: int) -> float:
    final = s.final or 0.0
    return s.first * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * i / s.n_iterations)))


SCHEDULES: dict[str, Law] = {
    "constant": Law(lambda s, _i: s.first, (), "the same at every iteration"),
    "exponential": Law(
        lambda s, i: s.first * (s.factor or 0.9) ** (i / (s.every or 1000)),
        ("factor", "every"),
        "times `factor` (0.9) per `every` (1000) iterations, smoothly",
    ),
    "step": Law(
        lambda s, i: s.first * (s.factor or 0.1) ** (i // (s.every or 1000)),
        ("factor", "every"),
        "times `factor` (0.1) after each `every` (1000) iterations",
    ),
    "cosine": Law(_cosine, ("final",), "half a cosine down to `final` (0) times the first"),
}


@dataclass(frozen=True, kw_only=True)
class TrainingPhase:
    """One phase: an optimizer of the table, its iterations, and the law of its learning rate, where
    it has one.
    """

    optimizer: str
    iterations: int
    learning_rate: LearningRate
    schedule: str = "constant"
    batch: int | None = None
    max_seconds: float | None = None
    overtime: bool = False
    """Whether windows of time that are about to come to the end may take the seconds of the run."""
    interior: int | None = None
    """Points of the equations from then on, None for as many as before."""
    features: int | None = None
    """Neurons of the last hidden layer, None for as many as there are."""
    n_kept: int = 0
    """How many of these neurons earlier phases have trained."""
    windows: int | None = 1
    """The number of windows of time; None for as many as it takes."""
    goal: float = DEFAULT_GOAL
    """The relative residual at which the problem counts as solved."""
    error: float = 0.0
    """The relative error that is asked for; 0 where none is."""

    @property
    def leniency(self) -> float:
        """The multiple of the goal that does in windows of time, as many as it takes."""
        return max(1.0, SHARE_OF_GOAL * self.error / self.goal)

    def rate(self, i: int) -> float:
        """The learning rate at an iteration of the phase, from 0."""
        return SCHEDULES[self.schedule].rate(self.learning_rate, i)


class PhaseEnd(Enum):
    """Why a phase ended."""

    COMPLETED = "completed"
    MAX_SECONDS = "max-seconds"
    STALLED = "stalled"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"


@dataclass(frozen=True, kw_only=True)
class PhaseResult:
    """How a phase went: the iterations that it carried out, why it ended, and a sentence where it
    stalled.
    """

    optimizer: str
    iterations: int
    end: PhaseEnd
    detail: str = ""
    capture: str = ""
    """Whether iterations were captured in a CUDA graph, or why not; empty where there is no GPU."""
