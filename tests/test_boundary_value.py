"""The referee for problems without time: closed forms, observed orders, honest estimates, refusals."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from conftest import plan_of
from scipy.optimize import brentq
from syrupy.assertion import SnapshotAssertion

from laaf_cli.expression import Call, Node, Scope, Symbol, nodes, parse, resolve
from laaf_cli.problem import Problem, grid_points
from laaf_cli.references import ClosedForm, ReferenceRefusedError, probes
from laaf_cli.references.stationary import refinement
from laaf_cli.references.stationary.boundary_value import BoundaryValue
from laaf_cli.references.stationary.discretisation import Discretisation, residuals_of
from laaf_cli.references.stationary.gauss_newton import solve
from laaf_cli.references.stationary.modes import ChebyshevModes, make_modes
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import bundled

Exact = Callable[..., np.ndarray]


def problem_of(text: str) -> Problem:
    return plan_of(f"{text}\nreference: none\n").problem


@dataclass(frozen=True)
class Case:
    """A problem in one unknown, as texts of a spec, with its closed form."""

    coordinates: str
    equation: str
    conditions: str
    exact: Exact
    more: str = ""

    @property
    def problem(self) -> Problem:
        return problem_of(
            f"coordinates: {self.coordinates}\nunknowns: [u]\nequations: {{e: '{self.equation}'}}\n"
            f"conditions: {{{self.conditions}}}\n{self.more}"
        )


def scattered(problem: Problem, n: int = 500) -> np.ndarray:
    domain = problem.domain
    return np.random.default_rng(0).uniform(domain.lower, domain.upper, (n, domain.dimension))


def bratu(strength: float) -> Exact:
    """The lower of both solutions of u″ + λeᵘ = 0, u(0) = u(1) = 0 (Ascher, Mattheij & Russell 1995, 3.1.3)."""
    theta = brentq(lambda a: a - math.sqrt(2 * strength) * math.cosh(a / 4), 0, 4.5, xtol=1e-15)
    return lambda x: -2 * np.log(np.cosh((x - 0.5) * theta / 2) / np.cosh(theta / 4))


def product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sin(x) * np.cos(y)


UNIT = "{x: [0, 1], y: [0, 1]}"
MOVED = "{x: [3, 5], y: [-20, -19]}"
WAVY = "exp(sin(2*pi*x))*sin(2*pi*y)"
WAVY_SOURCE = f"{WAVY}*(4*pi**2*(cos(2*pi*x)**2 - sin(2*pi*x) - 1) - 1)"
HINGED = "a: {where: [x = 0, x = 1], equation: [u = 0, u_xx = 0]}, b: {where: [y = 0, y = 1], equation: [u = 0, u_yy = 0]}"
CLAMPED_LOAD = (
    "8*pi**4*(cos(2*pi*x)*cos(2*pi*y) - cos(2*pi*x)*sin(pi*y)**2 - sin(pi*x)**2*cos(2*pi*y))"
)

CASES = {
    "poisson-1d": Case("{x: [0, 1]}", "u_xx = -pi**2*sin(pi*x)", "w: {where: boundary, equation: u = 0}", lambda x: np.sin(np.pi * x)),
    "many waves": Case("{x: [-20, -19]}", "u_xx = -(10*pi)**2*sin(10*pi*x)", "w: {where: boundary, equation: u = 0}", lambda x: np.sin(10 * np.pi * x)),
    "poisson": Case(UNIT, "laplacian(u) = -2*pi**2*sin(pi*x)*sin(pi*y)", "w: {where: boundary, equation: u = 0}", lambda x, y: np.sin(np.pi * x) * np.sin(np.pi * y)),
    "poisson, moved": Case(MOVED, "u_xx + u_yy = -2*sin(x)*cos(y)", "w: {where: boundary, equation: u = sin(x)*cos(y)}", product),
    "helmholtz": Case(UNIT, "u_xx + u_yy + 100*u = (100 - 5*pi**2)*sin(pi*x)*sin(2*pi*y)", "w: {where: boundary, equation: u = 0}", lambda x, y: np.sin(np.pi * x) * np.sin(2 * np.pi * y)),
    "variable coefficient": Case("{x: [3, 5]}", "D((1 + x**2)*u_x, x) + u = (2 + 2*x + x**2)*exp(x)", "w: {where: boundary, equation: u = exp(x)}", np.exp),
    "mixed derivative": Case(MOVED, "2*u_xx + u_xy + u_yy = -3*sin(x)*cos(y) - cos(x)*sin(y)", "w: {where: boundary, equation: u = sin(x)*cos(y)}", product),
    "robin": Case("{x: [3, 5]}", "u_xx = exp(x)", "a: {where: x = 3, equation: u + 2*u_x = 3*exp(3)}, b: {where: x = 5, equation: u_x = exp(5)}", np.exp),
    "normal": Case(UNIT, "u_xx + u_yy = -2*cos(x)*cos(y)", "a: {where: [x = 0, y = 0], equation: u_n = 0}, b: {where: x = 1, equation: u_n = -sin(1)*cos(y)}, c: {where: y = 1, equation: u = cos(x)*cos(1)}", lambda x, y: np.cos(x) * np.cos(y)),
    "oblique": Case(UNIT, "u_xx + u_yy = -2*sin(x)*cos(y)", "a: {where: x = 0, equation: u_x + u_y + u = cos(y)}, b: {where: [x = 1, y = 0, y = 1], equation: u = sin(x)*cos(y)}", product),
    "part of a face": Case(UNIT, "u_xx + u_yy = -2*sin(x)*cos(y)", "a: {where: y = 0, only: x < 0.4, equation: u = sin(x)}, b: {where: y = 0, only: x >= 0.4, equation: u_n = 0}, c: {where: [x = 0, x = 1, y = 1], equation: u = sin(x)*cos(y)}", product),
    "pinned": Case(UNIT, "u_xx + u_yy = -2*pi**2*cos(pi*x)*cos(pi*y)", "a: {where: boundary, equation: u_n = 0}, b: {at: {x: 0, y: 0}, equation: u = 1}", lambda x, y: np.cos(np.pi * x) * np.cos(np.pi * y)),
    "integral": Case(UNIT, "u_xx + u_yy = -2*pi**2*cos(pi*x)*cos(pi*y)", "a: {where: boundary, equation: u_n = 0}, b: {integral: u, equals: 3}", lambda x, y: 3 + np.cos(np.pi * x) * np.cos(np.pi * y)),
    "integral of a line": Case("{x: [1, 3]}", "u_xx = 6*x", "a: {where: x = 1, equation: u = 1}, b: {integral: u, equals: 20}", lambda x: x**3),
    "nonlinear integral": Case("{x: [1, 3]}", "u_xx = 0", "a: {where: x = 1, equation: u = 1}, b: {integral: u**2, equals: 26/3}", lambda x: x),
    "beam": Case("{x: [-20, -19]}", "u_xxxx = 24", "a: {where: x = -20, equation: [u = 0, u_x = 0]}, b: {where: x = -19, equation: [u_xx = 0, u_xxx = 0]}", lambda x: (x + 20) ** 4 - 4 * (x + 20) ** 3 + 6 * (x + 20) ** 2),
    "hinged plate": Case(UNIT, "u_xxxx + 2*u_xxyy + u_yyyy = 4*pi**4*sin(pi*x)*sin(pi*y)", HINGED, lambda x, y: np.sin(np.pi * x) * np.sin(np.pi * y)),
    "clamped plate": Case(UNIT, f"laplacian(laplacian(u)) = {CLAMPED_LOAD}", "w: {where: boundary, equation: [u = 0, u_n = 0]}", lambda x, y: (np.sin(np.pi * x) * np.sin(np.pi * y)) ** 2),
    "periodic": Case(UNIT, f"u_xx + u_yy - u = {WAVY_SOURCE}", "a: {where: [y = 0, y = 1], equation: u = 0}", lambda x, y: np.exp(np.sin(2 * np.pi * x)) * np.sin(2 * np.pi * y), "periodic: {x: true}"),
    "periodic on a line": Case("{x: [1, 1 + 2*pi]}", "u_xx - u = exp(sin(x))*(cos(x)**2 - sin(x) - 1)", "", lambda x: np.exp(np.sin(x)), "periodic: {x: true}"),
    "periodic pair": Case("{x: [2, 4]}", "u_xx - u = -(1 + pi**2)*cos(pi*x)", "a: {periodic: x, equation: [u, u_x]}", lambda x: np.cos(np.pi * x)),
    "bratu": Case("{x: [0, 1]}", "u_xx + 3*exp(u) = 0", "w: {where: boundary, equation: u = 0}", bratu(3.0)),
    "cubic": Case("{x: [0, 1]}", "u_xx = 2*u**3", "a: {where: x = 0, equation: u = 1}, b: {where: x = 1, equation: u = 0.5}", lambda x: 1 / (1 + x)),
    "nonlinear condition": Case("{x: [0, 1]}", "u_xx = u", "a: {where: x = 0, equation: u*u_x = 1}, b: {where: x = 1, equation: u_x = exp(1)}", np.exp),
    "logarithm": Case("{x: [1, 2]}", "u*u_xx + u*log(u) = u*x + u**2", "a: {where: x = 1, equation: u = exp(1)}, b: {where: x = 2, equation: u = exp(2)}", np.exp),
    "square": Case("{x: [0, 2], y: [-1, 1]}", "u_xx + u_yy = u**2 - 2*sin(x)*cos(y) - (sin(x)*cos(y))**2", "w: {where: boundary, equation: u = sin(x)*cos(y)}", product),
    "minimal surface": Case("{x: [-0.5, 0.7], y: [0, 1]}", "(1 + u_y**2)*u_xx - 2*u_x*u_y*u_xy + (1 + u_x**2)*u_yy = 0", "w: {where: boundary, equation: u = log(cos(y)/cos(x))}", lambda x, y: np.log(np.cos(y) / np.cos(x))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_closed_forms(name: str) -> None:
    problem = CASES[name].problem
    points = scattered(problem)
    reference = BoundaryValue(problem)
    found = reference.evaluate(points)
    exact = CASES[name].exact(*points.T)
    error, scale = np.abs(found.fields["u"] - exact).max(), np.abs(exact).max()
    assert error < 1e-10 * scale
    assert error <= found.error_estimate < 1e-9 * scale
    assert reference._level is not None
    finest = {1: 128, 2: 33**2}[problem.domain.dimension]
    assert reference._level.discretisation.n_coefficients <= finest, (
        "finer ones cost far more, and add nothing"
    )


def kovasznay(pressure: str) -> Problem:
    return problem_of(f"""
