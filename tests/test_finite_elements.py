"""The referee on shapes: its error and its estimate against closed forms, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from laaf_cli.expression import NUMPY, evaluate
from laaf_cli.problem import Problem
from laaf_cli.references import ReferenceRefusedError, make_reference
from laaf_cli.references.shapes import finite_elements
from laaf_cli.references.shapes.finite_elements import FiniteElements
from laaf_cli.references.shapes.weak_form import read_weak_form
from laaf_cli.runs.plan import plan_one
from laaf_cli.spec import ReferenceSpec, Text

BOX = "coordinates: {x: [-1, 1], y: [-1, 1]}\n"
CORNER = "where(atan2(-x, y) > -1e-9, atan2(-x, y), atan2(-x, y) + 2*pi)"
EDGE = "  edge: {where: boundary, equation: 'u = EXACT'}\n"

STEADY = {
    "a flux on a circle": (
        "disk(0, 0, 1) - hole",
        "laplacian(u) = 0",
        "log(x**2 + y**2)",
        "  a: {where: hole, equation: u = log(0.25)}\n  b: {where: disk, equation: 2*u_n + u = 4}\n",
    ),
    "nonlinear": ("disk(0, 0, 1) - hole", "D((1 + u**2)*u_x, x) + u_yy = 2*x", "x", EDGE),
    "a coefficient before a second derivative": (
        "x**2 + 2*y**2 < 1",
        "exp(x)*u_xx + u_xy + 2*u_yy + u_x - tanh(u) + tanh(x*y) = 1 + y",
        "x*y",
        EDGE,
    ),
    "a singular corner": (
        "box - rectangle(0, 0, 1, 1)",
        "laplacian(u) = 0",
        f"(x**2 + y**2)**(1/3)*sin(2/3*{CORNER})",
        EDGE,
    ),
}


def problem_of(yaml: str) -> Problem:
    return plan_one(Text("spec.yaml", yaml)).problem


def steady(shape: str, equation: str, exact: str, conditions: str) -> Problem:
    parts = "parts:\n  hole: disk(0, 0, 0.5)\n" if "hole" in shape else ""
    conditions = conditions.replace("EXACT", exact)
    return problem_of(
        f"{BOX}shape: {shape}\n{parts}unknowns: [u]\nequations: {{p: '{equation}'}}\n"
        f"conditions:\n{conditions}reference: {{exact: {{u: '{exact}'}}}}\n"
    )


def check(problem: Problem, most: float) -> None:
    """The error is at most so large, and the estimate is honest."""
    reference = FiniteElements(problem)
    points = problem.domain.scattered(300, np.random.default_rng(1))
    values = reference.evaluate(points)
    assert problem.closed_form is not None
    columns = dict(zip(problem.domain.coordinates, points.T, strict=True))
    for name, tree in problem.closed_form.items():
        known = np.broadcast_to(evaluate(tree, columns, {}, NUMPY), len(points))
        error = float(np.max(np.abs(values.fields[name] - known)))
        assert error < most
        assert error / 3 < max(values.error_estimates[name], 1e-10)


@pytest.mark.parametrize("name", STEADY)
def test_solutions_are_those_of_closed_forms(name: str) -> None:
    check(steady(*STEADY[name]), 1e-6 if "singular" in name else 1e-8)


IN_TIME = {
    "a nonlinear system": """\
equations:
  a: u_t = 0.1*laplacian(u) + u*v - exp(-2*t)*x*y - exp(-t)*x
  b: v_t = laplacian(v) - exp(-t)*y
conditions:
  edge: {where: boundary, equation: [u = exp(-t)*x, v_n + v = 2*exp(-t)*y]}
  start: {where: t = 0, equation: [u = x, v = y]}
reference: {exact: {u: exp(-t)*x, v: exp(-t)*y}}
""",
    "a wave": """\
equations: {a: u_tt = laplacian(u) + 2*x, b: v_t = u}
conditions:
  edge: {where: boundary, equation: u = t**2*x}
  start: {where: t = 0, equation: [u = 0, u_t = 0, v = 0]}
reference: {exact: {u: t**2*x, v: t**3*x/3}}
""",
}


@pytest.mark.parametrize("name", IN_TIME)
def test_systems_in_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite_elements, "LEVELS_IN_TIME", ((0.3, 3, 1), (0.3, 4, 2), (0.3, 5, 4)))
    monkeypatch.setattr(finite_elements, "N_QUARTERS", 1)
    box = BOX.replace("}", ", t: [0, 1]}")
    check(problem_of(f"{box}shape: disk(0, 0, 1)\nunknowns: [u, v]\n{IN_TIME[name]}"), 1e-3)


def test_a_box_is_taken_by_name() -> None:
    problem = problem_of(
        f"{BOX}unknowns: [u]\nequations: {{p: laplacian(u) = u - x*y}}\n"
        "conditions:\n  sides: {where: [x = -1, x = 1], equation: u = x*y}\n"
        "  ends: {where: [y = -1, y = 1], equation: u_y = x}\nreference: {exact: {u: x*y}}\n"
    )
    points = problem.domain.scattered(50, np.random.default_rng(0))
    reference = make_reference(problem, ReferenceSpec(kind="finite-elements"), Path())
    assert reference is not None
    values = reference.evaluate(points).fields["u"]
    assert np.abs(values - points[:, 0] * points[:, 1]).max() < 1e-10
    with pytest.raises(ReferenceRefusedError, match="for shapes"):
        FiniteElements(problem)


REFUSED = {
    "is of order 4": "equations: {p: laplacian(laplacian(u)) = 1}\nconditions: {c: {where: boundary, equation: u = 0}}",
    "neither at the start nor on whole parts": "equations: {p: laplacian(u) = 1}\nconditions: {c: {where: boundary, only: x > 0, equation: u = 0}}",
    "conditions on fluxes": "equations: {p: laplacian(u) = 1}\nconditions: {c: {where: hole, equation: u = 0}}",
    "is given twice": "equations: {p: laplacian(u) = 1}\nconditions: {c: {where: boundary, equation: u = 0}, d: {where: hole, equation: u = 0}}",
    "holds derivatives": "equations: {p: 'u_x*u_xx + u_yy = 1'}\nconditions: {c: {where: boundary, equation: u = 0}}",
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_has_no_weak_form_is_refused(why: str) -> None:
    yaml = f"{BOX}shape: box - hole\nparts:\n  hole: disk(0, 0, 0.5)\nunknowns: [u]\n{REFUSED[why]}\nreference: none\n"
    with pytest.raises(ReferenceRefusedError, match=why):
        read_weak_form(problem_of(yaml))


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite_elements, "find_spec", lambda _name: None)
    problem = steady(*STEADY["nonlinear"])
    with pytest.raises(ReferenceRefusedError, match=r"pip install 'laaf\[shapes\]'"):
        make_reference(problem, ReferenceSpec(kind="auto"), Path())
