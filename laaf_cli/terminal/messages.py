"""Messages on stderr, whatever stderr is."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from rich.console import Console


def messages() -> Console:
    """The console of stderr. What cannot be printed is not: a training must not end as the disk
    of its log is full.
    """
    return console_of(cast("TextIO", _Unfailing(sys.stderr)))


class _Unfailing:
    """A stream that drops what it cannot write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console_of(stream: TextIO) -> Console:
    """A console of plain text where the stream is not a terminal."""
    # A pipe has no width of its own; wide enough keeps every row on its line.
    width = None if stream.isatty() else 400
    return Console(
        file=stream, highlight=False, emoji=False, width=width, soft_wrap=not stream.isatty()
    )


def visible(text: str) -> str:
    """A text without what a terminal would obey, its lines kept."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def print_message(text: str) -> None:
    """A message, on stderr, as plain text."""
    messages().print(visible(text), markup=False, soft_wrap=True)
