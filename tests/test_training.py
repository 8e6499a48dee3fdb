"""Training: the loss by hand, its gradient, determinism, divergence, stopping, schedules, batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import plan_of

from laaf_cli.network.mlp import Mlp
from laaf_cli.runs.inspection import inspect
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.train import execute
from laaf_cli.training import (
    SCHEDULES,
    IterationRecord,
    LearningRate,
    StopReason,
    Trainer,
    TrainingResult,
)
from laaf_cli.training.stepper import Stepper

BURGERS = """
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
equations: {momentum: u_t + u*u_x = 0.05*u_xx}
conditions:
  initial: {where: t = 0, equation: u = -sin(pi*x), points: 20, weight: 3}
  walls: {where: boundary, equation: u = 0, points: 20}
points: {interior: 60}
network: {hidden: [8, 8]}
slopes: {kind: nlaaf, n: 5, recovery: {weight: 0.5}}
training: [{iterations: 12, learning_rate: 1e-2}]
dtype: float64
"""

SYSTEM = """
coordinates: {t: [0, 2]}
unknowns: [p, q]
equations: {a: p_t = q, b: q_t = -p}
conditions: {start: {where: t = 0, equation: [p = 1, q = 0], weight: 2}}
weights: {equations: {b: 0.25}}
points: {interior: 30}
network: {hidden: [6]}
dtype: float64
training: [{iterations: 5}]
"""


def train(plan: Plan, **more: object) -> tuple[TrainingResult, Mlp]:
    network = plan.make_network()
    objective = plan.make_objective(network, plan.problem.draw_points(plan.spec.seed))
    return Trainer(objective, plan.phases, **more).train(), network  # type: ignore[arg-type]


def history(result: TrainingResult) -> list[tuple[object, ...]]:
    return [
        (r.iteration, r.total, tuple(r.terms.values()), tuple(s.tobytes() for s in r.scales))
        for r in result.records
    ]


@pytest.mark.parametrize("engine", ["taylor", "nested"])
def test_loss_by_hand(engine: str) -> None:
    """J = mean r² + 3 mean(u + sin πx)² + mean u² + 0.5 S, written out with plain autograd."""
    from dataclasses import replace

    plan = replace(plan_of(BURGERS), engine_name=engine)
    network, points = plan.make_network(), plan.problem.draw_points(0)
    loss = plan.make_objective(network, points).evaluate()
    inside = torch.tensor(points["momentum"].points, requires_grad=True)
    u = network(inside)[:, 0]
    (gradient,) = torch.autograd.grad(u.sum(), inside, create_graph=True)
    (second,) = torch.autograd.grad(gradient[:, 0].sum(), inside, create_graph=True)
    residual = gradient[:, 1] + u * gradient[:, 0] - 0.05 * second[:, 0]
    start, walls = (torch.tensor(points[name].points) for name in ("initial", "walls"))
    terms = [
        residual.square().mean(),
        (network(start)[:, 0] + torch.sin(torch.pi * start[:, 0])).square().mean(),
        network(walls)[:, 0].square().mean(),
        1 / torch.stack([torch.exp(a.mean()) for a in network.slopes.values]).mean(),
    ]
    assert loss.names == ("momentum", "initial", "walls", "slope_recovery")
    torch.testing.assert_close(loss.values, torch.stack(terms).detach(), rtol=1e-12, atol=0)
    expected = terms[0] + 3 * terms[1] + terms[2] + 0.5 * terms[3]
    torch.testing.assert_close(loss.total, expected, rtol=1e-12, atol=0)
    parameters = list(network.parameters())
    for a, b in zip(
        *(torch.autograd.grad(total, parameters) for total in (loss.total, expected)), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_weights_of_equations_and_lists_of_equations() -> None:
    plan = plan_of(SYSTEM, "slopes.recovery=false")
    network, points = plan.make_network(), plan.problem.draw_points(0)
    loss = plan.make_objective(network, points).evaluate()
    values = dict(zip(loss.names, loss.values.tolist(), strict=True))
    p, q = network(torch.zeros(1, 1, dtype=torch.float64))[0].tolist()
    assert values["start"] == pytest.approx((p - 1) ** 2 + q**2)
    assert loss.total.item() == pytest.approx(
        values["a"] + 0.25 * values["b"] + 2 * values["start"]
    )


@pytest.mark.parametrize("kind", ["fixed", "gaaf", "llaaf", "nlaaf"])
def test_gradcheck_of_the_total_loss(kind: str) -> None:
    plan = plan_of(BURGERS, f"slopes.kind={kind}", "network.hidden=[3,2]", "points.interior=5")
    network = plan.make_network()
    objective = plan.make_objective(network, plan.problem.draw_points(0))
    names = [name for name, _ in network.named_parameters()]
    start = [parameter.detach().clone().requires_grad_() for parameter in network.parameters()]

    def total(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(
            _Total(objective),
            {f"objective_network.{n}": v for n, v in zip(names, values, strict=True)},
            (),
        )

    assert torch.autograd.gradcheck(total, start, eps=1e-6, atol=1e-8)


class _Total(torch.nn.Module):
    def __init__(self, objective: object) -> None:
        super().__init__()
        self.objective = objective
        self.objective_network = objective.network  # type: ignore[attr-defined]

    def forward(self) -> torch.Tensor:
        return self.objective.evaluate().total  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", ["null", "16"])
def test_same_seed_same_history_bit_for_bit(dtype: str, batch: str) -> None:
    changes = (
        f"dtype={dtype}",
        f"training.0.batch={batch}",
        "network.hidden=[20,20]",
        "points.interior=3000",
    )
    first, second = (history(train(plan_of(BURGERS, *changes))[0]) for _ in range(2))
    assert first == second
    other = history(train(plan_of(BURGERS, *changes, "seed=1"))[0])
    assert other[0][1] != first[0][1]


def test_every_kind_starts_with_the_same_loss() -> None:
    losses = [inspect(plan_of(BURGERS, f"slopes.kind={k}", "slopes.recovery=false")) for k in ("fixed", "gaaf", "llaaf", "nlaaf")]  # fmt: skip
    for found in losses:
        assert found.start_loss == pytest.approx(losses[0].start_loss, rel=1e-13)


def test_training_moves_every_parameter_and_lowers_the_loss() -> None:
    plan = plan_of(BURGERS, "training.0.iterations=200")
    before = [p.detach().clone() for p in plan.make_network().parameters()]
    result, network = train(plan)
    assert result.stop_reason is StopReason.COMPLETED
    assert result.iterations == 200
    assert result.final.total < 0.5 * result.records[0].total
    moved = [
        bool((p.detach() != b).all()) for p, b in zip(network.parameters(), before, strict=True)
    ]
    assert all(moved), "every weight, bias and slope has a gradient"


def test_one_step_of_adam_by_hand() -> None:
    """The first step of Adam is learning rate × the sign of the gradient, for slopes as for weights."""
    plan = plan_of(BURGERS, "training.0.iterations=1", "training.0.learning_rate=1e-3")
    before = [p.detach().clone() for p in plan.make_network().parameters()]
    _, network = train(plan)
    for parameter, old in zip(network.parameters(), before, strict=True):
        torch.testing.assert_close(
            (parameter.detach() - old).abs(), torch.full_like(old, 1e-3), rtol=1e-3, atol=0
        )


def test_records_cover_start_and_end() -> None:
    seen: list[IterationRecord] = []
    result, _ = train(plan_of(BURGERS), on_record=seen.append, monitor=lambda _network: 0.5)
    assert [r.iteration for r in result.records] == list(range(13))
    assert seen[-1].iteration == 12
    assert result.final.relative_l2 == 0.5
    assert all(s.shape == (8,) for s in result.final.scales)


def test_divergence_names_the_term_and_keeps_the_last_good_state() -> None:
    plan = plan_of(
        BURGERS, "training.0.learning_rate=1e30", "equations.momentum=u_t + exp(u)**9 = u_xx"
    )
    result, network = train(plan)
    assert result.stop_reason is StopReason.DIVERGED
    assert result.divergence is not None
    assert str(result.divergence).startswith(
        "the loss term 'momentum' became inf at iteration 1, in phase 0 (adam)"
    )
    assert result.iterations == 0
    assert math.isfinite(result.final.total)
    for parameter, start in zip(
        network.parameters(), plan.make_network().parameters(), strict=True
    ):
        assert torch.equal(parameter, start)


def test_divergence_by_the_very_last_step() -> None:
    plan = plan_of(
        BURGERS,
        "training=[{iterations: 1, learning_rate: 1e30}]",
        "equations.momentum=u_t + exp(u)**9 = u_xx",
    )
    result, _ = train(plan)
    assert result.stop_reason is StopReason.DIVERGED
    assert result.iterations == 0
    assert math.isfinite(result.final.total)


def test_divergence_at_the_start() -> None:
    result, _ = train(plan_of(BURGERS, "equations.momentum=u_t + log(u - 100) = u_xx"))
    assert result.stop_reason is StopReason.DIVERGED
    assert "'momentum' is nan at iteration 0, before any training" in str(result.divergence)


def test_stop_request_ends_cleanly() -> None:
    asked = iter([False] * 5 + [True])
    result, _ = train(plan_of(BURGERS), should_stop=lambda: next(asked))
    assert result.stop_reason is StopReason.INTERRUPTED
    assert result.iterations == 5
    assert result.final.iteration == 5


def test_time_limits(ticking: Callable[[float], None]) -> None:
    ticking(0.01)
    plan = plan_of(BURGERS, "training=[{iterations: 1000000, max_seconds: 0.2}, {iterations: 3}]")
    result, _ = train(plan)
    assert result.stop_reason is StopReason.COMPLETED
    assert result.phase == 1
    assert 3 < result.iterations < 30
    whole, _ = train(plan, max_seconds=0.05)
    assert whole.stop_reason is StopReason.MAX_SECONDS
    assert whole.phase == 0
    assert 0.05 <= whole.wall_time_s < 0.1


@pytest.mark.parametrize(("overtime", "most"), [(False, 1.0), (True, 1.5)])
def test_overtime_ends_with_the_seconds_of_the_run(
    ticking: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, overtime: bool, most: float
) -> None:
    """A stepper that is never late before takes all that it may."""
    asked = set[float]()

    def is_late(_: Stepper, share: float, most: float) -> bool:
        asked.add(round(most, 1))
        return share >= most

    monkeypatch.setattr(Stepper, "is_late", is_late)
    plan = plan_of(BURGERS, "training=[{iterations: 1000000, max_seconds: 0.2}]")
    phase = replace(plan.phases[0], overtime=overtime)
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    ticking(0.001)
    result = Trainer(objective, [phase], max_seconds=0.3).train()
    assert asked == {most}
    assert 0.2 * most <= result.wall_time_s < 0.2 * most + 0.01


@pytest.mark.parametrize(
    ("name", "settings", "rates"),
    [
        ("constant", {}, [0.5, 0.5, 0.5]),
        ("exponential", {"factor": 0.25, "every": 10}, [0.5, 0.25, 0.125]),
        ("step", {"factor": 0.1, "every": 6}, [0.5, 0.5, 0.05]),
        ("cosine", {"final": 0.2}, [0.5, 0.3, 0.1]),
    ],
)
def test_schedules_by_hand(name: str, settings: dict[str, float], rates: list[float]) -> None:
    law = LearningRate(first=0.5, n_iterations=10, **settings)  # type: ignore[arg-type]
    assert [SCHEDULES[name].rate(law, i) for i in (0, 5, 10)] == pytest.approx(rates)


def test_schedule_reaches_the_optimizer() -> None:
    result, _ = train(plan_of(BURGERS, "training.0.schedule={kind: step, factor: 0.5, every: 4}"))
    rates = [record.learning_rate for record in result.records]
    assert rates[:12] == pytest.approx([1e-2] * 4 + [5e-3] * 4 + [2.5e-3] * 4)


def test_batches_are_drawn_again_and_without_repetition() -> None:
    plan = plan_of(BURGERS)
    objective = plan.make_objective(plan.make_network(), plan.problem.draw_points(0))
    losses = [objective.evaluate(i, batch=10).total.item() for i in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]
    assert objective.evaluate(0, batch=10_000).total.item() == objective.evaluate(0).total.item()
    batch = objective.groups[0].batch(60 - 1, np.random.default_rng(0))
    assert len({tuple(point) for point in batch.points.tolist()}) == 59


def test_residuals_far_from_the_origin_keep_their_digits_in_float32() -> None:
    """With u = 0 the residual is −sin(…), whose mean square is known."""
    far = """
