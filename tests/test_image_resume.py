"""Going on with a training over images: bit for bit, from every batch, through files; what is refused, and said."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Laaf, resealed
from image_runs import SPEC, different, image_plan, write_images
from laaf_process import LaafProcess
from syrupy.assertion import SnapshotAssertion

from laaf_cli.images.augmentation import AUGMENTATIONS, Affine, Augmentation, Crop, Flip
from laaf_cli.images.plan import ImagePlan
from laaf_cli.images.resumption import ImageResumeOptions, resume
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.state import PastImageRun
from laaf_cli.images.train import execute
from laaf_cli.runfile import write_run
from laaf_cli.runs.checkpoints import CheckpointFiles
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.training import Checkpoints

AUGMENTED = Augmentation("digits", (Crop(2), Flip(), Affine(10, 0.9, 1.1)))


@pytest.fixture
def every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints before every batch."""
    monkeypatch.setattr(Checkpoints, "is_due", lambda *_, phase_begins: phase_begins is not None)


def run_of(plan: ImagePlan, folder: Path) -> tuple[FinishedRun, list[Path]]:
    """A finished run, and the checkpoints of all its batches."""
    paths: list[Path] = []

    def keep(unfinished: FinishedRun) -> None:
        paths.append(folder / f"{len(paths)}.h5")
        write_run(paths[-1], unfinished.record)

    return execute(plan, on_checkpoint=keep), paths


def gone_on(path: Path, to: Path, **wishes: object) -> None:
    """Goes on with a run file, and writes another."""
    resumed = resume(PastImageRun.read(path), ImageResumeOptions(**wishes))
    assert resumed.inexact == ()
    execute(resumed.plan, past=resumed.past).save(to)


def events(path: Path) -> list[dict[str, object]]:
    with h5py.File(path) as file:
        return list(json.loads(file["history/events"][()]))


METHODS = {
    "nlaaf, dropout, augmentation": ["model.dropout=0.5", "augment=true", "training.drops=[2]"],
    "gaaf in float64": ["slopes.kind=gaaf", "dtype=float64", "training.learning_rate=0.01"],
    "fixed, without momentum": ["slopes.kind=fixed", "training.momentum=0"],
}


