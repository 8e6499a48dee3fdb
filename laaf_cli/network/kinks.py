"""Places at which a function and its derivatives may jump, at rest or carried along."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Kink:
    """|X| X^(p − 1), X = x − c − v (t − t₀): its derivative of order p jumps at X = 0, and
    functions of it do so there and are smooth elsewhere (for p = 1 and v = 0: Tseng, Lin, Hu & Lai,
    Journal of Computational Physics 491, 2023).
    """

    axis: int
    """Of x."""
    place: float
    """c."""
    order: int = 1
    """p, from 0 on."""
    velocity: float = 0.0
    """v, in units of x over those of t."""
    time: int = 0
    """The axis of t, where there is a velocity."""
    start: float = 0.0
    """t₀."""
    period: float | None = None
    """That of x, L, for p = 0 and 1: the same at every c + k L, less what makes it periodic."""

    @property
    def is_carried(self) -> bool:
        """Whether it moves, or is that of a periodic axis."""
        return self.velocity != 0 or self.period is not None

    def derivative(self, points: Tensor, orders: Sequence[int], length: float) -> Tensor:
        """∂^α of it, in units of length^p, at points [n, d]: [n].

        Args:
            orders: α.
        """
        along = (self.axis, self.time) if self.velocity else (self.axis,)
        rate, x = sum(orders[axis] for axis in set(along)), points[:, self.axis]
        if any(k for axis, k in enumerate(orders) if axis not in along):
            return torch.zeros_like(x)
        offset = x - self.place
        factor = 1 / length**rate
        if self.velocity:
            offset = offset - self.velocity * (points[:, self.time] - self.start)
            factor *= (-self.velocity) ** orders[self.time]
        if self.period is not None:
            offset = offset - self.period * (offset / self.period).round()
        offset, p = offset / length, self.order
        values = torch.zeros_like(offset)
        if rate <= p:
            values = math.perm(p, rate) * offset.sign() * offset ** (p - rate)
        if self.period is not None and rate <= p + 1:
            # Less X^(p + 1) over half the period, whose derivative of order p jumps back there.
            half = self.period / (2 * length)
            values = values - math.perm(p + 1, rate) / (p + 1) * offset ** (p + 1 - rate) / half
        return factor * values
