"""The form of the solution: transforms against autograd of the composed function, periodic inputs, met conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import plan_of
from torch import Tensor

from laaf_cli.derivatives import ENGINES, NestedEngine, TaylorEngine
from laaf_cli.errors import SpecError
from laaf_cli.expression import (
    NUMPY,
    Field,
    Scope,
    evaluate,
    fields,
    parse,
    resolve,
    rounding_bound,
)
from laaf_cli.network.inputs import Period
from laaf_cli.network.mlp import Mlp
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.solution import NetworkSolution

HEAT = """
coordinates: {x: [1, 3], t: [10, 12]}
unknowns: [u]
equations: {heat: u_t = u_xx}
conditions:
  start: {where: t = 10, equation: u = sin(pi*x)}
  walls: {where: [x = 1, x = 3], equation: u = 0}
network: {hidden: [6, 6]}
slopes: {kind: nlaaf, n: 2}
points: {interior: 40}
training: [{iterations: 5, learning_rate: 1.0e-2}]
reference: none
dtype: float64
"""
SYSTEM = """
coordinates: {x: [1, 3], t: [10, 12]}
unknowns: [u, v]
equations: {a: u_t = v_xx, b: v_t = u_xx}
conditions:
  start: {where: t = 10, equation: [u = x, v = 2]}
  walls: {where: boundary, equation: [u = 1, v = 0]}