coordinates: {{x: [-0.25, 0.25], y: [-0.25, 0.25]}}
unknowns: [u, v, p]
constants: {{nu: 1/20, rate: 10 - sqrt(100 + 4*pi**2)}}
equations:
  along: u*u_x + v*u_y + p_x = nu*laplacian(u)
  across: u*v_x + v*v_y + p_y = nu*laplacian(v)
  mass: u_x + v_y = 0
conditions:
  rim: {{where: boundary, equation: [u = 1 - exp(rate*x)*cos(2*pi*y), v = rate/(2*pi)*exp(rate*x)*sin(2*pi*y)]}}
  {pressure}
""")


def test_kovasznay_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three unknowns, of which one stands in no condition but that at a point (Kovasznay 1948)."""
    monkeypatch.setitem(refinement.LEVELS, 2, (8, 12, 16))
    problem = kovasznay("level: {at: {x: 0, y: 0}, equation: p = 0}")
    points = scattered(problem)
    found = BoundaryValue(problem).evaluate(points)
    (x, y), rate = points.T, 10 - math.sqrt(100 + 4 * math.pi**2)
    exact = {
        "u": 1 - np.exp(rate * x) * np.cos(2 * np.pi * y),
        "v": rate / (2 * np.pi) * np.exp(rate * x) * np.sin(2 * np.pi * y),
        "p": (1 - np.exp(2 * rate * x)) / 2,
    }
    for name, values in exact.items():
        np.testing.assert_allclose(found.fields[name], values, rtol=0, atol=1e-11)
    assert found.error_estimate < 1e-8


