"""`laaf show`, `compare` and `plot` for runs of images: what they tell is what stands in the run files."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import Laaf, plan_of
from jsonschema import Draft202012Validator
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from rich.console import Console

from laaf_cli.cli.outputs import records
from laaf_cli.errors import ChangedRunWarning, RunFileError
from laaf_cli.images.cli.tables import image_summary_tables
from laaf_cli.images.data import ImageData, Images
from laaf_cli.images.plan import ImagePlan, make_image_plan
from laaf_cli.images.record import ClassifyResult
from laaf_cli.images.report.mistakes import COLUMNS, mistakes_figure
from laaf_cli.images.report.run_data import ImageRunData
from laaf_cli.images.report.run_report import ImageRunReport
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.train import execute
from laaf_cli.json_record import record_schema
from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.report import figures, labels
from laaf_cli.report.comparison import compare
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.comparison_table import text_table
from laaf_cli.report.figures import Course, CoursePanel, courses_figure, over_seeds
from laaf_cli.report.figures.histories import BAND
from laaf_cli.runfile import write_run
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.train import execute as solve
from laaf_cli.spec import Override, Text

SPEC = "title: Stripes that cost $5\nsource: a test\nimages: semeion\n"
TINY = ("model.width=8", "training.epochs=3", "training.batch=8", "training.learning_rate=0.005")
SEEDS = (0, 1, 2)
METHODS: dict[str, tuple[str, ...]] = {
    "fixed": ("slopes.kind=fixed",),
    "gaaf": ("slopes.kind=gaaf",),
    "nlaaf": ("slopes.kind=nlaaf",),
    "nlaaf-2": ("slopes.kind=nlaaf", "slopes.n=2"),
}
EQUATION = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -u}
conditions: {start: {where: t = 0, equation: u = 1}}
points: {interior: 20}
network: {hidden: [5]}
training: [{iterations: 3}]
reference: {exact: {u: exp(-t)}}
evaluation: {grid: {t: 11}}
"""


def stripes(n: int, seed: int) -> Images:
    """Images of three classes: noise with a bright stripe at one of three heights."""
    random = np.random.default_rng(seed)
    classes = np.arange(n) % 3
    pixels = random.integers(0, 120, (n, 1, 16, 16))
    for image, label in zip(pixels, classes, strict=True):
        image[0, 5 * label : 5 * label + 4] += 60
    return Images(pixels.astype(np.uint8), classes.astype(np.int64))


DATA = ImageData(
    train=stripes(64, 0),
    test=stripes(31, 1),
    classes=("high", "$mid", "low"),
    files={"stripes.data": "ab" * 32},
)


def image_plan(*assignments: str, data: ImageData = DATA, spec: str = SPEC) -> ImagePlan:
    overrides = [Override.from_assignment(text) for text in (*TINY, *assignments)]
    return make_image_plan(
        Text("stripes.yaml", spec), overrides, known={"semeion": data, "cifar-10": data}
    )


@pytest.fixture(scope="module")
def finished() -> dict[tuple[str, int], FinishedRun[ClassifyResult]]:
    """A run of each method and seed."""
    return {
        (name, seed): execute(image_plan(*settings, f"seed={seed}"))
        for name, settings in METHODS.items()
        for seed in SEEDS
    }


@pytest.fixture(scope="module")
def folder(
    finished: Mapping[tuple[str, int], FinishedRun[ClassifyResult]], tmp_path_factory: Any
) -> Path:
    made: Path = tmp_path_factory.mktemp("runs")
    for (name, seed), run in finished.items():
        run.save(made / f"{name}-{seed}.h5")
    return made


@pytest.fixture(scope="module")
def equation(tmp_path_factory: Any) -> Path:
    path: Path = tmp_path_factory.mktemp("equation") / "decay.h5"
    solve(plan_of(EQUATION)).save(path)
    return path


