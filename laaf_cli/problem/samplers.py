"""How collocation points are drawn: each sampler fills the unit cube."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """A row of the table."""

    draw: Callable[[int, int, np.random.Generator], Array]
    """(number of points, dimension, random stream) → points of the unit cube [n, dimension]."""
    is_deterministic: bool = False
    """Whether the points are the same at every draw."""


def _latin_hypercube(n: int, dimension: int, random: np.random.Generator) -> Array:
    """One point in each of N equal slices of every coordinate (McKay, Beckman & Conover 1979)."""
    from scipy.stats import qmc

    return qmc.LatinHypercube(dimension, rng=random).random(n)


def _uniform(n: int, dimension: int, random: np.random.Generator) -> Array:
    """Independent and uniform."""
    return random.random((n, dimension))


def _sobol(n: int, dimension: int, random: np.random.Generator) -> Array:
    """Scrambled Sobol sequence: the first N points of the next power of two."""
    from scipy.stats import qmc

    # The sequence is balanced at powers of two only; a whole one is drawn and its head taken.
    return qmc.Sobol(dimension, rng=random).random_base2(max(0, int(n - 1).bit_length()))[:n]


def _halton(n: int, dimension: int, random: np.random.Generator) -> Array:
    """Scrambled Halton sequence."""
    from scipy.stats import qmc

    return qmc.Halton(dimension, rng=random).random(n)


def _grid(n: int, dimension: int, _random: np.random.Generator) -> Array:
    """Equidistant, both ends included; the largest grid with at most N points."""
    side = 1
    while (side + 1) ** dimension <= n:
        side += 1
    axis = np.linspace(0, 1, side) if side > 1 else np.array([0.5])
    return np.stack([a.ravel() for a in np.meshgrid(*[axis] * dimension, indexing="ij")], axis=1)


SAMPLERS: dict[str, Sampler] = {
    "latin-hypercube": Sampler(draw=_latin_hypercube),
    "uniform": Sampler(draw=_uniform),
    "sobol": Sampler(draw=_sobol),
    "halton": Sampler(draw=_halton),
    "grid": Sampler(draw=_grid, is_deterministic=True),
}

RANDOM = "latin-hypercube"
"""A sampler that takes the place of those that draw the same points each time."""


def independent(sampler: str) -> str:
    """The sampler, or RANDOM in place of one that is deterministic."""
    return RANDOM if SAMPLERS[sampler].is_deterministic else sampler


def draw(sampler: str, n: int, dimension: int, random: np.random.Generator) -> Array:
    """Points of the unit cube, [n, dimension]; a grid may have fewer than n, a cube of dimension 0
    has one.

    Raises:
        KeyError: for a sampler that is not in the table.
    """
    if dimension == 0:
        return np.zeros((1, 0))
    return SAMPLERS[sampler].draw(n, dimension, random)
