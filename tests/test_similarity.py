"""Networks that see similarity variables: where these are found, their derivatives, and what a
solution that spreads from the start comes to.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conftest import plan_of, resealed
from scipy.special import erf, erfc

import laaf_cli as laaf
from laaf_cli.derivatives import ENGINES
from laaf_cli.errors import RunFileError, SpecError
from laaf_cli.network.inputs import Inputs
from laaf_cli.network.similarity import SimilarityVariable
from laaf_cli.problem import PointSet, where_fluxes_jump
from laaf_cli.problem.similarity import MOST, similarity_variables
from laaf_cli.report.run_report import RunReport
from laaf_cli.runs.train import execute
from laaf_cli.training import relative_residual
from laaf_cli.training.least_squares.march import March
from laaf_cli.training.least_squares.near_starts import FAR, NEAREST, near_starts
from laaf_cli.training.least_squares.neurons import drawn, seen_inputs

VARIABLE = SimilarityVariable(axis=0, place=0.3, time=1, start=0.1, diffusivity=0.7, velocity=-0.4)


def derived(values: torch.Tensor, points: torch.Tensor, orders: tuple[int, ...]) -> torch.Tensor:
    for axis, order in enumerate(orders):
        for _ in range(order):
            values = torch.autograd.grad(values.sum(), points, create_graph=True)[0][:, axis]
    return values


@pytest.mark.parametrize("orders", [(1, 0), (0, 1), (2, 1), (1, 2), (4, 0), (0, 3)])
def test_derivatives_are_those_of_automatic_differentiation(orders: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    points = torch.rand(9, 2, dtype=torch.float64, generator=random) + torch.tensor([0.0, 0.2])
    points.requires_grad_()
    plain = VARIABLE.derivative(points, (0, 0), 2.0, 1.0)
    found = VARIABLE.derivative(points.detach(), orders, 2.0, 1.0)
    for values, slopes in zip(plain, found, strict=True):
        torch.testing.assert_close(slopes, derived(values, points, orders), rtol=1e-11, atol=0)


def test_both_inputs_diffuse_and_begin_with_a_jump_and_a_bend() -> None:
    points = torch.tensor([[0.5, 0.15], [-0.2, 0.9], [0.3, 0.4]], dtype=torch.float64)
    rates, slopes, bends = (
        VARIABLE.derivative(points, orders, 2.0, 1.0) for orders in ((0, 1), (1, 0), (2, 0))
    )
    for rate, slope, bend in zip(rates, slopes, bends, strict=True):
        torch.testing.assert_close(rate - 0.4 * slope, 0.7 * bend)
    start = torch.tensor([[0.8, 0.1], [0.1, 0.1], [0.3, 0.1]], dtype=torch.float64)
    jump, bend = VARIABLE.derivative(start, (0, 0), 2.0, 1.0)
    assert jump.tolist() == [1, -1, 0]
    assert bend.tolist() == pytest.approx([0.25, 0.1, 0.0], abs=1e-8)
    for orders in ((2, 1), (0, 4)):
        assert all(each.isfinite().all() for each in VARIABLE.derivative(start, orders, 2.0, 1.0))


def test_time_may_run_back() -> None:
    back = SimilarityVariable(axis=0, place=0, time=1, start=1.0, diffusivity=-2.0, velocity=0.0)
    ahead = SimilarityVariable(axis=0, place=0, time=1, start=0.0, diffusivity=2.0, velocity=0.0)
    points = torch.tensor([[0.5, 0.25], [-0.2, 0.9]], dtype=torch.float64)
    turned = points * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 1.0])
    for orders, sign in (((0, 0), 1), ((2, 0), 1), ((0, 1), -1)):
        pairs = zip(
            back.derivative(points, orders, 1.0, 1.0),
            ahead.derivative(turned, orders, 1.0, 1.0),
            strict=True,
        )
        for one, other in pairs:
            torch.testing.assert_close(one, sign * other)


@pytest.mark.parametrize("time", [1e-4, 0.02, 1.0, 40.0, 1e200])
def test_on_a_ring_all_is_periodic_and_diffuses(time: float) -> None:
    ring = SimilarityVariable(
        axis=0, place=0.3, time=1, start=0, diffusivity=0.7, velocity=-0.4, period=1.0
    )
    x = torch.linspace(0, 1, 7, dtype=torch.float64)
    points = torch.stack([x, torch.full_like(x, time)], 1)
    turned = points + torch.tensor([1.0, 0.0])
    for orders in ((0, 0), (1, 0), (2, 1)):
        pairs = zip(
            ring.derivative(points, orders, 1.0, 0.5),
            ring.derivative(turned, orders, 1.0, 0.5),
            strict=True,
        )
        for one, other in pairs:
            scale = max(1.0, float(one.abs().max()))
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12 * scale)
    points.requires_grad_()
    plain = ring.derivative(points, (0, 0), 1.0, 0.5)
    for orders in ((1, 0), (0, 1), (2, 0)):
        found = ring.derivative(points.detach(), orders, 1.0, 0.5)
        for values, slopes in zip(plain, found, strict=True):
            expected = derived(values, points, orders).detach()
            scale = max(1.0, float(expected.abs().max()))
            torch.testing.assert_close(slopes, expected, rtol=0, atol=1e-9 * scale)


def test_dye_on_a_ring() -> None:
    text = """
