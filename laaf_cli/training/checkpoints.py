"""When a training is kept while it runs: at an interval in time and as phases end, within a
fraction of its seconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from laaf_cli import processes

Result = TypeVar("Result")

SHARE = 0.02
"""The most that checkpoints take, as a fraction of the seconds of training; the first is kept in
any case.
"""


@dataclass(kw_only=True)
class Checkpoints(Generic[Result]):
    """Keeps a training every so many seconds."""

    keep: Callable[[Result], None]
    """Called with the training as it would be if it stopped now."""
    every_s: float = 60.0
    n_kept: int = 0
    """How many were kept so far."""
    spent_s: float = 0.0
    """The seconds that keeping them took."""
    last_s: float = field(default=-math.inf, init=False)
    cost_s: float = field(default=0.0, init=False)

    def begin(self, now: float) -> None:
        """A training is resumed from one that was kept, at these seconds."""
        self.last_s = now

    def is_due(self, now: float, *, phase_begins: bool) -> bool:
        """Whether it is, at these seconds of training; as a phase begins, for the one before it
        has ended.
        """
        least = self.cost_s / SHARE
        return now - self.last_s >= (least if phase_begins else max(least, self.every_s))

    def save(self, now: float, make: Callable[[], Result]) -> None:
        """Keeps what `make` gives."""
        start = time.perf_counter()
        self.n_kept += 1
        self.keep(make())
        self.last_s = now
        self.cost_s = processes.from_first(lambda: time.perf_counter() - start)
        self.spent_s += self.cost_s