def copied(run: FinishedRun[ClassifyResult], path: Path, **attributes: Any) -> Path:
    """A copy of a run with other attributes."""
    path.parent.mkdir(exist_ok=True)
    write_run(path, replace(run.record, attributes={**run.record.attributes, **attributes}))
    return path


def summaries(folder: Path, *names: str) -> list[ComparisonEntry]:
    return [ComparisonEntry.read(folder / f"{name}-{seed}.h5") for name in names for seed in SEEDS]


# One run in a comparison


def test_a_summary_holds_what_is_in_the_file(
    finished: Mapping[tuple[str, int], FinishedRun[ClassifyResult]], folder: Path
) -> None:
    run, told = finished["nlaaf-2", 1], ComparisonEntry.read(folder / "nlaaf-2-1.h5")
    assert told.measure == run.summary.measure
    assert told.error == told.final_error == run.summary.test_error
    assert told.loss == run.summary.train_loss
    assert told.recovery == run.summary.slope_recovery
    assert told.largest_scale == max(scales.max for scales in run.summary.slopes) > 1
    assert (told.n_points, told.reference, told.seed) == (64, "31 test images", 1)
    assert math.isnan(ComparisonEntry.read(folder / "fixed-0.h5").recovery)


def test_a_run_that_diverged_has_an_infinite_error(
    finished: Mapping[tuple[str, int], FinishedRun[ClassifyResult]], tmp_path: Path
) -> None:
    path = copied(finished["fixed", 0], tmp_path / "run.h5", stop_reason="diverged")
    assert ComparisonEntry.read(path).error == math.inf


def test_summaries_need_no_torch(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from laaf_cli.report.comparison_entry import ComparisonEntry;"
        "from laaf_cli.images.report.run_report import ImageRunReport; from laaf_cli.images.report.run_data import ImageRunData;"
        f"path = Path({str(folder / 'nlaaf-0.h5')!r});"
        "ComparisonEntry.read(path); ImageRunReport.read(path); ImageRunData.read(path); print('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout
        == "False\n"
    )


# Comparing


def test_groups_are_methods_over_seeds(folder: Path) -> None:
    found = compare(summaries(folder, *METHODS), baseline="fixed")
    assert [group.label for group in found.groups] == [
        "fixed", "GAAF + recovery", "N-LAAF + recovery, n 1", "N-LAAF + recovery, n 2",
    ]  # fmt: skip
    assert all(len(group.runs) == len(SEEDS) for group in found.groups)
    assert text_table(found).headings[3] == "test error"
    medians = [np.median([run.final_error for run in group.runs]) for group in found.groups]
    assert [row[3] for row in text_table(found).rows] == [
        f"{100 * median:.2f} %" for median in medians
    ]
    assert found.flags == ()


LABELS: dict[str, tuple[list[tuple[str, ...]], list[str]]] = {
    "augmentation": (
        [(), ("augment=true", "training.epochs=3", "training.drops=[10]")],
        ["fixed, not augmented", "fixed, augmented"],
    ),
    "its defaults": (
        [("training.epochs=",), ("augment=true", "training.epochs=")],
        [
            "fixed, epochs 50, drops at 10, not augmented",
            "fixed, epochs 200, drops at 10 and 100, augmented",
        ],
    ),
    "width and dropout": ([(), ("model.width=9", "model.dropout=0.5")], ["fixed, width 8, dropout 0", "fixed, width 9, dropout 0.5"]),
    "model": ([(), ("model={kind: preact-resnet18}",)], ["fixed, lenet", "fixed, preact-resnet18"]),
    "batch": ([(), ("training.batch=4",)], ["fixed, batch 8", "fixed, batch 4"]),
    "slopes of a channel": (
        [("slopes.kind=nlaaf",), ("slopes.kind=nlaaf", "slopes.per=channel")],
        ["N-LAAF + recovery, a slope per neuron", "N-LAAF + recovery, a slope per channel"],
    ),
    "no drops": ([(), ("training.drops=[]",)], ["fixed, drops at 10", "fixed, no drops"]),
}  # fmt: skip


