"""The referee on shapes: its error and its estimate against closed forms, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import ngsolve as ng
import numpy as np
import pytest

from laaf_cli.expression import NUMPY, Scope, evaluate, parse, resolve
from laaf_cli.problem import Problem
from laaf_cli.references import ReferenceRefusedError, make_reference
from laaf_cli.references.reference import UNWATCHED, Watch
from laaf_cli.references.shapes import finite_elements
from laaf_cli.references.shapes.coefficients import coefficient
from laaf_cli.references.shapes.derivation import read_weak_form
from laaf_cli.references.shapes.discretisation import MeshDiscretisation
from laaf_cli.references.shapes.finite_elements import FiniteElements
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
    "all terms are 0": ("disk(0, 0, 1)", "laplacian(u) = 0", "x", EDGE),
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


IN_SPACE = {
    "a ball": (
        "shape: ball(0, 0, 0, 1)\n",
        "laplacian(u) = 0",
        "  a: {where: ball, equation: u_n + u = (1 + x)*exp(x)*cos(z) - z*exp(x)*sin(z)}\n",
        "exp(x)*cos(z)",
        5e-3,
    ),
    "a pipe": (
        "shape: box - cylinder(0, 0, -1, 0, 0, 1, 0.5)\n",
        "D((1 + x**2)*u_x, x) + u_yy + u_zz = 2*x",
        "  a: {where: [cylinder, x = -1, x = 1, z = 1], equation: u = x}\n  b: {where: [y = -1, y = 1, z = -1], equation: u_n = 0}\n",
        "x",
        1e-4,
    ),
    "a box": ("", "laplacian(u) = 2*y", EDGE, "x**2*y + z", 1e-10),
    "an edge": (
        "shape: box - cuboid(0, 0, -1, 1, 1, 1)\n",
        "laplacian(u) = 0",
        EDGE,
        f"(x**2 + y**2)**(1/3)*sin(2/3*{CORNER})",
        0.02,
    ),
}


@pytest.mark.parametrize("name", IN_SPACE)
def test_solutions_in_space(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite_elements, "LEVELS_IN_SPACE", ((0.3, 2), (0.3, 3)))
    monkeypatch.setattr(finite_elements, "WORST_AGREEMENT", 0.1)
    monkeypatch.setattr(finite_elements, "CONFIRMED", 0.5)
    shape, equation, conditions, exact, most = IN_SPACE[name]
    problem = problem_of(
        f"{BOX.replace('}', ', z: [-1, 1]}')}{shape}unknowns: [u]\nequations: {{p: '{equation}'}}\nconditions:\n"
        f"{conditions.replace('EXACT', exact)}reference: {{exact: {{u: '{exact}'}}}}\nevaluation: {{grid: {{x: 3, y: 3, z: 3}}}}\n"
    )
    check(problem, most)


def test_auto_takes_finite_elements_for_a_box_in_space() -> None:
    problem = problem_of(
        "coordinates: {x: [0, 1], y: [0, 1], z: [0, 1]}\nunknowns: [u]\nequations: {p: laplacian(u) = 1}\n"
        "conditions: {c: {where: boundary, equation: u = 0}}\nevaluation: {grid: {x: 3, y: 3, z: 3}}\n"
    )
    reference = make_reference(problem, ReferenceSpec(kind="auto"), Path())
    assert isinstance(reference, FiniteElements)


def test_what_is_not_taken_in_space() -> None:
    yaml = "coordinates: {x: [-1, 1], y: [-1, 1], z: [-1, 1]}\nshape: x*x + y*y + z*z < 1\nunknowns: [u]\nequations: {p: laplacian(u) = 1}\nconditions: {c: {where: boundary, equation: u = 0}}\nreference: none\n"
    problem = problem_of(yaml)
    with pytest.raises(ReferenceRefusedError, match="not for inequalities"):
        FiniteElements(problem).evaluate(np.zeros((1, 3)))
    moving = yaml.replace("z: [-1, 1]", "z: [-1, 1], t: [0, 1]").replace("= 1}", "= u_t}", 1)
    moving = moving.replace("conditions: {", "conditions: {s: {where: t = 0, equation: u = 0}, ")
    with pytest.raises(ReferenceRefusedError, match="two coordinates of space, not with three"):
        read_weak_form(problem_of(moving + "evaluation: {grid: {x: 3, y: 3, z: 3, t: 2}}\n"))


def test_a_box_that_is_too_thin() -> None:
    yaml = "coordinates: {x: [0, 1.0e12], y: [0, 0.5]}\nunknowns: [u]\nequations: {p: laplacian(u) = 1}\nconditions: {c: {where: boundary, equation: u = 0}}\nreference: none\n"
    with pytest.raises(ReferenceRefusedError, match="too thin for finite elements"):
        read_weak_form(problem_of(yaml))


def test_many_unknowns_are_paired_at_once() -> None:
    """In any order of the equations and of the conditions: by what each holds, not by trial."""
    names = [f"u{i}" for i in range(12)]
    equations = "".join(f"  of_{name}: laplacian({name}) = {name}\n" for name in names[::-1])
    conditions = "".join(
        f"  flux_{name}: {{where: boundary, equation: {name}_n = 1}}\n"
        for name in names[::2] + names[1::2]
    )
    yaml = f"{BOX}unknowns: [{', '.join(names)}]\nequations:\n{equations}conditions:\n{conditions}reference: none\n"
    form = read_weak_form(problem_of(yaml))
    assert [equation.name for equation in form.equations] == [
        f"of_{equation.test}" for equation in form.equations
    ]
    assert all(len(equation.ends) == 4 for equation in form.equations)


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
    "a flow": """\
