"""`laaf show`: one run at a glance, from the file alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Laaf, plan_of, resealed

from laaf_cli.report.run_report import N_BINS, RunReport
from laaf_cli.runfile import RunFile, write_run
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.plan import make_plan
from laaf_cli.runs.train import execute
from laaf_cli.spec import Text

SPEC = """# é, and a line that ends as Windows ends it\r
title: "Heat [/red] on [bold]two[/bold] walls"
source: a book
coordinates: {x: [0, 2], t: [5, 6]}
unknowns: [u, v]
constants: {k: 0.5}
equations: {a: u_t = k*u_xx, b: v_t = u}
conditions: {start: {where: t = 5, equation: [u = x, v = 0], points: 7}, ends: {where: boundary, equation: u = x}}
points: {interior: 20}
network: {hidden: [4, 3]}
slopes: {kind: nlaaf, n: 5}
training: [{iterations: 4}, {iterations: 2, learning_rate: 1.0e-4, schedule: cosine}]
reference: {exact: {u: x, v: x*(t - 5)}}
evaluation: {grid: {x: 6, t: 3}, times: [5.25, 5.5]}
"""


@pytest.fixture(scope="module")
def finished() -> FinishedRun:
    return execute(make_plan(Text("heat.yaml", SPEC)))


@pytest.fixture
def path(finished: FinishedRun, tmp_path: Path) -> Path:
    finished.save(tmp_path / "run.h5")
    return tmp_path / "run.h5"


def rows(out: str) -> dict[str, list[str]]:
    """First words of each line → the whole lines that begin so."""
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        found.setdefault(line.split("  ")[0].strip(), []).append(line)
    return found


def test_everything_of_the_run_is_shown(laaf: Laaf, path: Path, finished: FinishedRun) -> None:
    found = laaf("show", path)
    assert (found.code, found.err) == (0, "")
    shown, summary = rows(found.out), finished.summary
    assert "Heat [/red] on [bold]two[/bold] walls" in shown["problem"][0]
    assert "N-LAAF (n = 5, with recovery)" in shown["method"][0]
    assert "u_t = k*u_xx" in shown["a"][0]
    assert "u = x, v = 0  at t = 5" in shown["start"][0]
    assert "adam, 2 iterations, learning rate 0.0001, cosine" in shown["phase 1"][0]
    assert f"{summary.n_parameters} + {summary.n_slopes}" in shown["parameters + slopes"][0]
    assert "completed after 6 iterations" in shown["ended"][0]
    for name in ("u", "v"):
        assert f"{summary.relative_l2[name]:.6e}" in shown["relative L2"][0]  # type: ignore[index]
        assert f"{summary.max_error[name]:.3e}" in shown["largest"][0]  # type: ignore[index]
        assert f"{summary.at_times[name][1]:.3e}" in shown["relative L2 at t = 5.5"][0]  # type: ignore[index]
    for name, value in summary.terms.items():
        assert f"{value:.3e}" in shown[name][-1]
    assert f"{summary.total - summary.terms['slope_recovery']:.3e}" in shown["total without S"][0]
    for k, layer in enumerate(summary.slopes, start=1):
        for value in (layer.mean, layer.min, layer.max):
            assert f"{value:.4f}" in shown[f"layer {k}"][0]
    assert "torch" in shown["with"][0]


def test_spec_comes_back_byte_for_byte(path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-P", "-m", "laaf_cli", "show", str(path), "--spec"],
        capture_output=True,
        check=True,
    )
    assert found.stdout == SPEC.encode()
    assert found.stderr == b""


def test_json(laaf: Laaf, path: Path, finished: FinishedRun) -> None:
    told = json.loads(laaf("show", path, "--json").out)
    assert told["relative_l2"] == finished.summary.error
    assert told["spec_text"] == SPEC
    assert told["settings"]["slopes"]["kind"] == "nlaaf"
    assert told["terms"]["a"]["end"] == finished.summary.terms["a"]
    assert told["attributes"]["seed"] == 0
    assert laaf("show", path, "--json", "--spec").code == 2


def test_where_the_error_sits(finished: FinishedRun, tmp_path: Path) -> None:
    """A known error: 3 at one point, 1 at three others, so that one point holds half of its square."""
    error = finished.record.error
    assert error is not None
    known = np.zeros((6, 3))
    known[4, 2] = -3.0
    known[0, 0] = known[1, 0] = known[2, 1] = 1.0
    fields = {"u": known, "v": np.zeros((6, 3))}
    write_run(tmp_path / "run.h5", replace(finished.record, error=replace(error, fields=fields)))
    places = RunReport.read(tmp_path / "run.h5").errors
    assert places is not None
    assert places["u"].largest == 3.0
    assert places["u"].at == {"x": 1.6, "t": 6.0}
    assert places["u"].half_share == 1 / 18
    assert places["u"].half_box == {"x": (1.6, 1.6), "t": (6.0, 6.0)}
    assert places["v"].half_share == 0.0
    two = known.copy()
    two[0, 0] = 3.0
    write_run(
        tmp_path / "run.h5",
        replace(finished.record, error=replace(error, fields={"u": two, "v": two})),
    )
    places = RunReport.read(tmp_path / "run.h5").errors
    assert places is not None
    assert places["u"].half_share == 2 / 18
    assert places["u"].half_box == {"x": (0.0, 1.6), "t": (5.0, 6.0)}


def test_histograms_count_every_slope_over_one_range(finished: FinishedRun, tmp_path: Path) -> None:
    history = finished.record.history
    slopes = [values.copy() for values in history.slopes]
    slopes[0][-1] = [1.0, 1.0, 1.0, 9.0]
    slopes[1][-1] = [2.0, 8.9, 9.0]
    write_run(
        tmp_path / "run.h5",
        replace(finished.record, history=replace(history, slopes=tuple(slopes))),
    )
    first, second = RunReport.read(tmp_path / "run.h5").slopes
    assert first.counts == (3, 0, 0, 0, 0, 0, 0, 1)
    assert second.counts == (0, 1, 0, 0, 0, 0, 0, 2)
    assert len(first.counts) == N_BINS
    assert (first.mean, first.min, first.max) == (3.0, 1.0, 9.0)
    assert first.deviation == pytest.approx(np.std([1, 1, 1, 9]))


def test_histograms_on_a_plain_terminal(path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-P", "-m", "laaf_cli", "show", str(path)],
        capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    layer = next(
        line for line in found.stdout.decode("ascii").splitlines() if line.startswith("layer 1")
    )
    assert re.search(r"\|[ .:=+*#@-]{8}\|", layer)


def test_runs_without_slopes_or_reference(laaf: Laaf, tmp_path: Path) -> None:
    finished = execute(plan_of(SPEC.replace("\r", ""), "reference=none", "slopes.kind=fixed"))
    finished.save(tmp_path / "run.h5")
    found = laaf("show", tmp_path / "run.h5")
    assert found.code == 0, found.err
    assert "unknown: the spec names no reference" in found.out
    assert "slopes n·a" not in found.out
    assert json.loads(laaf("show", tmp_path / "run.h5", "--json").out)["errors"] is None


def test_a_run_that_diverged_shows_why(laaf: Laaf, tmp_path: Path) -> None:
    execute(plan_of(SPEC.replace("\r", ""), "training.0.learning_rate=1e30")).save(
        tmp_path / "run.h5"
    )
    found = laaf("show", tmp_path / "run.h5")
    assert found.code == 0, found.err
    assert "diverged after" in found.out
    assert "became" in rows(found.out)["ended"][0]


def test_a_title_cannot_talk_to_the_terminal(laaf: Laaf, path: Path) -> None:
    with resealed(path) as file:
        settings = json.loads(file["spec/settings"][()])
        settings["title"] = "\x1b[2J\x1b[31mred"
        del file["spec/settings"]
        text = json.dumps(settings).encode()
        file["spec/settings"] = np.array(text, dtype=f"S{len(text)}")
    found = laaf("show", path)
    assert found.code == 0
    assert "\x1b" not in found.out


def test_show_needs_no_torch(path: Path) -> None:
    code = (
        "import sys; sys.argv = ['laaf', 'show', sys.argv[1]]\n"
        "from laaf_cli.cli.app import app\n"
        "try: app()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)


ZERO = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u, v]
equations: {a: u_t = v, b: v_t = u_xx}
conditions:
  start: {where: t = 0, equation: [u = 0, v = 0]}
  walls: {where: boundary, equation: u = 0}
points: {interior: 50}
network: {hidden: [5]}
training: [{iterations: 3}]
reference: {exact: {u: sin(2.5*pi*t)*sin(pi*x), v: cos(x)**2 + sin(x)**2 - 1}}
evaluation: {grid: {x: 11, t: 11}, times: [0.4, 0.5]}
"""


