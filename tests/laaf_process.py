"""The command line in processes of its own, without the seconds that each would take to load torch."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

torch.optim.Adam([torch.zeros(1)])  # the first optimizer loads half of torch

PRELOADED = [
    "h5py",
    "scipy.stats",
    "laaf_cli.cli.app",
    "laaf_cli.cli.progress",
    "laaf_cli.cli.tables",
    "laaf_cli.resumption",
    "laaf_cli.run",
    "laaf_process",
]

SECONDS = 300
"""After which it hangs: nothing here takes a tenth of that on an idle machine."""


def become_laaf(folder: Path, arguments: list[str], prepare: Callable[[], None] | None) -> None:
    """What the new process does: it is `laaf` with these arguments, its output in `out` and `err`."""
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["laaf", *arguments]
    if prepare is not None:
        prepare()
    from laaf_cli.__main__ import main

    main()


class LaafProcess:
    """A `laaf` that runs in a folder."""

    def __init__(self, folder: Path, *arguments: object, prepare: Callable[[], None] | None = None) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.folder = folder
        self.err = folder / "err"
        self.err.unlink(missing_ok=True)
        self._process = context.Process(target=become_laaf, args=(folder, [str(a) for a in arguments], prepare))
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
