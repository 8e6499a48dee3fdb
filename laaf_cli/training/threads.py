"""How many threads of torch a phase takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SHARE = 4
"""Of so many threads one is left."""


@contextmanager
def few_threads() -> Iterator[None]:
    """For factorisations, whose threads wait for one another at every column: a second one gains a
    quarter on an idle machine, and where other work has its processor a step takes 4 to 50 times as
    long.
    """
    n = torch.get_num_threads()
    torch.set_num_threads(max(1, n // SHARE))
    try:
        yield
    finally:
        torch.set_num_threads(n)
