"""Networks that bend at given places: their inputs, engines, interfaces of materials."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import plan_of, resealed
from syrupy.assertion import SnapshotAssertion

import laaf_cli as laaf
from laaf_cli.derivatives import ENGINES
from laaf_cli.errors import RunFileError, SpecError
from laaf_cli.multi_index import derivative_name
from laaf_cli.network.inputs import Inputs, Period
from laaf_cli.network.kinks import Kink
from laaf_cli.problem import Across, Domain, Extent, bends
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.train import execute

PLATES = """
coordinates: {x: [LEFT, LEFT + 3*SIZE]}
unknowns: [T]
constants: {c: LEFT + SIZE, k: STIFF, s: SIZE, left: LEFT}
equations: {heat: "D(where(x < c, k, 100*k)*T_x, x) = -k/s**2"}
conditions: {cold: {where: x = left, equation: T = 0}, far: {where: x = left + 3*s, equation: T_x = 0}}
reference: {exact: {T: "where(x < c, 3*(x-left)/s - ((x-left)/s)**2/2, 2.5 + (3*((x-left)/s - 1) - (((x-left)/s)**2 - 1)/2)/100)"}}
training: [{optimizer: least-squares}]
"""


def plates(left: float, size: float, stiff: float) -> str:
    text = PLATES.replace("[LEFT, LEFT + 3*SIZE]", f"[{left!r}, {left + 3 * size!r}]")
    return (
        text.replace("LEFT", repr(left)).replace("SIZE", repr(size)).replace("STIFF", repr(stiff))
    )


@pytest.mark.parametrize("periods", [{}, {1: Period(0.0, 2.0, 2)}])
def test_derivatives_of_the_inputs(periods: dict[int, Period]) -> None:
    inputs = Inputs(
        2, ([-1.0, 0.0], [3.0, 2.0]), periods, [Kink(axis=0, place=0.5), Kink(axis=0, place=2.0)]
    )
    points = torch.rand(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2
    points.requires_grad_()
    z = inputs(points)
    assert z.shape == (20, inputs.width)
    torch.testing.assert_close(z[:, -1], (points[:, 0] - 2).abs() / 2)
    for column, slopes in enumerate(inputs.derivative(points, (1, 0)).T):
        (expected,) = torch.autograd.grad(z[:, column].sum(), points, retain_graph=True)
        torch.testing.assert_close(slopes, expected[:, 0])
    assert not inputs.derivative(points, (2, 0))[:, -2:].any()
    assert not inputs.derivative(points, (1, 1))[:, -2:].any()


def test_an_input_whose_third_derivative_jumps() -> None:
    inputs = Inputs(1, ([0.0], [4.0]), {}, [Kink(axis=0, place=1.0, order=3)])
    x = torch.tensor([[0.5], [3.0]], dtype=torch.float64)
    expected = [[1 / 64, 1.0], [-3 / 32, 1.5], [3 / 8, 1.5], [-0.75, 0.75], [0.0, 0.0]]
    for order, values in enumerate(expected):
        torch.testing.assert_close(inputs.derivative(x, (order,))[:, 1].tolist(), values)
    assert inputs.axes == (0, 0)


BREAKS = """
coordinates: {x: [0, 2], y: [0, 1], t: [0, 1]}
unknowns: [u, v]
equations:
  heat: u_t = u_xx + u_yy + where(abs(x - 1) < 0.25, 1, 0) + max(y - 0.5, 0) + where(t < 0.5, 1, 0)
  beam: v_t = where(x < 1.25, u, 0) + where(x + y < 1, 1, 0) - v_xxxx
conditions:
  start: {where: t = 0, equation: [u = 0, v = 0]}
  ends: {where: boundary, equation: [u = abs(x - 0.1), v = 0, v_n = 0]}
