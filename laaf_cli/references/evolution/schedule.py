"""Where steps in time have to end, and how long they may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Where steps in time end, and how long they may be."""

    stops: Array
    """Times at which a step ends, ascending."""
    starts: Array
    """Where pieces of time begin that limit the length of steps, [n]."""
    ends: Array
    """Where these pieces end, [n]."""
    longest: Array
    """The longest step in each piece, [n]."""
    forcing: float
    """The largest residual of a solution that is zero."""

    def stop_after(self, time: float, end: float) -> float:
        """Where the step from some time has to end."""
        i = int(np.searchsorted(self.stops, time, side="right"))
        return float(self.stops[i]) if i < len(self.stops) else end

    def longest_from(self, time: float) -> float:
        """How long the step from some time may be; it may go up to a piece that asks for a
        shorter one.
        """
        reached = np.maximum(self.starts, time + self.longest)[self.ends > time]
        return float(np.min(reached, initial=math.inf)) - time


FREE = Schedule(
    stops=np.zeros(0), starts=np.zeros(0), ends=np.zeros(0), longest=np.zeros(0), forcing=0.0
)
