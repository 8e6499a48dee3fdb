"""Loss balance: every rule against gradients and Jacobians written out, its limits, and what the history holds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from conftest import plan_of
from syrupy.assertion import SnapshotAssertion
from torch import Tensor

from laaf_cli.errors import SpecError
from laaf_cli.runs.plan import Plan
from laaf_cli.spec import BalanceSpec
from laaf_cli.training import BALANCES, RESAMPLERS, Objective, StopReason, Trainer
from laaf_cli.training.balance import (
    MAX_FACTOR,
    N_PROBES,
    BalanceState,
    TermRows,
    causal_weights,
    grad_norm,
    kernel_traces,
)

BURGERS = """
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
equations: {momentum: u_t + u*u_x = 0.05*u_xx}
conditions:
  initial: {where: t = 0, equation: u = -sin(pi*x), points: 12, weight: 3}
  walls: {where: boundary, equation: u = 0, points: 8}
weights: {equations: {momentum: 0.5}}
points: {interior: 40}
network: {hidden: [5, 4]}
slopes: {kind: nlaaf, n: 5, recovery: {weight: 0.5}}
training: [{iterations: 12, learning_rate: 1e-2}]
dtype: float64
"""

INVERSE = """
coordinates: {t: [0, 2]}
unknowns: [p, q]
learn: {k: {start: 1, positive: true}}
equations: {a: p_t = k*q, b: q_t = -p}
conditions: {start: {where: t = 0, equation: [p = 1, q = 0]}}
data: {target: {p: cos(t)}, points: 5, weight: 2}
weights: {equations: {b: 0.25}}
points: {interior: 30}
network: {hidden: [6]}
training: [{iterations: 7}]
"""


def objective_of(plan: Plan) -> Objective:
    return plan.make_objective(plan.make_network(), plan.draw_points())


def residuals_by_hand(objective: Objective) -> dict[str, Tensor]:
    """The residuals of BURGERS at the points of training, by plain autograd."""
    network, points = objective.network, objective.points
    inside = torch.tensor(points["momentum"].points, requires_grad=True)
    u = network(inside)[:, 0]
    (gradient,) = torch.autograd.grad(u.sum(), inside, create_graph=True)
    (second,) = torch.autograd.grad(gradient[:, 0].sum(), inside, create_graph=True)
    start, walls = (torch.tensor(points[name].points) for name in ("initial", "walls"))
    return {
        "momentum": gradient[:, 1] + u * gradient[:, 0] - 0.05 * second[:, 0],
        "initial": network(start)[:, 0] + torch.sin(torch.pi * start[:, 0]),
        "walls": network(walls)[:, 0],
    }


def gradient(objective: Objective, value: Tensor) -> Tensor:
    """With respect to all weights, biases and slopes, in one vector."""
    parameters = list(objective.network.parameters())
    parts = torch.autograd.grad(
        value, parameters, retain_graph=True, materialize_grads=True, allow_unused=True
    )
    return torch.cat([part.ravel() for part in parts])


def burgers(method: str, **settings: object) -> Objective:
    more = "".join(f", {key}: {value}" for key, value in settings.items())
    return objective_of(plan_of(BURGERS, f"weights.balance={{method: {method}{more}}}"))


def gradients_by_hand(objective: Objective) -> dict[str, Tensor]:
    return {
        name: gradient(objective, residual.square().mean())
        for name, residual in residuals_by_hand(objective).items()
    }


def test_lr_annealing_by_hand() -> None:
    """λ ← m λ + (1 − m) max|∇ 0.5 L_r| / mean|∇L_i|, and the equations keep their weight."""
    objective = burgers("lr-annealing", momentum=0.7)
    found = gradients_by_hand(objective)
    largest = (0.5 * found["momentum"]).abs().max()
    expected = {
        name: 0.7 + 0.3 * float(largest / found[name].abs().mean()) for name in ("initial", "walls")
    }
    objective.rebalance(0, None, 1e-3)
    assert objective.factors == pytest.approx({"momentum": 1.0, **expected}, rel=1e-9)
    objective.rebalance(100, None, 1e-3)
    again = {name: 0.7 * factor + 0.3 * (factor - 0.7) / 0.3 for name, factor in expected.items()}
    assert objective.factors == pytest.approx({"momentum": 1.0, **again}, rel=1e-9)
    weights = {
        "momentum": 0.5,
        "initial": 3 * again["initial"],
        "walls": again["walls"],
        "slope_recovery": 0.5,
    }
    assert objective.evaluate().effective_weights() == pytest.approx(weights, rel=1e-9)


def test_grad_norm_by_hand() -> None:
    objective = burgers("grad-norm", momentum=0)
    norms = {name: float(found.norm()) for name, found in gradients_by_hand(objective).items()}
    objective.rebalance(0, None, 1e-3)
    assert objective.factors == pytest.approx(
        {name: sum(norms.values()) / norms[name] for name in norms}, rel=1e-9
    )
    scaled = {name: factor * norms[name] for name, factor in objective.factors.items()}
    assert scaled == pytest.approx(dict.fromkeys(norms, sum(norms.values()))), "one norm for all"


class _EverySign:
    """In place of a random stream: the rows of all vectors of ±1, one after another, so that a mean is exact."""

    def __init__(self, n: int) -> None:
        self.rows = itertools.cycle(itertools.product((-1.0, 1.0), repeat=n))

    def choice(self, _values: list[float], size: int) -> np.ndarray:
        row = np.array(next(self.rows))
        assert len(row) == size
        return row


def moment_of(objective: Objective, residuals: dict[str, Tensor], **more: object) -> BalanceState:
    settings: dict[str, object] = {
        "settings": objective.balance,
        "blocks": lambda: [{name: TermRows(rows, slice(None)) for name, rows in residuals.items()}],
        "sizes": {name: (1, len(rows)) for name, rows in residuals.items()},
        "equations": objective.equations,
        "weights": {name: term.weight for name, term in objective.terms.items()},
        "factors": objective.factors,
        "parameters": list(objective.network.parameters()),
        "steps": 1,
        "learning_rate": 1e-3,
        "random": np.random.default_rng(0),
    }
    return BalanceState(**{**settings, **more})  # type: ignore[arg-type]


def test_kernel_traces_against_explicit_jacobians(monkeypatch: pytest.MonkeyPatch) -> None:
    """tr J Jᵀ of r/√n; Hutchinson's estimator is exact over all sign vectors."""
    objective = burgers("ntk")
    for name, residual in residuals_by_hand(objective).items():
        scaled = residual[:5] / math.sqrt(5)
        jacobian = torch.stack([gradient(objective, value) for value in scaled])
        monkeypatch.setattr("laaf_cli.training.balance.N_PROBES", 2**5)
        found = kernel_traces(moment_of(objective, {name: scaled}, random=_EverySign(5)))
        assert found[name] == pytest.approx(float((jacobian @ jacobian.T).trace()), rel=1e-10)


