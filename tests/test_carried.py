"""Jumps and bends that are carried along: where they are found, what networks see of them, and solutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import plan_of

from laaf_cli.errors import SpecError
from laaf_cli.network.inputs import Inputs
from laaf_cli.network.kinks import Kink
from laaf_cli.problem import carried_kinks, on_jumps
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.train import execute
from laaf_cli.training.least_squares.neurons import ALONE, seen_inputs
from laaf_cli.training.least_squares.stepper import LeastSquares

SQUARE = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {transport: u_t + SPEED*u_x = -u}
conditions:
  start: {where: t = 0, equation: "u = where(abs(x - 0.3) < 0.1, 1, 0)"}
  inflow: {where: x = 0, equation: u = 0}
training: [{optimizer: least-squares, features: 120}]
"""

RING = """
coordinates: {x: [2, 5], t: [0, 2]}
unknowns: [u]
periodic: {x: true}
equations: {transport: u_t - 2*u_x = 0}
conditions: {start: {where: t = 0, equation: "u = max(0, 1 - abs(x - 3))"}}
training: [{optimizer: least-squares, features: 120}]
"""

STRING = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {wave: u_tt = 4*u_xx}
conditions:
  ends: {where: [x = 0, x = 1], equation: u = 0}
  shape: {where: t = 0, equation: "u = min(x/0.25, (1 - x)/0.75)"}
  rest: {where: t = 0, equation: u_t = 0}
training: [{optimizer: least-squares, features: 240}]
"""

PIPE = """
coordinates: {z: [0, 2], t: [0, 500]}
unknowns: [c]
equations: {flow: c_t + 0.004*c_z = -0.002*c}
conditions:
  start: {where: t = 0, equation: c = 0}
  inlet: {where: z = 0, equation: "c = where(t < 100, 35, 10)"}
training: [{optimizer: least-squares, features: 120}]
"""


SHAKEN = """
coordinates: {x: [0, 3], t: [0, 2]}
unknowns: [u]
equations: {wave: u_tt + 0.1*u_t = u_xx}
conditions:
  rest: {where: t = 0, equation: [u = 0, u_t = 0]}
  far: {where: x = 3, equation: u = 0}
  end: {where: x = 0, equation: "u = MOTION"}
training: [{optimizer: least-squares, features: 240}]
"""

LINE = """
coordinates: {x: [0, 100], t: [0, 8e-7]}
unknowns: [v, i]
equations: {voltage: v_x = -0.1*i - 2.5e-7*i_t, current: i_x = -1e-5*v - 1e-10*v_t}
conditions:
  rest: {where: t = 0, equation: [v = 0, i = 0]}
  source: {where: x = 0, equation: v = 5*sin(2e6*pi*t)**2}
  load: {where: x = 100, equation: v = 50*i}
