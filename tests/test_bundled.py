"""Every bundled problem is checked and solved for a few iterations, as its user would; data sets are listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Laaf
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import ExitCode
from laaf_cli.images.data import DATASETS
from laaf_cli.images.spec import ImageSpec
from laaf_cli.references.evolution import evolution
from laaf_cli.references.stationary import refinement
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Text, bundled, load_as

FEW = ("points.interior=60", "points.validation=60", "seed=3")
"""Settings that make a run short and leave the problem as it is."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _coarse_references(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As exact as is needed beside a network that is hardly trained, and kept apart from others."""
    monkeypatch.setenv("LAAF_CACHE_DIR", str(cache))
    monkeypatch.setattr(evolution, "AGREEMENT", 1e-6)
    monkeypatch.setitem(refinement.LEVELS, 2, (8, 12, 16, 24, 32))


@pytest.mark.parametrize("name", bundled.names())
def test_check(name: str, laaf: Laaf) -> None:
    outcome = laaf("check", name, "--json", "--set", "points.interior=60")
    assert outcome.code == 0, outcome.err
    assert outcome.err == "", "a bundled problem has nothing to warn of"
    found = json.loads(outcome.out)
    assert all(term["value"] is None or term["value"] >= 0 for term in found["terms"])
    assert any(term["value"] is not None for term in found["terms"])


@pytest.mark.parametrize("name", [name for name in bundled.names() if "pinnacle/" not in name])
def test_short_solve(name: str, laaf: Laaf, tmp_path: Path) -> None:
    """It ends with an error against a reference that knows its own; docs/pinnacle.py solves others."""
    target = tmp_path / "run.h5"
    plan = make_plan(bundled.find(name))
    phases = plan.spec.training[:1] if plan.recipe else plan.spec.training
    short = [f"training.{i}.iterations=3" for i in range(len(phases))]
    short += [
        f"training.{i}.interior=80" for i, phase in enumerate(phases) if phase.interior is not None
    ]
    settings = [word for setting in (*FEW, *short) for word in ("--set", setting)]
    outcome = laaf("solve", name, "--json", "--quiet", "--output", target, *settings)
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    assert summary["stop_reason"] == "completed"
    assert all(0 < error < 10 for error in summary["relative_l2"].values()), (
        "three steps do not leave the scale"
    )
    size = max(abs(error) for error in summary["max_error"].values())
    assert 0 <= summary["reference_error"] < 1e-3 * size, (
        "the referee is more exact than the contestant"
    )
    assert target.exists()


@pytest.mark.parametrize("name", bundled.names("images"))
def test_data_sets_are_listed_and_printed(name: str, laaf: Laaf) -> None:
    listing = laaf("problems")
    problems, data_sets = listing.out.split("data set ")
    assert f"\n{name} " in data_sets
    assert f"\n{name} " not in problems
    printed = laaf("problems", name)
    assert (printed.code, printed.err) == (0, "")
    assert printed.out == (bundled.folder() / "images" / f"{name}.yaml").read_text("utf-8")
    assert load_as(ImageSpec, Text("my.yaml", printed.out)).faults == ()


def test_every_data_set_has_a_spec() -> None:
    assert sorted(DATASETS) == bundled.names("images")


@pytest.mark.parametrize("command", ["check", "solve", "reference"])
def test_commands_of_equations_name_the_one_for_images(command: str, laaf: Laaf) -> None:
    refused = laaf(command, "semeion")
    assert (refused.code, refused.out) == (ExitCode.SPEC, "")
    assert refused.err.endswith(
        "semeion.yaml:3:1: this spec names images to classify, and no equation\n"
        "   3 | images: semeion\n     | ^^^^^^\nlaaf classify trains it.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("solve", "semeon"),
        ("classify", "burger"),
        ("problems", "minst"),
        ("classify", "digits"),
        ("classify", "empty.yaml"),
        ("classify", "list.yaml"),
    ],
)
def test_names_and_specs_that_are_none(
    arguments: tuple[str, ...],
    laaf: Laaf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.yaml").write_text("# nothing\n")
    Path("list.yaml").write_text("[mnist]\n")
    refused = laaf(*arguments)
    assert refused.out == ""
    assert refused.err == snapshot
    assert refused.code in (ExitCode.USAGE, ExitCode.SPEC)