coordinates: {x: [0, 1], t: [0, 0.05]}
unknowns: [c]
equations: {carried: c_t + c_x = 0.05*c_xx}
conditions: {start: {where: t = 0, equation: "c = where(x < 0.4, 1 + x, 0)"}}
periodic: {x: true}
training: [{optimizer: least-squares, features: 200, windows: 1}]
reference: none
"""
    plan = plan_of(text)
    places = [place for place, *_ in plan.spec.network.similarity["x"]]
    assert places == pytest.approx([0, 0.4])
    solution = laaf.solve(yaml.safe_load(text), progress=False).solution
    x, t = solution["x"].values[:, None], solution["t"].values[None, 1:]
    exact = np.zeros((x.size, t.size))
    for k in range(-3, 4):  # each dye (1 + z) on [0, 0.4] about its own turn
        z, width = x - t - k, np.sqrt(4 * 0.05 * t)
        a, b = z / width, (z - 0.4) / width
        exact += (1 + z) * (erf(a) - erf(b)) / 2
        exact += width / (2 * math.sqrt(math.pi)) * (np.exp(-(a**2)) - np.exp(-(b**2)))
    found = solution["c"].transpose("x", "t").values[:, 1:]
    assert np.linalg.norm(found - exact) < 1e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize("center", [0.5, -0.5])
def test_nothing_has_spread_before_it_starts(center: float) -> None:
    """Points on the face itself are seen as those inside, and not as those in between."""
    later = SimilarityVariable(axis=0, place=0, time=1, start=0.5, diffusivity=2.0, velocity=0.0)
    x = torch.tensor([0.0, 0.3, 0.9], dtype=torch.float64) * math.copysign(1, center)
    points = torch.stack([x, torch.full_like(x, 0.4)], 1)
    jump, bend = later.derivative(points, (0, 0), 2.0, center)
    assert jump.tolist() == [math.copysign(1, center)] * 3
    assert bend.tolist() == (x.abs() / 2).tolist()
    for orders in ((2, 0), (0, 1)):
        assert not any(each.any() for each in later.derivative(points, orders, 2.0, center))


def test_inputs_have_two_of_each_and_none_across_others() -> None:
    inputs = Inputs(3, ([0.0, 0.0, 0.0], [1.0, 4.0, 2.0]), similarity=[VARIABLE])
    assert inputs.axes == (0, 1, 2, 0, 0)
    assert not inputs.is_linear
    points = torch.rand(4, 3, dtype=torch.float64) + 0.2
    assert not inputs.derivative(points, (1, 0, 1))[:, 3:].any()
    expected = VARIABLE.derivative(points, (1, 1, 0), 0.5, 1.0)
    torch.testing.assert_close(
        inputs.derivative(points, (1, 1, 0))[:, 3:], torch.stack(expected, 1)
    )


HEAT = """
coordinates: {x: [0, 2], t: [1, 2]}
unknowns: [u]
constants: {k: 0.5}
equations: {heat: "EQUATION"}
conditions:
  start: {where: t = 1, equation: "START"}
  left: {where: x = 0, equation: "LEFT"}
  right: {where: x = 2, equation: "RIGHT"}
