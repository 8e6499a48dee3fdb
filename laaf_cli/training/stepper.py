"""What the training loop drives: an optimizer in the middle of its phase."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch

from laaf_cli.training.objective import Loss
from laaf_cli.training.state import Arrays


class Stepper(ABC):
    """An optimizer that changes the parameters of an objective in place, one iteration at a
    time.
    """

    @property
    @abstractmethod
    def rate(self) -> float:
        """What the record holds as learning rate before the next step."""

    @abstractmethod
    def evaluate(self, iteration: int) -> Loss:
        """The loss at the present parameters.

        Args:
            iteration: counted over all phases.
        """

    @abstractmethod
    def advance(self, loss: Loss) -> str:
        """One iteration, from the loss that `evaluate` gave.

        Returns an empty text, or why there is no step to take; then the parameters are as before.
        """

    is_finished = False
    """Whether there is nothing left to do, where `advance` says why there is no step."""

    @property
    def estimate(self) -> float:
        """Of the relative error, where the optimizer has one; NaN otherwise."""
        return math.nan

    def is_late(self, share: float, most: float) -> bool:  # noqa: ARG002 - few know
        """Whether a phase will not come to its end in its seconds, or in overtime.

        Args:
            share: of its seconds, those that are over.
            most: the share at which the run ends, at least 1; 1 without overtime.
        """
        return share >= 1

    def conclude(self) -> None:  # noqa: B027 - few have anything to do
        """Called where a bound ends the phase before the optimizer is finished: leaves the best
        that there is.
        """

    @property
    def capture(self) -> str:
        """Whether iterations were captured in a CUDA graph, or why not; empty where there is no
        GPU.
        """
        return ""

    @abstractmethod
    def state(self) -> Arrays:
        """What the optimizer keeps between iterations, by name; asking for it changes nothing."""

    @abstractmethod
    def load(self, state: Arrays) -> None:
        """Resumes from a state of the same optimizer.

        Raises:
            StateError: it does not fit.
        """


def lost_in_rounding(value: float, dtype: torch.dtype) -> str:
    """What is to say of steps that lower a loss of this value no more."""
    name = str(dtype).removeprefix("torch.")
    further = "; dtype: float64 goes further" if dtype == torch.float32 else ""
    return (
        f"lowers the loss any more: at {value:.2g} what it changes is lost in the rounding of "
        f"{name}{further}"
    )
