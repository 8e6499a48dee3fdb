"""Figures 10 and 11: the runs are those of `laaf sweep`, whatever data sets are there, and what the page says of them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Laaf, Outcome
from syrupy.assertion import SnapshotAssertion

from laaf_cli.cli import many_runs
from laaf_cli.errors import UsageError
from laaf_cli.images import plan as image_plan
from laaf_cli.images.data import DATASETS, ImageData, Images
from laaf_cli.images.errors import MissingDataError
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.spec import ImageSpec
from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.paper import ARTEFACTS, Column, Request, Variant
from laaf_cli.paper.columns import FIXED, FOUR
from laaf_cli.paper.images.artefact import PAPER_DATASETS
from laaf_cli.paper.images.figure import draw_training_loss
from laaf_cli.paper.images.page import ImagePage, of_data_set
from laaf_cli.paper.images.results import ImageResult, against_fixed
from laaf_cli.runs.lifecycle import identity
from laaf_cli.sweeps import PlannedRun


def images(dataset: str, n: int, seed: int) -> Images:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (n, *DATASETS[dataset].shape), np.uint8)
    return Images(pixels, np.arange(n) % len(DATASETS[dataset].classes))


def few(dataset: str) -> ImageData:
    """A handful of images of the published shape."""
    train, test = images(dataset, 10, 0), images(dataset, 20, 1)
    return ImageData(
        train=train, test=test, classes=DATASETS[dataset].classes, files={"few": "0" * 64}
    )


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> dict[str, ImageData]:
    """The data sets that are there: Semeion and CIFAR-10; no network."""
    found = {"semeion": few("semeion"), "cifar-10": few("cifar-10")}

    def load(
        name: str, folder: Path | None = None, *, download: bool = True, progress: object = None
    ) -> ImageData:
        del progress
        if name not in found:
            raise MissingDataError(
                f"{DATASETS[name].title} is not all in {folder}, and nothing is fetched.\nDownload it."
            )
        assert not download or name in found
        return found[name]

    monkeypatch.setattr(image_plan, "load_images", load)
    return found


@pytest.fixture
def planned_by(laaf: Laaf, monkeypatch: pytest.MonkeyPatch) -> object:
    """Runs a command up to the training, and returns the runs that it would train."""

    def planned(*arguments: object) -> list[PlannedRun]:
        runs: list[PlannedRun] = []

        def train(given: Sequence[PlannedRun], **_: object) -> list[object]:
            runs.extend(given)
            raise UsageError("enough")

        with monkeypatch.context() as patch:
            patch.setattr(many_runs, "train", train)
            found = laaf(*arguments)
        assert found.err.endswith("error: enough\n"), found.err
        return runs

    return planned


def named(runs: Sequence[PlannedRun]) -> dict[str, object]:
    return {run.path.name: identity(run.plan) for run in runs}


SWEEP = ("--activation", "fixed,gaaf,llaaf,nlaaf")


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("options", "of_sweep"),
    [(("--n", "1", "--seeds", "1", "--epochs", "5"), ()), (("--seeds", "2"), ("--n", "1,2"))],
    ids=["5 epochs", "the paper's"],
)
def test_runs_are_those_of_a_sweep(
    planned_by: object, options: tuple[str, ...], of_sweep: tuple[str, ...]
) -> None:
    swept = planned_by("sweep", "semeion", *SWEEP, *options, *of_sweep)  # type: ignore[operator]
    reproduced = planned_by("reproduce", "figure10", "--datasets", "semeion", *options)  # type: ignore[operator]
    assert named(reproduced) == named(swept)
    assert len(reproduced) == (4 if not of_sweep else 14)
    assert "semeion-lenet-gaaf-n1" + "-training.epochs=5" * (not of_sweep) + "-s0.h5" in named(
        reproduced
    )


@pytest.mark.usefixtures("there")
def test_a_stopped_command_leaves_every_method_with_the_same_seeds(planned_by: object) -> None:
    runs = planned_by("reproduce", "figure10")  # type: ignore[operator]
    assert len(runs) == 2 * 7 * 3
    assert [run.plan.spec.seed for run in runs] == [seed for seed in range(3) for _ in range(14)]
    assert {run.plan.spec.model.kind for run in runs} == {"lenet", "preact-resnet18"}
    adaptive = [run.plan for run in runs if run.plan.spec.slopes.kind != "fixed"]
    assert {plan.spec.slopes.n for plan in adaptive} == {1, 2}
    assert all(plan.recovery is not None for plan in adaptive)
    assert {(run.plan.epochs, run.plan.spec.augment) for run in runs} == {(50, False)}


@pytest.mark.usefixtures("there")
def test_augmentation_has_200_epochs_and_files_of_its_own(planned_by: object) -> None:
    runs = planned_by("reproduce", "figure11", "--seeds", "1", "--epochs", "200")  # type: ignore[operator]
    assert {(run.plan.epochs, run.plan.spec.augment) for run in runs} == {(200, True)}
    assert runs[0].path == Path("reproduction/runs/semeion-lenet-fixed-augmented-s0.h5")


def request(folder: Path, seeds: tuple[int, ...] = (0,), **asked: object) -> Request:
    return Request(
        variant=Variant(scales=asked.pop("scales", ())),
        seeds=seeds,
        folder=folder,
        fixed_rates=(),
        more=asked,
    )  # type: ignore[arg-type]


@pytest.mark.usefixtures("there")
def test_what_is_left_out_is_reported() -> None:
    artefact = ARTEFACTS["figure10"]
    planned = artefact.plan(request(Path("out"), data_dir=Path("folder")))
    assert list(planned.by_dataset) == ["semeion", "cifar-10"]
    few = "1 seeds can decide none of 8 claims judged together; `seeds` of at least 9 can"
    assert artefact.warnings(planned, request(Path("out"))) == [
        *(
            f"Left out: {DATASETS[name].title} is not all in folder, and nothing is fetched. "
            f"`classify({name!r})` fetches it."
            for name in PAPER_DATASETS
            if name not in planned.by_dataset
        ),
        few,
    ]


def test_a_data_set_that_is_named_must_be_there(
    laaf: Laaf, there: dict[str, ImageData], tmp_path: Path
) -> None:
    for arguments, text in (
        (
            ("--datasets", "semeion,mnist"),
            "error: MNIST is not all in None, and nothing is fetched.\nDownload it.\nlaaf classify mnist fetches it.",
        ),
        (
            ("--datasets", "semeoin"),
            "error: --datasets does not know 'semeoin'\nDid you mean 'semeion'?",
        ),
        (("--datasets", "imagenet"), "Those of figure10: semeion, mnist, kmnist"),
        (
            ("--iterations", "5"),
            "figure10 is of images, and --iterations does not apply to it\nIts options: --datasets",
        ),
        (
            ("--recovery-form", "sum"),
            "figure10 is of images, and --recovery-form does not apply to it",
        ),
        (("--data-points", "9"), "figure10 is of images, and --data-points does not apply to it"),
        (
            ("--initializer", "normal-0.1"),
            "figure10 is of images, and --initializer does not apply to it",
        ),
        (
            ("--fixed-learning-rates", "1e-3"),
            "figure10 is of images, and --fixed-learning-rates does not apply",
        ),
    ):
        found = laaf("reproduce", "figure10", *arguments, "--directory", tmp_path)
        assert found.code == 2
        assert text in found.err
    there.clear()
    found = laaf("reproduce", "figure10", "--directory", tmp_path, "--data-dir", tmp_path)
    assert found.code == 2
    assert (
        "laaf classify svhn fetches it.\nThere is nothing to reproduce figure10 with; Semeion is"
        in found.err
    )
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reproduction")


ASKED = (
    "figure10",
    "--datasets",
    "semeion",
    "--seeds",
    "2",
    "--epochs",
    "2",
    "--n",
    "2",
    "--jobs",
    "1",
)


@pytest.fixture
def first(laaf: Laaf, there: dict[str, ImageData], folder: Path) -> Outcome:
    """The command, which trains when it is asked for the first time."""
    assert there
    return laaf("reproduce", *ASKED, "--directory", folder)


def test_page_and_figure(first: Outcome, folder: Path) -> None:
    assert first.code == 0, first.err
    page = (folder / "figure10-n=2-semeion.md").read_text(encoding="utf-8")
    assert first.out == page
    assert "`laaf reproduce figure10 --seeds 2 --datasets semeion --epochs 2 --n 2`" in page
    assert (
        "2 epochs, where the authors' code has 50. 8 runs over the seeds 0, 1; 0 failed. Training took "
        in page
    )
    assert "s in all (cpu, float32)" in page
    assert "## Semeion\n\nLeNet, 10 training and 20 test images; " in page
    for column in FOUR:
        label = "fixed" if column == FIXED else replace(column, n="2").label
        row = next(
            line.split(" | ") for line in page.splitlines() if line.startswith(f"| {label} | ")
        )
        runs = [
            ImageResult.read(path)
            for path in sorted((folder / "runs").glob(f"*-{column.kind.name}-*.h5"))
        ]
        losses = [run.training_loss for run in runs]
        assert row[1:3] == ["2", "0"]
        assert row[3] == f"{sum(losses) / 2:.3g} ± {abs(losses[0] - losses[1]) * math.sqrt(2):.2g}"
        median = 50 * sum(run.test_error for run in runs)
        assert (row[5], row[8]) == (f"{median:.2f} %", f"{100 - median:.2f} %")
        assert row[11:] == [f"{runs[0].n_parameters:,}", f"{runs[0].n_slopes:,} |"]
    assert page.count("| cannot be decided |") == 10
    assert (
        "- LeNet has 1014 neurons in its fully connected layer and no dropout: 1014 and none in the"
        in page
    )
    assert (
        "- With 2 epochs the learning rate never drops; in the paper it does at epoch 10." in page
    )
    assert re.findall(r"!\[.*\]\((.*)\)", page) == ["figure10-n=2-semeion-loss.png"]
    assert (folder / "figure10-n=2-semeion-loss.png").stat().st_size > 10_000


def test_nothing_is_trained_twice(first: Outcome, laaf: Laaf, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").glob("*.h5")}
    again = laaf("reproduce", *ASKED, "--directory", folder)
    assert again.code == 0
    assert "8 of 8 runs already existed" in again.err
    assert again.out == first.out
    assert len(before) == 8
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs").glob("*.h5")} == before


def result(kind: str, seed: int, loss: float, error: float, **other: object) -> ImageResult:
    spec = ImageSpec.model_validate(
        {
            "images": "semeion",
            "model": {"width": 1014, "dropout": 0.0},
            "slopes": {"kind": kind},
            "training": {"epochs": 2, "drops": [10]},
            "seed": seed,
        }
    )
    epochs = np.arange(3.0)
    made = ImageResult(
        spec=spec,
        epochs=epochs,
        losses=np.array([2.3, 1.0, loss]),
        failed=False,
        training_loss=loss,
        test_error=error,
        largest_scale=1.5,
        wall_time_s=3.0,
        n_parameters=7,
        n_slopes=1,
        images=(8, 9),
        device="cpu, float32",
        made="cpu",
    )
    return replace(made, **other)  # type: ignore[arg-type]


GAAF = Column(kind=SLOPE_KINDS["gaaf"], recovery=True, n="1")


def results(n_seeds: int, factor: float = 0.5) -> dict[Column, list[ImageResult]]:
    return {
        FIXED: [result("fixed", seed, 0.1 + 0.01 * seed, 0.2) for seed in range(n_seeds)],
        GAAF: [result("gaaf", seed, factor * (0.1 + 0.01 * seed), 0.2) for seed in range(n_seeds)],
    }


def test_what_becomes_of_the_claims(snapshot: SnapshotAssertion) -> None:
    assert result("gaaf", 0, 0.1, 0.2).column == GAAF
    *_, told = of_data_set(results(8))
    assert told == snapshot
    *_, told = of_data_set(results(8, 2))
    assert "less loss than fixed at the end (n = 1) | 8 | 2 | 2 to 2 (99.2 %) | 0.0078 |" in told
    assert "| the contrary holds |" in told
    *_, told = of_data_set(results(3))
    assert told.count("cannot be decided") == 3
    first, *_, table = of_data_set({FIXED: results(1)[FIXED]})
    assert first == snapshot
    assert "| fixed | 1 | 0 | 0.1 | - | 20.00 % | 20.00 % | - | 80.00 % |" in table
    assert against_fixed(results(3), "training_loss")[GAAF].ratio == pytest.approx(0.5)


def test_early_loss_is_that_at_the_first_drop() -> None:
    run = result("gaaf", 0, 0.1, 0.2)
    assert math.isnan(run.early_loss)
    epochs = np.arange(12.0)
    longer = replace(run, epochs=epochs, losses=1 / (1 + epochs))
    assert longer.early_loss == pytest.approx(1 / 11)
    assert replace(longer, failed=True).early_loss == math.inf


def test_failed_runs_are_counted() -> None:
    failed = {"failed": True, "training_loss": math.inf, "test_error": math.inf}
    mixed = results(3)
    mixed[GAAF][1:] = [replace(run, **failed) for run in mixed[GAAF][1:]]  # type: ignore[arg-type]
    *_, table, _ = of_data_set(mixed)
    row = next(line for line in table.splitlines() if line.startswith("| GAAF"))
    assert row.startswith(
        "| GAAF (n = 1, with recovery) | 3 | 2 | 0.05 | failed | failed | 20.00 % to failed | failed | failed | 1.5 |"
    )


def page_of(runs: dict[Column, list[ImageResult]], left_out: Sequence[str] = ()) -> str:
    return ImagePage(
        title="Title",
        command="laaf reproduce figure10",
        paper_epochs=2,
        results={"semeion": runs},
        left_out=left_out,
    ).markdown("a.png")


def test_page_tells_of_single_seeds() -> None:
    page = page_of(results(1), ["Left out: MNIST."])
    assert "## Semeion\n" in page
    assert "- Left out: MNIST.\n" in page
    assert "which here is one seed: there is no band" in page
    assert "a band of" not in page
    assert "| fixed | 1 | 0 | 0.1 | - | 20.00 % |" in page
    assert "2 runs over the seed 0; 0 failed." in page
    page = page_of(results(2))
    assert (
        "2 epochs. 4 runs over the seeds 0, 1; 0 failed. Training took 12 s in all (cpu, float32)."
        in page
    )
    assert "a band of ± 2 sample standard deviations" in page


def test_figures_of_one_and_of_seven_data_sets(tmp_path: Path) -> None:
    for datasets in (PAPER_DATASETS[:1], PAPER_DATASETS):
        output = tmp_path / f"{len(datasets)}.png"
        assert draw_training_loss("Figure 10", dict.fromkeys(datasets, results(3)), output)
        assert output.stat().st_size > 10_000
    failed = {FIXED: [replace(run, failed=True) for run in results(2)[FIXED]]}
    assert not draw_training_loss("Figure 10", {"semeion": failed}, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_results_are_those_of_the_run_file(first: Outcome, folder: Path) -> None:
    assert first.code == 0
    for path in (folder / "runs").glob("*-nlaaf-*.h5"):
        found = ImageResult.read(path)
        with ImageRunFile(path) as run:
            facts, history = run.attributes, run.history()
            assert found.losses.tolist() == history.columns["train_loss"].tolist()
            assert found.epochs.tolist() == [0, 1, 2]
            assert (found.training_loss, found.test_error) == (
                facts["train_loss"],
                facts["test_error"],
            )
            assert found.images == (10, 20)
            assert found.column == Column(kind=SLOPE_KINDS["nlaaf"], recovery=True, n="2")
            assert found.largest_scale == run.largest_scale()
