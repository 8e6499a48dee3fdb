"""What is chosen where a spec names no training, and the goal at which it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Laaf, plan_of
from syrupy.assertion import SnapshotAssertion

import laaf_cli
from laaf_cli.errors import ExitCode, SpecError
from laaf_cli.problem import grid_points
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.lifecycle import read_past
from laaf_cli.runs.plan import OtherMethod, Plan
from laaf_cli.runs.progress import Progress
from laaf_cli.runs.recipes import DEFAULT_SECONDS
from laaf_cli.runs.record import SolveResult
from laaf_cli.runs.resume.resumption import EquationResumeOptions, resume
from laaf_cli.runs.train import execute
from laaf_cli.training import Trainer
from laaf_cli.training.least_squares.stepper import LeastSquares

SMOOTH = """
coordinates: {x: [0, 1], t: [0, 2]}
unknowns: [u]
equations: {heat: u_t = 0.1*u_xx}
conditions:
  start: {where: t = 0, equation: u = sin(pi*x)}
  ends: {where: boundary, equation: u = 0}
reference: {exact: {u: exp(-0.1*pi**2*t)*sin(pi*x)}}
evaluation: {grid: {x: 21, t: 21}}
"""

JUMP = """
coordinates: {x: [0, 1], y: [0, 1]}
unknowns: [u]
equations: {heat: "D(where(x*y < 0.4, 1, 5)*u_x, x) + D(where(x*y < 0.4, 1, 5)*u_y, y) = -1"}
conditions: {ends: {where: boundary, equation: u = 0}}
"""

UNKNOWN = """
coordinates: {x: [0, 1], y: [0, 1]}
unknowns: [u]
equations: {poisson: laplacian(u) = -sin(pi*x)*sin(pi*y)}
conditions: {sides: {where: boundary, equation: u = 0}}
reference: none
evaluation: {grid: {x: 11, y: 11}}
"""


def aiming(goal: float, text: str, *assignments: str) -> Plan:
    return replace(plan_of(text, *assignments), goal=goal)


def chosen(run: FinishedRun[SolveResult]) -> str:
    (event,) = run.summary.events
    return event.what


def test_least_squares_first_and_training_behind_it() -> None:
    plan = plan_of(SMOOTH)
    assert [each.recipe for each in (plan, *plan.others)] == [
        "least squares", "Adam and self-scaled Broyden"
    ]  # fmt: skip
    assert [phase.optimizer for phase in plan.spec.training] == ["least-squares"]
    other = plan.others[0].make()
    assert [phase.optimizer for phase in other.spec.training] == ["adam", "ssbroyden", "ssbroyden"]
    assert other.spec.dtype == plan.spec.dtype == "float64"
    assert plan.max_seconds == DEFAULT_SECONDS
    assert other.problem.residuals_satisfied_by_ansatz


@pytest.mark.parametrize("text", [SMOOTH + "training: auto", SMOOTH])
def test_auto_is_what_an_absent_training_is(text: str) -> None:
    assert plan_of(text).recipe == "least squares"


ORDINARY = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -u}
conditions: {start: {where: t = 0, equation: u = 1}}
"""


@pytest.mark.parametrize(("text", "share"), [(SMOOTH, 2 / 3), (ORDINARY, 1.0)])
def test_least_squares_have_all_seconds_of_an_ordinary_equation(text: str, share: float) -> None:
    (phase,) = plan_of(text).phases
    assert phase.max_seconds == pytest.approx(share * DEFAULT_SECONDS)


def test_what_the_spec_says_stays() -> None:
    own = "network: {hidden: [11, 12]}\npoints: {interior: 77}\ntransform: {u: t*net + sin(pi*x)}\n"
    other = plan_of(SMOOTH + own, "dtype=float64").others[0].make()
    assert other.spec.network.hidden == [11, 12]
    assert other.spec.points.interior == 77
    assert other.spec.transform == {"u": "t*net + sin(pi*x)"}
    named = plan_of(SMOOTH, "training.0.iterations=7")
    assert (named.recipe, named.others, named.goal, named.max_seconds) == ("", (), 0.0, None)


def test_slopes_that_are_named_are_trained() -> None:
    plan = plan_of(SMOOTH, "slopes.kind=gaaf")
    assert plan.others == ()
    assert plan.spec.training[0].optimizer == "adam"
    assert plan.spec.slopes.kind == "gaaf"