def test_systems_of_first_order() -> None:
    problem = problem_of("""
coordinates: {x: [3, 4]}
unknowns: [u, flux]
equations: {law: flux = exp(-x)*u_x, balance: "flux_x = 1"}
conditions: {left: {where: x = 3, equation: u = 0}, right: {where: x = 4, equation: flux = 1}}
""")
    x = np.linspace(3, 4, 50)
    found = BoundaryValue(problem).evaluate(x[:, None]).fields
    np.testing.assert_allclose(found["flux"], x - 3, atol=1e-12)
    np.testing.assert_allclose(found["u"], (x - 4) * np.exp(x) + np.exp(3), atol=1e-12)


@pytest.mark.parametrize("name", ["poisson-1d", "poisson"])
def test_bundled_problems(name: str) -> None:
    problem = make_plan(bundled.find(name)).problem
    points = scattered(problem, 100)
    found, exact = (
        BoundaryValue(problem).evaluate(points),
        ClosedForm(problem).evaluate(points).fields["u"],
    )
    assert np.abs(found.fields["u"] - exact).max() <= found.error_estimate < 1e-9


@pytest.mark.parametrize(
    ("name", "per_four"), [("minimal surface", 20), ("poisson", 100), ("clamped plate", 10)]
)
def test_observed_order_is_spectral(name: str, per_four: float) -> None:
    """Each four modes more divide the error by a constant, and the least-squares residual falls with it."""
    problem, exact = CASES[name].problem, CASES[name].exact
    axes = problem.domain.grid((33, 33))
    grid = np.meshgrid(*axes, indexing="ij")
    errors, left = [], []
    for n in (8, 12, 16):
        discretisation = Discretisation(
            domain=problem.domain,
            unknowns=problem.unknowns,
            residuals=residuals_of(problem),
            breaks=((),) * problem.domain.dimension,
            probes=axes,
            n=n,
        )
        found = solve(discretisation, np.zeros(n * n))
        errors.append(
            np.abs(
                discretisation.values(found.coefficients, "u", (0, 0), axes) - exact(*grid)
            ).max()
        )
        left.append(found.residual)
    for values in (errors, left):
        assert values[1] < values[0] / per_four
        assert values[2] < values[1] / per_four


