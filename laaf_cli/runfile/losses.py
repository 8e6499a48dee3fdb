"""The loss without slope recovery: what can be compared between methods, and never falls below
zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from laaf_cli.arrays import Array
from laaf_cli.spec import RunSpec

SLOPE_RECOVERY = "slope_recovery"
"""The name of S(a) among the terms of a loss."""

Term = TypeVar("Term", float, Array)


def loss_without_recovery(spec: RunSpec, terms: Mapping[str, Term]) -> Term | float:
    """J − W_a S(a) = Σ W · term over all terms but slope recovery.

    Summed from the terms, for in float32 a subtraction would leave the rounding of S(a) alone.

    Args:
        terms: numbers, or histories [n_records].
    """
    weights = dict.fromkeys(terms, 1.0) | spec.weights.equations
    weights |= {name: condition.weight for name, condition in spec.conditions.items()}
    if spec.data is not None:
        weights["data"] = spec.data.weight
    return sum(weights[name] * value for name, value in terms.items() if name != SLOPE_RECOVERY)
