"""Similarity variables: what a jump at the start is a smooth function of while it spreads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FAR_WIDTHS, WIDE = 6, 5
"""At how many widths nothing has spread; at how many periods of width all is even, and stays so."""

SMALLEST, FAR = 1e-9, 100.0
"""The smallest width, relative to a length, that is not taken for 0; an η of what has not spread.
"""


@dataclass(frozen=True, kw_only=True)
class SimilarityVariable:
    """What sign(x − c) and |x − c| become in the time τ = t − t₀ while they spread as u_t + v u_x =
    D u_xx: erf η and s = X erf η + w exp(−η²)/√π, with X = x − c − v τ, w = √(4 D τ) and η = X/w.

    A jump or a bend at the start is near there a function of the similarity variable η alone, times
    a power of w (Boltzmann, Annalen der Physik 289, 1894; Crank, The Mathematics of Diffusion,
    1975, section 3.3), and these two are the functions of a jump and of a bend: what is left of the
    solution is smoother.
    """

    axis: int
    """Of x."""
    place: float
    """c."""
    time: int
    """The axis of t."""
    start: float
    """t₀."""
    diffusivity: float
    """D, in units of x² over those of t; negative where time runs back from t₀."""
    velocity: float
    """v, in units of x over those of t."""
    period: float | None = None
    """That of x, L: a jump and a bend are at every c + k L then. Less 2 X/L and (X² + 2 D τ)/L
    they are periodic, and diffuse as before.
    """

    def distance(self, points: Tensor) -> Tensor:
        """X² + |4 D τ| at points [n, d]."""
        offset, passed = self._offset(points)
        return offset**2 + (4 * self.diffusivity * passed).abs()

    def derivative(
        self, points: Tensor, orders: Sequence[int], length: float, center: float
    ) -> tuple[Tensor, Tensor]:
        """∂^α of erf η and of s over a length, [n] each. Before t₀ both are as they begin.

        Args:
            points: [n, d].
            orders: α.
            center: a place inside the domain, whose side of c is that of points at c before t₀.
        """
        jump, bend = torch.zeros_like(points[:, 0]), torch.zeros_like(points[:, 0])
        if any(k for axis, k in enumerate(orders) if axis not in (self.axis, self.time)):
            return jump, bend
        offset, passed = self._offset(points)
        square = 4 * self.diffusivity * passed
        width = square.clamp(min=0).sqrt().clamp(min=SMALLEST * length)
        inside = math.copysign(FAR, center - self.place)
        eta = torch.where((offset == 0) & (square < 0), inside, offset / width)
        n_x, n_t = orders[self.axis], orders[self.time]
        # ∂/∂t is D ∂²/∂x² − v ∂/∂x.
        for k in range(n_t + 1):
            share = math.comb(n_t, k) * self.diffusivity**k * (-self.velocity) ** (n_t - k)
            if share:
                n = n_x + n_t + k
                jump += share * self._of_bends(n + 1, offset, width, eta)
                bend += share * self._of_bends(n, offset, width, eta)
        return jump, bend / length

    def _offset(self, points: Tensor) -> tuple[Tensor, Tensor]:
        passed = points[:, self.time] - self.start
        offset = points[:, self.axis] - self.place - self.velocity * passed
        if self.period is not None:
            offset = offset - self.period * (offset / self.period).round()
        return offset, passed

    def _of_bends(self, order: int, offset: Tensor, width: Tensor, eta: Tensor) -> Tensor:
        """The same as `_of_bend` of those at all c + k L."""
        if self.period is None:
            return _of_bend(order, offset, width, eta)
        width = width.clamp(max=WIDE * self.period)
        widest = float(width.detach().max()) if len(width) else 0.0
        n = 1 + math.ceil(FAR_WIDTHS * widest / self.period)
        total = torch.zeros_like(offset)
        for k in range(-n, n + 1):
            moved = offset - k * self.period
            # A distance of its own each, so that the sum stays small.
            total += _of_bend(order, moved, width, moved / width)
            total -= abs(k) * self.period if order == 0 else 0.0
        smooth = [offset**2 + width**2 / 2, 2 * offset, torch.full_like(offset, 2.0)]
        return total - smooth[order] / self.period if order < len(smooth) else total


def _of_bend(order: int, offset: Tensor, width: Tensor, eta: Tensor) -> Tensor:
    """∂ⁿs/∂xⁿ, [n_points], by X, w and η; the first is erf η."""
    if order == 1:
        return torch.erf(eta)
    bell = torch.exp(-(eta**2)) / math.sqrt(math.pi)
    if order == 0:
        return offset * torch.erf(eta) + width * bell
    before, hermite = torch.zeros_like(eta), torch.ones_like(eta)
    for k in range(order - 2):
        before, hermite = hermite, 2 * eta * hermite - 2 * k * before
    return 2 * (-1) ** order * hermite * bell / width ** (order - 1)