training: [{optimizer: least-squares}]
"""


def heat(start: str, left: str, right: str, equation: str = "u_t = k*u_xx") -> str:
    text = HEAT.replace("EQUATION", equation).replace("START", start)
    return text.replace("LEFT", left).replace("RIGHT", right)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (heat("u = sin(pi*x)", "u = 0", "u = 0"), {}),
        (heat("u = 3", "u = 3", "u_x = 0"), {}),
        (heat("u = 0", "u = 1", "u = 0"), {"x": [(0, 0.5, 0)]}),
        (heat("u = 0", "u = 1e-4", "u = 1"), {"x": [(0, 0.5, 0), (2, 0.5, 0)]}),
        (heat("u = 1", "u = 1 + 1e-4", "u = 1"), {}),
        # A flux, and losses to what is around.
        (heat("u = x", "u = 0", "u_x = 0"), {"x": [(2, 0.5, 0)]}),
        (heat("u = 20", "u_n = -4*(u - 20)", "u_n = -4*(u - 19)"), {"x": [(2, 0.5, 0)]}),
        # Values agree, and rates do not.
        (heat("u = 0", "u = t - 1", "u = (t - 1)**2"), {"x": [(0, 0.5, 0)]}),
        (
            heat("u = sin(pi*x)", "u = 0", "u = 0", "u_t = k*u_xx + 1"),
            {"x": [(0, 0.5, 0), (2, 0.5, 0)]},
        ),
        # Breaks of what it begins with, and what is carried along; out of a face nothing is.
        (heat("u = max(x - 0.5, 0)", "u = 0", "u = 1.5"), {"x": [(0.5, 0.5, 0)]}),
        (
            heat("u = where(x < 1.5, 0, 1)", "u = 1", "u = 0", "2*u_t + 3*u_x = k*u_xx"),
            {"x": [(0, 0.25, 1.5), (2, 0.25, 0), (1.5, 0.25, 1.5)]},
        ),
        # By the value of the solution, on the face and at the start.
        (heat("u = 1", "u = 5 + t", "u = 1", "u_t = D(u*u_x, x)"), {"x": [(0, 1, 0), (0, 7, 0)]}),
        (heat("u = 1", "u = 3", "u = 1", "u_t = D(u*u_x, x)"), {"x": [(0, 1, 0)]}),
        # Conditions that break later, here and at the start.
        (heat("u = 0", "u = where(t < 1.5, 0, 1)", "u_x = 0"), {"x": [(0, 0.5, 0, 1.5)]}),
        (
            heat("u = 0", "u_x = 0", "u_x = where(t > 1.25 and t < 1.5, 0, 1)"),
            {"x": [(2, 0.5, 0), (2, 0.5, 0, 1.25), (2, 0.5, 0, 1.5)]},
        ),
        # Nothing diffuses, at the edge of what diffuses by its own value but for rounding, or in
        # another way.
        (heat("u = max(1 - 5*(x - 1)**2, 0)", "u = 0", "u = 0", "u_t = D(u*u_x, x)"), {}),
        (heat("u = 0", "u = 1", "u_n = 0", "u_t = (x - x)*u_xx + k*x*u_xx"), {}),
        (heat("u = 0", "u = 1", "u = 0", "u_t = -u_xxxx + u_xx"), {}),
        (heat("u = 0", "u = 1", "u = 0", "u_tt = u_xx"), {}),
        (heat("u**2 = 1", "u = 2", "u = 1"), {}),
    ],
)
def test_where_something_spreads_from(text: str, found: dict[str, list[tuple[float, ...]]]) -> None:
    variables = similarity_variables(plan_of(text).problem)
    assert variables.keys() == found.keys()
    for name, several in variables.items():
        for numbers, expected in zip(several, found[name], strict=True):
            assert numbers == pytest.approx(expected, abs=1e-9)


def test_a_price_that_bends_at_expiry() -> None:
    text = """
