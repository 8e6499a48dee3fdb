"""The one family of errors, its exit codes, memory that runs out, and how a fault in a text is
shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every `laaf` command; the docstring of each is shown in the help and the
    docs.
    """

    sentence: str

    def __new__(cls, value: int, sentence: str) -> ExitCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    OK = 0, "fine"
    INTERNAL = 1, "internal error"
    USAGE = 2, "the command line is wrong, a file cannot be written, or out of memory"
    SPEC = 3, "the spec, or an expression in it, is wrong"
    RUN_FILE = 4, "a run file is unreadable or does not fit"
    DIVERGED = 5, "training diverged"
    BOUND_EXCEEDED = 6, "a bound set by the user was exceeded"
    INTERRUPTED = 130, "interrupted; the run so far is saved and its path printed"


class LaafError(Exception):
    """Base of every error that is the user's to mend; its text is complete and needs no
    traceback.

    It names settings and acts in Python, in backticks: `overwrite`, `device='cpu'`,
    `load('a.h5').resume(iterations=N)`. The command line says them in its own words.
    """

    exit_code = ExitCode.INTERNAL


class UsageError(LaafError):
    """The command line does not fit, or a target cannot be written."""

    exit_code = ExitCode.USAGE


class OutOfMemoryError(LaafError):
    """What was asked for does not fit into the memory of this machine."""

    exit_code = ExitCode.USAGE


class SaidElsewhereError(LaafError):
    """Another of several processes has said why all of them end."""


_OUT_OF_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "unable to allocate",
    "memory allocation failed",
    "out of memory",
    "bad_alloc",
    "alloc_failed",
)
"""What NumPy, torch, HDF5 and the C library say, in small letters."""


@contextmanager
def within_memory(doing: str, advice: Callable[[], str] = str) -> Iterator[None]:
    """Names what was being done where memory runs out in the `with`.

    Args:
        doing: what was being done, as it follows "while".
        advice: what takes much, and what lowers it; asked for in that case alone.

    Raises:
        OutOfMemoryError: in place of whatever is raised where memory ends; other errors stay.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError, ImportError) as error:
        said = str(error)
        if not (
            isinstance(error, MemoryError) or any(text in said.lower() for text in _OUT_OF_MEMORY)
        ):
            raise
        what, elsewhere = "memory", ""
        if "CUDA" in said:
            what = "the memory of the GPU"
            elsewhere = "Use `device='cpu'` for host memory."
        lines = (f"{what} ran out while {doing}", advice(), elsewhere)
        raise OutOfMemoryError("\n".join(filter(None, lines))) from None


class RunFileError(LaafError):
    """A run file cannot be read."""

    exit_code = ExitCode.RUN_FILE


class ChangedRunWarning(UserWarning):
    """A run file was changed after it was written, and is read as it is."""


class DivergedError(LaafError):
    """Training reached a value that is not finite."""

    exit_code = ExitCode.DIVERGED


class BoundExceededError(LaafError):
    """A bound set by the user, such as `max_error`, was exceeded."""

    exit_code = ExitCode.BOUND_EXCEEDED


class InterruptedRunError(LaafError):
    """The user interrupted a run; what was reached has been written."""

    exit_code = ExitCode.INTERRUPTED


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A stretch of one line of a named text. `line` and `column` count from 0, `length` in
    characters. `key` names the place instead of file and line, in a spec that has no file.
    """

    source: str
    line: int
    column: int
    length: int
    line_text: str
    key: str = ""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a text: what, where (if it has a place), and how to mend it."""

    what: str
    mark: Mark | None = None
    hint: str = ""

    def __str__(self) -> str:
        return "\n".join(filter(None, [self._headline(), self._excerpt(), self.hint]))

    def _headline(self) -> str:
        if self.mark is None:
            return self.what
        line, column = self.mark.line + 1, self.mark.column + 1
        return f"{self.mark.key or f'{self.mark.source}:{line}:{column}'}: {self.what}"

    def _excerpt(self, width: int = 100) -> str:
        if self.mark is None:
            return ""
        # A very long line is shown around the fault, so that the caret stays on the screen.
        start = max(0, self.mark.column - width // 2) if len(self.mark.line_text) > width else 0
        text = self.mark.line_text[start : start + width].replace("\t", " ").rstrip()
        text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
        column = self.mark.column - start
        length = max(1, min(self.mark.length, max(len(text) - column, 1)))
        carets = "^" * (_cells(text[column : column + length]) or 1)
        number = "    " if self.mark.key else f"{self.mark.line + 1:>4}"
        return f"{number} | {text}\n{' ' * len(number)} | {' ' * _cells(text[:column])}{carets}"


def _cells(text: str) -> int:
    """The width of a text on a terminal, where some characters take two cells and some none."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


class SpecError(LaafError):
    """A spec is wrong; carries every fault that was found, in the order of the text."""

    exit_code = ExitCode.SPEC

    def __init__(self, faults: Iterable[Fault]) -> None:
        faults = tuple(faults)
        # Several texts may have one name and line, as the flags of the command line do: they keep
        # their order.
        texts = list(dict.fromkeys(fault.mark.line_text for fault in faults if fault.mark))

        def place(fault: Fault) -> tuple[bool, str, int, int, int]:
            if fault.mark is None:
                return True, "", 0, 0, 0
            return (
                False,
                fault.mark.source,
                fault.mark.line,
                texts.index(fault.mark.line_text),
                fault.mark.column,
            )

        self.faults = tuple(sorted(faults, key=place))
        super().__init__("\n\n".join(map(str, self.faults)))
