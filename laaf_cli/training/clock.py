"""The seconds of a training, by the clock of the first process."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch

from laaf_cli import processes


@dataclass
class Clock:
    """Seconds of training, not counting what is done for the record."""

    spent: float = 0.0
    since: float = field(default_factory=time.perf_counter)

    @property
    def own(self) -> float:
        """The seconds of training so far by the clock of this process, which runs."""
        return self.spent + time.perf_counter() - self.since

    def now(self) -> float:
        """Those of the first process, the same in all."""
        if processes.count() == 1:
            return self.own
        own = torch.tensor(processes.is_first() * self.own, dtype=torch.float64)
        return float(processes.total(own))

    def pause(self) -> None:
        """Stops counting; `spent` then holds the seconds so far."""
        self.spent = self.own

    def resume(self) -> None:
        """Counts again after a pause."""
        self.since = time.perf_counter()
