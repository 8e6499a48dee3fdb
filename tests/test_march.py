"""How windows of time follow one another, without anything being solved."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from conftest import plan_of

from laaf_cli.training.least_squares.march import LOOSER, LOOSEST, OVERLAP, March, Move


def march(n_windows: int | None = None, dimension: int = 2) -> March:
    """From 10 to 18."""
    return March(first=10.0, last=18.0, goal=1e-6, dimension=dimension, n_windows=n_windows)


def test_equal_windows() -> None:
    made, ends = march(n_windows=4), []
    while True:
        assert made.judge(1.0, has_more=True) is Move.GO_ON
        ends.append(made.end)
        if made.is_over:
            break
        made.go_on(1.0)
    assert ends == [12.0, 14.0, 16.0, 18.0]
    made.go_on(2.0)
    assert (made.start, made.end, made.worst) == (16.0, 18.0, 2.0)


def test_windows_reach_beyond_what_is_kept_of_them() -> None:
    """Up to the last time; where their number is given they do not."""
    made = march()
    made.begin(1e-2)
    assert made.reach == 14 + OVERLAP * 4
    made.go_on(1e-7)
    assert (made.start, made.reach) == (14.0, 18.0)
    assert march(n_windows=4).reach == 12.0


def test_windows_aim_at_what_the_error_takes() -> None:
    """From the first one on, but for those in time alone, which cost little."""
    for dimension, leniency in ((2, 20.0), (1, 1.0)):
        made = March(
            first=10.0, last=18.0, goal=1e-6, dimension=dimension, n_windows=None, enough=20.0
        )
        assert made.aim == 1e-6
        made.begin(1e-2)
        assert made.aim == leniency * 1e-6
    phase = plan_of(HEAT).phases[0]
    found = [replace(phase, error=error).leniency for error in (0.0, 1e-6, 1e-4)]
    assert found == pytest.approx([1, 1, 10])
    assert replace(plan_of(HEAT), goal=1e-4).phases[0].error == 1e-4


HEAT = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
conditions: {start: {where: t = 0, equation: u = sin(pi*x)}, ends: {where: boundary, equation: u = 0}}
training: [{optimizer: least-squares}]
"""


def test_a_window_is_halved_while_it_helps() -> None:
    made = march()
    made.begin(1e-2)
    assert (made.start, made.end) == (10.0, 14.0)
    for residual, end in ((1e-3, 12.0), (1e-4, 11.0), (1e-5, 10.5)):
        assert made.judge(residual, has_more=False) is Move.HALVE
        made.halve(residual)
        assert made.end == end
    assert made.judge(5e-7, has_more=False) is Move.GO_ON
    made.go_on(5e-7)
    assert (made.start, made.end) == (10.5, 11.0)


@pytest.mark.parametrize(("residual", "factor"), [(9e-7, 1), (9e-8, 2), (9e-10, 4)])
def test_windows_grow_where_the_residual_allows(residual: float, factor: int) -> None:
    made = march()
    made.end = 10.1
    made.go_on(residual)
    assert made.end == pytest.approx(10.1 + 0.1 * factor)


@pytest.mark.parametrize(("residual", "factor"), [(9e-9, 1), (9e-10, 2), (9e-12, 4)])
def test_windows_of_ordinary_equations_grow_later(residual: float, factor: int) -> None:
    made = march(dimension=1)
    made.end = 10.1
    made.go_on(residual)
    assert made.end == pytest.approx(10.1 + 0.1 * factor)


def test_the_first_window_says_what_neurons_do_for() -> None:
    """Not those that were halved before it."""
    made = march()
    made.begin(1e-2)
    made.end = 10.5
    made.go_on(1e-6)
    assert made.longest == 0.5
    assert not made.is_short


@pytest.mark.parametrize(("has_more", "move"), [(True, Move.USE_MORE), (False, Move.HALVE)])
def test_more_neurons_where_halving_gains_little(has_more: bool, move: Move) -> None:
    made = march()
    made.begin(1e-2)
    assert made.judge(2e-3, has_more=has_more) is move


def test_the_last_window_takes_what_is_left() -> None:
    made = march()
    made.end = 14.0 - 1e-12
    made.go_on(1e-6)
    assert made.end == 18.0


def test_more_neurons_where_halving_does_not_help() -> None:
    made = march()
    made.begin(1e-3)
    assert made.judge(5e-4, has_more=True) is Move.USE_MORE
    # What they come to is not compared with what fewer came to, nor are their windows.
    assert (made.n_futile, made.before, made.longest) == (0, math.inf, 0.0)
    assert made.judge(5e-4, has_more=False) is Move.HALVE


def test_neurons_are_thought_unfit_once_for_a_length() -> None:
    made = march()
    made.begin(1.0)
    assert made.is_short
    made.halve(1.0)
    assert not made.is_short
    made.halve(1.0)
    assert made.is_short


def test_more_neurons_where_windows_have_become_short() -> None:
    made = march()
    made.end, made.longest = 14.0, 0.0
    made.go_on(1e-6)
    made.end = made.start + 2.7
    assert made.judge(1e-5, has_more=True) is Move.HALVE
    made.end = made.start + 2.6
    assert made.judge(1e-5, has_more=True) is Move.USE_MORE


