"""Quasi-Newton phases: updates and directions against formulas, searches against functions, phases against the file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import Laaf, plan_of
from fault_tables import cases, marks_of, spec_error
from syrupy.assertion import SnapshotAssertion
from torch import Tensor, nn

from laaf_cli.derivatives import ENGINES
from laaf_cli.errors import ExitCode
from laaf_cli.expression import Field
from laaf_cli.network.mlp import Mlp
from laaf_cli.report.figures import RunData, slopes_figure
from laaf_cli.runfile import RunFile
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.solution import restore
from laaf_cli.runs.train import execute
from laaf_cli.training import OPTIMIZERS, Objective, PhaseEnd, StopReason, Trainer, TrainingResult
from laaf_cli.training.inverse_hessian import (
    DenseInverse,
    InverseHessian,
    LimitedMemory,
    Member,
    Pair,
    Scaling,
    bfgs,
    ssbfgs,
    ssbroyden,
)
from laaf_cli.training.line_search import FlatObjective, Line, search
from laaf_cli.training.objective import Loss
from laaf_cli.training.quasi_newton import QuasiNewton
from laaf_cli.training.symmetric_matrix import SymmetricMatrix

CPU = torch.device("cpu")
MEMBERS: dict[str, Member] = {"bfgs": bfgs, "ssbfgs": ssbfgs, "ssbroyden": ssbroyden}
QUASI_NEWTON = [name for name, row in OPTIMIZERS.items() if row.needs_one_function]

POISSON = """
title: Poisson
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {poisson: u_xx + (2*pi)**2*sin(2*pi*x) = 0}
conditions: {ends: {where: boundary, equation: u = 0}}
transform: {u: x*(1 - x)*net}
points: {interior: 60, sampler: sobol}
network: {hidden: [10, 10]}
slopes: {kind: nlaaf, n: 5}
training:
  - {optimizer: adam, iterations: 60, learning_rate: 5.0e-3}
  - {optimizer: ssbroyden, iterations: 150}