@pytest.mark.parametrize("what", LABELS)
def test_methods_of_one_name_are_distinguished(what: str) -> None:
    changes, wanted = LABELS[what]
    data = replace(DATA, train=Images(np.zeros((4, 3, 32, 32), np.uint8), np.zeros(4, np.int64)))
    spec = SPEC.replace("semeion", "cifar-10")
    plans = [image_plan("slopes.kind=fixed", *change, data=data, spec=spec) for change in changes]
    names = [wanted[0].split(",")[0]] * len(plans)
    assert (
        labels.distinguished(names, [plan.settings() for plan in plans], labels.METHOD, ["a", "b"])
        == wanted
    )


def test_data_sets_of_one_spec_are_distinguished() -> None:
    settings = [{"images": name, "slopes": {"kind": "gaaf"}} for name in ("mnist", "kmnist")]
    told = labels.distinguished(["digits", "digits"], settings, labels.PROBLEM, ["0123", "4567"])
    assert told == ["digits, images mnist", "digits, images kmnist"]


def test_equations_and_images_share_a_table_only_when_mixed(
    laaf: Laaf, folder: Path, equation: Path
) -> None:
    refused = laaf("compare", folder / "fixed-0.h5", equation)
    assert refused.code == 4
    assert (
        "these are runs of 2 problems (stripes: 1, spec: 1), and errors of different problems do not rank"
        in refused.err
    )
    both = compare(
        [ComparisonEntry.read(folder / "fixed-0.h5"), ComparisonEntry.read(equation)], mixed=True
    )
    table = text_table(both)
    assert table.headings[:6] == ("problem", "method", "runs", "failed", "measure", "error")
    assert [row[4] for row in table.rows] == ["test error", "relative L2"]
    assert table.rows[0][5].endswith(" %")
    assert "e" in table.rows[1][5]


def test_the_winner_is_reported_in_percent(folder: Path) -> None:
    (sentence,) = compare(summaries(folder, "fixed", "gaaf")).sentences
    assert sentence.startswith("Smallest median errors: ")
    assert sentence.count(" %)") == 2


def test_the_gate_names_the_test_error(
    laaf: Laaf, finished: Mapping[tuple[str, int], FinishedRun[ClassifyResult]], tmp_path: Path
) -> None:
    now = copied(finished["fixed", 0], tmp_path / "now" / "a.h5", test_error=0.25)
    stored = copied(finished["fixed", 0], tmp_path / "stored" / "a.h5", test_error=0.1)
    absolute = laaf("compare", now, "--max-error", "0.125")
    assert absolute.code == 6
    assert f"{now}: the test error 25.000 % is above the bound 12.5 %" in absolute.err
    assert laaf("compare", now, "--max-error", "0.25").code == 0
    grown = laaf("compare", now, "--against", stored, "--max-regression", "2")
    assert grown.code == 6
    assert (
        "fixed: the test error 25.00 % is 2.5 times that of the stored run, 10.00 %; the bound is 2 times"
        in grown.err
    )
    assert laaf("compare", now, "--against", stored, "--max-regression", "2.5").code == 0


def test_csv_and_json_name_the_measure(laaf: Laaf, folder: Path) -> None:
    told = told_json("compare", laaf("compare", folder, "--baseline", "fixed", "--json").out)
    rows = list(
        csv.DictReader(io.StringIO(laaf("compare", folder, "--baseline", "fixed", "--csv").out))
    )
    assert (
        [group["measure"] for group in told["groups"]]
        == [row["measure"] for row in rows]
        == ["test error"] * 4
    )
    assert [float(row["error_median"]) for row in rows] == [
        group["error_median"] for group in told["groups"]
    ]
    for group in told["groups"]:
        assert group["error_median"] == np.median([run["error"] for run in group["seeds"]])


