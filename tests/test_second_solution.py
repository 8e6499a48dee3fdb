"""The estimate of the error by a second solution: near the error, where residuals are not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import plan_of

from laaf_cli.references import Reference, ReferenceValues
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.session import verdict
from laaf_cli.runs.train import execute
from laaf_cli.training import Objective, Trainer, second_solution
from laaf_cli.training.least_squares.gauss_newton import GaussNewton
from laaf_cli.training.least_squares.second_solution import SHIFT, TURN, _moved

PLANE = """
coordinates: {x: [0, 3], y: [0, 2]}
unknowns: [u]
equations: {poisson: "u_xx + u_yy = -8*sin(2*x)*cos(2*y)"}
conditions: {sides: {where: boundary, equation: u = sin(2*x)*cos(2*y)}}
reference: {exact: {u: sin(2*x)*cos(2*y)}}
evaluation: {grid: {x: 21, y: 21}}
training: [{optimizer: least-squares, features: 50, interior: 200}]
"""

GROWTH = """
coordinates: {t: [0, 12]}
unknowns: [u]
equations: {departure: "u_t = u + 3e-9*exp(t) + 2*cos(3*t)"}
conditions: {start: {where: t = 0, equation: u = -0.2}}
reference: {exact: {u: "3e-9*t*exp(t) + 0.2*(3*sin(3*t) - cos(3*t))"}}
training: [{optimizer: least-squares, windows: 8, features: 12}]
"""

SYSTEM = """
coordinates: {x: [0, 5000]}
unknowns: [p, w]
equations: {balance: p_x = -2e-3*p + 10*w, flux: w_x = -1e-7*p*sin(x/500)}
conditions: {left: {where: x = 0, equation: p = 1e5}, right: {where: x = 5000, equation: w = 3}}
reference: auto
training: [{optimizer: least-squares, features: 14}]
"""

NOISE = """
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: 1.0}
equations: {diffusion: k*u_xx = -4}
conditions: {ends: {where: boundary, equation: u = 0}}
data: {target: {u: 2*x*(1 - x)}, points: 60, noise: 0.1}
reference: {exact: {u: 2*x*(1 - x)}}
training: [{optimizer: least-squares, features: 40}]
"""


def error_and_estimate(yaml: str, seed: int) -> tuple[float, float]:
    """Of the same training, with its reference and without."""
    measured = plan_of(yaml, f"seed={seed}")
    told = execute(replace(measured, reference=None, goal=1e-4)).summary
    assert told.relative_l2 is None
    assert told.estimated_by == "a second solution"
    assert told.estimate is not None
    assert verdict(told, 1e-4).endswith(f"{told.estimate:.1e}, by a second solution (goal 0.0001)")
    return execute(measured).summary.error, told.estimate


class Rough(Reference):
    """The truth of `PLANE`, wrong by so much, which it says or not."""

    method = "rough"

    def __init__(self, wrong: float, says: float) -> None:
        self.wrong, self.says = wrong, says

    def evaluate(self, points: np.ndarray) -> ReferenceValues:
        x, y = points.T
        return ReferenceValues(
            {"u": np.sin(2 * x) * np.cos(2 * y) + self.wrong}, {"u": self.says}, 0.0
        )


@pytest.mark.parametrize(
    ("wrong", "says", "goal", "is_measured"),
    [(1e-3, 2e-3, 1e-4, False), (1e-3, 1e-5, 1e-4, True), (1e-3, 2e-3, 1e-2, True),
     (1e-3, 2e-3, 1e-12, True)],
    ids=["it hides the error", "it is certain", "it is good enough", "neither meets the goal"],
)  # fmt: skip
def test_a_reference_that_is_less_certain_than_the_solution(
    wrong: float, says: float, goal: float, is_measured: bool, tmp_path: Path
) -> None:
    """The second solution is asked where the goal is missed within the reference's own error."""
    plan = plan_of(PLANE, "training.0.features=120")
    finished = execute(replace(plan, reference=Rough(wrong, says), goal=goal))
    told = finished.summary
    assert (told.relative_l2 is not None) == is_measured
    assert told.error_or_estimate <= goal or (is_measured and told.error > goal)
    finished.save(tmp_path / "run.h5")
    sentence = verdict(told, goal)
    assert sentence.startswith("solved" if told.error_or_estimate <= goal else "not solved")
    assert ("by a second solution" in sentence) == (not is_measured)