coordinates: {S: [0, 200], t: [0, 1]}
unknowns: [V]
equations: {price: V_t + 0.02*S**2*V_SS + 0.05*S*V_S = 0.05*V}
conditions:
  expiry: {where: t = 1, equation: "V = max(S - 100, 0)"}
  low: {where: S = 0, equation: V = 0}
  high: {where: S = 200, equation: V = S - 100*exp(-0.05*(1 - t))}
training: [{optimizer: least-squares, features: 400}]
"""
    plan = plan_of(text)
    ((place, diffusivity, velocity),) = plan.spec.network.similarity["S"]
    assert (place, diffusivity, velocity) == pytest.approx((100, -200, 5))
    assert laaf.solve(yaml.safe_load(text), progress=False).relative_l2["V"] < 1e-6


def test_of_more_variables_than_are_worth_it_there_are_none() -> None:
    start = " + ".join(f"abs(x - {0.25 * k})" for k in range(1, MOST + 1))
    assert (
        len(similarity_variables(plan_of(heat(f"u = {start}", "u_x = -6", "u_x = 6")).problem)["x"])
        == MOST
    )
    more = heat(f"u = {start} + abs(x - 1.9)", "u_x = -7", "u_x = 7")
    assert similarity_variables(plan_of(more).problem) == {}


def test_coordinates_and_unknowns_have_their_own() -> None:
    text = """
coordinates: {x: [0, 1], y: [0, 1], t: [0, 1]}
unknowns: [u, c]
equations: {heat: u_t = u_xx + 4*u_yy, dye: c_t + u = 0.1*(c_xx + c_yy)}
conditions:
  start: {where: t = 0, equation: [u = 0, c = 0]}
  west: {where: x = 0, equation: [u = y, c = 1]}
  rest: {where: "x = 1, y = 0, y = 1", equation: [u_n = 0, c_n = 0]}
training: [{optimizer: least-squares}]
"""
    text = text.replace("c = 1]", "c = 1]").replace(
        '"x = 1, y = 0, y = 1"', "[x = 1, y = 0, y = 1]"
    )
    found = similarity_variables(plan_of(text).problem)
    assert found == {"x": [(0.0, 0.1, 0.0), (0.0, 1.0, 0.0)]}


def truth(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """u_t = k u_xx on [0, 2] from 0, with 1 at x = 0 and 0 at x = 2 (images at both walls)."""
    width = np.sqrt(4 * 0.5 * (t - 1))
    return sum(erfc((4 * m + x) / width) - erfc((4 * (m + 1) - x) / width) for m in range(6))


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_a_wall_that_is_suddenly_hot(scale: float) -> None:
    """In any unit of time; the network without the variable is 1000 times as far off."""
    text = heat("u = 0", "u = 1", "u = 0").replace("t: [1, 2]", f"t: [{scale!r}, {2 * scale!r}]")
    text = text.replace("where: t = 1", f"where: t = {scale!r}").replace(
        "k: 0.5", f"k: {0.5 / scale!r}"
    )
    text = text.replace(
        "least-squares}]", "least-squares, features: 300, windows: 1}]\nreference: none"
    )
    with pytest.warns(laaf.LaafWarning, match="'start' and 'left' disagree where they meet"):
        kept = laaf.solve(yaml.safe_load(text), progress=False)
    without = {"network": {"similarity": {}}}
    with pytest.warns(laaf.LaafWarning):
        plain = laaf.solve(yaml.safe_load(text), set=without, progress=False)
    x, t = kept.solution["x"].values, kept.solution["t"].values
    exact = truth(x[:, None], t[None, 1:] / scale)
    errors = [
        np.linalg.norm(run.solution["u"].values[:, 1:] - exact) / np.linalg.norm(exact)
        for run in (kept, plain)
    ]
    assert errors[0] < 2e-5
    assert errors[1] > 1000 * errors[0]


def test_a_heater_that_is_switched_on_later() -> None:
    """Half the flux of an infinite rod on both sides: s by Crank (1975), equation 3.52."""
    text = heat("u = 0", "u_x = where(t < 1.25, 0, -1)", "u_x = 0").replace("[0, 2]", "[0, 8]")
    text = text.replace("x = 2", "x = 8").replace(
        "least-squares}]", "least-squares, features: 300, windows: 1}]\nreference: none"
    )
    solution = laaf.solve(yaml.safe_load(text), progress=False).solution
    x, t = solution["x"].values[:, None], solution["t"].values
    width = np.sqrt(4 * 0.5 * np.clip(t - 1.25, 1e-30, None))[None]
    exact = width / math.sqrt(math.pi) * np.exp(-((x / width) ** 2)) - x * erfc(x / width)
    assert np.linalg.norm(solution["u"].values - exact) < 2e-4 * np.linalg.norm(exact)


def test_what_spreads_along_two_coordinates_is_a_product() -> None:
    """Neurons see variables of both: 1 − erf erf, from two walls that meet."""
    text = """
