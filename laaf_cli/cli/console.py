"""Where things are printed: results on stdout, everything else on stderr, plain text when not a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType


def results() -> Console:
    """The console of stdout."""
    return _console(sys.stdout)


def messages() -> Console:
    """The console of stderr."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    # A pipe has no width of its own; wide enough keeps every row on its line.
    width = None if stream.isatty() else 160
    return Console(file=stream, highlight=False, emoji=False, width=width, soft_wrap=not stream.isatty())


def print_error(text: str) -> None:
    """An error, on stderr: its first word red on a terminal."""
    messages().print(f"[bold red]error:[/] {_plain(text)}", soft_wrap=True)


def print_warning(text: str) -> None:
    messages().print(f"[yellow]warning:[/] {_plain(text)}", soft_wrap=True)


def _plain(text: str) -> str:
    """A text that a terminal shows and does not obey: file names may hold anything."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text))


def print_message(text: str) -> None:
    messages().print(text, markup=False, soft_wrap=True)


def print_results(renderables: Iterable[RenderableType]) -> None:
    """Tables on stdout, an empty line between them."""
    console = results()
    for i, renderable in enumerate(renderables):
        if i:
            console.print()
        console.print(renderable)


def print_json(value: Any) -> None:
    """A value as JSON on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
