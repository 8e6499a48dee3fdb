"""Residuals as training reads them: the linear parts that become operators, and the same numbers with and without."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import plan_of

from laaf_cli.derivatives import ENGINES, FusedEngine, Operator
from laaf_cli.expression import Field, Scope, evaluate, linear_coefficients, parse, resolve, without
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.spec import Override, bundled
from laaf_cli.training.lowering import LoweredResiduals, lower


def tree(text: str, *constants: str) -> object:
    return resolve(parse(text), Scope(coordinates=("x", "t", *constants), unknowns=("u", "v")))


def names(found: dict[Field, object]) -> set[tuple[str, tuple[int, ...]]]:
    return {(field.unknown, field.orders[:2]) for field in found}


@pytest.mark.parametrize(
    ("text", "linear"),
    [
        ("u_t + u*u_x - 0.01*u_xx", {("u", (0, 1)), ("u", (2, 0))}),
        ("u_xx + u_tt + u", {("u", (2, 0)), ("u", (0, 2))}),
        ("x*u_xx + sin(t)*u_xt", {("u", (2, 0)), ("u", (1, 1))}),
        ("u_xx*u_tt", set()),
        ("u_xx**2 + u_t", {("u", (0, 1))}),
        ("exp(u_xx) + v_xx", {("v", (2, 0))}),
        ("where(x < 0, u_xx, 2*u_xx)", {("u", (2, 0))}),
        ("where(u < 0, u_xx, 2*u_xx)", set()),
        ("u*u_xx + v", set()),
        ("u + v", set()),
        # Derivatives that decide or jump are not linear, though ∂/∂u_t of the tree is free of u_t.
        ("u_t - u_xx + where(u_x > 0, 1, 2)*u", {("u", (0, 1)), ("u", (2, 0))}),
        ("u_t - u_xx + where(u_xx > 0, 1, 2)*u", {("u", (0, 1))}),
        ("u_t + u_xx + sign(u_xx)", {("u", (0, 1))}),
        ("u_t + u_xx + floor(3*u_t)", {("u", (2, 0))}),
        ("u_t + u_xx + 1/(2 + sign(u_t))", {("u", (2, 0))}),
        ("u_t + min(u_xx, 1)", {("u", (0, 1))}),
    ],
)
def test_what_is_linear(text: str, linear: set[tuple[str, tuple[int, int]]]) -> None:
    assert names(linear_coefficients(tree(text))) == linear


def test_a_learned_constant_is_no_coefficient() -> None:
    residual = tree("u_t - nu*u_xx", "nu")
    assert len(linear_coefficients(residual)) == 2
    assert names(linear_coefficients(residual, {"nu"})) == {("u", (0, 1))}


def test_the_rest_and_the_linear_part_are_the_whole() -> None:
    residual = tree("x*u_xx - 3*u_t + u*u_x + t*v_xx + 2")
    linear = linear_coefficients(residual)
    assert without(residual, linear) == tree("u*u_x + 2")
    assert linear[Field("u", (0, 1))].value == -3


def lowered_of(plan: Plan, *equations: str) -> LoweredResiduals:
    terms = [term for term in plan.problem.trained_terms if term.name in equations]
    return lower(terms, plan.problem.learned)


def streams(plan: Plan) -> int:
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    engines = [group.engine for group in objective.groups if group.terms[0].kind == "equation"]
    assert all(isinstance(engine, FusedEngine) for engine in engines)
    return sum(engine.n_streams for engine in engines)


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("burgers", 3),  # u, u_x, u_t − ν u_xx
        ("burgers-accurate", 3),  # through a transform
        ("allen-cahn", 3),
        ("klein-gordon", 4),  # u, u_x, u_t, u_tt − u_xx
        ("helmholtz", 4),
        ("heat-2d", 4),
        ("kovasznay", 4),  # both momentum equations share the operator on two unknowns
        ("kdv", 4),  # u, u_x, u_xx, u_t + d u_xxx
        ("kuramoto-sivashinsky", 5),
        ("beam", 6),  # u, u_t, u_x, u_xx, u_xxx, u_tt + c u_xxxx
        ("schrodinger", 4),  # here operators would cost streams: one for each equation
    ],
)
def test_streams_of_bundled_problems(name: str, n: int) -> None:
    plan = make_plan(bundled.find(name), [Override(("points", "interior"), "50", "")])
    assert streams(plan) == n


def test_operators_with_the_same_coefficients_share_a_stream() -> None:
    plan = make_plan(bundled.find("kovasznay"))
    lowered = lowered_of(plan, *plan.spec.equations)
    assert len(lowered.operators) == 2
    assert len(lowered.coefficients) == 1
    assert {operator.unknown for operator in lowered.operators} == {"u", "v"}


VARIABLE = """
coordinates: {x: [3, 5], t: [-1, 2]}
unknowns: [u, v]
constants: {nu: 0.3}
equations:
  first: u_t + v*u_x - nu*D((1 + x**2)*u_x, x) - sin(t)*u_xt + u**3 = x*t
  second: v_t - exp(-t)*v_xx + u_x*v_x = 0