coordinates: {x: [0, 2], y: [0, 2], t: [0, 0.1]}
unknowns: [c]
equations: {diffusion: c_t = c_xx + c_yy}
conditions:
  start: {where: t = 0, equation: c = 0}
  walls: {where: [x = 0, y = 0], equation: c = 1}
  far: {where: [x = 2, y = 2], equation: c_n = 0}
training: [{optimizer: least-squares, features: 200, windows: 1}]
reference: none
"""
    with pytest.warns(laaf.LaafWarning):
        solution = laaf.solve(yaml.safe_load(text), progress=False).solution
    x, y, t = (solution[name].values for name in "xyt")
    at_x, at_y = (erf(each[:, None] / np.sqrt(4 * t[None, 1:])) for each in (x, y))
    exact = 1 - at_x[:, None] * at_y[None]
    found = solution["c"].transpose("x", "y", "t").values[..., 1:]
    assert np.linalg.norm(found - exact) < 2e-3 * np.linalg.norm(exact)


def test_a_neuron_sees_one_variable_along_each_coordinate() -> None:
    along = [
        SimilarityVariable(axis=axis, place=c, time=2, start=0, diffusivity=1, velocity=0)
        for axis, c in ((0, 0.0), (1, 0.0), (0, 1.0))
    ]
    inputs = Inputs(3, similarity=along)
    is_seen = seen_inputs(inputs, 200, np.random.default_rng(0))
    assert is_seen[:, [0, 1, 2, 5, 6]].all()
    assert (is_seen[:, 3] != is_seen[:, 7]).all()
    assert (is_seen[:, 3::2] == is_seen[:, 4::2]).all()
    assert 60 < is_seen[:, 3].sum() < 140
    text = heat("u = 0", "u = 1", "u = 2").replace("least-squares", "least-squares, features: 200")
    plan = plan_of(text)
    network = plan.make_network()
    domain, random = plan.problem.domain, np.random.default_rng(0)
    weight = drawn(network, domain, (2.0, 2.0), 200, None, random).weight.numpy()
    assert weight.shape[1] == 6
    assert weight[:, :2].all()
    assert (weight[:, 2:4].all(1) != weight[:, 4:].all(1)).all()
    assert (weight[:, 2:4].any(1) != weight[:, 4:].any(1)).all()


def test_windows_are_not_tried_where_the_whole_time_is_solved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All neurons are tried first, and a residual that is small enough is kept."""
    monkeypatch.setattr(March, "begin", lambda *_: pytest.fail("a window begins"))
    text = heat("u = 0", "u = 1", "u = 0").replace("least-squares", "least-squares, features: 300")
    run = execute(plan_of(text + "reference: none\n"))
    assert run.summary.estimate < 5e-5


def test_the_estimate_looks_near_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(heat("u = 0", "u = 1", "u = 0") + "reference: none\n")
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    seen: list[PointSet] = []

    def noted(*arguments: Any) -> PointSet:
        seen.append(near_starts(*arguments))
        return seen[-1]

    monkeypatch.setattr("laaf_cli.training.least_squares.points.near_starts", noted)
    relative_residual(objective, 500)
    assert any(points.row_weights is not None for points in seen)