def test_futile_halvings_are_taken_back() -> None:
    made = march()
    made.end = 11.0
    made.go_on(1e-6)
    lengths, move = [], Move.HALVE
    for residual in (1e-5, 9e-6, 8e-6, 7e-6):
        move = made.judge(residual, has_more=False)
        lengths.append(made.length)
        if move is Move.HALVE:
            made.halve(residual)
    assert (move, lengths) == (Move.GO_ON, [1.0, 0.5, 0.25, 0.125])
    made.go_on(7e-6)
    assert made.length == 1.0
    assert made.aim == pytest.approx(2.1e-5)
    assert made.judge(2e-5, has_more=False) is Move.GO_ON


def test_a_first_window_that_misses_the_goal_sets_no_example() -> None:
    """Its residual may be that of data that do not fit: windows after it aim at the goal."""
    made = march()
    made.begin(1e-3)
    made.n_futile, made.before = 2, 9e-5
    assert made.judge(9e-5, has_more=False) is Move.GO_ON
    made.go_on(9e-5)
    assert made.worst == 9e-5
    assert made.aim == made.goal
    made.go_on(1e-5)
    assert made.aim == pytest.approx(3e-5)


@pytest.mark.parametrize(("start", "residual"), [(10.0, 1.1e-4), (12.0, 2e-3)])
def test_given_up_at_the_start_and_where_it_is_worse_than_the_whole(
    start: float, residual: float
) -> None:
    made = march()
    made.begin(1e-3)
    made.start, made.n_futile, made.before = start, 2, residual
    assert made.judge(residual, has_more=False) is Move.GIVE_UP
    made.give_up()
    assert made.is_whole
    assert made.is_uncut
    assert made.judge(1.0, has_more=False) is Move.GO_ON


@pytest.mark.parametrize(("residual", "move"), [(4.9e-3, Move.GO_ON), (5.1e-3, Move.GIVE_UP)])
@pytest.mark.parametrize("n_halvings", [0, 30])
def test_what_is_kept_of_a_first_window_is_bounded(
    residual: float, move: Move, n_halvings: int
) -> None:
    """However far above it the whole is, and however often it was halved."""
    made = march()
    made.begin(1.0)
    made.n_futile, made.before, made.n_halvings = 2, residual, n_halvings
    assert made.judge(residual, has_more=False) is move


@pytest.mark.parametrize(("dimension", "n"), [(1, 30), (2, 8)])
def test_halved_longer_while_nothing_is_solved(dimension: int, n: int) -> None:
    made, n_halved = march(dimension=dimension), 0
    made.begin(1.0)
    while made.judge(1.0, has_more=False) is Move.HALVE:
        made.halve(1.0)
        n_halved += 1
    assert n_halved == n


def test_late_windows_loosen_the_goal_before_they_are_given_up() -> None:
    made = march()
    assert made.keep_pace(0.9)  # the whole is being tried
    made.keep_pace(0.1)
    made.begin(1e-2)
    aims = []
    for share in (0.2, 0.3, 0.4, 0.5, 0.7):
        assert made.keep_pace(share)  # the first window is not over
        aims.append(made.aim)
    assert aims == pytest.approx([1e-6, 1e-5, 1e-5, 1e-4, 1e-3])
    assert not made.keep_pace(0.9)
    made.give_up()
    assert made.keep_pace(0.99)
    assert made.aim == 1e-6


def test_late_by_the_pace_since_the_first_window() -> None:
    made = march()
    made.begin(1e-2)
    made.leniency = LOOSEST
    made.keep_pace(0.1)
    made.go_on(1e-7)
    assert made.keep_pace(0.15)  # too early to judge
    made.start, made.end, made.length_before, made.n_done = 14.2, 14.3, 0.2, 3
    assert made.keep_pace(0.3)  # 3 in 0.2; in 0.7 the other 19 will not be done, but half of them
    assert not made.keep_pace(0.6)
    assert made.keep_pace(0.6, 3.9)  # 3 in 0.5; 19 in 3.2
    assert not made.keep_pace(0.6, 3.7)
    made.leniency, made.n_done = 1.0, 12
    assert made.keep_pace(0.3)
    assert made.leniency == 1.0
    made.n_done = 3
    assert made.keep_pace(0.3)
    assert (made.leniency, made.n_done) == (LOOSER, 0)


def test_the_first_window_and_those_that_are_short_set_no_pace() -> None:
    """Slopes are searched in the first; a window that was halved often is followed by longer ones."""
    made = march()
    made.begin(1e-2)
    assert made.end == 14.0
    made.end = 12.0
    made.go_on(1e-7)
    assert (made.n_done, made.length_before) == (0, 2.0)
    made.go_on(1e-7)
    assert (made.n_done, made.length_before) == (1, made.start - 12.0)
    made.end = made.start + 0.01
    assert made.keep_pace(0.2)
    assert made.leniency == 1.0


def test_ordinary_equations_are_never_late() -> None:
    made = march(dimension=1)
    made.begin(1e-2)
    assert all(made.keep_pace(share / 100) for share in range(101))
    assert made.aim == pytest.approx(1e-3)


def test_a_quarter_far_from_the_goal_and_no_longer_than_what_failed() -> None:
    made = march()
    made.begin(1.0)
    made.halve(0.1)
    assert made.end == 11.0
    made.go_on(1e-12)
    assert (made.failed, made.end) == (8.0, 13.0)


def test_a_march_is_resumed() -> None:
    made = march()
    made.begin(1e-2)
    made.keep_pace(0.2)
    made.go_on(1e-7)
    made.halve(1e-5)
    assert all(isinstance(value, float) for value in made.numbers().values())
    again = march()
    again.load(made.numbers())
    assert again == made
    made.give_up()
    again.load(made.numbers())
    assert again == made