training: [{optimizer: least-squares, features: 240}]
"""


def shaken(motion: str) -> str:
    return SHAKEN.replace("MOTION", motion)


def square(speed: float) -> str:
    return SQUARE.replace("SPEED", repr(speed))


FOUND = {
    "a pulse": (square(1.0), [(0.2, 0, 1), (0.4, 0, 1)]),
    "a pulse that leaves": (square(-1.0), [(0.2, 0, -1), (0.4, 0, -1)]),
    "at rest": (square(0.0), [(0.2, 0, 0), (0.4, 0, 0)]),
    "on a ring": (RING, [(2, 1, -2), (3, 1, -2), (4, 1, -2)]),
    "at an inlet": (PIPE, [(-0.4, 0, 0.004), (0, 0, 0.004)]),
    "a bend at an inlet": (PIPE.replace("where(t < 100, 35, 10)", "t/10"), [(0, 1, 0.004)]),
    "a plucked string": (
        STRING,
        [(-1.75, 1, 2), (-0.25, 1, 2), (0.25, 1, -2), (0.25, 1, 2), (1.75, 1, -2), (2.25, 1, -2)],
    ),
    "a string that is struck": (
        STRING.replace("min(x/0.25, (1 - x)/0.75)", "0")
        .replace("u_t = 0", '"u_t = where(x < 0.5, 1, 0)*sin(pi*x)"')
        .replace("t: [0, 1]", "t: [0, 0.2]"),
        [(0.5, 1, -2), (0.5, 1, 2)],
    ),
    "an end that begins to move": (
        STRING.replace("min(x/0.25, (1 - x)/0.75)", "0")
        .replace("[x = 0, x = 1]", "x = 1")
        .replace("  rest", "  left: {where: x = 0, equation: u = sin(t)}\n  rest")
        .replace("t: [0, 1]", "t: [0, 0.7]"),
        [(0, 1, 2), (2, 1, -2)],
    ),
    "a free end that is bent": (
        STRING.replace("[x = 0, x = 1], equation: u = 0", "[x = 0, x = 1], equation: u_x = 0")
        .replace("min(x/0.25, (1 - x)/0.75)", "x*(2 - x)")
        .replace("t: [0, 1]", "t: [0, 0.4]"),
        [(0, 1, 2)],
    ),
    "what diffuses": (square(1.0).replace("= -u", "= 0.01*u_xx"), []),
    "a speed that varies": (square(1.0).replace("1.0*u_x", "(1 + x)*u_x"), []),
    "a speed of the solution": (square(1.0).replace("1.0*u_x", "u*u_x"), []),
    "a string that jumps": (
        STRING.replace("min(x/0.25, (1 - x)/0.75)", "where(x < 0.5, 1, 0)*x*(1 - x)"),
        [],
    ),
    "an end that jumps": (STRING.replace("equation: u = 0}", "equation: u = 1}"), []),
    "a smooth string": (STRING.replace("min(x/0.25, (1 - x)/0.75)", "sin(pi*x)"), []),
    "a long time": (STRING.replace("t: [0, 1]", "t: [0, 100]"), []),
    "an end that is pulled later": (
        STRING.replace("[x = 0, x = 1]", "x = 1")
        .replace("min(x/0.25, (1 - x)/0.75)", "0")
        .replace("  rest", '  left: {where: x = 0, equation: "u = max(0, t - 0.5)"}\n  rest'),
        [(-1, 1, 2)],
    ),
    "an end that is shaken": (shaken("sin(pi*t)**2"), [(0, 2, 1)]),
    "an end that is shaken gently": (shaken("t**3*exp(-t)"), [(0, 3, 1)]),
    "an end that is shaken for a while": (
        shaken("where(t < 0.5, sin(2*pi*t)**2, 0)"),
        [(-0.5, 2, 1), (0, 2, 1)],
    ),
    "a pulse that begins long after the start": (shaken("exp(-(20*(t - 1))**2)"), []),
    "a free end that is pushed": (shaken("t").replace("u = t", "u_x = t"), [(0, 2, 1)]),
    "a condition of another kind later": (
        shaken("0").replace('"u = 0"', '"where(t < 1, u, u_x) = t"'),
        [],
    ),
    "a line of transmission": (LINE, [(0, 2, 2e8), (200, 2, -2e8)]),
    "a system of two speeds": (
        LINE.replace("[v, i]", "[v, i, q, r]")
        .replace("current:", "third: q_t = -r_x, fourth: r_t = -4*q_x, current:")
        .replace("i = 0]", "i = 0, q = 0, r = 0]"),
        [],
    ),
    "a system without waves": (LINE.replace("1e-10*v_t", "-1e-10*v_t"), []),
    "a line whose speed varies": (LINE.replace("- 2.5e-7*i_t", "- 2.5e-7*(1 + x)*i_t"), []),
    "waves in what flows": (STRING.replace("u_tt =", "u_tt + u_xt ="), []),
    "curvatures on a ring": (
        RING.replace("max(0, 1 - abs(x - 3))", "max(0, 1 - abs(x - 3))**2"),
        [(2, 1, -2), (3, 1, -2), (4, 1, -2)],
    ),
    "beside what is not carried": (
        square(1.0)
        .replace("[u]", "[u, p]")
        .replace("= -u}", "= -u, pressure: p_xx = u}")
        .replace("  inflow", "  ends: {where: [x = 0, x = 1], equation: p = 0}\n  inflow"),
        [],
    ),
    "back in time": (square(1.0).replace("t = 0", "t = 1").replace("x = 0", "x = 1"), []),
    "a beam": (STRING.replace("4*u_xx", "-u_xxxx"), []),
}


@pytest.mark.parametrize("name", FOUND)
def test_where_they_are_found(name: str) -> None:
    text, lines = FOUND[name]
    found = [line for along in carried_kinks(plan_of(text).problem).values() for line in along]
    assert len(found) == len(lines)
    for line, expected in zip(found, lines, strict=True):
        assert line == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_of_systems_each_is_carried_by_every_velocity() -> None:
    text = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u, v]
equations: {one: u_t + u_x = v, other: v_t - 2*v_x = -u}
conditions:
  start: {where: t = 0, equation: ["u = where(x < 0.5, 1, 0)", v = 0]}
  left: {where: x = 0, equation: u = 1}
  right: {where: x = 1, equation: v = 0}
"""
    assert carried_kinks(plan_of(text).problem) == {
        "x": [(0.0, 2, 1.0), (0.5, 0, -2.0), (0.5, 0, 1.0)]
    }
    coupled = text.replace("= v,", "= v_x,")
    assert not carried_kinks(plan_of(coupled).problem)


