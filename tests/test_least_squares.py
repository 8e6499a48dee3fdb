"""The output layer by least squares: columns against the network, solutions against truths, resuming."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Laaf, plan_of, resealed

from laaf_cli.derivatives import ENGINES
from laaf_cli.derivatives.engine import Operator
from laaf_cli.derivatives.features import features
from laaf_cli.errors import ExitCode, RunFileError, SpecError
from laaf_cli.expression import Field
from laaf_cli.network.inputs import Period
from laaf_cli.network.kinks import Kink
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import PointSet
from laaf_cli.runfile import RunFile
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.runs.train import execute
from laaf_cli.training import Objective
from laaf_cli.training.least_squares import gauss_newton
from laaf_cli.training.least_squares.candidates import next_slopes
from laaf_cli.training.least_squares.points import Window, parted, sites
from laaf_cli.training.least_squares.stepper import LeastSquares
from laaf_cli.training.least_squares.system import OutputLayerState, ResidualPoints, System
from laaf_cli.training.least_squares.triangle import Triangle

PHASE = "training: [{optimizer: least-squares}]\n"

SMOOTH = """
coordinates: {x: [0, 1], y: [0, 2]}
unknowns: [u]
equations: {poisson: u_xx + u_yy = -1.25*pi**2*sin(pi*x)*sin(pi*y/2)}
conditions: {sides: {where: boundary, equation: u = 0}}
reference: {exact: {u: sin(pi*x)*sin(pi*y/2)}}
evaluation: {grid: {x: 21, y: 21}}
"""

DECAY = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -RATE*u}
conditions: {start: {where: t = 0, equation: u = 1}}
reference: {exact: {u: exp(-RATE*t)}}
"""

NARROW = """
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {string: "u_xx = where(abs(x - 0.7) < 0.004, 1, 0)"}
conditions: {ends: {where: boundary, equation: u = 0}}
"""

LOGISTIC = """
coordinates: {t: [0, 8]}
unknowns: [n]
equations: {growth: n_t = 2*n*(1 - n/500)}
conditions: {start: {where: t = 0, equation: n = 5}}
reference: {exact: {n: 500/(1 + 99*exp(-2*t))}}
"""

HEAT = """
coordinates: {x: [0, LENGTH], t: [0, TIME]}
unknowns: [T]
equations: {heat: T_t = RATE*T_xx}
conditions:
  start: {where: t = 0, equation: T = SIZE*sin(pi*x/LENGTH)}
  ends: {where: boundary, equation: T = 0}
reference: {exact: {T: SIZE*sin(pi*x/LENGTH)*exp(-RATE*(pi/LENGTH)**2*t)}}
evaluation: {grid: {x: 21, t: 21}}
"""

INVERSE = """
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 1.0, positive: true, truth: 4.0}}
equations: {wave: u_xx + k*u = 0}
conditions: {left: {where: x = 0, equation: [u = 0, u_x = 2]}}
data: {target: {u: sin(2*x)}, points: 40}
reference: {exact: {u: sin(2*x)}}
"""


def with_values(text: str, **values: object) -> str:
    for name, value in values.items():
        text = re.sub(rf"\b{name}\b", f"({value})", text)
    return re.sub(r"\[0, \(([^)]*)\)\]", r"[0, \1]", text)


def solved(text: str, *overrides: str) -> FinishedRun:
    return execute(plan_of(text if "training:" in text else text + PHASE, *overrides))


