"""Known functions whose values are in files: in equations, in their derivatives, in references and in identities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Laaf

from laaf_cli.errors import SpecError
from laaf_cli.expression import NUMPY, Backend, Field, differentiate, evaluate, write
from laaf_cli.problem import Problem
from laaf_cli.references.shapes import coefficients, finite_elements
from laaf_cli.references.shapes.finite_elements import FiniteElements
from laaf_cli.references.stationary import refinement
from laaf_cli.references.stationary.boundary_value import BoundaryValue
from laaf_cli.runs.plan import Plan, plan_one
from laaf_cli.spec import Text

SPEC = """\
coordinates: {x: [0, 1], y: [0, 2]}
unknowns: [u]
fields: {k: k.npz}
equations: {heat: 'D(k*u_x, x) + D(k*u_y, y) = (1 + x)*(1 + y**2)**2'}
conditions: {edge: {where: boundary, equation: u = x}}
reference: none
"""


FLUXES = "D(k*u_x, x) + D(k*u_y, y)"
U, U_X = Field("u", (0, 0)), Field("u", (1, 0))


def plan(folder: Path, text: str = SPEC) -> Plan:
    return plan_one(Text(str(folder / "spec.yaml"), text))


def problem(folder: Path, text: str = SPEC) -> Problem:
    return plan(folder, text).problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    x, y = np.linspace(0, 1, 41), np.linspace(0, 2, 33)
    np.savez(tmp_path / "k.npz", x=x, y=y, k=(1 + x[:, None]) ** 2 / 2 * (1 + y**2) ** 2)
    return tmp_path


def test_values_and_slopes_are_those_of_what_was_tabulated(folder: Path) -> None:
    added = "laplacian(u) + k*u + D(k, x, y)*u_x"
    (tree,) = problem(folder, SPEC.replace(FLUXES, added)).terms[0].residuals
    assert "k*u + D(k, x, y)*u_x" in write(tree, ("x", "y"))
    x, y = np.random.default_rng(0).random((2, 50)) * [[1], [2]]
    source, zero = (1 + x) * (1 + y**2) ** 2, dict.fromkeys(tree.fields, np.zeros(50))

    def part(field: Field) -> np.ndarray:
        known = zero | {field: np.ones(50)}
        return np.asarray(evaluate(tree, {"x": x, "y": y}, known, NUMPY) + source)

    np.testing.assert_allclose(part(U), (1 + x) ** 2 / 2 * (1 + y**2) ** 2, rtol=1e-5)
    np.testing.assert_allclose(part(U_X), (1 + x) * 4 * y * (1 + y**2), rtol=1e-3, atol=1e-3)
    backend = Backend(module=torch, array=lambda value: torch.tensor(value, dtype=torch.float64))
    columns = {"x": torch.tensor(x), "y": torch.tensor(y)}
    ones = {f: torch.tensor(values) for f, values in (zero | {U: np.ones(50)}).items()}
    by_torch = evaluate(tree, columns, ones, backend).numpy() + source
    np.testing.assert_allclose(by_torch, part(U), rtol=1e-12)


REFEREES = {"elements": FiniteElements, "modes": BoundaryValue}


@pytest.mark.parametrize("name", REFEREES)
def test_both_referees_take_them(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite_elements, "LEVELS", ((0.3, 4), (0.3, 6), (0.3, 8)))
    monkeypatch.setattr(coefficients, "N_SAMPLED", 300)
    monkeypatch.setitem(refinement.LEVELS, 2, (8, 12, 16))
    both = problem(folder)
    points = both.domain.scattered(40, np.random.default_rng(0))
    values = REFEREES[name](both).evaluate(points)
    np.testing.assert_allclose(values.fields["u"], points[:, 0], atol=1e-5)


def test_a_run_is_another_where_the_values_are(folder: Path) -> None:
    first = plan(folder).hashes
    assert plan(folder).hashes == first
    with np.load(folder / "k.npz") as file:
        arrays = dict(file)
    arrays["k"][3, 4] += 1e-9
    np.savez(folder / "k.npz", **arrays)
    changed = plan(folder).hashes
    assert (changed.problem != first.problem, changed.method) == (True, first.method)


def test_solved_from_the_command_line(folder: Path, laaf: Laaf) -> None:
    (folder / "spec.yaml").write_text(SPEC)
    phase = "training=[{optimizer: adam, iterations: 3}]"
    short = ("--set", phase, "--set", "points.interior=50")
    run = folder / "run.h5"
    done = laaf("solve", folder / "spec.yaml", "--quiet", "--output", run, *short)
    assert done.code == 0, done.err
    (folder / "k.npz").unlink()
    evaluated = laaf("evaluate", run, "--grid", "x=3,y=3")
    assert evaluated.code == 0, evaluated.err


FAULTS = {
    "there is no file": (SPEC.replace("k.npz", "none.npz"), ""),
    "holds values for x from 0 to 1": (SPEC.replace("x: [0, 1]", "x: [0, 3]"), ""),
    "'k' is already a constant": (SPEC + "constants: {k: 1}\n", ""),
    "derivative 3 of the values of 'k' is needed": (SPEC.replace("D(k*u_x, x)", "D(k, x, x, x)*u"), ""),
    "do not fill a grid": (SPEC.replace("k.npz", "k.csv"), "x,y,k\n0,0,1\n1,0,1\n0,2,1\n"),
    "'z' is not a coordinate": (SPEC.replace("k: k.npz", "k: {file: k.npz, over: z}"), ""),
    "unknown name 'k'": (SPEC + "transform: {u: k*net}\n", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", FAULTS)
def test_what_is_wrong_is_said(what: str, folder: Path) -> None:
    text, csv = FAULTS[what]
    (folder / "k.csv").write_text(csv)
    with pytest.raises(SpecError) as caught:
        problem(folder, text)
    assert what in str(caught.value)


def test_conditions_may_hold_them_and_are_left_to_training(folder: Path) -> None:
    text = SPEC.replace("equation: u = x", "equation: u = k") + "transform: auto\n"
    assert problem(folder, text).left == {"edge": "it contains values of a file"}


def test_derivatives_follow_the_chain_rule(folder: Path) -> None:
    (tree,) = problem(folder, SPEC.replace(FLUXES, "laplacian(u) + k**2*u")).terms[0].residuals
    assert "k*D(k, x)" in write(differentiate(tree, "x", ("x", "y")), ("x", "y"))
