"""`laaf evaluate`: the network restored, derivatives, places, the four formats, and every way to get it wrong."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from conftest import Laaf, plan_of, resealed
from syrupy.assertion import SnapshotAssertion

from laaf_cli.cli import sample_points as cli_sample_points
from laaf_cli.cli.place_options import GRID_FORMS
from laaf_cli.derivatives import ENGINES
from laaf_cli.errors import ExitCode, RunFileError, UsageError
from laaf_cli.files import export
from laaf_cli.problem import SamplePoints
from laaf_cli.problem.tables import Rows, Table, read_table
from laaf_cli.runfile import RunFile
from laaf_cli.runs import solution as trained_network
from laaf_cli.runs.plan import make_plan
from laaf_cli.runs.solution import TrainedNetwork, restore
from laaf_cli.runs.train import execute
from laaf_cli.spec import Override, Text

with warnings.catch_warnings():
    # Importing meshio reads a table of NumPy that newer versions of it deprecate; what it reads of ours is its own.
    warnings.simplefilter("ignore")
    import meshio

GOLDEN = Path(__file__).parent / "golden" / "run-format-7.h5"

TWO = """
title: Wärme
coordinates: {x: [3, 5], t: [-2, 1]}
unknowns: [u, v]
equations: {a: u_t = u_xx, b: v_t = u}
conditions:
  start: {where: t = -2, equation: [u = sin(x), v = 0], points: 7}
  ends: {where: boundary, equation: u = 0, points: 4}
points: {interior: 20}
network: {hidden: [5, 4]}
slopes: {kind: nlaaf, n: 5}
training: [{iterations: 3, learning_rate: 0.1}]
reference: {exact: {u: x, v: x*t}}
evaluation: {grid: {x: 6, t: 4}}
"""


def spec_in(dimension: int) -> str:
    """A Laplace equation in so many coordinates, the first on [1, 2], the next on [2, 3]…"""
    names = "xyzw"[:dimension]
    bounds = ", ".join(f"{name}: [{i}, {i + 1}]" for i, name in enumerate(names, start=1))
    grid = ", ".join(f"{name}: {i}" for i, name in enumerate(names, start=3))
    return (
        f"coordinates: {{{bounds}}}\nunknowns: [u]\nequations: {{e: laplacian(u) = 0}}\npoints: {{interior: 9}}\n"
        f"conditions: {{all: {{where: boundary, equation: u = x, points: 8}}}}\nnetwork: {{hidden: [4, 3]}}\n"
        f"training: [{{iterations: 1}}]\nevaluation: {{grid: {{{grid}}}}}\n"
    )


@pytest.fixture(scope="module")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The run file of a spec with `--set` assignments, trained once."""
    made: dict[tuple[str, ...], Path] = {}

    def make(spec: str = TWO, *assignments: str, derivatives: str = "taylor") -> Path:
        key = (spec, derivatives, *assignments)
        if key not in made:
            overrides = [Override.from_assignment(assignment) for assignment in assignments]
            plan = make_plan(Text("spec.yaml", spec), overrides, derivatives=derivatives)
            made[key] = tmp_path_factory.mktemp("run") / "run.h5"
            execute(plan).save(made[key])
        return made[key]

    return make


@pytest.fixture(scope="module")
def two(make_run: Callable[..., Path]) -> Path:
    return make_run()


@pytest.fixture
def damaged(two: Path, tmp_path: Path) -> Path:
    """A copy of the run file, to be damaged."""
    return Path(shutil.copy(two, tmp_path / "run.h5"))


def opened(path: Path) -> TrainedNetwork:
    with RunFile(path) as run:
        return restore(run, "cpu")


def values(network: TrainedNetwork, places: SamplePoints, *names: str) -> dict[str, np.ndarray]:
    return network.evaluate(places, {name: network.field(name) for name in names})


def scattered(network: TrainedNetwork, n: int, seed: int = 0) -> SamplePoints:
    """Points inside the domain."""
    random = np.random.default_rng(seed)
    bounds = zip(
        network.domain.coordinates, network.domain.lower, network.domain.upper, strict=True
    )
    return SamplePoints(
        {name: random.uniform(lower, upper, n) for name, lower, upper in bounds}, is_grid=False
    )


# The network