def network_of(depth: int, periods: dict[int, Period] | None = None) -> Mlp:
    return Mlp(
        2, [7] * depth, 2, kind="nlaaf", n=3, bounds=((0.0, -1.0), (3.0, 4.0)), periods=periods,
        random=np.random.default_rng(1), dtype=torch.float64,
    )  # fmt: skip


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("periods", [None, {1: Period(-1.0, 4.0, 2)}])
def test_columns_times_the_output_layer_are_the_fields(
    depth: int, periods: dict[int, Period] | None
) -> None:
    network = network_of(depth, periods)
    points = torch.rand(11, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    orders = [(0, 0), (1, 0), (0, 2), (2, 1), (2, 2)]
    columns = features(network, points, orders)
    layer = torch.cat([network.weights[-1], network.biases[-1][:, None]], 1)
    wanted = [Field(name, each) for name in "uv" for each in orders]
    engine = ENGINES["nested"](network, ("u", "v"), wanted)
    found = engine.evaluate(engine.prepare(points))
    for field, values in found.items():
        ours = columns[field.orders] @ layer["uv".index(field.unknown)]
        torch.testing.assert_close(ours, values, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("engine", ["nested", "taylor", "auto"])
def test_every_window_has_its_own_network(engine: str) -> None:
    first = network_of(2)
    first.use_window(1, -1.0, 1.0)
    points = torch.tensor([[0.5, -0.7], [1.0, 1.0], [2.0, 3.0], [2.5, 4.0]], dtype=torch.float64)
    first.end_window(-1.0, 1.0)
    with torch.no_grad():
        first.weights[0].mul_(2)
    first.use_window(1, 1.0, 3.0)
    whole = ENGINES[engine](first, ("u", "v"), [Field("u", (1, 1))])
    found = whole.evaluate(whole.prepare(points))[Field("u", (1, 1))]
    for network, rows in zip(first.networks, ([0, 1], [2, 3]), strict=True):
        alone_ends, network.ends = network.ends, []
        engine_of_one = ENGINES[engine](network, ("u", "v"), [Field("u", (1, 1))])
        # After the end of the last window all is as it is there.
        given = points[rows].clamp(max=3.0)
        values = engine_of_one.evaluate(engine_of_one.prepare(given))[Field("u", (1, 1))]
        torch.testing.assert_close(found[rows], values)
        network.ends = alone_ends


@pytest.mark.parametrize("depth", [1, 2])
def test_a_window_is_kept_for_less_than_it_was_solved(depth: int) -> None:
    """The same function, with its inputs scaled to what is kept; kinks in time among them."""
    kinks = [Kink(axis=1, place=0.5, order=2), Kink(axis=0, place=1.0), Kink(axis=1, place=0.7)]
    network = Mlp(
        2, [7] * depth, 2, kind="nlaaf", n=3, bounds=((0.0, -1.0), (3.0, 4.0)), kinks=kinks,
        random=np.random.default_rng(1), dtype=torch.float64,
    )  # fmt: skip
    network.use_window(1, -1.0, 1.3)
    points = torch.tensor([[0.5, -0.7], [1.0, 0.9], [2.0, 0.6]], dtype=torch.float64)
    whole = columns_of(network, points)
    network.end_window(-1.0, 1.0)
    (kept,) = network.past
    assert isinstance(kept, Mlp)
    assert kept.inputs.half_range[1] == 1.0
    assert network.ends == [1.0]
    torch.testing.assert_close(columns_of(kept, points), whole, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(columns_of(network, points), whole, rtol=0, atol=0)


def columns_of(network: Mlp, points: torch.Tensor) -> torch.Tensor:
    orders = [(0, 0), (1, 1), (0, 2)]
    return torch.stack([features(network, points, orders)[alpha] for alpha in orders])


@pytest.mark.parametrize("engine", ["nested", "taylor", "auto"])
def test_operators_in_windows(engine: str) -> None:
    network = network_of(1)
    network.use_window(1, -1.0, 1.0)
    network.end_window(-1.0, 1.0)
    network.use_window(1, 1.0, 3.0)
    points = torch.tensor([[0.5, -0.7], [2.0, 2.0]], dtype=torch.float64)
    wave = Operator(value=Field("wave", ()), unknown="u", orders=((2, 0), (0, 1)), coefficients="c")
    rows = torch.tensor([[3.0, 4.0], [-1.0, 2.0]], dtype=torch.float64)
    made = ENGINES[engine](network, ("u", "v"), [Field("v", (0, 0))], [wave])
    solved = made.evaluate(made.prepare(points, {"c": rows}))
    parts = [Field("u", orders) for orders in wave.orders]
    engine_of_parts = ENGINES["nested"](network, ("u", "v"), parts)
    single = engine_of_parts.evaluate(engine_of_parts.prepare(points))
    assert set(solved) == {Field("v", (0, 0)), wave.value}
    torch.testing.assert_close(
        solved[wave.value], sum(c * single[part] for c, part in zip(rows, parts, strict=True))
    )


@pytest.mark.parametrize("m", [40, 290, 1300], ids=["few", "as many", "by halves"])
def test_the_factor_of_all_rows(m: int) -> None:
    """AᵀA = RᵀR, of rows that come in blocks; joined with a triangle of damping it solves."""
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(m, 290, dtype=torch.float64, generator=random)
    right = torch.randn(m, dtype=torch.float64, generator=random)
    triangle = Triangle(290)
    for part in (slice(0, 30), slice(30, m)):
        triangle.add(rows[part], right[part])
    factor = triangle.factor()
    both = torch.cat([rows, right[:, None]], 1)
    torch.testing.assert_close(factor.T @ factor, both.T @ both, rtol=1e-12, atol=1e-9)
    assert not factor.tril(-1).any()
    damping = 0.1 * float(rows.norm())
    normal = rows.T @ rows + damping**2 * torch.eye(290, dtype=torch.float64)
    torch.testing.assert_close(triangle.solve(0.1), torch.linalg.solve(normal, rows.T @ right))


def test_a_linear_equation_to_ten_digits() -> None:
    run = solved(SMOOTH, "training.0.features=300")
    assert run.summary.error < 1e-9
    assert run.summary.stop_reason == "completed"
    assert run.summary.phases[0].detail.startswith("relative residual ")


def test_the_error_falls_exponentially_with_neurons() -> None:
    errors = [solved(SMOOTH, f"training.0.features={n}").summary.error for n in (40, 80, 160)]
    assert errors[1] < 0.1 * errors[0]
    assert errors[2] < 0.1 * errors[1]


def test_nonlinear_equations_and_two_hidden_layers() -> None:
    assert solved(LOGISTIC).summary.error < 1e-7
    deep = solved(SMOOTH, "training.0.features=200", "network.hidden=[10, 20]")
    assert deep.summary.error < 1e-6
    assert deep.summary.n_slopes == 10 + 200


UNITS = {
    "of order one": {"LENGTH": 1, "TIME": 1, "RATE": 0.1, "SIZE": 1},
    "millimetres and years": {
        "LENGTH": 1000, "TIME": 1 / 3.15e7, "RATE": 0.1 * 1e6 * 3.15e7, "SIZE": 1e-3
    },
    "kilometres and kilokelvin": {"LENGTH": 1e-3, "TIME": 1e6, "RATE": 1e-13, "SIZE": 1e6},
}  # fmt: skip


def test_other_units_have_the_same_digits() -> None:
    errors = {}
    for name, values in UNITS.items():
        run = solved(with_values(HEAT, **values), "training.0.features=240")
        errors[name] = run.summary.error
    assert max(errors.values()) < 1e-6, errors
    assert max(errors.values()) < 30 * min(errors.values()), errors


BAR = """
coordinates: {x: [0, LENGTH]}
unknowns: [u, s]
equations:
  stress: s = STIFF*u_x
  balance: s_x = -STIFF*(pi/LENGTH)**2*SIZE*sin(pi*x/LENGTH)
conditions: {ends: {where: boundary, equation: u = 0}}
reference:
  exact:
    u: SIZE*sin(pi*x/LENGTH)
    s: STIFF*SIZE*pi/LENGTH*cos(pi*x/LENGTH)
"""


def test_unknowns_of_any_sizes(solved_bar: dict[str, float]) -> None:
    assert max(solved_bar.values()) < 1e-9, solved_bar


@pytest.fixture(scope="module")
def solved_bar() -> dict[str, float]:
    """The error by units; no condition says how large the stress is."""
    units = {
        "of order one": {"LENGTH": 1, "STIFF": 1, "SIZE": 1},
        "pascals and metres": {"LENGTH": 2, "STIFF": 2.1e11, "SIZE": 1e-4},
        "the other way": {"LENGTH": 300, "STIFF": 1e-9, "SIZE": 1e4},
    }
    return {
        name: solved(with_values(BAR, **values), "training.0.features=100").summary.error
        for name, values in units.items()
    }


HINGED = """
coordinates: {x: [0, 1]}
unknowns: [w]
equations: {bending: w_xxxx = pi**4*sin(pi*x)}
conditions: {hinges: {where: boundary, equation: [w = 0, w_xx = 0]}}
transform: {w: sin(pi*x) + x*(1 - x)*net}
reference: {exact: {w: sin(pi*x)}}
"""


def test_residuals_that_the_form_meets_have_no_rows() -> None:
    run = solved(HINGED, "training.0.features=150")
    assert run.summary.error < 1e-9


EVERYTHING = """
coordinates: {x: [0, 1], t: [0, 2]}
unknowns: [u, v]
learn: {k: {start: 2.0, positive: true}}
equations: {a: u_t = k*u_xx + v**2, b: "v_x = exp(-u)"}
conditions:
  seam: {periodic: x, equation: [u, u_x], weight: 3}
  mean: {integral: u*v, over: [x], equals: 1 + t, points: 7, weight: 0.5}
  start: {where: t = 0, equation: u = sin(2*pi*x), points: 11}
  rows: {data: FILE, weights: w, equation: v = u + value}
points: {interior: 40}
weights: {equations: {b: 5}}
slopes: {recovery: false}
reference: none
dtype: float64
"""


@pytest.fixture
def system(tmp_path: Path) -> tuple[Objective, System]:
    """An objective of every kind of rows, and the same rows for least squares."""
    rows = "x,t,value,w\n0.1,0.2,3,1\n0.7,1.5,-2,10\n0.4,0.9,1,0.1\n"
    (tmp_path / "rows.csv").write_text(rows, encoding="utf-8")
    plan = plan_of(
        EVERYTHING.replace("FILE", str(tmp_path / "rows.csv")),
        "network.hidden=[9]",
        "training.0.iterations=1",
    )
    network = plan.make_network()
    objective = plan.make_objective(network, plan.draw_points())
    sites = [
        ResidualPoints(plan.problem, group.terms, group.point_set, network.device)
        for group in objective.groups
    ]
    inner = torch.rand(50, 2, dtype=torch.float64)
    domain, outputs = plan.problem.domain, plan.problem.ansatz.outputs
    assert outputs == ("u", "v")
    return objective, System(
        plan.problem, domain, network, sites, objective.backend, objective.constants.at,
        inner, {}, 9,
    )  # fmt: skip


def test_the_norm_of_all_rows_is_the_loss(system: tuple[Objective, System]) -> None:
    objective, rows = system
    state = OutputLayerState(
        layer=objective.network.output_layer, free=objective.constants.at_start()
    )
    found = rows.residuals(state)
    total = sum(
        float((rows.factors(i, equation, len(values)) * values).square().sum())
        for i, equation, values in found
    )
    assert total == pytest.approx(float(objective.evaluate().total.detach()), rel=1e-12)


def test_the_jacobian_is_that_of_the_residuals(system: tuple[Objective, System]) -> None:
    objective, rows = system
    state = OutputLayerState(
        layer=objective.network.output_layer, free=objective.constants.at_start()
    )
    random = torch.Generator().manual_seed(0)
    step = torch.randn(2 * 10 + 1, dtype=torch.float64, generator=random)
    h, ones = 1e-6, torch.ones_like(step)
    ahead, behind = (rows.residuals(state.moved(by * step, ones)) for by in (h, -h))
    for (i, _, at), (*_, after), (*_, before) in zip(
        rows.linearised(state), ahead, behind, strict=True
    ):
        jacobian = torch.cat([block for _, block in rows.jacobian(i, at)])
        torch.testing.assert_close(
            jacobian @ step, (after - before) / (2 * h), rtol=1e-7, atol=1e-7
        )


def test_learned_constants_are_columns_like_others() -> None:
    run = solved(INVERSE)
    assert run.summary.constants["k"].value == pytest.approx(4, rel=1e-6)
    assert run.summary.error < 1e-7


def test_long_times_in_windows() -> None:
    run = solved(with_values(DECAY, RATE=100), "training.0.features=30")
    assert run.summary.error < 1e-6
    assert len(run.record.network.ends) > 1
    assert run.record.network.ends[-1] == 1.0
    assert not solved(with_values(DECAY, RATE=1)).record.network.ends
    four = solved(with_values(DECAY, RATE=1), "training.0.windows=4")
    assert four.record.network.ends == (0.25, 0.5, 0.75, 1.0)


def test_a_run_file_holds_all_windows(tmp_path: Path, laaf: Laaf) -> None:
    spec = tmp_path / "fast.yaml"
    spec.write_text(with_values(DECAY, RATE=100) + PHASE, encoding="utf-8")
    run = tmp_path / "fast.h5"
    done = laaf("solve", spec, "--set", "training.0.features=30", "-o", run, "--json")
    assert done.code == 0, done.err
    at = tmp_path / "at.npz"
    assert laaf("evaluate", run, "--grid", "t=201", "-o", at).code == 0
    with np.load(at) as file:
        t, u = file["t"], file["u"]
    assert np.abs(u - np.exp(-100 * t)).max() < 1e-6


THREE = """training:
  - {optimizer: adam, iterations: 20}
  - {optimizer: least-squares, features: 60}
  - {optimizer: ssbroyden, iterations: 5}
"""


STEEP_START = """
coordinates: {x: [0, 1], t: [0, 0.002]}
unknowns: [u]
equations: {burgers: u_t + u*u_x = u_xx}
conditions:
  start: {where: t = 0, equation: u = exp(-150*(x - 0.4)**2)}
  ends: {where: [x = 0, x = 1], equation: u = 0}
reference: none
"""

FEW = ["training.0.features=150", "training.0.goal=1e-3"]


def test_neurons_follow_what_is_steep_where_all_of_them_are_used() -> None:
    """Four windows; those of neurons that do not are 41."""
    assert len(solved(STEEP_START, *FEW).record.network.ends) < 8


NOISY = """
coordinates: {x: [0, 1]}
unknowns: [u, q]
equations: {balance: -u_xx + q*u = (1 + x)*(2 + sin(3*x)) + 9*sin(3*x)}
conditions: {left: {where: x = 0, equation: u = 2}, right: {where: x = 1, equation: u = 2 + sin(3)}}
data: {target: {u: 2 + sin(3*x)}, points: 60, noise: 1.0e-4}
reference: {exact: {u: 2 + sin(3*x), q: 1 + x}}
training: [{optimizer: least-squares, features: 300}]
"""

RESUMED = {
    "windows": (with_values(DECAY, RATE=100) + PHASE, ["training.0.features=30"], (3, -2)),
    "damped steps": (LOGISTIC + PHASE, ["training.0.windows=1"], (2, 80, 90)),
    "steep": (NARROW + PHASE, ["training.0.features=60", "network.kinks={}"], (4, -3, -1)),
    "steep at the start": (STEEP_START + PHASE, FEW, (12, -3)),
    "noise": (NOISY, [], (9, 13, -2)),
    "phases": (SMOOTH + THREE, ["network.hidden=[8, 8]"], (10, 21, -2)),
}


@pytest.mark.parametrize("name", RESUMED)
def test_resumed_bit_for_bit(name: str, tmp_path: Path) -> None:
    text, overrides, stops = RESUMED[name]
    plan = plan_of(text, *overrides)
    whole = execute(plan)
    assert whole.summary.iterations > 6
    for stop in stops:
        last = stop % (whole.summary.iterations - 1)
        count = iter(range(1000))
        part = execute(plan, should_stop=lambda count=count, last=last: next(count) >= last)
        assert part.summary.stop_reason == "interrupted"
        file = tmp_path / f"{stop}.h5"
        part.save(file)
        resumed = execute(plan, past=PastRun.read(file))
        assert resumed.summary.iterations == whole.summary.iterations
        for ours, theirs in zip(
            resumed.record.network.weights, whole.record.network.weights, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        assert resumed.record.network.ends == whole.record.network.ends


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped in its second window of time, or later."""
    plan = plan_of(with_values(DECAY, RATE=100) + PHASE, "training.0.features=30")
    last = execute(plan).summary.iterations - 2
    count = iter(range(1000))
    run = execute(plan, should_stop=lambda: next(count) >= last)
    assert run.record.network.past
    path = tmp_path_factory.mktemp("unfinished") / "run.h5"
    run.save(path)
    return path


SPOILED = {
    "network/ends": [[[0.1, 0.2]], [0.5, 0.4], [0.5, 2.0], [np.nan, 1.0]],
    "checkpoint/optimizer/start": [np.nan, 0.0],
    "checkpoint/optimizer/end": [-1.0, 7.0, np.inf],
    "checkpoint/optimizer/width": [0.0, 31.0, np.nan],
    "checkpoint/optimizer/stage": [-1.0, 1.0],
    "checkpoint/optimizer/tried": [1.0, [[1.0]]],
    "checkpoint/optimizer/steps": [[1.0], np.nan, 1e9],
    "checkpoint/optimizer/n_refined": [-1.0, 3.0],
    "checkpoint/optimizer/neurons": [1.0, [[1.0, 2.0]]],
    "checkpoint/optimizer/whole_layer": [1.0, [[1.0]], [[1.0] * 40]],
}


@pytest.mark.parametrize(
    ("path", "value"), [(path, value) for path, values in SPOILED.items() for value in values]
)
def test_a_spoiled_search_is_refused(
    path: str, value: object, unfinished: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "run.h5"
    shutil.copy(unfinished, copy)
    with resealed(copy) as file:
        assert path in file
        del file[path]
        file[path] = np.array(value)
    plan = plan_of(with_values(DECAY, RATE=100) + PHASE, "training.0.features=30")
    with pytest.raises(RunFileError):
        execute(plan, past=PastRun.read(copy))


@pytest.mark.cuda
def test_cuda_follows_the_cpu() -> None:
    for text in (SMOOTH, LOGISTIC, INVERSE):
        cpu, cuda = (solved(text, f"device={device}").summary for device in ("cpu", "cuda"))
        assert cuda.error < max(1e-9, 10 * cpu.error)


def test_one_phase_among_others(tmp_path: Path) -> None:
    run = solved(SMOOTH + THREE, "network.hidden=[8, 8]")
    assert [phase.optimizer for phase in run.summary.phases] == [
        "adam", "least-squares", "ssbroyden"
    ]  # fmt: skip
    assert run.summary.error < 1e-2
    slopes = run.record.history.slopes[-1]
    assert slopes.shape[1] == 60
    assert np.isnan(slopes[0, 8:]).all()
    assert np.isfinite(slopes[-1]).all()
    run.save(tmp_path / "three.h5")
    with RunFile(tmp_path / "three.h5") as file:
        assert file.hidden == [8, 60]
        assert file.network().weights[-1].shape == (1, 60)


def test_a_run_file_of_a_search_that_needs_fewer_neurons_than_it_tried(tmp_path: Path) -> None:
    run = execute(plan_of(SMOOTH + "training: [{optimizer: least-squares, features: 1200}]\n"))
    path = tmp_path / "run.h5"
    run.save(path)
    with RunFile(path) as file:
        (width,) = file.hidden
        assert width < 1200
        assert file.history().slopes[0].shape[1] == width


def test_slopes_are_doubled_and_halved_until_the_best_is_between() -> None:
    residual = {(1.0,): 1e-3, (2.0,): 1e-5, (4.0,): 1e-6, (8.0,): 1e-4}
    tried: dict[tuple[float, ...], float] = {(2.0,): residual[(2.0,)]}
    while (slopes := next_slopes(tried, 1e-5)) is not None:
        tried[slopes] = residual[slopes]
    assert set(tried) == {(2.0,), (4.0,), (8.0,)}
    assert next_slopes({(2.0,): 1e-9}, 1e-5) is None
    assert next_slopes(tried, 1e-7) == pytest.approx((4 * 2**0.5,))


def test_of_slopes_that_fit_data_the_flattest_are_looked_for() -> None:
    """Down to those that fit twice as badly as the best."""
    residual = {4.0: 5e-4, 2.0: 1e-4, 1.0: 1.5e-4, 0.5: 1.9e-4, 0.25: 2.1e-4, 0.125: 3e-4}
    tried: dict[tuple[float, ...], float] = {(2.0,): residual[2.0]}
    while (slopes := next_slopes(tried, 1e-3, has_data=True)) is not None:
        tried[slopes] = residual[slopes[0]]
    assert set(tried) == {(2.0,), (4.0,), (1.0,), (0.5,), (0.25,)}
    assert next_slopes({(2.0,): 1e-12}, 1e-3, has_data=True) == (1.0,)
    assert next_slopes({(2.0,): 1e-12}, 1e-3) is None


def test_observations_that_are_judged_by_are_not_solved_with() -> None:
    def observed(n: int) -> PointSet:
        values = np.arange(float(n))
        return PointSet(points=values[:, None], symbols={"u": 2 * values}, row_weights=3 * values)

    fitted, held = parted({"many": observed(50), "few": observed(7)}, np.random.default_rng(0))
    assert (len(fitted["many"]), len(held["many"])) == (40, 10)
    for part in (fitted["many"], held["many"]):
        assert part.row_weights is not None
        np.testing.assert_array_equal(part.symbols["u"], 2 * part.points[:, 0])
        np.testing.assert_array_equal(part.row_weights, 3 * part.points[:, 0])
    both = np.concatenate([fitted["many"].points, held["many"].points])[:, 0]
    np.testing.assert_array_equal(np.sort(both), np.arange(50))
    assert len(fitted["few"]) == len(held["few"]) == 7


def test_a_coefficient_is_not_found_in_the_noise_of_data() -> None:
    """Neurons that fit this noise find a coefficient that is off by more than its size."""
    run = solved(NOISY)
    errors = run.summary.relative_l2
    assert errors is not None
    assert errors["q"] < 0.05
    (phase,) = run.record.phases
    assert "300 neurons with slopes 0.25" in phase.detail  # more are no steeper


def test_all_observations_are_solved_with_in_the_end() -> None:
    search, n_by_stage = begun(NOISY), {}
    while not search.is_finished:
        loss = search.evaluate(0)
        assert search.solver is not None
        for site in search.solver.system.sites:
            if site.equations[0].kind == "data":
                n_by_stage[search.stage] = len(site.points)
        search.advance(loss)
    assert n_by_stage == {0: 48, 1: 60}


def test_slopes_are_searched_along_each_coordinate_above_the_goal() -> None:
    """Of a residual that is least at slopes of 8 and 1/2, from 2 and 2."""
    tried: dict[tuple[float, ...], float] = {}
    slopes: tuple[float, ...] | None = (2.0, 2.0)
    while slopes is not None:
        x, t = slopes
        tried[slopes] = 1e-4 * 4 ** (abs(math.log2(x / 8)) + abs(math.log2(t * 2)))
        slopes = next_slopes(tried, 1e-5)
    assert min(tried, key=tried.__getitem__) == (8.0, 0.5)
    assert len(tried) < 20
    all_together = {(2.0, 2.0): 1e-4, (4.0, 4.0): 2e-4, (1.0, 1.0): 2e-4}
    assert next_slopes(all_together, 1e-5, 1e-3) is None
    assert next_slopes(all_together, 1e-5, most=1e-4) is not None
    assert next_slopes(all_together, 1e-5, most=5e-5) is None
    alone = {(2.0,): 1e-4, (4.0,): 2e-4, (1.0,): 2e-4}
    assert next_slopes(alone, 1e-5, most=1e-4) is not None
    assert next_slopes(alone, 1e-5, most=5e-5) is None


STEEPENING = """
coordinates: {x: [-1, 1], t: [0, 0.12]}
unknowns: [u]
equations: {burgers: u_t + u*u_x = 0.02*u_xx}
conditions:
  start: {where: t = 0, equation: u = -sin(pi*x)}
  ends: {where: boundary, equation: u = 0}
training: [{optimizer: least-squares, features: 400, goal: 1.0e-6}]
evaluation: {grid: {x: 41, t: 21}}
"""


def test_a_steepening_wave_in_windows_with_slopes_along_each_coordinate() -> None:
    run = execute(plan_of(STEEPENING))
    assert run.summary.error < 2e-6
    (phase,) = run.record.phases
    assert re.search(r"slopes \S+ along x, \S+ along t in \d+ windows", phase.detail)


FRONT = """
coordinates: {y: [0, 1], t: [0, 1]}
unknowns: [u, s]
equations:
  heat: u_t - y*s_t/s*u_y = u_yy/s**2
  front: s_y = 0
conditions:
  start: {where: t = 0, equation: [u = exp(0.5 - 0.5*y) - 1, s = 0.5]}
  wall: {where: y = 0, equation: u = exp(t + 0.5) - 1}
  melt: {where: y = 1, equation: [u = 0, s_t = -u_y/s]}
reference: {exact: {u: exp((t + 0.5)*(1 - y)) - 1, s: t + 0.5}}
training: [{optimizer: least-squares, features: 60, windows: 1, goal: 1.0e-3}]
evaluation: {grid: {y: 11, t: 11}}
"""


def test_a_condition_that_divides_by_an_unknown() -> None:
    """Of which the first guess knows nothing: Stefan's front, brought to rest."""
    assert execute(plan_of(FRONT)).summary.error < 1e-3


EPIDEMIC = """
coordinates: {t: [0, 160]}
unknowns: [S, I]
equations: {s: S_t = -0.35*S*I/1000000, i: I_t = 0.35*S*I/1000000 - 0.1*I}
conditions: {start: {where: t = 0, equation: [S = 999990, I = 10]}}
training: [{optimizer: least-squares}]
"""


def test_growth_from_a_trace() -> None:
    """An unknown grows by 2·10⁴, where steps over too long a time stall."""
    assert max(execute(plan_of(EPIDEMIC)).summary.relative_l2.values()) < 1e-7


PULSE = """
coordinates: {x: [0, 3], t: [0, 1e-9]}
unknowns: [E, H]
constants: {mu: 4e-7*pi, eps: 8.854e-12}
equations: {faraday: mu*H_t = E_x, ampere: eps*E_t = H_x}
conditions:
  start: {where: t = 0, equation: [E = 100*exp(-((x - 1.5)/0.5)**2), H = 0]}
  walls: {where: [x = 0, x = 3], equation: E = 0}
training: [{optimizer: least-squares, features: 300, windows: 1}]
"""


def begun(text: str) -> LeastSquares:
    """A search that has its first guess."""
    plan = plan_of(text)
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    stepper = LeastSquares(objective, plan.phases[0], 0)
    stepper.evaluate(0)
    return stepper


def test_what_nothing_asks_for_is_zero_in_the_first_guess() -> None:
    """And no rounding of another unknown, by whose size its columns would be scaled."""
    electric, magnetic = begun(PULSE).network.output_layer.detach()
    assert electric.abs().max() > 1
    assert not magnetic.any()


def test_conditions_that_join_unknowns_ask_for_both() -> None:
    text = PULSE.replace("unknowns: [E, H]", "unknowns: [E, H, P]")
    text = text.replace("H_x}", "H_x, wave: P_t = E_x}")
    layers = begun(text.replace("H = 0]", "H = E/377, P = 0]")).network.output_layer.detach()
    assert [bool(layer.any()) for layer in layers] == [True, True, False]


CUBIC = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -3*u**3}
conditions: {start: {where: t = 0, equation: u = 1}}
training: [{optimizer: least-squares, features: 40, windows: 1}]
"""


def test_steps_end_where_they_are_slow_or_good_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(enough: float) -> int:
        solver = begun(CUBIC).solver
        assert solver is not None
        while solver.step(1e-7, enough):
            pass
        return solver.steps

    whole = steps(0.0)
    assert whole > gauss_newton.MAX_SLOW
    assert steps(1e-3) < whole
    monkeypatch.setattr(gauss_newton, "SLOW", -1.0)
    assert steps(0.0) == gauss_newton.MAX_SLOW


def test_integrals_have_as_many_points_as_they_need() -> None:
    text = """
coordinates: {x: [0, 1], y: [0, 1], t: [0, 1]}
unknowns: [p]
equations: {flow: p_t = p_xx + p_yy}
conditions:
  start: {where: t = 0, equation: p = x}
  level: {integral: p, equals: 1/2}
training: [{optimizer: least-squares, features: 20}]
"""
    plan = plan_of(text)
    rows = sites(
        plan.problem,
        Window(domain=plan.problem.domain),
        plan.draw_points(),
        50,
        np.random.default_rng(0),
        torch.device("cpu"),
    )
    (level,) = [site for site in rows if site.combination is not None]
    assert len(level.points) == 40 * level.run


JUMP = """
coordinates: {x: [0, 1], y: [0, 1]}
unknowns: [u]
equations: {flow: "D(where(x**2 + y**2 < 0.5, 1, 9)*u_x, x) + D(where(x**2 + y**2 < 0.5, 1, 9)*u_y, y) = 0"}
conditions: {ends: {where: boundary, equation: u = x}}
"""

REFUSED = {
    "float32": (SMOOTH + "dtype: float32\n", "is lost in the rounding of float32"),
    "windows without time": (
        SMOOTH + "training: [{optimizer: least-squares, windows: 2}]\n",
        "cannot be solved in windows of time",
    ),
    "windows among phases": (
        with_values(DECAY, RATE=1)
        + "training: [{optimizer: least-squares, windows: 2}, {optimizer: adam, iterations: 5}]\n",
        "windows of time are for a training of one phase",
    ),
    "a jump under a derivative": (JUMP, "do not bend where the flux jumps"),
    "a dense optimizer behind many neurons": (
        SMOOTH + THREE.replace(", features: 60", ""),
        "'ssbroyden' keeps a matrix of ",
    ),
    "another's key": (
        SMOOTH + "training: [{optimizer: adam, iterations: 5, features: 9}]\n",
        "the optimizer 'adam' takes no 'features'",
    ),
}


@pytest.mark.parametrize(("text", "what"), REFUSED.values(), ids=list(REFUSED))
def test_refused(text: str, what: str) -> None:
    with pytest.raises(SpecError, match=re.escape(what)):
        solved(text)


def test_said_at_the_end(tmp_path: Path, laaf: Laaf) -> None:
    spec = tmp_path / "smooth.yaml"
    spec.write_text(SMOOTH + PHASE, encoding="utf-8")
    run = tmp_path / "run.h5"
    done = laaf("solve", spec, "--set", "training.0.features=100", "-o", run)
    assert done.code == 0, done.err
    assert "relative residual" in done.out
    assert json.loads(laaf("show", run, "--json").out)["relative_l2"] < 1e-4
    assert laaf("resume", run).code == ExitCode.USAGE


def test_a_search_that_is_lost_leaves_the_seconds_to_others() -> None:
    """Without windows nothing else ends it: the whole time takes all neurons, again and again."""
    search = begun(PULSE)
    assert not search.is_late(0.99, 1.0)
    while search.best is None:
        search.advance(search.evaluate(0))
    residual = search.best.residual
    search.best = replace(search.best, residual=0.5)
    assert not search.is_late(0.3, 1.0)
    assert search.is_late(0.5, 1.0)
    search.best = replace(search.best, residual=min(residual, 1e-4))
    assert not search.is_late(0.99, 1.0)
    search.best = replace(search.best, residual=0.5)
    search.march.n_windows = None
    assert not search.is_late(0.5, 1.0)  # windows have a pace of their own
    assert search.is_late(1.0, 1.0)
    assert search.is_late(1.0, 1.5)  # overtime is for windows
    search.march.begin(0.5)
    assert not search.is_late(1.0, 1.5)


def test_a_search_in_time_alone_is_never_lost() -> None:
    """Training does not come further there."""
    search = begun(with_values(DECAY, RATE=100) + PHASE.replace("}", ", windows: 1}"))
    while search.best is None:
        search.advance(search.evaluate(0))
    search.best = replace(search.best, residual=0.5)
    assert search.march.is_uncut
    assert not search.is_late(0.99, 1.0)


UNSOLVABLE = {
    "whatever u is": "coordinates: {t: [-1, 1]}\nequations: {e: t = u - u}\n",
    "nowhere finite": "coordinates: {x: [0, 1], y: [0, 1]}\nequations: {e: u = log(-1 - u**2)}\n",
}


@pytest.mark.parametrize("name", UNSOLVABLE)
def test_what_no_neurons_solve_is_given_up(name: str) -> None:
    """And costs iterations while it is not, so that whoever waits can end it."""
    spec = UNSOLVABLE[name] + "unknowns: [u]\nreference: none\n" + PHASE
    assert execute(plan_of(spec, "training.0.iterations=500")).summary.iterations < 200
