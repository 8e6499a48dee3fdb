"""The spectral reference in time: closed forms, other solvers, observed orders, honest estimates, refusals."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from conftest import plan_of
from scipy.integrate import solve_ivp
from scipy.special import erf
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import SpecError
from laaf_cli.expression import (
    NUMPY,
    Scope,
    branch_breaks,
    evaluate,
    parse_equation,
    resolve,
    switches,
)
from laaf_cli.problem import OnFaces, Problem, Term
from laaf_cli.references import HopfCole, ReferenceRefusedError
from laaf_cli.references.collocation import ChebyshevAxis, FourierAxis
from laaf_cli.references.evolution.evolution import Evolution, converged
from laaf_cli.references.evolution.form import read_evolution
from laaf_cli.references.evolution.initial_values import initial_values
from laaf_cli.references.evolution.mesh import Grid, Mesh, fitted
from laaf_cli.references.evolution.radau import Integrator
from laaf_cli.references.evolution.radau_tableau import radau_tableau
from laaf_cli.references.evolution.semidiscretisation import Semidiscretisation
from laaf_cli.references.evolution.solve import ACCURACIES, solve
from laaf_cli.references.evolution.time_events import TimeEvents
from laaf_cli.references.evolution.unseen import missed
from laaf_cli.references.reference import OutOfTimeError, Watch

Exact = Callable[..., np.ndarray]


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred-thousandth of the largest value is aimed at, for what takes long."""
    monkeypatch.setattr("laaf_cli.references.evolution.evolution.AGREEMENT", 1e-5)


def problem(text: str) -> Problem:
    return plan_of(text).problem


