"""The one training loop: phases of optimizers over an objective, silent, interruptible, and aware of NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray

from laaf_cli.network import Mlp
from laaf_cli.training.objective import Loss, Objective
from laaf_cli.training.optimizers import OPTIMIZERS, SCHEDULES, LearningRate

N_RECORDS = 1000
N_MONITORED = 50


class StopReason(Enum):
    """Why a training ended."""

    COMPLETED = "completed"
    MAX_SECONDS = "max-seconds"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class TrainingPhase:
    """One phase: an optimizer of the table, its iterations, and the law of its learning rate."""

    optimizer: str
    iterations: int
    learning_rate: LearningRate
    schedule: str = "constant"
    batch: int | None = None
    max_seconds: float | None = None


@dataclass(frozen=True)
class Record:
    """What is kept of an iteration: the state before its step.

    iteration: counted over all phases; 0 is the start. wall_time_s: seconds of training so far.
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
            f"in phase {self.phase + 1} ({self.optimizer})"
        )


@dataclass(frozen=True)
class TrainingResult:
    """How a training went; the network itself holds the last good state.

    final: the loss at that state. optimizer_state: what the last optimizer keeps per parameter. validation: the
    terms at fresh points, without weights, where they are known.
    """

    stop_reason: StopReason
    iterations: int
    phase: int
    wall_time_s: float
    records: list[Record]
    divergence: Divergence | None
    optimizer_state: dict[str, NDArray[np.float64]]
    validation: dict[str, float] = field(default_factory=dict)

    @property
    def final(self) -> Record:
        return self.records[-1]


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
        self.parameters = objective.parameters()
        self.records: list[Record] = []
        self.total_iterations = sum(phase.iterations for phase in phases)
        self.record_every = max(1, self.total_iterations // N_RECORDS)
        self.monitor_every = self.record_every * max(1, self.total_iterations // self.record_every // N_MONITORED)
        self.iteration = 0
        self.adapted = -1
        self.phase = 0

    def train(self) -> TrainingResult:
        """Runs the phases; training that diverges is not raised but told in the result."""
        self.good = _copies(self.parameters)
        self.good_setting = self.objective.setting
        self.divergence: Divergence | None = None
        self.rate = self.phases[0].learning_rate.first
        stop: StopReason | None = None
        for index, phase in enumerate(self.phases):
            self.phase = index
            optimizer = OPTIMIZERS[phase.optimizer](self.parameters, phase.learning_rate.first)
            if index == 0:
                self.clock = _Clock()  # torch loads half of itself to make its first optimizer
            stop = self._run(phase, optimizer)
            if stop is not None:
                break
        wall_time_s = self.clock.now()
        final = self.objective.evaluate()
        if stop is not StopReason.DIVERGED and not self._finite(final):
            stop = StopReason.DIVERGED  # by the very last step
        if stop is StopReason.DIVERGED:
            _copy(self.good, self.parameters)
            self.objective.restore(self.good_setting)
            self.iteration = max(0, self.iteration - 1)
            final = self.objective.evaluate()
        self._record(final, wall_time_s, monitored=True)
        return TrainingResult(
            stop or StopReason.COMPLETED,
            self.iteration,
            self.phase,
            wall_time_s,
            self.records,
            self.divergence,
            # After a bad step it does not belong to the state that is kept.
            {} if stop is StopReason.DIVERGED else _state_arrays(optimizer, self.parameters),
        )

    def _run(self, phase: TrainingPhase, optimizer: torch.optim.Optimizer) -> StopReason | None:
        """One phase; returns why the whole training must stop, or None when the phase is over."""
        law = SCHEDULES[phase.schedule].rate
        end_s = math.inf if phase.max_seconds is None else self.clock.now() + phase.max_seconds
        for i in range(phase.iterations):
            self.rate = law(phase.learning_rate, i)
            self._adapt(phase)
            loss = self.objective.evaluate(self.iteration, phase.batch)
            # Reading the values also waits for the device, so the clock below is honest.
            if not self._finite(loss):
                return StopReason.DIVERGED
            now = self.clock.now()
            if self.iteration % self.record_every == 0:
                self._record(loss, now, monitored=self.iteration % self.monitor_every == 0)
            if self.should_stop():
                return StopReason.INTERRUPTED
            if self.max_seconds is not None and now >= self.max_seconds:
                return StopReason.MAX_SECONDS
            if now >= end_s:
                return None
            _copy(self.parameters, self.good)
            self.good_setting = self.objective.setting
            for group in optimizer.param_groups:
                group["lr"] = self.rate
            optimizer.zero_grad()
            loss.total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            self.iteration += 1
        return None

    def _adapt(self, phase: TrainingPhase) -> None:
        """Renews points and weights where their turn has come: once, where a phase ends on it and the next begins."""
        if self.iteration == self.adapted:
            return
        self.adapted = self.iteration
        resampling, balance = self.objective.resampling, self.objective.balance
        if resampling is not None and self.iteration > 0 and self.iteration % resampling.every == 0:
            self.objective.resample(self.iteration)
        if self.iteration % balance.every == 0:
            self.objective.rebalance(self.iteration, phase.batch, self.rate)

    def _finite(self, loss: Loss) -> bool:
        """Whether every term is finite; notes the first that is not."""
        optimizer = self.phases[self.phase].optimizer
        values = dict(zip([*loss.names, "total"], [*loss.values.tolist(), loss.total.item()], strict=True))
        for name, value in values.items():
            if not math.isfinite(value):
                self.divergence = Divergence(self.iteration, self.phase, optimizer, name, value)
                return False
        return True

    def _record(self, loss: Loss, wall_time_s: float, *, monitored: bool) -> None:
        """Keeps the state at this iteration, in place of an earlier record of it."""
        self.clock.pause()
        if self.records and self.records[-1].iteration == self.iteration:
            self.records.pop()
        with torch.no_grad():
            scales = [scale.detach().cpu().numpy().astype(np.float64) for scale in self.network.slopes.scales()]
            error = self.monitor(self.network) if monitored and self.monitor is not None else math.nan
        record = Record(
            self.iteration,
            self.phase,
            wall_time_s,
            self.rate,
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


def _state_arrays(
    optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter]
) -> dict[str, NDArray[np.float64]]:
    """What the optimizer keeps of each parameter, as `0/exp_avg`: arrays by parameter index and name."""
    return {
        f"{i}/{name}": value.detach().cpu().numpy()
        for i, parameter in enumerate(parameters)
        for name, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, torch.Tensor)
    }
