"""The state of a training between two iterations: all that resuming as if nothing had happened
takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laaf_cli.training.objective import AdaptiveState

Arrays = Mapping[str, NDArray[Any]]

MAX_COUNT = 2**53
"""The most that anything is counted to: run files hold 64 bits, and resumed runs count further."""


class StateError(Exception):
    """A state does not fit the training that it is given to."""


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Where a training is, except for the weights of its network and its history.

    Nothing random is in it: every stream of random numbers is that of a seed, a purpose and an
    iteration.
    """

    iteration: int
    """The next iteration, counted over all phases."""
    phase: int
    """The phase, from 0."""
    done: int
    """Iterations done in this phase, −1 where it diverged before its first."""
    adapted: int
    """The iteration at which points and weights were last renewed, −1 before the first."""
    wall_time_s: float
    """Seconds of training so far."""
    phase_start_s: float
    """The training time when the phase began."""
    recorded_s: float
    """The training time at the last record."""
    monitored_s: float
    """The training time when the error was last measured."""
    n_retries: int
    """How often training went back after divergence, of at most `retries`."""
    rate_factor: float
    """What the retries multiply the learning rate of the phase by."""
    slopes_absorbed_at: int
    """The iteration before which slopes became part of the weights, −1 where they are not."""
    adaptive: AdaptiveState
    """The points and weights."""
    constants: Mapping[str, float] = field(default_factory=dict)
    """The free parameter of each learned constant, in float64."""
    optimizer: Arrays = field(default_factory=dict)
    """What the optimizer keeps between iterations, by name; empty where it starts from scratch."""
    retries: int = 0


def taken_count(state: Arrays, name: str) -> int:
    """The integer of that name, of what was counted.

    Raises:
        StateError: it is absent.
    """
    value = taken(state, name)
    if value.dtype.kind != "i" or not 0 <= value <= MAX_COUNT:
        raise StateError(f"'{name}' of the optimizer is not a count")
    return int(value)


def taken(state: Arrays, name: str, *shape: int) -> NDArray[Any]:
    """The array of that name and shape.

    Raises:
        StateError: it is absent.
    """
    if name not in state:
        raise StateError(f"the optimizer lacks '{name}'")
    value = np.asarray(state[name])
    if value.dtype.kind not in "fi":
        raise StateError(f"'{name}' of the optimizer holds no numbers")
    if value.shape != shape:
        raise StateError(
            f"'{name}' of the optimizer has the shape {list(value.shape)} instead of {list(shape)}"
        )
    return value