def told_json(command: str, out: str) -> dict[str, Any]:
    """An output that follows the schema of its command."""
    value: dict[str, Any] = json.loads(out)
    schema = record_schema(command, *records()[command])
    Draft202012Validator.check_schema(schema)
    faults = [
        f"{fault.json_path}: {fault.message}"
        for fault in Draft202012Validator(schema).iter_errors(value)
    ]
    assert faults == []
    return value


def test_the_errors_of_images_are_drawn_with_their_name(
    laaf: Laaf, folder: Path, tmp_path: Path
) -> None:
    assert laaf("compare", folder, "--figure", tmp_path / "errors.svg").code == 0
    assert "test error" in (tmp_path / "errors.svg").read_text("utf-8")


# One run


def test_show_prints_json_of_its_schema(laaf: Laaf, folder: Path, equation: Path) -> None:
    for name in METHODS:
        told = told_json("show", laaf("show", folder / f"{name}-0.h5", "--json").out)
        assert bool(told["slopes"]) == (name != "fixed")
    assert "relative_l2" in told_json("show", laaf("show", equation, "--json").out)
    assert not Draft202012Validator(record_schema("show", *records()["show"])).is_valid({})


def test_classify_and_resume_print_json_of_their_schemas(
    finished: Mapping[tuple[str, int], FinishedRun[ClassifyResult]],
) -> None:
    for command in ("classify", "resume"):
        for name in METHODS:
            told_json(command, json.dumps(finished[name, 0].summary.as_json()))


def test_the_overview_holds_what_is_in_the_file(
    finished: Mapping[tuple[str, int], FinishedRun[ClassifyResult]], folder: Path
) -> None:
    record, told = finished["nlaaf", 2].record, ImageRunReport.read(folder / "nlaaf-2.h5")
    columns, errors = record.history.columns, record.history.columns["test_error"]
    assert (told.start.epoch, told.end.epoch, told.n_records) == (0, 3, 4)
    assert told.start.train_loss == columns["train_loss"][0]
    assert (told.end.test_error, told.end.train_error) == (errors[-1], columns["train_error"][-1])
    assert told.best.test_error == errors.min()
    assert told.best.epoch == record.history.epochs[np.flatnonzero(errors == errors.min())[0]]
    assert [layer.mean for layer in told.slopes] == list(record.history.slopes["mean"][-1])
    assert [own.name for own in told.classes] == ["high", "$mid", "low"]
    assert [own.images for own in told.classes] == [11, 10, 10]
    assert sum(own.wrong for own in told.classes) == round(errors[-1] * 31)
    assert told.files == {"stripes.data": "ab" * 32}


def test_confusions_are_sorted_and_hold_no_right_answer(
    finished: Mapping[tuple[str, int], FinishedRun[ClassifyResult]], tmp_path: Path
) -> None:
    record = finished["fixed", 0].record
    confusion = np.array([[7, 0, 4], [9, 1, 0], [0, 4, 6]])
    write_run(tmp_path / "run.h5", replace(record, confusion=confusion))
    told = ImageRunReport.read(tmp_path / "run.h5")
    assert [(pair.true, pair.found, pair.images) for pair in told.confusions] == [
        ("$mid", "high", 9), ("high", "low", 4), ("low", "$mid", 4),
    ]  # fmt: skip
    assert [own.error for own in told.classes] == [4 / 11, 0.9, 0.4]


def test_show_is_for_people(laaf: Laaf, folder: Path) -> None:
    shown = laaf("show", folder / "nlaaf-2-0.h5")
    assert shown.code == 0
    for words in ("Stripes that cost $5", "a test", "64 and 31 images of 3 classes", "N-LAAF (n = 2, with recovery)",
                  "a slope per neuron", "fully connected layer of 8", "3 epochs, batches of 8, momentum 0.9",
                  "completed after epoch 3 and 24 steps", "activation 3", "stripes.data"):  # fmt: skip
        assert words in shown.out


