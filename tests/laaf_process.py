"""The command line in processes of its own, without the seconds that each would take to load torch."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path
from unittest import mock

import torch

from laaf_cli.cli.app import COMMANDS

torch.optim.Adam([torch.zeros(1)])  # the first optimizer loads half of torch

PRELOADED = [
    "h5py",
    "matplotlib.backends.backend_agg",
    "scipy.stats",
    *{row.function.partition(":")[0]: None for row in COMMANDS.values()},
    "laaf_cli.terminal.progress",
    "laaf_cli.cli.tables",
    "laaf_cli.runs.resume.resumption",
    "laaf_cli.runs.train",
    "laaf_process",
]

SECONDS = 300
"""After which it hangs: nothing here takes a tenth of that on an idle machine."""


def ready() -> BaseContext:
    """Makes processes by forking one that has loaded all this."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    folders = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(folders), PYTHONSAFEPATH="1"):
        forkserver.ensure_running()
    return context


def ignore_interrupts(_parent: int) -> None:
    """What a worker of a sweep begins with where its parent is not the process that made it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def become_laaf(folder: Path, arguments: list[str], prepare: Callable[[], None] | None) -> None:
    """What the new process does: it is `laaf` with these arguments, its output in `out` and `err`."""
    enter(folder)
    # It may have been ignored or blocked where the first of these processes was asked for.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    sys.argv = ["laaf", *arguments]
    if prepare is not None:
        prepare()
    from laaf_cli.__main__ import main

    main()


def enter(folder: Path) -> None:
    """Goes to a folder, where all output is in `out` and `err` from here on."""
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)


def with_room(mb: int) -> None:
    """Bounds this process to so many MB besides what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + mb * 10**6
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@dataclass(frozen=True)
class Program:
    """Python in place of a command."""

    text: str


def run_apart(
    folder: Path, environment: Mapping[str, str], command: str | Program, seconds: float = SECONDS
) -> tuple[int | None, str, str]:
    """What a `laaf` command without a shell, or a program, ends with and prints, in a folder."""
    process = ready().Process(target=_become, args=(folder, dict(environment), command))
    process.start()
    process.join(seconds)
    texts = []
    for name in ("out", "err"):
        texts.append((folder / name).read_text(encoding="utf-8"))
        (folder / name).unlink()
    return process.exitcode, texts[0], texts[1]


def _become(folder: Path, environment: dict[str, str], command: str | Program) -> None:
    os.environ.clear()
    os.environ.update(environment)
    if isinstance(command, Program):
        enter(folder)
        sys.path.insert(0, "")
        exec(compile(command.text, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102
        return
    _, *words = shlex.split(command)
    become_laaf(folder, [found for word in words for found in _globbed(folder, word)], None)


def _globbed(folder: Path, word: str) -> list[str]:
    """The files of a pattern, as a shell finds them; the word itself where there are none."""
    found = sorted(folder.glob(word)) if "*" in word and "=" not in word else []
    return [str(path.relative_to(folder)) for path in found] or [word]


class LaafProcess:
    """A `laaf` that runs in a folder."""

    def __init__(
        self, folder: Path, *arguments: object, prepare: Callable[[], None] | None = None
    ) -> None:
        self.folder = folder
        self.err = folder / "err"
        self.err.unlink(missing_ok=True)
        self._process = ready().Process(
            target=become_laaf, args=(folder, [str(a) for a in arguments], prepare)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Raises AssertionError where the process ends before, or does not get there."""
        end = time.monotonic() + SECONDS
        while not condition():
            assert self._process.is_alive(), f"laaf ended before {what}:\n{self.said()}"
            assert time.monotonic() < end, f"no {what} within {SECONDS} s:\n{self.said()}"
            time.sleep(0.01)

    def said(self) -> str:
        """All that it has printed on stderr."""
        return self.err.read_text() if self.err.exists() else ""

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int:
        """Its exit code, once it is over; −9 where it was killed."""
        self._process.join(SECONDS)
        code = self._process.exitcode
        assert code is not None, f"laaf does not end:\n{self.said()}"
        assert "Traceback" not in self.said(), self.said()
        return code
