"""Steps of Adam along the schedule of a phase."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from laaf_cli.training.objective import Loss, Objective
from laaf_cli.training.phases import TrainingPhase
from laaf_cli.training.stepper import Stepper


class AdamStepper(Stepper):
    """Adam (Kingma & Ba 2015) with its defaults: β = (0.9, 0.999), ε = 1e-8."""

    def __init__(self, objective: Objective, phase: TrainingPhase) -> None:
        self.objective = objective
        self.phase = phase
        self.done = 0
        self.parameters = objective.parameters()
        self.adam = torch.optim.Adam(self.parameters, lr=phase.learning_rate.first, fused=True)

    @property
    def rate(self) -> float:
        """That of the next step; at the end of the phase that of the last."""
        return self.phase.rate(min(self.done, self.phase.iterations - 1))

    def evaluate(self, iteration: int) -> Loss:
        return self.objective.evaluate(iteration, self.phase.batch)

    def advance(self, loss: Loss) -> str:
        for group in self.adam.param_groups:
            group["lr"] = self.rate
        self.adam.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        self.done += 1
        return ""

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Arrays by parameter index and name, as `0/exp_avg`."""
        return {
            f"{i}/{name}": value.detach().cpu().numpy()
            for i, parameter in enumerate(self.parameters)
            for name, value in self.adam.state.get(parameter, {}).items()
            if isinstance(value, torch.Tensor)
        }
