"""How far a training is: the one event that callbacks receive, whatever is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A moment of a training.

    Attributes:
        iteration: iterations done, from 0 to `n_iterations`.
        n_iterations: iterations of the whole training.
        wall_time_s: seconds of training so far.
        loss: the loss that is minimised, slope recovery included; NaN before training, while the
            reference is solved.
        error: the number by which runs of the task are compared, NaN where it is not known yet.
        message: one line for people: the error, the loss and its terms.
    """

    iteration: int
    n_iterations: int
    wall_time_s: float
    loss: float
    error: float
    message: str


Callback = Callable[[Progress], None]
