"""`laaf classify` on the command line: complete texts of what is refused, exit codes, output, memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Laaf
from image_runs import SPEC, image_plan, make_trainer, write_images
from syrupy.assertion import SnapshotAssertion

from laaf_cli.images import memory
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.trainer import ImageTrainer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with images and specs of them."""
    write_images(tmp_path)
    (tmp_path / "digits.yaml").write_text(SPEC)
    (tmp_path / "pictures").mkdir()
    write_images(tmp_path / "pictures", shape=(32, 32, 3), train=6, test=3)
    (tmp_path / "pictures/pictures.yaml").write_text(
        "images: digits.npz\nmodel: {kind: preact-resnet18}\n"
    )
    (tmp_path / "nowhere.yaml").write_text(SPEC.replace("digits.npz", "nowhere.npz"))
    (tmp_path / "music.yaml").write_text(SPEC.replace("digits.npz", "music"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAAF_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


# The command line after `laaf`, the exit code, and all that is said; FOLDER means the working folder.
REFUSED = {
    "a misspelt data set": ("classify semeon", 2),
    "a data set that there is not": ("classify music.yaml", 3),
    "a misspelt model": ("classify digits.yaml --model lenett", 3),
    "a misspelt key": ("classify digits.yaml --set model.widht=9", 3),
    "a model for larger images": (
        "classify digits.yaml --model preact-resnet18 --set model.width=null",
        3,
    ),
    "a width for ResNet": ("classify pictures/pictures.yaml --width 20", 3),
    "a scale below 1": ("classify digits.yaml --n 0.5", 3),
    "no epochs": ("classify digits.yaml --epochs 0", 3),
    "no batch": ("classify digits.yaml --batch 0", 3),
    "dropout of all": ("classify digits.yaml --dropout 1", 3),
    "augmentation of one's own images": ("classify digits.yaml --augment", 3),
    "a recovery without slopes": ("classify digits.yaml --activation fixed --slope-recovery", 2),
    "images that are not there": ("classify nowhere.yaml", 2),
    "images in place of a spec": ("classify digits.npz", 2),
    "a data set that is missing": ("classify semeion --no-download", 2),
    "an equation": ("classify PROBLEMS/heat.yaml", 3),
    "images for an equation": ("solve semeion", 3),
    "an endless time": ("classify digits.yaml --max-seconds inf", 2),
    "a folder for a run file": ("classify digits.yaml -o pictures", 2),
    "a place that cannot be written": ("classify digits.yaml -o /proc/run.h5", 2),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(folder: Path, laaf: Laaf, name: str, snapshot: SnapshotAssertion) -> None:
    from laaf_cli.spec import bundled

    command, code = REFUSED[name]
    problems = str(bundled.folder())
    ended = laaf(*command.replace("PROBLEMS", problems).split())
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.replace(str(folder), "FOLDER").replace(problems, "PROBLEMS") == snapshot
    assert not list(folder.rglob("*.h5*"))


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--activation", "relu", "'relu' is not one of 'fixed', 'gaaf', 'llaaf', 'nlaaf'"),
        ("--reading", "codes", "'codes' is not one of 'paper', 'code'"),
        ("--slopes-per", "layer", "'layer' is not one of 'neuron', 'channel'"),
    ],
)
def test_words_that_are_not_offered(
    folder: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch, option: str, value: str, said: str
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    ended = laaf("classify", folder / "digits.yaml", option, value)
    assert ended.code == 2
    assert said in " ".join(ended.err.replace("│", " ").split())


def test_a_bound_on_the_test_error(folder: Path, laaf: Laaf) -> None:
    ended = laaf("classify", "digits.yaml", "-e", 1, "-q", "--max-error", 0.001, "-o", "run.h5")
    assert ended.code == 6
    with ImageRunFile(folder / "run.h5") as run:
        error = run.attributes["test_error"]
    assert ended.err.endswith(f"error: test error {100 * error:.3f} % is above the bound 0.1 %\n")
    assert (
        laaf("classify", "digits.yaml", "-e", 1, "-q", "--max-error", 1, "-o", "other.h5").code == 0
    )


def test_what_is_said_of_a_training(folder: Path, laaf: Laaf, snapshot: SnapshotAssertion) -> None:
    ended = laaf("classify", "digits.yaml", "-e", 1, "-o", "run.h5")
    assert ended.code == 0
    first, *middle, last = ended.err.splitlines()
    assert first == snapshot
    assert last == "written: run.h5"
    assert any(
        line.startswith("iteration 7/7  ") and "after epoch 1: training loss " in line
        for line in middle
    )
    with ImageRunFile(folder / "run.h5") as run:
        assert f"{run.attributes['test_error']:.2%}".replace("%", " %") in ended.out


def test_json_alone_on_stdout(folder: Path, laaf: Laaf) -> None:
    ended = laaf("classify", "digits.yaml", "-e", 2, "-o", "run.h5", "--json", "--quiet")
    assert ended.code == 0
    told = json.loads(ended.out)
    with ImageRunFile(folder / "run.h5") as run:
        assert told["test_error"] == run.attributes["test_error"]
        assert told["path"] == "run.h5"
        assert told["epochs"] == 2
        assert [each["mean"] for each in told["slopes"]] == run.history().slopes["mean"][
            -1
        ].tolist()
    assert all(line.startswith("warning: ") for line in ended.err.splitlines())


def test_a_run_that_is_there_already(folder: Path, laaf: Laaf) -> None:
    del folder
    command = ("classify", "digits.yaml", "-e", 1, "-q")
    assert laaf(*command).code == 0
    path = Path("runs/digits-lenet-nlaaf-n2-s0.h5")
    before = path.read_bytes()
    ended = laaf(*command)
    assert (ended.code, path.read_bytes()) == (2, before)
    assert (
        ended.err
        == f"error: {path} already exists; --overwrite replaces it, --output sets another path\n"
    )
    assert laaf(*command, "--overwrite").code == 0
    assert path.read_bytes() != before


def test_an_interrupted_run_that_is_there_already(
    folder: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    del folder
    step = ImageTrainer._step

    def interrupting(self: ImageTrainer, chosen: torch.Tensor) -> float:
        self.should_stop = lambda: self.iteration == 3
        return step(self, chosen)

    monkeypatch.setattr(ImageTrainer, "_step", interrupting)
    assert laaf("classify", "digits.yaml", "-o", "run.h5", "-q").code == 130
    ended = laaf("classify", "digits.yaml", "-o", "run.h5", "-q")
    assert ended.code == 2
    assert ended.err == snapshot


# --- Memory ----------------------------------------------------------------------------------------------------------


def test_a_layer_that_no_memory_holds(
    folder: Path, laaf: Laaf, snapshot: SnapshotAssertion
) -> None:
    write_images(folder, shape=(1200, 1200), train=3, test=3)
    ended = laaf("classify", "digits.yaml", "--width", 65_000, "-q")
    assert ended.code == 2
    assert ended.err == snapshot
    assert not list(folder.rglob("*.h5*"))


def test_a_batch_that_does_not_fit(
    folder: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    """In the second epoch, so that there is a checkpoint."""
    step = ImageTrainer._step

    def without_memory(self: ImageTrainer, chosen: torch.Tensor) -> float:
        if self.iteration == 9:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            )
        return step(self, chosen)

    monkeypatch.setattr(ImageTrainer, "_step", without_memory)
    ended = laaf("classify", "digits.yaml", "-q", "-o", "run.h5")
    assert ended.code == 2
    assert ended.err == snapshot
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert laaf("resume", "run.h5", "-q").code == 0


@pytest.mark.parametrize(
    ("shape", "model"),
    [
        ((28, 28), "{kind: lenet, width: 8}"),
        ((16, 16), "{kind: lenet, width: 8}"),
        ((32, 32, 3), "{kind: preact-resnet18}"),
    ],
)
@pytest.mark.parametrize("kind", ["fixed", "nlaaf"])
def test_the_estimate_of_a_batch_is_near_what_it_takes(
    tmp_path: Path, shape: tuple[int, ...], model: str, kind: str
) -> None:
    """Measured by torch: all that autograd keeps between the two passes, but for parameters."""
    write_images(tmp_path, shape=shape, train=3, test=3)
    plan = image_plan(tmp_path, f"model={model}", f"slopes.kind={kind}")
    trainer = make_trainer(plan)
    own = {parameter.untyped_storage().data_ptr() for parameter in trainer.network.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    pixels, _ = trainer.train_images.batch(torch.arange(3), "training")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        trainer.network.train()(pixels).sum()
    n_bytes = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    estimate = memory.of_run(plan)[0].n_bytes
    assert 0.3 * estimate < n_bytes < estimate


def test_the_estimate_of_the_network_is_what_it_takes(tmp_path: Path) -> None:
    write_images(tmp_path, shape=(40, 28), train=3, test=3)
    plan = image_plan(tmp_path, "model.width=77", "dtype=float64")
    *_, estimate = memory.of_run(plan)
    weights = plan.make_network().get_parameter("fc1.weight")
    assert estimate.n_bytes == 4 * weights.numel() * 8 == 4 * 8 * np.prod(weights.shape)