def test_show_prints_the_spec_byte_for_byte(laaf: Laaf, folder: Path) -> None:
    assert laaf("show", folder / "fixed-0.h5", "--spec").out == SPEC


def test_warnings_of_a_run_of_images(
    laaf: Laaf, finished: Mapping[tuple[str, int], FinishedRun[ClassifyResult]], tmp_path: Path
) -> None:
    guessing = copied(finished["fixed", 0], tmp_path / "a.h5", test_error=0.65)
    told = laaf("show", guessing).err
    assert (
        "warning: 65.0% of the test images are classified wrongly, hardly fewer than by guessing"
        in told
    )
    stopped = copied(
        finished["fixed", 0], tmp_path / "b.h5", test_error=0.65, stop_reason="interrupted"
    )
    assert laaf("show", stopped).err == ""


def text_of(summary: ClassifyResult) -> str:
    console = Console(file=io.StringIO(), width=200, record=True)
    console.print(*image_summary_tables(summary))
    return console.export_text()


def test_closing_tables(finished: Mapping[tuple[str, int], FinishedRun[ClassifyResult]]) -> None:
    summary = replace(finished["nlaaf", 0].summary, test_error=0.25, path="here.h5")
    told = text_of(summary)
    for words in ("25.00 %", "75.00 %", "high", "$mid", "low", "activation 3", "here.h5", "S(a)"):
        assert words in told
    many = {f"class {i}": i / 100 for i in range(30)}
    shown = [
        line.split()[1]
        for line in text_of(replace(summary, classes=many)).splitlines()
        if line.startswith("class ")
    ][1:]
    assert shown == [str(i) for i in range(29, 19, -1)]
    assert "slopes" not in text_of(finished["fixed", 0].summary).replace("parameters + slopes", "")


# Figures


def runs_of(folder: Path, *names: str) -> list[ImageRunData]:
    return [ImageRunData.read(folder / f"{name}-{seed}.h5") for name in names for seed in SEEDS]


def test_losses_are_means_with_a_band_of_two_sample_deviations(folder: Path) -> None:
    runs = runs_of(folder, "fixed", "nlaaf", "nlaaf-2")
    figure = figures.draw(runs, ["loss"])[0].figure
    training, test = figure.axes if figure.axes else figure.subfigs[0].axes
    for axes, column in ((training, "train_loss"), (test, "test_loss")):
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert list(lines) == [
            "fixed",
            "N-LAAF (n = 1, with recovery)",
            "N-LAAF (n = 2, with recovery)",
        ]
        values = np.array([run.history.columns[column] for run in runs[:3]])
        np.testing.assert_allclose(lines["fixed"].get_ydata(), values.mean(axis=0))
        assert list(lines["fixed"].get_xdata()) == [0, 1, 2, 3]
        assert [line.get_linestyle() for line in lines.values()] == ["-", "-", "--"]
        colors = [to_hex(line.get_color()).upper() for line in lines.values()]
        assert colors == [
            SLOPE_KINDS["fixed"].color,
            SLOPE_KINDS["nlaaf"].color,
            SLOPE_KINDS["nlaaf"].color,
        ]
        band = next(part for part in axes.collections if isinstance(part, PolyCollection))
        top = max(y for x, y in band.get_paths()[0].vertices if x == 3)
        assert top == pytest.approx(values[:, 3].mean() + 2 * values[:, 3].std(ddof=1))
        assert axes.get_yscale() == "log"


def test_a_band_that_reaches_below_zero_ends_at_the_edge_of_the_panel() -> None:
    course = over_seeds(
        "a", "black", "solid", np.arange(3.0), np.array([[1.0, 1e-3, 1e-9], [1.0, 1.0, 0.0]])
    )
    assert course.low[1] < 0
    figure = courses_figure("", [CoursePanel(title="", y="loss", courses=(course,))])
    (axes,) = figure.subfigs[0].axes
    (band,) = axes.collections
    vertices = band.get_paths()[0].vertices
    assert np.isfinite(vertices).all()
    assert vertices[:, 1].min() == axes.get_ylim()[0] > 0
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", BAND]


