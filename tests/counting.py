"""What a computation costs, counted: seconds depend on the machine and on what else it does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Calls:
    """The functions that were called, of Python and of C. Work inside a function of C is a single call."""

    n: int = 0


@contextmanager
def counted() -> Iterator[Calls]:
    """Counts the calls of this thread."""
    calls, before = Calls(), sys.getprofile()

    def count(_frame: Any, event: str, _argument: Any) -> None:
        calls.n += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(before)
