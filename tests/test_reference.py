"""The referees: check values, quadrature, observed orders, on shifted and scaled domains too."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import plan_of
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from laaf_cli.errors import SpecError
from laaf_cli.problem import grid_points
from laaf_cli.references import HopfCole, Reference, ReferenceRefusedError, Tabulated
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import bundled

BURGERS = """
coordinates: {{x: [{low}, {high}], t: [{start}, {end}]}}
unknowns: [u]
constants: {{nu: {nu}, L: {high} - ({low})}}
equations: {{momentum: "{equation}"}}
conditions:
  initial: {{where: t = {start}, equation: "{initial}"}}
  walls: {{where: boundary, equation: "{walls}"}}
reference: hopf-cole
"""


def hopf_cole(**changes: object) -> HopfCole:
    settings: dict[str, object] = {
        "low": -1, "high": 1, "start": 0, "end": 1, "nu": "0.01/pi",
        "equation": "u_t + u*u_x = nu*u_xx", "initial": "u = -sin(pi*x)", "walls": "u = 0",
    }  # fmt: skip
    reference = plan_of(BURGERS.format(**(settings | changes))).reference
    assert isinstance(reference, HopfCole)
    return reference


def at(reference: Reference, *points: tuple[float, float]) -> np.ndarray:
    return np.asarray(reference.evaluate(np.array(points)).fields["u"])


PLACES = -np.array([0.75, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005])
TABLE = {
    0.25: [.430516264181566, .803198420840633, .992081561622522, .794974359133129, .531597859438820, .246125632098203, .126404701998122, .063648299019236],
    0.50: [.302842708347350, .592769534402051, .847354524450931, .958159553418906, .978982178395071, .979905867413990, .898049642252828, .637418663283539],
    0.75: [.232854467611126, .461413296858671, .679466796818248, .800395992475029, .837939296643238, .852358901144692, .761036628559555, .516674882777229],
    1.00: [.188998095307948, .376181395748122, .559196293102723, .665481567663996, .700027080879359, .706081678123350, .594256167588728, .378429402565355],
}  # fmt: skip


@pytest.mark.parametrize("t", TABLE)
def test_point_values(t: float) -> None:
    """Independent values with 15 digits, and the odd symmetry of the solution."""
    reference = make_plan(bundled.find("burgers")).reference
    assert reference is not None
    np.testing.assert_allclose(
        at(reference, *((x, t) for x in PLACES)), TABLE[t], rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        at(reference, *((-x, t) for x in PLACES)), [-u for u in TABLE[t]], rtol=0, atol=1e-12
    )


def test_steepest_slope() -> None:
    """Basdevant et al. 1986 print −152.00516 at πt = 1.6037."""
    reference = hopf_cole()

    def slope(pi_t: float) -> float:
        return float(reference.slope(np.array([[0.0, pi_t / math.pi]]))[0])

    assert slope(1.6037) == pytest.approx(-152.005161576013, rel=1e-12)
    steepest = minimize_scalar(
        slope, bounds=(1.603, 1.604), method="bounded", options={"xatol": 1e-9}
    )
    # The maximum by quadrature with 30 digits, of which Basdevant et al. print eight.
    assert steepest.fun == pytest.approx(-152.00516159795, rel=1e-12)
    assert steepest.x == pytest.approx(1.603688, abs=2e-6)


@pytest.mark.filterwarnings(
    "ignore:The occurrence of roundoff error"
)  # asked for all the digits there are
@pytest.mark.parametrize("nu", [0.5, 0.05, 0.01])
def test_against_adaptive_quadrature(nu: float) -> None:
    reference = hopf_cole(nu=nu)
    random = np.random.default_rng(1)
    for x, t in zip(random.uniform(-1, 1, 6), random.uniform(0.02, 1, 6), strict=True):
        peak = 1 / (2 * math.pi * nu)

        def weight(eta: float, x: float = x, t: float = t, peak: float = peak) -> float:
            return math.exp(-math.cos(math.pi * (x - eta)) * peak - eta**2 / (4 * nu * t) - peak)

        reach = t + math.sqrt(t * t + 180 * nu * t)
        marks = np.linspace(-reach, reach, 25)[1:-1].tolist()
        settings = {"points": marks, "limit": 400, "epsabs": 0, "epsrel": 1e-13}
        bottom = quad(weight, -reach, reach, **settings)[0]
        top = quad(
            lambda eta, x=x, weight=weight: -math.sin(math.pi * (x - eta)) * weight(eta),
            -reach,
            reach,
            **settings,
        )[0]
        assert at(reference, (x, t))[0] == pytest.approx(top / bottom, abs=1e-12)


def test_shifted_and_scaled_domain() -> None:
    """With X = a + Lx/2·…, the equation keeps its form under u → (L/2)/T·u: one solution in other units."""
    base = hopf_cole(nu=0.02)
    scale, shift, tick, start = 2.5, 7.0, 4.0, -3.0
    moved = hopf_cole(
        low=shift - scale,
        high=shift + scale,
        start=start,
        end=start + tick,
        nu=0.02 * scale**2 / tick,
        initial=f"u = -{scale / tick}*sin(pi*(x - {shift})/{scale})",
    )
    random = np.random.default_rng(2)
    x, t = random.uniform(-1, 1, 20), random.uniform(0, 1, 20)
    expected = at(base, *zip(x, t, strict=True)) * scale / tick
    found = at(moved, *zip(shift + scale * x, start + tick * t, strict=True))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("nu", "initial"),
    [
        ("0.01/pi", "u = -sin(pi*x)"),
        (0.03, "u = sin(pi*x) + 0.5*sin(2*pi*x)"),
        (1e-3, "u = (1 - x**2)*x*exp(x)"),
    ],
)
def test_solution_satisfies_the_equation(nu: object, initial: str) -> None:
    """Residual by central differences of order 4, at points away from the front."""
    reference = hopf_cole(nu=nu, initial=initial)
    viscosity, h = reference.viscosity, 2e-3
    for x, t in ((0.6, 0.2), (-0.45, 0.15), (0.31, 0.1)):
        line = at(reference, *((x + k * h, t) for k in (-2, -1, 0, 1, 2)))
        column = at(reference, *((x, t + k * h / 4) for k in (-2, -1, 1, 2)))
        u_x = (line[0] - 8 * line[1] + 8 * line[3] - line[4]) / (12 * h)
        u_xx = (-line[0] + 16 * line[1] - 30 * line[2] + 16 * line[3] - line[4]) / (12 * h * h)
        u_t = (column[0] - 8 * column[1] + 8 * column[2] - column[3]) / (3 * h)
        assert u_t + line[2] * u_x - viscosity * u_xx == pytest.approx(0, abs=1e-6)
        assert reference.slope(np.array([[x, t]]))[0] == pytest.approx(u_x, abs=1e-6)


def test_initial_and_wall_values() -> None:
    reference = hopf_cole(initial="u = sin(pi*x)*exp(x)", nu=0.1)
    x = np.linspace(-1, 1, 11)
    np.testing.assert_allclose(
        at(reference, *((v, 0.0) for v in x)), np.sin(np.pi * x) * np.exp(x), atol=1e-15
    )
    np.testing.assert_allclose(at(reference, (-1, 0.3), (1, 0.3), (-1, 1), (1, 1)), 0, atol=1e-13)


def test_small_viscosity_does_not_underflow() -> None:
    """Before the front forms, inviscid characteristics give u(x + u₀t, t) = u₀ up to O(ν)."""
    reference = hopf_cole(nu=1e-6)
    x, t = np.array([-0.8, -0.5, 0.3]), 0.2
    u0 = -np.sin(np.pi * x)
    np.testing.assert_allclose(
        at(reference, *((a + u * t, t) for a, u in zip(x, u0, strict=True))), u0, atol=2e-5
    )


def test_any_way_of_writing_the_equation() -> None:
    expected = at(hopf_cole(), (0.3, 0.4))
    for equation, walls in (
        ("nu*u_xx - u_t = D(u**2/2, x)", "0 = 3*u"),
        ("2*u_t = 2*(nu*laplacian(u) - u*u_x)", "-u"),
    ):
        assert at(hopf_cole(equation=equation, walls=walls), (0.3, 0.4)) == expected


def test_order_of_coordinates_does_not_matter() -> None:
    text = BURGERS.replace(
        "{{x: [{low}, {high}], t: [{start}, {end}]}}", "{{t: [{start}, {end}], x: [{low}, {high}]}}"
    )
    settings = {
        "low": -1,
        "high": 1,
        "start": 0,
        "end": 1,
        "nu": 0.02,
        "equation": "u_t + u*u_x = nu*u_xx",
    }
    reference = plan_of(text.format(initial="u = -sin(pi*x)", walls="u = 0", **settings)).reference
    assert isinstance(reference, HopfCole)
    assert at(reference, (0.4, 0.3)) == at(hopf_cole(nu=0.02), (0.3, 0.4))


@pytest.mark.parametrize(
    ("low", "high", "end", "nu"),
    [(-1, 1, 1, 0.05), (-1, 1, 1, 1e-5), (-1, 1, 1, 1e-6), (-10, 10, 100, 0.01 / math.pi)],
)
def test_error_estimate_covers_the_error(low: float, high: float, end: float, nu: float) -> None:
    """Against far more nodes: a single node must never outweigh all others and seem to have converged."""
    reference = hopf_cole(low=low, high=high, end=end, nu=nu)
    random = np.random.default_rng(0)
    points = np.stack([random.uniform(low, high, 40), random.uniform(0, end, 40)], axis=1)
    found = reference.evaluate(points)
    finest = reference._on_nodes(points[:, 0], points[:, 1], 300_000, reference._value)
    rounding_of_the_long_sum = 1e-12
    assert (
        np.abs(found.fields["u"] - finest).max() < found.error_estimate + rounding_of_the_long_sum
    )
    assert found.error_estimate < 1e-9
    assert found.wall_time_s > 0


@pytest.mark.parametrize(
    ("initial", "walls", "refused"),
    [
        ("u = -sin(pi*x)", "u + u_x = 0", "the condition 'walls' is another than u = 0"),
        ("u = -sin(pi*x)", "u_xxx = 0", "the condition 'walls' is another than u = 0"),
        ("u + 0.3*u_x = -sin(pi*x)", "u = 0", "the condition 'initial' does not give u itself"),
    ],
)
def test_conditions_that_the_transformation_cannot_meet(
    initial: str, walls: str, refused: str
) -> None:
    with pytest.raises(SpecError, match=f"Hopf-Cole does not apply: {refused}"):
        hopf_cole(initial=initial, walls=walls)


@pytest.mark.parametrize("form", ["(1e10 + x) - 1e10", "(1 - cos(x*1e-4))/(x*1e-4)**2"])
def test_closed_forms_that_cancel_say_so(form: str) -> None:
    reference = plan_of(
        f"coordinates: {{x: [0.5, 2]}}\nunknowns: [u]\nequations: {{e: u_x = u}}\nreference: {{exact: {{u: {form}}}}}"
    ).reference
    assert reference is not None
    x = np.linspace(0.5, 2, 50)
    found = reference.evaluate(x[:, None])
    exact = x if "1e10" in form else 0.5 - (x * 1e-4) ** 2 / 24
    assert np.abs(found.fields["u"] - exact).max() <= 2 * found.error_estimate


@pytest.mark.parametrize("shape", [(8, 8), (10, 10), (15, 40), (30, 30)])
def test_coarse_tables_say_so(tmp_path: Path, shape: tuple[int, int]) -> None:
    """A front that the table hardly resolves."""
    x, t = np.linspace(0, 2.5, shape[0]), np.linspace(1, 3, shape[1])

    def front(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        return np.tanh(4 * (x - 0.8 * t + 0.4))

    np.savez(tmp_path / "table.npz", x=x, t=t, u=front(x[:, None], t))
    problem = plan_of(TABULATED.replace("{file: table.npz}", "none")).problem
    points = np.random.default_rng(0).uniform([0.1, 1], [2, 3], (400, 2))
    found = Tabulated(problem, tmp_path / "table.npz", {}).evaluate(points)
    error = np.abs(found.fields["u"] - front(*points.T)).max()
    assert error < 2 * found.error_estimate


def test_closed_form_states_rounding() -> None:
    reference = make_plan(bundled.find("heat")).reference
    assert reference is not None
    points = np.array([[0.5, 0.0], [0.25, 1.0]])
    found = reference.evaluate(points)
    np.testing.assert_allclose(
        found.fields["u"], [1, math.exp(-0.1 * math.pi**2) * math.sqrt(0.5)], rtol=1e-15
    )
    assert 1e-17 < found.error_estimate < 1e-14


TABULATED = """
coordinates: {x: [0.1, 2], t: [1, 3]}
unknowns: [u]
equations: {e: u_t = u_x}
conditions: {start: {where: t = 1, equation: u = 0}}
reference: {file: table.npz}
"""


def tabulated(folder: Path, n: int, method_points: np.ndarray) -> tuple[float, float]:
    """The error of a table of n × n values of sin(2x)·e^(t/2), and what it is estimated to be."""
    x, t = np.linspace(0, 2.5, n), np.linspace(1, 3, n)
    np.savez(folder / "table.npz", x=x, t=t, u=np.sin(2 * x)[:, None] * np.exp(t / 2))
    problem = plan_of(TABULATED.replace("{file: table.npz}", "none")).problem
    found = Tabulated(problem, folder / "table.npz", {}).evaluate(method_points)
    exact = np.sin(2 * method_points[:, 0]) * np.exp(method_points[:, 1] / 2)
    return float(np.abs(found.fields["u"] - exact).max()), found.error_estimate


def test_interpolation_has_order_four_and_knows_its_error(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform([0.1, 1], [2, 3], (300, 2))
    errors, estimates = zip(*(tabulated(tmp_path, n, points) for n in (9, 17, 33, 65)), strict=True)
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(orders > 3.5)
    for error, estimate in zip(errors, estimates, strict=True):
        assert error < estimate < 200 * error


def test_tables_too_small_to_tell_their_error_are_refused(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform([0.1, 1], [2, 3], (10, 2))
    with pytest.raises(
        ReferenceRefusedError,
        match="the table has 4 values of x, and values between them are needed",
    ):
        tabulated(tmp_path, 4, points)


def test_points_of_the_table_are_returned_as_they_are(tmp_path: Path) -> None:
    error, estimate = tabulated(
        tmp_path, 9, grid_points((np.linspace(0, 2.5, 9)[1:6], np.linspace(1, 3, 9)))
    )
    assert error < 1e-14
    assert estimate < 1e-14


def test_table_that_does_not_cover_the_domain(tmp_path: Path) -> None:
    with pytest.raises(
        ReferenceRefusedError,
        match=r"the table covers x from 0 to 2.5, and values are needed from 1 to 4",
    ):
        tabulated(tmp_path, 9, np.array([[1.0, 1.0], [4.0, 2.0]]))
