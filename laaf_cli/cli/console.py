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
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 160, soft_wrap=not stream.isatty())


def print_error(text: str) -> None:
    """An error, on stderr: its first word red on a terminal."""
    from rich.markup import escape

    messages().print(f"[bold red]error:[/] {escape(text)}", soft_wrap=True)


def print_warning(text: str) -> None:
    from rich.markup import escape

    messages().print(f"[yellow]warning:[/] {escape(text)}", soft_wrap=True)


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
