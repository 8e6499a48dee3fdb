"""Resampling: the law that points are drawn by, what is renewed and what stays, and from which stream."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import plan_of
from scipy import stats
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import SpecError
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.train import execute
from laaf_cli.seeds import random_stream
from laaf_cli.training import RESAMPLERS, Objective, StopReason, Trainer, TrainingResult
from laaf_cli.training.resampling import Renewal, choose, density

BURGERS = """
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
equations: {momentum: u_t + u*u_x = 0.05*u_xx}
conditions:
  initial: {where: t = 0, equation: u = -sin(pi*x), points: 20}
  walls: {where: boundary, equation: u = 0, points: 20}
points: {interior: 60}
network: {hidden: [8, 8]}
training: [{iterations: 12, learning_rate: 1e-2}]
reference: none
dtype: float64
"""

SYSTEM = """
coordinates: {t: [0, 2]}
unknowns: [p, q]
learn: {k: {start: 1}}
equations: {a: p_t = k*q, b: q_t = -p}
conditions: {start: {where: t = 0, equation: [p = 1, q = 0]}}
data: {target: {p: cos(t)}, points: 5}
weights: {equations: {b: 0.25}}
points: {interior: 30}
network: {hidden: [6]}
dtype: float64
"""

# With u = 0 the residual is −x, whatever the training did not do.
RAMP = """
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {e: u = x}
points: {interior: 1500}
network: {hidden: [3]}
"""


def objective_of(plan: Plan) -> Objective:
    return plan.make_objective(plan.make_network(), plan.draw_points())


def ramp(*changes: str) -> Objective:
    objective = objective_of(plan_of(RAMP, *changes))
    with torch.no_grad():
        objective.network.weights[-1].zero_()
    return objective


def train(plan: Plan) -> tuple[TrainingResult, Objective]:
    objective = objective_of(plan)
    return Trainer(objective, plan.phases).train(), objective


@pytest.mark.parametrize(
    ("sizes", "power", "constant", "weights"),
    [
        ([0, 1, 3], 1, 1, [1, 1 + 3 / 4, 1 + 9 / 4]),
        ([0, 1, 3], 2, 0, [0, 1, 9]),
        ([1, 2], 0, 5, [1, 1]),
        ([0, 0], 2, 0, [1, 1]),
        ([math.nan, 1, math.inf, 1], 1, 1, [0, 1, 0, 1]),
        ([math.nan, math.nan], 1, 1, [1, 1]),
        ([1e200, 2e200], 4, 0, [1, 16]),
        ([1e-200, 2e-200], 4, 0, [1, 16]),
    ],
)
def test_density_by_hand(
    sizes: list[float], power: float, constant: float, weights: list[float]
) -> None:
    expected = np.array(weights) / sum(weights)
    np.testing.assert_allclose(
        density(np.array(sizes, dtype=float), power, constant), expected, rtol=1e-14
    )


def test_choices_have_the_frequencies_of_successive_draws() -> None:
    """P({i, j}) = p_i p_j / (1 − p_i) + p_j p_i / (1 − p_j)."""
    p, random, n = np.array([0.1, 0.2, 0.3, 0.4, 0.0]), np.random.default_rng(3), 20_000
    first = Counter(int(choose(p, 1, random)[0]) for _ in range(n))
    assert stats.chisquare([first[i] for i in range(4)], n * p[:4]).pvalue > 1e-3
    assert first[4] == 0, "what has no probability is not drawn"
    pairs = Counter(frozenset(choose(p, 2, random).tolist()) for _ in range(n))
    expected = {
        frozenset((i, j)): p[i] * p[j] * (1 / (1 - p[i]) + 1 / (1 - p[j]))
        for i in range(4)
        for j in range(i)
    }
    assert pairs.keys() == expected.keys()
    assert (
        stats.chisquare(
            [pairs[pair] for pair in expected], [n * q for q in expected.values()]
        ).pvalue
        > 1e-3
    )
    assert sorted(choose(p, 5, random).tolist()) == [0, 1, 2, 3, 4], "unless nothing else is left"


@pytest.mark.parametrize(("power", "constant"), [(2, 0), (1, 1)])
def test_rad_draws_by_the_residual(power: float, constant: float) -> None:
    """With |r| = x and many candidates, the density is xᵏ / mean xᵏ + c."""
    objective = ramp(
        f"points.resample={{every: 1, method: rad, power: {power}, constant: {constant}, candidates: 60}}"
    )
    objective.resample(7)
    x = objective.points["e"].points[:, 0]
    assert len(np.unique(x)) == 1500, "no candidate is drawn twice"
    cdf = lambda x: (x ** (power + 1) + constant * x) / (1 + constant)  # noqa: E731
    assert stats.kstest(x, cdf).pvalue > 0.01
    assert stats.kstest(x, "uniform").pvalue < 1e-6


def test_rar_d_adds_and_never_removes() -> None:
    objective = ramp(
        "points.interior=200",
        "points.resample={every: 1, method: rar-d, power: 2, constant: 0, add: 150}",
    )
    before = objective.points["e"].points
    objective.resample(1)
    after = objective.points["e"].points
    assert np.array_equal(after[:200], before)
    assert stats.kstest(after[200:, 0], lambda x: x**3).pvalue > 1e-3
    objective.resample(2)
    assert len(objective.points["e"]) == 500
    assert np.array_equal(objective.points["e"].points[:350], after)


def test_rar_d_adds_a_tenth_by_itself() -> None:
    plan = plan_of(BURGERS, "points.resample={every: 5, method: rar-d}")
    record = execute(plan).record
    assert len(record.checkpoint.points["momentum"]) == 60 + 2 * 6, (
        "the run file gets the points of the last step"
    )


@pytest.mark.parametrize("sampler", ["latin-hypercube", "sobol"])
def test_uniform_is_the_sampler_with_its_importance(sampler: str) -> None:
    importance = "points.importance=[{where: x > 0.9, share: 0.5}]"
    plan = plan_of(BURGERS, f"points.sampler={sampler}", importance, "points.resample={every: 4}")
    objective = objective_of(plan)
    objective.resample(4)
    region = plan.problem.terms[0].region
    expected = region.draw(plan.problem.domain, random_stream(0, "resample", "4")).points
    assert np.array_equal(objective.points["momentum"].points, expected)
    assert np.sum(expected[:, 0] > 0.9) >= 30


@pytest.mark.parametrize("method", list(RESAMPLERS))
def test_points_depend_on_the_seed_and_the_iteration_alone(method: str) -> None:
    change = f"points.resample={{every: 4, method: {method}}}"
    first, again, other = (
        objective_of(plan_of(BURGERS, change, f"seed={seed}")) for seed in (0, 0, 1)
    )
    again.network.load_state_dict(first.network.state_dict())
    other.network.load_state_dict(first.network.state_dict())
    for objective, iteration in ((first, 8), (again, 8), (other, 8)):
        objective.resample(iteration)
    points = first.points["momentum"].points
    assert np.array_equal(points, again.points["momentum"].points), (
        "an earlier renewal plays no part"
    )
    assert not np.array_equal(points, other.points["momentum"].points)
    again.restore(replace(again.adaptive, points=objective_of(plan_of(BURGERS, change)).points))
    again.resample(12)
    assert not np.array_equal(points, again.points["momentum"].points)
    domain = first.problem.domain
    assert np.all((points >= domain.lower) & (points <= domain.upper))


def test_only_the_points_of_the_equations_are_renewed() -> None:
    objective = objective_of(plan_of(SYSTEM, "points.resample={every: 1, method: rad}"))
    before = objective.points
    groups = list(objective.groups)
    objective.resample(1)
    after = objective.points
    assert after["a"] is after["b"]
    assert after["a"] is not before["a"]
    assert all(after[name] is before[name] for name in ("start", "data"))
    assert [a is b for a, b in zip(objective.groups, groups, strict=True)] == [False, True, True]
    assert objective.evaluate().names == ("a", "b", "start", "data", "slope_recovery")


@pytest.mark.parametrize("engine", ["taylor", "nested"])
def test_residual_of_a_system_by_hand(engine: str) -> None:
    """√(r_a² + 0.25 r_b²), with the present value of the learned constant."""
    objective = objective_of(replace(plan_of(SYSTEM), engine_name=engine))
    with torch.no_grad():
        objective.constants.free["k"].fill_(2.0)
    k = objective.constants.numbers()["k"]
    assert k == 3.0
    t = torch.linspace(0, 2, 25_000, dtype=torch.float64)[
        :, None
    ].requires_grad_()  # more than go at a time
    p, q = objective.network(t).unbind(1)
    p_t, q_t = (torch.autograd.grad(value.sum(), t, retain_graph=True)[0][:, 0] for value in (p, q))
    expected = ((p_t - k * q) ** 2 + 0.25 * (q_t + p) ** 2).sqrt().detach().numpy()
    np.testing.assert_allclose(objective.residual_size(t.detach().numpy()), expected, rtol=1e-9)


def test_loss_after_a_renewal_is_that_at_the_new_points() -> None:
    plan = plan_of(BURGERS, "points.resample={every: 1, method: rad}")
    objective = objective_of(plan)
    objective.resample(1)
    fresh = plan.make_objective(objective.network, objective.points)
    assert fresh.evaluate().total.item() == objective.evaluate().total.item()
    assert fresh.evaluate(3, batch=10).total.item() == objective.evaluate(3, batch=10).total.item()
    size = objective.residual_size(objective.points["momentum"].points)
    assert float(objective.evaluate().values[0]) == pytest.approx(np.mean(size**2), rel=1e-12)


def test_renewals_come_every_so_many_iterations_but_not_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Objective, "resample", lambda _self, iteration: seen.append(iteration))
    train(plan_of(BURGERS, "points.resample={every: 4}"))
    assert seen == [4, 8]
    train(plan_of(BURGERS))
    assert seen == [4, 8]


@pytest.mark.parametrize("batch", ["null", "16"])
def test_same_seed_same_history(batch: str) -> None:
    changes = ("points.resample={every: 3, method: rad}", f"training.0.batch={batch}")
    first, second = (train(plan_of(BURGERS, *changes))[0] for _ in range(2))
    assert [r.total for r in first.records] == [r.total for r in second.records]
    without = train(plan_of(BURGERS, f"training.0.batch={batch}"))[0]
    assert [r.total for r in first.records[:3]] == [r.total for r in without.records[:3]]
    assert first.records[3].total != without.records[3].total


def test_divergence_at_new_points_keeps_the_last_good_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_the_pole(renewal: Renewal) -> np.ndarray:
        return np.zeros_like(renewal.present)

    monkeypatch.setitem(RESAMPLERS, "uniform", replace(RESAMPLERS["uniform"], renew=at_the_pole))
    plan = plan_of(
        RAMP + "conditions: {level: {at: {x: 1}, equation: u = 0}}\n",
        "equations.e=u_x = log(x)",
        "points.resample={every: 2}",
        "training=[{iterations: 6}]",
    )
    result, objective = train(plan)
    assert result.stop_reason is StopReason.DIVERGED
    assert result.iterations == 1
    assert math.isfinite(result.final.total)
    assert np.array_equal(objective.points["e"].points, plan.draw_points()["e"].points)


def test_a_part_too_small_to_draw_in_keeps_the_points(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(
        BURGERS, "points.importance=[{where: x > 0.5, share: 0.5}]", "points.resample={every: 2}"
    )
    objective = objective_of(plan)
    before = objective.points
    monkeypatch.setattr("laaf_cli.problem.rejection.MAX_DRAWS", 0)
    objective.resample(2)
    assert objective.points is before


FAULTS = [
    ["points.resample={every: 5, method: rad, add: 3}"],
    ["points.resample={every: 5, power: 2}"],
    ["points.resample={every: 5, method: best}"],
    ["points.sampler=grid", "points.resample={every: 5}"],
]


@pytest.mark.parametrize("changes", FAULTS)
def test_settings_that_do_not_fit(changes: list[str], snapshot: SnapshotAssertion) -> None:
    with pytest.raises(SpecError) as raised:
        plan_of(BURGERS, *changes)
    assert str(raised.value) == snapshot


def test_regression_has_no_points_to_renew() -> None:
    regression = "coordinates: {x: [0, 1]}\nunknowns: [u]\ndata: {target: {u: x}, points: 9}\n"
    with pytest.raises(SpecError, match="there are no equations whose points could be renewed"):
        plan_of(regression, "points.resample={every: 5}")


PHASES = "training=[{iterations: 3}, {iterations: 3, interior: 25}, {iterations: 3}, {iterations: 3, interior: 90}]"


def sizes_of(plan: Plan) -> list[int]:
    """The number of points of the equation at each iteration."""
    objective = objective_of(plan)
    found: list[int] = []
    Trainer(
        objective,
        plan.phases,
        should_stop=lambda: bool(found.append(len(objective.points["momentum"]))),
    ).train()
    return found


def test_a_phase_has_its_own_number_of_points_and_hands_it_on() -> None:
    assert sizes_of(plan_of(BURGERS, PHASES)) == [60] * 3 + [25] * 6 + [90] * 3


def test_the_number_of_a_phase_holds_for_renewals() -> None:
    rad = "points.resample={every: 2, method: rad}"
    assert sizes_of(plan_of(BURGERS, PHASES, rad)) == [60] * 3 + [25] * 6 + [90] * 3
    assert sizes_of(
        plan_of(BURGERS, PHASES, "points.resample={every: 4, method: rar-d, add: 2}")
    ) == ([60] * 3 + [25] + [27] * 4 + [29] + [90] * 3)


def test_a_first_phase_with_its_own_number_draws_by_the_sampler() -> None:
    plan = plan_of(BURGERS, "training=[{iterations: 1, interior: 32}]", "points.sampler=sobol")
    objective = objective_of(plan)
    Trainer(objective, plan.phases).train()
    region = replace(plan.problem.terms[0].region, n_points=32)
    expected = region.draw(plan.problem.domain, random_stream(0, "interior", "0")).points
    assert np.array_equal(objective.points["momentum"].points, expected)


def test_a_number_as_before_changes_nothing() -> None:
    plan = plan_of(BURGERS, "training=[{iterations: 2, interior: 60}]")
    objective = objective_of(plan)
    before = objective.points["momentum"].points
    Trainer(objective, plan.phases).train()
    assert objective.points["momentum"].points is before


def test_regression_has_no_points_to_count() -> None:
    regression = "coordinates: {x: [0, 1]}\nunknowns: [u]\ndata: {target: {u: x}, points: 9}\n"
    with pytest.raises(SpecError, match="there are no equations whose points could be counted"):
        plan_of(regression, "training=[{iterations: 2, interior: 5}]")
