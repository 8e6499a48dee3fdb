"""How far a solution is from a reference."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def relative_l2(solution: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """‖solution − reference‖₂ / ‖reference‖₂ over all points, both arrays of one shape, in float64.

    Infinite where the reference is zero everywhere and the solution is not.
    """
    _check_shapes(solution, reference)
    distance = float(np.linalg.norm((solution - reference).ravel()))
    size = float(np.linalg.norm(reference.ravel()))
    if size == 0:
        return math.inf if distance > 0 else 0.0
    return distance / size


def max_error(solution: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """max |solution − reference| over all points, in the unit of the unknown."""
    _check_shapes(solution, reference)
    return float(np.max(np.abs(solution - reference)))


def _check_shapes(solution: NDArray[np.float64], reference: NDArray[np.float64]) -> None:
    if solution.shape != reference.shape:
        raise ValueError(f"shapes differ: solution {solution.shape}, reference {reference.shape}")