network: {hidden: [6]}
points: {interior: 40}
reference: none
dtype: float64
"""


def nested(
    function: Callable[[Tensor], Tensor], points: np.ndarray, orders: tuple[int, ...]
) -> np.ndarray:
    """∂^α of a function by one autograd call for each order: the oracle."""
    x = torch.tensor(points, requires_grad=True)
    value = function(x)
    for axis, order in enumerate(orders):
        for _ in range(order):
            value = torch.autograd.grad(value.sum(), x, create_graph=True)[0][:, axis]
    return value.detach().numpy()


def some_points(plan: Plan, n: int = 15) -> np.ndarray:
    domain = plan.problem.domain
    return domain.from_unit(np.random.default_rng(3).random((n, domain.dimension)))


# Each: a transform, and by hand the function of the points [n, 2] and the output of the network [n] that it means.
TRANSFORMS: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "conditions built in": (
        "sin(pi*x)*exp(10 - t) + (x - 1)*(3 - x)*(t - 10)*net",
        lambda p, n: torch.sin(torch.pi * p[:, 0]) * torch.exp(10 - p[:, 1]) + (p[:, 0] - 1) * (3 - p[:, 0]) * (p[:, 1] - 10) * n,
    ),
    "not linear": ("exp(-net**2)/x + tanh(t*net)", lambda p, n: torch.exp(-(n**2)) / p[:, 0] + torch.tanh(p[:, 1] * n)),
    "a quotient": ("net/(1 + x**2*t)", lambda p, n: n / (1 + p[:, 0] ** 2 * p[:, 1])),
}  # fmt: skip
ORDERS = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 3), (2, 1), (4, 0), (2, 2), (1, 3)]


@pytest.mark.parametrize("engine", ["auto", "taylor", "nested"])
@pytest.mark.parametrize(("text", "by_hand"), TRANSFORMS.values(), ids=TRANSFORMS)
def test_derivatives_through_a_transform(
    text: str, by_hand: Callable[[Tensor, Tensor], Tensor], engine: str
) -> None:
    plan = plan_of(
        HEAT.replace("u = sin(pi*x)", "u = u"),
        f"transform.u={text}",
        "conditions.walls.equation=u = u_x",
    )
    network, points = plan.make_network(), some_points(plan)
    solution = NetworkSolution.of(network, ENGINES[engine], plan.problem.ansatz)
    found = solution.evaluate({str(orders): Field("u", orders) for orders in ORDERS}, points)
    for orders in ORDERS:
        expected = nested(lambda p: by_hand(p, network(p)[:, 0]), points, orders)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found[str(orders)], expected, rtol=1e-9, atol=1e-9 * scale)


def test_two_unknowns_that_share_their_outputs() -> None:
    plan = plan_of(SYSTEM, "transform={u: x*net_u + net_v**2, v: net_u*net_v}", "conditions.walls.equation=[u = v, v = u_x]")  # fmt: skip
    assert plan.problem.ansatz.outputs == ("net_u", "net_v")
    network, points = plan.make_network(), some_points(plan)
    solution = NetworkSolution.of(network, TaylorEngine, plan.problem.ansatz)

    def u(p: Tensor) -> Tensor:
        n = network(p)
        return p[:, 0] * n[:, 0] + n[:, 1] ** 2

    def v(p: Tensor) -> Tensor:
        return network(p).prod(dim=1)

    for name, function in (("u", u), ("v", v)):
        found = solution.evaluate({str(orders): Field(name, orders) for orders in ORDERS}, points)
        for orders in ORDERS:
            expected = nested(function, points, orders)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found[str(orders)], expected, rtol=1e-9, atol=1e-9 * scale)


def test_one_unknown_of_two_is_transformed() -> None:
    plan = plan_of(SYSTEM, "transform={v: (t - 10)*net_v + 2}", "conditions.start.equation=[v = 2]")
    network, points = plan.make_network(), some_points(plan)
    found = NetworkSolution.of(network, TaylorEngine, plan.problem.ansatz).unknowns(
        ("u", "v"), points
    )
    outputs = network(torch.tensor(points)).detach().numpy()
    np.testing.assert_allclose(found["u"], outputs[:, 0], rtol=1e-13)
    np.testing.assert_allclose(found["v"], (points[:, 1] - 10) * outputs[:, 1] + 2, rtol=1e-13)


@pytest.mark.parametrize("transform", [text for text, _ in TRANSFORMS.values()], ids=TRANSFORMS)
def test_the_loss_is_that_of_the_transformed_unknown(transform: str) -> None:
    """The residual in the outputs, against the residual of the unknown's derivatives by the oracle."""
    plan = plan_of(HEAT, f"transform.u={transform}", "conditions.start={where: t = 10, equation: u_t = x}", "conditions.walls={where: boundary, equation: u_n = u}")  # fmt: skip
    points, network = plan.draw_points(), plan.make_network()
    loss = plan.make_objective(network, points).evaluate()
    by_hand = next(function for text, function in TRANSFORMS.values() if text == transform)
    inside = points["heat"].points

    def u(p: Tensor) -> Tensor:
        return by_hand(p, network(p)[:, 0])

    residual = nested(u, inside, (0, 1)) - nested(u, inside, (2, 0))
    assert float(loss.values[loss.names.index("heat")]) == pytest.approx(
        np.mean(residual**2), rel=1e-9
    )
    at_walls = points["walls"].points
    residual = np.where(at_walls[:, 0] == 3, 1, -1) * nested(u, at_walls, (1, 0)) - nested(
        u, at_walls, (0, 0)
    )
    assert float(loss.values[loss.names.index("walls")]) == pytest.approx(
        np.mean(residual**2), rel=1e-9
    )


