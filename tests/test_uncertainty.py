"""Intervals of learned constants: against linear regression, over draws of noise, and where there are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Laaf, plan_of
from inverse_problems import DECAY, covered

from laaf_cli.runs.train import execute
from laaf_cli.training import Interval, Trainer, intervals


def intervals_of(yaml: str, *sets: str, noise: float = 0.0) -> dict[str, Interval]:
    plan = plan_of(yaml, *sets)
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    Trainer(objective, plan.phases).train()
    return intervals(objective, noise)


def test_a_linear_problem_has_the_interval_of_linear_regression() -> None:
    """u = c + s t is exact in the residuals: the interval is that of a line through the values."""
    yaml = """
coordinates: {t: [0, 1]}
unknowns: [u]
learn: {c: {start: 1}, s: {start: 1}}
equations: {line: u_t = s}
conditions: {start: {where: t = 0, equation: u = c}}
data: {target: {u: 2 + 3*t}, points: 12, noise: 0.1}
points: {interior: 20, sampler: sobol}
network: {hidden: [6]}
training: [{optimizer: levenberg-marquardt, iterations: 60}]
dtype: float64
"""
    found = intervals_of(yaml)
    points = plan_of(yaml).draw_points()["data"]
    x, y = points.points[:, 0], next(iter(points.symbols.values()))
    columns = np.stack([np.ones_like(x), x], axis=1)
    best = np.linalg.lstsq(columns, y, rcond=None)[0]
    variance = np.sum((columns @ best - y) ** 2) / (len(x) - 2)
    half = 2.228139 * np.sqrt(variance * np.diag(np.linalg.inv(columns.T @ columns)))
    for name, middle, width in zip("cs", best, half, strict=True):
        assert found[name].lower == pytest.approx(middle - width, rel=1e-3)
        assert found[name].upper == pytest.approx(middle + width, rel=1e-3)


def test_weights_of_terms_do_not_change_it() -> None:
    plain = intervals_of(DECAY)["k"]
    heavy = intervals_of(DECAY, "data.weight=100")["k"]
    assert heavy.lower == pytest.approx(plain.lower, abs=0.1 * (plain.upper - plain.lower))
    assert heavy.upper == pytest.approx(plain.upper, abs=0.1 * (plain.upper - plain.lower))


def test_noise_that_is_stated_gives_the_width() -> None:
    once, twice = (intervals_of(DECAY, noise=noise)["k"] for noise in (0.05, 0.1))
    ratio = np.log(twice.upper / twice.lower) / np.log(once.upper / once.lower)
    assert ratio == pytest.approx(2 * np.sqrt((1 + 0.05**2) / (1 + 0.1**2)), rel=0.05)


def test_noise_may_be_larger_than_all_values() -> None:
    """Its square goes beyond double precision."""
    large, largest = (intervals_of(DECAY, noise=noise)["k"] for noise in (1e6, 1e300))
    assert (largest.lower, largest.upper) == pytest.approx((large.lower, large.upper), rel=1e-6)


def test_the_truth_lies_within_most() -> None:
    """Of 10 draws 7 or more hold it, but for one time in a thousand."""
    few = {"training": "[{optimizer: levenberg-marquardt, iterations: 10}]"}
    assert sum(covered(DECAY, seed, few)["k"] for seed in range(10)) >= 7


@pytest.mark.parametrize(
    ("sets", "why_not"),
    [
        (
            [
                "equations.decay=u_t = -k*u + (c - d)*t**2",
                "learn.c={start: 1}",
                "learn.d={start: 0.5}",
            ],
            {"k": "", "c": "not determined by the data", "d": "not determined by the data"},
        ),
        (["data.points=1"], {"k": "none from as few observed values as constants"}),
        (
            ["network.hidden=[60, 60]", "training=[{iterations: 1}]"],
            {"k": "none for a network of more than 3,000 parameters"},
        ),
    ],
)
def test_where_there_is_none_it_says_why(sets: list[str], why_not: dict[str, str]) -> None:
    found = intervals_of(DECAY, *sets)
    assert {name: interval.why_not for name, interval in found.items()} == why_not
    assert all(np.isnan(each.lower) == bool(each.why_not) for each in found.values())


def test_the_training_is_left_as_it_is() -> None:
    plan = plan_of(DECAY)
    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    Trainer(objective, plan.phases).train()
    before = [parameter.detach().clone() for parameter in objective.all_parameters()]
    intervals(objective, 0.05)
    for old, new in zip(before, objective.all_parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old, rtol=0, atol=0)


def test_solve_and_show_tell_it(laaf: Laaf, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(DECAY)
    solved = laaf("solve", tmp_path / "spec.yaml", "-o", tmp_path / "run.h5", "--quiet")
    shown = laaf("show", tmp_path / "run.h5")
    told = json.loads(laaf("show", tmp_path / "run.h5", "--json").out)["constants"]["k"]
    lower, upper = told["interval"]
    assert lower < told["value"] < upper
    for out in (solved.out, shown.out):
        assert "95 % interval" in out
        assert f"{lower:.4f} to {upper:.4f}" in out
    run = execute(plan_of(DECAY))
    assert run.summary.constants["k"].interval == [lower, upper]