def test_a_method_that_does_not_take_the_problem_is_left_out() -> None:
    plan = plan_of(JUMP)
    assert plan.recipe == "Adam and self-scaled Broyden"
    (sentence,) = plan.not_tried
    assert sentence.startswith("least squares is not tried: ")
    assert "jump" in sentence


def test_faults_are_those_of_the_spec() -> None:
    with pytest.raises(SpecError) as caught:
        plan_of(SMOOTH.replace("u_xx", "u_xz"))
    (fault,) = caught.value.faults
    assert fault.mark is not None
    assert "u_xz" in fault.mark.line_text


def test_a_smooth_problem_needs_nothing_else(tmp_path: Path) -> None:
    run = execute(plan_of(SMOOTH))
    assert run.summary.error < 1e-8
    assert chosen(run).startswith("came by least squares to ")
    path = tmp_path / "run.h5"
    run.save(path)
    with h5py.File(path) as file:
        overrides = dict(json.loads(file["spec/overrides"][()]))
    assert "least-squares" in overrides["training"]
    again = execute(plan_of(SMOOTH, *(f"{key}={value}" for key, value in overrides.items())))
    np.testing.assert_array_equal(
        again.record.solution.fields["u"], run.record.solution.fields["u"]
    )


def test_data_without_equations_are_trained() -> None:
    """Least squares would fit the points, and not what is between them."""
    text = """
coordinates: {x: [-1, 1]}
unknowns: [u]
data: {target: {u: sin(4*x)}, points: 40, sampler: grid}
"""
    plan = plan_of(text)
    assert plan.recipe == "Adam and self-scaled Broyden"
    assert not plan.others
    assert [phase.optimizer for phase in plan.spec.training] == ["adam", "ssbroyden"]


def test_the_best_is_kept() -> None:
    plan = plan_of(SMOOTH, "network.hidden=[5]")
    short = plan_of(SMOOTH, "training=[{optimizer: adam, iterations: 5}]")
    other = OtherMethod("Adam and self-scaled Broyden", lambda: short)
    plan = replace(plan, goal=1e-30, others=(other,))
    run = execute(plan)
    assert "kept: least squares" in chosen(run)
    assert "Adam and self-scaled Broyden to " in chosen(run)
    assert run.summary.error < 1e-8
    assert run.record.attributes["iterations"] != 5


def test_what_is_interrupted_says_so_whatever_is_kept(tmp_path: Path) -> None:
    """And can be gone on with, though what is kept had come to its end."""
    slow = plan_of(SMOOTH, "training=[{optimizer: adam, iterations: 100000}]")
    plan = replace(plan_of(SMOOTH), goal=1e-30, others=(OtherMethod("more", lambda: slow),))
    seen: list[Progress] = []

    def is_slow() -> bool:
        return bool(seen) and seen[-1].n_iterations == 100_000

    run = execute(plan, on_progress=seen.append, should_stop=is_slow)
    assert "kept: least squares" in chosen(run)
    assert run.summary.stop_reason == "interrupted"
    assert run.summary.error < 1e-8
    run.save(tmp_path / "run.h5")
    more = laaf_cli.load(tmp_path / "run.h5").resume(stored_spec=True, output=tmp_path / "more.h5")
    assert more.attributes["stop_reason"] == "completed"
    assert more.relative_l2 == run.summary.relative_l2


def test_a_training_without_a_goal_continues_where_the_error_is_zero() -> None:
    plan = plan_of(SMOOTH, "training=[{optimizer: adam, iterations: 7}]")
    for goal, iterations in ((0.0, 7), (1e-9, 0)):
        objective = plan.make_objective(plan.make_network(), plan.draw_points())
        trainer = Trainer(objective, plan.phases, monitor=lambda _: 0.0, goal=goal)
        assert trainer.train().iterations == iterations