def test_points_near_a_start_count_less() -> None:
    plan = plan_of(heat("u = 0", "u = 1", "u_n = 0"))
    domain, random = plan.problem.domain, np.random.default_rng(0)
    variables = plan.make_network().inputs.similarity
    points = domain.from_unit(random.random((4000, 2)))
    terms = {term.name: term for term in plan.problem.trained_terms}
    drawn = near_starts(PointSet(points=points), variables, terms["heat"], domain, random)
    assert domain.inside(drawn.points).all()
    share = (drawn.points != points).any(1).mean()
    assert share == pytest.approx(0.3, abs=0.05)
    squares = drawn.points[:, 0] ** 2 + 2 * (drawn.points[:, 1] - 1)
    assert (squares < 1e-3).sum() > 100
    assert squares.min() > 0.9 * NEAREST
    expected = np.minimum(1, squares / (FAR * 1.0)) ** 2
    np.testing.assert_allclose(drawn.row_weights, expected)
    moving = replace(variables[0], velocity=100.0, diffusivity=1e-3)
    carried = near_starts(PointSet(points=points), [moving], terms["heat"], domain, random)
    is_moved = (carried.points != points).any(1)
    squares = moving.distance(torch.tensor(carried.points[is_moved])).numpy()
    assert is_moved.sum() > 100
    assert squares.max() < 4e-3
    on_face = PointSet(points=np.column_stack([np.zeros(500), random.uniform(1, 2, 500)]))
    for name, order in (("left", 0), ("start", None)):
        near = near_starts(on_face, variables, terms[name], domain, random)
        assert (near.row_weights is None) == (order is None)
        assert (near.points[:, 0] == 0).all()
    losing = plan_of(heat("u = 0", "u_n = u - 1", "u_n = 0"))
    term = {term.name: term for term in losing.problem.trained_terms}["left"]
    near = near_starts(on_face, losing.make_network().inputs.similarity, term, domain, random)
    square = 2 * (near.points[:, 1] - 1)
    np.testing.assert_allclose(near.row_weights, np.minimum(1, square / FAR))


def test_points_stay_on_the_boundary_of_a_shape() -> None:
    text = """
coordinates: {x: [-1, 1], y: [-1, 1], t: [0, 1]}
shape: disk(0, 0, 1)
unknowns: [u]
equations: {heat: u_t = u_xx + u_yy}
conditions:
  start: {where: t = 0, equation: "u = where(x < 0, 0, 1)"}
  edge: {where: boundary, equation: u_n = 0}
training: [{optimizer: least-squares}]
reference: none
"""
    plan = plan_of(text)
    domain, random = plan.problem.domain, np.random.default_rng(0)
    variables = plan.make_network().inputs.similarity
    assert [variable.axis for variable in variables] == [0]
    terms = {term.name: term for term in plan.problem.trained_terms}
    for name, radius in (("edge", 1.0), ("heat", None)):
        drawn = terms[name].region.with_points(300, "uniform").draw(domain, random)
        near = near_starts(drawn, variables, terms[name], domain, random)
        if radius is not None:
            np.testing.assert_allclose(np.hypot(*near.points[:, :2].T), radius)
            assert near.symbols.keys() == drawn.symbols.keys()
        else:
            assert (near.points != drawn.points).any(1).mean() > 0.1
            assert domain.inside(near.points).all()


def test_all_engines_agree() -> None:
    text = heat("u = 0", "u = 1", "u = 0").replace("least-squares", "adam, iterations: 1")
    plan = plan_of(
        text,
        "network.similarity={x: [[0, 0.5], [0.7, 2, 1]]}",
        "network.hidden=[6, 5]",
        "dtype=float64",
    )
    points = plan.draw_points()
    totals = []
    for name in ("taylor", "nested", "fused"):
        objective = plan.make_objective(plan.make_network(), points)
        objective.make_engine = ENGINES[name]
        totals.append(float(objective.evaluate().total.detach()))
    assert totals[1:] == pytest.approx([totals[0]] * 2, rel=1e-9)


