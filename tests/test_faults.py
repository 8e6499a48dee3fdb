"""What may befall a training: signals, full disks, folders that vanish, damaged files. Nothing is lost, and it is said."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from laaf_process import LaafProcess
from syrupy.assertion import SnapshotAssertion

from laaf_cli.runfile import RunFile
from laaf_cli.runs.checkpoints import CheckpointFiles

SPEC = """\
title: Heat
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
conditions:
  initial: {where: t = 0, equation: u = sin(pi*x), points: 20}
  walls: {where: [x = 0, x = 1], equation: u = 0, points: 20}
points: {interior: 50, validation: 10}
network: {hidden: [5]}
training: [{optimizer: adam, iterations: 1000000}]
reference: none
evaluation: {grid: {x: 4, t: 4}, times: [0.5]}
checkpoint: {every_s: 0.01}
"""

SMALL = 20_000
"""Bytes of a file: enough for what is printed, and too few for a checkpoint."""

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux", reason="signals and limits of processes as Linux has them"
    ),
    pytest.mark.slow,
]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "heat.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "heat.h5"


def training(
    spec: Path, run: Path, *more: object, prepare: Callable[[], None] | None = None
) -> LaafProcess:
    """A training that has written its first checkpoint, in the folder of its spec."""
    command = ["solve", spec.name, "-o", run.relative_to(spec.parent), *more]
    started = LaafProcess(spec.parent, *command, prepare=prepare)
    started.wait_until(CheckpointFiles(run).newest.exists, "its first checkpoint")
    return started


def resume(spec: Path, run: Path, *more: object) -> LaafProcess:
    """Goes on, for a tenth of a second where nothing else is said."""
    how = more or ("--max-seconds", "0.1")
    return LaafProcess(spec.parent, "resume", run.relative_to(spec.parent), *how)


def alone(run: Path) -> bool:
    """Whether a run file is all that there is in its folder."""
    return list(run.parent.iterdir()) == [run]


def stopped_as(run: Path) -> str:
    with RunFile(run) as file:
        return str(file.attributes["stop_reason"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_cleanly(spec: Path, run: Path, number: signal.Signals) -> None:
    started = training(spec, run)
    started.send(number)
    assert started.ended() == 130
    assert (
        "stopping after this iteration and saving; interrupt again to stop at once, which keeps the "
        "last checkpoint\n" in started.said()
    )
    iterations = RunFile(run).attributes["iterations"]
    assert started.said().endswith(
        f"error: interrupted at iteration {iterations}; the run is in runs/heat.h5\n"
        "Resume with: laaf resume runs/heat.h5\n"
    )
    assert stopped_as(run) == "interrupted"
    assert alone(run)
    resumed = resume(spec, run)
    assert resumed.ended() == 0
    assert f"resuming at iteration {iterations} of 1000000, from runs/heat.h5\n" in resumed.said()


SLOW_REFERENCE = """
coordinates: {x: [0, 1], t: [0, 2]}
unknowns: [u, v]
equations: {a: u_t = 1e-4*u_xx + 10*u*(1 - u) - 9*u*v, b: v_t = 1e-3*v_xx + 3*v*(u - v)}
conditions:
  start: {where: t = 0, equation: [u = exp(-((x - 0.2)/0.02)**2), v = exp(-((x - 0.7)/0.01)**2)]}
  ends: {where: boundary, equation: [u_x = 0, v_x = 0]}