def test_runs_of_one_spec_are_of_one_method_whatever_is_kept() -> None:
    """Refused by neither a sweep that finds it nor a comparison over seeds."""
    bad = plan_of(SMOOTH, "training=[{optimizer: adam, iterations: 1}]")
    good = plan_of(SMOOTH, "training=[{optimizer: adam, iterations: 60, learning_rate: 0.01}]")
    plan = replace(bad, goal=1e-30, method="m", others=(OtherMethod("more", lambda: good),))
    run = execute(plan)
    assert run.summary.iterations == 60
    assert run.record.attributes["method_hash"] == plan.hashes.method == "m"
    assert plan_of(SMOOTH).seeded(3).hashes == plan_of(SMOOTH).hashes


def test_without_a_reference_the_estimate_decides() -> None:
    run = execute(plan_of(UNKNOWN))
    assert np.isnan(run.summary.error)
    assert run.summary.estimate is not None
    assert run.summary.error_or_estimate == run.summary.estimate < 1e-3


def test_the_estimate_of_a_trained_network() -> None:
    """Of a network that was not trained all is wrong, of one that was little."""
    text = UNKNOWN + "network: {hidden: [10, 10]}\ndtype: float64\ntransform: auto\n"
    rough = execute(aiming(1e-9, text, "training.0.iterations=1")).summary.estimate
    training = (
        "training=[{optimizer: adam, iterations: 200}, {optimizer: ssbroyden, iterations: 300}]"
    )
    good = execute(aiming(1e-9, text, training)).summary.estimate
    assert rough is not None
    assert good is not None
    assert rough > 0.1
    assert good < 0.05


def test_a_training_ends_at_its_goal(snapshot: SnapshotAssertion) -> None:
    training = (
        "training=[{optimizer: adam, iterations: 100}, {optimizer: ssbroyden, iterations: 5000}]"
    )
    settings = [training, "transform=auto", "dtype=float64", "network.hidden=[10]"]
    summary = execute(aiming(0.1, SMOOTH, *settings)).summary
    assert summary.error <= 0.1
    assert summary.iterations < 5100
    assert summary.phases[-1].detail == snapshot


def test_least_squares_that_is_out_of_time_leaves_what_is_best() -> None:
    """One window at a time is too little for so long a time; the whole was tried before."""
    plan = plan_of(SMOOTH + "training: [{optimizer: least-squares, features: 60, goal: 1e-14}]")
    network = plan.make_network()
    objective = plan.make_objective(network, plan.draw_points())
    search = LeastSquares(objective, plan.phases[0], 0)
    while search.whole is None:
        search.advance(search.evaluate(0))
    search.advance(search.evaluate(0))
    assert not search.march.is_whole
    assert network.ends
    search.conclude()
    assert search.is_finished
    assert not network.ends
    assert search.estimate == search.whole.residual
    points = torch.tensor(grid_points(plan.problem.grid))
    exact = torch.exp(-0.1 * torch.pi**2 * points[:, 1]) * torch.sin(torch.pi * points[:, 0])
    assert float((network(points)[:, 0] - exact).detach().abs().max()) < 1e-3


def test_a_goal_that_is_not_met_is_an_error(
    laaf: Laaf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heat.yaml").write_text(SMOOTH, encoding="utf-8")
    good = laaf("solve", "heat.yaml", "--goal", "1e-4", "-o", "good.h5")
    assert good.code == 0
    assert "solved to " in good.err
    assert "(goal 0.0001)" in good.err
    quick = ["--set", "training=[{optimizer: adam, iterations: 3}]", "-o", "bad.h5"]
    bad = laaf("solve", "heat.yaml", "--goal", "1e-4", *quick)
    assert bad.code == ExitCode.BOUND_EXCEEDED
    assert "not solved to the goal: " in bad.err
    assert (tmp_path / "bad.h5").exists()
    resumed = laaf("resume", "bad.h5", "-i", "2")
    assert resumed.code == 0
    assert "not solved to the goal: " in resumed.err


@pytest.mark.parametrize(("goal", "kept"), [(9.0, 0.0), (1e-9, 1e-9)])
def test_a_goal_counts_in_a_resumed_training_until_it_is_met(
    tmp_path: Path, goal: float, kept: float
) -> None:
    path = tmp_path / "run.h5"
    execute(aiming(goal, SMOOTH, "training=[{optimizer: adam, iterations: 3}]")).save(path)
    past = read_past(path)
    assert past.attributes["goal"] == goal
    assert resume(past, EquationResumeOptions(iterations=2)).plan.goal == kept