@pytest.mark.parametrize("method", METHODS)
def test_from_every_batch(
    tmp_path: Path, method: str, every_batch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """History, weights, momentum and confusion to the last bit."""
    del every_batch
    monkeypatch.setitem(AUGMENTATIONS, "digits.npz", AUGMENTED)
    finished, checkpoints = run_of(
        image_plan(tmp_path, "training.batch=20", *METHODS[method]), tmp_path
    )
    finished.save(tmp_path / "unbroken.h5")
    assert len(checkpoints) == 9
    for i, path in enumerate(checkpoints):
        torch.rand(i + 1)  # torch's own stream is of no account
        gone_on(path, tmp_path / "resumed.h5")
        assert different(tmp_path / "resumed.h5", tmp_path / "unbroken.h5") == set(), path
        assert events(tmp_path / "resumed.h5") == [{"iteration": i, "what": "resumed"}]


def test_running_statistics(
    tmp_path: Path, every_batch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del every_batch
    monkeypatch.setattr(
        "laaf_cli.images.models.resnet._STAGES", ((8, 1), (16, 2), (24, 2), (24, 2))
    )
    write_images(tmp_path, train=10, test=3, shape=(32, 32, 3))
    plan = image_plan(
        tmp_path,
        "model={kind: preact-resnet18}",
        "training={epochs: 2, batch: 4}",
        "slopes.per=channel",
    )
    finished, checkpoints = run_of(plan, tmp_path)
    finished.save(tmp_path / "unbroken.h5")
    for path in (checkpoints[2], checkpoints[3]):
        gone_on(path, tmp_path / "resumed.h5")
        assert different(tmp_path / "resumed.h5", tmp_path / "unbroken.h5") == set(), path


@pytest.mark.parametrize("stopped_at", [0, 3, 7, 10])
def test_a_run_that_was_interrupted(tmp_path: Path, every_batch: None, stopped_at: int) -> None:
    """The record that ends it in an epoch stays until the next one is made, with its confusion."""
    del every_batch
    plan = image_plan(tmp_path)
    execute(plan).save(tmp_path / "unbroken.h5")
    asked: list[int] = []
    stopped = execute(plan, should_stop=lambda: bool(asked.append(0)) or len(asked) > stopped_at)
    stopped.save(tmp_path / "run.h5")
    assert stopped.summary.stop_reason == "interrupted"
    with ImageRunFile(tmp_path / "run.h5") as run:
        history = run.history()
        assert history.epochs[-1] == stopped_at / 7
        assert history.columns["iteration"][-1] == stopped_at
        assert 1 - run.confusion().trace() / 20 == history.columns["test_error"][-1]
    gone_on(tmp_path / "run.h5", tmp_path / "resumed.h5")
    assert different(tmp_path / "resumed.h5", tmp_path / "unbroken.h5") == set()
    resumed = resume(PastImageRun.read(tmp_path / "run.h5"), ImageResumeOptions())
    checkpoints: list[Path] = []

    def keep(unfinished: FinishedRun) -> None:
        checkpoints.append(tmp_path / f"{len(checkpoints)}.h5")
        write_run(checkpoints[-1], unfinished.record)
        last = unfinished.record.history.columns["test_error"][-1]
        assert 1 - unfinished.record.confusion.trace() / 20 == last, (
            "a checkpoint tells of one state"
        )

    execute(resumed.plan, past=resumed.past, on_checkpoint=keep)
    for path in checkpoints[:9:4]:
        gone_on(path, tmp_path / "resumed.h5")
        assert different(tmp_path / "resumed.h5", tmp_path / "unbroken.h5") == set()


@pytest.mark.parametrize("drops", ["[10]", "[2]", "[3]"])
def test_more_epochs_are_as_if_they_had_been_planned(tmp_path: Path, drops: str) -> None:
    """Where drops lie before, at or after the break: the learning rate depends on the epoch alone."""
    short, long = tmp_path / "short.h5", tmp_path / "long.h5"
    execute(image_plan(tmp_path, "training.epochs=2", f"training.drops={drops}")).save(short)
    execute(image_plan(tmp_path, "training.epochs=4", f"training.drops={drops}")).save(long)
    gone_on(short, short, epochs=2)
    assert different(short, long) == {"spec/overrides"}


# --- The command -----------------------------------------------------------------------------------------------------


def trained(folder: Path, laaf: Laaf, *more: object, yaml: str = SPEC) -> tuple[Path, Path]:
    """A spec, and a finished run of it."""
    write_images(folder)
    spec, run = folder / "digits.yaml", folder / "run.h5"
    spec.write_text(yaml)
    assert laaf("classify", spec, "-o", run, "-q", *more).code == 0
    return spec, run


def test_a_finished_run_is_resumed(tmp_path: Path, laaf: Laaf, snapshot: SnapshotAssertion) -> None:
    _, run = trained(tmp_path, laaf)
    before = run.read_bytes()
    refused = laaf("resume", run)
    assert (refused.code, run.read_bytes()) == (2, before)
    assert (
        refused.err
        == f"error: {run} is finished, after epoch 3; --epochs N trains it further by as many\n"
    )
    refused = laaf("resume", run, "--iterations", 3)
    assert (refused.code, run.read_bytes()) == (2, before)
    assert refused.err == snapshot
    resumed = laaf("resume", run, "--epochs", 2)
    assert resumed.code == 0, resumed.err
    assert f"resuming at iteration 21 of 35, from {run}\n" in resumed.err
    assert (
        laaf("classify", tmp_path / "digits.yaml", "-e", 5, "-o", tmp_path / "long.h5", "-q").code
        == 0
    )
    assert different(run, tmp_path / "long.h5") == set()
    assert events(run) == [{"iteration": 21, "what": "resumed; 2 epochs more"}]


def test_epochs_mean_nothing_to_an_equation(
    tmp_path: Path, laaf: Laaf, snapshot: SnapshotAssertion
) -> None:
    run = tmp_path / "run.h5"
    assert laaf("solve", "heat", "-i", 1, "--set", "points.interior=10", "-o", run, "-q").code == 0
    refused = laaf("resume", run, "--epochs", 1)
    assert refused.code == 2
    assert refused.err == snapshot


def test_a_changed_spec_is_refused_with_the_difference(tmp_path: Path, laaf: Laaf) -> None:
    spec, run = trained(tmp_path, laaf, "--n", 3, "--set", "training.epochs=1")
    before = run.read_bytes()
    spec.write_text(
        SPEC.replace("width: 8", "width: 9").replace("0.05", "0.06").replace("n: 2", "n: 5")
    )
    refused = laaf("resume", run, "--epochs", 1)
    assert (refused.code, run.read_bytes()) == (3, before)
    assert refused.err == (
        f"error: {spec} has changed since {run} was made from it\n"
        "  model.width: 8 → 9\n"
        "  training.learning_rate: 0.05 → 0.06\n"
        "Undo the change, or start over, or resume with the spec as it was: "
        f"laaf resume {run} --stored-spec\n"
    )
    assert laaf("resume", run, "--epochs", 1, "--stored-spec", "-q").code == 0
    spec.unlink()
    assert laaf("resume", run, "--epochs", 1, "-q").code == 0


def test_changed_images_are_refused(
    tmp_path: Path, laaf: Laaf, snapshot: SnapshotAssertion
) -> None:
    _, run = trained(tmp_path, laaf, "-e", 1)
    write_images(tmp_path, seed=1)
    refused = laaf("resume", run, "-e", 1)
    assert refused.code == 3
    assert refused.err == snapshot
    (tmp_path / "digits.npz").unlink()
    refused = laaf("resume", run, "-e", 1)
    assert refused.code == 2
    assert f"{tmp_path / 'digits.npz'}" in refused.err


def test_the_images_are_found_from_elsewhere(
    tmp_path: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of images lies beside the spec, wherever the command is given."""
    write_images(tmp_path)
    (tmp_path / "digits.yaml").write_text(SPEC)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert laaf("classify", "digits.yaml", "-e", 1, "-o", "run.h5", "-q").code == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert laaf("resume", "../run.h5", "-e", 1, "-q").code == 0


def test_what_is_not_exact_is_said(tmp_path: Path, laaf: Laaf) -> None:
    _, run = trained(tmp_path, laaf, "-e", 1)
    with resealed(run) as file:
        file.attrs["threads"] = 1000
        file.attrs["torch_version"] = "2.8.0"
    resumed = laaf("resume", run, "-e", 1, "--dtype", "float64")
    assert resumed.code == 0, resumed.err
    before = "warning: not bitwise identical to an uninterrupted run: "
    assert f"{before}number of threads 1000 → {torch.get_num_threads()}\n" in resumed.err
    assert f"{before}torch 2.8.0 → 2." in resumed.err
    assert f"{before}precision float32 → float64\n" in resumed.err
    assert events(run)[0]["what"].startswith("resumed; 1 epochs more; torch 2.8.0 → ")  # type: ignore[attr-defined]
    with h5py.File(run) as file:
        assert file["network/fc1.weight"].dtype == np.float64


def test_a_bound_on_seconds_is_moved(
    tmp_path: Path, laaf: Laaf, ticking: Callable[[float], None]
) -> None:
    ticking(0.01)
    _, run = trained(tmp_path, laaf, "-e", 10_000, "--max-seconds", 0.2)
    with h5py.File(run) as file:
        assert file.attrs["stop_reason"] == "max-seconds"
        iterations, seconds = file.attrs["iterations"], file.attrs["wall_time_s"]
    refused = laaf("resume", run)
    assert refused.code == 2
    assert refused.err == (
        f"error: {run} ended at its bound of 0.2 seconds; --max-seconds X trains it X seconds further, "
        "--epochs N so many epochs\n"
    )
    assert laaf("resume", run, "--max-seconds", 0.2, "-q").code == 0
    with h5py.File(run) as file:
        assert file.attrs["stop_reason"] == "max-seconds"
        assert file.attrs["iterations"] > iterations
        assert seconds + 0.19 < file.attrs["wall_time_s"] < seconds + 0.25


# --- Killed and interrupted ------------------------------------------------------------------------------------------


def checkpoint_each_batch() -> None:
    """In the other process: checkpoints cost what they cost, and it takes a while to each step."""
    Checkpoints.is_due = lambda *_, phase_begins: phase_begins is not None  # type: ignore[method-assign]


def test_kill_and_resume(tmp_path: Path, laaf: Laaf) -> None:
    _, run = trained(tmp_path, laaf, "-e", 12)
    unbroken = tmp_path / "unbroken.h5"
    run.rename(unbroken)
    process = LaafProcess(
        tmp_path,
        "classify",
        "digits.yaml",
        "-e",
        12,
        "-o",
        run,
        "-q",
        prepare=checkpoint_each_batch,
    )
    kept = CheckpointFiles(run)

    def is_in_an_epoch() -> bool:
        return kept.newest.exists() and PastImageRun.read(kept.newest).iterations > 10

    process.wait_until(is_in_an_epoch, "second epoch")
    process.send(signal.SIGKILL)
    assert process.ended() == -signal.SIGKILL
    assert not run.exists()
    past = PastImageRun.read(kept.readable())
    assert past.stop_reason == "running"
    resumed = laaf("resume", run)
    assert resumed.code == 0, resumed.err
    assert f"resuming at iteration {past.iterations} of 84, from {kept.newest}\n" in resumed.err
    assert different(run, unbroken) == set()
    assert not kept.newest.exists()


def test_ctrl_c_in_an_epoch(tmp_path: Path, laaf: Laaf) -> None:
    _, run = trained(tmp_path, laaf, "-e", 12)
    unbroken = tmp_path / "unbroken.h5"
    run.rename(unbroken)
    process = LaafProcess(
        tmp_path, "classify", "digits.yaml", "-e", 12, "-o", run, prepare=slow_steps
    )
    process.wait_until(lambda: "iteration 8/84" in process.said(), "steps")
    process.send(signal.SIGINT)
    assert process.ended() == 130
    said = process.said()
    with ImageRunFile(run) as stopped:
        iterations, epochs = stopped.attributes["iterations"], stopped.history().epochs
    assert "stopping after this iteration and saving; interrupt again to stop at once" in said
    assert said.endswith(
        f"error: interrupted at iteration {iterations}; the run is in {run}\nResume with: laaf resume {run}\n"
    )
    assert epochs[-1] == pytest.approx(iterations / 7)
    assert laaf("resume", run, "-q").code == 0
    assert different(run, unbroken) == set()


def slow_steps() -> None:
    """In the other process: time to be interrupted."""
    import time

    from laaf_cli.images.trainer import ImageTrainer

    step: Callable[..., float] = ImageTrainer._step

    def slow(self: ImageTrainer, chosen: torch.Tensor) -> float:
        time.sleep(0.02)
        return step(self, chosen)

    ImageTrainer._step = slow  # type: ignore[method-assign]


# --- Divergence ------------------------------------------------------------------------------------------------------


def test_what_diverges_is_not_resumed(tmp_path: Path, laaf: Laaf) -> None:
    write_images(tmp_path)
    spec, run = tmp_path / "digits.yaml", tmp_path / "run.h5"
    spec.write_text(SPEC)
    ended = laaf("classify", spec, "--learning-rate", 1e6, "-o", run, "-q")
    assert ended.code == 5, ended.err
    with ImageRunFile(run) as diverged:
        attributes, history = diverged.attributes, diverged.history()
        assert np.isfinite(diverged.network().arrays["fc1.weight"]).all()
        assert diverged.checkpoint().momentum == {}
    assert attributes["stop_reason"] == "diverged"
    assert attributes["iterations"] == history.columns["iteration"][-1]
    assert ended.err == (
        f"error: training diverged: {attributes['stop_detail']}\n"
        f"The last good state, of iteration {attributes['iterations']}, is in {run}\n"
        "A smaller --learning-rate or --dtype float64 may help.\n"
    )
    refused = laaf("resume", run, "-e", 5)
    assert refused.code == 2
    assert refused.err == (
        f"error: {run} diverged, and would again; laaf classify with a smaller --learning-rate starts over\n"
    )


def test_what_diverges_at_once_stays_as_it_was(tmp_path: Path, laaf: Laaf) -> None:
    _, run = trained(tmp_path, laaf, "-e", 1)
    with resealed(run) as file:
        file["checkpoint/momentum/fc1.bias"][0] = np.nan
    before = run.read_bytes()
    ended = laaf("resume", run, "-e", 1, "-q")
    assert (ended.code, run.read_bytes()) == (5, before)
    assert ended.err.startswith(
        "error: training diverged at once: the loss became nan at iteration 8, in epoch 2\n"
    )
    assert ended.err.endswith(f"{run} is as it was.\n")


# --- Sweeps ----------------------------------------------------------------------------------------------------------


def test_sweeps_resume_what_was_killed(tmp_path: Path, laaf: Laaf, every_batch: None) -> None:
    del every_batch
    write_images(tmp_path)
    spec, folder = tmp_path / "digits.yaml", tmp_path / "runs"
    spec.write_text(SPEC)
    sweep = (
        "sweep",
        spec,
        "--activation",
        "fixed",
        "--seeds",
        "2",
        "--jobs",
        "2",
        "--directory",
        folder,
        "-q",
    )
    swept = laaf(*sweep)
    assert swept.code == 0, swept.err
    first, second = sorted(folder.glob("*.h5"))
    finished = second.read_bytes()
    unbroken = tmp_path / "unbroken.h5"
    first.rename(unbroken)
    before = torch.get_num_threads()
    with ImageRunFile(unbroken) as run:
        torch.set_num_threads(
            run.attributes["threads"]
        )  # a sweep shares the processors among its jobs
    try:
        _, checkpoints = run_of(image_plan(tmp_path, "slopes.kind=fixed"), tmp_path)
    finally:
        torch.set_num_threads(before)
    checkpoints[10].rename(CheckpointFiles(first).newest)
    swept = laaf(*sweep)
    assert swept.code == 0, swept.err
    assert different(first, unbroken) <= {"spec/overrides"}
    assert events(first) == [{"iteration": 10, "what": "resumed"}]
    assert second.read_bytes() == finished