def test_errors_are_absolute_where_the_reference_is_zero(laaf: Laaf, tmp_path: Path) -> None:
    """Rounding of what cancels is zero as well: v everywhere, and u at t = 0.4."""
    finished = execute(make_plan(Text("zero.yaml", ZERO)))
    summary, path = finished.summary, tmp_path / "zero.h5"
    finished.save(path)
    assert summary.relative_l2 is not None
    assert summary.at_times is not None
    with RunFile(path) as run:
        solution, slices = run.grid("solution"), run.grid("slices")
        assert solution is not None
        assert slices is not None
        v, u = solution.fields["v"], slices.fields["u"][:, 0]
    assert summary.relative_l2["v"] == pytest.approx(np.sqrt(np.mean(v**2)), rel=1e-12)
    assert summary.at_times["u"][0] == pytest.approx(np.sqrt(np.mean(u**2)), rel=1e-12)
    told = [
        "the reference of 'v' is zero, so that its error is the root mean square, and not a fraction",
        "the reference of 'u' is zero at t = 0.4, so that its error there is the root mean "
        "square, and not a fraction",
    ]
    assert summary.absolute == told
    assert json.loads(laaf("show", path, "--json").out)["absolute"] == told
    assert "; ".join(told) in laaf("show", path).out
    assert f"warning: {told[0]}" in laaf("compare", path).err


def test_one_instant_of_an_oscillation_has_no_error_of_its_own(laaf: Laaf, tmp_path: Path) -> None:
    """|e|/|u| has no bound near zeros of u; nor has the reference any space to speak of."""
    yaml = """
coordinates: {t: [0, 5]}
unknowns: [u]
equations: {swing: u_tt + sin(u) = 0}
conditions: {start: {where: t = 0, equation: [u = 1, u_t = 0]}}
network: {hidden: [5]}
training: [{iterations: 1}]
"""
    finished, path = execute(make_plan(Text("swing.yaml", yaml))), tmp_path / "swing.h5"
    finished.save(path)
    assert (finished.summary.at_times, finished.summary.times) == (None, [])
    shown = laaf("show", path).out
    assert "at t =" not in shown[shown.index("relative L2") :]
    assert "space" not in shown
    assert "Radau's method in time" in rows(shown)["reference"][0]