equations:
  a: u_t + u*u_x + v*u_y + w_x = 0.1*laplacian(u)
  b: v_t + u*v_x + v*v_y + w_y = 0.1*laplacian(v)
  c: u_x + v_y = 0
conditions:
  edge: {where: boundary, equation: [u = -cos(x)*sin(y)*exp(-0.2*t), v = sin(x)*cos(y)*exp(-0.2*t)]}
  start: {where: t = 0, equation: [u = -cos(x)*sin(y), v = sin(x)*cos(y)]}
  level: {at: {x: 0, y: 0}, equation: w = -exp(-0.4*t)/2}
reference:
  exact:
    u: -cos(x)*sin(y)*exp(-0.2*t)
    v: sin(x)*cos(y)*exp(-0.2*t)
    w: -(cos(2*x) + cos(2*y))/4*exp(-0.4*t)
""",
    "a coefficient in time": """\
equations:
  a: u_t = (1 + 5*t)*laplacian(u) - exp(-t)*x**2 - 2*(1 + 5*t)*exp(-t)
  b: v_t = -v
conditions:
  edge: {where: boundary, equation: u = exp(-t)*x**2}
  start: {where: t = 0, equation: [u = x**2, v = y]}
reference: {exact: {u: exp(-t)*x**2, v: exp(-t)*y}}
""",
    "equations in another order": """\
equations:
  a: v_t = laplacian(v) + u - exp(-t)*(x + y)
  b: u_t = laplacian(u) - exp(-t)*x
conditions:
  edge: {where: boundary, equation: [u = exp(-t)*x, v_n = exp(-t)*y]}
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
    unknowns = "[u, v, w]" if "w_x" in IN_TIME[name] else "[u, v]"
    check(problem_of(f"{box}shape: disk(0, 0, 1)\nunknowns: {unknowns}\n{IN_TIME[name]}"), 1e-3)


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


U, V, P = "sin(x)*sin(y)", "cos(x)*cos(y)", "exp(x)*y"
FLOW = f"""\
unknowns: [u, v, p]
constants: {{nu: 0.1}}
equations:
  along: u*u_x + v*u_y + p_x - nu*laplacian(u) = sin(x)*cos(x) + exp(x)*y + 2*nu*{U}
  across: u*v_x + v*v_y + p_y - nu*laplacian(v) = -sin(y)*cos(y) + exp(x) + 2*nu*{V}
  mass: u_x + v_y = 0
reference: {{exact: {{u: {U}, v: {V}, p: {P}}}}}
"""
VELOCITY = f"['u = {U}', 'v = {V}']"
AT_END = {
    "the flux of momentum": f"['nu*u_n - p = nu*cos(x)*sin(y) - {P}', 'v_n = -sin(x)*cos(y)']",
    "the stress": f"['2*nu*u_x - p = 2*nu*cos(x)*sin(y) - {P}', 'u_y + v_x = 0']",
    "pressure and the velocity along": f"['p = {P}', 'v = {V}']",
    "pressure and a slope": f"['p = {P}', 'v_x = -sin(x)*cos(y)']",
    "more than it takes": f"['p = {P}', 'u_x = cos(x)*sin(y)', 'v_x = -sin(x)*cos(y)']",
}


