"""The jobs of docs/comparing.md: green on an unchanged spec, exit code 6 where the error has grown."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Laaf, Outcome
from test_docs import ROOT, SEEDS, blocks

from laaf_cli.errors import ExitCode

PAGE = ROOT / "docs" / "comparing.md"

SPEC = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -u}
conditions: {start: {where: t = 0, equation: u = 1}}
transform: {u: 1 - t + t**2*net}
points: {interior: 20, validation: 20}
network: {hidden: [5]}
slopes: {n: 1}
training: [{iterations: 300, learning_rate: 0.01}]
reference: {exact: {u: exp(-t)}}
"""
"""What takes the place of the page's `rod.yaml`, and is solved in no time."""

Run = Callable[[str], Outcome]

SLOWDOWN = re.compile(r"(?<=--max-slowdown) [\d.]+")


def shell_blocks() -> list[str]:
    return [block.body for block in blocks(PAGE) if block.language == "sh"]


def workflow() -> dict[Any, Any]:
    (found,) = (
        block.body
        for block in blocks(PAGE)
        if block.language == "yaml" and block.body.startswith("name:")
    )
    read: dict[Any, Any] = yaml.safe_load(found)
    return read


def steps() -> dict[str, str]:
    """What the steps of the workflow run of laaf, by name."""
    (job,) = workflow()["jobs"].values()
    return {
        step["name"]: step["run"]
        for step in job["steps"]
        if step.get("run", "").startswith("laaf ")
    }


@pytest.fixture
def run(laaf: Laaf, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Run:
    """Runs a script line by line up to the first that fails, with two seeds, in this process.

    Starting a process takes longer than these trainings, whose seconds say nothing.
    """
    monkeypatch.setattr("laaf_cli.sweeps.train.LocalProcesses", ThreadPoolExecutor)
    monkeypatch.chdir(repository)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")

    def lines(script: str) -> Outcome:
        outcome = Outcome(0, "", "")
        for line in SLOWDOWN.sub(" 1000", SEEDS.sub(" 2", script)).splitlines():
            program, *arguments = shlex.split(os.path.expandvars(line), comments=True) or ["set"]
            if program in ("set", "git"):
                continue
            assert program == "laaf", line
            command, target = arguments, None
            if arguments[-2] in (">", ">>"):
                *command, _, target = arguments
            outcome = laaf(*command, *(["--jobs", 1] if command[0] == "sweep" else []))
            if target is not None:
                Path(target).write_text(outcome.out)
            if outcome.code:
                break
        return outcome

    return lines


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repository")


@pytest.fixture
def baseline(run: Run, repository: Path) -> Path:
    """The baseline that the page's first command makes of the spec."""
    (repository / "rod.yaml").write_text(SPEC)
    first, *_ = shell_blocks()
    done = run(first)
    assert done.code == 0, done.err
    names = [path.name for path in sorted((repository / "baseline").iterdir())]
    assert names == ["rod-nlaaf-n1-s0.h5", "rod-nlaaf-n1-s1.h5"]
    return repository / "baseline"


def test_the_workflow_is_one_of_github_actions() -> None:
    read = workflow()
    assert set(read[True]) == {"push", "pull_request", "workflow_dispatch"}, (
        "YAML 1.1 reads the key on as true"
    )
    (job,) = read["jobs"].values()
    for step in job["steps"]:
        assert len({"run", "uses"} & set(step)) == 1
        assert set(step) <= {"name", "run", "uses", "with", "if"}
    uploaded = next(
        step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact")
    )
    assert uploaded["if"] == "always()", "the runs of a job that failed are those to look at"


def test_an_unchanged_spec_is_green(run: Run, baseline: Path) -> None:
    assert baseline.exists()
    assert list(steps()) == ["Check the spec", "Train", "Measure by the baseline", "Report"]
    done = run("\n".join(steps().values()))
    assert done.code == 0, done.err
    assert Path("summary.md").read_text().startswith("| method | runs |")


def test_a_regression_ends_with_6(run: Run, baseline: Path) -> None:
    """In the script, whose exit code is that of the command that failed, and in the step of the workflow."""
    assert baseline.exists()
    worse = SPEC.replace("iterations: 300", "iterations: 1")
    assert worse != SPEC
    Path("rod.yaml").write_text(worse)
    (script,) = (body for body in shell_blocks() if body.startswith("#!"))
    assert "\nset -eu\n" in script
    done = run(script)
    assert done.code == ExitCode.BOUND_EXCEEDED, done.err
    assert "times that of the stored run" in done.err
    assert len(json.loads(Path("comparison.json").read_text())["exceeded"]) == 3, (
        "the median, and both runs"
    )
    assert run(steps()["Measure by the baseline"]).code == ExitCode.BOUND_EXCEEDED


def test_one_seed_without_a_baseline(run: Run, baseline: Path) -> None:
    assert baseline.exists()
    (single,) = (body for body in shell_blocks() if body.startswith("laaf solve"))
    assert run(single.replace("--quiet", "--quiet --overwrite")).code == 0
    worse = run(single.replace("--quiet", "--quiet --overwrite --iterations 1"))
    assert worse.code == ExitCode.BOUND_EXCEEDED
