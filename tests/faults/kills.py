"""Kills trainings at random moments, resumes them, and compares each with the same training unbroken, bit for bit.

    python tests/faults/kills.py --n 50 [--seed 0]

Prints what it counted, and ends with 1 where a training did not end as the unbroken one, or a file could not be read.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded

import h5py
import numpy as np
import scipy.stats  # noqa: F401 - as all that follows loaded once here, and not by every process
import torch

import laaf_cli.cli.solve
import laaf_cli.cli.tables
import laaf_cli.runs.resume.resumption
import laaf_cli.runs.train  # noqa: F401
from laaf_cli.__main__ import main
from laaf_cli.errors import RunFileError
from laaf_cli.runs.checkpoints import CheckpointFiles
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.training import checkpoints

torch.optim.Adam([torch.zeros(1)])  # the first optimizer loads half of torch

SPEC = """\
title: Burgers' equation, small
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
constants: {nu: 0.01/pi}
equations: {momentum: u_t + u*u_x = nu*u_xx}
conditions:
  initial: {where: t = 0, equation: u = -sin(pi*x), points: 40}
  walls: {where: [x = -1, x = 1], equation: u = 0, points: 40}
points: {interior: %(interior)s, resample: %(resample)s, validation: 50}
weights: {balance: %(balance)s}
network: {hidden: [12, 12, 12]}
training: %(training)s
dtype: %(dtype)s
reference: none
evaluation: {grid: {x: 8, t: 8}, times: [0.5]}
checkpoint: {every_s: 0.01}
"""

CASES = {
    "adam": SPEC
    % {
        "interior": 300,
        "resample": "{every: 170, method: rad}",
        "balance": "{method: grad-norm, every: 130}",
        "training": "[{optimizer: adam, iterations: %d, learning_rate: 2.0e-3, batch: 200}]",
        "dtype": "float32",
    },
    "ssbroyden": SPEC
    % {
        "interior": 400,
        "resample": "{every: 190, method: uniform}",
        "balance": "fixed",
        "training": "[{optimizer: adam, iterations: 300}, {optimizer: ssbroyden, iterations: %d}]",
        "dtype": "float64",
    },
}
ITERATIONS = {"adam": 4000, "ssbroyden": 1500}
SECONDS = {"wall_time_s", "phase_start_s", "recorded_s", "monitored_s"}

KILLED_AGAIN = 0.3
"""How often a training that goes on is killed once more."""

IN_A_WRITE = 0.4
"""How often a kill waits until a checkpoint is being written."""


SHARE = 0.25
"""Of its seconds, what a training that is killed may spend on checkpoints: many in a few seconds."""


@dataclass
class Counts:
    """What happened."""

    kills: int = 0
    during_a_write: int = 0
    unreadable: int = 0
    trainings: int = 0
    identical: int = 0
    left_behind: int = 0
    misses: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Unbroken:
    """A training that nothing broke: what it left, seconds from its first checkpoint on, and those of a checkpoint."""

    spec: Path
    numbers: dict[str, bytes]
    seconds: float
    checkpoint_s: float


class Laaf:
    """A process with a command line of laaf, forked off this one, which has loaded torch already."""

    def __init__(self, log: Path, *arguments: object) -> None:
        self.log = log
        self.over = False
        self.pid = os.fork()
        if self.pid == 0:
            _become_laaf(log, [str(argument) for argument in arguments])

    def has_ended(self) -> bool:
        """Raises AssertionError where it failed."""
        if not self.over:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            self.over = found == self.pid
            assert status == 0, self.log.read_text()
        return self.over

    def wait(self) -> None:
        while not self.has_ended():
            time.sleep(0.01)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.over = True


def _become_laaf(log: Path, arguments: list[str]) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = ["laaf", *arguments]
    checkpoints.SHARE = SHARE
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stderr.flush()
        os._exit(code)


def numbers_of(run: Path) -> dict[str, bytes]:
    """Every number that a training makes, by path, as bytes; neither its seconds nor that it was resumed."""
    found: dict[str, bytes] = {}

    def collect(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset) and name not in ("history/wall_time_s", "history/events"):
            found[name] = np.asarray(node[()]).tobytes()
        for key, value in node.attrs.items():
            if node.name.startswith(("/checkpoint", "/network")) and key not in SECONDS:
                found[f"{name}@{key}"] = np.asarray(value).tobytes()

    with h5py.File(run) as file:
        for group in ("history", "slopes", "network", "solution", "validation", "checkpoint"):
            collect(group, file[group])
            file[group].visititems(lambda name, node, group=group: collect(f"{group}/{name}", node))
    return found


def train_unbroken(folder: Path, case: str, iterations: int) -> Unbroken:
    spec, run = folder / f"{case}.yaml", folder / f"{case}.h5"
    spec.write_text(CASES[case] % iterations)
    training = Laaf(folder / "log", "solve", spec, "-o", run, "--quiet")
    wait_for_checkpoint(training, run)
    start = time.perf_counter()
    training.wait()
    seconds = time.perf_counter() - start
    with h5py.File(run) as file:
        n, spent_s = int(file.attrs["n_checkpoints"]), float(file.attrs["checkpoint_time_s"])
    print(
        f"{case}: {seconds:.1f} s from the first of {n} checkpoints on, {1000 * spent_s / n:.0f} ms each",
        flush=True,
    )
    return Unbroken(spec, numbers_of(run), seconds, spent_s / n)


def check_forking(folder: Path, unbroken: Unbroken) -> None:
    """A forked process must find what the command line finds as everyone starts it."""
    run = folder / "alone.h5"
    command = [sys.executable, "-P", "-m", "laaf_cli", "solve", unbroken.spec, "-o", run, "--quiet"]
    subprocess.run(command, check=True, capture_output=True)
    assert numbers_of(run) == unbroken.numbers


def wait_for_checkpoint(training: Laaf, run: Path) -> None:
    while not CheckpointFiles(run).newest.exists():
        assert not training.has_ended(), "laaf ended before its first checkpoint"
        time.sleep(0.001)


def kill_somewhere(training: Laaf, run: Path, after_s: float, wait_s: float | None) -> bool:
    """Kills a training after these seconds, or so many after it then begins to write; False where it ended first."""
    end = time.perf_counter() + after_s
    while time.perf_counter() < end and not training.has_ended():
        time.sleep(0.002)
    if wait_s is not None:
        while not is_writing(run) and not training.has_ended():
            time.sleep(0.0005)
        time.sleep(wait_s)
    if training.has_ended():
        return False
    training.kill()
    return True


def is_writing(run: Path) -> bool:
    """Whether the newest checkpoint has become the previous one too, and no other has taken its place so far."""
    files = CheckpointFiles(run)
    try:
        return files.newest.samefile(files.previous)
    except OSError:
        return False


def parts(run: Path) -> list[Path]:
    """Files that were being written when a process was killed."""
    return list(run.parent.glob(f".{run.name}*.part"))


def check_files(run: Path, counts: Counts) -> None:
    """Every file must be readable, whatever was being done; the run or its newest checkpoint is there at any time."""
    files = CheckpointFiles(run)
    assert run.exists() or files.newest.exists()
    for path in (run, files.newest, files.previous):
        if path.exists():
            try:
                PastRun.read(path)
            except RunFileError as error:
                counts.unreadable += 1
                counts.misses.append(str(error))


def kill_and_resume(
    folder: Path, unbroken: Unbroken, chance: random.Random, counts: Counts
) -> None:
    """One training with at least one kill."""
    run, log = folder / "run.h5", folder / "log"
    rest_s, killed = unbroken.seconds, False
    training = Laaf(log, "solve", unbroken.spec, "-o", run, "--quiet")
    wait_for_checkpoint(training, run)
    while not killed or chance.random() < KILLED_AGAIN:
        after_s = chance.uniform(0, 0.95 * rest_s)
        wait_s = chance.uniform(0, unbroken.checkpoint_s) if chance.random() < IN_A_WRITE else None
        if not kill_somewhere(training, run, after_s, wait_s):
            break
        killed = True
        rest_s -= after_s
        counts.kills += 1
        counts.during_a_write += is_writing(run)
        check_files(run, counts)
        if run.exists() and not CheckpointFiles(run).newest.exists():  # it was about to end
            break
        training = Laaf(log, "resume", run, "--quiet")
    training.wait()
    if killed:
        counts.trainings += 1
        print(f"{counts.kills} kills …", file=sys.stderr, flush=True)
        differing = differences(numbers_of(run), unbroken.numbers)
        counts.identical += not differing
        counts.left_behind += len(parts(run))
        counts.misses += differing
    for path in (run, CheckpointFiles(run).newest, CheckpointFiles(run).previous):
        path.unlink(missing_ok=True)


def differences(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    names = [
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    ]
    return [f"not as without a break: {', '.join(sorted(names))}"] if names else []


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=50, help="how many kills, at least")
    parser.add_argument("--seed", type=int, default=0, help="of their moments")
    parser.add_argument(
        "--length", type=float, default=1.0, help="of the trainings, times their usual iterations"
    )
    return parser.parse_args()


def run_all() -> int:
    arguments = parse()
    chance, counts = random.Random(arguments.seed), Counts()  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unbroken = [
            train_unbroken(folder, case, int(arguments.length * iterations))
            for case, iterations in ITERATIONS.items()
        ]
        check_forking(folder, unbroken[0])
        while counts.kills < arguments.n:
            kill_and_resume(folder, unbroken[counts.trainings % len(unbroken)], chance, counts)
    print(
        f"{counts.kills} kills, {counts.during_a_write} of them while a checkpoint was being written\n"
        f"{counts.identical} of {counts.trainings} trainings ended bit for bit as without a break\n"
        f"{counts.unreadable} unreadable files, {counts.left_behind} files left behind"
    )
    for miss in counts.misses:
        print(miss)
    return bool(counts.misses or counts.left_behind)


if __name__ == "__main__":
    sys.exit(run_all())