@pytest.mark.parametrize("kind", ["fixed", "gaaf", "llaaf", "nlaaf"])
@pytest.mark.parametrize("inputs", ["scaled", "raw"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ENGINES)
def test_restored_network_is_the_solution_of_the_file(
    make_run: Callable[..., Path], kind: str, inputs: str, dtype: str, engine: str
) -> None:
    path = make_run(
        TWO, f"slopes.kind={kind}", f"network.inputs={inputs}", f"dtype={dtype}", derivatives=engine
    )
    network = opened(path)
    # A run by the kernel may be asked for orders beyond it, or where it was not computed.
    assert network.solution.make_engine is ENGINES["auto" if engine == "fused" else engine]
    assert (network.domain.lower, network.domain.upper) == ((3, -2), (5, 1))
    found = values(network, SamplePoints(network.axes, is_grid=True), "v", "u", "u_x")
    with RunFile(path) as run:
        for name in ("u", "v"):
            solution = run.array(f"solution/{name}")
            assert found[name].shape == solution.shape == (6, 4)
            np.testing.assert_allclose(found[name], solution, rtol=0, atol=1e-12)
    assert np.ptp(found["u"]) > 1e-3, "a network that says something"


def test_golden_run_file_is_restored() -> None:
    network = opened(GOLDEN)
    with RunFile(GOLDEN) as run:
        solution = run.array("solution/u")
    np.testing.assert_allclose(
        values(network, SamplePoints(network.axes, is_grid=True), "u")["u"], solution, atol=1e-12
    )


def write_neuron(path: Path) -> None:
    """Makes of a run with one neuron u = 0.7 sin(2·(1.5 X − 0.5 T + 0.25)) + 0.1, X and T scaled to [−1, 1], n·a = 2."""
    new = {
        "layer_1/weight": [[1.5, -0.5]],
        "layer_1/bias": [0.25],
        "layer_1/slope": [0.4],
        "layer_2/weight": [[0.7]],
        "layer_2/bias": [0.1],
    }
    with resealed(path) as file:
        for name, value in new.items():
            del file[f"network/{name}"]
            file[f"network/{name}"] = np.array(value)


@pytest.mark.parametrize("engine", ENGINES)
def test_derivatives_are_those_of_a_closed_form(
    make_run: Callable[..., Path], tmp_path: Path, engine: str
) -> None:
    spec = (
        TWO.replace("[u, v]", "[u]")
        .replace(", b: v_t = u", "")
        .replace("[u = sin(x), v = 0]", "u = x")
    )
    spec = spec.replace(", v: x*t", "").replace("hidden: [5, 4]", "hidden: [1], activation: sin")
    path = Path(
        shutil.copy(make_run(spec, "dtype=float64", derivatives=engine), tmp_path / "run.h5")
    )
    write_neuron(path)
    network = opened(path)
    places = scattered(network, 40)
    x, t = places.coordinates["x"] - 4, (places.coordinates["t"] + 0.5) / 1.5
    phase = 2 * (1.5 * x - 0.5 * t + 0.25)
    for i, j in [
        (0, 0),
        (1, 0),
        (0, 1),
        (2, 0),
        (1, 1),
        (0, 2),
        (3, 1),
        (2, 2),
        (1, 3),
        (4, 0),
        (0, 4),
    ]:
        name = "u" + ("_" if i + j else "") + "x" * i + "t" * j
        expected = 0.7 * 3.0**i * (-1 / 1.5) ** j * np.sin(phase + (i + j) * np.pi / 2) + (
            0.1 if not i + j else 0
        )
        np.testing.assert_allclose(
            values(network, places, name)[name], expected, rtol=1e-11, atol=1e-12
        )
    # The order of the letters does not matter, and the name stays as it was asked for.
    both = values(network, places, "u_tx", "u_xt")
    assert list(both) == ["u_tx", "u_xt"]
    np.testing.assert_array_equal(both["u_tx"], both["u_xt"])


def test_derivatives_agree_with_nested_autograd_and_with_differences(
    make_run: Callable[..., Path],
) -> None:
    network = opened(make_run(TWO, "slopes.kind=llaaf", "network.activation=gelu"))
    places = scattered(network, 30)
    names = ["u", "v", "u_x", "v_t", "u_xt", "v_xxt", "u_xxxx", "v_xxtt"]
    taylor, nested = values(network, places, *names), values(nested_of(network), places, *names)
    for name in names:
        np.testing.assert_allclose(taylor[name], nested[name], rtol=1e-10, atol=1e-12)
    h = 1e-5
    for below, axis, name in [("u", "x", "u_x"), ("v", "t", "v_t"), ("u_x", "t", "u_xt")]:
        ahead, behind = (
            values(
                network,
                SamplePoints({**places.coordinates, axis: places.coordinates[axis] + step}, False),
                below,
            )[below]
            for step in (h, -h)
        )
        np.testing.assert_allclose((ahead - behind) / (2 * h), taylor[name], rtol=1e-6, atol=1e-8)


def test_blocks_change_nothing(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = opened(two)
    for places in (SamplePoints(network.axes, is_grid=True), scattered(network, 23)):
        whole = values(network, places, "u", "v_xt")
        monkeypatch.setattr(trained_network, "MAX_BLOCK", 5)
        in_blocks = values(network, places, "u", "v_xt")
        monkeypatch.undo()
        for name in whole:
            np.testing.assert_allclose(in_blocks[name], whole[name], rtol=1e-13, atol=1e-14)


class TakenError(Exception):
    """Points were taken."""


class ManyPlaces:
    """More points than are evaluated at a time; tells how many those are."""

    n_points = 10**6

    def block(self, start: int, stop: int) -> np.ndarray:
        raise TakenError(stop - start)


def block_size(network: TrainedNetwork, name: str) -> int:
    """At how many points a field is evaluated at a time."""
    with pytest.raises(TakenError) as taken:
        network.evaluate(ManyPlaces(), {name: network.field(name)})  # type: ignore[arg-type]
    return int(taken.value.args[0])


def test_memory_of_a_block_is_bounded(two: Path) -> None:
    network = opened(two)
    sizes = [block_size(network, name) for name in ("u", "v_xxtt")]
    assert sizes == [20_000, 20_000_000 // (9 * (5 + 4 + 2) * 16)]


@pytest.mark.cuda
def test_on_cuda(two: Path) -> None:
    with RunFile(two) as run:
        network = restore(run, "cuda")
        solution = run.array("solution/u")
    np.testing.assert_allclose(
        values(network, SamplePoints(network.axes, True), "u", "u_x")["u"], solution, atol=1e-12
    )


# Fields


FIELD_FAULTS = [
    "w",
    "U",
    "ux",
    "w_x",
    "du/dx",
    "x",
    "u_y",
    "u_x_t",
    "u_",
    "u_xxxxt",
    "u,,v",
    "",
]  # fmt: skip


@pytest.mark.parametrize("fields", FIELD_FAULTS)
def test_wrong_fields(two: Path, laaf: Laaf, fields: str, snapshot: SnapshotAssertion) -> None:
    outcome = laaf("evaluate", two, "--fields", fields)
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert outcome.err == snapshot


def nested_of(network: TrainedNetwork) -> TrainedNetwork:
    return replace(network, solution=replace(network.solution, make_engine=ENGINES["nested"]))


@pytest.mark.parametrize(
    ("activation", "field", "text"),
    [
        ("relu", "u_xt", "'u_xt' is a derivative of order 2, and 'relu' goes to order 1: its second derivative is zero wherever it exists, so an equation of second order cannot be learned"),
        ("elu", "u_xxt", "'u_xxt' is a derivative of order 3, and 'elu' goes to order 2: its second derivative jumps at 0 and its third does not exist there"),
    ],
)  # fmt: skip
def test_activations_that_are_not_smooth_enough(
    make_run: Callable[..., Path], laaf: Laaf, activation: str, field: str, text: str
) -> None:
    transport = TWO.replace("u_t = u_xx", "u_t = u_x").replace("where: boundary", "where: x = 5")
    path = make_run(transport, f"network.activation={activation}")
    outcome = laaf("evaluate", path, "-f", field)
    assert (outcome.code, outcome.err) == (ExitCode.USAGE, f"error: {text}\n")
    assert laaf("evaluate", path, "-f", field[:-1], "-q").code == 0


# Places


def table(text: str) -> tuple[list[str], np.ndarray]:
    header, *rows = csv.reader(io.StringIO(text))
    return header, np.array(rows, dtype=float)


def test_the_grid_of_the_run_is_the_default(two: Path, laaf: Laaf) -> None:
    outcome = laaf("evaluate", two)
    assert outcome.code == 0
    header, rows = table(outcome.out)
    assert header == ["x", "t", "u", "v"]
    with RunFile(two) as run:
        np.testing.assert_allclose(rows[:, 2].reshape(6, 4), run.array("solution/u"), atol=1e-12)
        error = run.attributes["relative_l2"]
    assert outcome.err == (
        f"Wärme, relative L2 error {error:.3e}: u, v at 6 x 4 points, x in [3, 5], t in [-2, 1]\n"
    )
    quiet = laaf("evaluate", two, "--quiet")
    assert (quiet.out, quiet.err) == (outcome.out, "")


@pytest.mark.parametrize(
    ("grid", "x", "t"),
    [
        (["x=3,t=2"], [3, 4, 5], [-2, 1]),
        (["t=@0.5"], np.linspace(3, 5, 6), [0.5]),
        (["x=3.5:4.5:3, t = @ -2"], [3.5, 4, 4.5], [-2]),
        (["x=2", "t=-1:2/3:2"], [3, 5], [-1, 2 / 3]),
        (["t=@1e-3,x=pi:4:2"], [np.pi, 4], [1e-3]),
    ],
)
def test_grids(two: Path, laaf: Laaf, grid: list[str], x: list[float], t: list[float]) -> None:
    outcome = laaf(
        "evaluate", two, *(word for text in grid for word in ("--grid", text)), "--fields", "v_t"
    )
    header, rows = table(outcome.out)
    assert header == ["x", "t", "v_t"]
    np.testing.assert_allclose(
        rows[:, :2], np.stack(np.meshgrid(x, t, indexing="ij"), -1).reshape(-1, 2), atol=1e-15
    )
    found = values(
        opened(two), SamplePoints({"x": rows[:, 0], "t": rows[:, 1]}, is_grid=False), "v_t"
    )
    np.testing.assert_allclose(rows[:, 2], found["v_t"], rtol=1e-12)


GRID_FAULTS = [
    "t=0.5",
    "t=-1",
    "t=1",
    "x=3:5:1",
    "x=3:5",
    "x=3:5:0.1",
    "x=3 t=4",
    "x",
    "101,51",
    "x=3,,t=4",
    "y=3",
    "X=3",
    "x=5:3:9",
    "x=a:4:9",
    "x=@",
    "x=@1/0",
]


@pytest.mark.parametrize("grid", GRID_FAULTS)
def test_wrong_grids(two: Path, laaf: Laaf, grid: str, snapshot: SnapshotAssertion) -> None:
    outcome = laaf("evaluate", two, "--grid", grid)
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert outcome.err == snapshot


def test_grids_that_are_refused_as_a_whole(
    two: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    assert laaf("evaluate", two, "--grid", "x=3,x=4").err == snapshot
    both = laaf("evaluate", two, "--grid", "x=3", "--points", "p.csv")
    assert (both.code, both.err) == (
        ExitCode.USAGE,
        "error: --grid and --points both say where; give one of them\n",
    )
    advice = "Fewer points, or one part of the domain after another.\n"
    assert laaf("evaluate", two, "--grid", "x=90000000000,t=2", "-f", "u,v").err == (
        "error: 90,000,000,000 (x) × 2 (t) points and 2 fields are 360,000,000,000 values; "
        f"at most 50,000,000 are computed at once\n{advice}"
    )
    monkeypatch.setattr(cli_sample_points, "MAX_VALUES", 23)
    assert laaf("evaluate", two, "-f", "u").err == (
        f"error: 6 (x) × 4 (t) points and 1 field are 24 values; at most 23 are computed at once\n{advice}"
    )


def test_points(two: Path, laaf: Laaf, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """In the order of the file, whatever the order of its columns; what is not a coordinate is told and not used."""
    points = tmp_path / "points.csv"
    points.write_text("t, who ,x\n-1,me,4.5\n\n 0.25 ,you, 3\n-1,me,4.5\n", encoding="utf-8-sig")
    outcome = laaf("evaluate", two, "--points", points, "--fields", "u_x,u")
    header, rows = table(outcome.out)
    assert header == ["x", "t", "u_x", "u"]
    assert rows[:, :2].tolist() == [[4.5, -1], [3, 0.25], [4.5, -1]]
    x, t = rows[:, 0], rows[:, 1]
    np.testing.assert_allclose(
        rows[:, 2], values(opened(two), SamplePoints({"x": x, "t": t}, False), "u_x")["u_x"]
    )
    first, second = outcome.err.splitlines()
    assert first == snapshot
    assert second.endswith(": u_x, u at 3 points, x in [3, 4.5], t in [-1, 0.25]")
    np.savetxt(points, rows[:, :2], delimiter=",", header="x,t")
    assert (
        table(laaf("evaluate", two, "--points", points, "-f", "u_x,u").out)[1].tolist()
        == rows.tolist()
    )


def test_points_from_stdin_and_pipes(
    two: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = laaf("evaluate", two, "--grid", "x=3,t=2", "-q").out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(first.encode())))
    again = laaf("evaluate", two, "--points", "-")
    np.testing.assert_allclose(table(again.out)[1], table(first)[1], rtol=1e-13)
    assert again.err.startswith("columns that are not used: u, v\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x\n1\n")))
    assert laaf("evaluate", two, "--points", "-").err.startswith("error: stdin has no column 't'; ")
    script = 'laaf() { "$0" -m laaf_cli evaluate "$@" -q; }; laaf "$1" --grid x=3,t=2 | laaf "$1" --points <(cat) | head -1'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, two], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("x,t,u,v\n", "")


POINT_FAULTS = [
    "",
    "\nx,t\n\n",
    "x,y\n1,2\n",
    "0.1,0.2\n",
    "x,t,x\n1,2,3\n",
    "x,t\n4,0\n\nabc,0\n",
    "x,t\n4,0\n4,\n",
    "x,t\n4,nan\n",
    "x,t\n1e999,0\n",
    "x,t\n4\n",
    "x,t\n3,5,0,1\n",
    "x,t\n4,\xe9\n",
    "x,t\n" + "4" * 140_000 + ",0\n",
]  # fmt: skip


@pytest.mark.parametrize("content", POINT_FAULTS, ids=range(len(POINT_FAULTS)))
def test_wrong_points(
    two: Path,
    laaf: Laaf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.csv").write_text(content, encoding="latin1")
    outcome = laaf("evaluate", two, "--points", "p.csv")
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert outcome.err == snapshot


@pytest.mark.parametrize("path", ["none.csv", "/", "/dev/zero", "a\0b"])
def test_points_that_cannot_be_read(
    two: Path, laaf: Laaf, path: str, snapshot: SnapshotAssertion
) -> None:
    outcome = laaf("evaluate", two, "--points", path)
    assert outcome.code == ExitCode.USAGE
    assert outcome.err == snapshot


def test_too_many_points(
    two: Path, laaf: Laaf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_sample_points, "MAX_VALUES", 5)
    (tmp_path / "p.csv").write_text("x,t\n4,0\n4,0\n4,0\n")
    outcome = laaf("evaluate", two, "--points", tmp_path / "p.csv")
    assert outcome.err == f"error: {tmp_path}/p.csv has more than 5 numbers\n"
    (tmp_path / "p.csv").write_text("x,t\n4,0\n4,0\n")
    assert (
        "2 (rows) points and 3 fields are 6 values"
        in laaf("evaluate", two, "-f", "u,v,u_x", "--points", tmp_path / "p.csv").err
    )


def test_extrapolation_is_reported(two: Path, laaf: Laaf, tmp_path: Path) -> None:
    points = tmp_path / "p.csv"
    points.write_text("x,t\n5,1\n3,-2\n5.0000000000000001,0\n6.5,0\n1,0\n5.25,-2.5\n")
    outcome = laaf("evaluate", two, "--points", points)
    assert outcome.code == 0
    assert outcome.err.splitlines()[1:] == [
        "warning: the network was trained on x in [3, 5]; 3 of 6 points lie outside, down to x = 1 and up to x = 6.5: values there are extrapolation",
        "warning: the network was trained on t in [-2, 1]; 1 of 6 points lies outside, down to t = -2.5: values there are extrapolation",
    ]
    assert np.isfinite(table(outcome.out)[1]).all()
    grid = laaf("evaluate", two, "--grid", "x=4:7:4,t=3")
    assert grid.err.splitlines()[1:] == [
        "warning: the network was trained on x in [3, 5]; 6 of 12 points lie outside, up to x = 7: values there are extrapolation"
    ]
    assert len(laaf("evaluate", two, "--grid", "x=50,t=50").err.splitlines()) == 1, (
        "the ends of the domain are inside"
    )
    assert laaf("evaluate", two, "--grid", "x=4:7:4", "-q").err == ""


def test_what_is_wrong_with_the_run_is_reported(damaged: Path, laaf: Laaf) -> None:
    for reason, text in [
        ("diverged", "warning: the training diverged; this is its last good state"),
        (
            "interrupted",
            "warning: the training was interrupted; this is the state that it had reached",
        ),
    ]:
        with resealed(damaged) as file:
            file.attrs["stop_reason"] = reason
        assert laaf("evaluate", damaged).err.splitlines()[1:] == [text]
    with resealed(damaged) as file:
        file.attrs["relative_l2"] = np.nan
        file.attrs["stop_reason"] = "completed"
        file.attrs["title"] = "a\x1b[31mb"
        file["network/layer_3/weight"][:] = 3e38
    outcome = laaf("evaluate", damaged, "--grid", "x=1e308:1.5e308:2,t=3")
    assert outcome.err.startswith("a�[31mb: u, v at 2 x 3 points, ")
    with resealed(damaged) as file:
        del file["network/layer_3/bias"]
        file["network/layer_3/bias"] = np.full(2, 1.7e308)
        del file["network/layer_3/weight"]
        file["network/layer_3/weight"] = np.full((2, 4), 1.7e308)
    outcome = laaf("evaluate", damaged)
    assert outcome.code == 0
    assert "24 values of u are not finite" in outcome.err


# Formats


def exported(laaf: Laaf, *arguments: object) -> str:
    outcome = laaf("evaluate", *arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.out == ""
    return outcome.err


@pytest.fixture
def points(tmp_path: Path) -> Path:
    (tmp_path / "points.csv").write_text("t,x\n-1,4.5\n0.25,3\n1,3.125\n")
    return tmp_path / "points.csv"


X, T = np.array([4.5, 3, 3.125]), np.array([-1, 0.25, 1])


def test_csv_reads_back_exactly(two: Path, laaf: Laaf, tmp_path: Path) -> None:
    target = tmp_path / "new" / "fields.csv"
    message = exported(laaf, two, "-f", "u,v,v_xt", "--grid", "x=7,t=5", "-o", target)
    assert message.endswith(f"written: {target}\n")
    network = opened(two)
    axes = {"x": np.linspace(3, 5, 7), "t": np.linspace(-2, 1, 5)}
    expected = values(network, SamplePoints(axes, is_grid=True), "u", "v", "v_xt")
    header, rows = table(target.read_text())
    assert header == ["x", "t", "u", "v", "v_xt"]
    assert target.read_text() == laaf("evaluate", two, "-f", "u,v,v_xt", "--grid", "x=7,t=5").out
    for i, name in enumerate(["u", "v", "v_xt"], start=2):
        np.testing.assert_array_equal(rows[:, i].reshape(7, 5), expected[name])
    found = read_table(target, "xt", ["u", "v"], {})
    assert isinstance(found, Table), "a spec may name the file as its reference"
    np.testing.assert_array_equal(found.axes[0], axes["x"])
    np.testing.assert_array_equal(found.fields["v"], expected["v"])
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_csv_in_pieces(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = opened(two)
    for places in (SamplePoints(network.axes, is_grid=True), scattered(network, 24)):
        sampled = export.SampledFields(places, values(network, places, "u"), {})
        whole = "".join(export.csv_text(sampled))
        monkeypatch.setattr(export, "ROWS_AT_A_TIME", 5)
        pieces = list(export.csv_text(sampled))
        monkeypatch.undo()
        assert len(pieces) == 6
        assert "".join(pieces) == whole


def test_npz_needs_no_pickle(two: Path, laaf: Laaf, tmp_path: Path, points: Path) -> None:
    exported(laaf, two, "-f", "v_x,u", "-o", tmp_path / "grid.npz")
    network = opened(two)
    expected = values(network, SamplePoints(network.axes, is_grid=True), "v_x", "u")
    with np.load(tmp_path / "grid.npz", allow_pickle=False) as found:
        assert found.files == ["x", "t", "v_x", "u"]
        for name in ("x", "t"):
            np.testing.assert_array_equal(found[name], network.axes[name])
        for name in ("v_x", "u"):
            assert found[name].dtype == np.float64
            np.testing.assert_array_equal(found[name], expected[name])
    exported(laaf, two, "--points", points, "-o", tmp_path / "points.npz")
    with np.load(tmp_path / "points.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["t"], T)
        assert found["v"].shape == (3,)
    assert isinstance(read_table(tmp_path / "points.npz", "xt", ["u"], {}), Rows)


def test_netcdf_is_opened_by_xarray(two: Path, laaf: Laaf, tmp_path: Path, points: Path) -> None:
    exported(laaf, two, "-f", "u,u_xt", "--grid", "x=5,t=@0.5", "-o", tmp_path / "grid.nc")
    network = opened(two)
    x = np.linspace(3, 5, 5)
    with xarray.open_dataset(tmp_path / "grid.nc") as found, RunFile(two) as run:
        assert set(found.data_vars) == {"u", "u_xt"}
        assert found["u_xt"].dims == ("x", "t")
        assert set(found.coords) == {"x", "t"}
        np.testing.assert_array_equal(found["x"], x)
        np.testing.assert_array_equal(found["t"], [0.5])
        expected = values(
            network, SamplePoints({"x": x, "t": np.array([0.5])}, is_grid=True), "u", "u_xt"
        )
        np.testing.assert_array_equal(found["u_xt"], expected["u_xt"])
        assert found.attrs["title"] == "Wärme"
        assert found.attrs["source"].startswith("laaf ")
        for name in ("problem", "problem_hash", "method_hash"):
            assert found.attrs[name] == run.attributes[name]
    exported(laaf, two, "--points", points, "-o", tmp_path / "points.nc")
    with xarray.open_dataset(tmp_path / "points.nc") as found:
        assert found["u"].dims == ("point",)
        assert set(found.coords) == {"x", "t"}
        np.testing.assert_array_equal(found["x"], X)
        at = SamplePoints({"x": X, "t": T}, is_grid=False)
        np.testing.assert_array_equal(found["v"], values(network, at, "u", "v")["v"])


@pytest.mark.parametrize("suffix", [".vtk", ".vtu"])
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_vtk_is_read_by_meshio(
    make_run: Callable[..., Path], laaf: Laaf, tmp_path: Path, dimension: int, suffix: str
) -> None:
    path = make_run(spec_in(dimension))
    network = opened(path)
    exported(laaf, path, "-f", "u,u_x", "-o", tmp_path / f"grid{suffix}")
    found = meshio.read(tmp_path / f"grid{suffix}")
    assert len(found.points) == np.prod([3, 4, 5][:dimension])
    assert set(found.point_data) == {"u", "u_x"}
    assert [block.type for block in found.cells] == [["line", "quad", "hexahedron"][dimension - 1]]
    rows = np.array([[1.5, 2.25, 3.0], [1.0, 2.5, 3.75]])[:, :dimension]
    np.savetxt(
        tmp_path / "p.csv", rows, delimiter=",", header=",".join("xyz"[:dimension]), comments=""
    )
    exported(
        laaf,
        path,
        "-f",
        "u,u_x",
        "--points",
        tmp_path / "p.csv",
        "-o",
        tmp_path / f"points{suffix}",
    )
    scatter = meshio.read(tmp_path / f"points{suffix}")
    np.testing.assert_array_equal(scatter.points[:, :dimension], rows)
    assert [(block.type, block.data.ravel().tolist()) for block in scatter.cells] == [
        ("vertex", [0, 1])
    ]
    corners = found.points[found.cells[0].data[0]][:, :dimension]
    sides = corners[[1, -1, 4][:dimension]] - corners[0]
    assert np.linalg.det(sides) > 0
    for mesh in (found, scatter):
        assert not mesh.points[:, dimension:].any(), (
            "coordinates that the problem does not have are 0"
        )
        columns = {
            name: mesh.points[:, i].astype(float) for i, name in enumerate("xyz"[:dimension])
        }
        expected = values(network, SamplePoints(columns, is_grid=False), "u", "u_x")
        for name in ("u", "u_x"):
            np.testing.assert_allclose(
                mesh.point_data[name].ravel(), expected[name], rtol=1e-12, atol=1e-14
            )


def test_vtk_of_more_coordinates_is_refused(
    make_run: Callable[..., Path], laaf: Laaf, tmp_path: Path
) -> None:
    path = make_run(spec_in(4))
    outcome = laaf("evaluate", path, "-o", tmp_path / "f.vtk")
    assert (outcome.code, outcome.err) == (
        ExitCode.USAGE,
        "error: .vtk holds up to 3 coordinates, and the run has 4: x, y, z, w\nThe other formats hold any number.\n",
    )
    exported(laaf, path, "-o", tmp_path / "f.nc")
    with xarray.open_dataset(tmp_path / "f.nc") as found:
        assert dict(found.sizes) == {"x": 3, "y": 4, "z": 5, "w": 6}


@pytest.mark.parametrize("suffix", export.FORMATS)
@pytest.mark.parametrize("form", ["--grid=point=3", "--points=p.csv"])
def test_awkward_names(
    make_run: Callable[..., Path],
    laaf: Laaf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    form: str,
) -> None:
    """Names that mean something to NumPy or to our own files, and a title of several lines."""
    spec = (
        'title: "a\\nb"\ncoordinates: {pickle: [0, 1], point: [0, 1]}\nunknowns: [file, allow]\n'
        "equations: {e: file_pickle = allow_point}\nconditions: {c: {where: point = 0, equation: [file = 1, allow = 0]}}\n"
        "points: {interior: 4}\nnetwork: {hidden: [2]}\ntraining: [{iterations: 1}]\nevaluation: {grid: {pickle: 2, point: 2}}\n"
    )
    monkeypatch.chdir(tmp_path)
    Path("p.csv").write_text("point,pickle\n0.5,1\n0,1\n")
    exported(
        laaf, make_run(spec), form, "-f", "file,allow_pickle,allow_point", "-o", f"out{suffix}"
    )
    if suffix == ".nc":
        with xarray.open_dataset("out.nc") as found:
            assert set(found.variables) == {
                "pickle",
                "point",
                "file",
                "allow_pickle",
                "allow_point",
            }
            assert found["file"].dims == (
                ("pickle", "point") if "grid" in form else ("point_number",)
            )
    if suffix == ".npz":
        assert "allow_pickle.npy" in zipfile.ZipFile("out.npz").namelist()
    if suffix == ".vtk":
        assert set(meshio.read("out.vtk").point_data) == {"file", "allow_pickle", "allow_point"}


# Targets


@pytest.mark.parametrize(
    "target", ["out", "out.h5", ".", "there.csv", "there.csv/new.csv", "/proc/new.csv", "pipe.csv"]
)
def test_wrong_targets(
    two: Path,
    laaf: Laaf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.csv").write_text("old")
    os.mkfifo("pipe.csv")
    outcome = laaf("evaluate", two, "-o", target)
    assert outcome.code == ExitCode.USAGE
    assert outcome.err == snapshot
    assert Path("there.csv").read_text() == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["pipe.csv", "there.csv"]


@pytest.mark.parametrize("suffix", export.FORMATS)
def test_a_full_disk_leaves_what_was_there(
    two: Path, laaf: Laaf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    target = tmp_path / f"out{suffix.upper()}"
    target.write_text("old")

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        outcome = laaf("evaluate", two, "-q", "--overwrite", "-o", target)
    assert (outcome.code, outcome.err) == (
        ExitCode.USAGE,
        f"error: {target} cannot be written: No space left on device\n",
    )
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target], "nothing half-written is left"
    exported(laaf, two, "-q", "--overwrite", "-o", target)
    assert target.read_bytes() != b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_one(two: Path, laaf: Laaf, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    exported(laaf, two, "--overwrite", "-o", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("x,t,u,v\n")


def test_results_in_pipes(two: Path, laaf: Laaf, snapshot: SnapshotAssertion) -> None:
    assert laaf("evaluate", two, "-o", "-").out == laaf("evaluate", two).out
    command = [
        sys.executable,
        "-P",
        "-m",
        "laaf_cli",
        "evaluate",
        two,
        "-q",
        "--grid",
        "x=300,t=300",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as done:
        assert done.stdout is not None
        assert done.stderr is not None
        assert done.stdout.readline() == "x,t,u,v\n"
        done.stdout.close()  # as `| head -1` does
        assert done.stderr.read() == ""
    assert done.returncode == 0
    with Path("/dev/full").open("w") as full:
        full_disk = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert full_disk.returncode == ExitCode.USAGE
    assert full_disk.stderr == snapshot


def test_help_comes_from_the_tables(laaf: Laaf) -> None:
    words = "".join(laaf("evaluate", "--help").out.replace("│", "").split())
    for suffix, row in export.FORMATS.items():
        assert f"{suffix}({row.description})".replace(" ", "") in words
    for form, meaning in GRID_FORMS.items():
        assert f"{form}:{meaning}".replace(" ", "") in words


# Run files of strangers


def fill(value: float) -> Callable[[h5py.File], None]:
    return lambda file: file["network/layer_2/weight"].__setitem__((0, 0), value)


def replaced(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return change


def attribute(name: str, value: object, group: str = "/") -> Callable[[h5py.File], None]:
    return lambda file: file[group].attrs.__setitem__(name, value)


def settings(old: str, new: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        text = file["spec/settings"][()].decode()
        assert old in text
        replaced("spec/settings", np.bytes_(text.replace(old, new).encode()))(file)

    return change


FOREIGN = [
    fill(np.nan),
    replaced("network/layer_1/slope", np.full(5, np.inf)),
    replaced("network/layer_1/bias", np.zeros(4)),
    lambda file: file.__delitem__("network/layer_3"),
    lambda file: file.__delitem__("solution/x"),
    replaced("solution/x", np.zeros((2, 2))),
    replaced("solution/x", np.array([5.0, 4.0, 3.0])),
    replaced("solution/t", np.array([0, np.nan])),
    replaced("solution/t", np.array([-1.5e308, 1.5e308])),
    attribute("derivatives", "finite"),
    attribute("activation", "sin", "network"),
    attribute("n", 7.0, "network"),
]  # fmt: skip


@pytest.mark.parametrize("change", FOREIGN, ids=range(len(FOREIGN)))
def test_damaged_run_files(
    damaged: Path, laaf: Laaf, change: Callable[[h5py.File], None], snapshot: SnapshotAssertion
) -> None:
    with resealed(damaged) as file:
        change(file)
    outcome = laaf("evaluate", damaged)
    assert (outcome.code, outcome.out) == (ExitCode.RUN_FILE, "")
    assert outcome.err.replace(str(damaged), "FILE") == snapshot


@pytest.mark.parametrize(
    ("old", "new"), [('"kind": "nlaaf"', '"kind": "swish"'), ('"v"', '"x"'), ('"tanh"', "{")]
)
def test_settings_that_do_not_fit(damaged: Path, laaf: Laaf, old: str, new: str) -> None:
    with resealed(damaged) as file:
        settings(old, new)(file)
    outcome = laaf("evaluate", damaged)
    assert (outcome.code, outcome.out) == (ExitCode.RUN_FILE, "")
    assert outcome.err.startswith(f"error: spec/settings in {damaged} ")


def test_unknown_activation(damaged: Path) -> None:
    with resealed(damaged) as file:
        settings('"activation": "tanh"', '"activation": "swish"')(file)
        file["network"].attrs["activation"] = "swish"
    with pytest.raises(
        RunFileError, match=r"has the activation function 'swish'; known are tanh, sin, "
    ):
        opened(damaged)


def test_gaaf_has_one_slope(make_run: Callable[..., Path], tmp_path: Path) -> None:
    path = Path(shutil.copy(make_run(TWO, "slopes.kind=gaaf"), tmp_path / "run.h5"))
    with resealed(path) as file:
        file["network/layer_2/slope"][0] = 9
    with pytest.raises(RunFileError, match="is GAAF, and its layers have different slopes"):
        opened(path)


def test_other_files_and_devices(
    laaf: Laaf, two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = laaf("evaluate", tmp_path / "none.h5")
    assert (missing.code, missing.err) == (
        ExitCode.RUN_FILE,
        f"error: there is no file {tmp_path}/none.h5\n",
    )
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    none = laaf("evaluate", two, "--device", "cuda")
    assert (none.code, none.err) == (
        ExitCode.USAGE,
        "error: this machine has no CUDA device that torch can use; --device auto takes what there is\n",
    )


def test_self_contained(
    two: Path, laaf: Laaf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run file alone in an empty folder is enough."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(two, "only.h5")
    assert laaf("evaluate", "only.h5", "-q").out == laaf("evaluate", two, "-q").out


def test_usage_errors_are_raised_by_the_network_itself(two: Path) -> None:
    with pytest.raises(UsageError, match="unknown field 'w'"):
        opened(two).field("w")
    assert plan_of(TWO).problem.unknowns == opened(two).unknowns


STREAM = """
coordinates: {x: [0, 1], y: [0, 1]}
unknowns: [u, v]
transform: {u: "D(net_u, y)", v: "-D(net_u, x)"}
equations: {a: laplacian(u) + v_y = 0, b: laplacian(v) + u = 0}
conditions: {walls: {where: boundary, equation: [u = x, v = y], points: 4}}
points: {interior: 9}
network: {hidden: [4, 3]}
training: [{iterations: 1}]
reference: none
evaluation: {grid: {x: 3, y: 3}}
"""


def test_orders_that_a_transform_needs(
    make_run: Callable[..., Path], laaf: Laaf, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """The velocity of a stream function has three derivatives left, and two where the activation has three."""
    path = make_run(STREAM)
    assert laaf("evaluate", path, "--fields", "u_xxx", "-o", tmp_path / "u.csv").code == 0
    outcome = laaf("evaluate", path, "--fields", "u_xxxx", "-o", tmp_path / "w.csv")
    assert outcome.code == ExitCode.USAGE, outcome.err
    assert (
        "with the transform of this run, 'u_xxxx' cannot be derived: a derivative of order 5"
        in outcome.err
    )
    with RunFile(path) as run:
        restored = restore(run, "cpu")
    streams = trained_network.lower_set([(2, 1)])
    assert block_size(restored, "u_xx") == min(
        trained_network.MAX_BLOCK, trained_network.MAX_BLOCK_NUMBERS // (len(streams) * 9 * 2**3)
    )
    activation = replace(restored.solution.network.activation, max_order=2, why="it is rough.")
    restored.solution.network.activation = activation
    assert restored.field("u_x").orders == (1, 0)
    with pytest.raises(UsageError) as caught:
        restored.field("u_xx")
    assert str(caught.value) == snapshot


def test_derivatives_that_outgrow_their_bounds(
    make_run: Callable[..., Path], laaf: Laaf, tmp_path: Path
) -> None:
    nested = "net*exp(sin(net*exp(sin(net*exp(sin(net*exp(sin(net*x))*y))*x))*y))"
    path = make_run(
        spec_in(2), f"transform.u={nested}", "equations.e=u = 0", "conditions.all.equation=u = u_y"
    )
    outcome = laaf("evaluate", path, "--fields", "u_xxxx", "-o", tmp_path / "w.csv")
    assert outcome.code == ExitCode.USAGE, outcome.err
    assert "'u_xxxx' cannot be derived: the expression grows too large" in outcome.err


def test_values_that_are_not_finite_are_no_warnings(make_run: Callable[..., Path]) -> None:
    """The derivative of sqrt(x)*net is infinite at x = 0."""
    with RunFile(
        make_run(spec_in(1), "coordinates.x=[0, 1]", "transform.u=sqrt(x)*(1 + net)")
    ) as run:
        restored = restore(run, "cpu")
    found = restored.evaluate(
        SamplePoints({"x": np.array([0.0, 0.5])}, True), {"u_x": restored.field("u_x")}
    )["u_x"]
    assert np.isfinite(found).tolist() == [False, True]


def test_a_derivative_without_any_output_is_zero(make_run: Callable[..., Path]) -> None:
    changes = (
        "transform.u=floor(9*net) + x**2",
        "equations.e=u = 0",
        "conditions.all.equation=u = x",
    )
    with RunFile(make_run(spec_in(1), *changes)) as run:
        restored = restore(run, "cpu")
    places = SamplePoints({"x": np.array([1.0, 1.5])}, True)
    assert restored.evaluate(places, {"u_x": restored.field("u_x")})["u_x"].tolist() == [2.0, 3.0]
