"""Learned constants from the history to the tables, the figure and the comparison over seeds."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Laaf, plan_of
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import RunFileError
from laaf_cli.report import figures
from laaf_cli.report.figures import RunData
from laaf_cli.runfile import RunFile, write_run
from laaf_cli.runfile.learned_constants import EstimatedConstant, found_constants
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.train import execute

SPEC = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
learn: {k: {start: 0.5, positive: true, truth: 0.1}, c: {start: 2, bounds: [1, 3]}}
equations: {heat: u_t = k*u_xx + c*u}
conditions: {start: {where: t = 0, equation: u = sin(pi*x)}, walls: {where: boundary, equation: u = 0}}
data: {target: {u: exp(-t)*sin(pi*x)}, points: 20}
points: {interior: 20, validation: 20}
network: {hidden: [4]}
training: [{iterations: 30}]
reference: none
evaluation: {grid: {x: 5, t: 4}}
"""
PLAIN = SPEC.replace(
    "learn: {k: {start: 0.5, positive: true, truth: 0.1}, c: {start: 2, bounds: [1, 3]}}\n", ""
).replace("k*u_xx + c*u", "u_xx")


@pytest.fixture(scope="module")
def finished() -> FinishedRun:
    return execute(plan_of(SPEC))


def found(values: np.ndarray, truth: float | None = None, step: int = 10) -> EstimatedConstant:
    """The constant k with this history."""
    given = plan_of(SPEC).spec
    learned = given.learn["k"].model_copy(update={"truth": truth})
    spec = given.model_copy(update={"learn": {"k": learned}})
    return found_constants(spec, step * np.arange(len(values)), {"k": values}, {})["k"]


def test_a_straight_line_drifts_by_its_rise_over_the_last_tenth() -> None:
    constant = found(0.5 + 1e-3 * np.arange(1001))
    assert constant.value == pytest.approx(1.5)
    assert constant.drift == pytest.approx(99e-3), "100 records are 99 steps"
    assert constant.deviation == pytest.approx(1e-3 * np.std(np.arange(100)))
    assert constant.mean == pytest.approx(0.5 + 1e-3 * (901 + 1000) / 2)
    assert constant.spread == constant.drift


def test_noise_about_a_value_has_its_standard_deviation() -> None:
    values = np.full(2000, 7.0)
    values[-200:] += 0.1 * np.tile([1.0, -1.0, -1.0, 1.0], 50)
    constant = found(values)
    assert constant.deviation == pytest.approx(0.1)
    assert constant.drift < 0.01
    assert constant.spread == pytest.approx(0.1)


def test_unevenly_spaced_records_fit_one_line() -> None:
    """Drift follows the iterations, not the number of the record."""
    iteration = np.array([0, 1, 2, 3, 4, 5, 100, 200, 300, 1000])
    spec = plan_of(SPEC).spec
    constant = found_constants(spec, iteration, {"k": 2.0 * iteration}, {})["k"]
    assert constant.drift == pytest.approx(2000)


@pytest.mark.parametrize(
    ("n", "n_last"), [(1, 1), (2, 2), (10, 10), (60, 10), (100, 10), (300, 30)]
)
def test_the_stretch_is_a_tenth_and_at_least_ten_records(n: int, n_last: int) -> None:
    values = np.zeros(n)
    values[-n_last:] = np.arange(n_last)
    constant = found(values)
    assert constant.mean == pytest.approx((n_last - 1) / 2)
    assert constant.drift == pytest.approx(n_last - 1)


def test_errors_against_the_truth() -> None:
    assert found(np.full(20, 0.09)).error is None
    assert found(np.full(20, 0.09)).relative_error is None
    known = found(np.full(20, 0.09), truth=-0.1)
    assert known.error == pytest.approx(0.19)
    assert known.relative_error == pytest.approx(1.9)
    at_zero = found(np.full(20, 0.09), truth=0.0)
    assert at_zero.error == pytest.approx(0.09)
    assert at_zero.relative_error is None


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e308])
def test_histories_of_strangers(value: float) -> None:
    assert isinstance(found(np.array([1.0, value, -value] * 10)), EstimatedConstant)


