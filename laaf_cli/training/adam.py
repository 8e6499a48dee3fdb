"""Steps of Adam along the schedule of a phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from laaf_cli import processes
from laaf_cli.derivatives import TaylorEngine
from laaf_cli.training.balance import BALANCES
from laaf_cli.training.cuda_graph import CudaRecorder, Recorder, Repeated
from laaf_cli.training.objective import Loss, Objective, gradient
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

    All parameters move in one operation: `torch.optim.Adam` spends half a millisecond on twenty of
    them before it begins. It is that of their list, for in one long vector some would be rounded
    otherwise.

    Attributes:
        n_steps: those that the moments are of.

    Args:
        done: iterations of the phase so far, for its schedule.
    """

    def __init__(self, objective: Objective, phase: TrainingPhase, done: int) -> None:
        self.objective = objective
        self.phase = phase
        self.done = done
        self.n_steps = 0
        self.parameters = objective.parameters()
        self.moments = {name: list(map(torch.zeros_like, self.parameters)) for name in _MOMENTS}
        # Weights, and learned constants in float64.
        dtypes = [parameter.dtype for parameter in self.parameters]
        self.by_dtype = [
            [i for i, each in enumerate(dtypes) if each == dtype] for dtype in set(dtypes)
        ]
        device = objective.network.device
        self.count = torch.zeros((), device=device, dtype=torch.float32)

    @property
    def rate(self) -> float:
        """That of the next step; at the end of the phase that of the last."""
        return self.phase.rate(min(self.done, self.phase.iterations - 1))

    @torch.no_grad()
    def move(self, along: Sequence[Tensor], rate: float | Tensor) -> None:
        """A step, along the gradient by parameter."""
        self.count += 1
        lists = self.parameters, along, *self.moments.values()
        for own in self.by_dtype:
            values, slopes, means, squares = ([each[i] for i in own] for each in lists)
            torch._fused_adam_(
                values, slopes, means, squares, [], [self.count] * len(own), lr=rate, beta1=0.9,
                beta2=0.999, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False,
            )  # fmt: skip

    def state(self) -> Arrays:
        """The number of steps, and the moments of each parameter, as `exp_avg_0`."""
        moments = {
            f"{name}_{i}": value.cpu().numpy()
            for name, values in self.moments.items()
            for i, value in enumerate(values)
        }
        return {"n_steps": np.array(self.n_steps), **(moments if self.n_steps else {})}

    def load(self, state: Arrays) -> None:
        self.n_steps = taken_count(state, "n_steps")
        self.count.fill_(self.n_steps)
        for name, values in self.moments.items() if self.n_steps else ():
            for i, value in enumerate(values):
                value.copy_(torch.tensor(taken(state, f"{name}_{i}", *value.shape)))


class AdamStepper(_Adam):
    """One operation after another, at any points.

    Args:
        not_captured: why, where there is a GPU.
    """

    def __init__(
        self, objective: Objective, phase: TrainingPhase, done: int = 0, not_captured: str = ""
    ) -> None:
        super().__init__(objective, phase, done)
        self.not_captured = not_captured

    @property
    def capture(self) -> str:
        return f"not captured in a CUDA graph: {self.not_captured}" if self.not_captured else ""

    def evaluate(self, iteration: int) -> Loss:
        return self.objective.evaluate(iteration, self.phase.batch)

    def advance(self, loss: Loss) -> str:
        self.move(gradient(loss.total, self.parameters), self.rate)
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
        self.rate_there = torch.zeros((), dtype=torch.float32, device=objective.network.device)
        super().__init__(objective, phase, done)
        self.gradient = list(map(torch.zeros_like, self.parameters))
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
        self.rate_there.fill_(self.rate)
        self.step(self._step)
        self.done += 1
        self.n_steps += 1
        return ""

    def _loss(self) -> Loss:
        """The loss, without a graph; its gradient is written to its place."""
        loss = self.objective.evaluate()
        torch._foreach_copy_(self.gradient, gradient(loss.total, self.parameters))
        return replace(loss, total=loss.total.detach())

    def _step(self) -> None:
        self.move(self.gradient, self.rate_there)


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
    if processes.count() > 1:
        return "sums over several processes are not"
    if any(group.is_large for group in objective.groups):
        return "points that are taken in blocks are made again each time"
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