training: [{optimizer: adam, iterations: 1}]
"""


def test_bends_are_found_where_sources_break() -> None:
    """By the least order of the equations in which they break; of planes, and not of conditions."""
    found = bends(plan_of(BREAKS).problem)
    rounded = {name: [(round(place, 9), p) for place, p in kinks] for name, kinks in found.items()}
    assert rounded == {"x": [(0.75, 2), (1.25, 2)], "y": [(0.5, 2)], "t": [(0.5, 1)]}


def interfaces_of(plan: Plan) -> dict[str, list[str]]:
    names = plan.problem.domain.coordinates
    return {
        term.name: [derivative_name(f.unknown, f.orders, names) for f in term.residuals]
        for term in plan.problem.terms
        if term.name.startswith("interface ")
    }


def test_what_a_bend_would_let_jump_is_to_be_continuous() -> None:
    """Derivatives from the order of the bend on, below the highest of each unknown."""
    found = interfaces_of(plan_of(BREAKS.replace("adam, iterations: 1", "least-squares")))
    both = ["v_xx", "v_xxx"]
    assert found == {"interface x = 0.75": both, "interface x = 1.25": both}
    assert not interfaces_of(plan_of(plates(0.0, 1.0, 1.0)))


STIFFNESSES = """
coordinates: {x: [0, 2]}
unknowns: [w]
equations: {bending: "D(where(x < 1, 2, 1)*w_xx, x, x) = 1"}
conditions:
  clamp: {where: x = 0, equation: [w = 0, w_x = 0]}
  free: {where: x = 2, equation: [w_xx = 0, w_xxx = 0]}
training: [{optimizer: least-squares, features: 60}]
"""

RODS = """
coordinates: {x: [0, 2]}
unknowns: [T, c]
equations: {heat: "D(where(x < 1, 2, 1)*T_x, x) = -1", mass: c_xx = T}
conditions: {ends: {where: boundary, equation: [T = 0, c = 0]}}
training: [{optimizer: least-squares, features: 60}]
"""


@pytest.mark.parametrize(
    ("text", "order", "rows"),
    [(STIFFNESSES, 2, {}), (RODS, 1, {"interface x = 1": ["c_x"]})],
    ids=["a beam", "rods and another field"],
)
def test_nothing_else_bends_where_a_flux_does(
    text: str, order: int, rows: dict[str, list[str]]
) -> None:
    """The slope of a beam of two stiffnesses, and what diffuses alike in both rods."""
    plan = plan_of(text)
    assert bends(plan.problem) == {"x": [(1.0, order)]}
    assert interfaces_of(plan) == rows
    assert execute(plan).summary.error < 1e-6


def test_an_unknown_of_no_equation_is_no_obstacle() -> None:
    text = RODS.replace("[T, c]", "[T, c, q]").replace("[T = 0, c = 0]", "[T = 0, c = q, q = 1]")
    plan = plan_of(text.replace("unknowns", "data: {target: {c: x}, points: 20}\nunknowns"))
    assert interfaces_of(plan) == {"interface x = 1": ["c_x"]}


def test_both_sides_of_an_interface() -> None:
    """A residual is the difference of its two sides, far from the origin as well."""
    domain = Domain(coordinates=("x", "t"), lower=(1e6, 0.0), upper=(1e6 + 1, 2.0))
    place = 1e6 + 0.25
    region = Across(axis=0, place=place, n_points=5, sampler="latin-hypercube")
    drawn = region.draw(domain, np.random.default_rng(0))
    assert drawn.combination is not None
    assert (drawn.n_residuals, drawn.combination.tolist()) == (5, [-1.0, 1.0])
    sides = drawn.points.reshape(5, 2, 2)
    assert (sides[:, 0, 0] < place).all()
    assert (sides[:, 1, 0] > place).all()
    np.testing.assert_allclose(sides[:, :, 0], place, rtol=0, atol=1e-8)
    assert (sides[:, 0, 1] == sides[:, 1, 1]).all()
    assert [region.extent(axis) for axis in (0, 1)] == [Extent.INSIDE, Extent.WHOLE]


SWITCHED = """
coordinates: {t: [0, 8]}
unknowns: [u, v]
equations: {swing: "u_tt = -u + v", follow: "v_t = where(t < 3, 0, 1)"}
conditions: {start: {where: t = 0, equation: [u = 1, u_t = 0, v = 0]}}
training: [{optimizer: least-squares, features: 30, windows: 3}]
"""


def test_a_bend_in_time_is_of_the_window_that_holds_it() -> None:
    plan = plan_of(SWITCHED)
    assert interfaces_of(plan) == {"interface t = 3": ["u_t"]}
    assert execute(plan).summary.error < 1e-6


def test_all_engines_agree() -> None:
    text = """