def test_a_run_file_has_them(tmp_path: Path) -> None:
    text, path = heat("u = 0", "u = 1", "u = 0"), tmp_path / "run.h5"
    with pytest.warns(laaf.LaafWarning):
        run = laaf.solve(
            yaml.safe_load(text),
            set={"training": [{"optimizer": "least-squares", "features": 50, "windows": 2}]},
            progress=False,
            output=path,
        )
    kept = laaf.load(path)
    x, t = run.solution["x"].values, run.solution["t"].values
    np.testing.assert_allclose(kept("u", x=x[:, None], t=t[None, :]), run.solution["u"], atol=1e-9)
    with resealed(path) as file:
        settings = file["spec/settings"][()].decode()
        assert '"similarity": {\n      "x"' in settings
        del file["spec/settings"]
        file["spec/settings"] = np.bytes_(
            settings.replace('"similarity": {\n      "x"', '"similarity": {\n      "y"')
        )
    with pytest.raises(RunFileError, match="similarity along 'y', which is not a coordinate"):
        laaf.load(path)("u", x=0.0, t=1.5)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("{y: [[0, 1]]}", "'y' is not a coordinate"),
        ("{t: [[0, 1]]}", "along 't' nothing spreads in time"),
        ("{x: [[0, 0]]}", "a diffusivity is 0"),
        ("{x: [[0]]}", "needs 2 or more, and has 1"),
    ],
)
def test_faults(given: str, what: str) -> None:
    with pytest.raises(SpecError, match=what):
        plan_of(heat("u = 0", "u = 1", "u = 0"), f"network.similarity={given}")


def test_what_has_two_values_has_no_error(tmp_path: Path) -> None:
    """At two corners, at the break of the start and at that of the right side."""
    text = (
        heat("u = where(x < 1, 0, 0.5)", "u = 1", "u = where(t < 1.5, -1, -2)")
        + "reference: {exact: {u: 1 - x}}"
    )
    text = text.replace("least-squares}", "least-squares, features: 30, windows: 1}")
    with pytest.warns(laaf.LaafWarning):
        run = laaf.solve(yaml.safe_load(text), progress=False, output=tmp_path / "run.h5")
    reference, solution = run.reference["u"], run.solution["u"]
    assert np.isnan(reference.sel(t=1.0, x=[0.0, 1.0, 2.0])).all()
    assert np.isnan(reference.sel(t=1.5, x=2.0))
    assert int(np.isnan(reference).sum()) == 4
    error = math.sqrt(float(((solution - reference) ** 2).sum() / (reference**2).sum()))
    assert run.relative_l2["u"] == pytest.approx(error, rel=1e-12)
    assert run.attributes["relative_l2"] == pytest.approx(error, rel=1e-6)
    place = RunReport.read(tmp_path / "run.h5").errors["u"]
    assert place.largest == pytest.approx(float(np.abs(solution - reference).max()))
    assert place.half_share > 1 / reference.size
    assert not np.isnan(reference.sel(**place.at))


LAYERS = """
coordinates: {x: [0, 3], t: [0, 0.5]}
unknowns: [T]
equations: {heat: "where(x < 1, 2, 1)*T_t = D(where(x < 1, 1, 4)*T_x, x)"}
conditions:
  start: {where: t = 0, equation: T = 1}
  room: {where: x = 0, equation: T_x = 5*(T - 3)}
  far: {where: x = 3, equation: T_x = 0}
training: [{optimizer: least-squares, features: 200}]
"""


def test_layers_have_the_diffusivity_of_the_one_at_the_face() -> None:
    problem = plan_of(LAYERS).problem
    assert similarity_variables(problem) == {"x": [(0.0, 0.5, 0.0)]}
    other = LAYERS.replace("x = 0, equation: T_x = 5*(T - 3)", "x = 0, equation: T_x = 0")
    other = other.replace("x = 3, equation: T_x = 0", "x = 3, equation: T = 2")
    assert similarity_variables(plan_of(other).problem) == {"x": [(3.0, 4.0, 0.0)]}


def test_a_flux_has_no_value_where_the_start_disagrees_with_it() -> None:
    points = np.array([[0.0, 0.0], [3.0, 0.0], [1.5, 0.0], [0.0, 0.1]])
    assert where_fluxes_jump(plan_of(LAYERS).problem, points).tolist() == [True, *[False] * 3]
    agreeing = LAYERS.replace("(T - 3)", "(T - 1 - t)")
    assert not where_fluxes_jump(plan_of(agreeing).problem, points).any()