def places(of: Problem, n: int = 1500) -> np.ndarray:
    """Points all over the domain, the whole start and the whole end among them."""
    random = np.random.default_rng(0).random((n, of.domain.dimension))
    random[: n // 20, of.domain.time_axis or 0] = 0
    random[n // 20 : n // 10, of.domain.time_axis or 0] = 1
    return of.domain.from_unit(random)


CLOSED_FORMS: dict[str, tuple[str, dict[str, Exact]]] = {
    "heat, cold ends": (
        """
        coordinates: {x: [0, 1], t: [0, 1]}
        unknowns: [u]
        equations: {heat: u_t = 0.1*u_xx}
        conditions:
          initial: {where: t = 0, equation: u = sin(pi*x)}
          ends: {where: boundary, equation: u = 0}
        """,
        {"u": lambda x, t: np.exp(-0.1 * np.pi**2 * t) * np.sin(np.pi * x)},
    ),
    "heat, Robin ends, time first": (
        """
        coordinates: {t: [1, 3], x: [-2, 1]}
        unknowns: [u]
        equations: {heat: u_t = 2*u_xx + exp(-t)*(-sin(x) + 2*sin(x))}
        conditions:
          initial: {where: t = 1, equation: u = exp(-1)*sin(x)}
          left: {where: x = -2, equation: "u - 3*u_x = exp(-t)*(sin(x) - 3*cos(x))"}
          right: {where: x = 1, equation: "u_n + u = exp(-t)*(sin(x) + cos(x))"}
        """,
        {"u": lambda t, x: np.exp(-t) * np.sin(x)},
    ),
    "radiation, a condition that is not linear": (
        """
        coordinates: {x: [0, 1], t: [0, 1]}
        unknowns: [u]
        equations: {heat: u_t = u_xx}
        conditions:
          initial: {where: t = 0, equation: u = exp(x)}
          left: {where: x = 0, equation: u_x = u**4*exp(-3*t)}
          right: {where: x = 1, equation: u*u_x = exp(2 + 2*t)}
        """,
        {"u": lambda x, t: np.exp(x + t)},
    ),
    "wave": (
        """
        coordinates: {x: [0, 1], t: [0, 2]}
        unknowns: [u]
        equations: {wave: u_tt = 4*u_xx}
        conditions:
          initial: {where: t = 0, equation: [u = sin(pi*x), u_t = 0]}
          ends: {where: boundary, equation: u = 0}
        """,
        {"u": lambda x, t: np.sin(np.pi * x) * np.cos(2 * np.pi * t)},
    ),
    "wave that leaves": (
        """
        coordinates: {x: [-1, 1], t: [0, 3]}
        unknowns: [u]
        equations: {wave: u_tt = u_xx}
        conditions:
          initial: {where: t = 0, equation: [u = exp(-20*x**2), u_t = -u_x]}
          left: {where: x = -1, equation: u_t = u_x}
          right: {where: x = 1, equation: u_t = -u_x}
        """,
        # The tail of the pulse at the left end, e⁻²⁰, belongs to neither wave.
        {"u": lambda x, t: np.exp(-20 * (x - t) ** 2)},
    ),
    "wave as a system of first order": (
        """
        coordinates: {x: [0, 1], t: [0, 1]}
        unknowns: [p, v]
        equations: {mass: p_t = -v_x, momentum: v_t = -p_x}
        conditions:
          initial: {where: t = 0, equation: ["p + v = cos(pi*x)", "p - v = cos(pi*x)"]}
          ends: {where: boundary, equation: v = 0}
        """,
        {
            "p": lambda x, t: np.cos(np.pi * x) * np.cos(np.pi * t),
            "v": lambda x, t: np.sin(np.pi * x) * np.sin(np.pi * t),
        },
    ),
    "advection on a circle": (
        """
        coordinates: {x: [3, 7], t: [2, 3]}
        unknowns: [u]
        equations: {transport: u_t + 2*u_x = 0}
        conditions:
          initial: {where: t = 2, equation: u = exp(sin(pi*x/2))}
        periodic: {x: true}
        """,
        {"u": lambda x, t: np.exp(np.sin(np.pi * (x - 2 * (t - 2)) / 2))},
    ),
    "advection with inflow": (
        """
        coordinates: {x: [3, 7], t: [2, 3]}
        unknowns: [u]
        equations: {transport: u_t + 2*u_x = 0}
        conditions:
          initial: {where: t = 2, equation: u = sin(x)}
          inflow: {where: x = 3, equation: u = sin(x - 2*(t - 2))}
        """,
        {"u": lambda x, t: np.sin(x - 2 * (t - 2))},
    ),
    "hinged beam": (
        """
        coordinates: {x: [0, 1], t: [0, 1]}
        unknowns: [u]
        equations: {beam: u_tt + u_xxxx = 0}
        conditions:
          initial: {where: t = 0, equation: [u = sin(pi*x), u_t = 0]}
          ends: {where: boundary, equation: [u = 0, u_xx = 0]}
        """,
        {"u": lambda x, t: np.sin(np.pi * x) * np.cos(np.pi**2 * t)},
    ),
    "soliton of Korteweg and de Vries on a circle": (
        """
        coordinates: {x: [-15, 15], t: [0, 0.25]}
        unknowns: [u]
        equations: {kdv: u_t + 6*u*u_x + u_xxx = 0}
        conditions:
          initial: {where: t = 0, equation: "u = 2/cosh(x)**2"}
          around: {periodic: x, equation: [u, u_x, u_xx]}
        """,
        {"u": lambda x, t: 2 / np.cosh(x - 4 * t) ** 2},
    ),
    "soliton of Korteweg and de Vries between ends": (
        """
        coordinates: {x: [-3, 3], t: [0, 0.5]}
        unknowns: [u]
        equations: {kdv: u_t + 6*u*u_x + u_xxx = 0}
        conditions:
          initial: {where: t = 0, equation: "u = 2/cosh(x)**2"}
          left: {where: x = -3, equation: "u = 2/cosh(x - 4*t)**2"}
          right: {where: x = 3, equation: ["u = 2/cosh(x - 4*t)**2", "u_x = -4*tanh(x - 4*t)/cosh(x - 4*t)**2"]}
        """,
        {"u": lambda x, t: 2 / np.cosh(x - 4 * t) ** 2},
    ),
    "plane wave of Schrödinger": (
        """
        coordinates: {x: [0, 2*pi], t: [0, 2]}
        unknowns: [u, v]
        equations:
          real: "u_t + 0.5*v_xx + (u**2 + v**2)*v = 0"
          imaginary: "v_t - 0.5*u_xx - (u**2 + v**2)*u = 0"
        conditions:
          initial: {where: t = 0, equation: [u = 0.5*cos(2*x), v = 0.5*sin(2*x)]}
        periodic: {x: true}
        """,
        {
            "u": lambda x, t: 0.5 * np.cos(2 * x - 1.75 * t),
            "v": lambda x, t: 0.5 * np.sin(2 * x - 1.75 * t),
        },
    ),
    "travelling wave of Fisher": (
        """
        coordinates: {x: [-4, 4], t: [0, 1]}
        unknowns: [u]
        equations: {fisher: "u_t = u_xx + 6*u*(1 - u)"}
        conditions:
          initial: {where: t = 0, equation: u = (1 + exp(x))**-2}
          ends: {where: boundary, equation: u = (1 + exp(x - 5*t))**-2}
        """,
        {"u": lambda x, t: (1 + np.exp(x - 5 * t)) ** -2},
    ),
    "long waves of Benjamin, Bona and Mahony": (
        """
        coordinates: {x: [-50, 50], t: [0, 1]}
        unknowns: [u]
        equations: {bbm: u_t + u_x + u*u_x - u_xxt = 0}
        conditions:
          initial: {where: t = 0, equation: "u = 3/cosh(x/(2*sqrt(2)))**2"}
        periodic: {x: true}
        """,
        {"u": lambda x, t: 3 / np.cosh((x - 2 * t) / (2 * math.sqrt(2))) ** 2},
    ),
    "an unknown without derivative in time": (
        """
        coordinates: {x: [0, pi], t: [0, 1]}
        unknowns: [u, p]
        equations: {motion: u_t = p + u_xx, balance: p_xx = u}
        conditions:
          initial: {where: t = 0, equation: u = sin(x)}
          ends: {where: boundary, equation: [u = 0, p = 0]}
        """,
        {
            "u": lambda x, t: np.exp(-2 * t) * np.sin(x),
            "p": lambda x, t: -np.exp(-2 * t) * np.sin(x),
        },
    ),
    "heat in two materials": (
        """
        coordinates: {x: [-1, 1], t: [0, 1]}
        unknowns: [u]
        equations: {heat: "u_t = where(x < 0.3, 1, 4)*u_xx - exp(-t)*where(x < 0.3, (x - 0.3)**2, (x - 0.3)**2/4) - 2*exp(-t)"}
        conditions:
          initial: {where: t = 0, equation: "u = where(x < 0.3, (x - 0.3)**2, (x - 0.3)**2/4)"}
          ends: {where: boundary, equation: "u = exp(-t)*where(x < 0.3, (x - 0.3)**2, (x - 0.3)**2/4)"}
        """,
        {"u": lambda x, t: np.exp(-t) * (x - 0.3) ** 2 * np.where(x < 0.3, 1, 0.25)},
    ),
    "oscillator": (
        """
        coordinates: {t: [1, 5]}
        unknowns: [q]
        equations: {motion: q_tt + 0.4*q_t + 9.04*q = 0}
        conditions:
          start: {where: t = 1, equation: [q = 1, q_t = -0.2]}
        """,
        {"q": lambda t: np.exp(-0.2 * (t - 1)) * np.cos(3 * (t - 1))},
    ),
    "third order in time": (
        """
        coordinates: {t: [0, 2]}
        unknowns: [q]
        equations: {motion: q_ttt = -q_t + 2*exp(t)}
        conditions:
          start: {where: t = 0, equation: [q = 1, q_t = 2, q_tt = 1]}
        """,
        {"q": lambda t: np.exp(t) + np.sin(t)},
    ),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name: str) -> None:
    text, exact = CLOSED_FORMS[name]
    stated = problem(text)
    points = places(stated)
    values = Evolution(stated).evaluate(points)
    error = max(float(np.max(np.abs(values.fields[u] - exact[u](*points.T)))) for u in exact)
    assert error < 1e-8
    assert values.error_estimate < 1e-7
    assert error <= 10 * values.error_estimate


BURGERS = """
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
equations: {momentum: u_t + u*u_x = 0.02/pi*u_xx}
conditions:
  initial: {where: t = 0, equation: u = -sin(pi*x)}
  walls: {where: boundary, equation: u = 0}
"""


def test_burgers_against_hopf_and_cole() -> None:
    """The front is 0.02 wide: the mesh must follow it."""
    stated = problem(BURGERS)
    points = places(stated)
    exact = HopfCole(stated).evaluate(points).fields["u"]
    values = Evolution(stated).evaluate(points)
    error = float(np.max(np.abs(values.fields["u"] - exact)))
    assert error < 1e-9
    assert error <= 10 * values.error_estimate < 1e-8


@pytest.mark.usefixtures("coarse")
def test_a_jump_at_the_start_spreads() -> None:
    stated = problem(
        """
        coordinates: {x: [-1, 1], t: [0, 0.5]}
        unknowns: [u]
        equations: {heat: u_t = 0.01*u_xx}
        conditions:
          initial: {where: t = 0, equation: "u = where(x < 0.1, 0, 1)"}
          ends: {where: boundary, equation: "u = (1 + erf((x - 0.1)/sqrt(0.04*(t + 1e-300))))/2"}
        """
    )
    x, t = np.meshgrid(np.linspace(-1, 1, 101), [0.01, 0.1, 0.5])
    points = np.stack([x.ravel(), t.ravel()], axis=1)
    exact = (1 + erf((points[:, 0] - 0.1) / np.sqrt(0.04 * points[:, 1]))) / 2
    values = Evolution(stated).evaluate(points)
    error = float(np.max(np.abs(values.fields["u"] - exact)))
    assert error < 1e-5
    assert error <= 10 * values.error_estimate


@pytest.mark.usefixtures("coarse")
def test_a_kink_of_the_start_on_a_circle() -> None:
    """x² has a kink where the ends of [−1, 1] meet: its Fourier series converges slowly, and elements do not mind."""
    stated = problem(
        """
        coordinates: {x: [-1, 1], t: [0, 1]}
        unknowns: [u]
        equations: {heat: u_t = 0.05*u_xx}
        conditions:
          initial: {where: t = 0, equation: u = x**2}
        periodic: {x: true}
        """
    )
    points = places(stated)
    exact = np.full(len(points), 1 / 3)
    for n in range(1, 400):
        decay = np.exp(-0.05 * (n * np.pi) ** 2 * points[:, 1])
        exact += 4 * (-1) ** n / (n * np.pi) ** 2 * np.cos(n * np.pi * points[:, 0]) * decay
    values = Evolution(stated).evaluate(points)
    error = float(np.max(np.abs(values.fields["u"] - exact)[points[:, 1] > 0.01]))
    assert error < 1e-5
    assert error <= 10 * values.error_estimate
    start = points[:, 1] == 0
    np.testing.assert_allclose(values.fields["u"][start], points[start, 0] ** 2, rtol=0, atol=1e-12)


LORENZ = """
coordinates: {t: [0, 4]}
unknowns: [x, y, z]
equations: {x: "x_t = 10*(y - x)", y: "y_t = x*(28 - z) - y", z: "z_t = x*y - 8/3*z"}
conditions:
  start: {at: {t: 0}, equation: [x = 1, y = 1, z = 1]}
"""


def test_lorenz_against_dormand_and_prince() -> None:
    stated = problem(LORENZ)
    times = np.linspace(0, 4, 201)

    def rates(_t: float, state: np.ndarray) -> list[float]:
        x, y, z = state
        return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]

    other = solve_ivp(rates, (0, 4), [1, 1, 1], "DOP853", times, rtol=1e-13, atol=1e-13)
    values = Evolution(stated).evaluate(times[:, None])
    error = max(
        float(np.max(np.abs(values.fields[name] - y)))
        for name, y in zip("xyz", other.y, strict=True)
    )
    assert error < 1e-6
    assert error <= 10 * values.error_estimate < 1e-6


def test_a_stiff_equation_takes_few_steps() -> None:
    stated = problem(
        """
        coordinates: {t: [0, 2]}
        unknowns: [u]
        equations: {decay: "u_t = -1e6*(u - cos(t)) - sin(t)"}
        conditions:
          start: {where: t = 0, equation: u = 0}
        """
    )
    reference = Evolution(stated)
    times = np.linspace(1e-4, 2, 300)[:, None]
    values = reference.evaluate(times)
    np.testing.assert_allclose(values.fields["u"], np.cos(times[:, 0]), rtol=0, atol=1e-9)
    assert reference.solutions is not None
    assert len(reference.solutions[1].steps) < 100


@pytest.mark.parametrize(
    ("name", "sizes", "is_circle"),
    [
        ("advection on a circle", (8, 16, 32), True),
        ("travelling wave of Fisher", (6, 12, 24), False),
        ("soliton of Korteweg and de Vries between ends", (14, 24, 40), False),
    ],
)
def test_error_falls_faster_than_any_power(
    name: str, sizes: tuple[int, ...], is_circle: bool
) -> None:
    """The observed order of the collocation in space itself grows with the number of points."""
    text, exact = CLOSED_FORMS[name]
    form = read_evolution(problem(text))
    x = np.random.default_rng(0).uniform(form.lower[0], form.upper[0], 200)
    errors = []
    for n in sizes:
        system = Semidiscretisation(form, Mesh((form.lower[0], form.upper[0]), n, is_circle))
        grid = system.grids[0]
        state = np.stack([np.zeros(grid.size), initial_values(form, grid)[form.field(0, 0, 0)]])
        integrator = Integrator(
            system, state, form.start, form.end, 1e-11, (form.end - form.start) / 100
        )
        while integrator.time < form.end:
            panel = integrator.advance()
        errors.append(
            np.max(np.abs(grid.interpolation(x) @ panel.values[-1] - exact["u"](x, form.end)))
        )
    orders = np.diff(np.log(errors)) / -np.diff(np.log(sizes))
    assert orders[0] > 5
    assert orders[1] > 1.3 * orders[0]
    assert errors[-1] < 1e-8


def test_radau_is_what_it_is_called() -> None:
    """The two-stage method of Hairer & Wanner, table IV.5.5, and the order 2s − 1 of the quadrature."""
    two = radau_tableau(2, 1)
    np.testing.assert_allclose(two.nodes, [1 / 3, 1], rtol=1e-15)
    np.testing.assert_allclose(two.powers[1], [[5 / 12, -1 / 12], [3 / 4, 1 / 4]], atol=1e-15)
    nine = radau_tableau(9, 2)
    for degree in range(17):
        assert nine.powers[1][-1] @ nine.nodes**degree == pytest.approx(1 / (degree + 1), rel=1e-13)
    assert abs(nine.powers[1][-1] @ nine.nodes**17 - 1 / 18) > 1e-12
    np.testing.assert_allclose(nine.powers[2] @ np.ones(9), nine.nodes**2 / 2, atol=1e-14)


def test_a_mesh_is_bisected_where_a_function_is_steep() -> None:
    mesh = fitted(
        Mesh((0.0, 8.0), 12), lambda grid: np.tanh(200 * (grid.nodes - 5))[None], 1e-8, 2000
    )
    widths = np.diff(mesh.breaks)
    middles = (np.array(mesh.breaks[1:]) + np.array(mesh.breaks[:-1])) / 2
    assert widths[np.argmin(np.abs(middles - 5))] == widths.min() < 0.02
    assert widths[0] == 4.0
    few = fitted(
        Mesh((0.0, 8.0), 12), lambda grid: np.tanh(200 * (grid.nodes - 5))[None], 1e-8, 100
    )
    assert few.n_elements * few.n_points <= 100


def test_derivatives_on_elements() -> None:
    grid = Grid((ChebyshevAxis(0.0, 1.0, 14), ChebyshevAxis(1.0, 3.0, 18)))
    x = np.array([0.2, 1.0, 1.0, 2.5])
    slopes = grid.operators(x, np.array([0, 0, 1, 1]), 2)[2] @ np.sin(grid.nodes)
    np.testing.assert_allclose(slopes, -np.sin(x), atol=1e-10)
    circle = Grid((FourierAxis(0.0, 2 * math.pi, 20),))
    np.testing.assert_allclose(
        circle.interpolation(x) @ np.sin(3 * circle.nodes), np.sin(3 * x), atol=1e-13
    )


def test_a_solution_can_be_sent() -> None:
    reference = Evolution(problem(CLOSED_FORMS["oscillator"][0]))
    times = np.linspace(1, 5, 7)[:, None]
    before = reference.evaluate(times)
    sent = pickle.loads(pickle.dumps(reference))  # noqa: S301 - our own
    np.testing.assert_array_equal(sent.evaluate(times).fields["q"], before.fields["q"])


def test_a_solution_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = Evolution(problem(BURGERS.replace("0.02/pi", "0.2")))
    points = places(problem(BURGERS))
    first = reference.evaluate(points)
    monkeypatch.setattr(
        "laaf_cli.references.evolution.evolution.converged",
        lambda *_: pytest.fail("it is solved again"),
    )
    again = reference.evaluate(points[:10])
    np.testing.assert_array_equal(again.fields["u"], first.fields["u"][:10])


HEAT = """
coordinates: {{x: [0, 1], t: [0, 1]}}
unknowns: [u]
equations: {{heat: "{equation}"}}
conditions:
  initial: {{where: t = 0, equation: {initial}}}
  ends: {{where: {where}, equation: {ends}}}
"""

APPLIES = "the spectral solution in time does not apply: "

REFUSED = {
    "another start": {"initial": "u_x = 0"},
    "no velocity": {"equation": "u_tt = u_xx"},
    "not linear": {"equation": "u_t**2 = u_xx"},
    "too few ends": {"where": "x = 0"},
    "no time": {"equation": "u_xx = u"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_forms_are_refused(name: str, snapshot: SnapshotAssertion) -> None:
    heat = {
        "equation": "u_t = u_xx",
        "initial": "u = sin(pi*x)",
        "where": "boundary",
        "ends": "u = 0",
    }
    with pytest.raises(ReferenceRefusedError) as caught:
        Evolution(problem(HEAT.format(**(heat | REFUSED[name]))))
    assert str(caught.value) == snapshot


MORE = {
    "rate at the start": ("t = 0", "u_t = 0"),
    "the end of time": ("t = 1", "u = 0"),
    "too many ends": ("x = 1", "u_x = 0"),
}


@pytest.mark.parametrize("name", MORE)
def test_conditions_too_many_are_refused(name: str, snapshot: SnapshotAssertion) -> None:
    """A problem that was not read from a spec, which would have been refused already."""
    face, equation = MORE[name]
    stated = problem(
        HEAT.format(equation="u_t = u_xx", initial="u = x", where="boundary", ends="u = 0")
    )
    with pytest.raises(ReferenceRefusedError) as caught:
        Evolution(with_condition(stated, face, equation))
    assert str(caught.value) == snapshot


def with_condition(stated: Problem, name: str, equation: str) -> Problem:
    faces = tuple(face for face in stated.domain.faces if face.name == name)
    tree = resolve(
        parse_equation(equation),
        Scope(
            coordinates=stated.domain.coordinates, unknowns=stated.unknowns, constants={}, time="t"
        ),
    )
    term = Term(
        name="more",
        kind="condition",
        residuals=(tree,),
        region=OnFaces(faces=faces, n_points=1, sampler="uniform"),
        weight=1.0,
    )
    return replace(stated, terms=(*stated.terms, term))


def test_initial_conditions_that_contradict_each_other_are_refused(
    snapshot: SnapshotAssertion,
) -> None:
    stated = with_condition(problem(CLOSED_FORMS["oscillator"][0]), "t = 1", "q = 2")
    with pytest.raises(ReferenceRefusedError) as caught:
        Evolution(stated).evaluate(np.array([[2.0]]))
    assert str(caught.value) == snapshot


def test_two_coordinates_of_space_are_refused() -> None:
    text = """
    coordinates: {x: [0, 1], y: [0, 1], t: [0, 1]}
    unknowns: [u]
    equations: {heat: u_t = laplacian(u)}
    conditions:
      initial: {where: t = 0, equation: u = 0}
      ends: {where: boundary, equation: u = 0}
    """
    with pytest.raises(ReferenceRefusedError) as caught:
        Evolution(problem(text))
    assert (
        str(caught.value) == APPLIES + "there are 2 coordinates of space, and it knows one at most"
    )


UNSOLVABLE = {
    "blow-up": ["u_t = u**2", "u = 2"],
    "not finite": ["u_t = u", "u = log(t - 1 - u**2)"],
}


@pytest.mark.parametrize("name", UNSOLVABLE)
def test_what_has_no_solution_is_refused(name: str, snapshot: SnapshotAssertion) -> None:
    equation, initial = UNSOLVABLE[name]
    stated = problem(
        f"""
        coordinates: {{t: [0, 1]}}
        unknowns: [u]
        equations: {{growth: "{equation}"}}
        conditions:
          start: {{where: t = 0, equation: {initial}}}
        """
    )
    with pytest.raises(ReferenceRefusedError) as caught:
        Evolution(stated).evaluate(np.array([[0.5]]))
    assert str(caught.value) == snapshot


def test_a_condition_at_the_wrong_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the flow leaves, a value cannot be prescribed: nothing settles."""
    monkeypatch.setattr("laaf_cli.references.evolution.evolution.MOST_WORK", 1e9)
    text = CLOSED_FORMS["advection with inflow"][0].replace("x = 3, equation", "x = 7, equation")
    with pytest.raises(
        ReferenceRefusedError,
        match="^the spectral solution in time (was not found|does not settle)",
    ):
        Evolution(problem(text)).evaluate(np.array([[5.0, 2.5]]))


def test_no_two_accuracies_share_a_circle() -> None:
    """The points grow from different first numbers, and no number is reached from two of them."""
    reached = []
    for accuracy in ACCURACIES:
        mesh = Mesh((0.0, 1.0), accuracy.n_circle, is_circle=True)
        while mesh.n_points < 500:
            reached.append(mesh.n_points)
            mesh = mesh.refined(np.array([True]))
    assert len(reached) == len(set(reached))


def dose(t: np.ndarray, middle: float, half: float) -> np.ndarray:
    """u' = −0.3 u + f, u(0) = 10, where f = 50/half from middle − half to middle + half, and 0 elsewhere."""
    since = [np.maximum(t - middle + half, 0), np.maximum(t - middle - half, 0)]
    return 10 * np.exp(-0.3 * t) + 50 / half / 0.3 * (
        np.exp(-0.3 * since[1]) - np.exp(-0.3 * since[0])
    )


def gauss(t: np.ndarray, width: float) -> np.ndarray:
    """The integral of exp(−((t − 0.6)/width)²)/width from 0."""
    return math.sqrt(math.pi) / 2 * (erf((t - 0.6) / width) + erf(0.6 / width))


PULSE = "exp(-((t - 0.6)/{0})**2)/{0}"
SHORT: dict[str, tuple[tuple[str, float, float], Exact]] = {
    "a window": (
        ("-0.3*u + where(abs(t - 24.04) < 0.25, 200, 0)", 48, 10),
        lambda t: dose(t, 24.04, 0.25),
    ),
    "a window of two conditions": (
        ("-0.3*u + where(t > 24.04 - 1e-6 and t <= 24.04 + 1e-6, 5e7, 0)", 48, 10),
        lambda t: dose(t, 24.04, 1e-6),
    ),
    "a window whose sides touch 0": (
        ("-0.3*u + where((t - 24.04)**2 < 1e-6, 5e4, 0)", 48, 10),
        lambda t: dose(t, 24.04, 1e-3),
    ),
    "a pulse from zero": (("-u + u + " + PULSE.format(0.02), 1, 0), lambda t: gauss(t, 0.02)),
    "a shorter pulse from zero": ((PULSE.format(0.005), 1, 0), lambda t: gauss(t, 0.005)),
    "a very short pulse": ((PULSE.format(1e-6), 1, 0.1), lambda t: 0.1 + gauss(t, 1e-6)),
    "a pulse that the solution shapes": (
        ("exp(-((t - 0.6)/0.0001)**2*(1 + u - u))*1e4", 1, 0.1),
        lambda t: 0.1 + gauss(t, 1e-4),
    ),
    "a large wide pulse and a short one": (
        ("1e3*cos(t) + exp(-((t - 0.6)/0.0001)**2)", 1, 0),
        lambda t: 1e3 * np.sin(t) + 1e-4 * gauss(t, 1e-4),
    ),
    "a square wave": (
        ("where(sin(20*t) > 0, 1, -1)", 1.2, 0),
        lambda t: np.arccos(np.cos(20 * t)) / 20,
    ),
    "stairs": (("floor(5*t)", 1, 0), lambda t: np.floor(5 * t) * (t - 0.1 * (np.floor(5 * t) + 1))),
}


@pytest.mark.parametrize("name", SHORT)
def test_nothing_short_is_stepped_over(name: str) -> None:
    (rate, end, start), exact = SHORT[name]
    stated = problem(
        f"""
        coordinates: {{t: [0, {end}]}}
        unknowns: [u]
        equations: {{balance: "u_t = {rate}"}}
        conditions:
          start: {{where: t = 0, equation: u = {start}}}
        """
    )
    times = np.linspace(0, end, 500)[:, None]
    values = Evolution(stated).evaluate(times)
    error, size = (
        float(np.max(np.abs(v)))
        for v in (values.fields["u"] - exact(times[:, 0]), values.fields["u"])
    )
    assert error < 1e-8 * size
    assert error <= 10 * values.error_estimate < 1e-7 * size


def test_a_force_that_sets_in() -> None:
    stated = problem(
        """
        coordinates: {t: [0, 5]}
        unknowns: [u]
        equations: {motion: "u_tt + u = where(t < 2, 0, 1)"}
        conditions:
          start: {where: t = 0, equation: [u = 0, u_t = 1]}
        """
    )
    t = np.linspace(0, 5, 400)
    values = Evolution(stated).evaluate(t[:, None])
    error = float(
        np.max(np.abs(values.fields["u"] - np.sin(t) - np.where(t < 2, 0, 1 - np.cos(t - 2))))
    )
    assert error < 1e-8
    assert error <= 10 * values.error_estimate < 1e-7


@pytest.mark.parametrize("shape", ["1", "cos(pi*x)"])
def test_short_heating(shape: str) -> None:
    """u = 0.1 + shape(x) ∫₀ᵗ e^(−k (t − s)) f(s) ds, where k is the rate at which the shape decays."""
    stated = problem(
        f"""
        coordinates: {{x: [0, 1], t: [0, 1]}}
        unknowns: [u]
        equations: {{heat: "u_t = 0.1*u_xx + {shape}*exp(-((t - 0.6)/0.003)**2)/0.003"}}
        conditions:
          initial: {{where: t = 0, equation: u = 0.1}}
          walls: {{where: [x = 0, x = 1], equation: u_x = 0}}
        """
    )
    points = places(stated, 400)
    x, t = points.T
    k, s = (0.1 * math.pi**2, 0.003) if shape.startswith("cos") else (0.0, 0.003)
    grown = (
        math.sqrt(math.pi)
        / 2
        * (erf((t - 0.6) / s - k * s / 2) + 1)
        * np.exp(k * (0.6 - t) + (k * s / 2) ** 2)
    )
    exact = 0.1 + grown * (np.cos(math.pi * x) if k else 1)
    values = Evolution(stated).evaluate(points)
    error = float(np.max(np.abs(values.fields["u"] - exact)))
    assert error < 1e-8
    assert error <= 10 * values.error_estimate < 1e-6


def test_branches_that_change_too_often_are_refused() -> None:
    stated = problem(
        """
        coordinates: {t: [0, 3]}
        unknowns: [u]
        equations: {balance: "u_t = where(sin(5000*t) > 0, 1, 0)"}
        conditions:
          start: {where: t = 0, equation: u = 0}
        """
    )
    with pytest.raises(ReferenceRefusedError) as caught:
        Evolution(stated).evaluate(np.array([[1.0]]))
    assert str(caught.value).startswith("the equations change their branch at ")


def test_work_does_not_depend_on_the_machine() -> None:
    """The same operations are counted each time, and their limit, not the clock, ends the search."""
    form = read_evolution(problem(CLOSED_FORMS["oscillator"][0]))
    first, again = converged(form, 1e12), converged(form, 1e12)
    assert [solution.work for solution in first] == [solution.work for solution in again]
    assert first[0].work > 0
    with pytest.raises(ReferenceRefusedError) as caught:
        converged(form, first[0].work / 100)
    assert str(caught.value).startswith(
        "the spectral solution in time was not found within the work of "
    )


def test_breaks_of_any_width() -> None:
    scope = Scope(coordinates=("t",), unknowns=("u",), constants={}, time="t")
    tree = resolve(
        parse_equation("u = where(abs(t - 0.3) < 1e-7, 1, 0) + floor(2*t) + max(t, 0.9)"), scope
    )
    found = branch_breaks([tree], "t", 0.0, 1.0)
    np.testing.assert_allclose(found, [0.3 - 1e-7, 0.3 + 1e-7, 0.5, 0.9], rtol=0, atol=1e-14)


@pytest.mark.parametrize("condition", ["t < 0", "t >= 0", "t**3 > 0", "3*t < 0.3", "t > 1e-200"])
@pytest.mark.parametrize("lower", [-2.5, -1.0, -0.7])
def test_a_break_is_the_first_float_of_its_branch(condition: str, lower: float) -> None:
    scope = Scope(coordinates=("t",), unknowns=("u",), constants={}, time="t")
    tree = resolve(parse_equation(f"u = where({condition}, 1, 0)"), scope)
    (place,) = branch_breaks([tree], "t", lower, 3.0)
    (switch,) = switches(tree)
    below, at = evaluate(switch, {"t": np.array([np.nextafter(place, -1.0), place])}, {}, NUMPY)
    assert below != at


def test_a_wave_comes_back_from_where_it_is_faster() -> None:
    """A third of it, with the other sign; the speed changes at what rounding makes two places."""
    form = read_evolution(
        problem(
            """
coordinates: {x: [-2.5, 2.5], t: [0, 1.2]}
unknowns: [u]
equations: {wave: "u_tt = D((where(x < 0, 1, 0) + where(x + 0.3 < 0.3, 0, 4))*u_x, x)"}
conditions:
  start: {where: t = 0, equation: ["u = exp(-((x + 0.8)/0.2)**2)", u_t = 0]}
  ends: {where: boundary, equation: u = 0}
"""
        )
    )
    solution = solve(form, TimeEvents(form), ACCURACIES[0], 1e12, Watch())
    back, through = solution.at(np.array([[-0.4, 1.2], [0.8, 1.2]]))[0]
    assert (back, through) == pytest.approx((-1 / 6, 1 / 3), abs=1e-4)


PEAKS = {
    "pulses": ("exp(-(sin(30*pi*t + 1)/1e-5)**2)", (np.arange(1, 31) - 1 / np.pi) / 30),
    "expanded": ("1/(t**2 - 0.6*t + 0.0900000001)", np.array([0.3])),
    "a power": ("exp(1e9*log(abs(sin(3*t))))", np.array([np.pi / 6])),
}


@pytest.mark.parametrize("name", PEAKS)
def test_steps_are_short_at_all_peaks(name: str) -> None:
    """Though they are many, or their formulas have no part that is zero there."""
    formula, places = PEAKS[name]
    spec = f"""
coordinates: {{t: [0, 1]}}
unknowns: [u]
equations: {{decay: "u_t + u = {formula}"}}
conditions: {{start: {{where: t = 0, equation: u = 0}}}}
"""
    schedule = TimeEvents(read_evolution(problem(spec))).schedule(1000)
    assert max(schedule.longest_from(place) for place in places) < 1e-4
    assert schedule.longest_from(0.45) > 1e-3


def test_a_pulse_between_the_nodes_of_a_circle_is_missed() -> None:
    narrow = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {around: u_t + u_x = 0}
conditions:
  start: {where: t = 0, equation: "u = exp(-((x - 0.51234)/1e-5)**2)"}
  ends: {periodic: x}
"""
    with pytest.raises(ReferenceRefusedError, match="the initial values hold something so narrow"):
        Evolution(problem(narrow)).evaluate(np.array([[0.5, 0.5]]))


BLACK_SCHOLES = """
coordinates: {x: [0.5, 2], t: [0.25, 1]}
unknowns: [u]
constants: {s: 0.4, r: 0.05}
equations: {price: "u_t + 0.5*s**2*x**2*u_xx + r*x*u_x - r*u = 0"}
conditions:
  expiry: {where: t = 1, equation: u = x**3}
  ends: {where: boundary, equation: "u = x**3*exp((2*r + 3*s**2)*(1 - t))"}
reference: spectral
"""


def test_a_price_is_solved_back_from_expiry() -> None:
    """x³ is worth x³ exp((2r + 3σ²)(T − t)) at t; a power claim (Black & Scholes 1973)."""
    plan = plan_of(BLACK_SCHOLES)
    assert plan.warnings == ()
    assert plan.reference is not None
    assert "Radau's method in time, back from t = 1; error" in plan.reference.method
    points = places(plan.problem)
    values = plan.reference.evaluate(points)
    x, t = points.T
    truth = x**3 * np.exp((2 * 0.05 + 3 * 0.4**2) * (1 - t))
    assert np.max(np.abs(values.fields["u"] - truth)) < 1e-8
    assert values.error_estimate < 1e-8


def test_an_adjoint_is_solved_back_from_its_end() -> None:
    """A system of different orders in time, with a source that depends on it, and time first."""
    plan = plan_of("""
coordinates: {t: [-1, 2], x: [0, 1]}
unknowns: [p, q]
equations:
  adjoint: p_t + 0.1*p_xx = (t - 0.1*pi**2)*exp(t**2/2 - 2)*sin(pi*x)
  wave: q_tt = q_xx
conditions:
  end: {where: t = 2, equation: [p = sin(pi*x), q = 0, q_t = pi*sin(pi*x)]}
  ends: {where: boundary, equation: [p = 0, q = 0]}
reference: spectral
""")
    assert plan.reference is not None
    points = places(plan.problem)
    fields = plan.reference.evaluate(points).fields
    t, x = points.T
    p = np.exp(t**2 / 2 - 2) * np.sin(np.pi * x)
    q = np.sin(np.pi * (t - 2)) * np.sin(np.pi * x)
    np.testing.assert_allclose(fields["p"], p, rtol=0, atol=1e-8)
    np.testing.assert_allclose(fields["q"], q, rtol=0, atol=1e-8)


def test_states_before_adjoints_are_refused() -> None:
    with pytest.raises(SpecError, match=r"'end' at t = 1 is not an initial condition"):
        plan_of("""
coordinates: {t: [0, 1]}
unknowns: [u, p]
equations: {state: u_t = -u + p, adjoint: p_t = p - u}
conditions:
  start: {where: t = 0, equation: u = 1}
  end: {where: t = 1, equation: p = 0}
reference: spectral
""")


def test_a_step_that_is_tried_again_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try may factorise large matrices, and there may be dozens."""
    form = read_evolution(
        plan_of(
            "coordinates: {t: [0, 1]}\nunknowns: [u]\nequations: {e: u_t = -u}\n"
            "conditions: {s: {where: t = 0, equation: u = 1}}\nreference: none\n"
        ).problem
    )
    n_tries = 0

    def never(_: Integrator) -> None:
        nonlocal n_tries
        n_tries += 1
        time.sleep(0.1)

    monkeypatch.setattr(Integrator, "_newton", never)
    with pytest.raises(OutOfTimeError):
        solve(
            form,
            TimeEvents(form),
            ACCURACIES[0],
            math.inf,
            Watch(deadline=time.perf_counter() + 0.15),
        )
    assert n_tries <= 2


def test_rounding_of_second_derivatives_is_nothing_narrow() -> None:
    """The residual of a nonlinear wave is larger than its error, everywhere and nowhere narrow."""
    text = """
coordinates: {x: [-1, 1], t: [0, 12]}
unknowns: [u]
equations: {e: u_tt - u_xx + u**2 = -x*cos(t) + x**2*cos(t)**2}
conditions:
  start: {where: t = 0, equation: [u = x, u_t = 0]}
  ends: {where: boundary, equation: u = x*cos(t)}
"""
    solution = converged(read_evolution(problem(text)), 2e11)[1]
    assert missed(solution) < 1e-9