def flow(conditions: str, shape: str = "", equations: str = FLOW) -> Problem:
    shape = f"shape: {shape}\n" if shape else ""
    return problem_of(f"{BOX}{shape}{equations}conditions:\n{conditions}")


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer resolutions."""
    monkeypatch.setattr(finite_elements, "LEVELS", ((0.3, 4), (0.3, 6), (0.3, 8)))


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("name", AT_END)
def test_flows_with_an_outflow(name: str) -> None:
    walls = f"  walls: {{where: [x = -1, y = -1, y = 1], equation: {VELOCITY}}}\n"
    check(flow(f"{walls}  end: {{where: x = 1, equation: {AT_END[name]}}}\n"), 1e-6)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    ("shape", "level"),
    [
        ("disk(0, 0, 1) - disk(0.2, 0.1, 0.4)", f"at: {{x: -1, y: 0}}, equation: 'p = {P}'"),
        ("", "integral: p, equals: 0"),
    ],
)
def test_flows_whose_pressure_has_a_level(shape: str, level: str) -> None:
    edge = f"  edge: {{where: boundary, equation: {VELOCITY}}}\n"
    check(flow(f"{edge}  level: {{{level}}}\n", shape), 1e-6)


def test_newtons_method_begins_with_a_thick_fluid(monkeypatch: pytest.MonkeyPatch) -> None:
    edge = f"  edge: {{where: boundary, equation: {VELOCITY}}}\n"
    thin = flow(f"{edge}  level: {{integral: p}}\n", equations=FLOW.replace("nu: 0.1", "nu: 2e-4"))
    tried: list[float] = []
    newton = MeshDiscretisation._newton

    def told(self: MeshDiscretisation, watch: Watch, length: float) -> None:
        tried.append(self.thickness.Get())
        newton(self, watch, length)

    monkeypatch.setattr(MeshDiscretisation, "_newton", told)
    on = MeshDiscretisation(read_weak_form(thin), 0.5, 4)
    (coefficients,) = on.step(UNWATCHED)
    assert max(tried) > 1 == tried[-1]
    point = np.array([[0.3, 0.4]])
    u = on.values(coefficients)[0](on.places(point)).item()
    assert u == pytest.approx(np.sin(0.3) * np.sin(0.4), rel=1e-2)


@pytest.mark.usefixtures("coarse")
def test_what_disagrees_in_a_corner_has_no_value_there() -> None:
    problem = problem_of(
        f"{BOX}unknowns: [u]\nequations: {{p: laplacian(u) = 0}}\nconditions:\n"
        "  lid: {where: y = 1, equation: u = 1}\n"
        "  walls: {where: [x = -1, x = 1, y = -1], equation: u = 0}\n"
    )
    reference = FiniteElements(problem)
    inside = reference.evaluate(np.array([[0.0, 0.0], [0.3, 0.9]]))
    assert inside.fields["u"][0] == pytest.approx(0.25, abs=inside.error_estimate)
    assert inside.error_estimate < 1e-3
    assert reference.evaluate(np.array([[0.0, 0.0], [1.0, 1.0]])).error_estimate == 1


REFUSED = {
    "is of order 4": "equations: {p: laplacian(laplacian(u)) = 1}\nconditions: {c: {where: boundary, equation: u = 0}}",
    "neither at the start nor on whole parts": "equations: {p: laplacian(u) = 1}\nconditions: {c: {where: boundary, only: x > 0, equation: u = 0}}",
    "conditions on fluxes": "equations: {p: laplacian(u) = 1}\nconditions: {c: {where: hole, equation: u = 0}}",
    "is given twice": "equations: {p: laplacian(u) = 1}\nconditions: {c: {where: boundary, equation: u = 0}, d: {where: hole, equation: u = 0}}",
    "holds derivatives": "equations: {p: 'u_x*u_xx + u_yy = 1'}\nconditions: {c: {where: boundary, equation: u = 0}}",
    "'e' do not give the flux": "equations: {p: laplacian(u) = 1}\nconditions: {c: {where: box, equation: u = 0}, e: {where: hole, equation: u**2 = 1}}",
}

WALLS = "  walls: {where: [x = -1, y = -1, y = 1], equation: [u = 0, v = 0]}\n"
NO_FLOW = {
    "write nu.u_n - p = 0": WALLS + "  end: {where: x = 1, equation: p = 0}\n",
    "is part of what is given": WALLS
    + "  end: {where: x = 1, equation: [u_x = 0, v_x = 0]}\n"
    + "  level: {at: {x: 0, y: 0}, equation: p = 0}\n",
    "has its level already": WALLS
    + "  end: {where: x = 1, equation: [nu*u_x - p = 0, v_x = 0]}\n"
    + "  level: {at: {x: 0, y: 0}, equation: p = 0}\n",
    "not the one value of a pressure": WALLS
    + "  end: {where: x = 1, equation: [u = 0, v = 0]}\n"
    + "  level: {at: {x: 0, y: 0}, equation: p + u = 0}\n",
}


@pytest.mark.parametrize("why", NO_FLOW)
def test_flows_that_are_not_determined_are_refused(why: str) -> None:
    with pytest.raises(ReferenceRefusedError, match=why):
        read_weak_form(flow(NO_FLOW[why]))


CONTRADICTORY = {
    "mass": "  edge: {where: boundary, equation: [u = x, v = 0]}\n  level: {integral: p}\n",
    "end": WALLS.replace("u = 0", "u = 1 - y**2")
    + "  end: {where: x = 1, equation: [p = 0, u_x = 1, v_x = 0]}\n",
}


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("name", CONTRADICTORY)
def test_flows_that_contradict_a_condition_are_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finite_elements, "WORST_AGREEMENT", np.inf)
    with pytest.raises(ReferenceRefusedError, match=f"misses '{name}'"):
        FiniteElements(flow(CONTRADICTORY[name])).prepare(UNWATCHED)


@pytest.mark.parametrize("why", REFUSED)
def test_what_has_no_weak_form_is_refused(why: str) -> None:
    yaml = f"{BOX}shape: box - hole\nparts:\n  hole: disk(0, 0, 0.5)\nunknowns: [u]\n{REFUSED[why]}\nreference: none\n"
    with pytest.raises(ReferenceRefusedError, match=why):
        read_weak_form(problem_of(yaml))


def test_solutions_that_do_not_settle_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite_elements, "LEVELS", ((0.4, 2), (0.4, 3)))
    problem = steady("disk(0, 0, 1)", "laplacian(u) = 0", "exp(9*x)*cos(9*y)", EDGE)
    with pytest.raises(ReferenceRefusedError, match="still change by"):
        FiniteElements(problem).prepare(UNWATCHED)
    monkeypatch.setattr(finite_elements, "WORST_AGREEMENT", np.inf)
    with pytest.raises(ReferenceRefusedError, match="misses 'p' by"):
        FiniteElements(problem).prepare(UNWATCHED)


def test_functions_are_those_of_expressions() -> None:
    texts = [
        *(
            f"{name}(0.3*x + 0.5)"
            for name in ["exp", "log", "log10", "sin", "cos", "tan", "asin", "acos", "atan"]
        ),
        *(
            f"{name}(0.3*x + 0.5)"
            for name in ["sinh", "cosh", "tanh", "asinh", "atanh", "erf", "sqrt"]
        ),
        *(
            "acosh(2 + x)",
            "abs(x - y)",
            "sign(x)",
            "floor(3*x)",
            "atan2(y, x)",
            "x**y",
            "y**-2",
            "x**3",
        ),
        *(
            "min(x, y)",
            "max(x, y)",
            "where(x > 0.4 and y < 0.7, x, y)",
            "where(x < 0.2 or y >= 0.8, x, 1)",
        ),
        "where(x <= 0.3 and y > 0.9 or y < 0.2, 2, -x)/y - x*y",
    ]
    points = np.random.default_rng(0).uniform(0.05, 0.95, (40, 2))
    scope = Scope(coordinates=("x", "y"))
    mesh = ng.Mesh(ng.unit_square.GenerateMesh(maxh=1))
    for text in texts:
        tree = resolve(parse(text), scope)
        made = ng.CF(coefficient(tree, {"x": ng.x, "y": ng.y}, {}))
        known = evaluate(tree, {"x": points[:, 0], "y": points[:, 1]}, {}, NUMPY)
        assert np.abs(made(mesh(*points.T)).ravel() - known).max() < 1e-12, text


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite_elements, "find_spec", lambda _name: None)
    problem = steady(*STEADY["nonlinear"])
    with pytest.raises(ReferenceRefusedError, match=r"pip install 'laaf\[shapes\]'"):
        make_reference(problem, ReferenceSpec(kind="auto"), Path())


def test_auto_takes_finite_elements_first_for_a_flow() -> None:
    edge = f"  edge: {{where: boundary, equation: {VELOCITY}}}\n  level: {{integral: p}}\n"
    reference = make_reference(flow(edge), ReferenceSpec(kind="auto"), Path())
    assert isinstance(reference, FiniteElements)
