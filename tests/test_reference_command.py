"""`laaf reference`, and specs that name Python functions, as their users run them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Laaf

from laaf_cli.training import lowering

HEAT = """
coordinates: {x: [2, 3], t: [1, 1.5]}
unknowns: [u]
constants: {k: 0.1}
equations: {heat: u_t = k*u_xx}
conditions:
  initial: {where: t = 1, equation: u = sin(pi*(x - 2)), points: 20}
  ends: {where: boundary, equation: u = 0, points: 20}
points: {interior: 50, validation: 50}
network: {hidden: [6]}
training: [{iterations: 4}]
evaluation: {grid: {x: 11, t: 6}}
"""
EXACT = "reference: {exact: {u: exp(-k*pi**2*(t - 1))*sin(pi*(x - 2))}}\n"


@pytest.fixture(autouse=True)
def _in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("heat.yaml").write_text(HEAT)
    Path("exact.yaml").write_text(HEAT + EXACT)


def exact(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.exp(-0.1 * np.pi**2 * (t - 1)) * np.sin(np.pi * (x - 2))


def test_csv_on_stdout_is_the_solution(laaf: Laaf) -> None:
    """A spec that names no reference gets the spectral one."""
    outcome = laaf("reference", "heat.yaml", "--quiet")
    assert outcome.code == 0
    header, *lines = outcome.out.splitlines()
    assert header == "x,t,u"
    rows = np.array([[float(word) for word in line.split(",")] for line in lines])
    assert len(rows) == 66
    np.testing.assert_allclose(rows[:, 2], exact(rows[:, 0], rows[:, 1]), atol=1e-8)
    assert outcome.err == ""
    assert "error estimate " in laaf("reference", "heat.yaml").err
    estimate = json.loads(laaf("reference", "heat.yaml", "--json").out)
    assert estimate["path"] is None
    assert 0 < estimate["error_estimate"] < 1e-8
    assert estimate["error_estimates"] == {"u": estimate["error_estimate"]}


def test_every_unknown_has_an_estimate(laaf: Laaf) -> None:
    spec = """
coordinates: {t: [0, 1]}
unknowns: [u, v]
equations: {first: u_t = -u, second: v_t = -1000*u}
conditions: {start: {where: t = 0, equation: [u = 1, v = 1000]}}
training: [{iterations: 2}]
"""
    Path("pair.yaml").write_text(spec)
    told = json.loads(laaf("reference", "pair.yaml", "--json").out)
    estimates = told["error_estimates"]
    assert estimates["u"] < 1e-8
    assert told["error_estimate"] == max(estimates.values())
    table = laaf("reference", "pair.yaml", "--output", "u.npz").out
    for name in ("u", "v"):
        assert re.search(rf"error estimate of {name} +{estimates[name]:.1e}, \S+ of the", table)
    assert re.search(r"error estimate \S+ of u, \S+ of v, in", laaf("reference", "pair.yaml").err)
    solved = laaf("solve", "pair.yaml", "--output", "u.h5").out
    row = next(line for line in solved.splitlines() if line.startswith("reference's own error"))
    shown = laaf("show", "u.h5")
    assert f"{estimates['u']:.1e}, in " in row
    assert f"{estimates['v']:.1e}" in row
    assert row.split() == next(
        line.split() for line in shown.out.splitlines() if line.startswith("reference's own error")
    )
    kept = json.loads(laaf("show", "u.h5", "--json").out)["reference"]
    assert kept["error_estimate_v"] == pytest.approx(estimates["v"])


def test_what_it_writes_is_a_reference_for_others(laaf: Laaf) -> None:
    told = json.loads(
        laaf("reference", "heat.yaml", "--grid", "x=41,t=21", "--output", "u.npz", "--json").out
    )
    assert told["problem"] == "heat"
    assert told["error_estimate"] < 1e-8
    Path("file.yaml").write_text(HEAT + "reference: {file: u.npz}\n")
    solved = json.loads(laaf("solve", "file.yaml", "--json", "-q").out)
    direct = json.loads(laaf("solve", "exact.yaml", "--json", "-q").out)
    assert solved["relative_l2"]["u"] == pytest.approx(direct["relative_l2"]["u"], rel=1e-5)


def test_another_method(laaf: Laaf) -> None:
    spectral = json.loads(
        laaf(
            "reference", "exact.yaml", "--method", "spectral", "--output", "a.csv", "--json", "-q"
        ).out
    )
    closed = json.loads(laaf("reference", "exact.yaml", "--output", "b.csv", "--json", "-q").out)
    assert spectral["method"] != closed["method"]
    again = laaf("reference", "exact.yaml", "--method", "exact", "--json", "-q")
    assert json.loads(again.out)["method"] == closed["method"]
    columns = [np.loadtxt(name, delimiter=",", skiprows=1)[:, 2] for name in ("a.csv", "b.csv")]
    np.testing.assert_allclose(*columns, atol=1e-8)


def test_scattered_points(laaf: Laaf) -> None:
    Path("points.csv").write_text("t,x\n1.25,2.5\n1.5,2.1\n")
    outcome = laaf("reference", "heat.yaml", "--points", "points.csv", "-q")
    values = [float(line.split(",")[2]) for line in outcome.out.splitlines()[1:]]
    np.testing.assert_allclose(
        values, exact(np.array([2.5, 2.1]), np.array([1.25, 1.5])), atol=1e-8
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("heat.yaml", "--set", "reference=none"),
            2,
            "error: the spec asks for no reference; --method names one",
        ),
        (
            ("heat.yaml", "--method", "hopf-cole"),
            3,
            "error: command line:1:10: Hopf-Cole does not apply: the equation 'heat' is not of the form;",
        ),
        (
            ("heat.yaml", "--method", "magic"),
            3,
            "error: command line:1:10: 'magic' is not a choice for 'reference'",
        ),
        (
            ("heat.yaml", "--grid", "x=0:9:5"),
            2,
            "error: the reference covers x in [2, 3], and values outside",
        ),
        (
            ("heat.yaml", "--grid", "x=5", "--points", "p.csv"),
            2,
            "error: --grid and --points both say where",
        ),
        (("exact.yaml", "--max-error", "0", "-o", "u.csv"), 6, "the bound 0"),
        (("heat.yaml", "-o", "u.txt"), 2, "error: "),
    ],
)
def test_mistakes(laaf: Laaf, arguments: tuple[str, ...], code: int, message: str) -> None:
    outcome = laaf("reference", *arguments)
    assert outcome.code == code, outcome.err
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_no_reference_is_reported_plainly(laaf: Laaf) -> None:
    four = HEAT.replace("x: [2, 3],", "x: [2, 3], y: [0, 1], z: [0, 1],").replace(
        "u_xx", "laplacian(u)"
    )
    Path("four.yaml").write_text(
        four.replace("evaluation: {grid: {x: 11, t: 6}}", "evaluation: {grid: {x: 3, t: 3}}")
    )
    outcome = laaf("check", "four.yaml")
    assert outcome.code == 0
    assert "warning: The error will be unknown, because there is no reference: " in outcome.err
    assert laaf("reference", "four.yaml").code == 2
    bound = laaf("solve", "four.yaml", "--max-error", 1)
    assert bound.code == 2
    assert bound.err.startswith("error: --max-error needs a reference, and has none: ")


STIFF = """
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {gelfand: u_xx + 10*exp(u) = 0}
conditions: {ends: {where: boundary, equation: u = 0, points: 2}}
points: {interior: 20, validation: 20}
network: {hidden: [4]}
training: [{iterations: 3}]
"""
"""Beyond its critical parameter, 3.51, Bratu's equation has no solution."""