def torsion(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """−Δu = 1, u = 0 on the boundary of the unit square; u behaves as r² log r at the corners."""
    total = x * (1 - x) / 2
    for k in np.pi * np.arange(1, 800, 2):
        total = total - 4 / k**3 * np.sin(k * x) * (np.exp(-k * y) + np.exp(-k * (1 - y))) / (
            1 + np.exp(-k)
        )
    return total


@pytest.mark.parametrize("finest", [16, 24, 32])
def test_estimate_covers_what_corners_cost(finest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Case(
        UNIT, "u_xx + u_yy = -1", "w: {where: boundary, equation: u = 0}", torsion
    ).problem
    levels = tuple(n for n in refinement.LEVELS[2] if n <= finest)
    monkeypatch.setitem(refinement.LEVELS, 2, levels)
    points = grid_points(problem.domain.grid((41, 41)))
    found = BoundaryValue(problem).evaluate(points)
    error = np.abs(found.fields["u"] - torsion(*points.T)).max()
    assert error <= found.error_estimate < 50 * error
    assert error < 2 / finest**4


def kinked(x: np.ndarray) -> np.ndarray:
    """u″ = |x − 1/√2|, u = 0 at 0 and 1."""
    place = np.sqrt(0.5)
    return (np.abs(x - place) ** 3 - (1 - x) * place**3 - x * (1 - place) ** 3) / 6


def bent(x: np.ndarray) -> np.ndarray:
    """u″ = 1 below 0.3 and 1/4 above, u and u′ continuous, u = 0 at 0 and 1."""
    slope = -(0.3**2 / 2 + 0.3 * 0.7 + 0.7**2 / 8)
    above = np.maximum(x - 0.3, 0)
    below = np.minimum(x, 0.3)
    return slope * x + below**2 / 2 + 0.3 * above + above**2 / 8


def three_layers(x: np.ndarray) -> np.ndarray:
    """(k u′)′ = 0 with k = 1, 100, 7 between 0, 1/3, 0.334 and 1, u = 0 and 1 at the ends."""
    ends, k = [0, 1 / 3, 0.334, 1], [1, 100, 7]
    resistance = [np.clip(x, *ends[i : i + 2]) - ends[i] for i in range(3)]
    whole = sum((ends[i + 1] - ends[i]) / k[i] for i in range(3))
    return sum(part / k[i] for i, part in enumerate(resistance)) / whole


def loaded(x: np.ndarray) -> np.ndarray:
    """u⁗ = 1000 on 0.1 % of a cantilever of length 1, about 0.7."""
    power = lambda z, n: np.maximum(z, 0) ** n  # noqa: E731
    load = 1000 * (power(x - 0.6995, 4) - power(x - 0.7005, 4)) / 24
    return load - x**3 / 6 + 0.7 * x**2 / 2


BROKEN = {
    "kink in the source": ("u_xx = abs(x - sqrt(0.5))", "w: {where: boundary, equation: u = 0}", kinked),
    "jump in a coefficient": ("where(x < 0.3, 1, 4)*u_xx = 1", "w: {where: boundary, equation: u = 0}", bent),
    "three layers": (
        "D(where(x < 1/3, 1, where(x < 0.334, 100, 7))*u_x, x) = 0",
        "a: {where: x = 0, equation: u = 0}, b: {where: x = 1, equation: u = 1}", three_layers,
    ),
    "load on a thousandth": (
        "u_xxxx = where(abs(x - 0.7) < 0.0005, 1000, 0)",
        "a: {where: x = 0, equation: [u = 0, u_x = 0]}, b: {where: x = 1, equation: [u_xx = 0, u_xxx = 0]}", loaded,
    ),
    "jump of a second derivative": (
        "D(where(x < 0.3, 1, 4)*u_xx, x, x) = 0",
        "a: {where: x = 0, equation: [u = 0, u_x = 0]}, b: {where: x = 1, equation: [u_xx = 0.25, u_xxx = 0]}",
        lambda x: np.where(x < 0.3, x**2 / 2, 0.045 + 0.3 * (x - 0.3) + (x - 0.3) ** 2 / 8),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_breaks_are_ends_of_elements(name: str) -> None:
    """Whatever the width of a branch, the error is that of rounding."""
    equation, conditions, exact = BROKEN[name]
    problem = Case("{x: [0, 1]}", equation, conditions, exact).problem
    x = np.linspace(0, 1, 1001)
    found = BoundaryValue(problem).evaluate(x[:, None])
    error, scale = np.abs(found.fields["u"] - exact(x)).max(), np.abs(exact(x)).max()
    assert error < 1e-11
    assert error / 3 <= found.error_estimates["u"] < 1e-11 * scale


def test_estimates_are_those_of_each_unknown() -> None:
    """A temperature of 509 is right to rounding, whatever a flux of 2.5e8 beside it is."""
    problem = problem_of("""
coordinates: {x: [0, 1], y: [0, 2]}
unknowns: [T]
equations: {conduction: "D(where(y < 1, 1.2e6, 3.8e8)*T_x, x) + D(where(y < 1, 1.2e6, 3.8e8)*T_y, y) = 0"}
conditions:
  bottom: {where: y = 0, equation: T = 300}
  top: {where: y = 2, equation: 3.8e8*T_y = 2.5e8}
  sides: {where: [x = 0, x = 1], equation: T_x = 0}
""")
    points = scattered(problem)
    y = points[:, 1]
    exact = {"T": 300 + 250 * np.minimum(y, 1) / 1.2 + 250 / 380 * np.maximum(y - 1, 0)}
    exact["flux"] = np.full_like(y, 2.5e8)
    found = BoundaryValue(problem).evaluate(points)
    for name, estimate in found.error_estimates.items():
        error, scale = np.abs(found.fields[name] - exact[name]).max(), np.abs(exact[name]).max()
        assert error <= estimate < 1e-9 * scale, name
    assert found.error_estimates["T"] < 1e-12 * 509
    assert found.error_estimate == found.error_estimates["flux"]


def test_breaks_in_other_units() -> None:
    """Kilometres and megapascals: the same digits."""
    problem = Case(
        "{x: [2000, 3000]}",
        "D(where(x < 2300, 1e6, 4e6)*u_x, x) = 0",
        "a: {where: x = 2000, equation: u = 300}, b: {where: x = 3000, equation: u = 1200}",
        np.exp,
    ).problem
    x = np.linspace(2000, 3000, 501)
    found = BoundaryValue(problem).evaluate(x[:, None])
    passed = np.minimum(x - 2000, 300) + np.maximum(x - 2300, 0) / 4
    assert np.abs(found.fields["u"] - 300 - 900 * passed / 475).max() < 1e-9


@pytest.mark.parametrize("is_periodic", [False, True])
def test_layers_in_two_dimensions(is_periodic: bool) -> None:
    """Copper on glass; sides that are insulated, or the same."""
    sides = "s: {where: [x = 0, x = 1], equation: u_x = 0}, " if not is_periodic else ""
    problem = Case(
        "{x: [0, 1], y: [0, 2]}" + ("\nperiodic: {x: true}" if is_periodic else ""),
        "D(where(y < 1, 1.2, 380)*u_x, x) + D(where(y < 1, 1.2, 380)*u_y, y) = 0",
        f"{sides}a: {{where: y = 0, equation: u = 300}}, b: {{where: y = 2, equation: 380*u_y = 250}}",
        np.exp,
    ).problem
    points = scattered(problem)
    found = BoundaryValue(problem).evaluate(points)
    y = points[:, 1]
    exact = 300 + 250 * np.minimum(y, 1) / 1.2 + 250 * np.maximum(y - 1, 0) / 380
    assert np.abs(found.fields["u"] - exact).max() < 1e-9


def test_wave_through_an_interface_in_two_dimensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """div(k ∇u) = 0 with k = 1 below x = 0.4 and 3 above, and a solution that bends there."""
    k, c = 3.0, np.pi
    # u = sinh(cx) below; matched in u and k u_x above.
    s, h = np.sinh(c * 0.4), np.cosh(c * 0.4)

    def exact(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        z = c * (x - 0.4)
        return np.sin(c * y) * np.where(
            x < 0.4, np.sinh(c * x), s * np.cosh(z) + h / k * np.sinh(z)
        )

    top = float(exact(np.array(1.0), np.array(0.5)))
    problem = Case(
        UNIT,
        "D(where(x < 0.4, 1, 3)*u_x, x) + D(where(x < 0.4, 1, 3)*u_y, y) = 0",
        "a: {where: [x = 0, y = 0, y = 1], equation: u = 0}, "
        f"b: {{where: x = 1, equation: u = {top!r}*sin(pi*y)}}",
        exact,
    ).problem
    points = scattered(problem)
    monkeypatch.setitem(refinement.LEVELS, 2, (8, 12, 16))
    found = BoundaryValue(problem).evaluate(points)
    error = np.abs(found.fields["u"] - exact(*points.T)).max()
    assert error <= found.error_estimate < 1e-6


@pytest.mark.parametrize("alpha", [0.05, 0.95])
def test_inverse_poisson_forward(alpha: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its boundary values do not fit its equation in the corners; two resolutions agree as far as they say."""
    problem = Case(
        "{x: [-1/sqrt(2), 1/sqrt(2)], y: [-1/sqrt(2), 1/sqrt(2)]}",
        f"D((1 + {alpha}*x)*u_x, x) + D((1 + {alpha}*x)*u_y, y) + x + y = 0",
        "w: {where: boundary, equation: u = cos(pi*x)*cos(pi*y)}",
        np.exp,
    ).problem
    points = scattered(problem)
    found = []
    for levels in ((8, 12, 16, 24), (8, 12, 16, 24, 32)):
        monkeypatch.setitem(refinement.LEVELS, 2, levels)
        found.append(BoundaryValue(problem).evaluate(points))
    change = np.abs(found[0].fields["u"] - found[1].fields["u"]).max()
    assert change <= found[0].error_estimate
    assert found[1].error_estimate < 1e-3


def test_narrow_peak_is_not_overlooked() -> None:
    """Two coarse resolutions see nothing of it and agree on u = 0."""

    def exact(x: np.ndarray) -> np.ndarray:
        return np.exp(-2e4 * (x - 0.47) ** 2)

    source = "exp(-2e4*(x - 0.47)**2)*((4e4*(x - 0.47))**2 - 4e4)"
    problem = Case(
        "{x: [0, 1]}", f"u_xx = {source}", "w: {where: boundary, equation: u = 0}", exact
    ).problem
    x = np.linspace(0, 1, 1001)
    found = BoundaryValue(problem).evaluate(x[:, None])
    assert np.abs(found.fields["u"] - exact(x)).max() < 1e-9


REFUSED = {
    "one end alone": ("{x: [0, 1]}", "u_xx = 1", "w: {where: x = 0, equation: u = 0}"),
    "three sides": (UNIT, "u_xx + u_yy = 1", "w: {where: [x = 0, x = 1, y = 0], equation: u = 0}"),
    "resonance": ("{x: [0, 1]}", "u_xx + pi**2*u = 1", "w: {where: boundary, equation: u = 0}"),
    "nonlinear, no level": ("{x: [0, 1]}", "u*u_xx + u_x**2 = 0", "w: {where: boundary, equation: u_x = 0}"),
    "two values": ("{x: [0, 1]}", "u_xx = 1", "w: {where: boundary, equation: u = 0}, a: {at: {x: 0}, equation: u = 1}"),
    "slightly two values": ("{x: [0, 1]}", "u_xx = 1", "w: {where: boundary, equation: u = 0}, a: {at: {x: 0}, equation: u = 2e-4}"),
    "flux that does not fit": ("{x: [0, 1]}", "u_xx = 1", "w: {where: boundary, equation: u_n = 0}, a: {at: {x: 0}, equation: u = 1}"),
    "jump in the data": (UNIT, "u_xx + u_yy = 0", "a: {where: [x = 0, x = 1, y = 0], equation: u = 0}, b: {where: y = 1, equation: u = 1}"),
    "no solution": ("{x: [0, 1]}", "u_xx + 5*exp(u) = 0", "w: {where: boundary, equation: u = 0}"),
    "many elements": (UNIT, "u_xx + u_yy = floor(9*x)*floor(9*y)", "w: {where: boundary, equation: u = 0}"),
    "not finite": ("{x: [0, 1]}", "u_xx = log(x - 0.5 - u**2)", "w: {where: boundary, equation: u = 0}"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    monkeypatch.setitem(refinement.LEVELS, 2, (8, 12, 16, 24))
    problem = Case(*REFUSED[name], np.exp).problem
    with pytest.raises(ReferenceRefusedError) as refusal:
        BoundaryValue(problem).evaluate(scattered(problem, 3))
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize(
    "text",
    [
        "coordinates: {x: [0, 1], t: [0, 1]}\nunknowns: [u]\nequations: {e: u_t = u_xx}\n"
        "conditions: {w: {where: boundary, equation: u = 0}, s: {where: t = 0, equation: u = 0}}",
        "coordinates: {x: [0, 1], y: [0, 1], z: [0, 1]}\nunknowns: [u]\nequations: {e: laplacian(u) = 1}\n"
        "conditions: {w: {where: boundary, equation: u = 0}}",
        "coordinates: {x: [0, 1]}\nunknowns: [u]\ndata: {target: {u: sin(x)}, points: 9}",
        "coordinates: {x: [0, 1]}\nunknowns: [u, v]\nequations: {e: u_xx = v_xx}\n"
        "conditions: {w: {where: boundary, equation: [u = 0, v = 0]}}\n"
        "data: {target: {u: sin(x)}, points: 9}",
    ],
)
def test_forms_that_it_does_not_know(text: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ReferenceRefusedError) as refusal:
        BoundaryValue(problem_of(text))
    assert str(refusal.value) == snapshot


def test_python_functions_are_refused() -> None:
    problem = CASES["robin"].problem
    term = problem.terms[0]
    called = replace(term, residuals=(Call("source", (Symbol("x"),)),))
    with pytest.raises(
        ReferenceRefusedError, match="'e' calls 'source' of a Python module, and the derivatives of"
    ):
        BoundaryValue(replace(problem, terms=(called, *problem.terms[1:])))


def test_check_solves_nothing_and_sees_what_is_missing() -> None:
    fine = BoundaryValue(CASES["helmholtz"].problem)
    fine.check(CASES["helmholtz"].problem.domain)
    assert fine._level is None
    open_ = Case(UNIT, "x*u_x + y*u_y = u", "w: {where: x = 0, equation: u = 0}", product).problem
    with pytest.raises(ReferenceRefusedError, match="the conditions do not determine the solution"):
        BoundaryValue(open_).check(open_.domain)


FREE = "where: [x = 0, x = L], equation: [E*(u_x + nu*v_y) = 0, u_y + v_x = 0]"
HELD = {
    "all edges": "edge: {where: boundary, equation: [u = 0, v = 0]}",
    "one edge": "left: {where: x = 0, equation: [u = 0, v = 0]}, "
    f"right: {{{FREE.replace('[x = 0, x = L]', 'x = L')}}}",
    "two pins": f"ends: {{{FREE}}}, pin: {{at: {{x: 0, y: 0}}, equation: [u = 0, v = 0]}}, "
    "roller: {at: {x: L, y: 0}, equation: v = 0}",
    "one pin": f"ends: {{{FREE}}}, pin: {{at: {{x: 0, y: 0}}, equation: [u = 0, v = 0]}}",
}
"""What keeps a plate in place, with free edges around."""


@pytest.mark.parametrize(
    ("modulus", "length"), [("210e9", 0.2), ("210", 200), ("210e9", 2e-4)], ids=["Pa, m", "GPa, mm", "Pa, thin"]
)  # fmt: skip
@pytest.mark.parametrize("held", HELD)
def test_units_decide_nothing(modulus: str, length: float, held: str) -> None:
    """A plate in plane stress is determined in all units, or may turn in all of them.

    In pascals and metres the rows of its conditions are 1e17 times shorter than those of its equations.
    """
    sides = "" if held == "all edges" else ", sides: {where: [y = 0, y = L/2], equation: [v_y + nu*u_x = 0, u_y + v_x = 0]}"  # fmt: skip
    problem = problem_of(f"""
coordinates: {{x: [0, {length}], y: [0, {length / 2}]}}
unknowns: [u, v]
constants: {{E: {modulus}, nu: 0.3, L: {length}}}
equations:
  x: E/(1 - nu**2)*(u_xx + (1 - nu)/2*u_yy + (1 + nu)/2*v_xy) = 0
  y: E/(1 - nu**2)*(v_yy + (1 - nu)/2*v_xx + (1 + nu)/2*u_xy) = 0
conditions: {{{HELD[held]}{sides}}}
""")
    coarsest = replace(BoundaryValue(problem)._coarsest, n=12)
    found = solve(coarsest, np.zeros(coarsest.n_coefficients))
    if held == "one pin":
        assert found.reciprocal_condition < 1e-15
        with pytest.raises(ReferenceRefusedError, match="do not determine the solution"):
            BoundaryValue(problem).check(problem.domain)
    else:
        assert found.reciprocal_condition > 1e-6


def test_what_may_move_is_seen_beside_thin_elements() -> None:
    """A beam that nothing keeps from turning, with a load on a thousandth of it; a hinge at its other end holds it."""
    for more, is_determined in (("", False), (", b: {at: {x: 1}, equation: u = 0}", True)):
        problem = Case(
            "{x: [0, 1]}",
            "u_xxxx = where(abs(x - 0.7) < 0.0005, 1000, 0)",
            f"w: {{where: boundary, equation: u_xx = 0}}, a: {{at: {{x: 0}}, equation: u = 0}}{more}",
            np.exp,
        ).problem
        for n in (16, 64):
            discretisation = replace(BoundaryValue(problem)._coarsest, n=n)
            found = solve(discretisation, np.zeros(discretisation.n_coefficients))
            assert found.is_determined is is_determined


def test_what_vanishes_has_changed_altogether() -> None:
    """Without a warning of a division by zero; what was zero and is has not changed."""
    problem = CASES["poisson-1d"].problem
    coarsest = replace(BoundaryValue(problem)._coarsest, n=8)
    solution = solve(coarsest, np.zeros(coarsest.n_coefficients))
    for change, relative in ((0.1, np.inf), (0.0, 0.0)):
        level = refinement.Level(
            discretisation=coarsest,
            solution=solution,
            values=(np.zeros(3),),
            changes=np.array([change]),
        )
        assert level.relative_change == relative


def test_places_of_large_formulas_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest parts are looked at first, until there are enough."""
    looked_at: list[int] = []

    def counted(tree: Node, *_: object) -> set[float]:
        looked_at.append(len(list(nodes(tree))))
        return set()

    monkeypatch.setattr(probes, "turns", counted)
    trees = []
    for shift in (0.3, 0.6):
        text = f"sin(x - {shift})"
        for _ in range(25):
            text = f"sin({text} + x)"
        trees.append(resolve(parse(text), Scope(coordinates=("x",))))
    probes.turns_of_parts(trees, "x", 0, 1)
    assert looked_at == sorted(looked_at)
    assert len(looked_at) > 10
    assert sum(looked_at) <= probes.MOST_NODES


def test_elements_without_points_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A condition at a break of many elements is one of the modes on two of them."""
    modes = make_modes(0, 1, 8, breaks=tuple(np.linspace(0, 1, 33)[1:-1]), is_periodic=False)
    n_calls = 0
    values = ChebyshevModes.values

    def counted(self: ChebyshevModes, points: np.ndarray, order: int) -> np.ndarray:
        nonlocal n_calls
        n_calls += 1
        return values(self, points, order)

    monkeypatch.setattr(ChebyshevModes, "values", counted)
    found = modes.values(np.array([np.nextafter(0.5, 0), 0.5]), 1)
    assert n_calls == 2
    assert found.shape == (2, 32 * 8)
    np.testing.assert_array_equal(np.flatnonzero(found[0]), np.arange(15 * 8 + 1, 16 * 8))


def test_check_leaves_large_ones_to_solving(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan is made at once, however many elements there are."""
    problem = Case(
        UNIT,
        "u_xx + u_yy = floor(4*x)*floor(4*y)",
        "w: {where: boundary, equation: u = 0}",
        product,
    ).problem
    monkeypatch.setattr(Discretisation, "jacobian", lambda *_: pytest.fail("solved"))
    BoundaryValue(problem).check(problem.domain)


def test_grids_and_scattered_points_have_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values on a grid are made along its axes, others point by point; what was solved is kept, and pickles."""
    reference = BoundaryValue(CASES["poisson, moved"].problem)
    points = scattered(CASES["poisson, moved"].problem, 300)
    apart = reference.evaluate(points)
    again = pickle.loads(pickle.dumps(reference)).evaluate(np.repeat(points, 500, axis=0))  # noqa: S301 - our own
    np.testing.assert_allclose(again.fields["u"][::500], apart.fields["u"], rtol=0, atol=1e-14)
    assert again.error_estimate == apart.error_estimate
    grid = grid_points(CASES["poisson, moved"].problem.domain.grid((256, 256)))
    n_points: list[int] = []
    values = ChebyshevModes.values

    def counting(modes: ChebyshevModes, x: np.ndarray, order: int) -> np.ndarray:
        n_points.append(len(x))
        return values(modes, x, order)

    monkeypatch.setattr(ChebyshevModes, "values", counting)
    found = reference.evaluate(grid)
    np.testing.assert_allclose(found.fields["u"], product(*grid.T), rtol=0, atol=1e-12)
    assert n_points == [256, 256]
