"""The optimizers and the laws of their learning rate, each a row of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

MakeOptimizer = Callable[[Iterable[nn.Parameter], float], torch.optim.Optimizer]


def _adam(parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """Kingma & Ba 2015, with the defaults of the paper: β = (0.9, 0.999), ε = 1e-8."""
    return torch.optim.Adam(parameters, lr=learning_rate, fused=True)


OPTIMIZERS: dict[str, MakeOptimizer] = {"adam": _adam}


@dataclass(frozen=True)
class LearningRate:
    """The settings of a law: what they mean is in the table below."""

    first: float
    n_iterations: int
    factor: float | None = None
    every: int | None = None
    final: float | None = None


@dataclass(frozen=True)
class Law:
    """A row of the table: the learning rate at an iteration of the phase, and the keys that it takes."""

    rate: Callable[[LearningRate, int], float]
    keys: tuple[str, ...] = ()
    meaning: str = ""


def _exponential(s: LearningRate, i: int) -> float:
    return s.first * (s.factor or 0.9) ** (i / (s.every or 1000))


def _step(s: LearningRate, i: int) -> float:
    return s.first * (s.factor or 0.1) ** (i // (s.every or 1000))


def _cosine(s: LearningRate, i: int) -> float:
    final = s.final or 0.0
    return s.first * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * i / s.n_iterations)))


SCHEDULES: dict[str, Law] = {
    "constant": Law(lambda s, _i: s.first, (), "the same at every iteration"),
    "exponential": Law(
        _exponential, ("factor", "every"), "times `factor` (0.9) per `every` (1000) iterations, smoothly"
    ),
    "step": Law(_step, ("factor", "every"), "times `factor` (0.1) after each `every` (1000) iterations"),
    "cosine": Law(_cosine, ("final",), "half a cosine down to `final` (0) times the first"),
}