# Each: changes of HEAT, and which of its conditions every function of the form then meets.
MET: dict[str, tuple[list[str], set[str]]] = {
    "no transform": ([], set()),
    "everything": (["transform.u=sin(pi*x) + (x - 1)*(3 - x)*(t - 10)*net"], {"start", "walls"}),
    "the start alone": (["transform.u=sin(pi*x) + (t - 10)*net"], {"start"}),
    "one wall of two": (["transform.u=sin(pi*x) + (t - 10)*(x - 1) + (x - 1)*net"], set()),
    "zeros that only rounding spoils": (["transform.u=sin(pi*x)*(1 + (t - 10)*net)"], {"start", "walls"}),
    "far from 1": (["transform.u=1e9*(sin(pi*x) + (x - 1)*(3 - x)*(t - 10)*net)", "conditions.start.equation=u = 1e9*sin(pi*x)"], {"start", "walls"}),
    "near to 0": (["transform.u=1e-12*(t - 9)*net", "conditions.start.equation=u = 0"], set()),
    "near to 0, and met": (["transform.u=1e-12*(x - 1)*(3 - x)*net", "conditions.start.equation=u = 0"], {"walls"}),
    "a jump beyond the usual outputs": (["transform.u=max(net - 20, 0)", "conditions.start.equation=u = 0"], set()),
    "zeros at the points of a grid": (["transform.u=sin(10*pi*t)*net", "conditions.start.equation=u = 0", "points.sampler=grid", "conditions.walls.points=42"], {"start"}),
    "a small part of a wall": (["transform.u=where(t > 11.99, 1, (x - 1)*(3 - x))*net", "conditions.start.equation=u = 0"], set()),
    "a face and its derivative": (["transform.u=(x - 1)**2*(3 - x)*net", "conditions.start.equation=u = 0", "conditions.walls={where: x = 1, equation: [u = 0, u_x = 0]}"], {"walls"}),
    "a value, not its derivative": (["transform.u=(x - 1)*net", "conditions.start.equation=u = 0", "conditions.walls={where: x = 1, equation: [u = 0, u_x = 0]}"], set()),
    "a condition that is not linear": (["transform.u=3 + (t - 10)*net", "conditions.start.equation=u**2 - 2*u = 3"], {"start"}),
    "opposite faces": (["transform.u=(x - 1)**2*(3 - x)**2*net", "conditions.start.equation=u = 0", "conditions.walls={periodic: x}"], {"walls"}),
    "an integral": (["transform.u=(t - 10)*net", "conditions.start={integral: u, at: {t: 10}}", "conditions.walls={where: boundary, equation: u = 0}"], {"start"}),
    "a place": (["transform.u=(x - 2)*net", "conditions.start={at: {x: 2}, equation: u = 0}"], {"start"}),
    "a bound below, not always reached": (["transform.u=(t - 9)*net", "conditions.start.equation=max(u, 0) = 1"], set()),
    "an infinite slope": (["transform.u=sqrt(x - 1)*(3 - x)*net", "conditions.start.equation=u = 0"], {"walls"}),
    "small terms beside a large unknown": (["coordinates={x: [0, 1000], t: [0, 1.0e+6]}", "transform.u=x*(1000 - x)*(t + 1e-12)*net", "conditions.start={where: t = 0, equation: u = 0}", "conditions.walls.where=boundary"], {"walls"}),
    "large terms of which little is left": (["transform.u=1e9 + 1e-3*(t - 9)*net", "conditions.start.equation=u = 1e9"], set()),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "met"), MET.values(), ids=MET)
def test_conditions_that_the_form_meets(changes: list[str], met: set[str]) -> None:
    problem = plan_of(HEAT, *changes).problem
    assert problem.satisfied_by_ansatz == met
    assert {term.name for term in problem.trained_terms} == {"heat", "start", "walls"} - met


# Each: changes of an ordinary equation, whose faces are points, and whether its form then meets the condition there.
AT_POINTS = {
    "met": ("transform.u=5 + x*net", True),
    "met up to rounding": ("transform.u=5*cos(0.3*x)**2 + 5*sin(0.3*x)**2 + x*net", True),
    "small beside what it is inside": ("transform.u=5 + x*(1000 - x)*1e6*net + 1e-3*net", False),
    "not always reached": ("transform.u=5 + max(net - 1.4, 0)", False),
}


@pytest.mark.parametrize(("change", "met"), AT_POINTS.values(), ids=AT_POINTS)
def test_conditions_at_a_single_point(change: str, met: bool) -> None:
    yaml = """
coordinates: {x: [0, 1000]}
unknowns: [u]
equations: {decay: u_x = -u}
conditions: {start: {where: x = 0, equation: u = 5}}
"""
    assert (plan_of(yaml, change).problem.satisfied_by_ansatz == {"start"}) is met


def test_a_small_contradiction_is_one() -> None:
    """A millionth beside an unknown of the size 1000 inside the domain."""
    changes = ("transform.u=1e-6 + 1000*(t - 10)**3*net", "conditions.start.equation=u = 0")
    with pytest.raises(SpecError) as caught:
        plan_of(HEAT, *changes)
    assert "breaks the condition 'start': it is off by 1e-06" in str(caught.value)


