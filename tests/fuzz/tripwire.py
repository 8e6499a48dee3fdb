"""What a text must never cause, told by Python's own audit events: code, imports, programs, sockets, other files.

An audit hook cannot be taken away again: there is one, which does nothing but inside `armed`. HDF5 opens files without
telling Python; what it opens is tested where it is read.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

FORBIDDEN = frozenset(
    {
        *(
            "exec",
            "import",
            "code.__new__",
            "function.__new__",
            "marshal.load",
            "marshal.loads",
            "pickle.find_class",
        ),
        *(
            "os.system",
            "os.exec",
            "os.fork",
            "os.forkpty",
            "os.posix_spawn",
            "os.spawn",
            "os.startfile",
            "os.kill",
        ),
        *(
            "os.putenv",
            "os.unsetenv",
            "os.remove",
            "os.rename",
            "os.rmdir",
            "os.mkdir",
            "os.link",
            "os.symlink",
        ),
        *("os.chmod", "os.chown", "os.truncate", "os.utime", "os.chdir", "os.scandir", "os.walk"),
        *(
            "subprocess.Popen",
            "pty.spawn",
            "webbrowser.open",
            "urllib.Request",
            "builtins.input",
            "builtins.breakpoint",
        ),
        *(
            "ctypes.dlopen",
            "ctypes.dlsym",
            "ctypes.call_function",
            "mmap.__new__",
            "syslog.openlog",
            "fcntl.ioctl",
        ),
    }
)

FAMILIES = (
    "socket.",
    "shutil.",
    "tempfile.",
    "glob.",
    "ftplib.",
    "http.",
    "smtplib.",
    "sqlite3.",
    "cpython.run_",
)

PARSED = "<unknown>"
"""The name that `ast.parse` compiles under. What it makes is a tree, and would have to pass `exec` to be run."""


class TrippedError(BaseException):
    """Raised in place of the act; no `except Exception` holds it back."""


class _Hook:
    """The audit hook: where it is armed, in which thread, and what it saw."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.readable: Collection[str] = ()
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.thread != threading.get_ident() or not self._is_forbidden(event, arguments):
            return
        self.seen.append(f"{event}{arguments!r:.200}")
        raise TrippedError(self.seen[-1])

    def _is_forbidden(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, mode, _flags = arguments
            return not (mode in ("r", "rb") and str(path) in self.readable)
        if event == "compile":
            return bool(arguments[1] != PARSED)
        return event in FORBIDDEN or event.startswith(FAMILIES)


@cache
def _hook() -> _Hook:
    hook = _Hook()
    sys.addaudithook(hook)
    return hook


@contextmanager
def armed(readable: Collection[str] = ()) -> Iterator[list[str]]:
    """Inside, this thread may open the files `readable` for reading and list folders, for the name of a missing file
    may be misspelt, and do nothing else that reaches outside.

    Gives the list of what was tried, which is also filled where the program swallowed the exception.
    Raises TrippedError at the place of the act.
    """
    hook = _hook()
    hook.thread, hook.readable, hook.seen = threading.get_ident(), frozenset(readable), []
    try:
        yield hook.seen
    finally:
        hook.thread = None
