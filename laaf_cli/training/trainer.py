"""The one training loop: phases of optimizers over an objective, silent, interruptible, and aware of NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from laaf_cli.network import Mlp
from laaf_cli.training.objective import Loss, Objective
from laaf_cli.training.optimizers import OPTIMIZERS
from laaf_cli.training.phases import PhaseEnd, PhaseResult, TrainingPhase
from laaf_cli.training.stepper import Stepper

N_RECORDS = 1000
N_MONITORED = 50

N_TIMED = 200
"""Records, at least, of a phase that a bound on its seconds ends, however few of its iterations it got to."""


class StopReason(Enum):
    """Why a training ended."""

    COMPLETED = "completed"
    MAX_SECONDS = "max-seconds"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Record:
    """What is kept of an iteration: the state before its step.

    iteration: counted over all phases; 0 is the start. wall_time_s: seconds of training so far. learning_rate: in
    phases that search along a line, the length of the step that led here, 0 before the first.
    total: the whole loss. terms: its parts without weights. scales: n·a of each hidden layer.
    relative_l2: error against the reference, NaN where it was not monitored. constants: learned ones by name.
    weights: the effective weight of each term, with the factors of a balance and the mean weight of its points.
    """

    iteration: int
    phase: int
    wall_time_s: float
    learning_rate: float
    total: float
    terms: dict[str, float]
    scales: list[NDArray[np.float64]]
    relative_l2: float
    constants: dict[str, float]
    weights: dict[str, float]


@dataclass(frozen=True)
class Divergence:
    """Where training stopped being finite: `term` is the first loss term that is not, or "total"."""

    iteration: int
    phase: int
    optimizer: str
    term: str
    value: float

    def __str__(self) -> str:
        return (
            f"the loss term '{self.term}' became {self.value} at iteration {self.iteration}, "
            f"in phase {self.phase} ({self.optimizer})"
        )


@dataclass(frozen=True)
class TrainingResult:
    """How a training went; the network itself holds the last good state.

    final: the loss at that state. optimizer_state: what the last optimizer keeps. phases: those that were begun.
    slopes_absorbed_at: the iteration before which slopes became part of the weights, −1 where they did not.
    validation: the terms at fresh points, without weights, where they are known.
    """

    stop_reason: StopReason
    iterations: int
    phase: int
    wall_time_s: float
    records: list[Record]
    divergence: Divergence | None
    optimizer_state: dict[str, NDArray[np.float64]]
    phases: tuple[PhaseResult, ...] = ()
    slopes_absorbed_at: int = -1
    validation: dict[str, float] = field(default_factory=dict)

    @property
    def final(self) -> Record:
        return self.records[-1]

    @property
    def detail(self) -> str:
        """Sentences on what did not go as planned: where training diverged, and which phases stalled, and why."""
        stalled = [
            f"phase {i} ({phase.optimizer}) stalled after {phase.iterations} iterations: {phase.detail}"
            for i, phase in enumerate(self.phases)
            if phase.end is PhaseEnd.STALLED
        ]
        return "; ".join([*([str(self.divergence)] if self.divergence else []), *stalled])

    @property
    def captures(self) -> list[str]:
        """Sentences on the phases that ran on a GPU: captured in a CUDA graph, or why not."""
        return [
            f"phase {i} ({phase.optimizer}) {phase.capture}" for i, phase in enumerate(self.phases) if phase.capture
        ]


@dataclass
class _Clock:
    """Seconds of training, not counting what is done for the record."""

    spent: float = 0.0
    since: float = field(default_factory=time.perf_counter)

    def now(self) -> float:
        return self.spent + time.perf_counter() - self.since

    def pause(self) -> None:
        self.spent = self.now()

    def go_on(self) -> None:
        self.since = time.perf_counter()


class Trainer:
    """Trains a network in place.

    monitor: relative L2 of the network, asked for at some fifty records; None without a reference.
    on_record: called with each record as it is made. should_stop: asked before every step; True ends the
    training with what was reached. max_seconds: bound on the seconds of training over all phases.
    """

    def __init__(
        self,
        objective: Objective,
        phases: list[TrainingPhase],
        *,
        monitor: Callable[[Mlp], float] | None = None,
        on_record: Callable[[Record], None] = lambda _record: None,
        should_stop: Callable[[], bool] = lambda: False,
        max_seconds: float | None = None,
    ) -> None:
        self.objective = objective
        self.network = objective.network
        self.phases = phases
        self.monitor = monitor
        self.on_record = on_record
        self.should_stop = should_stop
        self.max_seconds = max_seconds
        # Slopes that are absorbed among them, for a bad step may be taken back to before.
        self.parameters = objective.all_parameters()
        self.records: list[Record] = []
        self.total_iterations = sum(phase.iterations for phase in phases)
        self.record_every = max(1, self.total_iterations // N_RECORDS)
        self.monitor_every = self.record_every * max(1, self.total_iterations // self.record_every // N_MONITORED)
        self.iteration = 0
        self.adapted = -1
        self.phase = 0
        self.stop: StopReason | None = None
        self.ended: list[PhaseResult] = []
        self.absorbed_at = -1

    def train(self) -> TrainingResult:
        """Runs the phases; training that diverges is not raised but told in the result."""
        self.good = _copies(self.parameters)
        self.good_setting = self.objective.setting
        self.divergence: Divergence | None = None
        for index, phase in enumerate(self.phases):
            self.phase = index
            stepper = self._begin(phase)
            if index == 0:
                self.clock = _Clock()  # torch loads half of itself to make its first optimizer
                self.recorded_s = self.monitored_s = 0.0
            self.ended.append(replace(self._run(phase, stepper), capture=stepper.capture))
            if self.stop is not None:
                break
        wall_time_s = self.clock.now()
        final = self.objective.evaluate()
        if self.stop is not StopReason.DIVERGED and not self._finite(final):
            self._diverge_at_the_end()
        if self.stop is StopReason.DIVERGED:
            _copy(self.good, self.parameters)
            self.objective.restore(self.good_setting)
            self.iteration = max(0, self.iteration - 1)
            final = self.objective.evaluate()
        self._record(final, wall_time_s, stepper.rate, monitored=True)
        return TrainingResult(
            self.stop or StopReason.COMPLETED,
            self.iteration,
            self.phase,
            wall_time_s,
            self.records,
            self.divergence,
            # After a bad step it does not belong to the state that is kept.
            {} if self.stop is StopReason.DIVERGED else stepper.state(),
            tuple(self.ended),
            self.absorbed_at if self.network.slopes.absorbed else -1,
        )

    def _begin(self, phase: TrainingPhase) -> Stepper:
        row = OPTIMIZERS[phase.optimizer]
        if row.needs_one_function and len(self.network.slopes.values) and not self.network.slopes.absorbed:
            self.objective.absorb_slopes()
            self.absorbed_at = self.iteration
        self.objective.hold_point_weights(row.needs_one_function)
        if phase.interior is not None:
            self.objective.use_interior(phase.interior, self.iteration)
        return row.make(self.objective, phase)

    def _run(self, phase: TrainingPhase, stepper: Stepper) -> PhaseResult:
        """One phase; sets `stop` where the whole training must end with it."""
        ended = partial(PhaseResult, phase.optimizer)
        start_s = self.clock.now()
        end_s = math.inf if phase.max_seconds is None else start_s + phase.max_seconds
        spacing_s = (min(end_s, math.inf if self.max_seconds is None else self.max_seconds) - start_s) / N_TIMED
        for i in range(phase.iterations):
            self._adapt(phase, i)
            loss = stepper.evaluate(self.iteration)
            # Reading the values also waits for the device, so the clock below is honest.
            if not self._finite(loss):
                self.stop = StopReason.DIVERGED
                return ended(i, PhaseEnd.DIVERGED)
            now = self.clock.now()
            if i == 0 or self._is_due(now, spacing_s):
                self._record(loss, now, stepper.rate, monitored=self._is_monitored(now, spacing_s))
            if self.should_stop():
                self.stop = StopReason.INTERRUPTED
                return ended(i, PhaseEnd.INTERRUPTED)
            if self.max_seconds is not None and now >= self.max_seconds:
                self.stop = StopReason.MAX_SECONDS
                return ended(i, PhaseEnd.MAX_SECONDS)
            if now >= end_s:
                return ended(i, PhaseEnd.MAX_SECONDS)
            _copy(self.parameters, self.good)
            self.good_setting = self.objective.setting
            stalled = stepper.advance(loss)
            if stalled:
                return ended(i, PhaseEnd.STALLED, stalled)
            self.iteration += 1
        return ended(phase.iterations, PhaseEnd.COMPLETED)

    def _is_due(self, now: float, spacing_s: float) -> bool:
        """Whether a record is: every so many iterations, and, where the seconds are bounded, every so many seconds.

        Without a bound the seconds do not count, so that a training can be repeated bit for bit.
        """
        return self.iteration % self.record_every == 0 or now - self.recorded_s >= spacing_s

    def _is_monitored(self, now: float, spacing_s: float) -> bool:
        due_s = spacing_s * N_TIMED / N_MONITORED
        return self.iteration % self.monitor_every == 0 or now - self.monitored_s >= due_s

    def _diverge_at_the_end(self) -> None:
        """By the very last step."""
        self.stop = StopReason.DIVERGED
        self.ended[-1] = replace(self.ended[-1], end=PhaseEnd.DIVERGED)

    def _adapt(self, phase: TrainingPhase, i: int) -> None:
        """Renews points and weights where their turn has come: once, where a phase ends on it and the next begins."""
        if self.iteration == self.adapted:
            return
        self.adapted = self.iteration
        resampling, balance = self.objective.resampling, self.objective.balance
        if resampling is not None and self.iteration > 0 and self.iteration % resampling.every == 0:
            self.objective.resample(self.iteration)
        if self.iteration % balance.every == 0:
            self.objective.rebalance(self.iteration, phase.batch, phase.rate(i))

    def _finite(self, loss: Loss) -> bool:
        """Whether every term is finite; notes the first that is not."""
        optimizer = self.phases[self.phase].optimizer
        values = dict(zip([*loss.names, "total"], [*loss.values.tolist(), loss.total.item()], strict=True))
        for name, value in values.items():
            if not math.isfinite(value):
                self.divergence = Divergence(self.iteration, self.phase, optimizer, name, value)
                return False
        return True

    def _record(self, loss: Loss, wall_time_s: float, rate: float, *, monitored: bool) -> None:
        """Keeps the state at this iteration, in place of an earlier record of it."""
        self.clock.pause()
        self.recorded_s = wall_time_s
        self.monitored_s = wall_time_s if monitored else self.monitored_s
        if self.records and self.records[-1].iteration == self.iteration:
            self.records.pop()
        with torch.no_grad():
            scales = [scale.detach().cpu().numpy().astype(np.float64) for scale in self.network.slopes.scales()]
            error = self.monitor(self.network) if monitored and self.monitor is not None else math.nan
        record = Record(
            self.iteration,
            self.phase,
            wall_time_s,
            rate,
            float(loss.total.detach()),
            dict(zip(loss.names, loss.values.tolist(), strict=True)),
            scales,
            error,
            self.objective.constants.numbers(),
            loss.effective_weights(),
        )
        self.records.append(record)
        self.on_record(record)
        self.clock.go_on()


def _copies(parameters: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


def _copy(source: Sequence[torch.Tensor], target: Sequence[torch.Tensor]) -> None:
    """Every tensor of `source` into its partner, in one pass over all of them."""
    with torch.no_grad():
        torch._foreach_copy_(list(target), list(source))