def test_the_file_keeps_their_history(finished: FinishedRun, tmp_path: Path) -> None:
    finished.save(tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as run:
        histories = run.history().constants
        assert list(histories) == ["k", "c"], "in the order of the spec"
        assert histories["k"].shape == histories["c"].shape == run.iterations().shape
        parts = [f"{part}_{name}" for name in "kc" for part in ("lower", "upper", "why_not")]
        assert sorted(run.intervals()) == sorted(parts)
    assert histories["k"][0] == pytest.approx(0.5)
    assert histories["k"][-1] == finished.summary.constants["k"].value
    assert histories["k"][-1] != histories["k"][0]


def test_solve_and_show_tell_them(laaf: Laaf, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    solved = laaf("solve", tmp_path / "spec.yaml", "-o", tmp_path / "run.h5", "--overwrite")
    assert solved.code == 0, solved.err
    assert "k 0.5  c 2  loss" in solved.err, "while it trains"
    shown = laaf("show", tmp_path / "run.h5")
    told = json.loads(laaf("show", tmp_path / "run.h5", "--json").out)["constants"]
    for out in (solved.out, shown.out):
        heading, _line, k, c, note = out.partition("learned constant")[2].splitlines()[:5]
        words = ["start", "bounds", "found", "95", "%", "interval", "truth", "relative", "error"]
        assert heading.split() == words
        assert k.split()[:4] == ["k", "0.5", "above", "0"]
        assert k.split()[-2:] == ["0.1", f"{told['k']['relative_error']:.2e}"]
        assert c.split()[:5] == ["c", "2", "1", "to", "3"]
        assert c.split()[-2:] == ["-", "-"]
        assert "±" in k
        assert note.strip() == snapshot
    assert told["k"]["truth"] == 0.1
    assert told["k"]["spread"] == max(told["k"]["deviation"], told["k"]["drift"]) > 0
    assert told["c"]["error"] is None
    again = laaf(
        "solve",
        tmp_path / "spec.yaml",
        "-o",
        tmp_path / "run.h5",
        "--overwrite",
        "--json",
        "--quiet",
    )
    assert json.loads(again.out)["constants"] == told, "the same training gives the same constants"


def test_runs_without_them_say_nothing_of_them(laaf: Laaf, tmp_path: Path) -> None:
    execute(plan_of(PLAIN)).save(tmp_path / "run.h5")
    assert "learned constant" not in laaf("show", tmp_path / "run.h5").out
    assert json.loads(laaf("show", tmp_path / "run.h5", "--json").out)["constants"] == {}
    for form in ((), ("--markdown",), ("--csv",)):
        assert "constant" not in laaf("compare", tmp_path / "run.h5", *form).out
    (group,) = json.loads(laaf("compare", tmp_path / "run.h5", "--json").out)["groups"]
    assert group["constants"] == group["seeds"][0]["constants"] == {}
    assert (
        "learns no constant"
        in laaf("plot", tmp_path / "run.h5", "-k", "constants", "-o", tmp_path / "a.png").err
    )


def write_seeds(
    folder: Path, finished: FinishedRun, ends: Mapping[int, float], failed: int | None = None
) -> None:
    """Runs whose k ends at these values by seed, each with a drift of 0.01 over the last tenth."""
    record = finished.record
    for seed, end in ends.items():
        n = len(record.history.columns["iteration"])
        last = end - 0.01 + 0.01 * np.arange(10) / 9
        constants = {**record.history.constants, "k": np.concatenate([np.full(n - 10, end), last])}
        write_run(
            folder / f"{seed}.h5",
            replace(
                record,
                attributes=record.attributes
                | {"seed": seed, "stop_reason": "diverged" if seed == failed else "completed"},
                history=replace(record.history, constants=constants),
            ),
        )


def test_compare_tells_their_spread_over_seeds(
    laaf: Laaf, finished: FinishedRun, tmp_path: Path
) -> None:
    write_seeds(tmp_path, finished, {0: 0.11, 1: 0.12, 2: 0.14, 3: 0.2}, failed=3)
    out = laaf("compare", tmp_path).out
    heading, _line, k, c = out.partition("method              constant")[2].splitlines()[:4]
    assert "quartiles" in heading
    assert k.split() == [
        "N-LAAF", "+", "recovery", "k", "0.12", "0.115", "to", "0.13", "0.01", "0.1", "3.00e-01", "1.75e-01", "to",
        "failed",
    ]  # fmt: skip
    assert c.split()[-3:] == ["-", "-", "-"], "its truth is not known"
    (row,) = csv.DictReader(io.StringIO(laaf("compare", tmp_path, "--csv").out))
    assert float(row["k_median"]) == pytest.approx(0.12)
    assert float(row["k_spread_in_a_run"]) == pytest.approx(0.01)
    assert float(row["k_relative_error_median"]) == pytest.approx(0.3)
    assert "| k | 0.12 |" in laaf("compare", tmp_path, "--markdown").out
    seeds = json.loads(laaf("compare", tmp_path, "--json").out)["groups"][0]["seeds"]
    assert [seed["constants"]["k"]["value"] for seed in seeds] == pytest.approx(
        [0.11, 0.12, 0.14, 0.2]
    )


def test_most_runs_failed(laaf: Laaf, finished: FinishedRun, tmp_path: Path) -> None:
    write_seeds(tmp_path, finished, {0: 0.11}, failed=0)
    k = next(line for line in laaf("compare", tmp_path).out.splitlines() if "  k  " in line)
    assert k.split()[3:] == ["k", "-", "-", "-", "0.1", "failed", "failed", "to", "failed"]


def test_figure(laaf: Laaf, finished: FinishedRun, tmp_path: Path) -> None:
    write_seeds(tmp_path, finished, {0: 0.11, 1: 0.12})
    runs = [RunData.read(tmp_path / f"{seed}.h5") for seed in (0, 1)]
    figure = figures.constants_figure(runs)
    k, c = figure.axes
    assert (k.get_title(), c.get_title()) == ("k", "c")
    truth, *rest = k.get_lines()
    lines = [line for line in rest if line.get_label() == "N-LAAF (n = 10, with recovery)"]
    assert len(rest) == 4, "two histories, and the interval of each"
    assert (truth.get_label(), set(truth.get_ydata())) == ("truth", {0.1})
    for run, line in zip(runs, lines, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), run.history.columns["iteration"])
        np.testing.assert_array_equal(line.get_ydata(), run.history.constants["k"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "N-LAAF (n = 10, with recovery)",
        "truth",
        "95 % interval",
    ]
    assert len(c.get_lines()) == 4, "no truth, and both bounds are far"
    assert k.get_ylim()[0] < 0.1 < 0.12 < k.get_ylim()[1]
    done = laaf("plot", tmp_path, "--kind", "constants", "-o", tmp_path / "a.png")
    assert (done.code, (tmp_path / "a.png").exists()) == (0, True), done.err


def with_history(run: RunData, name: str, values: np.ndarray) -> RunData:
    return replace(
        run, history=replace(run.history, constants=run.history.constants | {name: values})
    )


def test_figure_with_near_bounds_and_over_decades(finished: FinishedRun, tmp_path: Path) -> None:
    finished.save(tmp_path / "run.h5")
    run = RunData.read(tmp_path / "run.h5")
    n = len(run.history.columns["iteration"])
    k, c = figures.constants_figure(
        [
            with_history(
                with_history(run, "k", np.geomspace(100, 0.2, n)), "c", np.linspace(2, 1.1, n)
            )
        ]
    ).axes
    assert (k.get_yscale(), c.get_yscale()) == ("log", "linear")
    bound = c.get_lines()[-1]
    assert (bound.get_label(), set(bound.get_ydata())) == ("bound", {1.0})
    assert c.get_ylim()[0] < 1.0
    broken = with_history(run, "k", np.full(n, np.nan))
    assert not math.isnan(figures.constants_figure([broken]).axes[0].get_ylim()[0])


def test_no_figure_without_constants(tmp_path: Path) -> None:
    execute(plan_of(PLAIN)).save(tmp_path / "run.h5")
    with pytest.raises(RunFileError, match="its spec learns no constant"):
        figures.constants_figure([RunData.read(tmp_path / "run.h5")])


def test_weights_that_adapt_have_panels_in_the_figure_of_the_loss(
    finished: FinishedRun, tmp_path: Path
) -> None:
    finished.save(tmp_path / "run.h5")
    run = RunData.read(tmp_path / "run.h5")
    assert not any("weight of" in axes.get_title() for axes in figures.loss_figure([run]).axes)
    rising = np.linspace(1, 9, len(run.history.columns["iteration"]))
    adapted = replace(
        run, history=replace(run.history, weights=run.history.weights | {"walls": rising})
    )
    found = [
        axes for axes in figures.loss_figure([run, adapted]).axes if "weight of" in axes.get_title()
    ]
    assert [axes.get_title() for axes in found] == ["weight of 'walls'"]
    np.testing.assert_array_equal(found[0].get_lines()[1].get_ydata(), rising)
