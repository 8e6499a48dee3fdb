"""Every bundled problem is checked and solved for a few iterations, as its user would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Laaf

from laaf_cli import bundled
from laaf_cli.plan import make_plan

FEW = ("points.interior=60", "points.validation=60", "seed=3")
"""Settings that make a run short and leave the problem as it is."""


@pytest.mark.parametrize("name", bundled.names())
def test_check(name: str, laaf: Laaf) -> None:
    outcome = laaf("check", name, "--json", "--set", "points.interior=60")
    assert outcome.code == 0, outcome.err
    assert outcome.err == "", "a bundled problem has nothing to warn of"
    found = json.loads(outcome.out)
    assert all(term["value"] is None or term["value"] >= 0 for term in found["terms"])
    assert any(term["value"] is not None for term in found["terms"])


@pytest.mark.parametrize("name", bundled.names())
def test_short_solve(name: str, laaf: Laaf, tmp_path: Path) -> None:
    """It ends with an error against a reference that knows its own."""
    target = tmp_path / "run.h5"
    phases = make_plan(bundled.find(name)).spec.training
    short = [f"training.{i}.iterations=3" for i in range(len(phases))]
    short += [f"training.{i}.interior=80" for i, phase in enumerate(phases) if phase.interior is not None]
    settings = [word for setting in (*FEW, *short) for word in ("--set", setting)]
    outcome = laaf("solve", name, "--json", "--quiet", "--output", target, *settings)
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    assert summary["stop_reason"] == "completed"
    assert all(0 < error < 10 for error in summary["relative_l2"].values()), "three steps do not leave the scale"
    size = max(abs(error) for error in summary["max_error"].values())
    assert 0 <= summary["reference_error"] < 1e-3 * size, "the referee is more exact than the contestant"
    assert target.exists()
