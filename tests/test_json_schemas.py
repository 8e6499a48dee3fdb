"""What `--json` prints follows the schemas of docs/schemas, which refuse what it does not print."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import Laaf
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from laaf_cli.cli.app import COMMANDS
from laaf_cli.cli.outputs import records
from laaf_cli.errors import ExitCode
from laaf_cli.json_record import JsonRecord, record_schema
from laaf_cli.runs.interrupt import StopFlag
from laaf_cli.training import PhaseEnd, StopReason

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "schemas"

SPEC = """
title: Decay
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
constants: {k: 0.5}
equations: {decay: u_t = -k*u}
conditions: {start: {where: t = 0, equation: u = 1, points: 10}}
points: {interior: 20, validation: 20}
network: {hidden: [4]}
training: [{iterations: 3}]
reference: {exact: {u: exp(-k*t)}}
evaluation: {grid: {x: 3, t: 5}}
"""

LEARNED = """
coordinates: {t: [0, 1]}
unknowns: [u]
learn: {k: {start: 0.1, bounds: [0, 2], truth: 0.5}, c: {start: 1}}
equations: {decay: u_t = -k*c*u}
data: {target: {u: exp(-0.5*t)}, points: 10}
points: {interior: 20, validation: 20}
network: {hidden: [4]}
training: [{iterations: 3}]
"""

KINDS: dict[str, tuple[str, tuple[str, ...], ExitCode]] = {
    "with a reference": (SPEC, (), ExitCode.OK),
    "without one": (SPEC, ("reference=none",), ExitCode.OK),
    "with none found": (
        SPEC,
        ("reference=auto", "equations.decay=u_t = -k*u + abs(x - 0.3)*u_x**2"),
        ExitCode.OK,
    ),
    "fixed slopes": (SPEC, ("slopes.kind=fixed",), ExitCode.OK),
    "gaaf, no recovery": (SPEC, ("slopes.kind=gaaf", "slopes.recovery=false"), ExitCode.OK),
    "two layers, float64": (SPEC, ("network.hidden=[3, 3]", "dtype=float64"), ExitCode.OK),
    "resampling and balance": (
        SPEC,
        (
            "points.resample={every: 2, method: rad}",
            "weights.balance=grad-norm",
            "data={reference: true, points: 5}",
        ),
        ExitCode.OK,
    ),
    "learned constants": (LEARNED, (), ExitCode.OK),
    "quasi-Newton phase": (
        SPEC,
        ("training=[{iterations: 3}, {optimizer: ssbroyden, iterations: 3}]",),
        ExitCode.OK,
    ),
    "diverged": (
        SPEC,
        ("training.0.learning_rate=1e30", "training.0.iterations=200"),
        ExitCode.DIVERGED,
    ),
    "interrupted": (SPEC, (), ExitCode.INTERRUPTED),
}


def schema(command: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{command}.json").read_text("utf-8"))


def faults(command: str, value: object) -> list[str]:
    """What is wrong with an output, if anything; of a command with several outputs by the one that fits best."""
    found = list(Draft202012Validator(schema(command)).iter_errors(value))
    if [fault.validator for fault in found] == ["anyOf"]:
        by_record: dict[object, list[ValidationError]] = {}
        for fault in found[0].context:
            by_record.setdefault(fault.schema_path[0], []).append(fault)
        found = min(by_record.values(), key=len)
    return [f"{fault.json_path}: {fault.message}" for fault in found]


def told(command: str, out: str) -> dict[str, Any]:
    """An output that follows its schema."""
    value: dict[str, Any] = json.loads(out)
    assert faults(command, value) == []
    return value


def test_every_command_with_json_has_one() -> None:
    assert {
        name
        for name, command in COMMANDS.items()
        if "json" in inspect.signature(command.load()).parameters
    } == set(records())


@pytest.mark.parametrize("command", records())
def test_schemas_are_schemas(command: str) -> None:
    Draft202012Validator.check_schema(schema(command))
    assert schema(command)["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    assert all(part.get("additionalProperties") is not None for part in objects(schema(command)))


def objects(part: object) -> Iterator[dict[str, Any]]:
    """Every schema of an object within a schema."""
    if isinstance(part, dict):
        if part.get("type") in ("object", ["object", "null"]):
            yield part
        for inner in part.values():
            yield from objects(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from objects(inner)


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_every_kind(
    laaf: Laaf, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, settings, code = KINDS[kind]
    (tmp_path / "spec.yaml").write_text(spec)
    arguments = [
        tmp_path / "spec.yaml",
        *(word for setting in settings for word in ("--set", setting)),
    ]
    checked = laaf("check", *arguments, "--json")
    assert checked.code == 0, checked.err
    told("check", checked.out)
    if code is ExitCode.INTERRUPTED:
        monkeypatch.setattr(StopFlag, "is_set", lambda _: True)
    solved = laaf("solve", *arguments, "--output", tmp_path / "run.h5", "--json", "--quiet")
    assert solved.code == code, solved.err
    summary = told("solve", solved.out)
    shown = laaf("show", tmp_path / "run.h5", "--json")
    assert shown.code == 0, shown.err
    overview = told("show", shown.out)
    assert bool(summary["no_reference"]) == (kind in ("with none found", "learned constants"))
    assert (summary["relative_l2"] is None) == (
        kind in ("without one", "with none found", "learned constants")
    )
    assert overview["attributes"]["stop_reason"] == summary["stop_reason"]
    assert overview["settings"] == json.loads(checked.out)["settings"]
    told("compare", laaf("compare", tmp_path / "run.h5", "--json").out)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def runs(laaf: Laaf, folder: Path) -> Path:
    """Two seeds of two methods, and where they were trained what the sweep told."""
    spec = folder / "spec.yaml"
    if not spec.exists():
        spec.write_text(SPEC)
        swept = laaf(
            "sweep",
            spec,
            "-a",
            "fixed,nlaaf",
            "--seeds",
            2,
            "-j",
            1,
            "-d",
            folder / "runs",
            "--json",
            "--quiet",
        )
        assert swept.code == 0, swept.err
        (folder / "sweep.json").write_text(swept.out)
    return folder / "runs"


def test_sweeps(runs: Path) -> None:
    swept = told("sweep", (runs.parent / "sweep.json").read_text())
    assert [len(group["seeds"]) for group in swept["groups"]] == [2, 2]


def test_comparisons(laaf: Laaf, runs: Path) -> None:
    paired = told("compare", laaf("compare", runs, "--baseline", "fixed", "--json").out)
    assert [group["pairs"] for group in paired["groups"]] == [None, 2]
    (runs.parent / "broken.h5").write_text("no run")
    gated = laaf(
        "compare",
        runs,
        runs.parent / "broken.h5",
        "--against",
        runs,
        "--max-regression",
        0.1,
        "--json",
    )
    assert gated.code == ExitCode.BOUND_EXCEEDED
    output = told("compare", gated.out)
    assert len(output["exceeded"]) == 2
    assert "the bound is 0.1 times" in output["exceeded"][0]
    assert "broken.h5" in output["unreadable"][0]


def test_references(laaf: Laaf, runs: Path, tmp_path: Path) -> None:
    assert runs
    spec = runs.parent / "spec.yaml"
    assert told("reference", laaf("reference", spec, "--json", "-q").out)["path"] is None
    written = told(
        "reference", laaf("reference", spec, "--output", tmp_path / "u.npz", "--json", "-q").out
    )
    assert written["path"] == str(tmp_path / "u.npz")


def test_resumed_runs(laaf: Laaf, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    run = tmp_path / "run.h5"
    assert laaf("solve", tmp_path / "spec.yaml", "--output", run, "--quiet").code == 0
    resumed = laaf("resume", run, "--iterations", 2, "--json", "--quiet")
    assert resumed.code == 0, resumed.err
    summary = told("resume", resumed.out)
    assert (summary["iterations"], len(summary["events"])) == (5, 1)
    overview = told("show", laaf("show", run, "--json").out)
    assert overview["events"] == summary["events"]
    assert overview["phases"] == summary["phases"]


@dataclass(frozen=True)
class Place:
    """A value within an output: what holds it, and under which key."""

    holder: Any
    key: str | int


def places(value: object) -> Iterator[Place]:
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield Place(value, key)
            yield from places(value[key])  # type: ignore[index]


@pytest.mark.parametrize("command", ["check", "compare", "show", "solve"])
def test_wrong_outputs_are_refused(laaf: Laaf, runs: Path, command: str) -> None:
    run = runs / "spec-nlaaf-n10-s0.h5"
    arguments = {
        "check": ("check", runs.parent / "spec.yaml"),
        "compare": ("compare", runs, "--baseline", "fixed"),
        "show": ("show", run),
        "solve": (
            "solve",
            runs.parent / "spec.yaml",
            "--output",
            runs.parent / "new.h5",
            "--quiet",
        ),
    }[command]
    right = told(command, laaf(*arguments, "--json").out)
    assert faults(command, right | {"made_up": 1}) == [
        "$: Additional properties are not allowed ('made_up' was unexpected)"
    ]
    for key in right:
        assert faults(command, {name: value for name, value in right.items() if name != key}) == [
            f"$: '{key}' is a required property"
        ]
    validator = Draft202012Validator(schema(command))
    found = list(places(right))[:300]
    assert len(found) > 30
    for place in found:
        kept = place.holder[place.key]
        place.holder[place.key] = "made up" if isinstance(kept, dict) else [{"made up": 1}]
        assert not validator.is_valid(right), place
        place.holder[place.key] = kept
    assert validator.is_valid(right)


def test_the_words_name_every_end() -> None:
    summary = schema("solve")
    phase = summary["$defs"]["PhaseSummary"]["properties"]["end"]["description"]
    assert all(f"`{end.value}`" in phase for end in PhaseEnd)
    reasons = (
        summary["properties"]["stop_reason"],
        schema("classify")["properties"]["stop_reason"],
        *(
            schema("show")["$defs"][record]["properties"]["attributes"]["properties"]["stop_reason"]
            for record in ("RunReport", "ImageRunReport")
        ),
        schema("compare")["$defs"]["SeedRecord"]["properties"]["stop_reason"],
    )
    for reason in reasons:
        assert all(f"`{end.value}`" in reason["description"] for end in StopReason)


@dataclass(frozen=True)
class Undocumented(JsonRecord):
    """A record one of whose fields nobody has described."""

    known: int
    """What it is."""
    unknown: int


def test_a_field_without_a_docstring_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Undocumented\.unknown has no docstring"):
        record_schema("made-up", Undocumented)
