"""Steps of the Levenberg-Marquardt method with geodesic acceleration: all residuals to first order,
and to second along the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from laaf_cli import processes
from laaf_cli.training.jacobian import Jacobian, NormalEquations
from laaf_cli.training.line_search import FlatObjective
from laaf_cli.training.objective import Loss, Objective
from laaf_cli.training.state import Arrays, taken
from laaf_cli.training.stepper import Stepper, lost_in_rounding

FIRST_DAMPING, LEAST_DAMPING = 1e-3, 1e-16
"""As fractions of the mean of the diagonal of JᵀJ; below the smallest one rounding costs JᵀJ its
definiteness.
"""

GREATEST_FALL, FIRST_RISE = 0.1, 2.0
"""What λ is multiplied by at most after a good step, and after a first one that is refused."""

N_TRIALS = 14
"""With rises that double, λ grows by 10³⁰ within them."""

DISTANCE, MOST_CURVED = 0.1, 0.75
"""h of the finite difference along the step, and the longest acceleration, as a fraction of it
(Transtrum & Sethna 2012, section 4).
"""


@dataclass(frozen=True)
class _Trial:
    """A step [n], the loss |r|² behind it, and the fraction of the predicted decrease that it
    brings.
    """

    step: Tensor
    value: float
    ratio: float


class LevenbergMarquardt(Stepper):
    """θ ← θ + v + a/2, (JᵀJ + λ) v = −Jᵀr and (JᵀJ + λ) a = −Jᵀr″ with r″ the second derivative of
    r along v (Transtrum & Sethna 2012, arXiv 1201.5885).

    A step is taken where it lowers the loss and |a|/|v| stays in bounds. Then λ changes by
    max(1/10, 1 − (2ρ − 1)³), ρ the decrease as a fraction of what v alone predicts; else by 2, 4,
    8, … (Nielsen 1999, IMM-REP-1999-05, who has 1/3).
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.flat = FlatObjective(objective)
        self.jacobian = Jacobian(objective)
        self.damping = 0.0

    @property
    def rate(self) -> float:
        """The damping λ of the next step, 0 before the first."""
        return self.damping

    @torch.no_grad()
    def evaluate(self, iteration: int) -> Loss:  # noqa: ARG002 - there are no batches
        return self.objective.evaluate()

    def advance(self, loss: Loss) -> str:
        normal, value = self.jacobian.normal_equations(), loss.total.item()
        norm, mean = float(normal.gradient.norm()), float(normal.matrix.diagonal().mean())
        if norm == 0:
            return f"the gradient is exactly zero, at the loss {value:.2g}"
        if not (math.isfinite(norm) and math.isfinite(mean)):
            return f"the Jacobian is not finite, though the loss is: {value:.2g}"
        near = _Neighbourhood(self.objective, self.flat, normal)
        least, rise = LEAST_DAMPING * mean, FIRST_RISE
        damping = max(least, self.damping or FIRST_DAMPING * mean)
        for _ in range(N_TRIALS):
            trial = near.trial(damping)
            if trial is not None and trial.value < near.value:
                self.flat.move(near.position + trial.step)
                change = max(GREATEST_FALL, 1 - (2 * min(trial.ratio, 1.0) - 1) ** 3)
                self.damping = max(least, damping * change)
                return ""
            damping, rise = damping * rise, rise * 2
        self.flat.move(near.position)
        return f"no step of any damping {lost_in_rounding(value, self.objective.network.dtype)}"

    def state(self) -> Arrays:
        return {"damping": np.array(self.damping)}

    def load(self, state: Arrays) -> None:
        self.damping = float(taken(state, "damping"))


class _Neighbourhood:
    """r around a position θ [n]: what steps of every damping begin from."""

    def __init__(self, objective: Objective, flat: FlatObjective, normal: NormalEquations) -> None:
        self.objective, self.flat, self.normal = objective, flat, normal
        self.position = flat.position()
        self.residuals = self._residuals(torch.zeros_like(self.position))
        self.value = _square(self.residuals)

    @torch.no_grad()
    def _residuals(self, step: Tensor) -> Tensor:
        self.flat.move(self.position + step)
        return torch.cat(list(self.objective.residuals()))

    def trial(self, damping: float) -> _Trial | None:
        """The step of a damping; None where it is too curved, or JᵀJ + λ not definite."""
        matrix = self.normal.matrix.clone()
        matrix.diagonal().add_(damping)
        factor, failure = torch.linalg.cholesky_ex(matrix)
        if int(failure):
            return None
        velocity = -_solve(factor, self.normal.gradient)
        half = _solve(factor, self._pulled_back(self._curvature(velocity))) / -2
        if not 2 * float(half.norm()) <= MOST_CURVED * float(velocity.norm()):
            return None
        residuals = self._residuals(velocity + half)
        value = _square(residuals)
        predicted = float(damping * velocity @ velocity - self.normal.gradient @ velocity)
        return _Trial(velocity + half, value, (self.value - value) / predicted)

    def _curvature(self, velocity: Tensor) -> Tensor:
        """r″ [n_rows] = (r(θ + hv) − 2r(θ) + r(θ − hv))/h²."""
        ahead, behind = (self._residuals(h * velocity) for h in (DISTANCE, -DISTANCE))
        return (ahead - 2 * self.residuals + behind) / DISTANCE**2

    def _pulled_back(self, rows: Tensor) -> Tensor:
        """Jᵀ rows [n]."""
        self.flat.move(self.position)
        whole, start = torch.zeros_like(self.position), 0
        for block in self.objective.residuals():
            end = start + len(block)
            whole += self.flat.gradient(block @ rows[start:end])
            start = end
        return processes.total(whole)


def _square(residuals: Tensor) -> float:
    """|r|² of all processes."""
    return float(processes.total(residuals @ residuals))


def _solve(factor: Tensor, vector: Tensor) -> Tensor:
    return torch.cholesky_solve(vector[:, None], factor)[:, 0]