"""


def test_a_signal_while_the_reference_is_solved(tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW_REFERENCE)
    started = LaafProcess(tmp_path, "solve", "slow.yaml", "-o", "slow.h5", "--no-cache")
    started.wait_until(lambda: "for reference\n" in started.said(), "the reference")
    started.send(signal.SIGINT)
    assert started.ended() == 130
    assert started.said().endswith(
        "stopping; the training has not begun\nerror: interrupted; nothing was written\n"
    )
    assert not list(tmp_path.glob("slow.h5*"))


def test_two_signals_stop_at_once(spec: Path, run: Path) -> None:
    # The step in which the first signal finds it takes long.
    started = training(spec, run, "--quiet", prepare=with_long_steps)
    started.send(signal.SIGINT)
    started.wait_until(
        lambda: "stopping after this iteration" in started.said(), "the first signal"
    )
    started.send(signal.SIGINT)
    assert started.ended() == 130
    assert started.said().endswith(
        "error: interrupted; the last checkpoint is runs/heat.h5.checkpoint\n"
        "Resume with: laaf resume runs/heat.h5\n"
    )
    assert not run.exists()
    assert resume(spec, run).ended() == 0
    assert alone(run)


def with_long_steps() -> None:
    """Once asked whether to stop, the answer takes long, as a step of a large network does."""
    import time

    from laaf_cli.runs.interrupt import StopFlag

    is_set = StopFlag.is_set

    def slowly(flag: StopFlag) -> bool:
        if is_set(flag):
            time.sleep(30)
        return is_set(flag)

    StopFlag.is_set = slowly  # type: ignore[method-assign]


def test_a_disk_that_is_full_for_a_while(spec: Path, run: Path) -> None:
    started = training(spec, run)
    files = CheckpointFiles(run)
    resource.prlimit(started.pid, resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))
    started.wait_until(lambda: "cannot be written" in started.said(), "a warning")
    with RunFile(files.readable() or run) as kept:
        before = kept.attributes["iterations"]
    resource.prlimit(
        started.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )

    def goes_on() -> bool:
        with RunFile(files.newest) as kept:
            return bool(kept.attributes["iterations"] > before)

    started.wait_until(goes_on, "a checkpoint after the room came back")
    started.send(signal.SIGTERM)
    assert started.ended() == 130
    warning = "warning: the checkpoint runs/heat.h5.checkpoint cannot be written: "
    assert started.said().count(warning) == 1
    assert alone(run)


def test_a_disk_that_is_full_at_the_end(spec: Path, run: Path) -> None:
    started = training(spec, run, "--quiet")
    resource.prlimit(started.pid, resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))
    started.send(signal.SIGTERM)
    assert started.ended() == 2
    assert "error: runs/heat.h5 cannot be written: " in started.said()
    assert started.said().endswith(
        "No other place could be written either.\n"
        "The last checkpoint is runs/heat.h5.checkpoint\nResume with: laaf resume runs/heat.h5\n"
    )
    assert not run.exists()
    assert resume(spec, run).ended() == 0


def test_a_disk_that_is_full_at_the_start(spec: Path, snapshot: SnapshotAssertion) -> None:
    started = LaafProcess(
        spec.parent, "solve", spec.name, "-o", "runs/heat.h5", prepare=with_small_files
    )
    assert started.ended() == 2
    assert started.said() == snapshot


def test_a_log_on_a_full_disk(spec: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [
            sys.executable,
            "-P",
            "-m",
            "laaf_cli",
            "solve",
            spec,
            "-i",
            "3",
            "-o",
            spec.with_suffix(".h5"),
        ]
        assert (
            subprocess.run(command, stderr=full, stdout=subprocess.DEVNULL, check=False).returncode
            == 0
        )


def with_small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_folder_that_may_not_be_written(
    spec: Path, run: Path, snapshot: SnapshotAssertion
) -> None:
    run.parent.mkdir()
    run.parent.chmod(0o555)
    started = LaafProcess(
        spec.parent, "solve", spec.name, "-o", "runs/heat.h5", prepare=without_privileges
    )
    assert started.ended() == 2
    assert started.said() == snapshot


def test_a_folder_that_may_no_longer_be_written(spec: Path, run: Path) -> None:
    started = training(spec, run, "--quiet", prepare=without_privileges)
    run.parent.chmod(0o555)
    started.wait_until(lambda: "cannot be written" in started.said(), "a warning")
    started.send(signal.SIGTERM)
    assert started.ended() == 2
    run.parent.chmod(0o755)
    assert (
        "warning: the checkpoint runs/heat.h5.checkpoint cannot be written: Permission denied; "
        in started.said()
    )
    assert (
        "error: runs/heat.h5 cannot be written: Permission denied\nThe run is saved in "
        in started.said()
    )
    [other] = spec.parent.glob("heat-*.h5")
    assert stopped_as(other) == "interrupted"
    assert CheckpointFiles(run).readable() is not None


def without_privileges() -> None:
    """Gives up what root may do besides what owners may, so that modes of folders hold for it too."""
    if os.geteuid() == 0:
        # _LINUX_CAPABILITY_VERSION_3 and this process; then effective, permitted and inheritable sets, twice 32 bits.
        header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None, use_errno=True).capset(header, sets) == 0


def test_a_folder_that_is_deleted(spec: Path, run: Path) -> None:
    started = training(spec, run, "--quiet")
    shutil.rmtree(run.parent)
    started.wait_until(CheckpointFiles(run).newest.exists, "another checkpoint")
    shutil.rmtree(run.parent)
    started.send(signal.SIGTERM)
    assert started.ended() == 130
    assert stopped_as(run) == "interrupted"


def test_a_folder_in_whose_place_there_is_a_file(spec: Path, run: Path) -> None:
    started = training(spec, run, "--quiet")
    shutil.rmtree(run.parent)
    run.parent.write_text("")
    started.send(signal.SIGTERM)
    assert started.ended() == 2
    assert (
        "error: runs/heat.h5 cannot be written: File exists\nThe run is saved in " in started.said()
    )
    [other] = spec.parent.glob("heat-*.h5")
    assert f"The run is saved in {other}; laaf show {other} shows it.\n" in started.said()
    assert stopped_as(other) == "interrupted"


def test_a_run_file_that_is_deleted(spec: Path, run: Path) -> None:
    run.parent.mkdir()
    run.touch()
    started = training(spec, run, "--quiet", "--overwrite")
    assert not run.read_bytes()
    run.unlink()
    started.send(signal.SIGTERM)
    assert started.ended() == 130
    assert stopped_as(run) == "interrupted"


@pytest.fixture(scope="module")
def of_a_killed_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec and the two checkpoints of a training that was killed."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "heat.yaml").write_text(SPEC)
    run = folder / "runs" / "heat.h5"
    started = training(folder / "heat.yaml", run, "--quiet")
    started.wait_until(CheckpointFiles(run).previous.exists, "its second checkpoint")
    started.send(signal.SIGKILL)
    assert started.ended() == -signal.SIGKILL
    return folder


@pytest.fixture
def interrupted(of_a_killed_one: Path, run: Path) -> CheckpointFiles:
    """Checkpoints of a training that was killed, to be damaged."""
    shutil.copytree(of_a_killed_one / "runs", run.parent)
    return CheckpointFiles(run)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_the_newest_cut_short(
    spec: Path, run: Path, interrupted: CheckpointFiles, share: float
) -> None:
    cut(interrupted.newest, share)
    with RunFile(interrupted.previous) as previous:
        iterations = previous.attributes["iterations"]
    resumed = resume(spec, run)
    assert resumed.ended() == 0
    assert resumed.said().startswith("warning: runs/heat.h5.checkpoint ")
    assert (
        "\nResuming from the checkpoint before it, runs/heat.h5.checkpoint.previous\n"
        f"resuming at iteration {iterations} of 1000000, from runs/heat.h5.checkpoint.previous\n"
    ) in resumed.said()


def test_both_cut_short(
    spec: Path, run: Path, interrupted: CheckpointFiles, snapshot: SnapshotAssertion
) -> None:
    cut(interrupted.newest, 0.5)
    cut(interrupted.previous, 0.5)
    resumed = resume(spec, run)
    assert resumed.ended() == 4
    first, second, hint = resumed.said().splitlines()
    assert first.startswith("error: runs/heat.h5.checkpoint ")
    assert second.startswith("runs/heat.h5.checkpoint.previous ")
    assert hint == snapshot


def cut(path: Path, share: float) -> None:
    os.truncate(path, int(share * path.stat().st_size))


@pytest.mark.usefixtures("interrupted")
def test_solving_where_a_training_is_unfinished(
    spec: Path, run: Path, snapshot: SnapshotAssertion
) -> None:
    again = LaafProcess(spec.parent, "solve", spec.name, "-o", "runs/heat.h5")
    assert again.ended() == 2
    assert again.said() == snapshot
    anew = LaafProcess(
        spec.parent, "solve", spec.name, "-o", "runs/heat.h5", "--overwrite", "-i", "1"
    )
    assert anew.ended() == 0
    assert "resuming" not in anew.said()
    assert alone(run)


def test_overwriting_forgets_the_training_before(spec: Path, interrupted: CheckpointFiles) -> None:
    """Its checkpoint must not become the previous one of the new training."""
    old = interrupted.newest.read_bytes()
    started = LaafProcess(
        spec.parent, "solve", spec.name, "-o", "runs/heat.h5", "--overwrite", "--quiet"
    )
    started.wait_until(
        lambda: interrupted.newest.exists() and interrupted.newest.read_bytes() != old,
        "a checkpoint",
    )
    assert not interrupted.previous.exists()
    started.send(signal.SIGKILL)
    started.ended()


def test_another_output_holds_an_unfinished_training(
    spec: Path, run: Path, interrupted: CheckpointFiles
) -> None:
    shutil.copy(interrupted.newest, run.with_name("other.h5.checkpoint"))
    resumed = resume(spec, run, "--output", "runs/other.h5", "--max-seconds", "0.1")
    assert resumed.ended() == 2
    assert (
        "error: runs/other.h5.checkpoint holds an unfinished training\nResume with: laaf resume runs/other.h5\n"
        in resumed.said()
    )


def test_kills_at_random_moments() -> None:
    """A few; `--n 50` counts more."""
    script = Path(__file__).parent / "faults" / "kills.py"
    command = [sys.executable, script, "--n", "2", "--length", "0.06", "--seed", "5"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert (
        "trainings ended bit for bit as without a break\n0 unreadable files, 0 files left behind\n"
        in found.stdout
    )