conditions:
  start: {where: t = -1, equation: [u = 0, v = 1]}
  ends: {where: boundary(x), equation: [u = 0, v = 1]}
points: {interior: 60}
network: {hidden: [9, 7], activation: ACTIVATION}
transform: {u: "(x - 2)*net_u + t", v: "net_v*x**2"}
reference: none
dtype: float64
"""


@pytest.mark.parametrize("activation", ["tanh", "silu"])
@pytest.mark.parametrize("batch", [None, 17])
def test_every_engine_gives_the_same_loss_and_gradient(activation: str, batch: int | None) -> None:
    """With operators whose coefficients vary from point to point and go through transforms, on a shifted domain."""
    text = VARIABLE.replace("ACTIVATION", activation).replace("boundary(x)", "[x = 3, x = 5]")
    plan = plan_of(text)
    found = {}
    for name, make_engine in ENGINES.items():
        network = plan.make_network()
        objective = plan.make_objective(network, plan.draw_points())
        objective.make_engine = make_engine
        objective.groups = objective._groups(plan.problem.trained_terms, objective.points)
        loss = objective.evaluate(3, batch)
        loss.total.backward()
        gradient = torch.cat([p.grad.flatten() for p in network.parameters()])
        found[name] = (loss.total.item(), gradient)
    value, gradient = found["nested"]
    for name, (other, its_gradient) in found.items():
        assert other == pytest.approx(value, rel=1e-12), name
        assert float((its_gradient - gradient).norm() / gradient.norm()) < 1e-12, name


SYSTEM = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u, v]
equations:
  first: FIRST
  second: SECOND
conditions:
  start: {where: t = 0, equation: [u = x, v = 1]}
  ends: {where: [x = 0, x = 1], equation: [u = x, v = 1]}
points: {interior: 50}
network: {hidden: [6]}
reference: none
dtype: float64
"""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "u_t - 0.1*u_xx + u*v = 0",
            "u_t - 0.1*u_xx - v**2 = v_t",
        ),  # one operator in two residuals
        (
            "u_t - 0.1*u_xx + where(u_xx > 0, 1, 2)*u = 0",
            "v_t - v_xx + sign(v_t) + floor(3*v_xx) = 0",
        ),
        ("u_t - where(x < 0.5, 1, 2)*u_xx = 1/(2*sign(u_t))", "v_t - max(v_xx, 0) = abs(u_xx)"),
    ],
)
def test_operators_leave_the_meaning(first: str, second: str) -> None:
    """Against the residuals as they are written, evaluated on derivatives by nested autograd."""
    plan = plan_of(SYSTEM.replace("FIRST", first).replace("SECOND", second))
    network = plan.make_network()
    objective = plan.make_objective(network, plan.draw_points())
    loss = objective.evaluate()
    values = dict(zip(loss.names, loss.values.tolist(), strict=True))
    for term in plan.problem.trained_terms:
        if term.kind == "equation":
            points = objective.points[term.name].points
            engine = ENGINES["nested"](network, ("u", "v"), term.fields)
            fields = engine.evaluate(engine.prepare(torch.tensor(points)))
            columns = dict(zip("xt", torch.tensor(points).T, strict=True))
            residual = evaluate(term.residuals[0], columns, fields, objective.backend)
            assert values[term.name] == pytest.approx(residual.square().mean().item(), rel=1e-10)


@pytest.mark.parametrize("n_orders", [4, 6, 8])
def test_an_operator_against_its_derivatives(n_orders: int) -> None:
    """L u with coefficients of all orders, on two unknowns at once, beside single derivatives."""
    plan = plan_of(VARIABLE.replace("ACTIVATION", "tanh").replace("boundary(x)", "[x = 3, x = 5]"))
    network = plan.make_network()
    points = torch.tensor(np.random.default_rng(0).uniform((3, -1), (5, 2), (40, 2)))
    orders = ((0, 1), (1, 0), (2, 0), (1, 1), (3, 0), (1, 2), (2, 2), (0, 4))[:n_orders]
    coefficients = torch.tensor(np.random.default_rng(1).normal(size=(n_orders, 40)))
    operators = [
        Operator(value=Field(f"operator {name}", ()), unknown=name, orders=orders, coefficients="c")
        for name in ("net_u", "net_v")
    ]
    wanted = [Field("net_u", (0, 2)), Field("net_v", (0, 0))]
    values = {}
    for name in ("fused", "nested"):
        engine = ENGINES[name](network, ("net_u", "net_v"), wanted, operators)
        values[name] = engine.evaluate(engine.prepare(points, {"c": coefficients}))
    for field in [*wanted, *(operator.value for operator in operators)]:
        torch.testing.assert_close(
            values["fused"][field], values["nested"][field], rtol=1e-11, atol=1e-11
        )