def test_a_start_that_is_small_beside_the_unknown_contradicts_its_form() -> None:
    changes = ("coordinates={x: [0, 1000], t: [0, 1.0e+6]}", "transform.u=x*(1000 - x)*t*net", "conditions.walls.where=boundary")  # fmt: skip
    with pytest.raises(SpecError) as caught:
        plan_of(
            HEAT, *changes, "conditions.start={where: t = 0, equation: u = 0.05*sin(pi*x/1000)}"
        )
    assert "breaks the condition 'start': it is off by 0.05, whatever the network" in str(
        caught.value
    )


ROUNDED = [
    "sin(3*pi*x)*exp(u_x) - cos(x)**2/(t + u)",
    "1 - cos(x)**2 - sin(x)**2",
    "where(x < 2, u*(x - 2)/sqrt(t), log(x*t) - log(x) - log(t))",
    "max(x - u, atan2(t, u_x)) + abs(u)*x**2.5 - tanh(u)*floor(t)",
    "(x + t)**2 - x**2 - 2*x*t - t**2",
]


@pytest.mark.parametrize("text", ROUNDED)
def test_rounding_keeps_its_bound(text: str) -> None:
    """In single precision, of which double precision tells the rounding."""
    tree = resolve(parse(text), Scope(coordinates=("x", "t"), unknowns=("u",)))
    random, n = np.random.default_rng(1), 5000
    columns = {
        "x": random.uniform(1, 3, n).astype(np.float32),
        "t": random.uniform(10, 12, n).astype(np.float32),
    }
    values = {field: random.uniform(-1.5, 1.5, n).astype(np.float32) for field in fields(tree)}
    single = evaluate(tree, columns, values, replace(NUMPY, array=np.float32))
    exact_columns, exact_values = (
        {k: v.astype(np.float64) for k, v in each.items()} for each in (columns, values)
    )
    exact = evaluate(tree, exact_columns, exact_values, NUMPY)
    assert single.dtype == np.float32
    rounding = np.abs(single - exact) / np.finfo(np.float32).eps
    bound = rounding_bound(tree, exact_columns, exact_values)
    assert np.all(rounding <= 2 * bound)
    assert bound.max() < 1e3 * (rounding.max() + np.abs(exact).max())


def test_a_learned_condition_is_kept() -> None:
    problem = plan_of(
        HEAT, "transform.u=(t - 10)*net", "learn={k: {start: 1}}", "conditions.start.equation=u = k"
    ).problem
    assert problem.satisfied_by_ansatz == set()


def test_measured_values_need_not_fit_the_form(tmp_path: object) -> None:
    """Noise at a place where the form leaves no freedom is no fault of the spec."""
    path = f"{tmp_path}/m.csv"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("x,t,u\n1,11,0.01\n2,11,0.4\n")
    problem = plan_of(
        HEAT, "transform.u=(x - 1)*(3 - x)*net", f"conditions.m={{data: {path}}}"
    ).problem
    assert problem.satisfied_by_ansatz == {"walls"}


def test_a_trained_network_meets_its_conditions_exactly() -> None:
    plan = plan_of(HEAT, "transform.u=sin(pi*x) + (x - 1)*(3 - x)*(t - 10)*net")
    network, points = plan.make_network(), plan.draw_points()
    assert set(points) == {"heat"}
    objective = plan.make_objective(network, points)
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-2)
    before = float(objective.evaluate().total.detach())
    for _ in range(5):
        optimizer.zero_grad()
        loss = objective.evaluate()
        loss.total.backward()
        optimizer.step()
    assert float(objective.evaluate().total.detach()) != before
    solution = NetworkSolution.of(network, TaylorEngine, plan.problem.ansatz)
    t, x = np.linspace(10, 12, 9), np.linspace(1, 3, 9)
    for wall in (1.0, 3.0):
        at_wall = solution.unknowns(("u",), np.stack([np.full(9, wall), t], axis=1))["u"]
        np.testing.assert_allclose(at_wall, 0, atol=1e-15 * 10)
    at_start = solution.unknowns(("u",), np.stack([x, np.full(9, 10.0)], axis=1))["u"]
    np.testing.assert_allclose(at_start, np.sin(np.pi * x), rtol=0, atol=1e-15)


