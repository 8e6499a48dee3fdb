"""What each kind of condition asks of a function: points, normals, integrals, periodicity, observations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import plan_of

from laaf_cli.arrays import Array
from laaf_cli.derivatives import TaylorEngine
from laaf_cli.expression import NUMPY, Field, Scope, differentiate, evaluate, parse, resolve
from laaf_cli.problem import LearnedConstant, PointSet, Problem
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.solution import NetworkSolution
from laaf_cli.training.constants import LearnedConstants

BOX = """
coordinates: {x: [2, 5], y: [-7, -6.5], t: [10, 20]}
unknowns: [u]
equations: {heat: u_t = laplacian(u)}
conditions:
  start: {where: t = 10, equation: u = x}
  edge: {where: boundary, equation: u = 0}
network: {hidden: [5]}
points: {interior: 50}
reference: none
dtype: float64
"""
LOWER, UPPER = np.array([2, -7, 10.0]), np.array([5, -6.5, 20.0])


def drawn(problem: Problem, name: str = "c", seed: int = 5) -> PointSet:
    return next(term for term in problem.terms if term.name == name).region.draw(
        problem.domain, np.random.default_rng(seed)
    )


def residuals(problem: Problem, exact: Mapping[str, str], name: str = "c") -> list[Array]:
    """The residuals of a condition for functions that are given as expressions."""
    domain = problem.domain
    term, given = next(term for term in problem.terms if term.name == name), drawn(problem, name)
    symbols = dict(zip(domain.coordinates, given.points.T, strict=True)) | dict(given.symbols)
    values = {}
    for field in term.fields:
        tree = resolve(parse(exact[field.unknown]), Scope(coordinates=domain.coordinates))
        for coordinate, order in zip(domain.coordinates, field.orders, strict=True):
            for _ in range(order):
                tree = differentiate(tree, coordinate, domain.coordinates)
        values[field] = evaluate(tree, symbols, {}, NUMPY)
    found = [
        np.broadcast_to(evaluate(tree, symbols, values, NUMPY), len(given))
        for tree in term.residuals
    ]
    if given.combination is None:
        return found
    return [residual.reshape(-1, len(given.combination)) @ given.combination for residual in found]


def box(condition: str, *changes: str) -> Problem:
    return plan_of(BOX, f"conditions.c={condition}", *changes).problem


# Each face, and by hand the outward derivative there of u = x²y + 3xy² + t.
FACES = {
    "x = 2": lambda x, y: -(2 * x * y + 3 * y**2),
    "x = 5": lambda x, y: 2 * x * y + 3 * y**2,
    "y = -7": lambda x, y: -(x**2 + 6 * x * y),
    "y = -6.5": lambda x, y: x**2 + 6 * x * y,
}


@pytest.mark.parametrize("face", FACES)
def test_the_normal_derivative_points_outward(face: str) -> None:
    problem = box(f"{{where: {face}, equation: u_n = 0, points: 7}}", "conditions.edge={where: boundary, equation: u = 0, only: x > 3}")  # fmt: skip
    x, y, _ = drawn(problem).points.T
    (found,) = residuals(problem, {"u": "x**2*y + 3*x*y**2 + t"})
    np.testing.assert_allclose(found, FACES[face](x, y), rtol=1e-13)


@pytest.mark.parametrize("where", ["boundary", "[y = -6.5, x = 2, y = -7]"])
def test_the_normal_derivative_on_several_faces(where: str) -> None:
    """One residual for all faces: each point has the normal of its own."""
    problem = box(f"{{where: {where}, equation: 2*u_n = 3*u, points: 22}}", "conditions.edge={where: boundary, equation: u = 0, only: x > 3}")  # fmt: skip
    points = drawn(problem).points
    (found,) = residuals(problem, {"u": "x**2*y + 3*x*y**2 + t"})
    x, y, t = points.T
    on = {"x = 2": x == 2, "x = 5": x == 5, "y = -7": y == -7, "y = -6.5": y == -6.5}
    slope = np.select(list(on.values()), [FACES[face](x, y) for face in on])
    assert [name for name in on if on[name].any()] == [
        name for name in on if where == "boundary" or name in where
    ]
    np.testing.assert_allclose(found, 2 * slope - 3 * (x**2 * y + 3 * x * y**2 + t), rtol=1e-12)


def test_the_boundary_leaves_out_time_and_periodic_axes() -> None:
    def names(*changes: str) -> list[str]:
        return [face.name for face in plan_of(BOX, *changes).problem.domain.boundary]

    assert names() == ["x = 2", "x = 5", "y = -7", "y = -6.5"]
    assert names("periodic.y=true") == ["x = 2", "x = 5"]
    points = plan_of(BOX, "periodic.y=3", "conditions.edge.points=10").draw_points()["edge"].points
    assert sorted(set(points[:, 0])) == [2, 5]
    assert np.ptp(points[:, 1]) > 0.2


@pytest.mark.parametrize("sampler", ["latin-hypercube", "uniform", "sobol", "halton", "grid"])
def test_a_part_of_the_faces(sampler: str) -> None:
    """Points of the part alone, each once, and as many on each face that has such points."""
    problem = box(
        "{where: boundary, only: x > 3 and t < 12, equation: u = 1, points: 90}",
        f"points.sampler={sampler}",
    )
    points = drawn(problem).points
    assert np.all((points[:, 0] > 3) & (points[:, 2] < 12))
    normals = np.stack([drawn(problem).symbols[f"normal {name}"] for name in "xyt"], axis=1)
    assert len(np.unique(np.hstack([points, normals]), axis=0)) == len(points)
    counts = [
        int(np.sum(points[:, axis] == value))
        for axis, value in ((0, 2), (0, 5), (1, -7), (1, -6.5))
    ]
    if sampler == "grid":
        assert counts[0] == 0
        assert min(counts[1:]) > 0
    else:
        assert counts == [0, 23, 22, 22]


def test_a_grid_that_misses_a_part_is_refined() -> None:
    problem = box(
        "{where: y = -7, only: x > 2.1 and x < 2.13, equation: u = 1, points: 9}",
        "points.sampler=grid",
    )
    x = drawn(problem).points[:, 0]
    assert len(x) > 0
    assert np.all((x > 2.1) & (x < 2.13))


def test_a_grid_that_misses_a_thin_part_gives_way_to_uniform_points() -> None:
    layer = "abs(y + 6.6651) < 0.0005"
    problem = box(
        f"{{where: x = 2, only: {layer}, equation: u = 1, points: 9}}", "points.sampler=grid"
    )
    points = drawn(problem).points
    assert points.shape == (9, 3)
    assert np.all(points[:, 0] == 2)
    assert np.abs(points[:, 1] + 6.6651).max() < 0.0005
    inside = plan_of(
        BOX, "points.sampler=grid", f"points.importance=[{{where: '{layer}', share: 0.2}}]"
    ).draw_points()
    assert np.sum(np.abs(inside["heat"].points[:, 1] + 6.6651) < 0.0005) == 10


def test_a_point_has_one_point_and_a_line_several() -> None:
    assert drawn(box("{at: {x: 3, y: -6.6, t: 11}, equation: u = 0}")).points.tolist() == [
        [3, -6.6, 11]
    ]
    line = drawn(box("{at: {t: 11, x: 6/2}, equation: u = 0, points: 40}")).points
    assert len(line) == 40
    assert np.all(line[:, [0, 2]] == [3, 11])
    assert np.ptp(line[:, 1]) > 0.45


INTEGRALS = {
    "a polynomial": ("{integral: u, over: x, at: {y: -7, t: 10}}", "x**3", (5**4 - 2**4) / 4),
    "of the highest degree": (
        "{integral: u, over: x, at: {y: -7, t: 10}}",
        "((x - 2)/3)**63",
        3 / 64,
    ),
    "two coordinates": (
        "{integral: u, at: {t: 11}}",
        "x**2*y + 1",
        (125 - 8) / 3 * (6.5**2 - 7**2) / 2 + 1.5,
    ),
    "all of them": (
        "{integral: u, over: [x, y, t], points: 1}",
        "y*t",
        3 * (6.5**2 - 7**2) / 2 * 150,
    ),
    "a derivative": (
        "{integral: u_t*x, over: [t, y], at: {x: 4}}",
        "t**2*y",
        4 * 300 * (6.5**2 - 7**2) / 2,
    ),
}


@pytest.mark.parametrize(("condition", "exact", "value"), INTEGRALS.values(), ids=INTEGRALS)
def test_integrals_of_polynomials_are_exact(condition: str, exact: str, value: float) -> None:
    (found,) = residuals(box(condition), {"u": exact})
    np.testing.assert_allclose(found, np.full(1, value), rtol=1e-12)


def test_an_integral_equals_a_function_of_the_rest() -> None:
    """∫∫ (x + t) dx dy = (10.5 + 3 t)/2 at every t; of another value the difference is left."""
    right, wrong = (
        box(f"{{integral: u, equals: {value}, points: 9}}") for value in ("(10.5 + 3*t)/2", "t")
    )
    (found,) = residuals(right, {"u": "x + t"})
    np.testing.assert_allclose(found, 0, atol=1e-12)
    times = drawn(wrong).points.reshape(9, -1, 3)[:, 0, 2]
    assert np.ptp(times) > 7
    (found,) = residuals(wrong, {"u": "x + t"})
    np.testing.assert_allclose(found, (10.5 + 3 * times) / 2 - times, rtol=1e-12)


def test_periodic_points_lie_opposite() -> None:
    given = drawn(box("{periodic: y, points: 8}", "conditions.edge.where=[x = 2, x = 5]"))
    lower, upper = given.points.reshape(8, 2, 3).transpose(1, 0, 2)
    assert np.all(lower[:, 1] == -7)
    assert np.all(upper[:, 1] == -6.5)
    assert np.array_equal(lower[:, [0, 2]], upper[:, [0, 2]])
    assert np.all(np.ptp(lower[:, [0, 2]], axis=0) > [1.5, 5])


# Each: the equations, and the derivatives along x that must agree on both faces unless the spec names others.
BELOW_THE_ORDER = {
    "first order": ("u_t + u_x = 0", ["u"]),
    "second order": ("u_t = u_xx", ["u", "u_x"]),
    "fourth order": ("u_t + u_xxxx + u*u_xx = 0", ["u", "u_x", "u_xx", "u_xxx"]),
    "a derivative that D makes": ("u_t = D(u*u_xx, x)", ["u", "u_x", "u_xx"]),
}


@pytest.mark.parametrize(("equation", "names"), BELOW_THE_ORDER.values(), ids=BELOW_THE_ORDER)
def test_periodic_up_to_below_the_order(equation: str, names: list[str]) -> None:
    yaml = f"""
