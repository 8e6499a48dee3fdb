"""Steps of Adam along the schedule of a phase."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from laaf_cli.derivatives import TaylorEngine
from laaf_cli.training.balance import BALANCES
from laaf_cli.training.cuda_graph import CudaRecorder, Recorder, Repeated
from laaf_cli.training.objective import Loss, Objective
from laaf_cli.training.phases import TrainingPhase
from laaf_cli.training.state import Arrays, taken, taken_count
from laaf_cli.training.stepper import Stepper

_MOMENTS = ("exp_avg", "exp_avg_sq")

MIN_INTERVAL = 50
"""Iterations between changes of points or weights from which a capture after each is worth its
time.
"""


class _Adam(Stepper):
    """Adam (Kingma & Ba 2015) with its defaults: β = (0.9, 0.999), ε = 1e-8.

    Attributes:
        n_steps: those that the moments are of.

    Args:
        done: iterations of the phase so far, for its schedule.
    """

    def __init__(
        self, objective: Objective, phase: TrainingPhase, done: int, rate: float | Tensor
    ) -> None:
        self.objective = objective
        self.phase = phase
        self.done = done
        self.n_steps = 0
        self.parameters = objective.parameters()
        # A step can be captured where its learning rate is a tensor; the counts of its steps are in
        # any case.
        self.adam = torch.optim.Adam(
            self.parameters, lr=rate, fused=True, capturable=isinstance(rate, Tensor)
        )

    @property
    def rate(self) -> float:
        """That of the next step; at the end of the phase that of the last."""
        return self.phase.rate(min(self.done, self.phase.iterations - 1))

    def state(self) -> Arrays:
        """The number of steps, and the moments of each parameter, as `exp_avg_0`."""
        moments = {
            f"{name}_{i}": self.adam.state[parameter][name].detach().cpu().numpy()
            for i, parameter in enumerate(self.parameters)
            for name in _MOMENTS
            if parameter in self.adam.state
        }
        return {"n_steps": np.array(self.n_steps), **moments}

    def load(self, state: Arrays) -> None:
        self.n_steps = taken_count(state, "n_steps")
        for i, parameter in enumerate(self.parameters if self.n_steps else []):
            moments = {
                name: torch.tensor(taken(state, f"{name}_{i}", *parameter.shape)).to(parameter)
                for name in _MOMENTS
            }
            step = torch.tensor(float(self.n_steps), dtype=torch.float32, device=parameter.device)
            self.adam.state[parameter] = {"step": step, **moments}


class AdamStepper(_Adam):
    """One operation after another, at any points.

    Args:
        not_captured: why, where there is a GPU.
    """

    def __init__(
        self, objective: Objective, phase: TrainingPhase, done: int = 0, not_captured: str = ""
    ) -> None:
        super().__init__(objective, phase, done, phase.learning_rate.first)
        self.not_captured = not_captured

    @property
    def capture(self) -> str:
        return f"not captured in a CUDA graph: {self.not_captured}" if self.not_captured else ""

    def evaluate(self, iteration: int) -> Loss:
        return self.objective.evaluate(iteration, self.phase.batch)

    def advance(self, loss: Loss) -> str:
        for group in self.adam.param_groups:
            group["lr"] = self.rate
        self.adam.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        self.done += 1
        self.n_steps += 1
        return ""


class CapturedAdam(_Adam):
    """Adam in two graphs: the loss with its gradient, and the step; between them the loop looks at
    the loss.

    The gradients stay the same tensors throughout, so that the graph of the step outlives that of
    the loss, which is captured again where points or weights have changed.
    """

    def __init__(
        self, objective: Objective, phase: TrainingPhase, recorder: Recorder, done: int = 0
    ) -> None:
        # The kernel of the step reads a rate on the device as float32, whatever the precision of
        # the parameters.
        rate = torch.tensor(
            phase.learning_rate.first, dtype=torch.float32, device=objective.network.device
        )
        super().__init__(objective, phase, done, rate)
        self.loss: Repeated[Loss] = Repeated(recorder)
        self.step: Repeated[None] = Repeated(recorder)

    @property
    def capture(self) -> str:
        failure = self.loss.failure or self.step.failure
        if failure:
            return f"not captured in a CUDA graph: {failure}"
        if not self.step.n_records:
            return "not captured in a CUDA graph: the phase ended before"
        n = self.loss.n_records
        times = f", {n} times as points or weights changed" if n > 1 else ""
        return f"captured in a CUDA graph{times}"

    def evaluate(self, iteration: int) -> Loss:  # noqa: ARG002 - there are no batches
        return self.loss(self._loss, self.objective.n_changes)

    def advance(self, loss: Loss) -> str:  # noqa: ARG002 - its gradient has been computed with it
        for group in self.adam.param_groups:
            group["lr"].fill_(self.rate)
        self.step(self._step)
        self.done += 1
        self.n_steps += 1
        return ""

    def _loss(self) -> Loss:
        """The loss, without a graph; its gradient is added to zeros, in place."""
        self.adam.zero_grad(set_to_none=False)
        loss = self.objective.evaluate()
        loss.total.backward()  # type: ignore[no-untyped-call]
        return replace(loss, total=loss.total.detach())

    def _step(self) -> None:
        with warnings.catch_warnings():
            # torch does not see that the first steps are there to warm up.
            warnings.filterwarnings(
                "ignore", "This instance was constructed with capturable=True", UserWarning
            )
            self.adam.step()


def make_adam(objective: Objective, phase: TrainingPhase, done: int) -> Stepper:
    """Captured on a GPU, where it can be."""
    if objective.network.device.type != "cuda":
        return AdamStepper(objective, phase, done)
    hindered = obstacle(objective, phase)
    if hindered:
        return AdamStepper(objective, phase, done, hindered)
    return CapturedAdam(objective, phase, CudaRecorder(), done)


def obstacle(objective: Objective, phase: TrainingPhase) -> str:
    """Why the iterations of a phase are not to be captured, without a full stop; empty where
    they are.
    """
    if phase.batch is not None:
        return "with 'batch' the points change at every iteration"
    if not all(isinstance(group.engine, TaylorEngine) for group in objective.groups):
        return "only Taylor mode in torch is captured"
    if objective.problem.functions:
        return "what a Python function does on the processor would not be repeated"
    intervals = [] if objective.resampling is None else [objective.resampling.every]
    if BALANCES[objective.balance.method].update is not None:
        intervals.append(objective.balance.every)
    if min(intervals, default=MIN_INTERVAL) < MIN_INTERVAL:
        return f"points or weights change more often than every {MIN_INTERVAL} iterations"
    return ""
