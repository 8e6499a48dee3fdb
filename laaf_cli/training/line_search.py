"""The loss along a direction, and the step along it that meets the strong Wolfe conditions."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import line_search
from torch import Tensor

from laaf_cli.training.objective import Loss, Objective, gradient

DECREASE, CURVATURE = 1e-4, 0.9
"""c₁ and c₂: J(α) ≤ J(0) + c₁ α J'(0) and |J'(α)| ≤ c₂ |J'(0)| (Nocedal & Wright 2006, eq. 3.7)."""

N_BACKTRACKS, SHRINKAGE = 20, 0.1


class FlatObjective:
    """J as a function of one vector in float64: all that is trained, whatever its precision."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.parameters = objective.parameters()
        self.sizes = [parameter.numel() for parameter in self.parameters]

    @property
    def n(self) -> int:
        """The number of parameters."""
        return sum(self.sizes)

    def position(self) -> Tensor:
        """The present parameters [n]."""
        return torch.cat([parameter.detach().flatten().double() for parameter in self.parameters])

    def move(self, position: Tensor) -> None:
        """Sets the parameters, rounded to their precision."""
        with torch.no_grad():
            parts = torch.split(position, self.sizes)
            for parameter, part in zip(self.parameters, parts, strict=True):
                parameter.copy_(part.view_as(parameter))

    def gradient(self, total: Tensor) -> Tensor:
        """∇J [n] of a scalar whose graph is still there; frees the graph."""
        return torch.cat([part.flatten().double() for part in gradient(total, self.parameters)])


@dataclass(kw_only=True)
class LinePoint:
    """A point of a line: its step α, J there (infinite where it is not finite), and its gradient
    once asked for.
    """

    step: float
    loss: Loss
    value: float
    gradient: Tensor | None = None


class Line:
    """J(α) = J(θ + α d): every point is evaluated once, its gradient where it is asked for.

    Args:
        start: θ [n].
        direction: d [n].
        value: J(0).
        slope: J'(0) < 0.
    """

    def __init__(
        self, flat: FlatObjective, start: Tensor, direction: Tensor, value: float, slope: float
    ) -> None:
        self.flat = flat
        self.start = start
        self.direction = direction
        self.value = value
        self.slope = slope
        self.points: dict[float, LinePoint] = {}

    def point(self, step: float) -> LinePoint:
        """The point at a step; the network is left there where it is new."""
        if step not in self.points:
            for other in self.points.values():
                # A graph holds all layers at all points, and the search asks for the gradient at
                # the last point only.
                other.loss = replace(other.loss, total=other.loss.total.detach())
            loss = self._evaluate(step)
            total = loss.total.item()
            value = total if math.isfinite(total) else math.inf
            self.points[step] = LinePoint(step=step, loss=loss, value=value)
        return self.points[step]

    def _evaluate(self, step: float) -> Loss:
        self.flat.move(self.start + step * self.direction)
        return self.flat.objective.evaluate()

    def gradient(self, point: LinePoint) -> Tensor:
        """∇J [n] at a point."""
        if point.gradient is None:
            has_graph = point.loss.total.requires_grad
            loss = point.loss if has_graph else self._evaluate(point.step)
            point.gradient = self.flat.gradient(loss.total)
        return point.gradient

    def slope_at(self, step: float) -> float:
        """J'(α); infinite where it is not finite, as if J rose, so that the search turns back."""
        slope = float(self.gradient(self.point(step)) @ self.direction)
        return slope if math.isfinite(slope) else math.inf

    def lowers(self, point: LinePoint) -> bool:
        """Whether a point has less than J(0), by the fraction of the decrease that the slope
        promises.
        """
        return (
            point.value < self.value
            and point.value <= self.value + DECREASE * point.step * self.slope
        )

    def best(self) -> LinePoint | None:
        """The lowest of the points so far that lower J, with a finite gradient."""
        lower = sorted(filter(self.lowers, self.points.values()), key=lambda t: t.value)
        return next((point for point in lower if bool(self.gradient(point).isfinite().all())), None)


def search(line: Line, previous: float | None) -> LinePoint | None:
    """A point that meets the strong Wolfe conditions; else the lowest that was tried and lowers J;
    else None.

    The search is SciPy's (Nocedal & Wright 2006, algorithms 3.5 and 3.6), in the one variable α, so
    that vectors stay on their device.

    Args:
        previous: J before the last step, from which SciPy takes the first step to try,
            min(1, 2.02 ΔJ/J'(0)); 1 where it is None.
    """

    def value(at: NDArray[np.float64]) -> float:
        return line.point(float(at[0])).value

    def slope(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([line.slope_at(float(at[0]))])

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # that it finds none, which its result says as well
        warnings.simplefilter("ignore", RuntimeWarning)
        step = line_search(
            value,
            slope,
            np.zeros(1),
            np.ones(1),
            np.array([line.slope]),
            line.value,
            previous,
            c1=DECREASE,
            c2=CURVATURE,
        )[0]
    point = line.points.get(float(step)) if step is not None else None
    if point is not None and line.lowers(point) and bool(line.gradient(point).isfinite().all()):
        return point
    return line.best()


def backtrack(line: Line) -> LinePoint | None:
    """The first of ever smaller steps, from below those tried already, that lowers J; None where
    none does.
    """
    step = min(line.points, default=1.0)
    for _ in range(N_BACKTRACKS):
        step *= SHRINKAGE
        if line.lowers(line.point(step)):
            return line.best()
    return None