def test_one_seed_has_no_band_and_zeros_are_at_the_edge() -> None:
    course = over_seeds("a", "black", "solid", np.arange(3.0), np.array([[0.5, 0.1, 0.0]]))
    figure = courses_figure("", [CoursePanel(title="", y="error", courses=(course,))])
    (axes,) = figure.subfigs[0].axes
    assert not axes.collections
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a"]
    assert list(axes.get_lines()[0].get_ydata()) == [0.5, 0.1, axes.get_ylim()[0]]


def test_runs_of_a_group_are_drawn_as_far_as_all_of_them_go(folder: Path) -> None:
    runs = runs_of(folder, "fixed")
    history = runs[1].history
    cut = replace(
        history,
        epochs=np.array([0.0, 1.0, 1.5]),
        columns={name: values[:3] for name, values in history.columns.items()},
        slopes={name: values[:3] for name, values in history.slopes.items()},
    )
    figure = figures.draw([runs[0], replace(runs[1], history=cut), runs[2]], ["error"])[0].figure
    (line,) = figure.subfigs[0].axes[0].get_lines()
    assert list(line.get_xdata()) == [0, 1]


def test_slopes_are_drawn_with_the_deviation_of_all_of_them() -> None:
    random = np.random.default_rng(0)
    slopes = random.normal(1.5, 0.3, (2, 50))
    course = _course_of(slopes)
    assert course.middle[0] == pytest.approx(slopes.mean())
    assert course.high[0] - course.middle[0] == pytest.approx(slopes.std())


def _course_of(slopes: np.ndarray) -> Course:
    """The course of one activation over runs whose slopes are [n_runs, n_slopes] at a single epoch."""
    from laaf_cli.images.report.epochs import _slopes
    from laaf_cli.images.report.run_data import ImageGroup
    from laaf_cli.images.runfile.record import ImageHistory

    def run(own: np.ndarray) -> ImageRunData:
        told = {"mean": np.array([[own.mean()]]), "deviation": np.array([[own.std()]])}
        return ImageRunData(
            path=Path(),
            spec=None,  # type: ignore[arg-type]
            settings={},
            attributes={},
            history=ImageHistory(np.zeros(1), {}, told),
            classes=(),
            confusion=np.zeros((1, 1)),
        )

    return _slopes(
        ImageGroup(label="a", color="black", line="solid", runs=tuple(run(own) for own in slopes)),
        0,
    )


def test_seventeen_activations_have_a_panel_each_and_a_stranger_s_thousands_none(
    folder: Path,
) -> None:
    def widened(run: ImageRunData, n: int) -> ImageRunData:
        slopes = {
            name: np.repeat(values[:, :1], n, axis=1) for name, values in run.history.slopes.items()
        }
        return replace(run, history=replace(run.history, slopes=slopes))

    runs = runs_of(folder, "nlaaf")
    (drawing,) = figures.draw([widened(run, 17) for run in runs], ["slopes"])
    panels = drawing.figure.subfigs[0].axes
    assert [axes.get_title() for axes in panels] == [f"activation {k}" for k in range(1, 18)]
    assert len({axes.get_ylim() for axes in panels}) == 1
    with pytest.raises(
        RunFileError, match="it has 5000 activations, and one figure has room for 24"
    ):
        figures.draw([widened(runs[0], 5000)], ["slopes"])


