"""The front door for Python: specs of objects, runs as xarray, the network anywhere, comparisons."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import matplotlib as mpl
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from syrupy.assertion import SnapshotAssertion

import laaf_cli as laaf
from laaf_cli.runs.progress import Progress
from laaf_cli.spec import bundled, load
from laaf_cli.spec.objects import as_yaml, text_of

DOCS = Path(__file__).resolve().parent.parent / "docs"

HEAT: dict[str, Any] = {
    "title": "Heat",
    "coordinates": {"x": (0, 1), "t": (0, 0.5)},
    "unknowns": ["u"],
    "constants": {"k": 0.1},
    "equations": {"heat": "u_t = k*u_xx"},
    "conditions": {
        "start": {"where": "t = 0", "equation": "u = sin(pi*x)", "points": 20},
        "walls": {"where": ["x = 0", "x = 1"], "equation": "u = 0", "points": 20},
    },
    "points": {"interior": 60},
    "network": {"hidden": [8, 8]},
    "slopes": {"kind": "nlaaf", "n": 2},
    "training": [{"optimizer": "adam", "iterations": 12, "learning_rate": 1e-3}],
    "reference": {"exact": {"u": "exp(-k*pi**2*t)*sin(pi*x)"}},
    "evaluation": {"grid": {"x": 11, "t": 6}},
    "dtype": "float64",
}


@pytest.fixture(autouse=True)
def _headless() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}), warnings.catch_warnings():
        warnings.simplefilter("ignore", laaf.LaafWarning)
        yield


@pytest.fixture(scope="module")
def run() -> laaf.Run:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", laaf.LaafWarning)
        return laaf.solve(HEAT, seed=3, progress=False)


def test_importing_laaf_imports_nothing_heavy() -> None:
    program = """
