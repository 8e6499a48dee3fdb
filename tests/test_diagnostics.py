"""When a run is doubted: at points it was not trained on, and where a small loss hides a wrong answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Laaf, plan_of
from syrupy.assertion import SnapshotAssertion

from laaf_cli.runfile import RunFile, write_run
from laaf_cli.runfile.diagnostics import doubts
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.train import execute
from laaf_cli.spec import RunSpec

SPEC = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
conditions:
  start: {where: t = 0, equation: u = sin(pi*x), points: 20, weight: 3}
  walls: {where: boundary, equation: u = 0, points: 20}
points: {interior: 30, validation: 40}
network: {hidden: [5]}
training: [{iterations: 3}]
reference: {exact: {u: exp(-pi**2*t)*sin(pi*x)}}
evaluation: {grid: {x: 5, t: 5}}
"""
STUCK = np.concatenate([np.geomspace(1.3, 0.14, 40), np.full(160, 0.134)])
"""The loss of Allen-Cahn's equation at u = 0: a tenth of the first, and settled."""

LEARNING = np.geomspace(1, 0.05, 200)
SUCCESS = np.geomspace(1, 1e-5, 200)


@pytest.fixture(scope="module")
def spec() -> RunSpec:
    return plan_of(SPEC).spec


@pytest.fixture(scope="module")
def finished() -> FinishedRun:
    return execute(plan_of(SPEC))


def of(loss: np.ndarray) -> dict[str, np.ndarray]:
    """Terms whose weighted sum is this loss, and slope recovery, which does not count."""
    return {
        "heat": 0.5 * loss,
        "start": loss / 6,
        "walls": 0 * loss,
        "slope_recovery": np.ones(len(loss)),
    }


@pytest.mark.parametrize(
    ("loss", "error", "said"),
    [
        (
            STUCK,
            0.998,
            "although the loss fell by a factor of 9.7 and has settled: functions that do not solve the problem",
        ),
        (
            SUCCESS,
            0.7,
            "although the loss fell by a factor of 1e+05: functions that do not solve the problem",
        ),
        (STUCK, 0.49, None),
        (SUCCESS, 1e-3, None),
        (LEARNING, 0.9, None),
        (STUCK[::4], 0.9, None),
        (SUCCESS, np.inf, None),
        (SUCCESS, np.nan, None),
    ],
    ids=[
        "stuck",
        "small",
        "not wrong",
        "healthy",
        "short of training",
        "too short to tell",
        "u = 0",
        "unknown",
    ],
)
def test_wrong_answers_with_a_small_loss(
    spec: RunSpec, loss: np.ndarray, error: float, said: str | None
) -> None:
    found = doubts(spec, of(loss), {}, {"u": error})
    assert len(found) == (said is not None)
    if said is not None:
        assert found[0].startswith(
            f"the solution is wrong, with a relative L2 error of {error:.2g} for u, {said}"
        )
        assert "weights.balance: causal" in found[0], "the problem has time"


def test_without_time_nothing_causal_is_advised(spec: RunSpec) -> None:
    still = spec.model_copy(update={"coordinates": {"x": ["0", "1"], "y": ["0", "1"]}})
    (found,) = doubts(still, of(STUCK), {}, {"u": 0.8, "v": 0.1, "w": 2.0})
    assert "0.8 for u, 2 for w," in found
    assert "causal" not in found


def test_weights_that_adapt_do_not_make_a_loss_fall(spec: RunSpec) -> None:
    """The terms count with the weights of the spec, and slope recovery does not."""
    terms = of(LEARNING) | {"slope_recovery": np.geomspace(1e9, 1e-9, 200)}
    assert doubts(spec, terms, {}, {"u": 0.9}) == []


def test_points_that_were_not_trained_on(spec: RunSpec, snapshot: SnapshotAssertion) -> None:
    terms = of(SUCCESS)
    ends = {name: float(values[-1]) for name, values in terms.items()}
    assert doubts(spec, terms, {"heat": 4 * ends["heat"], "start": ends["start"]}, {}) == []
    found = doubts(
        spec, terms, {"heat": 40 * ends["heat"], "start": 16 * ends["start"]}, {"u": 1e-3}
    )
    assert "\n".join(found) == snapshot


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 0.0, 1e308])
def test_histories_of_strangers(spec: RunSpec, value: float) -> None:
    terms = {name: np.full(300, value) for name in ("heat", "start", "walls")}
    assert isinstance(
        doubts(spec, terms, {"heat": 1.0, "start": np.nan, "walls": -1.0}, {"u": 0.9}), list
    )


def test_solve_and_show_say_the_same(laaf: Laaf, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    few = ("--set", "points.interior=1", "--iterations", "300", "--learning-rate", "0.02")
    solved = laaf(
        "solve", tmp_path / "spec.yaml", "-o", tmp_path / "run.h5", "--quiet", "--json", *few
    )
    assert solved.code == 0, solved.err
    warnings = json.loads(solved.out)["warnings"]
    assert any("'heat' at held-out points" in warning for warning in warnings)
    assert solved.err == "".join(f"warning: {warning}\n" for warning in warnings)
    shown = laaf("show", tmp_path / "run.h5")
    assert shown.err == solved.err
    assert json.loads(laaf("show", tmp_path / "run.h5", "--json").out)["warnings"] == warnings


def test_fresh_points_and_weights_are_columns(
    laaf: Laaf, finished: FinishedRun, tmp_path: Path
) -> None:
    finished.save(tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as run:
        fresh = run.validation()
    assert set(fresh) == {"heat", "start", "walls"}
    heading, _line, heat, *_ = (
        laaf("show", tmp_path / "run.h5").out.partition("loss term")[2].splitlines()
    )
    assert heading.split() == [
        "weight",
        "at",
        "the",
        "start",
        "at",
        "the",
        "end",
        "ratio",
        "held-out",
        "points",
    ]
    assert heat.split()[1] == "1"
    assert heat.split()[-1] == f"{fresh['heat']:.3e}"
    bare = replace(
        finished.record,
        validation={},
        history=replace(
            finished.record.history,
            weights={
                name: np.ones_like(values)
                for name, values in finished.record.history.weights.items()
            },
        ),
    )
    write_run(tmp_path / "bare.h5", bare)
    heading = laaf("show", tmp_path / "bare.h5").out.partition("loss term")[2].splitlines()[0]
    assert heading.split() == ["at", "the", "start", "at", "the", "end", "ratio"]


def test_why_there_is_no_reference(laaf: Laaf, finished: FinishedRun, tmp_path: Path) -> None:
    record = replace(finished.record, reference=None, error=None)
    for why in ("", "the true value of 'k' is not known"):
        attributes = finished.record.attributes | {"no_reference": why, "relative_l2": np.nan}
        write_run(tmp_path / "run.h5", replace(record, attributes=attributes))
        assert (
            f"unknown: {why or 'the spec names no reference'}"
            in laaf("show", tmp_path / "run.h5").out
        )