KINKS = {
    "moving": Kink(axis=0, place=0.4, order=1, velocity=-0.7, time=1, start=-1.0),
    "of a curvature": Kink(axis=0, place=0.4, order=2, velocity=3.0, time=1, start=-1.0),
    "on a ring": Kink(axis=0, place=0.4, order=1, velocity=2.0, time=1, start=-1.0, period=4.0),
    "a jump on a ring": Kink(axis=0, place=0.4, order=0, velocity=2.0, time=1, start=-1, period=4),
    "at rest": Kink(axis=0, place=0.4, order=3),
}


@pytest.mark.parametrize("kink", KINKS.values(), ids=KINKS)
def test_derivatives(kink: Kink) -> None:
    inputs = Inputs(2, ([-1.0, -1.0], [3.0, 2.0]), kinks=[kink])
    points = (
        torch.rand(40, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3 - 1
    )
    points.requires_grad_()
    for orders in ((0, 0), (1, 0), (0, 1), (1, 1), (0, 2)):
        values = inputs.derivative(points, orders)[:, -1]
        for axis in (0, 1):
            more = tuple(k + (i == axis) for i, k in enumerate(orders))
            (expected,) = torch.autograd.grad(
                values.sum() + 0 * points.sum(), points, retain_graph=True, materialize_grads=True
            )
            found = inputs.derivative(points, more)[:, -1]
            torch.testing.assert_close(found.detach(), expected[:, axis], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("order", [0, 1])
def test_on_a_ring_nothing_breaks_but_at_its_place(order: int) -> None:
    kink = Kink(axis=0, place=0.25, order=order, velocity=1.0, time=1, period=1.0)
    steps = [
        torch.tensor([[x - 1e-7, 0.5], [x + 1e-7, 0.5]], dtype=torch.float64) for x in (0.25, 0.75)
    ]
    for rate in range(3):
        far, near = (float(kink.derivative(s, (rate, 0), 0.5).diff().abs()) for s in steps)
        assert far < 1e-5
        assert (near > 0.5) == (rate == order)


def test_each_neuron_sees_one_of_them() -> None:
    kinks = [Kink(axis=0, place=0.3, velocity=v, time=1) for v in (-1.0, 1.0, 2.0)]
    inputs = Inputs(2, kinks=[Kink(axis=0, place=0.5), *kinks])
    is_seen = seen_inputs(inputs, 3000, np.random.default_rng(0))
    assert (is_seen[:, 3:].sum(1) == 1).all()
    assert is_seen[:, 3:].mean(0) == pytest.approx([1 / 3] * 3, abs=0.04)
    assert is_seen[:, 2].all()
    assert (~is_seen[:, :2]).all(1).mean() == pytest.approx(ALONE, abs=0.03)
    assert seen_inputs(
        Inputs(2, kinks=[Kink(axis=0, place=0.5)]), 9, np.random.default_rng(0)
    ).all()


def plucked(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    def shape(y: np.ndarray) -> np.ndarray:
        y = np.mod(y, 2)
        return np.where(y <= 1, 1.0, -1.0) * np.minimum(
            np.where(y <= 1, y, 2 - y) / 0.25, (1 - np.where(y <= 1, y, 2 - y)) / 0.75
        )

    return (shape(x - 2 * t) + shape(x + 2 * t)) / 2


SOLVED = {
    "a pulse": (square(1.0), lambda x, t: np.exp(-t) * (np.abs(x - t - 0.3) < 0.1)),
    "a ring": (RING, lambda x, t: np.maximum(0, 1 - np.abs(np.mod(x + 2 * t - 2, 3) - 1))),
    "an inlet": (
        PIPE,
        lambda z, t: (
            np.exp(-z / 2) * np.where(t < z / 0.004, 0, np.where(t < 100 + z / 0.004, 35, 10))
        ),
    ),
    "a string": (STRING, plucked),
}


@pytest.mark.parametrize("name", SOLVED)
def test_solved(name: str) -> None:
    """Points on a jump have two values and count in no error."""
    text, truth = SOLVED[name]
    plan: Plan = plan_of(text)
    run = execute(plan)
    points = plan.problem.points_on(plan.problem.grid)
    expected = truth(*points.T)
    (found,) = (values.ravel() for values in run.record.solution.fields.values())
    off = np.abs(found - expected)[~on_jumps(plan.problem, points)]
    assert off.max() < 1e-5 * np.abs(expected).max()


def test_a_formula_that_is_known_is_compared_where_it_has_one_value() -> None:
    text = square(1.0) + 'reference: {exact: {u: "exp(-t)*where(abs(x - t - 0.3) < 0.1, 1, 0)"}}\n'
    plan = plan_of(text)
    assert 0 < on_jumps(plan.problem, plan.problem.points_on(plan.problem.grid)).sum() < 500
    assert execute(plan).summary.error < 1e-5


def test_points_on_a_jump_that_goes_round() -> None:
    jumps = RING.replace("max(0, 1 - abs(x - 3))", "where(x < 3, 1, 2)")
    points = np.array([[3.0, 0.0], [2.0, 0.0], [4.5, 0.75], [3.5, 1.25], [3.5, 1.2], [5.0, 0.5]])
    on = on_jumps(plan_of(jumps).problem, points)
    assert on.tolist() == [True, True, True, True, False, True]


def test_no_reference_is_sought() -> None:
    plan = plan_of(square(1.0))
    assert plan.reference is None
    assert "carried along" in plan.no_reference


@pytest.mark.parametrize("text", [shaken("sin(pi*t)**2"), LINE], ids=["a rope", "a line"])
def test_what_is_driven_from_rest(text: str) -> None:
    """Its front is no smooth function, and is met all the same."""
    told = execute(replace(plan_of(text), reference=None, goal=1e-4)).summary
    assert told.estimate is not None
    assert told.estimate < 1e-4


FAULTS = {
    "of too high an order on a ring": (RING, "{x: [[2.5, 2, 1]]}"),
    "along time": (STRING, "{t: [[0.5, 1, 1]]}"),
    "without time": (
        "coordinates: {x: [0, 1]}\nunknowns: [u]\nequations: {a: u_x = 1}\n"
        "conditions: {b: {where: x = 0, equation: u = 0}}\n",
        "{x: [[0.5, 1, 1]]}",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name: str) -> None:
    text, kinks = FAULTS[name]
    with pytest.raises(SpecError) as caught:
        plan_of(text + f"network: {{kinks: {kinks}}}\n")
    assert len(caught.value.faults) == 1


def test_neurons_that_are_steep_are_not_drawn_where_they_are_carried_from() -> None:
    for text in (square(1.0), STRING):
        plan = plan_of(text)
        objective = plan.make_objective(plan.make_network(), plan.draw_points())
        (phase,) = plan.phases
        assert not LeastSquares(objective, phase, 0)._breaks
