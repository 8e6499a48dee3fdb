"""What a plan of any task provides: what sweeps, resuming and commands rely on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch

from laaf_cli.network.devices import torch_device
from laaf_cli.network.slopes import SlopeRecovery
from laaf_cli.runs.identity import Hashes
from laaf_cli.spec import Override, Text

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True, kw_only=True)
class AnyPlan(ABC):
    """A run that has not begun."""

    task: ClassVar[str]
    """Its row of TASKS."""

    name: str
    text: Text
    spec: Any
    """The resolved spec, with `title`, `slopes`, `seed`, `dtype`, `device`, `checkpoint`."""
    overrides: tuple[Override, ...] = ()
    """What the command line put into the spec."""
    max_seconds: float | None = None
    """Bound on the seconds of training."""
    goal: float = 0.0
    """The relative error at which the training ends, and nothing else is tried; 0 for none."""

    @cached_property
    def device(self) -> torch.device:
        """The device of the spec.

        Raises:
            UsageError: for CUDA where it is missing.
        """
        return torch_device(self.spec.device)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the network."""
        return PRECISIONS[self.spec.dtype]

    @property
    def recovery(self) -> SlopeRecovery | None:
        """The slope recovery term; None where it is off or there are no slopes."""
        spec = self.spec.slopes.used_recovery
        return None if spec is None else SlopeRecovery(spec.weight, spec.form, spec.operator)

    @property
    @abstractmethod
    def n_iterations(self) -> int:
        """The iterations of the whole training, at most."""

    @property
    def known_iterations(self) -> int | None:
        """The iterations of the whole training; None where it ends when it is done."""
        return self.n_iterations

    @property
    @abstractmethod
    def default_output(self) -> Path:
        """The run file; runs with other settings have other names."""

    @property
    @abstractmethod
    def hashes(self) -> Hashes:
        """SHA-256 of the problem and of the method."""

    @property
    def measured(self) -> str:
        """What the error is measured with, as far as the problem's hash does not cover it."""
        return ""

    @property
    def without_error(self) -> str:
        """Why the error will not be known, empty where it will."""
        return ""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The resolved settings, as the run file keeps them."""

    def seeded(self, seed: int) -> Self:
        """The same plan with another seed."""
        override = Override.from_assignment(f"seed={seed}")
        spec = self.spec.model_copy(update={"seed": seed})
        return replace(self, spec=spec, overrides=(*self.overrides, override))
