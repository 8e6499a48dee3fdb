"""What a search has tried: candidates, which of them is better, and which slopes come next."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.network.mlp import Mlp
from laaf_cli.training.least_squares.neurons import Neurons
from laaf_cli.training.least_squares.system import OutputLayerState
from laaf_cli.training.state import Arrays, StateError, taken

Slopes = tuple[float, ...]
"""Along each coordinate, or one for all, of coordinates scaled to [−1, 1]."""

SLOWEST, STEEPEST = 0.25, 64.0
"""The range of the largest of slopes."""

FLATTEST = SLOWEST / 8
"""The smallest of slopes along one coordinate."""

ENOUGH = 1e-2
"""The fraction of the goal below which no other slopes are tried."""

MUCH = 0.5
"""The fraction of a residual that steeper neurons must come below to be better."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Neurons that were tried in a window, their slopes, the relative residual at held-out points,
    the solution.
    """

    slopes: Slopes
    residual: float
    state: OutputLayerState
    neurons: Neurons | None
    is_of_data: bool
    """Whether it is data that have this residual, and the equations a smaller one."""

    def arrays(self) -> dict[str, Array]:
        """What a checkpoint keeps of it."""
        return {
            "numbers": np.array([*self.slopes, self.residual, self.is_of_data]),
            "layer": self.state.layer.cpu().numpy(),
            "free": np.array([float(value) for value in self.state.free.values()]),
            **({} if self.neurons is None else {"neurons": self.neurons.table()}),
        }

    @classmethod
    def of_arrays(
        cls,
        state: Arrays,
        name: str,
        network: Mlp,
        n_kept: int,
        n_slopes: int,
        constants: Collection[str],
    ) -> Candidate | None:
        """The one that a checkpoint keeps under a name, if it does.

        Args:
            n_kept: neurons of the last hidden layer that are not drawn.
            constants: those that are learned.

        Raises:
            StateError: it is not of this network.
        """
        if f"{name}_layer" not in state:
            return None
        like = network.output_layer
        *slopes, residual, of_data = taken(state, f"{name}_numbers", n_slopes + 2).tolist()
        n_columns = np.shape(state[f"{name}_layer"])[-1:] or (0,)
        layer = taken(state, f"{name}_layer", len(like), *n_columns)
        free = taken(state, f"{name}_free", len(constants))
        if not 2 <= len(layer.T) <= len(like.T):
            raise StateError(f"'{name}_layer' of the optimizer is not that of the network")
        values = OutputLayerState(
            layer=like.new_tensor(layer),
            free=dict(zip(constants, like.new_tensor(free), strict=True)),
        )
        neurons = neurons_of(state, f"{name}_neurons", network, n_kept)
        return cls(
            slopes=tuple(slopes),
            residual=residual,
            state=values,
            neurons=neurons,
            is_of_data=bool(of_data),
        )


def neurons_of(state: Arrays, name: str, network: Mlp, n_kept: int) -> Neurons | None:
    """The drawn neurons that a checkpoint keeps under a name, if it does.

    Raises:
        StateError: they are not of this network.
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
    factor = MUCH if math.prod(one.slopes) > math.prod(other.slopes) else 1 / MUCH
    return one.residual < factor * other.residual


def next_slopes(
    tried: Mapping[Slopes, float],
    goal: float,
    enough: float | None = None,
    most: float = math.inf,
    *,
    has_data: bool = False,
) -> Slopes | None:
    """The slopes to try after these, by the residual of each; None where the best is among them.

    Doubled and halved, all together, until the residual rises on both sides; between what is
    enough, the goal where nothing is said, and `most` then along each coordinate by itself, or,
    where there is only one, between.

    Args:
        has_data: whether there are data, which hold rounding and noise. What follows them beyond
            that is steep: the flattest neurons that fit them as well are looked for.
    """
    slopes = _likely(tried, goal, enough, most)
    if slopes is not None or not has_data:
        return slopes
    flattest = min(tried, key=math.prod)
    slopes = _times(flattest, (0.5,) * len(flattest))
    is_fit = tried[flattest] <= min(tried.values()) / MUCH
    return slopes if is_fit and max(slopes) >= SLOWEST and min(slopes) >= FLATTEST else None


def _likely(
    tried: Mapping[Slopes, float], goal: float, enough: float | None, most: float
) -> Slopes | None:
    enough = goal if enough is None else enough
    best, *others = sorted(tried, key=lambda slopes: tried[slopes])
    if tried[best] <= ENOUGH * goal:
        return None
    n = len(best)
    factors = []
    if all(_is_multiple(slopes, best) for slopes in others):
        factors += [(2.0,) * n, (0.5,) * n]
    if enough < tried[best] <= most and n == 1:
        factors += [(math.sqrt(2),), (math.sqrt(0.5),)]
    elif enough < tried[best] <= most:
        alone = [
            tuple(by if i == axis else 1.0 for i in range(n))
            for axis in range(n)
            for by in (0.5, 2.0)
        ]
        last = _times(best, [1 / slope for slope in others[0]]) if others else best
        factors += sorted(alone, key=lambda factor: not _is_same(factor, last))
    for factor in factors:
        slopes = _times(best, factor)
        is_new = not any(_is_same(slopes, known) for known in tried)
        if is_new and SLOWEST <= max(slopes) <= STEEPEST and min(slopes) >= FLATTEST:
            return slopes
    return None


def _times(slopes: Slopes, factors: Sequence[float]) -> Slopes:
    return tuple(slope * by for slope, by in zip(slopes, factors, strict=True))


def _is_same(one: Slopes, other: Slopes) -> bool:
    return all(map(math.isclose, one, other))


def _is_multiple(one: Slopes, other: Slopes) -> bool:
    return _is_same(one, _times(other, [one[0] / other[0]] * len(other)))
