"""Constants that training finds: each is a function of a free parameter, so that it never leaves
its bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from laaf_cli.problem import LearnedConstant


class LearnedConstants(nn.Module):
    """c(θ) for a free parameter θ that starts at 0, where c is the start.

    without bounds:  c = start + s θ, with s = |start|, or 1 where that is 0;
    with one bound:  c = bound + (start − bound) e^θ;
    with two:        c = lower + (upper − lower) / (1 + e^(−θ − θ₀)).

    So a step of θ changes c by a fraction of its size, whatever the unit of c. In float64 whatever
    the network has, for wide bounds would round a start near one of them away.
    """

    def __init__(self, constants: Mapping[str, LearnedConstant]) -> None:
        super().__init__()
        self.constants = dict(constants)
        # A list, because the parameters of a dictionary share their names with the methods of one:
        # pop, keys, type.
        self._free = nn.ParameterList(torch.zeros((), dtype=torch.float64) for _ in constants)

    @property
    def free(self) -> dict[str, nn.Parameter]:
        """The free parameter of each constant, by name."""
        return dict(zip(self.constants, self._free, strict=True))

    def values(self) -> dict[str, Tensor]:
        """The constants by name, scalars with a graph."""
        return self.at(self.free)

    def at(self, free: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The constants by name, of the shape of their free parameters."""
        return {name: _value(self.constants[name], parameter) for name, parameter in free.items()}

    def at_start(self) -> dict[str, Tensor]:
        """The free parameters with which every constant has its start."""
        return {name: torch.zeros_like(parameter.detach()) for name, parameter in self.free.items()}

    def numbers(self) -> dict[str, float]:
        """The constants by name, without a graph."""
        return {name: float(value.detach()) for name, value in self.values().items()}

    def moved(self, name: str, by: float) -> float:
        """The constant where its free parameter is so much greater."""
        return float(_value(self.constants[name], self.free[name].detach() + by))


def _value(constant: LearnedConstant, free: Tensor) -> Tensor:
    start, lower, upper = constant.start, constant.lower, constant.upper
    if math.isfinite(lower) and math.isfinite(upper):
        share = (start - lower) / (upper - lower)
        return lower + (upper - lower) * torch.sigmoid(free + math.log(share / (1 - share)))
    bound = lower if math.isfinite(lower) else upper
    if math.isfinite(bound):
        return bound + (start - bound) * torch.exp(free)
    return start + (abs(start) or 1.0) * free
