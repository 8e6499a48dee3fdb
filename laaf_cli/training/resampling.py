"""How the interior points are renewed while training: each method a row of a table.

After Wu, Zhu, Tan, Kartha & Lu 2023, "A comprehensive study of non-adaptive and residual-based
adaptive sampling for physics-informed neural networks", Computer Methods in Applied Mechanics and
Engineering 403, 115671.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem import Domain, Drawn
from laaf_cli.spec import ResampleSpec


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What a method chooses the new points from."""

    settings: ResampleSpec
    region: Drawn
    domain: Domain
    present: Array
    """The points so far [n, d]."""
    residual_size: Callable[[Array], Array]
    """Points [m, d] → |r| there [m]."""
    random: np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Resampler:
    """A row of the table: a renewal → the points [n, d] from then on, and the keys that the method
    takes.
    """

    renew: Callable[[Renewal], Array]
    draws_all: bool
    """Whether all present points are replaced."""
    keys: tuple[str, ...]
    meaning: str
    source: str
    uses_sampler: bool = False
    """Whether the new points come from the sampler of the region."""


def density(sizes: Array, power: float, constant: float) -> Array:
    """p ∝ |r|ᵏ / mean |r|ᵏ + c at each candidate (Wu et al. 2023, eq. 2), [n]; its sum is 1.

    A candidate whose residual is not finite has p = 0. Uniform where all residuals vanish or none
    is finite.
    """
    usable = np.isfinite(sizes)
    largest = float(np.max(sizes, where=usable, initial=0.0))
    if largest == 0:
        return np.full(len(sizes), 1 / len(sizes))
    # The power of a ratio to the largest cannot overflow.
    powers = np.where(usable, sizes / largest, 0.0) ** power
    weights = np.where(usable, powers / powers[usable].mean() + constant, 0.0)
    return weights / weights.sum()


def choose(probabilities: Array, n: int, random: np.random.Generator) -> np.ndarray:
    """Indices [n] of successive draws without replacement, each ∝ the probabilities of those that
    are left.

    The n largest of log p + Gumbel noise are such draws (Kool, van Hoof & Welling 2019, "Stochastic
    beams and where to find them"); those of probability 0 come last.
    """
    with np.errstate(divide="ignore"):
        keys = np.log(probabilities) + random.gumbel(size=len(probabilities))
    return np.argsort(-keys, kind="stable")[:n]


def _by_residual(renewal: Renewal, n: int) -> Array:
    """n out of `candidates` × n uniform points (with the shares in `importance`), by the size of
    the residual.
    """
    settings = renewal.settings
    pool = replace(renewal.region, n_points=n * settings.candidates, sampler="uniform")
    candidates = pool.draw(renewal.domain, renewal.random).points
    p = density(renewal.residual_size(candidates), settings.power, settings.constant)
    return candidates[choose(p, n, renewal.random)]


def _rar_d(renewal: Renewal) -> Array:
    n = renewal.settings.add or max(1, renewal.region.n_points // 10)
    return np.concatenate([renewal.present, _by_residual(renewal, n)])


_DENSITY = ("power", "constant", "candidates")

RESAMPLERS: dict[str, Resampler] = {
    "uniform": Resampler(
        renew=lambda renewal: renewal.region.draw(renewal.domain, renewal.random).points,
        draws_all=True,
        keys=(),
        meaning="all points again, by the sampler and `importance`",
        source="Wu et al. 2023, Random-R",
        uses_sampler=True,
    ),
    "rad": Resampler(
        renew=lambda renewal: _by_residual(renewal, renewal.region.n_points),
        draws_all=True,
        keys=_DENSITY,
        meaning="all points again, more of them where the residual is large",
        source="Wu et al. 2023, RAD",
    ),
    "rar-d": Resampler(
        renew=_rar_d,
        draws_all=False,
        keys=(*_DENSITY, "add"),
        meaning="`add` points more each time where the residual is large, those present stay (the "
        "paper: `power` 2, `constant` 0)",
        source="Wu et al. 2023, RAR-D",
    ),
}
"""Cost of a renewal, for Burgers with 10,000 points: that of two iterations for `rad` with 4
candidates per point, more with their number; a tenth of one for `uniform`; a third for `rar-d`,
which makes all iterations after it dearer.
"""
