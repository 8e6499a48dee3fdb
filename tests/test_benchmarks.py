"""What the benchmarks compute besides seconds: the arithmetic of a step, curves of errors, and that rivals do the same."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

Load = Callable[[str], ModuleType]

BENCHMARKS = Path(__file__).resolve().parent / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """A function from the name of a benchmark to its module; benchmarks import each other as scripts do."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def module(name: str) -> ModuleType:
        return importlib.import_module(name)

    return module


def test_arithmetic_of_the_paper_network_is_counted_by_hand(load: Load) -> None:
    scaling = load("scaling")
    # 2·20 + 5·20·20 + 20·1 multiplications a point and stream; u, u_x, u_t, u_xx at 10000 points and u at 400.
    expected = 2 * 3 * (2 * 20 + 5 * 20 * 20 + 20) * (4 * 10_000 + 400)
    assert scaling.flop(scaling.Case(10_000, 20, 6, "float32").plan()) == expected
    # Three streams in place of four, and four products in place of three.
    weights = expected / 6 / (4 * 10_000 + 400)
    assert scaling.flop_done(scaling.Case(10_000, 20, 6, "float32").plan()) == 8 * weights * (
        3 * 10_000 + 400
    )


def test_arithmetic_grows_with_the_square_of_the_width(load: Load) -> None:
    scaling = load("scaling")
    narrow, wide = (
        scaling.flop(scaling.Case(100, width, 3, "float64").plan()) for width in (10, 20)
    )
    assert (narrow, wide) == (6 * (20 + 200 + 10) * 800, 6 * (40 + 800 + 20) * 800)


def make_curve(load: Load, *, ended: bool = False):
    # The error falls by a factor of ten each 10 s, and then by a hundred.
    return load("error_curves").ErrorCurve(
        "method", 0, (0.0, 10.0, 20.0, 30.0), (1.0, 1e-1, 1e-2, 1e-4), ended
    )


@pytest.mark.parametrize(
    ("seconds", "error"), [(0, 1.0), (5, 10**-0.5), (20, 1e-2), (25, 1e-3), (30, 1e-4)]
)
def test_error_at_a_time_is_interpolated_in_its_logarithm(
    load: Load, seconds: float, error: float
) -> None:
    assert make_curve(load).at(seconds) == pytest.approx(error, rel=1e-12)


def test_error_after_the_end_is_known_only_where_the_method_ended(load: Load) -> None:
    assert math.isnan(make_curve(load).at(30.1))
    assert make_curve(load, ended=True).at(1000) == 1e-4


@pytest.mark.parametrize(
    ("error", "seconds"), [(2.0, 0.0), (1e-1, 10.0), (1e-3, 25.0), (1e-5, math.inf)]
)
def test_time_to_an_error_inverts_the_error_at_a_time(
    load: Load, error: float, seconds: float
) -> None:
    assert make_curve(load).reaches(error) == pytest.approx(seconds, rel=1e-12)


def test_time_to_an_error_is_the_first_of_several(load: Load) -> None:
    curve = load("error_curves").ErrorCurve(
        "method", 0, (0.0, 1.0, 2.0, 3.0), (1.0, 0.1, 1.0, 0.01), ended=False
    )
    assert curve.reaches(0.1) == 1.0


def test_curve_survives_its_file(load: Load, tmp_path: Path) -> None:
    curve = make_curve(load)
    curve.write(tmp_path / "method-s0.json")
    assert load("error_curves").read_curve(tmp_path / "method-s0.json") == curve


def test_tables_tell_medians_and_how_many_seeds_reach_an_error(load: Load) -> None:
    curves = load("error_curves")
    slow = curves.ErrorCurve("method", 1, (0.0, 40.0), (1.0, 1e-2), ended=False)
    methods = curves.by_method([make_curve(load), slow])
    assert curves.error_table(methods, [20]).rows == [("20 s", "5.5e-02 (1.0e-02 to 1.0e-01)")]
    assert curves.time_table(methods, [1e-2, 1e-3, 1e-9]).rows == [
        ("1e-02", "30 s (20 to 40; 2 of 2 seeds)"),
        ("1e-03", "- (25 to 25; 1 of 2 seeds)"),
    ]


def test_findings_survive_their_file(load: Load, tmp_path: Path) -> None:
    found = load("findings")
    table = found.Table("caption", ("a", "b"), [("1", "|x|")])
    findings = found.Findings(
        "name", {"only": table}, {"fact": "value"}, "python x.py", {"cores": "2"}
    )
    findings.write(tmp_path / "x.json")
    assert found.Findings.read(tmp_path / "x.json") == findings
    assert table.markdown() == "| a | b |\n| --- | --- |\n| 1 | \\|x\\| |"


def test_race_lets_rivals_take_turns_and_leaves_the_warm_up_out(load: Load) -> None:
    turns = load("turns")
    order: list[str] = []
    # Of two steps in a row the second counts.
    seconds = {
        "a": iter([9.0, 9.0, 9.0, 1.0, 9.0, 2.0, 9.0, 3.0]),
        "b": iter([9.0, 9.0, 0.0, 10.0, 0.0, 20.0, 0.0, 30.0]),
    }

    def make_turn(name: str):
        def turn() -> float:
            order.append(name)
            return next(seconds[name])

        return turn

    timings = turns.race({name: make_turn(name) for name in seconds}, 3, max_seconds=60, warm_up=1)
    assert "".join(order) == "aabbbbaaaabbbbaa"
    assert timings == {"a": turns.Timing(2.0, 1.5, 2.5), "b": turns.Timing(20.0, 15.0, 25.0)}


def test_race_that_is_late_counts_one_round(load: Load) -> None:
    turns = load("turns")
    assert turns.race({"a": lambda: 7.0}, 100, max_seconds=0) == {"a": turns.Timing(7.0, 7.0, 7.0)}


class Rival:
    """A rival with a loss and a gradient of its own."""

    def __init__(self, loss: float, gradient: float) -> None:
        self.loss, self.slope = loss, gradient

    def turn(self) -> float:
        return self.loss

    def gradient(self) -> np.ndarray:
        return np.array([1.0, self.slope])


@pytest.mark.parametrize("other", [Rival(2.1, 0.5), Rival(2.0, 0.6)])
def test_rivals_that_compute_different_things_do_not_race(load: Load, other: Rival) -> None:
    step_time = load("step_time")
    assert step_time.agreed_loss({"a": Rival(2.0, 0.5), "b": Rival(2.0, 0.5)}, "float64") == (
        2.0,
        0.0,
        0.0,
    )
    with pytest.raises(SystemExit, match="the rivals do not compute the same"):
        step_time.agreed_loss({"a": Rival(2.0, 0.5), "b": other}, "float64")


def test_batch_of_seeds_trains_as_the_single_runs_do(load: Load) -> None:
    changes = {"points.interior": 60, "dtype": "float64", "network.hidden": [7, 5]}
    assert load("many_runs").compare_losses({"set": changes, "engine": "taylor"}) < 1e-12
