"""Progress of downloads on stderr: a line on a terminal that is overwritten, a line for every
file elsewhere.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from laaf_cli.cli.console import messages, print_message

if TYPE_CHECKING:
    from laaf_cli.images.data import Progress

EVERY_S = 0.2


class _Line:
    """Says of a file how much of it has come."""

    def __init__(self) -> None:
        self.last_s = 0.0
        self.told: set[str] = set()

    def __call__(self, name: str, n_done: int, n_bytes: int) -> None:
        size = f"{n_bytes / 1e6:.1f} MB" if n_bytes else "unknown size"
        if not sys.stderr.isatty():
            if name not in self.told:
                print_message(f"fetching {name}, {size}")
            self.told.add(name)
            return
        is_over = bool(n_bytes) and n_done >= n_bytes
        if is_over or time.monotonic() - self.last_s >= EVERY_S:
            self.last_s = time.monotonic()
            messages().print(
                f"fetching {name}: {n_done / 1e6:.1f} of {size}",
                end="\n" if is_over else "\r",
                highlight=False,
            )


def make_download_progress(*, quiet: bool) -> Progress | None:
    """The progress that suits stderr; None where nothing is to be shown."""
    return None if quiet else _Line()