def test_a_reference_that_nobody_named_does_not_keep_from_training(laaf: Laaf) -> None:
    Path("bratu.yaml").write_text(STIFF)
    outcome = laaf("solve", "bratu.yaml")
    assert outcome.code == 0, outcome.err
    assert "unknown: " in outcome.out
    named = laaf("solve", "bratu.yaml", "--set", "reference=spectral", "--overwrite")
    assert named.code == 3
    bound = laaf("solve", "bratu.yaml", "--max-error", 1, "--overwrite")
    assert bound.code == 6
    assert "no error is known to be below 1: " in bound.err


MODULE = """
import torch


def flux(k, u_xx):
    return k * u_xx


def total(u_t, u_xx, k):
    return torch.sub(u_t, flux(k, u_xx))
"""
CALLING = (
    HEAT.replace("heat: u_t = k*u_xx", "heat: 'total(u_t, u_xx, k)'")
    + EXACT
    + "functions: mine.py\n"
)


def test_python_needs_permission(laaf: Laaf) -> None:
    Path("mine.py").write_text("raise SystemExit('it ran')\n")
    Path("calling.yaml").write_text(CALLING)
    for command in ("check", "solve", "sweep", "reference"):
        outcome = laaf(command, "calling.yaml")
        assert outcome.code == 3, outcome.err
        assert "--allow-python" in outcome.err
        assert "it ran" not in outcome.err


def test_python_functions_are_what_they_compute(
    laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.py").write_text(MODULE)
    Path("calling.yaml").write_text(CALLING)
    outcome = laaf("solve", "calling.yaml", "--allow-python", "--json", "-q")
    assert outcome.code == 0, outcome.err
    called = json.loads(outcome.out)
    # What is written has a linear part, which would be carried as one stream and rounded otherwise.
    monkeypatch.setattr(lowering, "linear_coefficients", lambda *_: {})
    written = json.loads(laaf("solve", "exact.yaml", "--json", "-q").out)
    assert called["terms"] == written["terms"], "the same arithmetic, to the last bit"


def test_python_functions_travel_to_other_processes(laaf: Laaf) -> None:
    Path("mine.py").write_text(MODULE)
    Path("calling.yaml").write_text(CALLING)
    outcome = laaf(
        "sweep", "calling.yaml", "--allow-python", "--seeds", 2, "-j", 2, "-a", "fixed", "-q"
    )
    assert outcome.code == 0, outcome.err
    assert len(list(Path("runs").rglob("*.h5"))) == 2
