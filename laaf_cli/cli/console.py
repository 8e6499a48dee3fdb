"""Where the commands print: results on stdout, everything else on stderr, plain text when not a
terminal.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape

from laaf_cli.errors import UsageError
from laaf_cli.terminal.messages import console_of, messages, visible
from laaf_cli.terminal.messages import print_message as print_message


def results() -> Console:
    """The console of stdout."""
    return console_of(sys.stdout)


def print_error(text: str) -> None:
    """An error, on stderr: its first word red on a terminal."""
    messages().print(f"[bold red]error:[/] {_plain(text)}", soft_wrap=True)


def print_warning(text: str) -> None:
    """A warning, on stderr: its first word yellow on a terminal."""
    messages().print(f"[yellow]warning:[/] {_plain(text)}", soft_wrap=True)


def _plain(text: str) -> str:
    """A message of the library as a terminal shows it and does not obey it: file names may hold
    anything.
    """
    from laaf_cli.cli.shell_words import in_shell_words

    return escape(visible(in_shell_words(text)))


def print_results(renderables: Iterable[RenderableType]) -> None:
    """Tables on stdout, an empty line between them."""
    console = results()
    # Captured, for Rich ends the program with a code of its own when the reader has left.
    with _stdout(), console.capture() as captured:
        for i, renderable in enumerate(renderables):
            if i:
                console.print()
            console.print(renderable)
    print_text(captured.get())


def print_json(value: Any) -> None:
    """A value as JSON on stdout; numbers that JSON does not know become null."""
    print_text(json.dumps(_finite(value), indent=2, allow_nan=False) + "\n")


def print_text(text: str) -> None:
    """A text on stdout, as it is."""
    with _stdout():
        sys.stdout.write(text)


def print_source(text: str) -> None:
    """A text of a file on stdout: as it is, or as a terminal may be shown it."""
    print_text(visible(text) if sys.stdout.isatty() else text)


@contextmanager
def _stdout() -> Iterator[None]:
    """Whatever happens to the reader of our results, the exit code stays the command's own.

    A reader that has left (`laaf problems | head -1`) is no error. Raises UsageError where stdout
    cannot be written, as on a full disk.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise UsageError(f"the results cannot be printed: {error.strerror or error}") from None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
