"""Validation: which points are fresh, what the terms are there, and when a warning is due."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import plan_of

from laaf_cli.metrics import FAR_ABOVE, NEGLIGIBLE, far_above
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.train import execute
from laaf_cli.spec import bundled
from laaf_cli.training import Objective, Trainer, validate
from laaf_cli.training.validation import fresh_points

SYSTEM = """
coordinates: {x: [0, 3], t: [0, 2]}
unknowns: [u]
learn: {k: {start: 1}}
equations: {wave: u_t = k*u_x}
conditions:
  start: {where: t = 0, equation: u = x, points: 17, weight: 7}
  left: {where: x = 0, equation: u = 0, points: 11}
data: {target: {u: x}, points: 5}
weights: {equations: {wave: 0.25}}
points: {interior: 30, validation: 400}
network: {hidden: [6]}
training: [{iterations: 3}]
reference: none
dtype: float64
"""


def objective_of(plan: Plan) -> Objective:
    return plan.make_objective(plan.make_network(), plan.draw_points())


def test_terms_at_fresh_points_by_hand() -> None:
    """Mean squares without weights, with the present value of the learned constant."""
    objective = objective_of(plan_of(SYSTEM))
    with torch.no_grad():
        objective.constants.free["k"].fill_(2.0)
    points = fresh_points(objective.problem, 400, 5)
    assert {name: len(given) for name, given in points.items()} == {
        "wave": 400,
        "start": 17,
        "left": 11,
    }
    inside = torch.tensor(points["wave"].points, requires_grad=True)
    (gradient,) = torch.autograd.grad(objective.network(inside).sum(), inside)
    with torch.no_grad():
        start, left = (
            objective.network(torch.tensor(points[name].points))[:, 0] for name in ("start", "left")
        )
    expected = {
        "wave": float((gradient[:, 1] - 3 * gradient[:, 0]).square().mean()),
        "start": np.mean((start.numpy() - points["start"].points[:, 0]) ** 2),
        "left": np.mean(left.numpy() ** 2),
    }
    assert validate(objective, 400, 5) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sampler", ["latin-hypercube", "grid"])
def test_points_are_fresh_and_depend_on_the_seed(sampler: str) -> None:
    plan = plan_of(SYSTEM, f"points.sampler={sampler}", "points.interior=25")
    trained = plan.draw_points()
    points = fresh_points(plan.problem, 25, 0)
    again = fresh_points(plan.problem, 25, 0)
    for name, given in points.items():
        assert np.array_equal(given.points, again[name].points)
        assert not {tuple(row) for row in given.points} & {
            tuple(row) for row in trained[name].points
        }
    assert not np.array_equal(
        points["wave"].points, fresh_points(plan.problem, 25, 1)["wave"].points
    )


def test_given_rows_are_not_fresh(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,t,u\n0.5,0.5,1\n0.25,0.75,2\n")
    plan = plan_of(SYSTEM, f"conditions.left={{data: {tmp_path / 'rows.csv'}}}")
    assert set(plan.problem.draw_points(0)) == {"wave", "start", "left", "data"}
    assert set(fresh_points(plan.problem, 9, 0)) == {"wave", "start"}


def test_the_part_of_importance_keeps_its_share() -> None:
    """So that the means at both sets of points estimate the same."""
    plan = plan_of(SYSTEM, "points.importance=[{where: x > 2.9, share: 0.5}]")
    assert np.sum(fresh_points(plan.problem, 100, 0)["wave"].points[:, 0] > 2.9) >= 50


def test_a_finished_run_is_validated_with_the_points_of_the_spec(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    monkeypatch.setattr("laaf_cli.runs.train.finish", lambda *arguments: seen.append(arguments))
    execute(plan_of(SYSTEM))
    plan, network, result, *_ = seen[0]
    objective = plan.make_objective(network, result.state.adaptive.points)
    with torch.no_grad():
        k = result.final.constants["k"]
        objective.constants.free["k"].fill_(k - 1)
    assert result.validation == pytest.approx(validate(objective, 400, 0), rel=1e-12)
    execute(
        plan_of(SYSTEM, "training.0.learning_rate=1e30", "equations.wave=u_t + exp(u)**9 = k*u_x")
    )
    assert seen[1][2].divergence is not None
    assert seen[1][2].validation == {}


def test_what_is_not_finite_is_left_out() -> None:
    objective = objective_of(plan_of(SYSTEM, "conditions.start.equation=u = log(x - 1 - u**2)"))
    assert set(validate(objective, 50, 0)) == {"wave", "left"}


def test_a_part_too_small_to_draw_in_gives_no_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    objective = objective_of(plan_of(SYSTEM, "points.importance=[{where: x > 2.9, share: 0.5}]"))
    monkeypatch.setattr("laaf_cli.problem.rejection.MAX_DRAWS", 0)
    assert validate(objective, 50, 0) == {}


@pytest.mark.parametrize(
    ("fresh", "trained", "warned"),
    [
        ({"e": FAR_ABOVE * 0.99, "c": 2.0}, {"e": 1.0, "c": 1.0}, []),
        ({"e": FAR_ABOVE * 1.01, "c": 2.0}, {"e": 1.0, "c": 1.0}, ["e"]),
        ({"e": 0.5, "c": 0.1}, {"e": 0.0, "c": 1e-3}, ["e", "c"]),
        ({"e": 0.0, "c": 0.0}, {"e": 0.0, "c": 0.0}, []),
        ({"e": 100 * NEGLIGIBLE * 0.99}, {"e": 1e-20, "c": 1.0}, []),
        ({"e": 100 * NEGLIGIBLE * 1.01}, {"e": 1e-20, "c": 1.0}, ["e"]),
        ({}, {"e": 1.0}, []),
    ],
)
def test_far_above(fresh: dict[str, float], trained: dict[str, float], warned: list[str]) -> None:
    assert far_above(fresh, trained, {"e": 100.0, "c": 1.0}) == warned


@pytest.mark.parametrize(("interior", "warned"), [(10, ["poisson"]), (500, [])])
def test_too_few_points_are_distinguished_from_enough(interior: int, warned: list[str]) -> None:
    changes = (
        f"points.interior={interior}",
        "conditions.edge.points=50",
        "network.hidden=[10,10]",
        "device=cpu",
    )
    plan = plan_of(bundled.find("poisson").content, *changes, "training.0.iterations=300")
    objective = objective_of(plan)
    result = Trainer(objective, plan.phases).train()
    fresh = validate(objective, plan.spec.points.validation, plan.spec.seed)
    assert far_above(fresh, result.final.terms, result.records[0].terms) == warned
    assert all(math.isfinite(value) for value in fresh.values())