coordinates: {x: [1000000, 1000002]}
unknowns: [u]
equations: {e: u = sin(pi*(x - 1000000))}
points: {interior: 1000, sampler: grid}
"""
    plan = plan_of(far)
    network = plan.make_network()
    with torch.no_grad():
        network.weights[-1].zero_()
    objective = plan.make_objective(network, plan.problem.draw_points(0))
    expected = np.mean(np.sin(np.pi * np.linspace(0, 2, 1000)) ** 2)
    assert objective.evaluate().values[0].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.cuda
def test_cuda_follows_the_cpu() -> None:
    totals = [
        [r.total for r in train(plan_of(BURGERS, f"device={d}"))[0].records]
        for d in ("cpu", "cuda")
    ]
    assert totals[0] == pytest.approx(totals[1], rel=1e-8)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "ssbroyden", "levenberg-marquardt"])
def test_a_residual_that_depends_on_nothing_has_no_gradient(optimizer: str) -> None:
    plan = plan_of(f"""
coordinates: {{x: [0, 1]}}
unknowns: [u]
equations: {{step: "where(u_x > 1e9, u, 0) = 1"}}
conditions: {{left: {{where: x = 0, equation: "where(u > 1e9, u, 0) = 2"}}}}
reference: none
points: {{interior: 5, validation: 2}}
network: {{hidden: [3]}}
slopes: {{kind: fixed}}
weights: {{balance: grad-norm}}
training: [{{optimizer: {optimizer}, iterations: 2}}]
""")
    assert execute(plan).summary.total == pytest.approx(5)
