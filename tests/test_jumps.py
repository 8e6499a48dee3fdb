"""Jumps under a derivative: found wherever they are, and made fluxes that are unknowns of their own."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import plan_of

from laaf_cli.errors import SpecError
from laaf_cli.references import make_reference
from laaf_cli.runs.plan import Plan

ROD = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {rod: u = 0}
conditions:
  start: {where: t = 0, equation: u = x}
  ends: {where: [x = 0, x = 1], equation: u = x}
reference: none
"""

# Each: the equation of a rod, the equation with its fluxes, and their equations.
FLUXES = {
    "two materials": ("D(where(x < 0.4, 1, 5)*u_x, x) = 0", "D(flux, x) = 0", ["flux = where(x < 0.4, 1, 5)*u_x"]),
    "a thin layer": ("u_t = D(where(abs(x - 1/3) < 1e-6, 9, 1)*u_x, x)", "u_t = D(flux, x)", ["flux = where(abs(x - 1/3) < 1e-6, 9, 1)*u_x"]),
    "a sum is one flux": ("D(sign(x - 0.3)*u_x, x) - D(floor(3*x)*u, x) = u", "D(flux, x) - 0 = u", ["flux = sign(x - 0.3)*u_x - floor(3*x)*u"]),
    "within another derivative": ("D(D(where(x < 0.4, 1, 5)*u, x), x) = 0", "D(flux1, x) = 0", ["flux1 = D(flux2, x)", "flux2 = where(x < 0.4, 1, 5)*u"]),
    "twice": ("D(where(x < 0.4, 1, 5)*u_x, x, x) = 0", "D(flux, x, x) = 0", ["flux = where(x < 0.4, 1, 5)*u_x"]),
    "a kink, twice": ("D(abs(x - 0.3)*u, x, x) = 0", "D(flux, x, x) = 0", ["flux = abs(x - 0.3)*u"]),
    "in brackets": ("u = 2*D((u_x + x)*where(x < 0.4, 1, 5), x)", "u = 2*D(flux, x)", ["flux = (u_x + x)*where(x < 0.4, 1, 5)"]),
    "laplacian": ("laplacian(sign(x - 0.3)*u) = 0", "laplacian(flux) = 0", ["flux = sign(x - 0.3)*u"]),
    "along an inclined line": ("D(where(x + t < 1, 1, 5)*u_x, x) = 0", "D(flux, x) = 0", ["flux = where(x + t < 1, 1, 5)*u_x"]),
    "with the unknown": ("D(where(u < 0.4, 1, 5)*u_x, x) = 0", "D(flux, x) = 0", ["flux = where(u < 0.4, 1, 5)*u_x"]),
    "not differentiated": ("where(x < 0.4, 1, 5)*u_xx = sign(x - 0.3)", None, []),
    "along another coordinate": ("u_t = D(where(t < 0.4, 1, 5)*u_x, x)", None, []),
    "beyond the domain": ("D(where(x < 1.4, 1, 5)*u_x, x) = 0", None, []),
    "branches that meet": ("D(where(x < 0.4, x, 0.2 + x/2)*u_x, x) = 0", None, []),
    "branches that meet in the unknown": ("D(where(u < 0, 0, u**2)*u_x, x) = 0", None, []),
    "a factor that vanishes there": ("D(sign(x - 0.3)*(x - 0.3)*u_x, x) = 0", None, []),
    "functions with an edge": ("D(max(x - 0.3, 0)*u_x + abs(x - 0.4)*u + min(u, x), x) = 0", None, []),
}  # fmt: skip


def rod(equation: str, *changes: str) -> Plan:
    return plan_of(ROD, f"equations.rod={equation}", *changes)


@pytest.mark.parametrize(("equation", "rewritten", "fluxes"), FLUXES.values(), ids=FLUXES)
def test_fluxes(equation: str, rewritten: str | None, fluxes: list[str]) -> None:
    plan = rod(equation)
    assert list(plan.problem.fluxes.values()) == fluxes
    assert plan.spec.equations["rod"] == (rewritten or equation)
    assert plan.problem.unknowns == ("u", *plan.problem.fluxes)
    # Nothing is left to rewrite, and the network has an output for each flux.
    assert len(plan.problem.ansatz.outputs) == 1 + len(fluxes)


