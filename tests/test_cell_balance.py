"""The balance of cells, which sees what the solvers take for granted where formulas break."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from conftest import plan_of

from laaf_cli.expression import NUMPY, Node, Scope, evaluate
from laaf_cli.problem.balances import balances
from laaf_cli.references import Reference, ReferenceRefusedError, make_reference
from laaf_cli.references.cell_balance import check_balances, make_cells

SPECS = {
    "a rod": """
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {flow: "D(where(x < 0.4, 1, 1.05)*u_x, x) = x"}
conditions: {ends: {where: boundary, equation: u = x}}
""",
    "a rod in time": """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {flow: "u_t = 2*D(where(x < 0.4, 1, 1.05)*u_x, x) + D(u**2, x)"}
conditions:
  start: {where: t = 0, equation: u = x}
  ends: {where: boundary, equation: u = x}
""",
    "back in time": """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {flow: "-u_t = D(where(x < 0.4, 1, 1.05)*u_x, x)"}
conditions:
  end: {where: t = 1, equation: u = x}
  ends: {where: [x = 0, x = 1], equation: u = x}
""",
    "a plate": """
coordinates: {x: [0, 1], y: [0, 2]}
unknowns: [u]
equations: {flow: "D(where(y < 1, 1, 1.05)*u_x, x) + D(where(y < 1, 1, 1.05)*u_y, y) = 0"}
conditions:
  bottom: {where: y = 0, equation: u = 1}
  top: {where: y = 2, equation: u = 2}
  sides: {where: [x = 0, x = 1], equation: u_x = 0}
""",
}


def reference_of(spec: str) -> tuple[Reference, np.ndarray]:
    plan = plan_of(spec + "reference: none\n")
    asked = plan.spec.reference.model_copy(update={"kind": "spectral"})
    reference = make_reference(plan.problem, asked, None)  # type: ignore[arg-type]
    assert reference is not None
    domain = plan.problem.domain
    return reference, domain.from_unit(np.random.default_rng(0).random((50, domain.dimension)))


@pytest.mark.parametrize("name", SPECS)
def test_cells_are_balanced(name: str) -> None:
    reference, points = reference_of(SPECS[name])
    assert reference.evaluate(points).error_estimates["u"] < 1e-8


@pytest.mark.parametrize("name", SPECS)
def test_a_jump_that_nobody_found_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where u_x and not its flux is continuous, all residuals vanish on all elements."""
    for module in ("build", "reader"):
        monkeypatch.setattr(
            sys.modules[f"laaf_cli.problem.{module}"], "lost_jumps", lambda *_given: []
        )
    monkeypatch.setattr(
        sys.modules["laaf_cli.problem.build"], "with_fluxes", lambda spec, *_given: (spec, {})
    )
    reference, points = reference_of(SPECS[name])
    with pytest.raises(
        ReferenceRefusedError, match=r"the balance of the equation 'flow'.* by 0\.0"
    ):
        reference.evaluate(points)


def test_a_flux_lost_between_elements_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    form = sys.modules["laaf_cli.references.evolution.form"]
    joined = form._continuous
    monkeypatch.setattr(
        form,
        "_continuous",
        lambda problem, orders, axis, _fluxes: joined(problem, orders, axis, {}),
    )
    reference, points = reference_of(SPECS["a rod in time"])
    with pytest.raises(ReferenceRefusedError, match="does not keep the balance"):
        reference.evaluate(points)


def test_integrals_over_cells() -> None:
    cells = make_cells(np.array([0.0, 0.3, 2.0]), 40)
    exact = np.diff(-np.cos(5 * cells.ends) / 5)
    np.testing.assert_allclose(cells.integrals(np.sin(5 * cells.points), 0), exact, atol=1e-14)
    assert not np.isin(cells.ends[1:-1], cells.points).any()


@pytest.mark.parametrize(
    ("equation", "is_kept"),
    [
        ("3*D(x*y*u, x) - laplacian(v) = 3*y*u + 3*x*y*u_x - v_xx - v_yy", True),
        ("D(u*v, x) - D(u, y) = u_x*v + u*v_x - u_y", True),
        ("D(u*v, x) - D(u, y) = u_x*v + u*v_x + u_y", False),
        ("-(D(u, x, y) - D(sin(x), x)) = cos(x) - u_xy", True),
        ("D(u + sin(900*x), x) = u_x + 900*cos(900*x)", True),
        ("D(u + sin(900*x), x) = u_x + 900*cos(900*x) + y", False),
    ],
)
def test_what_a_balance_says(equation: str, is_kept: bool) -> None:
    """u = sin(x) exp(y), v = cos(x + y): an identity is a balance that all functions keep."""
    scope = Scope(coordinates=("x", "y"), unknowns=("u", "v"))
    found = balances({"one": equation, "without": "u_x = v"}, scope)
    assert [balance.name for balance in found] == ["one"]

    def on_grid(tree: Node, axes: tuple[np.ndarray, ...]) -> np.ndarray:
        x, y = np.meshgrid(*axes, indexing="ij")

        class Known(dict):  # type: ignore[type-arg]
            def __missing__(self, field: object) -> np.ndarray:
                i, j = field.orders  # type: ignore[attr-defined]
                if field.unknown == "u":  # type: ignore[attr-defined]
                    return np.sin(x + i * np.pi / 2) * np.exp(y)
                return np.cos(x + y + (i + j) * np.pi / 2)

        return np.broadcast_to(evaluate(tree, {"x": x, "y": y}, Known(), NUMPY), x.shape)

    cells = [make_cells(np.array([0.0, 1.0]), 16), make_cells(np.array([-1.0, 1.0]), 16)]
    if is_kept:
        check_balances(found, cells, on_grid, 0.0)  # type: ignore[arg-type]
    else:
        with pytest.raises(ReferenceRefusedError, match="the equation 'one'"):
            check_balances(found, cells, on_grid, 0.0)  # type: ignore[arg-type]
