"""The Jacobian against autograd, and Levenberg-Marquardt phases: their steps, their ends, their resumption."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import torch
from conftest import plan_of
from fault_tables import message
from syrupy.assertion import SnapshotAssertion
from torch import Tensor

from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.train import execute
from laaf_cli.spec import Override, bundled
from laaf_cli.training import Objective, Trainer
from laaf_cli.training.jacobian import Jacobian
from laaf_cli.training.levenberg_marquardt import LevenbergMarquardt

KINDS = """
coordinates: {x: [-1, 2], t: [0, 2]}
unknowns: [u, v]
learn:
  k: {start: 0.5, positive: true}
  c: {start: -1, bounds: [-3, 2]}
  s: {start: 2}
equations:
  first: u_t + k*u*v_x = c*u_xx + sin(t)*v
  second: v_t - (1 + x**2)*v_xx + where(s > 1, s, 1)*u = x
conditions:
  start: {where: t = 0, equation: [u = s*x, v = 1], points: 9, weight: 4}
  both: {periodic: x, equation: [u - v, u_x + u*v], points: 5}
  mass: {integral: u*v + x, over: x, equals: k*t, points: 3}
  corner: {at: {x: 2, t: 1}, equation: u*v_x = c}
data: {target: {u: sin(x*t)}, points: 7, weight: 0.3}
transform: {u: (1 + t*x)*net_u + x}
points: {interior: 30}
weights: {balance: causal}
network: {hidden: [5, 7], activation: ACTIVATION}
slopes: {kind: SLOPES, n: 3}
reference: none
dtype: float64
"""


def objective_of(plan: Plan) -> Objective:
    """Slopes absorbed and weights of points held, as the phase finds it."""
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    objective.absorb_slopes()
    objective.hold_point_weights(True)
    objective.evaluate()
    return objective


def bundled_plan(name: str) -> Plan:
    sets = {
        ("points", "interior"): "11",
        ("network", "hidden"): "[4, 5]",
        ("dtype",): "float64",
        ("reference",): "none",
    }
    return make_plan(bundled.find(name), [Override(k, v, "") for k, v in sets.items()])


def by_autograd(objective: Objective) -> Tensor:
    """∂r/∂θ, a row at a time."""
    parameters = objective.parameters()
    return torch.stack(
        [
            torch.cat(
                [
                    part.flatten()
                    for part in torch.autograd.grad(
                        one, parameters, retain_graph=True, materialize_grads=True
                    )
                ]
            )
            for one in next(objective.residuals())
        ]
    )


def assert_is_that_of_autograd(objective: Objective) -> None:
    blocks = list(Jacobian(objective).blocks())
    residuals = torch.cat([block.residuals for block in blocks])
    jacobian, exact = torch.cat([block.jacobian for block in blocks]), by_autograd(objective)
    scale = exact.abs().max(dim=1, keepdim=True).values.clamp_min(1e-300)
    torch.testing.assert_close(
        residuals, next(objective.residuals()).detach(), rtol=1e-12, atol=1e-14
    )
    torch.testing.assert_close(jacobian / scale, exact / scale, rtol=0, atol=1e-12)
    loss = float(objective.evaluate().total.detach())
    assert float(residuals @ residuals) == pytest.approx(loss, rel=1e-12)
    normal = Jacobian(objective).normal_equations()
    torch.testing.assert_close(normal.gradient, exact.T @ residuals, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(
        normal.matrix.tril(), (exact.T @ exact).tril(), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize(
    ("activation", "slopes"), [("tanh", "nlaaf"), ("gelu", "fixed"), ("sin", "gaaf")]
)
def test_the_jacobian_of_every_kind_of_term_is_that_of_autograd(
    activation: str, slopes: str
) -> None:
    objective = objective_of(
        plan_of(KINDS.replace("ACTIVATION", activation).replace("SLOPES", slopes))
    )
    assert_is_that_of_autograd(objective)


@pytest.mark.parametrize(
    "name",
    [
        "kdv",
        "kuramoto-sivashinsky",
        "beam",
        "schrodinger",
        "kovasznay",
        "wave",
        "lorenz",
        "heat-2d",
    ],
)
def test_the_jacobian_of_bundled_problems_is_that_of_autograd(name: str) -> None:
    assert_is_that_of_autograd(objective_of(bundled_plan(name)))


# --- Steps -----------------------------------------------------------------------------------------------------------

POISSON = """
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {poisson: u_xx + (2*pi)**2*sin(2*pi*x) = 0}
conditions: {ends: {where: boundary, equation: u = 0}}
transform: {u: x*(1 - x)*net}
points: {interior: 60, sampler: sobol}
network: {hidden: [8, 8]}
slopes: {kind: nlaaf, n: 5}
training: [{optimizer: levenberg-marquardt, iterations: 60}]
reference: {exact: {u: sin(2*pi*x)}}
evaluation: {grid: {x: 101}}
dtype: float64
"""


def phase_of(plan: Plan) -> tuple[LevenbergMarquardt, Objective]:
    objective = objective_of(plan)
    return LevenbergMarquardt(objective), objective


def test_points_in_blocks_give_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(KINDS.replace("ACTIVATION", "tanh").replace("SLOPES", "nlaaf"))
    whole, _ = phase_of(plan)
    monkeypatch.setattr("laaf_cli.training.groups.MOST_AT_ONCE", 3)
    monkeypatch.setattr("laaf_cli.training.groups.POINTS_OF_A_BLOCK", 7)
    in_blocks, objective = phase_of(plan)
    assert len(list(objective.residuals())) > 5
    for stepper in (whole, in_blocks):
        for _ in range(3):
            assert stepper.advance(stepper.evaluate(0)) == ""
    torch.testing.assert_close(
        in_blocks.flat.position(), whole.flat.position(), rtol=1e-8, atol=1e-9
    )


def test_a_step_is_that_of_the_formulas() -> None:
    """v and a of dense matrices, r″ by forward differentiation along v."""
    stepper, objective = phase_of(plan_of(POISSON))
    stepper.advance(stepper.evaluate(0))
    before, damping = stepper.flat.position(), stepper.damping
    j, r = by_autograd(objective), next(objective.residuals()).detach()
    matrix = j.T @ j + damping * torch.eye(len(before))
    v = -torch.linalg.solve(matrix, j.T @ r)
    h = 1e-3
    sides = []
    for length in (h, -h):
        stepper.flat.move(before + length * v)
        sides.append(next(objective.residuals()).detach())
    second = (sides[0] - 2 * r + sides[1]) / h**2
    a = -torch.linalg.solve(matrix, j.T @ second)
    stepper.flat.move(before)
    stepper.advance(stepper.evaluate(1))
    step = stepper.flat.position() - before
    assert float((step - v).norm()) > 1e-2 * float(v.norm()), "the acceleration counts"
    assert float((step - v - a / 2).norm()) < 2e-3 * float(v.norm())


def test_it_goes_from_random_weights_to_many_digits_in_few_steps() -> None:
    assert execute(plan_of(POISSON)).summary.error < 1e-6


def test_where_the_network_can_meet_all_residuals_it_converges_faster_than_linearly() -> None:
    stepper, _ = phase_of(plan_of(POISSON, "points.interior=12", "points.resample=null"))
    values = []
    for i in range(40):
        loss = stepper.evaluate(i)
        values.append(float(loss.total))
        if stepper.advance(loss) or values[-1] < 1e-20:
            break
    fall = [b / a for a, b in pairwise(values)]
    assert values[-1] < 1e-20
    assert fall[-1] < 1e-4
    assert fall[-1] < fall[-2] < fall[-3]


def test_new_points_are_trained_on() -> None:
    histories, errors = [], []
    for sets in (["points.resample={every: 5}"], []):
        plan = plan_of(POISSON, "points.sampler=latin-hypercube", *sets)
        objective = plan.make_objective(plan.make_network(), plan.draw_points())
        histories.append(
            [record.total for record in Trainer(objective, plan.phases).train().records]
        )
        errors.append(execute(plan).summary.error)
    new, same = histories
    assert new[:5] == same[:5]
    assert new[5] != same[5]
    assert errors[0] < 1e-5


def test_it_tells_why_it_stalls_and_leaves_the_network_as_it_was() -> None:
    stepper, _ = phase_of(plan_of(POISSON, "dtype=float32"))
    for i in range(200):
        before = stepper.flat.position()
        if why := stepper.advance(stepper.evaluate(i)):
            break
    assert re.fullmatch(
        "no step of any damping lowers the loss any more: at .* what it changes is lost in the rounding of float32; "
        "dtype: float64 goes further",
        why,
    )
    torch.testing.assert_close(stepper.flat.position(), before, rtol=0, atol=0)


def test_networks_with_too_many_parameters_are_refused(snapshot: SnapshotAssertion) -> None:
    assert message(POISSON, ["network.hidden=[60, 60]"]) == snapshot
