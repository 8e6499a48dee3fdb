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

    iteration: over all phases, the next to be carried out; done: of them in this phase, −1 where it
    diverged before its first. phase: from 0. adapted: the iteration at which points and weights
    were last renewed, −1 before the first. wall_time_s: seconds of training; phase_start_s,
    recorded_s, monitored_s: of them when the phase began, when the last record was made and when
    the error was last looked at. n_retries: after divergence, of at most `retries`; rate_factor:
    what they multiply the learning rate of the phase by. slopes_absorbed_at: the iteration before
    which slopes became part of the weights, −1 where they are not. adaptive: points and weights.
    constants: the free parameter of each learned constant, in float64. optimizer: what it keeps
    between iterations, by name; empty where it is to begin again.
    """

    iteration: int
    phase: int
    done: int
    adapted: int
    wall_time_s: float
    phase_start_s: float
    recorded_s: float
    monitored_s: float
    n_retries: int
    rate_factor: float
    slopes_absorbed_at: int
    adaptive: AdaptiveState
    constants: Mapping[str, float] = field(default_factory=dict)
    optimizer: Arrays = field(default_factory=dict)
    retries: int = 0


def taken_count(state: Arrays, name: str) -> int:
    """The integer of that name, of what was counted; raises StateError where it is missing."""
    value = taken(state, name)
    if value.dtype.kind != "i" or not 0 <= value <= MAX_COUNT:
        raise StateError(f"'{name}' of the optimizer is not a count")
    return int(value)


def taken(state: Arrays, name: str, *shape: int) -> NDArray[Any]:
    """The array of that name and shape; raises StateError where it is missing."""
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
