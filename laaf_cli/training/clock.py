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

    def now(self) -> float:
        """The seconds of training so far, of a clock that runs."""
        now = self.spent + time.perf_counter() - self.since
        if processes.count() == 1:
            return now
        return float(processes.total(torch.tensor(processes.is_first() * now, dtype=torch.float64)))

    def pause(self) -> None:
        """Stops counting; `spent` then holds the seconds so far."""
        self.spent = self.now()

    def resume(self) -> None:
        """Counts again after a pause."""
        self.since = time.perf_counter()
