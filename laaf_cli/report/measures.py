"""How wrong a run is: the one number that runs of a task are compared by, and how it is told."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """An error, at least 0. name: in sentences. heading: of a column. is_share: whether it is told in percent."""

    name: str
    heading: str
    is_share: bool

    def text(self, value: float, digits: int = 2) -> str:
        """An error for people; `failed` for an infinite one, `-` for an unknown one. digits: after the point."""
        if not math.isfinite(value):
            return "-" if math.isnan(value) else "failed"
        return f"{100 * value:.{digits}f} %" if self.is_share else f"{value:.{digits}e}"

    def bound_text(self, bound: float) -> str:
        """A bound on the error as it was given, in the unit of the error."""
        return f"{100 * bound:g} %" if self.is_share else f"{bound:g}"


MEASURES = {
    "equation": Measure("relative L2 error", "relative L2", is_share=False),
    "images": Measure("test error", "test error", is_share=True),
}
"""The task of a run file → what its runs are compared by."""
