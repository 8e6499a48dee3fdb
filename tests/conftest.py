"""What several tests share: running the program, making plans, and skipping what the machine lacks."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

# Tests run side by side, one for each core: neither NumPy nor a process that a test starts shall take all of them.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import h5py
import hypothesis
import pytest
import torch
from laaf_process import ignore_interrupts, ready

from laaf_cli.__main__ import main
from laaf_cli.runfile.seal import SIZE, seal
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.spec import Override, Text
from laaf_cli.sweeps import executors
from laaf_cli.training import Clock

# How long an example takes says nothing of what it shows.
hypothesis.settings.register_profile("laaf", deadline=None)
hypothesis.settings.load_profile("laaf")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Laaf = Callable[..., Outcome]


@pytest.fixture
def laaf(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Laaf:
    """Runs a command in this process, as `laaf("solve", "burgers")`."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["laaf", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


def plan_of(yaml: str, *assignments: str) -> Plan:
    """The plan of a YAML text with `--set` assignments."""
    return make_plan(
        Text("spec.yaml", yaml), [Override.from_assignment(a, "--set ") for a in assignments]
    )


@contextmanager
def resealed(path: Path) -> Iterator[h5py.File]:
    """A run file open to be changed, sealed again afterwards: the reader itself has to find what is wrong in it."""
    with h5py.File(path, "r+") as file:
        yield file
    seal(path)


def unsealed(path: Path) -> None:
    """Takes the seal of a run file away, as `h5repack` does."""
    with path.open("r+b") as file:
        file.write(bytes(SIZE))


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes the clock of trainings go on by so many seconds whenever it is read, and not otherwise."""

    def tick(seconds: float) -> None:
        def now(clock: Clock) -> float:
            clock.spent += seconds
            return clock.spent

        monkeypatch.setattr(Clock, "now", now)
        # It would add what went by between two readings.
        monkeypatch.setattr(Clock, "pause", lambda _clock: None)

    return tick


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks of a few neurons are slower on two threads, and far slower where other work has the second core.

    Before each test, for `laaf resume` leaves as many as the run had.
    """
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _processes_that_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps train in processes that need not load torch, which takes longer than these trainings."""
    ways = SimpleNamespace(get_context=lambda _method: ready())
    monkeypatch.setattr(executors, "multiprocessing", ways)
    monkeypatch.setattr(executors, "_end_with", ignore_interrupts)


def pytest_configure(config: pytest.Config) -> None:
    """References are kept for as long as the tests run, not beside those of the user of this machine.

    The workers find the variable in their environment, so that each problem is solved once.
    """
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="laaf-tests-")
        os.environ["LAAF_CACHE_DIR"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if "cuda" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="torch finds no CUDA device"))