coordinates: {x: [0, 1], y: [0, 2]}
unknowns: [u]
equations: {a: u_xx + u_yy + u_y*u_x = u}
conditions: {b: {where: boundary, equation: u = 1}}
network: {hidden: [7, 6], kinks: {x: [[0.3, 2]], y: [0.5, [1.5, 3]]}}
dtype: float64
training: [{optimizer: adam, iterations: 1}]
"""
    plan = plan_of(text)
    values = []
    for make in (ENGINES["taylor"], ENGINES["nested"], plan.make_engine):
        network = plan.make_network()
        assert network.inputs.width == 5
        objective = plan.make_objective(network, plan.draw_points())
        objective.make_engine = make
        loss = objective.evaluate()
        loss.total.backward()
        gradient = [p.grad for p in network.parameters() if p.grad is not None]
        values.append(torch.cat([loss.total.detach()[None], *[g.ravel() for g in gradient]]))
    for other in values[1:]:
        torch.testing.assert_close(other, values[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("units", [(0.0, 1.0, 1.0), (-700.0, 250.0, 1e-6), (2e-3, 1e-3, 400.0)])
def test_two_plates(units: tuple[float, float, float], tmp_path: Path) -> None:
    plan = plan_of(plates(*units))
    (place,) = plan.spec.network.kinks["x"]
    assert place == pytest.approx(units[0] + units[1], abs=1e-12 * units[1])
    run = execute(plan)
    assert run.summary.error < 1e-7
    path = tmp_path / "run.h5"
    run.save(path)
    kept = laaf.load(path)
    found = kept("T", x=kept.solution["x"].values)
    np.testing.assert_allclose(found, kept.solution["T"], rtol=1e-9, atol=1e-9)
    with resealed(path) as file:
        settings = (
            file["spec/settings"][()]
            .decode()
            .replace('"kinks": {\n      "x"', '"kinks": {\n      "y"')
        )
        del file["spec/settings"]
        file["spec/settings"] = np.bytes_(settings)
    with pytest.raises(RunFileError, match="kinks along 'y', which is not a coordinate"):
        laaf.load(path)("T", x=0.0)


def test_a_layer_in_two_dimensions() -> None:
    """k(y) u_y is the same everywhere."""
    text = """
coordinates: {x: [0, 1], y: [0, 2]}
unknowns: [T]
equations: {heat: "D(where(y < 0.5, 1, 300)*T_x, x) + D(where(y < 0.5, 1, 300)*T_y, y) = 0"}
conditions:
  bottom: {where: y = 0, equation: T = 0}
  top: {where: y = 2, equation: T = 1}
  sides: {where: [x = 0, x = 1], equation: T_x = 0}
reference: {exact: {T: "where(y < 0.5, y, 0.5 + (y - 0.5)/300)/0.505"}}
evaluation: {grid: {x: 11, y: 41}}
training: [{optimizer: least-squares, features: 200}]
"""
    assert execute(plan_of(text)).summary.error < 1e-4


FAULTS = {
    "an unknown coordinate": "{z: [0.5]}",
    "no order": "{x: [[0.5, 1.5]]}",
    "outside": "{x: [0.5, 1.5]}",
    "at the end": "{x: [0]}",
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name: str, snapshot: SnapshotAssertion) -> None:
    text = plates(0.0, 1 / 3, 1.0).replace(
        "training", f"network: {{kinks: {FAULTS[name]}}}\ntraining"
    )
    with pytest.raises(SpecError) as caught:
        plan_of(text)
    (fault,) = caught.value.faults
    assert fault.what == snapshot
    assert fault.mark is not None


def test_a_periodic_axis_has_no_kink_of_high_order() -> None:
    text = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
periodic: {x: 2}
equations: {move: u_t + u_x = 0}
conditions: {start: {where: t = 0, equation: u = sin(2*pi*x)}}
network: {kinks: {x: [[0.5, 2]]}}
"""
    with pytest.raises(SpecError, match="2 is not an order"):
        plan_of(text)


def test_a_run_file_from_before_there_were_kinks_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = plates(0.0, 1.0, 1.0).replace("where(x < c, k, 100*k)", "k")
    text = text.replace("{optimizer: least-squares}", "{optimizer: adam, iterations: 2}")
    path = tmp_path / "run.h5"
    head, tail = text.split("reference:")
    text = head + "training:" + tail.split("training:")[1]
    execute(plan_of(text)).save(path)
    with resealed(path) as file:
        settings = json.loads(file["spec/settings"][()])
        del settings["network"]["kinks"]
        del file["spec/settings"]
        file["spec/settings"] = np.bytes_(json.dumps(settings))
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    more = laaf.load(path).resume(iterations=3, output=tmp_path / "more.h5")
    assert more.attributes["iterations"] == 5