reference: {exact: {u: sin(2*pi*x)}}
evaluation: {grid: {x: 101}}
dtype: float64
"""

INVERSE = """
coordinates: {t: [0, 2]}
unknowns: [p, q]
learn: {k: {start: 0.5, positive: true, truth: 1}}
equations: {a: p_t = k*q, b: q_t = -k*p}
conditions: {start: {where: t = 0, equation: [p = 1, q = 0]}}
data: {target: {p: cos(t)}, points: 9}
points: {interior: 30}
network: {hidden: [8]}
slopes: {kind: llaaf, n: 2}
training: [{optimizer: bfgs, iterations: 80}]
dtype: float64
"""

CAUSAL = """
coordinates: {t: [0, 2]}
unknowns: [u]
equations: {decay: u_t = -u}
conditions: {start: {where: t = 0, equation: u = 1}}
transform: {u: 1 + t*net}
points: {interior: 40}
weights: {balance: causal}
network: {hidden: [6]}
training: [{optimizer: lbfgs, iterations: 40}]
dtype: float64
"""


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def positive(n: int, seed: int) -> Tensor:
    """A symmetric positive definite matrix with eigenvalues from 1e-1 to 1e1."""
    random = np.random.default_rng(seed)
    q = np.linalg.qr(random.normal(size=(n, n)))[0]
    return torch.from_numpy(q * np.logspace(-1, 1, n) @ q.T)


def dense(matrix: SymmetricMatrix) -> Tensor:
    """All entries [n, n]."""
    matrix.product(matrix.entries[0])  # carries out the update that waits
    return matrix.entries.tril() + matrix.entries.tril(-1).T


def pair_of(step: Tensor, change: Tensor, inverse: DenseInverse, gradient: Tensor) -> Pair:
    """A pair that ends with this gradient."""
    h = dense(inverse.matrix)
    return Pair(
        step=step,
        change=change,
        metric=float(step @ torch.linalg.solve(h, step)),
        gradient=gradient,
        image=h @ (gradient - change),
    )


class Function:
    """In place of an objective: f of one vector."""

    def __init__(self, f: Callable[[Tensor], Tensor], start: Tensor) -> None:
        self.f = f
        self.x = nn.Parameter(start.clone())
        self.network = SimpleNamespace(dtype=start.dtype, device=CPU)
        self.n_changes = 0
        self.n_evaluations = 0

    def parameters(self) -> list[nn.Parameter]:
        return [self.x]

    def evaluate(self) -> Loss:
        self.n_evaluations += 1
        total = self.f(self.x)
        return Loss(total=total, names=("f",), values=total.detach()[None], weights={"f": 1.0})


def stepper_of(function: Function, inverse: InverseHessian | None = None) -> QuasiNewton:
    flat = FlatObjective(function)  # type: ignore[arg-type]
    return QuasiNewton(function, flat, inverse or DenseInverse(flat.n, bfgs, CPU))  # type: ignore[arg-type]


def minimize(
    function: Function, inverse: InverseHessian | None = None, iterations: int = 200
) -> str:
    """Why it stalled, if it did."""
    stepper = stepper_of(function, inverse)
    for i in range(iterations):
        if stalled := stepper.advance(stepper.evaluate(i)):
            return stalled
    return ""


# --- The updates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MEMBERS)
def test_every_update_keeps_the_secant_equation_symmetry_and_definiteness(name: str) -> None:
    a, random = positive(8, 0), np.random.default_rng(1)
    inverse = DenseInverse(8, MEMBERS[name], CPU)
    for _ in range(30):
        step, x = (torch.from_numpy(random.normal(size=8)) for _ in range(2))
        hx = inverse.update(pair_of(step, a @ step, inverse, x))
        torch.testing.assert_close(dense(inverse.matrix) @ (a @ step), step, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(hx, dense(inverse.matrix) @ x, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(
            dense(inverse.matrix), dense(inverse.matrix).T, rtol=0, atol=1e-12
        )
        assert float(torch.linalg.eigvalsh(dense(inverse.matrix)).min()) > 0


def test_the_shortcut_to_the_next_direction_does_not_drift() -> None:
    """H (g + y) without a pass over H, for 300 updates of a badly scaled function."""
    a, random = torch.diag(torch.logspace(-4, 4, 12, dtype=torch.float64)), np.random.default_rng(5)
    inverse, gradient = DenseInverse(12, ssbroyden, CPU), torch.ones(12, dtype=torch.float64)
    image = inverse.product(gradient)
    for _ in range(300):
        step = -torch.from_numpy(random.uniform(0.1, 1, 12)) * image
        metric = float(step @ torch.linalg.solve(dense(inverse.matrix), step))
        gradient = gradient + a @ step
        image = inverse.update(
            Pair(step=step, change=a @ step, metric=metric, gradient=gradient, image=image)
        )
        exact = dense(inverse.matrix) @ gradient
        assert float((image - exact).norm() / exact.norm()) < 1e-6


def test_bfgs_is_that_of_the_textbook() -> None:
    """H₊ = (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ (Nocedal & Wright 2006, eq. 6.17)."""
    inverse = DenseInverse(5, bfgs, CPU)
    inverse.matrix.entries.copy_(positive(5, 2))
    h, s = dense(inverse.matrix), vector(1, -2, 0.5, 3, 1)
    y = positive(5, 3) @ s
    inverse.update(pair_of(s, y, inverse, s))
    left = torch.eye(5) - torch.outer(s, y) / (y @ s)
    torch.testing.assert_close(
        dense(inverse.matrix), left @ h @ left.T + torch.outer(s, s) / (y @ s)
    )


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("size", [0.01, 1, 100])
def test_the_inverse_of_each_update_is_that_of_the_hessian(name: str, size: float) -> None:
    """B₊ = τ (B − B s sᵀB/(sᵀBs) + θ sᵀBs w wᵀ) + y yᵀ/(yᵀs), w = y/(yᵀs) − Bs/(sᵀBs), φ = (1 − θ)/(1 + aθ)."""
    inverse = DenseInverse(6, MEMBERS[name], CPU)
    inverse.matrix.entries.copy_(positive(6, 4))
    b, s = torch.linalg.inv(dense(inverse.matrix)), vector(1, 2, -1, 0.5, -0.2, 1)
    y = size * positive(6, 5) @ s
    ys, sbs, yhy = float(y @ s), float(s @ b @ s), float(y @ dense(inverse.matrix) @ y)
    scaling = MEMBERS[name](sbs / ys, yhy / ys, 6)
    theta = (1 - scaling.phi) / (1 + (sbs * yhy / ys**2 - 1) * scaling.phi)
    w = y / ys - b @ s / sbs
    inner = b - torch.outer(b @ s, b @ s) / sbs + theta * sbs * torch.outer(w, w)
    inverse.update(
        Pair(step=s, change=y, metric=sbs, gradient=s, image=dense(inverse.matrix) @ (s - y))
    )
    expected = torch.linalg.inv(scaling.tau * inner + torch.outer(y, y) / ys)
    torch.testing.assert_close(dense(inverse.matrix), expected, rtol=1e-8, atol=1e-8)


def test_members_by_hand() -> None:
    assert ssbfgs(4.0, 1.0, 9) == Scaling(0.25, 1.0)
    assert ssbfgs(0.5, 3.0, 9) == Scaling(1.0, 1.0)
    assert ssbroyden(1.0, 5.0, 9) == Scaling(1.0, 1.0), "b = 1 is BFGS"
    # b = 2, h = 2: a = 3, c = √¾, ρ = 2 − √3, θ = max((1 − √3)/3, min(2 + √3, −1/2)) = (1 − √3)/3, σ = ρ.
    theta, rho = (1 - math.sqrt(3)) / 3, 2 - math.sqrt(3)
    found = ssbroyden(2.0, 2.0, 4)
    assert found.tau == pytest.approx(min(0.5 * rho ** (-1 / 3), rho))
    assert found.phi == pytest.approx((1 - theta) / rho)
    # b = 1/2, h = 4: a = 1, c = √½, ρ = 1, θ = max(0, min(1, 1)) = 1, σ = 2.
    found = ssbroyden(0.5, 4.0, 4)
    assert (found.tau, found.phi) == (pytest.approx(2 ** (-1 / 3)), pytest.approx(0, abs=1e-12))


@pytest.mark.parametrize("name", MEMBERS)
def test_members_keep_positive_definite_whatever_the_curvature(name: str) -> None:
    """τ > 0, and φ > −1/a, below which the determinant changes its sign."""
    random = np.random.default_rng(6)
    for _ in range(2000):
        b, more = 10 ** random.uniform(-9, 9), 10 ** random.uniform(-15, 12)
        scaling = MEMBERS[name](b, (1 + more) / b, 50)
        assert 0 < scaling.tau <= 1
        assert 1 + more * scaling.phi > 0


def test_bfgs_with_exact_searches_ends_on_a_quadratic_and_finds_the_inverse_hessian() -> None:
    a, x = positive(6, 7), vector(1, 2, 3, -1, -2, 0.5)
    inverse = DenseInverse(6, bfgs, CPU)
    direction = -(a @ x)
    for _ in range(6):
        g = a @ x
        step = -(g @ direction) / (direction @ a @ direction) * direction
        x = x + step
        direction = -inverse.update(pair_of(step, a @ step, inverse, a @ x))
    assert float((a @ x).norm()) < 1e-10
    torch.testing.assert_close(dense(inverse.matrix), torch.linalg.inv(a), rtol=1e-8, atol=1e-8)


def test_limited_memory_is_bfgs_of_its_scaled_identity() -> None:
    a, random = positive(7, 8), np.random.default_rng(9)
    steps = [torch.from_numpy(random.normal(size=7)) for _ in range(5)]
    limited, dense, x = LimitedMemory(7, CPU), DenseInverse(7, bfgs, CPU), vector(*range(7))
    for step in steps:
        found = limited.update(
            Pair(step=step, change=a @ step, metric=math.nan, gradient=x, image=x)
        )
    last = a @ steps[-1]
    dense.matrix.entries *= float(last @ steps[-1] / (last @ last))
    for step in steps:
        dense.update(pair_of(step, a @ step, dense, x))
    torch.testing.assert_close(found, dense.product(x), rtol=1e-12, atol=1e-12)
    short = LimitedMemory(7, CPU, 2)
    for step in steps:
        short.update(Pair(step=step, change=a @ step, metric=math.nan, gradient=x, image=x))
    assert short.state()["steps"].shape == (2, 7)
    np.testing.assert_array_equal(short.state()["changes"][1], last.numpy())


@pytest.mark.parametrize("inverse", [DenseInverse(3, ssbroyden, CPU), LimitedMemory(3, CPU)])
def test_a_pair_without_positive_curvature_is_left_out(inverse: InverseHessian) -> None:
    step, x = vector(1, 0, 0), vector(3, 4, 5)
    for change in (-step, vector(0, 1, 0), 0 * step, vector(1e-20, 1, 0)):
        assert torch.equal(
            inverse.update(
                Pair(step=step, change=change, metric=1.0, gradient=x, image=x - change)
            ),
            x,
        )
    assert inverse.is_fresh


def test_the_stored_triangle_is_the_matrix() -> None:
    inverse = DenseInverse(4, bfgs, CPU)
    inverse.matrix.entries.copy_(positive(4, 10))
    full = np.zeros((4, 4))
    full[np.tril_indices(4)] = inverse.state()["inverse_hessian"]
    np.testing.assert_allclose(full + np.tril(full, -1).T, dense(inverse.matrix), atol=1e-15)


# --- The searches ----------------------------------------------------------------------------------------------------


def rosenbrock(x: Tensor) -> Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


@pytest.mark.parametrize(
    "inverse",
    [*(DenseInverse(4, member, CPU) for member in MEMBERS.values()), LimitedMemory(4, CPU)],
)
def test_rosenbrock(inverse: InverseHessian) -> None:
    function = Function(rosenbrock, vector(-1.2, 1, -1.2, 1))
    minimize(function, inverse, 120)
    assert function.evaluate().total.item() < 1e-20
    np.testing.assert_allclose(function.x.detach(), 1, atol=1e-10)


def test_steps_meet_the_strong_wolfe_conditions_and_no_point_is_evaluated_twice() -> None:
    function = Function(rosenbrock, vector(-1.2, 1))
    stepper = stepper_of(function)
    seen: set[tuple[float, ...]] = set()
    inner = function.f

    def counted(x: Tensor) -> Tensor:
        seen.add(tuple(x.tolist()))
        return inner(x)

    function.f = counted
    for i in range(20):
        loss = stepper.evaluate(i)
        before, gradient = loss.total.item(), stepper.gradient
        direction = stepper.direction
        assert stepper.advance(loss) == ""
        if gradient is None or direction is None:
            continue
        slope, after = float(gradient @ direction), stepper.gradient
        assert after is not None
        assert stepper.evaluate(i).total.item() <= before + 1e-4 * stepper.rate * slope
        assert abs(float(after @ direction)) <= 0.9 * abs(slope)
    assert function.n_evaluations == len(seen)


@pytest.mark.parametrize(
    ("f", "start", "end"),
    [
        (lambda x: (x - torch.log(x)).sum(), 1e-3, 1.0),  # NaN below 0, where the first steps lead
        (lambda x: (torch.exp(torch.exp(x)) - 40 * x).sum(), -3.0, None),  # infinite from 6.6 on
        (lambda x: ((x - 2) ** 2 + torch.sqrt(5 - x)).sum(), -9.0, None),
    ],
)
def test_searches_turn_back_from_what_is_not_finite(
    f: Callable[[Tensor], Tensor], start: float, end: float | None
) -> None:
    function = Function(f, vector(start))
    stepper = stepper_of(function)
    totals = []
    for i in range(40):
        loss = stepper.evaluate(i)
        totals.append(loss.total.item())
        if stepper.advance(loss):
            break
    assert np.isfinite(totals).all()
    assert (np.diff(totals) < 0).all()
    loss = function.evaluate()
    loss.total.backward()  # type: ignore[no-untyped-call]
    assert function.x.grad is not None
    assert abs(float(function.x.grad)) < 1e-5
    if end is not None:
        assert function.x.item() == pytest.approx(end, rel=1e-6)


def test_a_gradient_that_is_not_finite_turns_the_search_back() -> None:
    """√ has a value at 0 and no slope; the first step leads right there."""
    function = Function(
        lambda x: torch.sqrt(x.clamp(min=0)).sum() + 3 * (x - 0.4).square().sum(), vector(1.0)
    )
    line = Line(FlatObjective(function), vector(1.0), vector(-1.0), 2.08, -4.1)  # type: ignore[arg-type]
    assert line.slope_at(1.0) == math.inf
    found = search(line, None)
    assert found is not None
    assert 0 < found.step < 1


@pytest.mark.parametrize(
    ("f", "start", "sentence"),
    [
        (lambda x: 3 + (x * 0).sum(), vector(1.0), "the gradient is exactly zero, at the loss 3"),
        (
            lambda x: 1 + torch.sqrt(x).sum(),
            vector(0.0),
            "the gradient is not finite, though the loss is: 1",
        ),
        (
            lambda x: x.sum() + torch.where(x == 1, 0.0, math.nan).sum(),
            vector(1.0),
            "the loss is not finite anywhere along the descent direction, down to a step of ",
        ),
        (
            lambda x: 1 + rosenbrock(x),
            vector(0.3, -0.2),
            "no step along the descent direction lowers the loss any more: at 1 what it changes is lost ",
        ),
    ],
)
def test_what_a_stall_says(f: Callable[[Tensor], Tensor], start: Tensor, sentence: str) -> None:
    function = Function(f, start)
    assert minimize(function).startswith(sentence)


@pytest.mark.parametrize(
    ("dtype", "advice"), [(torch.float32, "; dtype: float64 goes further"), (torch.float64, "")]
)
def test_a_stall_names_the_precision(dtype: torch.dtype, advice: str) -> None:
    start = torch.tensor([0.3, -0.2], dtype=dtype)
    said = minimize(Function(lambda x: 1 + (x - 0.1).square().sum(), start))
    assert said.endswith(f"is lost in the rounding of {str(dtype).removeprefix('torch.')}{advice}")


def test_a_stall_leaves_the_parameters_and_may_follow_a_restart() -> None:
    """At the rounding of the loss: H is given up, then the search."""
    function = Function(
        lambda x: 1 + (x - 0.1).square().sum() + (x[0] * x[1] - 1).square(), vector(0.7, -0.4)
    )
    stepper = stepper_of(function)
    for i in range(100):
        loss = stepper.evaluate(i)
        before = function.x.detach().clone()
        said = stepper.advance(loss)
        if said:
            break
    assert said
    assert i > 1
    assert torch.equal(function.x.detach(), before)
    assert stepper.inverse.is_fresh


# --- The objective ---------------------------------------------------------------------------------------------------


def objective_of(plan: Plan) -> Objective:
    return plan.make_objective(plan.make_network(), plan.draw_points())


def train(plan: Plan, **more: object) -> tuple[TrainingResult, Objective]:
    objective = objective_of(plan)
    return Trainer(objective, plan.phases, **more).train(), objective  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["fixed", "gaaf", "llaaf", "nlaaf"])
def test_absorbing_slopes_leaves_the_function(kind: str) -> None:
    network = Mlp(
        2, [5, 4], 1, kind=kind, n=3, random=np.random.default_rng(0), dtype=torch.float64
    )
    with torch.no_grad():
        for k, slope in enumerate(network.slopes.values):
            slope += torch.linspace(-0.2, 0.3, len(slope)) + 0.1 * k
    fields = frozenset(Field("u", orders) for orders in ((0, 0), (1, 0), (2, 0), (0, 1)))
    points = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, (20, 2)))

    def streams() -> dict[Field, Tensor]:
        engine = ENGINES["taylor"](network, ("u",), fields)
        return dict(engine.evaluate(engine.prepare(points)))

    before, scales = streams(), [scale.detach().clone() for scale in network.slopes.scales()]
    network.absorb_slopes()
    after = streams()
    for field, values in before.items():
        torch.testing.assert_close(after[field], values, rtol=1e-12, atol=1e-13)
    for scale, old in zip(network.slopes.scales(), scales, strict=True):
        assert torch.equal(scale, old)
    assert network.slopes.absorbed == (kind != "fixed")
    sum(values.sum() for values in after.values()).backward()  # type: ignore[union-attr]
    assert all(slope.grad is None and not slope.requires_grad for slope in network.slopes.values)
    for parameter in (*network.weights, *network.biases[:-1]):
        assert parameter.grad is not None
        assert bool(parameter.grad.any())
    network.absorb_slopes()
    torch.testing.assert_close(streams(), after, rtol=0, atol=0)


def test_absorbing_drops_slope_recovery_and_keeps_its_value() -> None:
    objective = objective_of(plan_of(POISSON))
    before = objective.evaluate()
    n = len(objective.parameters())
    objective.absorb_slopes()
    after = objective.evaluate()
    torch.testing.assert_close(after.values, before.values)
    assert after.weights["slope_recovery"] == 0
    assert after.total.item() == pytest.approx(before.total.item() - before.values[-1].item())
    assert len(objective.parameters()) == n - 2


def test_new_points_keep_the_inverse_hessian_and_form_no_pair() -> None:
    plan = plan_of(POISSON, "points.resample={every: 5, method: rad}")
    objective = objective_of(plan)
    objective.absorb_slopes()
    stepper = OPTIMIZERS["ssbroyden"].make(objective, plan.phases[1], 0)
    assert isinstance(stepper, QuasiNewton)
    assert isinstance(stepper.inverse, DenseInverse)
    for i in range(5):
        assert stepper.advance(stepper.evaluate(i)) == ""
    matrix, old = dense(stepper.inverse.matrix), stepper.evaluate(5)
    assert stepper.evaluate(5) is old
    objective.resample(5)
    new = stepper.evaluate(5)
    assert new.total.item() != old.total.item()
    assert new.total.item() == objective.evaluate().total.item()
    assert stepper.previous is None
    assert torch.equal(dense(stepper.inverse.matrix), matrix)
    gradient = stepper.flat.gradient(objective.evaluate().total)
    position = stepper.position
    assert stepper.advance(new) == ""
    torch.testing.assert_close(
        stepper.position - position, -stepper.rate * matrix @ gradient, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("method", ["grad-norm", "lr-annealing", "ntk", "self-adaptive"])
def test_new_weights_are_a_new_loss(method: str) -> None:
    plan = plan_of(
        INVERSE, f"weights.balance={{method: {method}, every: 5}}", "training.0.iterations=12"
    )
    result, objective = train(plan)
    assert result.stop_reason is StopReason.COMPLETED
    assert max(objective.factors.values()) > 1
    assert result.final.total == pytest.approx(
        sum(result.final.weights[name] * value for name, value in result.final.terms.items())
    )


def test_causal_weights_are_held_between_their_updates() -> None:
    """Their gradient is left out, so that a search needs them to stay; they are renewed with the points."""
    plan = plan_of(CAUSAL, "weights.balance={method: causal, epsilon: 0.3}", "slopes.kind=fixed")
    objective = objective_of(plan)
    objective.hold_point_weights(True)
    flat = FlatObjective(objective)
    position, loss = flat.position(), objective.evaluate()
    gradient = flat.gradient(loss.total)
    h = 1e-5 * gradient / gradient.norm()

    def total(at: Tensor) -> float:
        flat.move(at)
        return objective.evaluate().total.item()

    difference = (total(position + h) - total(position - h)) / 2e-5
    assert difference == pytest.approx(float(gradient.norm()), rel=1e-6)
    held = dict(objective.held_weights or {})
    objective.rebalance(100, None, 1e-3)
    objective.evaluate()
    (new,), (old,) = (list((each or {}).values()) for each in (objective.held_weights, held))
    assert not torch.equal(new, old)
    result, _ = train(plan)
    assert result.final.total < 1e-3 * result.records[0].total


def test_learned_constants_are_found() -> None:
    result, _ = train(plan_of(INVERSE))
    assert result.final.constants["k"] == pytest.approx(1, rel=1e-3)


# --- Phases ----------------------------------------------------------------------------------------------------------


@cache
def error_after(phase: str) -> tuple[float, int]:
    """The error after 60 steps of Adam and a phase, and the evaluations of the loss that they took."""
    evaluate, asked = Objective.evaluate, []

    def counting(objective: Objective, iteration: int = 0, batch: int | None = None) -> Loss:
        asked.append(iteration)
        return evaluate(objective, iteration, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Objective, "evaluate", counting)
        plan = plan_of(POISSON, f"training=[{{iterations: 60, learning_rate: 5e-3}}, {phase}]")
        return execute(plan).summary.error, len(asked)


@pytest.mark.parametrize("name", QUASI_NEWTON)
def test_quasi_newton_goes_far_below_adam(name: str) -> None:
    """With fewer evaluations of the loss and its gradient."""
    adam, n_of_adam = error_after("{iterations: 400, learning_rate: 5e-3}")
    other, n_of_other = error_after(f"{{optimizer: {name}, iterations: 200}}")
    assert n_of_other < n_of_adam
    assert other < adam / (30 if name == "lbfgs" else 100)


def test_history_and_file_say_where_slopes_were_absorbed(tmp_path: Path) -> None:
    finished = execute(plan_of(POISSON))
    finished.save(tmp_path / "run.h5")
    history, summary = finished.record.history, finished.summary
    assert summary.slopes_absorbed_at == 60
    at = history.columns["iteration"].tolist().index(60)
    for slopes in history.slopes:
        assert (slopes[:at].std(axis=0) > 0).all()
        assert (slopes[at:] == slopes[at]).all()
    weights, terms = history.weights["slope_recovery"], history.terms["slope_recovery"]
    assert (weights[:at] == 1).all()
    assert (weights[at:] == 0).all()
    assert (terms[at:] == terms[at]).all()
    np.testing.assert_allclose(history.columns["total"][at:], history.terms["poisson"][at:])
    lengths = history.columns["learning_rate"]
    assert (lengths[:at] == 5e-3).all()
    assert lengths[at] == 0
    assert (lengths[at + 1 :] > 0).all()
    with RunFile(tmp_path / "run.h5") as run:
        assert run.attributes["slopes_absorbed_at"] == 60
        assert run.group_attributes("network")["slopes_absorbed"] == 1
        network = restore(run, "cpu").solution
        grid = run.array("solution/x")[:, None]
        np.testing.assert_array_equal(network.unknowns(("u",), grid)["u"], run.array("solution/u"))
        n = sum(np.size(a) for a in (*run.network().weights, *run.network().biases))
        assert run.shape("checkpoint/optimizer/inverse_hessian") == (n * (n + 1) // 2,)
        assert run.shape("checkpoint/optimizer/position") == (n,)
    (axes,) = slopes_figure([RunData.read(tmp_path / "run.h5")]).axes
    (mark,) = [c.get_segments()[0] for c in axes.collections if hasattr(c, "get_segments")]
    assert mark[0][0] == 60


def test_phases_after_a_stall_are_trained_and_the_result_says_why() -> None:
    result, _ = train(
        plan_of(
            POISSON,
            "dtype=float32",
            "training=[{optimizer: ssbroyden, iterations: 3000}, {iterations: 3}]",
            "points.interior=20",
            "network.hidden=[4]",
        )
    )
    stalled, after = result.phases
    assert stalled.end is PhaseEnd.STALLED
    assert stalled.iterations < 3000
    assert stalled.detail.endswith("rounding of float32; dtype: float64 goes further")
    assert (after.end, after.iterations) == (PhaseEnd.COMPLETED, 3)
    assert result.stop_reason is StopReason.COMPLETED
    assert result.detail == (
        f"phase 0 (ssbroyden) stalled after {stalled.iterations} iterations: {stalled.detail}"
    )
    assert result.iterations == stalled.iterations + 3


def test_the_last_step_of_a_phase_that_diverges_is_undone() -> None:
    plan = plan_of(
        POISSON,
        "training=[{iterations: 1, learning_rate: 1e30}, {optimizer: bfgs, iterations: 5}]",
        "equations.poisson=u_xx + exp(u)**9 = 0",
    )
    result, objective = train(plan)
    assert result.stop_reason is StopReason.DIVERGED
    assert [phase.end for phase in result.phases] == [PhaseEnd.DIVERGED]
    assert (result.iterations, result.slopes_absorbed_at) == (0, -1)
    for parameter, start in zip(
        objective.network.parameters(), plan.make_network().parameters(), strict=True
    ):
        assert torch.equal(parameter, start)


def test_a_phase_that_has_no_finite_loss_is_undone_across_the_absorption() -> None:
    """One of the points that it adds lies where the equation has no value."""
    plan = plan_of(
        POISSON,
        "training=[{iterations: 1}, {optimizer: bfgs, iterations: 5, interior: 3000}]",
        "equations.poisson=u_xx + sqrt(x - 0.005) = 0",
    )
    result, objective = train(plan, retries=3)
    assert result.stop_reason is StopReason.DIVERGED
    assert [(phase.end, phase.iterations) for phase in result.phases] == [
        (PhaseEnd.COMPLETED, 1),
        (PhaseEnd.DIVERGED, 0),
    ]
    assert (result.iterations, result.slopes_absorbed_at, result.state.done) == (0, -1, -1)
    assert not objective.network.slopes.absorbed
    assert len(objective.points["poisson"].points) == 60
    for parameter, start in zip(
        objective.network.parameters(), plan.make_network().parameters(), strict=True
    ):
        assert torch.equal(parameter, start)


def test_a_bound_on_the_seconds_leaves_records_enough(ticking: Callable[[float], None]) -> None:
    ticking(0.002)
    result, _ = train(
        plan_of(POISSON, "training=[{optimizer: lbfgs, iterations: 100000000, max_seconds: 0.5}]")
    )
    assert result.phases[0].end is PhaseEnd.MAX_SECONDS
    assert 100 < len(result.records) <= 203


def test_the_same_history_bit_for_bit() -> None:
    first, second = (train(plan_of(POISSON, "points.resample={every: 20}"))[0] for _ in range(2))
    assert [r.total for r in first.records] == [r.total for r in second.records]


def test_one_yaml_through_the_command_line(laaf: Laaf, tmp_path: Path) -> None:
    (tmp_path / "poisson.yaml").write_text(POISSON)
    run = tmp_path / "run.h5"
    done = laaf(
        "solve", tmp_path / "poisson.yaml", "--learning-rate", "1e-2", "--output", run, "--json"
    )
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["phases"] == [
        {"optimizer": "adam", "iterations": 60, "end": "completed", "detail": ""},
        {"optimizer": "ssbroyden", "iterations": 150, "end": "completed", "detail": ""},
    ]
    assert told["relative_l2"]["u"] < 1e-3
    shown = laaf("show", run)
    assert "adam, 60 iterations, learning rate 0.01" in shown.out
    assert (
        "ssbroyden, 150 iterations\n"
        in "\n".join(line.rstrip() for line in shown.out.splitlines()) + "\n"
    )
    assert "part of the weights since iteration 60" in shown.out
    settings = json.loads(laaf("show", run, "--json").out)["settings"]["training"]
    assert [phase["learning_rate"] for phase in settings] == [1e-2, None]


def test_which_phase_the_learning_rate_is_of(laaf: Laaf, tmp_path: Path) -> None:
    (tmp_path / "poisson.yaml").write_text(POISSON)
    done = laaf("check", tmp_path / "poisson.yaml", "--learning-rate", "0.02")
    assert "adam, 60 iterations, learning rate 0.02" in done.out
    assert (
        "ssbroyden, 150 iterations\n"
        in "\n".join(line.rstrip() for line in done.out.splitlines()) + "\n"
    )
    for phases, n in (
        ("{iterations: 5}, {iterations: 5}", "2"),
        ("{optimizer: bfgs, iterations: 5}", ""),
    ):
        change = ("--set", f"training=[{phases}]", "--learning-rate", "0.02")
        done = laaf("check", tmp_path / "poisson.yaml", *change)
        if n:
            assert done.code == ExitCode.USAGE
            assert (
                "the spec has 2 training phases, 2 with a learning rate, and --learning-rate speaks of one"
                in done.err
            )
        else:
            assert done.code == ExitCode.SPEC
            assert "the optimizer 'bfgs' takes no 'learning_rate'" in done.err


FAULTS = """
=+ keys that a search along a line has no use for
training: [{optimizer: ssbroyden, iterations: 5, learning_rate: 1e-3, schedule: cosine}]
-- 4:50 learning_rate
-- 4:71 schedule

=+ a batch, with which the loss is another function each time
training: [{iterations: 5}, {optimizer: lbfgs, iterations: 5, batch: 10}]
-- 4:63 batch

=+ a matrix that is too large
network: {hidden: [100, 100]}
training: [{optimizer: bfgs, iterations: 5}]
-- 5:13 optimizer
"""


@pytest.mark.parametrize(("yaml", "assignments", "marks"), cases(FAULTS))
def test_complete_message(
    yaml: str, assignments: list[str], marks: list[str], snapshot: SnapshotAssertion
) -> None:
    error = spec_error(yaml, assignments)
    assert marks_of(error) == marks
    assert str(error) == snapshot


@pytest.mark.cuda
@pytest.mark.parametrize("name", QUASI_NEWTON)
def test_cuda_follows_the_cpu(name: str) -> None:
    plans = [
        plan_of(POISSON, f"device={d}", f"training=[{{optimizer: {name}, iterations: 8}}]")
        for d in ("cpu", "cuda")
    ]
    totals = [[record.total for record in train(plan)[0].records] for plan in plans]
    assert totals[0] == pytest.approx(totals[1], rel=1e-6)