# Periodic inputs

PERIODIC = """
coordinates: {x: [-3, 4.5], y: [100, 100.2], t: [10, 12]}
unknowns: [u]
equations: {heat: u_t = laplacian(u)}
periodic: {x: true, y: 3}
conditions: {start: {where: t = 10, equation: u = 0}}
network: {hidden: [7, 7]}
points: {interior: 40}
reference: none
dtype: float64
"""


def test_periodic_inputs_agree_at_both_ends_with_all_derivatives() -> None:
    plan = plan_of(PERIODIC)
    solution = NetworkSolution.of(plan.make_network(), TaylorEngine, plan.problem.ansatz)
    points = some_points(plan)
    for axis in (0, 1):
        lower, upper = points.copy(), points.copy()
        lower[:, axis], upper[:, axis] = (
            plan.problem.domain.lower[axis],
            plan.problem.domain.upper[axis],
        )
        wanted = {
            f"{order} {mixed}": Field(
                "u", tuple(order if i == axis else mixed if i == 2 else 0 for i in range(3))
            )
            for order in range(5)
            for mixed in (0, 1)
            if order + mixed <= 4
        }
        left, right = solution.evaluate(wanted, lower), solution.evaluate(wanted, upper)
        for name in wanted:
            scale = max(1.0, np.abs(left[name]).max())
            assert np.abs(left[name] - right[name]).max() < 1e-12 * scale
            assert np.ptp(left[name]) > 1e-6 * scale


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("harmonics", [1, 2, 4])
def test_taylor_through_periodic_inputs(scaled: bool, harmonics: int) -> None:
    """Shifted and stretched domains, mixed orders, against nested autograd."""
    bounds = ([-3.0, 10.0, 0.5], [4.5, 12.0, 0.7])
    network = Mlp(
        3,
        [6, 6],
        1,
        kind="llaaf",
        n=3,
        bounds=bounds if scaled else None,
        periods={0: Period(-3.0, 4.5, harmonics), 2: Period(0.5, 0.7, 1)},
        random=np.random.default_rng(4),
        dtype=torch.float64,
    )
    points = torch.tensor(np.random.default_rng(5).uniform(*bounds, (12, 3)))
    orders = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 0, 0), (1, 1, 0), (1, 0, 1), (0, 2, 1), (3, 0, 1), (4, 0, 0), (0, 0, 4), (1, 2, 1)]  # fmt: skip
    fields = frozenset(Field("u", order) for order in orders)
    found = {}
    for engine in (TaylorEngine, NestedEngine):
        derivatives = engine(network, ("u",), fields)
        found[engine] = derivatives.evaluate(derivatives.prepare(points))
    for field in fields:
        expected = found[NestedEngine][field].detach().numpy()
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            found[TaylorEngine][field].detach().numpy(), expected, rtol=1e-9, atol=1e-10 * scale
        )


def test_a_transform_on_periodic_inputs() -> None:
    plan = plan_of(PERIODIC, "transform.u=cos(2*pi*(x + 3)/7.5) + (t - 10)*net", "conditions.start.equation=u = cos(2*pi*(x + 3)/7.5)")  # fmt: skip
    assert plan.problem.satisfied_by_ansatz == {"start"}
    solution = NetworkSolution.of(plan.make_network(), TaylorEngine, plan.problem.ansatz)
    ends = [np.array([[x, 100.05, 11.0]]) for x in (-3.0, 4.5)]
    wanted = {"u_xx": Field("u", (2, 0, 0)), "u": Field("u", (0, 0, 0))}
    left, right = (solution.evaluate(wanted, end) for end in ends)
    for name in wanted:
        np.testing.assert_allclose(left[name], right[name], rtol=1e-11)
