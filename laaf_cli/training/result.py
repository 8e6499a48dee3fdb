"""The result of a training: its records, its events, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from laaf_cli.training.phases import PhaseEnd, PhaseResult
from laaf_cli.training.state import TrainingState
from laaf_cli.training.uncertainty import Interval


class StopReason(Enum):
    """Why a training ended; `running` where it had not, in a checkpoint."""

    COMPLETED = "completed"
    MAX_SECONDS = "max-seconds"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"
    RUNNING = "running"


@dataclass(frozen=True, kw_only=True)
class IterationRecord:
    """What is kept of an iteration: the state before its step."""

    iteration: int
    """The iteration, counted over all phases; 0 is the start."""
    phase: int
    wall_time_s: float
    """Seconds of training so far."""
    learning_rate: float
    """In phases that search along a line, the length of the step that led here, 0 before the first.
    """
    total: float
    """The whole loss."""
    terms: dict[str, float]
    """The terms of the loss, without weights."""
    scales: list[NDArray[np.float64]]
    """n·a of each hidden layer."""
    relative_l2: float
    """Error against the reference, NaN where it was not monitored."""
    constants: dict[str, float]
    """The learned constants by name."""
    weights: dict[str, float]
    """The effective weight of each term, with the factors of a balance and the mean weight of its
    points.
    """


BEFORE_TRAINING = "at iteration 0, before any training"
"""The end of the message of a divergence that no training has caused."""


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Where training stopped being finite: `term` is the first loss term that is not, or
    "total".
    """

    iteration: int
    phase: int
    optimizer: str
    term: str
    value: float

    def __str__(self) -> str:
        if self.iteration == 0:
            return f"the loss term '{self.term}' is {self.value} {BEFORE_TRAINING}"
        return (
            f"the loss term '{self.term}' became {self.value} at iteration {self.iteration}, "
            f"in phase {self.phase} ({self.optimizer})"
        )


@dataclass(frozen=True)
class Event:
    """Something that a plain training would not have: that it was resumed or retried, and what
    that changed.
    """

    iteration: int
    what: str


@dataclass(frozen=True, kw_only=True)
class EndedTraining:
    """How a training of any task went."""

    stop_reason: StopReason
    events: Sequence[Event] = ()
    n_checkpoints: int = 0
    """How many checkpoints were kept."""
    checkpoint_time_s: float = 0.0
    """The seconds that keeping them took."""


@dataclass(frozen=True, kw_only=True)
class TrainingResult(EndedTraining):
    """How a training went; the network itself holds the last good state."""

    iterations: int
    phase: int
    wall_time_s: float
    records: list[IterationRecord]
    divergence: Divergence | None
    state: TrainingState
    """What resuming takes."""
    phases: tuple[PhaseResult, ...] = ()
    """The phases that were begun."""
    estimate: float = math.nan
    """An estimate of the relative error, NaN where it is missing."""
    estimated_by: str = "residuals"
    """What the estimate is taken from."""
    slopes_absorbed_at: int = -1
    """The iteration before which slopes became part of the weights, −1 where they did not."""
    validation: dict[str, float] = field(default_factory=dict)
    """The terms at held-out points, without weights, where they are known."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Intervals of learned constants, where they are known."""

    @property
    def final(self) -> IterationRecord:
        """The last record, that of the network which training left."""
        return self.records[-1]

    @property
    def detail(self) -> str:
        """Sentences on what did not go as planned: where training diverged, and which phases
        stalled, and why.
        """
        stalled = [
            (
                f"phase {i} ({phase.optimizer}) stalled after {phase.iterations} iterations: "
                f"{phase.detail}"
            )
            for i, phase in enumerate(self.phases)
            if phase.end is PhaseEnd.STALLED
        ]
        return "; ".join([*([str(self.divergence)] if self.divergence else []), *stalled])

    @property
    def captures(self) -> list[str]:
        """Sentences on the phases that ran on a GPU: captured in a CUDA graph, or why not."""
        return [
            f"phase {i} ({phase.optimizer}) {phase.capture}"
            for i, phase in enumerate(self.phases)
            if phase.capture
        ]
