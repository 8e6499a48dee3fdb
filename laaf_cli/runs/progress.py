"""How far a training is: the one event that callbacks receive, whatever is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A moment of a training."""

    iteration: int
    """Iterations done, from 0 to `n_iterations`."""
    n_iterations: int
    """Iterations of the whole training."""
    wall_time_s: float
    """Seconds of training so far."""
    loss: float
    """The loss that is minimised, slope recovery included; NaN before training, while the reference
    is solved.
    """
    error: float
    """The number by which runs of the task are compared, NaN where it is not known yet."""
    message: str
    """One line for people: the error, the loss and its terms."""


Callback = Callable[[Progress], None]
