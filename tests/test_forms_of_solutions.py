"""Run files of solutions with a form of their own: periodic inputs, transforms, conditions met exactly, Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Laaf, plan_of, resealed

from laaf_cli.errors import RunFileError, SpecError
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.run_report import RunReport
from laaf_cli.runfile import RunFile
from laaf_cli.runfile.losses import loss_without_recovery
from laaf_cli.runs.plan import make_plan
from laaf_cli.runs.train import execute
from laaf_cli.spec import Text

SPEC = """
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
periodic: {x: 2}
functions: speed.py
transform: {u: sin(pi*x) + t*net}
equations: {advection: u_t + speed(u)*u_x = 0}
conditions:
  start: {where: t = 0, equation: u = sin(pi*x), points: 9, weight: 7}
  inside: {at: {x: 0.5}, equation: u_t = 0, points: 5, weight: 3}
data: {file: seen.csv}
points: {interior: 20, validation: 20}
network: {hidden: [5]}
training: [{iterations: 4}]
reference: none
evaluation: {grid: {x: 5, t: 4}}
"""
PYTHON = "def speed(u):\n    return 1.0 + 0 * u  # constant, é\n"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "speed.py").write_text(PYTHON, encoding="utf-8")
    (folder / "seen.csv").write_text("x,t,u\n0,0.5,0.1\n0.5,0.5,0.2\n")
    plan = make_plan(Text(str(folder / "spec.yaml"), SPEC), allow_python=True)
    execute(plan).save(folder / "run.h5")
    return folder / "run.h5"


def test_a_condition_that_is_met_is_no_term_of_the_file(path: Path) -> None:
    with RunFile(path) as run:
        trained = {"advection", "inside", "data", "slope_recovery"}
        assert set(run.history().terms) == set(run.history().weights) == trained
        assert run.n_points() == {"advection": 20, "inside": 5, "data": 2}
        assert set(run.validation()) == {"advection", "inside"}, "data cannot be drawn anew"
        assert run.history().weights["inside"].tolist() == [3.0] * 5
        np.testing.assert_allclose(run.array("checkpoint/observed/data/u"), [0.1, 0.2])


def test_the_loss_sums_the_terms_that_are_there(path: Path) -> None:
    with RunFile(path) as run:
        terms = run.history().terms
        total = run.history().columns["total"] - terms["slope_recovery"]
        np.testing.assert_allclose(loss_without_recovery(run.spec, terms), total, rtol=1e-5)
    assert ComparisonEntry.read(path).loss == pytest.approx(float(total[-1]), rel=1e-5)
    assert RunReport.read(path).loss_without_recovery.start == pytest.approx(
        float(total[0]), rel=1e-5
    )


def test_periodic_inputs_widen_the_first_layer(path: Path) -> None:
    """NumPy alone evaluates the solution, as docs/run-file.md says."""
    with RunFile(path) as run:
        network, fields = run.network(), run.grid("solution")
    assert network.weights[0].shape == (5, 2 * 2 + 1)
    assert fields is not None
    x, t = np.meshgrid(fields.axes["x"], fields.axes["t"], indexing="ij")
    angle = np.pi * (x + 1)
    z = np.stack(
        [np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle), 2 * t - 1], axis=-1
    )
    z = np.tanh(
        10 * network.slopes[0] * (z @ network.weights[0].T.astype(float) + network.biases[0])
    )
    net = (z @ network.weights[1].T.astype(float) + network.biases[1])[..., 0]
    np.testing.assert_allclose(fields.fields["u"], np.sin(np.pi * x) + t * net, atol=1e-6)


def test_the_python_file_is_kept_and_never_run(path: Path, laaf: Laaf) -> None:
    with RunFile(path) as run:
        assert run.functions() == PYTHON
    assert json.loads(laaf("show", path, "--json").out)["functions_text"] == PYTHON
    shown = laaf("show", path)
    assert shown.code == 0, shown.err
    assert "speed.py" in shown.out
    assert "periodic in x" in shown.out
    assert "sin(pi*x) + t*net" in shown.out
    evaluated = laaf("evaluate", path, "--grid", "x=5,t=4", "--quiet")
    with RunFile(path) as run:
        values = [float(line.split(",")[2]) for line in evaluated.out.splitlines()[1:]]
        np.testing.assert_allclose(values, run.array("solution/u").ravel(), atol=1e-12)


@pytest.mark.parametrize("name", ["advection", "data"])
def test_equations_and_data_are_always_terms(path: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "run.h5"
    copy.write_bytes(path.read_bytes())
    with resealed(copy) as file:
        del file[f"history/terms/{name}"]
    with (
        RunFile(copy) as run,
        pytest.raises(RunFileError, match="history/terms in .* holds other terms than the spec"),
    ):
        run.history()


def test_a_transform_in_one_periodic_coordinate() -> None:
    spec = """
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {e: u_xx = -sin(2*pi*x)}
periodic: {x: true}
transform: {u: TREE}
"""
    assert plan_of(spec.replace("TREE", "sin(2*pi*x)*net")).problem.ansatz.trees
    with pytest.raises(SpecError, match="is not periodic in 'x'"):
        plan_of(spec.replace("TREE", "x*net"))
