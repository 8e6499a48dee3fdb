"""What a search has tried: candidates, which of them is better, and which slopes come next."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.network.mlp import Mlp
from laaf_cli.training.least_squares.neurons import Neurons
from laaf_cli.training.least_squares.system import State
from laaf_cli.training.state import Arrays, StateError, taken

SLOWEST, STEEPEST = 0.25, 64.0

ENOUGH = 1e-2
"""The share of the goal below which no other slopes are tried."""

MUCH = 0.5
"""The share of a residual that steeper neurons must come below to be better."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Neurons that were tried in a window, their slopes, the relative residual at fresh points, the
    solution.
    """

    slope: float
    residual: float
    state: State
    neurons: Neurons | None

    def arrays(self) -> dict[str, Array]:
        """What a checkpoint keeps of it."""
        return {
            "numbers": np.array([self.slope, self.residual]),
            "layer": self.state.layer.cpu().numpy(),
            "free": np.array([float(value) for value in self.state.free.values()]),
            **({} if self.neurons is None else {"neurons": self.neurons.table()}),
        }

    @classmethod
    def of_arrays(
        cls, state: Arrays, name: str, network: Mlp, n_kept: int, constants: Collection[str]
    ) -> Candidate | None:
        """The one that a checkpoint keeps under a name, if it does.

        n_kept: neurons of the last hidden layer that are not drawn. constants: those that are
        learned.

        Raises StateError where it is not of this network.
        """
        if f"{name}_layer" not in state:
            return None
        like = network.output_layer
        slope, residual = taken(state, f"{name}_numbers", 2).tolist()
        n_columns = np.shape(state[f"{name}_layer"])[-1:] or (0,)
        layer = taken(state, f"{name}_layer", len(like), *n_columns)
        free = taken(state, f"{name}_free", len(constants))
        if not 2 <= len(layer.T) <= len(like.T):
            raise StateError(f"'{name}_layer' of the optimizer is not that of the network")
        values = State(
            layer=like.new_tensor(layer),
            free=dict(zip(constants, like.new_tensor(free), strict=True)),
        )
        neurons = neurons_of(state, f"{name}_neurons", network, n_kept)
        return cls(slope=slope, residual=residual, state=values, neurons=neurons)


def neurons_of(state: Arrays, name: str, network: Mlp, n_kept: int) -> Neurons | None:
    """The drawn neurons that a checkpoint keeps under a name, if it does; raises StateError where
    they are not of this network.
    """
    if name not in state:
        return None
    weight = network.weights[-2].detach()
    table = taken(state, name, len(weight) - n_kept, weight.shape[1] + 2)
    return Neurons.of_table(weight.new_tensor(table))


def is_nearer(one: Candidate, other: Candidate) -> bool:
    """Whether one of two candidates has the smaller residual."""
    return one.residual < other.residual


def is_better(one: Candidate, other: Candidate) -> bool:
    """Whether one of two candidates is to be preferred: the steeper must have a residual much
    smaller, for what is not resolved is fitted best, and not solved, by the steepest neurons.
    """
    if not math.isfinite(other.residual):
        return True
    factor = MUCH if one.slope > other.slope else 1 / MUCH
    return one.residual < factor * other.residual


def next_slope(tried: Mapping[float, float], goal: float) -> float | None:
    """The slopes to try after these, by the residual of each; None where the best is among them.

    Doubled and halved until the residual rises on both sides; above the goal also between.
    """
    best = min(tried, key=lambda slope: tried[slope])
    if tried[best] <= ENOUGH * goal:
        return None
    around = [2 * best, best / 2]
    if tried[best] > goal:
        around += [best * math.sqrt(2), best / math.sqrt(2)]
    for slope in around:
        is_new = not any(math.isclose(slope, each) for each in tried)
        if SLOWEST <= slope <= STEEPEST and is_new:
            return slope
    return None