coordinates: {{x: [-1, 2], t: [0, 1]}}
unknowns: [u]
equations: {{e: "{equation}"}}
conditions: {{start: {{where: t = 0, equation: u = 0}}, c: {{periodic: x}}}}
"""
    problem = plan_of(yaml).problem
    term = next(term for term in problem.terms if term.name == "c")
    assert term.residuals == tuple(Field("u", (len(name.partition("_")[2]), 0)) for name in names)
    for found in residuals(problem, {"u": "cos(2*pi*x/3 + t)"}):
        np.testing.assert_allclose(found, 0, atol=1e-13)
    # Of x³, the difference of the k-th derivatives is 3!/(3 − k)! (2³⁻ᵏ − (−1)³⁻ᵏ).
    for k, found in enumerate(residuals(problem, {"u": "x**3"})):
        power = 2 ** (3 - k) - (-1) ** (3 - k)
        np.testing.assert_allclose(
            found, math.factorial(3) / math.factorial(3 - k) * power, atol=1e-13
        )


def test_periodic_in_expressions_of_ones_own() -> None:
    problem = box("{periodic: y, equation: 'where(x <= 3, u, 2*u_x)', points: 9}", "conditions.edge.where=[x = 2, x = 5]")  # fmt: skip
    (found,) = residuals(problem, {"u": "x*y**2"})
    x, y = drawn(problem).points[::2, 0], 6.5**2 - 7**2
    np.testing.assert_allclose(found, np.where(x <= 3, x * y, 2 * y), rtol=1e-12)


KINDS = {
    "faces": "{where: boundary, equation: [u_n = u, u_x = t], points: 12}",
    "part of a face": "{where: x = 2, only: t > 15, equation: u*u_y = x, points: 12}",
    "a place": "{at: {t: 15}, equation: u_xx = y, points: 12}",
    "periodic": "{periodic: t, equation: [u, u_x], points: 6}",
    "an integral": "{integral: u*x, over: y, equals: t, points: 6}",
}


@pytest.mark.parametrize("condition", KINDS.values(), ids=KINDS)
def test_the_loss_is_the_mean_square_of_the_residuals(condition: str) -> None:
    """What is trained, against NumPy with the fields of the network."""
    plan = plan_of(
        BOX,
        f"conditions.c={condition}",
        "learn={k: {start: 1}}",
        "equations.heat=u_t = k*laplacian(u)",
    )
    points, network = plan.draw_points(), plan.make_network()
    loss = plan.make_objective(network, points).evaluate()
    term, given = next(term for term in plan.problem.terms if term.name == "c"), points["c"]
    solution = NetworkSolution.of(network, TaylorEngine, plan.problem.ansatz)
    fields = {repr(field): field for field in term.fields}
    values = solution.evaluate(fields, given.points)
    symbols = dict(zip(plan.problem.domain.coordinates, given.points.T, strict=True)) | dict(
        given.symbols
    )
    expected = 0.0
    for tree in term.residuals:
        found = evaluate(
            tree, symbols, {field: values[name] for name, field in fields.items()}, NUMPY
        )
        if given.combination is not None:
            found = np.array(
                [sum(given.combination * run) for run in found.reshape(-1, len(given.combination))]
            )
        assert len(found) == given.n_residuals
        expected += np.mean(found**2)
    assert float(loss.values[loss.names.index("c")]) == pytest.approx(expected, rel=1e-9)


# Observations


def observed(
    folder: Path, columns: str, rows: list[list[float]], condition: str, *changes: str
) -> Plan:
    path = folder / "m.csv"
    path.write_text("\n".join([columns, *(",".join(map(repr, row)) for row in rows)]))
    return plan_of(LINE, f"conditions.m={condition.replace('m.csv', str(path))}", *changes)


LINE = """
coordinates: {x: [0, 2]}
unknowns: [u, v]
equations: {a: u_x = v, b: v_x = -u}
network: {hidden: [4]}
points: {interior: 9}
reference: none
dtype: float64
"""
ROWS = [[0.25, 1.0, -2.0, 3.0], [0.5, 2.0, 0.5, 0.0], [1.5, -1.0, 4.0, 0.5]]


def of_network(plan: Plan, orders: tuple[int, ...]) -> dict[str, Array]:
    solution = NetworkSolution.of(plan.make_network(), TaylorEngine, plan.problem.ansatz)
    wanted = {name: Field(name, orders) for name in plan.problem.unknowns}
    return solution.evaluate(wanted, np.array([row[:1] for row in ROWS]))


def loss_of(plan: Plan, name: str) -> float:
    loss = plan.make_objective(plan.make_network(), plan.draw_points()).evaluate()
    return float(loss.values[loss.names.index(name)])


def test_rows_and_their_weights(tmp_path: Path) -> None:
    plan = observed(tmp_path, "x,u,v,w", ROWS, "{data: m.csv, weights: w}")
    found = of_network(plan, (0,))
    _, u, v, w = np.array(ROWS).T
    expected = sum(w * (found["u"] - u) ** 2) / 3 + sum(w * (found["v"] - v) ** 2) / 3
    assert loss_of(plan, "m") == pytest.approx(expected, rel=1e-12)


def test_one_unknown_of_two_is_observed(tmp_path: Path) -> None:
    plan = observed(tmp_path, "x,u,q,w", ROWS, "{data: m.csv, fields: v, names: {v: q}}")
    expected = np.mean((of_network(plan, (0,))["v"] - np.array(ROWS)[:, 2]) ** 2)
    assert loss_of(plan, "m") == pytest.approx(expected, rel=1e-12)


def test_columns_in_equations(tmp_path: Path) -> None:
    plan = observed(
        tmp_path,
        "x,flux,depth,w",
        ROWS,
        "{data: m.csv, equation: [u_x*depth = flux, v = w*x], weights: w}",
    )
    u_x, v = of_network(plan, (1,))["u"], of_network(plan, (0,))["v"]
    x, flux, depth, w = np.array(ROWS).T
    expected = np.mean(w * (u_x * depth - flux) ** 2) + np.mean(w * (v - w * x) ** 2)
    assert loss_of(plan, "m") == pytest.approx(expected, rel=1e-12)


def test_an_unknown_may_weigh_its_own_rows(tmp_path: Path) -> None:
    plan = observed(
        tmp_path, "x,u,q,w", [[0.5, 2.0, 0.0, 0.0]], "{data: m.csv, fields: u, weights: u}"
    )
    found = of_network(plan, (0,))["u"][1]
    assert loss_of(plan, "m") == pytest.approx(2 * (found - 2) ** 2, rel=1e-12)


def test_fields_and_equations_hold_together(tmp_path: Path) -> None:
    plan = observed(tmp_path, "x,u,flux,w", ROWS, "{data: m.csv, fields: u, equation: u_x = flux}")
    _, u, flux, _ = np.array(ROWS).T
    expected = np.mean((of_network(plan, (0,))["u"] - u) ** 2) + np.mean(
        (of_network(plan, (1,))["u"] - flux) ** 2
    )
    assert loss_of(plan, "m") == pytest.approx(expected, rel=1e-12)


def test_noise_has_its_deviation_and_depends_on_the_seed_alone() -> None:
    def observed_values(seed: int, *changes: str) -> Array:
        plan = plan_of(
            LINE, "data={target: {u: 5 + 2*sin(x), v: x}, points: 4000, noise: 0.1}", *changes
        )
        return np.asarray(plan.problem.draw_points(seed)["data"].symbols["observed u"])

    exact = observed_values(0, "data.noise=0")
    noise = observed_values(0) - exact
    assert np.std(noise) == pytest.approx(0.1 * np.std(exact), rel=0.05)
    assert abs(np.mean(noise)) < 4 * 0.1 * np.std(exact) / math.sqrt(4000)
    assert np.array_equal(
        observed_values(0, "slopes.kind=fixed", "network.hidden=[7]"), exact + noise
    )
    assert not np.array_equal(observed_values(1), exact + noise)


def test_the_reference_is_observed_with_noise() -> None:
    reference = "reference={exact: {u: sin(x), v: cos(x)}}"
    plan = plan_of(LINE, "data={reference: true, fields: v, points: 50}", reference)
    given = plan.draw_points()["data"]
    assert set(given.symbols) == {"observed v"}
    np.testing.assert_allclose(given.symbols["observed v"], np.cos(given.points[:, 0]), rtol=1e-15)
    noisy = plan_of(LINE, "data={reference: true, points: 4000, noise: 0.2}", reference)
    first, again = noisy.draw_points()["data"], noisy.draw_points()["data"]
    exact = np.sin(first.points[:, 0])
    assert np.std(first.symbols["observed u"] - exact) == pytest.approx(
        0.2 * np.std(exact), rel=0.05
    )
    assert np.array_equal(first.symbols["observed u"], again.symbols["observed u"])


def test_importance_has_its_share_of_the_points() -> None:
    changes = "points={interior: 200, importance: [{where: x > 4.9, share: 0.3}, {where: t < 10.5 and y < -6.9, share: 0.2}]}"
    inside = plan_of(BOX, changes).draw_points()["heat"].points
    assert len(inside) == 200
    assert np.all((inside >= LOWER) & (inside <= UPPER))
    assert np.all(inside[100:160, 0] > 4.9)
    assert np.all((inside[160:, 2] < 10.5) & (inside[160:, 1] < -6.9))
    assert np.mean(inside[:100, 0] > 4.9) < 0.1


# Learned constants

CONSTANTS = {
    "free": LearnedConstant(start=-3.0),
    "zero": LearnedConstant(start=0.0),
    "positive": LearnedConstant(start=1e-4, lower=0.0),
    "negative": LearnedConstant(start=-2.5, upper=0.0),
    "bounded": LearnedConstant(start=0.3, lower=-1.0, upper=2.0),
    "near": LearnedConstant(start=1.999, lower=0.0, upper=2.0),
}


def test_learned_constants_start_where_they_should() -> None:
    numbers = LearnedConstants(CONSTANTS).numbers()
    for name, constant in CONSTANTS.items():
        assert numbers[name] == pytest.approx(constant.start, rel=1e-15, abs=1e-300)


def test_learned_constants_never_leave_their_bounds_and_feel_every_step() -> None:
    constants = LearnedConstants(CONSTANTS)
    for theta in (-50.0, -5.0, -1.0, 0.0, 1.0, 5.0, 50.0):
        for name, free in constants.free.items():
            free.data.fill_(theta)
            value = constants.values()[name]
            constant = CONSTANTS[name]
            assert constant.lower <= value.item() <= constant.upper
            (gradient,) = torch.autograd.grad(value, free)
            assert float(gradient) != 0 or abs(theta) == 50


def test_learned_constants_may_have_any_name() -> None:
    """Also those of the methods of modules, dictionaries and tensors."""
    names = [
        "pop",
        "type",
        "half",
        "to",
        "get",
        "keys",
        "values",
        "items",
        "copy",
        "update",
        "clear",
        "train",
        "float",
    ]
    given = {name: LearnedConstant(start=float(i + 1)) for i, name in enumerate(names)}
    constants = LearnedConstants(given)
    assert constants.numbers() == {name: constant.start for name, constant in given.items()}
    assert len(list(constants.parameters())) == len(names)
    constants.free["keys"].data.fill_(1.0)
    assert constants.numbers()["keys"] == 2 * given["keys"].start


INVERSE = """
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 1, truth: 2, positive: true}}
equations: {decay: u_x = -k*u}
conditions: {start: {where: x = 0, equation: u = 1}}
data: {target: {u: exp(-k*x)}, points: 20}
reference: none
network: {hidden: [4]}
points: {interior: 20}
training: [{iterations: 5}]
"""


def test_learned_constants_reach_the_optimizer() -> None:
    plan = plan_of(INVERSE)
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    (free,) = objective.constants.parameters()
    assert any(parameter is free for parameter in objective.parameters())
    optimizer = torch.optim.SGD(objective.parameters(), lr=1e-2)
    objective.evaluate().total.backward()
    assert free.grad is not None
    assert float(free.grad) != 0
    optimizer.step()
    assert objective.constants.numbers()["k"] != 1.0


def test_targets_and_truth_are_those_of_the_true_constants() -> None:
    problem = plan_of(INVERSE).problem
    given = problem.draw_points(0)["data"]
    np.testing.assert_allclose(
        given.symbols["observed u"], np.exp(-2 * given.points[:, 0]), rtol=1e-15
    )
    known = problem.at_truth()
    assert known.learned == {}
    assert known.terms[0].residuals == plan_of(INVERSE.replace("-k*u", "-2*u").replace("exp(-k*x)", "exp(-2*x)"), "conditions.c={at: {x: 0.5}, equation: k*u = 1}").problem.at_truth().terms[0].residuals  # fmt: skip
    with pytest.raises(KeyError, match="k"):
        plan_of(
            INVERSE.replace(", truth: 2", "").replace("exp(-k*x)", "exp(-2*x)")
        ).problem.at_truth()


# Each: a change of INVERSE, and whether the problem and the method become others.
HASHES = {
    "nothing": ("title=other", False, False),
    "the truth": ("learn.k.truth=3", True, False),
    "the start": ("learn.k.start=1.5", False, True),
    "the bounds": ("learn.k.bounds=[0, 9]", False, True),
    "a condition": ("conditions.start.equation=u = 2", True, False),
    "its part": ("conditions.start.only=x < 1", True, False),
    "its points": ("conditions.start.points=7", False, True),
    "its weight": ("conditions.start.weight=7", False, True),
    "an observed value": ("data.target.u=exp(-3*x)", True, False),
    "noise": ("data.noise=0.1", True, False),
    "points of the data": ("data.points=21", False, True),
    "a transform": ("transform={u: 1 + x*net}", False, True),
    "the balance": ("weights.balance=grad-norm", False, True),
    "importance": ("points.importance=[{where: x > 0.5, share: 0.5}]", False, True),
}


@pytest.mark.parametrize(
    ("change", "problem_changes", "method_changes"), HASHES.values(), ids=HASHES
)
def test_what_makes_another_problem_and_another_method(
    change: str, problem_changes: bool, method_changes: bool
) -> None:
    before, after = plan_of(INVERSE).hashes, plan_of(INVERSE, change).hashes
    assert (before[0] != after[0], before[1] != after[1]) == (problem_changes, method_changes)


def test_values_of_a_file_make_the_problem_and_its_name_does_not(tmp_path: Path) -> None:
    def hashes(name: str, value: float) -> tuple[str, str]:
        (tmp_path / name).write_text(f"x,u,v\n0.5,{value},1\n")
        return plan_of(LINE, f"data={{file: {tmp_path / name}}}").hashes

    first = hashes("a.csv", 1.0)
    assert hashes("b.csv", 1.0) == first
    assert hashes("a.csv", 2.0)[0] != first[0]
    assert hashes("a.csv", 2.0)[1] == first[1]