CHANNEL = """
coordinates: {x: [0, 2], y: [0, 1]}
unknowns: [u, v, p]
equations:
  along: p_x = 0.1*(u_xx + u_yy)
  across: p_y = 0.1*(v_xx + v_yy)
  mass: u_x + v_y = 0
conditions:
  walls: {where: [y = 0, y = 1], equation: [u = 0, v = 0]}
  inflow: {where: x = 0, equation: [u = 4*y*(1 - y), v = 0]}
  outflow: {where: x = 2, equation: [p = 0, v = 0]}
reference: none
evaluation: {grid: {x: 11, y: 11}}
training: [{optimizer: least-squares, features: 60}]
"""


def test_an_unknown_that_is_zero_is_measured_by_what_it_could_be() -> None:
    told = execute(replace(plan_of(CHANNEL), goal=1e-4))
    assert told.summary.estimate is not None
    assert told.summary.estimate < 1e-4
    assert np.abs(told.record.solution.fields["v"]).max() < 1e-4


def solved(plan: Plan) -> Objective:
    """What a training of the plan leaves."""
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    Trainer(objective, plan.phases).train()
    return objective


@pytest.mark.parametrize("yaml", [PLANE, GROWTH, SYSTEM], ids=["plane", "growth", "system"])
def test_is_near_the_error(yaml: str) -> None:
    """In windows of time that hand on errors, which grow there, and in unknowns of any units as
    well.
    """
    ratios = [
        estimate / error for error, estimate in (error_and_estimate(yaml, k) for k in (0, 1, 2))
    ]
    assert 0.5 < math.prod(ratios) ** (1 / 3) < 5
    assert min(ratios) > 0.1


def test_sees_what_noise_makes_of_the_solution() -> None:
    """Of which residuals, as large as the noise, say nothing."""
    errors, estimates = zip(*(error_and_estimate(NOISE, seed) for seed in range(3)), strict=True)
    assert max(errors) < 0.05
    assert 0.3 < math.prod(np.divide(estimates, errors)) ** (1 / 3) < 3


@torch.no_grad()
@pytest.mark.parametrize("kind", ["{kind: nlaaf, n: 5}", "{kind: llaaf, n: 2}", "{kind: fixed}"])
def test_neurons_move_by_less_than_their_width(kind: str) -> None:
    network = solved(plan_of(PLANE, f"slopes={kind}")).network
    moved = _moved(network, np.random.default_rng(0))
    (before, bias), (after, other) = network.layers()[0], moved.layers()[0]
    assert float((after / before).std()) == pytest.approx(TURN, rel=0.3)
    through = -bias[:, None] * before / before.square().sum(1, keepdim=True)
    shifts = (after * through).sum(1) + other
    assert 0.9 * SHIFT < float(shifts.abs().max()) <= SHIFT * (1 + 1e-9)
    assert torch.equal(torch.cat(network.slopes.scales()), torch.cat(moved.slopes.scales()))


@torch.no_grad()
def test_is_like_the_first_where_it_was_solved() -> None:
    """In the same windows, and nothing of the first is changed."""
    objective = solved(plan_of(GROWTH))
    network, t = objective.network, torch.linspace(0, 12, 50, dtype=torch.float64)[:, None]
    before = network(t)
    second = second_solution(objective, 1e-6)
    assert second is not None
    assert second.network.ends == network.ends
    assert torch.equal(network(t), before)
    assert 0 < float((second.network(t) - before).norm()) < 1e-2 * float(before.norm())


def test_residuals_stand_where_no_step_leads_away(monkeypatch: pytest.MonkeyPatch) -> None:
    objective = solved(plan_of(PLANE))
    monkeypatch.setattr(GaussNewton, "step", lambda *_: False)
    assert second_solution(objective, 1e-6) is None
    told = execute(replace(plan_of(PLANE), reference=None, goal=1e-4)).summary
    assert told.estimated_by == "residuals"


def test_factorisations_take_a_quarter_of_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set[int]()
    step = GaussNewton.step

    def spy(self: GaussNewton, goal: float, enough: float) -> bool:
        seen.add(torch.get_num_threads())
        return step(self, goal, enough)

    monkeypatch.setattr(GaussNewton, "step", spy)
    torch.set_num_threads(8)
    plan = plan_of(PLANE)
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    result = Trainer(objective, plan.phases).train()
    assert seen == {2}
    seen.clear()
    assert second_solution(objective, result.estimate) is not None
    assert seen == {2}
    assert torch.get_num_threads() == 8
