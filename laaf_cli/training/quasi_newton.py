"""Steps of quasi-Newton methods: a direction from an inverse Hessian, a length from a line
search.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from laaf_cli.training.inverse_hessian import InverseHessian, Pair
from laaf_cli.training.line_search import FlatObjective, Line, backtrack, search
from laaf_cli.training.objective import Loss, Objective
from laaf_cli.training.state import Arrays, taken
from laaf_cli.training.stepper import Stepper, lost_in_rounding


class QuasiNewton(Stepper):
    """θ ← θ − α H ∇J(θ), α from a strong-Wolfe line search (Nocedal & Wright 2006, algorithm 6.1).

    The loss that a search ends with is the one that the next iteration begins with. Where points or
    weights of the objective have changed in between it is evaluated again; H stays, because no pair
    is formed across the change. Where a search finds nothing, H ← I and it is tried once more; then
    ever smaller steps along −∇J.
    """

    def __init__(self, objective: Objective, flat: FlatObjective, inverse: InverseHessian) -> None:
        self.objective = objective
        self.flat = flat
        self.inverse = inverse
        self.position = flat.position()
        self.loss: Loss | None = None
        self.gradient: Tensor | None = None
        self.direction: Tensor | None = None
        self.previous: float | None = None
        self.n_changes = -1
        self.length = 0.0

    @property
    def rate(self) -> float:
        """The length α of the last step, 0 before the first."""
        return self.length

    def evaluate(self, iteration: int) -> Loss:  # noqa: ARG002 - there are no batches
        if self.loss is None or self.n_changes != self.objective.n_changes:
            self.loss = self.objective.evaluate()
            self.n_changes = self.objective.n_changes
            self.gradient = self.direction = self.previous = None
        return self.loss

    def advance(self, loss: Loss) -> str:
        gradient = self.flat.gradient(loss.total) if self.gradient is None else self.gradient
        value, norm = loss.total.item(), float(gradient.norm())
        if norm == 0:
            return f"the gradient is exactly zero, at the loss {value:.2g}"
        if not math.isfinite(norm):
            return f"the gradient is not finite, though the loss is: {value:.2g}"
        direction = -self.inverse.product(gradient) if self.direction is None else self.direction
        slope = float(gradient @ direction)
        if not (slope < 0 and math.isfinite(slope)):  # rounding has cost H its definiteness
            self.inverse.reset()
            direction, slope = -gradient, -(norm**2)
        line = Line(self.flat, self.position, direction, value, slope)
        point = search(line, value + norm / 2 if self.inverse.is_fresh else self.previous)
        if point is None and not self.inverse.is_fresh:
            self.inverse.reset()
            line = Line(self.flat, self.position, -gradient, value, -(norm**2))
            point = search(line, value + norm / 2)
        point = point or backtrack(line)
        if point is None:
            self.flat.move(self.position)
            return self._why_not(line)
        step, after = point.step * line.direction, line.gradient(point)
        pair = Pair(
            step=step,
            change=after - gradient,
            metric=-(point.step**2) * line.slope,
            gradient=after,
            image=-line.direction,
        )
        self.direction = -self.inverse.update(pair)
        self.position = self.position + step
        self.flat.move(self.position)
        self.loss, self.gradient = point.loss, after
        self.previous, self.length = line.value, point.step
        return ""

    def _why_not(self, line: Line) -> str:
        changed = [point for point in line.points.values() if point.value != line.value]
        if changed and all(math.isinf(point.value) for point in changed):
            least = min(point.step for point in changed) * float(line.direction.norm())
            return (
                "the loss is not finite anywhere along the descent direction, down to a "
                f"step of {least:.1g}"
            )
        dtype = self.objective.network.dtype
        return f"no step along the descent direction {lost_in_rounding(line.value, dtype)}"

    def state(self) -> Arrays:
        """The parameters in float64, what is known at them, and H; `previous_loss` is NaN where
        it does not count.
        """
        previous = math.nan if self.previous is None else self.previous
        known = {"gradient": self.gradient, "direction": self.direction}
        return {
            "position": self.position.cpu().numpy(),
            "previous_loss": np.array(previous),
            "length": np.array(self.length),
            **{name: value.cpu().numpy() for name, value in known.items() if value is not None},
            **self.inverse.state(),
        }

    def load(self, state: Arrays) -> None:
        previous = float(taken(state, "previous_loss"))
        self.previous = None if math.isnan(previous) else previous
        self.length = float(taken(state, "length"))
        self.position = self._vector(state, "position")
        self.gradient = self._vector(state, "gradient") if "gradient" in state else None
        self.direction = self._vector(state, "direction") if "direction" in state else None
        self.inverse.load(state)
        self.flat.move(self.position)
        self.loss, self.n_changes = self.objective.evaluate(), self.objective.n_changes

    def _vector(self, state: Arrays, name: str) -> Tensor:
        return self.position.new_tensor(taken(state, name, self.flat.n))
