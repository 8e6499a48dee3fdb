"""What a plan of any task tells: the protocol that sweeps, resuming and commands rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch

from laaf_cli.network.slopes import SlopeRecovery
from laaf_cli.runs.identity import Hashes
from laaf_cli.spec import Text


class AnyPlan(Protocol):
    """A run that has not begun.

    Attributes:
        task: its row of TASKS.
        spec: the resolved spec, with `title`, `slopes`, `seed`, `dtype`, `device`, `checkpoint`.
    """

    @property
    def task(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def text(self) -> Text: ...
    @property
    def spec(self) -> Any: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def recovery(self) -> SlopeRecovery | None: ...
    @property
    def n_iterations(self) -> int:
        """The iterations of the whole training."""
        ...

    @property
    def default_output(self) -> Path: ...
    @property
    def hashes(self) -> Hashes: ...
    @property
    def measured(self) -> str:
        """What the error is measured with, as far as the problem's hash does not tell."""
        ...

    @property
    def without_error(self) -> str:
        """Why the error will not be known, empty where it will."""
        ...

    def settings(self) -> dict[str, Any]:
        """The resolved settings, as the run file keeps them."""
        ...

    def seeded(self, seed: int) -> AnyPlan:
        """The same plan with another seed."""
        ...