def test_ntk_factors_from_the_traces() -> None:
    """λ_i = tr K / tr K_i; of one residual a single probe is exact, whatever its sign."""
    one = (
        "points.interior=1",
        "conditions.initial.points=1",
        "conditions.walls={at: {x: 1, t: 0.5}, equation: u = 0}",
    )
    objective = objective_of(
        plan_of(BURGERS, *one, "weights.balance={method: ntk, momentum: 0.25}")
    )
    traces = {
        name: float(gradient(objective, residual.sum()).square().sum())
        for name, residual in residuals_by_hand(objective).items()
    }
    objective.rebalance(0, None, 1e-3)
    expected = {name: 0.25 + 0.75 * sum(traces.values()) / trace for name, trace in traces.items()}
    assert objective.factors == pytest.approx(expected, rel=1e-9)


def test_ntk_estimate_is_near_and_has_its_own_stream() -> None:
    objective, again = burgers("ntk", momentum=0), burgers("ntk", momentum=0)
    traces = {}
    for name, residual in residuals_by_hand(objective).items():
        jacobian = torch.stack([gradient(objective, value) for value in residual]) / math.sqrt(
            len(residual)
        )
        traces[name] = float(jacobian.square().sum())
    moment = moment_of(
        objective, {n: r / math.sqrt(len(r)) for n, r in residuals_by_hand(objective).items()}
    )
    many = [kernel_traces(moment) for _ in range(200 // N_PROBES)]
    for name, trace in traces.items():
        assert np.mean([found[name] for found in many]) == pytest.approx(trace, rel=0.35)
    objective.rebalance(100, None, 1e-3)
    again.rebalance(0, None, 1e-3)
    assert objective.factors != again.factors
    again.rebalance(100, None, 1e-3)
    assert objective.factors == again.factors, "without momentum, from the iteration alone"


def test_self_adaptive_by_hand() -> None:
    """λ ← λ + steps · η W L; nothing before the first step."""
    objective = burgers("self-adaptive", every=20)
    values = {
        name: float(r.square().mean().detach()) for name, r in residuals_by_hand(objective).items()
    }
    objective.rebalance(0, None, 1e-2)
    assert set(objective.factors.values()) == {1.0}
    objective.rebalance(20, None, 1e-2)
    weights = {"momentum": 0.5, "initial": 3, "walls": 1}
    expected = {name: 1 + 20 * 1e-2 * weights[name] * values[name] for name in values}
    assert objective.factors == pytest.approx(expected, rel=1e-12)


def test_causal_weights_by_hand() -> None:
    """Means of the slices are 2.5, 0 (no points), 4: the weights 1, e^(−ε 2.5), e^(−ε 2.5), e^(−ε 6.5)."""
    settings = BalanceSpec(method="causal", epsilon=0.1, slices=4)
    squares = torch.tensor([4.0, 2.0, 3.0, 7.0, 4.0], dtype=torch.float64, requires_grad=True)
    slices = torch.tensor([2, 0, 0, 3, 2])
    weights = causal_weights(squares, slices, settings)
    assert weights.tolist() == pytest.approx(
        [math.exp(-0.25), 1, 1, math.exp(-0.65), math.exp(-0.25)], rel=1e-12
    )
    assert not weights.requires_grad
    small = settings.model_copy(update={"epsilon": 1e-13})
    assert causal_weights(squares, slices, small).tolist() == pytest.approx([1] * 5, rel=1e-11)
    large = causal_weights(squares * 1e300 * 1e10, slices, settings)
    assert large.tolist() == [0, 1, 1, 0, 0], "an infinite residual is no NaN"


@pytest.mark.parametrize("batch", [None, 25])
def test_causal_loss_by_hand(batch: int | None) -> None:
    objective = burgers("causal", epsilon=5, slices=4)
    loss = objective.evaluate(3, batch)
    (group, part), *_ = objective._batches(3, batch)
    assert group.terms[0].name == "momentum"
    with torch.no_grad():
        fields = group.engine.evaluate(part.prepared)
        (squares,) = group.squares_at(part, fields, {}, objective.backend)["momentum"]
    slices = np.floor(part.points[:, 1].numpy() * 4).astype(int)
    means = np.array([0.5 * squares.numpy()[slices == k].mean() for k in range(4)])
    weights = np.exp(-5 * (np.cumsum(means) - means))
    assert np.all(np.diff(weights) <= 0)
    assert weights[-1] < 0.9
    rows = weights[slices]
    values = loss.values.tolist()
    assert values[0] == pytest.approx(float(squares.mean())), "terms are told without weights"
    expected = (
        0.5 * float(np.mean(rows * squares.numpy())) + 3 * values[1] + values[2] + 0.5 * values[3]
    )
    assert loss.total.item() == pytest.approx(expected, rel=1e-12)
    effective = {"momentum": 0.5 * rows.mean(), "initial": 3, "walls": 1, "slope_recovery": 0.5}
    assert loss.effective_weights() == pytest.approx(effective, rel=1e-12)


def test_causal_weights_of_a_problem_that_runs_back_fall_towards_the_start() -> None:
    plan = plan_of("""
coordinates: {x: [0, 1], t: [1, 2]}
unknowns: [u]
equations: {adjoint: -u_t = u_xx}
conditions:
  end: {where: t = 2, equation: u = sin(pi*x)}
  ends: {where: boundary, equation: u = 0}
points: {interior: 200}
network: {hidden: [5]}
weights: {balance: {method: causal, epsilon: 5, slices: 4}}
reference: none
""")
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    (group, part), *_ = objective._batches(0, None)
    with torch.no_grad():
        fields = group.engine.evaluate(part.prepared)
        squares = group.squares_at(part, fields, {}, objective.backend)
    weights = objective._point_weights(group, part, squares)
    assert weights is not None
    in_time = torch.argsort(part.points[:, 1])
    assert torch.all(torch.diff(weights[in_time]) >= 0)
    assert weights[in_time[0]] < weights[in_time[-1]] == 1


def test_causal_gradient_takes_the_weights_as_constants() -> None:
    objective = burgers("causal", epsilon=5, slices=4)
    residuals = residuals_by_hand(objective)
    squares = residuals["momentum"].square()
    slices = (torch.tensor(objective.points["momentum"].points[:, 1]) * 4).long()
    weights = causal_weights(0.5 * squares, slices, objective.balance)
    total = 0.5 * (weights * squares).mean() + 3 * residuals["initial"].square().mean()
    total = total + residuals["walls"].square().mean()
    total = (
        total
        + 0.5 / torch.stack([torch.exp(a.mean()) for a in objective.network.slopes.values]).mean()
    )
    torch.testing.assert_close(
        gradient(objective, objective.evaluate().total),
        gradient(objective, total),
        rtol=1e-9,
        atol=1e-12,
    )


def test_causal_weights_of_a_system_are_those_of_the_sum() -> None:
    objective = objective_of(
        plan_of(INVERSE, "weights.balance={method: causal, epsilon: 3}", "dtype=float64")
    )
    loss = objective.evaluate()
    size = objective.residual_size(objective.points["a"].points)
    slices = torch.tensor(objective.points["a"].points[:, 0] / 2 * 32).long()
    mean = float(causal_weights(torch.tensor(size**2), slices, objective.balance).mean())
    expected = {"a": mean, "b": 0.25 * mean, "start": 1, "data": 2, "slope_recovery": 1}
    assert mean < 1
    assert loss.effective_weights() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("method", ["lr-annealing", "grad-norm", "ntk"])
def test_a_gradient_that_vanishes_leaves_its_weight(method: str) -> None:
    """The squares of 1e-300 u are 0 in float64, as is their gradient."""
    change = "conditions.walls={where: boundary, equation: 1e-300*u = 0, points: 8}"
    objective = objective_of(plan_of(BURGERS, change, f"weights.balance={{method: {method}}}"))
    objective.rebalance(0, None, 1e-3)
    assert objective.factors["walls"] == 1
    assert all(math.isfinite(factor) and factor > 0 for factor in objective.factors.values())
    assert objective.factors["initial"] != 1


@pytest.mark.parametrize("method", [name for name, row in BALANCES.items() if row.update])
def test_values_that_are_not_finite_leave_the_weights(method: str) -> None:
    objective = burgers(method)
    with torch.no_grad():
        objective.network.biases[0].fill_(math.nan)
    objective.rebalance(100, None, 1e-3)
    assert set(objective.factors.values()) == {1.0}


@pytest.mark.parametrize("method", [name for name, row in BALANCES.items() if row.update])
def test_points_in_blocks_give_the_same_factors(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    whole = burgers(method)
    monkeypatch.setattr("laaf_cli.training.groups.MOST_AT_ONCE", 3)
    monkeypatch.setattr("laaf_cli.training.groups.POINTS_OF_A_BLOCK", 7)
    in_blocks = burgers(method)
    assert any(group.is_large for group in in_blocks.groups)
    for objective in (whole, in_blocks):
        objective.rebalance(100, None, 1e-3)
    assert in_blocks.factors == pytest.approx(whole.factors, rel=1e-11)
    assert set(whole.factors.values()) != {1.0}


def test_factors_are_bounded() -> None:
    objective = burgers("grad-norm", momentum=0)
    tiny, large = (scale * objective.network.biases[0].sum()[None] for scale in (1e-12, 1.0))
    found = grad_norm(moment_of(objective, {"walls": tiny + 1, "initial": large + 1}))
    assert found["walls"] == MAX_FACTOR
    assert found["initial"] == pytest.approx(1, rel=1e-9)


def test_an_earlier_setting_can_be_restored() -> None:
    objective = burgers("grad-norm")
    objective.rebalance(0, None, 1e-3)
    adaptive, total = objective.adaptive, objective.evaluate().total.item()
    objective.rebalance(100, None, 1e-3)
    assert objective.evaluate().total.item() != total
    objective.restore(adaptive)
    assert objective.evaluate().total.item() == total


@pytest.mark.parametrize("method", [name for name in BALANCES if name not in ("fixed", "causal")])
def test_updates_come_every_so_many_iterations(method: str) -> None:
    plan = plan_of(BURGERS, f"weights.balance={{method: {method}, every: 5}}")
    objective = objective_of(plan)
    records = Trainer(objective, plan.phases).train().records
    changed = [b.iteration for a, b in itertools.pairwise(records) if a.weights != b.weights]
    assert changed == [5, 10]
    spec = {"momentum": 0.5, "initial": 3, "walls": 1, "slope_recovery": 0.5}
    assert (records[0].weights == spec) == (method == "self-adaptive"), (
        "the others weigh at the start"
    )
    for record in records:
        assert record.weights["slope_recovery"] == 0.5
        total = sum(record.weights[name] * value for name, value in record.terms.items())
        assert record.total == pytest.approx(total, rel=1e-12)


def test_fixed_weights_are_those_of_the_spec() -> None:
    plan = plan_of(BURGERS)
    for record in Trainer(objective_of(plan), plan.phases).train().records:
        assert record.weights == {"momentum": 0.5, "initial": 3, "walls": 1, "slope_recovery": 0.5}


@pytest.mark.parametrize("resampler", list(RESAMPLERS))
@pytest.mark.parametrize("balance", list(BALANCES))
@pytest.mark.parametrize("batch", ["null", "10"])
def test_every_balance_goes_with_every_resampler(balance: str, resampler: str, batch: str) -> None:
    """Of a system with a learned constant, data, and mini-batches or none."""
    every = ", every: 2" if "every" in BALANCES[balance].keys else ""
    plan = plan_of(
        INVERSE,
        f"weights.balance={{method: {balance}{every}}}",
        f"points.resample={{every: 3, method: {resampler}}}",
        f"training.0.batch={batch}",
    )
    result = Trainer(objective_of(plan), plan.phases).train()
    assert result.stop_reason is StopReason.COMPLETED
    assert all(math.isfinite(record.total) for record in result.records)
    assert result.final.constants["k"] != 1
    assert result.final.weights.keys() == result.final.terms.keys()


def test_same_seed_same_history() -> None:
    changes = (
        "weights.balance={method: ntk, every: 2}",
        "points.resample={every: 3, method: rad}",
        "training.0.batch=10",
    )
    plan = plan_of(INVERSE, *changes)
    first, second = (Trainer(objective_of(plan), plan.phases).train().records for _ in range(2))
    assert [(r.total, r.weights) for r in first] == [(r.total, r.weights) for r in second]


FAULTS = [
    ["weights.balance=causal"],
    ["weights.balance={method: ntk, slices: 3}"],
    ["weights.balance=nkt"],
    ["weights.balance={method: casual}"],
    ["equations={}", "data={target: {u: x}, points: 5}", "weights.balance=lr-annealing"],
]


@pytest.mark.parametrize("changes", FAULTS)
def test_settings_that_do_not_fit(changes: list[str], snapshot: SnapshotAssertion) -> None:
    line = "coordinates: {x: [0, 1]}\nunknowns: [u]\nequations: {e: u_x = 1}\nconditions: {c: {where: x = 0, equation: u = 0}}\n"
    with pytest.raises(SpecError) as raised:
        plan_of(line, *changes)
    assert str(raised.value) == snapshot