def test_confusion_adds_up_the_runs_of_a_method(folder: Path) -> None:
    runs = runs_of(folder, "fixed", "gaaf")
    (drawing,) = figures.draw(runs, ["confusion"])
    first = drawing.figure.subfigs[0].axes[0]
    whole = sum(run.confusion for run in runs[:3])
    written = {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in first.texts
    }
    assert written == {place: str(count) for place, count in np.ndenumerate(whole) if count}
    assert first.get_title() == "fixed, 3 runs"
    assert [text.get_text() for text in first.get_yticklabels()] == ["high", "$mid", "low"]
    shares = np.asarray(first.images[0].get_array())
    np.testing.assert_allclose(shares, np.maximum(whole / whole.sum(1, keepdims=True), 1e-4))


def test_plot_draws_all_kinds_that_suit(laaf: Laaf, folder: Path, tmp_path: Path) -> None:
    done = laaf("plot", folder, "--output", tmp_path / "runs.png", "--dpi", "40")
    assert done.code == 0, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["runs.png"]
    assert "runs.png (loss, error, slopes, confusion)" in done.err
    assert "fixed-0.h5: its activation is fixed, so it has no slopes" in done.err


def test_plot_refuses_what_does_not_fit(
    laaf: Laaf, folder: Path, equation: Path, tmp_path: Path
) -> None:
    picture, run = tmp_path / "a.png", folder / "fixed-0.h5"
    refusals: dict[str, tuple[tuple[object, ...], int]] = {
        "there is no kind of figure 'solution' for runs of laaf classify. Kinds: loss, error, slopes, confusion.": (
            (run, "--kind", "solution"), 2,
        ),
        "there is no kind of figure 'confusion' for runs of laaf solve.": ((equation, "--kind", "confusion"), 2),
        "there is no kind of figure 'sloped'. Did you mean 'slopes'?": ((run, "--kind", "sloped"), 2),
        f"{equation} does not fit: it is a run of laaf solve and {run} one of laaf classify": ((run, equation), 4),
        f"--times is for runs of laaf solve, and {run} is one of laaf classify": ((run, "--times", "0.5"), 2),
        f"--unknown is for runs of laaf solve, and {run} is one of laaf classify": ((run, "--unknown", "u"), 2),
    }  # fmt: skip
    for words, (arguments, code) in refusals.items():
        refused = laaf("plot", *arguments, "--output", picture)
        assert refused.code == code, words
        assert words in refused.err
    assert not picture.exists()


def test_runs_of_images_are_no_solution_to_evaluate(laaf: Laaf, folder: Path) -> None:
    refused = laaf("evaluate", folder / "fixed-0.h5")
    assert refused.code == 4
    assert refused.err == (
        f"error: {folder / 'fixed-0.h5'} is a run of laaf classify, expected one of laaf solve\n"
    )


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [("found", 3, "is not in 0 to 2"), ("true", -1, "is not in 0 to 2"), ("pixels", 256, "is not in 0 to 255")],
)  # fmt: skip
def test_mistakes_are_read_as_they_are_or_refused(
    tmp_path: Path, name: str, damage: int, told: str
) -> None:
    path = tmp_path / "run.h5"
    shutil.copy(Path(__file__).parent / "golden" / "image-run-format-7.h5", path)
    with ImageRunFile(path) as run:
        assert run.mistakes() is None, "an older file"
    stored = {
        "pixels": np.full((2, 1, 4, 4), 9),
        "true": np.array([0, 1]),
        "found": np.array([2, 0]),
    }
    with h5py.File(path, "r+") as file:
        for key, values in stored.items():
            file[f"test/mistakes/{key}"] = values
    with pytest.warns(ChangedRunWarning), ImageRunFile(path) as run:
        mistakes = run.mistakes()
    assert mistakes is not None
    assert mistakes.found.tolist() == [2, 0]
    assert len(mistakes_figure(mistakes, ["a", "b", "c$"]).axes) == COLUMNS
    with h5py.File(path, "r+") as file:
        file[f"test/mistakes/{name}"][...] = damage
    with (
        pytest.warns(ChangedRunWarning),
        ImageRunFile(path) as run,
        pytest.raises(RunFileError, match=told),
    ):
        run.mistakes()