def test_the_rest_of_a_spec_follows() -> None:
    """Names that are taken, forms of the solution, closed forms."""
    plan = rod(
        "D(where(x < 0.5, 1, 2)*u_x, x) = flux",
        "constants={flux: 0}",
        "transform={u: x*net}",
        "reference={exact: {u: 'where(x < 0.5, x, x/2 + 0.25)'}}",
    )
    assert plan.problem.fluxes == {"flux1": "flux1 = where(x < 0.5, 1, 2)*u_x"}
    assert plan.problem.ansatz.outputs == ("net_u", "net_flux1")
    assert plan.reference is not None
    values = plan.reference.evaluate(np.array([[0.2, 0.0], [0.9, 1.0]])).fields
    assert values["u"] == pytest.approx([0.2, 0.7], abs=1e-15)
    assert values["flux1"] == pytest.approx([1.0, 1.0], abs=1e-15)


def test_warnings_speak_of_what_was_written() -> None:
    """The flux is of second order, and w has all conditions of both."""
    beam = """
coordinates: {x: [0, 1]}
unknowns: [w]
equations: {bending: "D(where(x < 0.4, 1, 5)*w_xx, x, x) = 1"}
conditions:
  clamped: {where: x = 0, equation: [w = 0, w_x = 0]}
  held: {where: x = 1, equation: [w = 0, w_xx = 0]}
"""
    assert plan_of(beam).problem.warnings == ()
    (warning,) = plan_of(beam, "conditions.held.equation=[w = 0]").problem.warnings
    assert warning == "Only 3 boundary conditions in x: order 4 needs 4."


REFUSED = {
    "no flux": ("u_xx = D(where(x < 0.4, 1, 5), x)", "the jump of 'where' in equation 'rod' is lost when it is differentiated"),
    "factors that differ": ("D(sign(x - 0.3)*u_x, x) + u*D(sign(x - 0.4)*u_x, x) = 0", "several terms of equation 'rod' differentiate jumps along the same coordinate"),
}  # fmt: skip


@pytest.mark.parametrize(("equation", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_rewritten_is_refused(equation: str, sentence: str) -> None:
    with pytest.raises(SpecError) as refusal:
        rod(equation)
    assert sentence in str(refusal.value)


def test_a_jump_in_a_condition_is_refused() -> None:
    with pytest.raises(SpecError) as refusal:
        rod("u_t = u_xx", "conditions.start.equation=u = D(sign(x - 0.3)*x, x)")
    assert "the jump of 'sign' in condition 'start' is lost" in str(refusal.value)
    assert "Make what is differentiated, as a flux, an unknown q of its own" in str(refusal.value)


def test_reflection_at_a_change_of_speed() -> None:
    """d'Alembert's solution on a string that is twice as fast on the right: u and c² u_x continuous."""
    plan = plan_of(
        """
coordinates: {x: [-1, 1], t: [0, 0.5]}
unknowns: [u]
equations: {wave: "u_tt = D(where(x < 0, 1, 4)*u_x, x)"}
conditions:
  start: {where: t = 0, equation: ["u = exp(-((x + 0.4)/0.08)**2)", u_t = 0]}
  ends: {where: boundary, equation: u = 0}
reference: none
"""
    )
    reference = make_reference(
        plan.problem, plan.spec.reference.model_copy(update={"kind": "spectral"}), None
    )  # type: ignore[arg-type]
    assert reference is not None
    random = np.random.default_rng(0)
    points = np.stack([random.uniform(-0.7, 0.9, 2000), random.uniform(0, 0.5, 2000)], axis=1)
    found = reference.evaluate(points)
    x, t = points.T

    def pulse(s: np.ndarray) -> np.ndarray:
        return np.exp(-(((s + 0.4) / 0.08) ** 2)) / 2

    left = pulse(x - t) + pulse(x + t) - pulse(-x - t) / 3
    # The wall at the left returns what reaches it.
    left -= pulse(-2 - x + t) + pulse(-2 - x - t)
    exact = np.where(x < 0, left, 2 / 3 * pulse(x / 2 - t))
    error = np.abs(found.fields["u"] - exact).max()
    assert error <= 10 * found.error_estimates["u"]
    assert found.error_estimates["u"] < 1e-9
    assert found.error_estimates["u"] < 0.1 * found.error_estimates["flux"]
