"""How initial weights and biases are drawn: always by NumPy in float64, so that no device or
precision changes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Layer = tuple[NDArray[np.float64], NDArray[np.float64]]
Initializer = Callable[[int, int, np.random.Generator], Layer]
"""(fan in, fan out, random stream) → weights [fan out, fan in] and biases [fan out]."""


def _deviation(fan_in: int, fan_out: int) -> float:
    """Glorot & Bengio 2010, eq. 12: the variance of the weights is 2/(fan in + fan out)."""
    return math.sqrt(2 / (fan_in + fan_out))


def _glorot_normal(fan_in: int, fan_out: int, random: np.random.Generator) -> Layer:
    """Weights from N(0, 2/(fan in + fan out)), biases 0 (Glorot & Bengio 2010)."""
    return _deviation(fan_in, fan_out) * random.standard_normal((fan_out, fan_in)), np.zeros(
        fan_out
    )


def _glorot_normal_truncated(fan_in: int, fan_out: int, random: np.random.Generator) -> Layer:
    """The same, draws beyond two standard deviations drawn again, as in the authors' Burgers
    script.
    """
    z = random.standard_normal((fan_out, fan_in))
    while (outside := np.abs(z) > 2).any():
        z[outside] = random.standard_normal(int(outside.sum()))
    return _deviation(fan_in, fan_out) * z, np.zeros(fan_out)


def _glorot_uniform(fan_in: int, fan_out: int, random: np.random.Generator) -> Layer:
    """Weights uniform with the variance of `glorot-normal`, biases 0."""
    bound = math.sqrt(3) * _deviation(fan_in, fan_out)
    return random.uniform(-bound, bound, (fan_out, fan_in)), np.zeros(fan_out)


def _normal(fan_in: int, fan_out: int, random: np.random.Generator) -> Layer:
    """Weights and biases from N(0, 0.1²), as in the authors' regression script."""
    return 0.1 * random.standard_normal((fan_out, fan_in)), 0.1 * random.standard_normal(fan_out)


INITIALIZERS: dict[str, Initializer] = {
    "glorot-normal": _glorot_normal,
    "glorot-normal-truncated": _glorot_normal_truncated,
    "glorot-uniform": _glorot_uniform,
    "normal-0.1": _normal,
}