import sys, laaf_cli
heavy = {"torch", "h5py", "scipy", "matplotlib", "xarray", "numpy", "pydantic"}
print(sorted(heavy & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_every_name_of_the_front_door_is_there() -> None:
    assert all(callable(getattr(laaf, name)) for name in laaf.__all__)
    assert set(laaf.__all__) <= set(dir(laaf))
    with pytest.raises(AttributeError, match="no attribute 'sole'"):
        _ = laaf.sole


def test_a_run_is_that_of_the_command_line(run: laaf.Run, tmp_path: Path) -> None:
    """The same spec as YAML and from the shell gives the same numbers."""
    spec = tmp_path / "heat.yaml"
    spec.write_text(text_of(HEAT).content)
    command = [
        sys.executable,
        "-P",
        "-m",
        "laaf_cli",
        "solve",
        spec,
        "--seed",
        "3",
        "-o",
        tmp_path / "a.h5",
        "-q",
    ]
    subprocess.run(command, check=True, capture_output=True)
    other = laaf.load(tmp_path / "a.h5")
    assert (other.solution["u"].values == run.solution["u"].values).all()
    assert other.relative_l2 == run.relative_l2
    assert other.history.drop_vars("wall_time_s").equals(run.history.drop_vars("wall_time_s"))
    assert other.slopes.equals(run.slopes)


def test_a_run_as_datasets(run: laaf.Run) -> None:
    assert run.reference is not None
    assert run.error is not None
    assert run.relative_l2 is not None
    x, t = (run.solution[name].values for name in ("x", "t"))
    exact = np.exp(-0.1 * np.pi**2 * t) * np.sin(np.pi * x)[:, None]
    np.testing.assert_allclose(run.reference["u"].values, exact, atol=1e-12)
    np.testing.assert_allclose((run.solution - run.reference)["u"], run.error["u"], atol=1e-15)
    size = np.linalg.norm(run.error["u"]) / np.linalg.norm(run.reference["u"])
    assert run.relative_l2["u"] == pytest.approx(size)
    assert str(run.reference.attrs["method"]).startswith("closed form of the spec")
    assert set(run.history["term"].values) == {"heat", "start", "walls", "slope_recovery"}
    assert run.history["terms"].dims == ("iteration", "term")
    total = (run.history["terms"] * run.history["weights"]).sum("term")
    np.testing.assert_allclose(total, run.history["total"], rtol=1e-12)
    assert run.slopes["layer_2"].dims == ("iteration", "neuron_2")
    assert (run.slopes["layer_1"].isel(iteration=0) == 1).all()


def test_the_network_anywhere(run: laaf.Run) -> None:
    x, t = np.meshgrid(run.solution["x"], run.solution["t"], indexing="ij")
    np.testing.assert_allclose(run("u", x=x, t=t), run.solution["u"], rtol=1e-12, atol=1e-14)
    h = 1e-5
    slope = (run("u", x=0.3 + h, t=0.2) - run("u", x=0.3 - h, t=0.2)) / (2 * h)
    assert run("u_x", x=0.3, t=0.2) == pytest.approx(slope, rel=1e-6)
    assert run("u_xt", x=[[0.1], [0.2]], t=[0.1, 0.2, 0.3]).shape == (2, 3)
    with pytest.warns(laaf.LaafWarning, match="values there are extrapolation"):
        run("u", x=2, t=0)


@pytest.mark.parametrize(
    ("field", "coordinates", "message"),
    [
        ("u", {"x": 0}, "values of t are missing"),
        ("u", {"x": 0, "t": 0, "y": 0}, "'y' is not a coordinate of this problem: x, t"),
        ("v", {"x": 0, "t": 0}, "unknown field 'v'"),
        ("u_xxxxx", {"x": 0, "t": 0}, "order"),
    ],
)
def test_what_a_network_cannot_be_asked(
    run: laaf.Run, field: str, coordinates: dict[str, float], message: str
) -> None:
    with pytest.raises(laaf.UsageError, match=message):
        run(field, **coordinates)


@pytest.mark.parametrize("kind", ["solution", "error", "loss", "slopes"])
def test_figures_are_matplotlibs(run: laaf.Run, kind: str) -> None:
    assert run.plot(kind).axes


def test_a_run_is_kept_until_it_is_saved(run: laaf.Run, tmp_path: Path) -> None:
    assert not run.is_saved
    saved = run.save(tmp_path / "a.h5")
    assert saved.is_saved
    assert saved.path.read_bytes() == run.path.read_bytes()
    with pytest.raises(laaf.UsageError, match="already exists; `overwrite` replaces it"):
        run.save(tmp_path / "a.h5")
    assert run.save(tmp_path / "a.h5", overwrite=True).solution.equals(run.solution)


def test_going_on_is_training_longer(run: laaf.Run) -> None:
    longer = run.resume(iterations=8, progress=False)
    through = laaf.solve(HEAT, seed=3, iterations=20, progress=False)
    assert longer.attributes["iterations"] == 20
    assert (longer("u", x=0.3, t=[0.1, 0.4]) == through("u", x=0.3, t=[0.1, 0.4])).all()
    with pytest.raises(laaf.UsageError, match="is finished, after 12 iterations"):
        run.resume()


def test_callbacks_get_every_event() -> None:
    events: list[Progress] = []
    laaf.solve(HEAT, iterations=5, callback=events.append, progress=False)
    assert events[-1].iteration == events[-1].n_iterations == 5
    assert all(np.isfinite(event.loss) for event in events)
    assert events[-1].message.startswith("relative L2 ")


def test_interrupting_returns_what_was_reached() -> None:
    stopped: list[int] = []

    def stop(now: Progress) -> None:
        if now.iteration > 0 and not stopped:
            stopped.append(now.iteration)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    run = laaf.solve(HEAT, iterations=100_000, callback=stop, progress=False)
    assert run.attributes["stop_reason"] == "interrupted"
    assert stopped[0] <= run.attributes["iterations"] < 100_000
    assert signal.getsignal(signal.SIGINT) is before


def test_settings_change_the_spec() -> None:
    run = laaf.solve(
        HEAT, slopes="llaaf", n=5, slope_recovery=False, seed=9, iterations=2, dtype="float32",
        set={"network.hidden": [4], "points.interior": 7}, progress=False,
    )  # fmt: skip
    settings = run.settings
    assert settings["slopes"] | {"recovery": None} == settings["slopes"]
    assert (settings["slopes"]["kind"], settings["slopes"]["n"], settings["seed"]) == (
        "llaaf",
        5,
        9,
    )
    assert (settings["network"]["hidden"], settings["points"]["interior"]) == ([4], 7)
    assert settings["dtype"] == "float32"


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    "change",
    [
        {"equations": {"heat": "u_t = k*u_xy"}},
        {"trainig": []},
        {"points": {"interior": "many"}},
        {"seed": object()},
        {"seed": 10**5000},
        {"title": ENDLESS},
    ],
)
def test_faults_name_keys(change: dict[str, Any], snapshot: SnapshotAssertion) -> None:
    with pytest.raises(laaf.SpecError) as caught:
        laaf.check(HEAT | change)
    assert str(caught.value) == snapshot


def test_faults_of_arguments_name_them() -> None:
    with pytest.raises(laaf.SpecError) as caught:
        laaf.check(HEAT, slopes="nlaf")
    assert "arguments:1:8: 'nlaf' is not a choice for 'kind'" in str(caught.value)
    assert "   1 | slopes=nlaf" in str(caught.value)
    with pytest.raises(laaf.UsageError, match="`max_seconds` takes a finite number, not nan"):
        laaf.solve(HEAT, max_seconds=float("nan"))


@pytest.mark.parametrize("name", bundled.names())
def test_specs_of_objects_are_those_of_yaml(name: str) -> None:
    """What a bundled spec holds, as objects, is read as the same spec."""
    text = bundled.find(name)
    plain = load(text).root.plain()
    assert load(text_of(plain)).root.plain() == plain


@pytest.mark.parametrize(
    "value",
    ["1e-3", "true", "", "null", "~", "a: b", "- x", "12", "x = -1", "[1]", "#", "ä", "0.01/pi"],
)
def test_texts_stay_texts(value: str) -> None:
    assert load(text_of({"title": value})).root.plain() == {"title": value}


@pytest.mark.parametrize(
    "value",
    [
        1,
        -2.5,
        1e-300,
        True,
        None,
        "x = -1",
        [50, 50],
        {"kind": "step", "every": 3},
        np.float32(0.5),
        np.arange(3),
    ],
)
def test_values_on_one_line(value: Any) -> None:
    assert "\n" not in as_yaml(value)


def test_a_reference_is_a_dataset() -> None:
    solution = laaf.reference(HEAT, method="spectral", x=np.linspace(0, 1, 5), t=[0.25])
    assert solution["u"].dims == ("x", "t")
    exact = np.exp(-0.1 * np.pi**2 * 0.25) * np.sin(np.pi * np.linspace(0, 1, 5))
    np.testing.assert_allclose(solution["u"].values[:, 0], exact, atol=1e-8)
    assert 0 < solution.attrs["error_estimate"] < 1e-6
    with pytest.raises(laaf.UsageError, match="'y' is not a coordinate"):
        laaf.reference(HEAT, y=[0])
    with pytest.raises(
        laaf.UsageError, match="there is no reference: the spec sets `reference: none`"
    ):
        laaf.reference(HEAT | {"reference": "none"})


def test_a_sweep_and_its_comparison(tmp_path: Path) -> None:
    runs = laaf.sweep(HEAT, slopes=["fixed", "nlaaf"], seeds=2, directory=tmp_path, jobs=2)
    assert len(runs) == 4
    assert {(run.settings["slopes"]["kind"], run.settings["seed"]) for run in runs} == {
        (kind, seed) for kind in ("fixed", "nlaaf") for seed in (0, 1)
    }
    times = {run.path: run.path.stat().st_mtime_ns for run in runs}
    again = laaf.sweep(HEAT, slopes=["fixed", "nlaaf"], seeds=2, directory=tmp_path)
    assert {run.path: run.path.stat().st_mtime_ns for run in again} == times
    comparison = laaf.compare(runs, baseline="fixed")
    assert len(comparison.sentences) >= 1
    assert "| fixed |" in repr(comparison)
    assert comparison._repr_html_().startswith("<table><tr><th>method</th>")
    by_run = laaf.compare([run.path for run in runs], baseline=runs[0])
    assert by_run.sentences == comparison.sentences


def test_notebooks_show_runs_as_tables(run: laaf.Run) -> None:
    shown = laaf.solve(HEAT | {"title": "<script>"}, iterations=1, progress=False)._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "relative L2 error" in repr(run)


def test_a_run_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(laaf.RunFileError):
        laaf.load(tmp_path / "none.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(laaf.RunFileError):
        laaf.load(tmp_path / "other.h5")


@pytest.mark.slow
def test_the_notebook_of_the_docs_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(
        "PYTHONPATH", str(DOCS.parent) if "site-packages" not in laaf.__file__ else ""
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(DOCS / "burgers.ipynb", as_version=4)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert kinds.count("text/html") >= 2  # the run, the comparison
    assert "image/png" in kinds
    assert not [output for output in outputs if output.output_type == "error"]
