"""What a computation costs, counted: seconds depend on the machine and on what else it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from cProfile import Profile
from dataclasses import dataclass


@dataclass
class Calls:
    """The functions that were called, of Python and of C. Work inside a function of C is a single call."""

    n: int = 0


@contextmanager
def counted() -> Iterator[Calls]:
    """Counts the calls of this thread, known when it ends."""
    calls, profile = Calls(), Profile()
    try:
        with profile:
            yield calls
    finally:
        calls.n = sum(entry.callcount for entry in profile.getstats())
