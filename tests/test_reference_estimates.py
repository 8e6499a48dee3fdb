"""References of problems made to mislead them: the error is within what they say of it, or they are refused.

`python tests/benchmarks/reference_estimates.py` judges all of them.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

N_PROBLEMS = 241

SAMPLE = (
    "two spikes, ODE", "exp, heat", "where, u'' - u", "where, ODE", "erf, u' + 2u", "floor, Poisson", "max, u'' - u",
    "min, u' + 2u", "and, heat", "or, coefficient", "abs, ODE", "sign, heat", "atan2, coefficient", "tanh, u' + 2u",
    "materials, u''", "materials, heat", "conservation law", "conductivity that jumps in time, heat", "flash, heat",
)  # fmt: skip


@pytest.fixture
def adversarial(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent / "benchmarks"))
    return importlib.import_module("adversarial")


def test_each_operation_has_its_problems(adversarial: ModuleType) -> None:
    from laaf_cli.expression.functions import TABLE

    assert TABLE.keys() <= adversarial.SOLUTIONS.keys()
    names = [each.name for each in adversarial.adversaries(0)]
    assert len(set(names)) == len(names) == N_PROBLEMS
    assert set(SAMPLE) <= set(names)


@pytest.mark.parametrize("name", SAMPLE)
def test_the_error_is_within_the_estimate(name: str, adversarial: ModuleType) -> None:
    (chosen,) = (each for each in adversarial.adversaries(7) if each.name == name)
    verdict = adversarial.judge(chosen)
    assert not verdict.refused
    assert verdict.error <= adversarial.SOUND * verdict.estimate
    # None of these is beyond the solver.
    assert verdict.estimate < 1e-7 * verdict.size


def test_a_judge_that_sees_an_error(adversarial: ModuleType) -> None:
    """With the solution of another problem the verdict is unsound."""
    first, second = (
        each for each in adversarial.adversaries(0) if each.name in ("+, u'' - u", "-, u'' - u")
    )
    mixed = adversarial.Adversary(name="mixed", spec=first.spec, solution=second.solution)
    verdict = adversarial.judge(mixed)
    assert not verdict.is_sound
    assert np.isfinite(verdict.error)


@pytest.mark.parametrize("coordinate", ["x", "t"])
def test_what_is_narrow_in_an_unknown_is_seen(coordinate: str, adversarial: ModuleType) -> None:
    """All that happens, happens while u passes 1/2, within a thousandth of the way."""
    narrow, wide = (
        adversarial.Adversary(
            name="narrow",
            spec={
                "coordinates": {coordinate: [0, 1]},
                "unknowns": ["u"],
                "equations": {"e": f"u_{coordinate} = 1 + 0.9*exp(-((u - 0.5)/{width})**2)"},
                "conditions": {"s": {"where": f"{coordinate} = 0", "equation": "u = 0"}},
            },
            solution=coordinate,
        )
        for width in (1e-3, 0.1)
    )
    assert "so narrow" in adversarial.judge(narrow).refused
    assert not adversarial.judge(wide).refused


@pytest.mark.parametrize(("width", "rate"), [(1e-5, 0.01), (1e-7, 1e-3), (1e-9, 1e-6)])
@pytest.mark.parametrize("coordinate", ["x", "t"])
@pytest.mark.parametrize(
    "form", ["where(abs(u - 0.5) < {w}, {r}, 1)", "1 - (1 - {r})*exp(-((u - 0.5)/{w})**2)"]
)
def test_a_delay_at_one_value_is_seen(
    form: str, coordinate: str, width: float, rate: float, adversarial: ModuleType
) -> None:
    """However narrow the delay; the branch of `where` depends on u, though no derivative of it does."""
    equation = f"u_{coordinate} = (1 + u)*({form.format(w=width, r=rate)})"
    delayed = adversarial.Adversary(
        name="delayed",
        spec={
            "coordinates": {coordinate: [0, 1]},
            "unknowns": ["u"],
            "equations": {"e": equation},
            "conditions": {"s": {"where": f"{coordinate} = 0", "equation": "u = 0"}},
        },
        solution=f"exp({coordinate}) - 1",
    )
    assert "so narrow" in adversarial.judge(delayed).refused


UNSEEN = {
    "a peak of both coordinates, Poisson": (
        ["x", "y"], "u_xx + u_yy = 1e8*exp(-((x + y - 0.78)**2 + (x - y + 0.16)**2)*1e8)",
    ),
    "a ridge, Poisson": (["x", "y"], "u_xx + u_yy = 1e6*exp(-((x + y - 0.93137)/1e-6)**2)"),
    "a flash on its way, heat": (
        ["x", "t"], "u_t = 0.1*u_xx + 1e8*exp(-((x + t - 0.78)**2 + (x - t + 0.16)**2)*1e8)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSEEN)
def test_what_is_narrow_in_two_coordinates_is_seen(name: str, adversarial: ModuleType) -> None:
    """Nodes, and places where formulas in one coordinate turn, lie beside it: the solution found is 0."""
    coordinates, equation = UNSEEN[name]
    ends = adversarial.ALL_SIDES if "y" in coordinates else [*adversarial.BOTH_ENDS, "t = 0"]
    unseen = adversarial.problem(name, coordinates, equation, {"b": (ends, "0")}, "0*x")
    assert "so narrow" in adversarial.judge(unseen).refused
