"""The one training loop: phases of optimizers over an objective, silent, interruptible, and
aware of NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import torch

from laaf_cli import processes
from laaf_cli.network.mlp import Mlp
from laaf_cli.training.checkpoints import Checkpoints
from laaf_cli.training.clock import Clock
from laaf_cli.training.objective import Loss, Objective
from laaf_cli.training.optimizers import OPTIMIZERS
from laaf_cli.training.phases import PhaseEnd, PhaseResult, TrainingPhase
from laaf_cli.training.result import Divergence, Event, IterationRecord, StopReason, TrainingResult
from laaf_cli.training.state import MAX_COUNT, StateError, TrainingState
from laaf_cli.training.stepper import Stepper
from laaf_cli.training.threads import few_threads

N_RECORDS = 1000
N_MONITORED = 50

RETRY_FACTOR = 0.1
"""What a retry multiplies the learning rate by, as torch's `ReduceLROnPlateau` does."""

COMPARE_EVERY = 100
"""Iterations after which several processes compare what they have trained."""

N_TIMED = 200
"""Records, at least, of a phase that a bound on its seconds ends, however few of its iterations
it got to.
"""


class Trainer:
    """Trains a network in place.

    Args:
        monitor: relative L2 of the network, asked for at some fifty records; None without a
            reference.
        on_record: called with each record as it is made.
        should_stop: asked before every step; True ends the training with what was reached.
        max_seconds: bound on the seconds of training over all phases.
        checkpoints: saves the training while it runs; None does not.
        retries: how often training that diverges goes back to its last good state, with a tenth of
            the learning rate.
        goal: the error, as the monitor measures it, at which training ends, but for a phase that
            ends itself; 0 for none.
    """

    def __init__(
        self,
        objective: Objective,
        phases: list[TrainingPhase],
        *,
        monitor: Callable[[Mlp], float] | None = None,
        on_record: Callable[[IterationRecord], None] = lambda _record: None,
        should_stop: Callable[[], bool] = lambda: False,
        max_seconds: float | None = None,
        checkpoints: Checkpoints[TrainingResult] | None = None,
        retries: int = 0,
        goal: float = 0.0,
    ) -> None:
        self.goal = goal
        self.objective = objective
        self.network = objective.network
        self.phases = phases
        self.monitor = monitor
        self.on_record = on_record
        self.should_stop = should_stop
        self.max_seconds = max_seconds
        self.checkpoints = checkpoints
        self.retries = retries
        # Slopes that are absorbed among them, for a bad step may be taken back to before.
        self.parameters = objective.all_parameters()
        self.records: list[IterationRecord] = []
        self.total_iterations = sum(phase.iterations for phase in phases)
        self.record_every = max(1, self.total_iterations // N_RECORDS)
        self.monitor_every = self.record_every * max(
            1, self.total_iterations // self.record_every // N_MONITORED
        )
        self.clock = Clock()
        self.iteration = self.done = self.phase = 0
        self.adapted = self.absorbed_at = -1
        self.n_renewals = objective.n_renewals
        self.phase_start_s = self.recorded_s = self.monitored_s = 0.0
        self.n_retries, self.rate_factor = 0, 1.0
        self.stepper: Stepper | None = None
        self.stop: StopReason | None = None
        self.divergence: Divergence | None = None
        self.ended: list[PhaseResult] = []
        self.events: list[Event] = []
        objective.report = self._report

    def resume(
        self,
        state: TrainingState,
        records: Sequence[IterationRecord],
        phases: Sequence[PhaseResult],
        events: Sequence[Event],
    ) -> None:
        """Takes up a training where it stopped; the network holds its weights already.

        Args:
            state: of that training.
            records, phases, events: its record so far; of the phases those that are over.

        Raises:
            StateError: the state does not fit.
        """
        free = self.objective.constants.free
        if not 0 <= state.phase < len(self.phases) or state.constants.keys() != free.keys():
            raise StateError("it is of a training with other phases or other learned constants")
        is_told = records and len(phases) >= state.phase and state.n_retries <= MAX_COUNT
        if not (is_told and self._is_reached(state)):
            raise StateError("its iteration counters are inconsistent")
        interior, adaptive = self.objective.interior, state.adaptive
        known = {phase.interior for phase in self.phases}
        known.add(None if interior is None else interior.n_points)
        if adaptive.n_interior not in known or not all(map(len, adaptive.points.values())):
            raise StateError("its points are not as many as the spec says")
        with torch.no_grad():
            for name, value in state.constants.items():
                free[name].fill_(value)
        self.iteration, self.adapted = state.iteration, state.adapted
        self.phase, self.done = state.phase, state.done
        self.phase_start_s, self.recorded_s = state.phase_start_s, state.recorded_s
        self.monitored_s = state.monitored_s
        self.n_retries, self.rate_factor = state.n_retries, state.rate_factor
        self.absorbed_at = state.slopes_absorbed_at
        self.records, self.events = list(records), list(events)
        self.ended = list(phases[: state.phase])
        if len(records) > 1 and state.done and state.iteration % self.record_every:
            # Made only because training stopped here: without the break it is not made.
            self.records = [record for record in records if record.iteration < state.iteration]
        self.objective.restore(adaptive)
        self.clock = Clock(state.wall_time_s)
        self.stepper = self._make_stepper()
        if state.optimizer:
            self.stepper.load(state.optimizer)
        self.clock.resume()
        if self.checkpoints is not None:
            self.checkpoints.begin(state.wall_time_s)

    def _is_reached(self, state: TrainingState) -> bool:
        """Whether the phases come by these iterations; bounds on seconds and stalls end them
        early.
        """
        before = sum(phase.iterations for phase in self.phases[: state.phase])
        return (
            0 <= state.iteration - state.done <= before
            and 0 <= state.done <= self.phases[state.phase].iterations
        )

    def train(self) -> TrainingResult:
        """Runs the phases; training that diverges is not raised but reported in the result."""
        self.good = [parameter.detach().clone() for parameter in self.parameters]
        self.good_adaptive, self.good_iteration = self.objective.adaptive, self.iteration
        self._run_phases()
        wall_time_s = self.clock.now()
        final = self._loss()
        # Of a batch alone it was.
        if self.stop is not StopReason.DIVERGED and not self._finite(final):
            self._diverge_at_the_end()
        if self.stop is StopReason.DIVERGED:
            self._go_back()
            self.ended[-1] = replace(self.ended[-1], iterations=max(0, self.done))
            # After a bad step it does not belong to the state that is kept.
            self.stepper = self._make_stepper()
            final = self._loss()
        self._record(final, wall_time_s, monitored=True)
        return self._result(self.stop or StopReason.COMPLETED, wall_time_s)

    def _run_phases(self) -> None:
        """Runs what is left of the phases; sets `stop` where the training ends before their end."""
        while True:
            self._run_phase()
            # The last step of a phase is looked at here, for only its own phase can take it back.
            if self.stop is None and not self._finite(self._loss()):
                if self._can_retry():
                    self.ended.pop()
                    self._retry()
                    continue
                self._diverge_at_the_end()
            if self.stop is not None or self.phase + 1 == len(self.phases):
                return
            self.phase, self.done, self.rate_factor, self.stepper = self.phase + 1, 0, 1.0, None

    def _run_phase(self) -> None:
        phase = self.phases[self.phase]
        if self.stepper is None:
            row, slopes = OPTIMIZERS[phase.optimizer], self.network.slopes
            if row.needs_one_function and len(slopes.values) and not slopes.absorbed:
                self.objective.absorb_slopes()
                self.absorbed_at = self.iteration
            self.objective.hold_point_weights(row.needs_one_function)
            if phase.interior is not None:
                self.objective.use_interior(phase.interior, self.iteration)
            self.stepper = self._make_stepper()
        if self.phase == self.done == 0:
            self.clock = Clock()  # torch loads half of itself to make its first optimizer
        if self.done == 0:
            self.phase_start_s = self.clock.now()
        with few_threads() if OPTIMIZERS[phase.optimizer].draws_neurons else nullcontext():
            end, detail = self._iterate(phase)
            if end is PhaseEnd.MAX_SECONDS:
                self._stepper.conclude()
            self._follow_renewals()
        self._compare()
        result = PhaseResult(
            optimizer=phase.optimizer,
            iterations=self.done,
            end=end,
            detail=detail,
            capture=self._stepper.capture,
        )
        self.ended.append(result)

    def _make_stepper(self) -> Stepper:
        """The optimizer of the phase, with nothing to remember."""
        phase = self.phases[self.phase]
        rate = replace(phase.learning_rate, first=phase.learning_rate.first * self.rate_factor)
        stepper = OPTIMIZERS[phase.optimizer].make(
            self.objective, replace(phase, learning_rate=rate), max(0, self.done)
        )
        self._follow_renewals()
        return stepper

    def _follow_renewals(self) -> None:
        """Takes note of parameters that a phase has put in the places of others."""
        if self.n_renewals != self.objective.n_renewals:
            self.n_renewals = self.objective.n_renewals
            self.parameters = self.objective.all_parameters()
            self.good = [parameter.detach().clone() for parameter in self.parameters]
            self.good_adaptive, self.good_iteration = self.objective.adaptive, self.iteration

    def _iterate(self, phase: TrainingPhase) -> tuple[PhaseEnd, str]:
        """The iterations of a phase; sets `stop` where the whole training must end with it."""
        ends_itself = OPTIMIZERS[phase.optimizer].draws_neurons
        end_s = math.inf if phase.max_seconds is None else self.phase_start_s + phase.max_seconds
        last_s = math.inf if self.max_seconds is None else self.max_seconds
        phase_s = min(end_s, last_s) - self.phase_start_s
        spacing_s = phase_s / N_TIMED
        while self.done < phase.iterations:
            self._adapt(phase)
            loss = self._stepper.evaluate(self.iteration)
            # Reading the values also waits for the device, so the clock below is honest.
            if not self._finite(loss):
                if self._can_retry():
                    self._retry()
                    continue
                self.stop = StopReason.DIVERGED
                return PhaseEnd.DIVERGED, ""
            now = self.clock.now() if loss.reported is None else float(loss.reported[0])
            if self.done == 0 or self._is_due(now, spacing_s):
                is_late = now - self.monitored_s >= spacing_s * N_TIMED / N_MONITORED
                monitored = is_late or self.iteration % self.monitor_every == 0
                self._record(loss, now, monitored=monitored)
                if self.goal and not ends_itself and self.records[-1].relative_l2 <= self.goal:
                    self.stop = StopReason.COMPLETED
                    return PhaseEnd.COMPLETED, f"the error is below {self.goal:g}"
            if self.should_stop() if loss.reported is None else bool(loss.reported[1]):
                self.stop = StopReason.INTERRUPTED
                return PhaseEnd.INTERRUPTED, ""
            if self.max_seconds is not None and now >= self.max_seconds:
                self.stop = StopReason.MAX_SECONDS
            if self.stop is not None:
                return PhaseEnd.MAX_SECONDS, ""
            has_overtime = phase.overtime and end_s < math.inf
            most = (last_s - self.phase_start_s) / phase_s if has_overtime else 1.0
            if self._stepper.is_late((now - self.phase_start_s) / phase_s, most):
                return PhaseEnd.MAX_SECONDS, ""
            self._keep(now)
            _copy(self.parameters, self.good)
            self.good_adaptive, self.good_iteration = self.objective.adaptive, self.iteration
            ended = self._stepper.advance(loss)
            self._follow_renewals()
            if ended:
                is_finished = self._stepper.is_finished
                return (PhaseEnd.COMPLETED if is_finished else PhaseEnd.STALLED), ended
            self.iteration += 1
            self.done += 1
            if self.iteration % COMPARE_EVERY == 0:
                self._compare()
        return PhaseEnd.COMPLETED, ""

    def _report(self) -> tuple[float, float]:
        """To the other processes: the seconds of the first, and whether to stop."""
        return processes.is_first() * self.clock.own, float(self.should_stop())

    def _compare(self) -> None:
        """Compares weights, and what the optimizer keeps, with those of the other processes.

        Raises:
            UsageError: they are not the same bits.
        """

        def make() -> Iterator[bytes]:
            yield from (each.detach().cpu().numpy().tobytes() for each in self.parameters)
            yield from (values.tobytes() for values in self._stepper.state().values())

        processes.check_equal(
            make,
            "has other weights than process 0: what one computes alone comes out otherwise there",
            "Processors of one kind, one version of torch and one number of threads agree.",
        )

    @property
    def _stepper(self) -> Stepper:
        assert self.stepper is not None  # noqa: S101 - made as the phase begins
        return self.stepper

    def _keep(self, now: float) -> None:
        """Keeps the training as it is where that is due: here the loss is finite, so the state
        is a good one.
        """
        checkpoints = self.checkpoints
        if checkpoints is None or not checkpoints.is_due(now, phase_begins=self.done == 0):
            return
        self.clock.pause()
        checkpoints.save(now, lambda: self._result(StopReason.RUNNING, now))
        self.clock.resume()

    def _can_retry(self) -> bool:
        """Whether a retry is left, and a step of this phase led here that can be taken back."""
        return (
            self.n_retries < self.retries and self.done > 0 and self.good_iteration < self.iteration
        )

    def retry_factor(self, phase: int) -> float:
        """What a retry multiplies the learning rate of a phase by; 1 where it takes none."""
        return RETRY_FACTOR if OPTIMIZERS[self.phases[phase].optimizer].takes_rate else 1.0

    def _retry(self) -> None:
        what = f"{self.divergence}; resumed from iteration {self.good_iteration}"
        self._go_back()
        self.adapted, self.n_retries = self.iteration, self.n_retries + 1
        if (factor := self.retry_factor(self.phase)) < 1:
            self.rate_factor *= factor
            what += f" with {self.rate_factor:g} times the learning rate"
        self.events.append(Event(self.iteration, what))
        self.divergence = None
        self.stepper = self._make_stepper()

    def _go_back(self) -> None:
        """To the state before the last step; where this training has made none, to the one that
        it began from.
        """
        _copy(self.good, self.parameters)
        self.objective.restore(self.good_adaptive)
        self.done -= self.iteration - self.good_iteration if self.done else 1
        self.iteration = self.good_iteration

    def _result(self, reason: StopReason, wall_time_s: float) -> TrainingResult:
        diverged = reason is StopReason.DIVERGED
        free = self.objective.constants.free
        state = TrainingState(
            iteration=self.iteration,
            phase=self.phase,
            done=self.done,
            adapted=self.iteration if diverged else self.adapted,
            wall_time_s=wall_time_s,
            phase_start_s=self.phase_start_s,
            recorded_s=self.recorded_s,
            monitored_s=self.monitored_s,
            n_retries=self.n_retries,
            rate_factor=self.rate_factor,
            slopes_absorbed_at=self.absorbed_at if self.network.slopes.absorbed else -1,
            adaptive=self.objective.adaptive,
            constants={name: float(value.detach()) for name, value in free.items()},
            optimizer={} if diverged else self._stepper.state(),
            retries=self.retries,
        )
        checkpoints = self.checkpoints
        return TrainingResult(
            stop_reason=reason,
            iterations=self.iteration,
            phase=self.phase,
            wall_time_s=wall_time_s,
            records=self.records,
            divergence=self.divergence,
            state=state,
            phases=tuple(self.ended),
            estimate=math.nan if diverged else self._stepper.estimate,
            events=tuple(self.events),
            slopes_absorbed_at=state.slopes_absorbed_at,
            n_checkpoints=checkpoints.n_kept if checkpoints else 0,
            checkpoint_time_s=checkpoints.spent_s if checkpoints else 0.0,
        )

    def _is_due(self, now: float, spacing_s: float) -> bool:
        """Whether a record is: every so many iterations, and, where the seconds are bounded, every
        so many seconds.

        Without a bound the seconds do not count, so that a training can be repeated bit for bit.
        """
        return self.iteration % self.record_every == 0 or now - self.recorded_s >= spacing_s

    def _diverge_at_the_end(self) -> None:
        """By the very last step of a phase."""
        self.stop = StopReason.DIVERGED
        self.ended[-1] = replace(self.ended[-1], end=PhaseEnd.DIVERGED)

    def _adapt(self, phase: TrainingPhase) -> None:
        """Renews points and weights where their turn has come: once, where a phase ends on it
        and the next begins.
        """
        if self.iteration == self.adapted:
            return
        self.adapted = self.iteration
        resampling, balance = self.objective.resampling, self.objective.balance
        if resampling is not None and self.iteration > 0 and self.iteration % resampling.every == 0:
            self.objective.resample(self.iteration)
        if self.iteration % balance.every == 0:
            rate = self.rate_factor * phase.rate(self.done)
            self.objective.rebalance(self.iteration, phase.batch, rate)

    @torch.no_grad()
    def _loss(self) -> Loss:
        """The loss at all points, without a graph."""
        return self.objective.evaluate()

    def _finite(self, loss: Loss) -> bool:
        """Whether every term is finite; notes the first that is not."""
        values = [*loss.values.tolist(), loss.total.item()]
        for name, value in zip([*loss.names, "total"], values, strict=True):
            if not math.isfinite(value):
                self.divergence = Divergence(
                    iteration=self.iteration,
                    phase=self.phase,
                    optimizer=self.phases[self.phase].optimizer,
                    term=name,
                    value=value,
                )
                return False
        return True

    def _record(self, loss: Loss, wall_time_s: float, *, monitored: bool) -> None:
        """Keeps the state at this iteration, in place of records of it and of what has been
        taken back.
        """
        self.clock.pause()
        self.recorded_s = wall_time_s
        self.monitored_s = wall_time_s if monitored else self.monitored_s
        while self.records and self.records[-1].iteration >= self.iteration:
            self.records.pop()
        with torch.no_grad():
            scales = [
                scale.detach().cpu().numpy().astype(np.float64)
                for scale in self.network.slopes.scales()
            ]
            error = self.monitor(self.network) if monitored and self.monitor else math.nan
        record = IterationRecord(
            iteration=self.iteration,
            phase=self.phase,
            wall_time_s=wall_time_s,
            learning_rate=self._stepper.rate,
            total=float(loss.total.detach()),
            terms=dict(zip(loss.names, loss.values.tolist(), strict=True)),
            scales=scales,
            relative_l2=error,
            constants=self.objective.constants.numbers(),
            weights=loss.effective_weights(),
        )
        self.records.append(record)
        self.on_record(record)
        self.clock.resume()


def _copy(source: Sequence[torch.Tensor], target: Sequence[torch.Tensor]) -> None:
    """Every tensor of `source` into its partner, in one pass over all of them."""
    with torch.no_grad():
        torch._foreach_copy_(list(target), list(source))
