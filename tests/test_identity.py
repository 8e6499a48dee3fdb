"""What makes two runs the same: everything that training sees counts, and nothing else."""

from __future__ import annotations

import pickle
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Laaf, plan_of

from laaf_cli.references.evolution.evolution import Evolution
from laaf_cli.runs.lifecycle import Identity, identity
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Override, Text
from laaf_cli.sweeps.grid import Alternative, plan_runs
from laaf_cli.sweeps.train import sweep

RODS = """
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 1, positive: true, truth: 2}}
equations: {rod: k*u_xx + 1 = 0}
conditions: {ends: {where: boundary, equation: u = 0}}
points: {interior: 20}
network: {hidden: [4]}
training: [{iterations: 2}]
"""
SAMPLED = RODS + "data: {reference: true, points: 10}\nreference: {exact: {u: x*(1 - x)/4}}\n"


def hashes(*assignments: str) -> tuple[str, str]:
    return plan_of(SAMPLED, *assignments).hashes


@pytest.mark.parametrize(
    ("assignment", "problem_differs", "method_differs"),
    [
        ("learn.k.truth=3", True, False),
        ("learn.k.start=3", False, True),
        ("data.noise=0.1", True, False),
        ("data.points=11", False, True),
        ("reference={exact: {u: x**3}}", True, False),
        ("conditions.ends.weight=2", False, True),
        ("conditions.ends.points=2", False, True),
        ("conditions.ends.equation=u = 1", True, False),
        ("transform={u: x*(1 - x)*net}", False, True),
        ("weights.balance=grad-norm", False, True),
        ("points.resample={every: 5}", False, True),
        ("points.validation=7", False, False),
        ("evaluation.grid={x: 7}", False, False),
        ("seed=5", False, False),
        ("checkpoint.every_s=5", False, False),
        ("checkpoint=false", False, False),
    ],
)
def test_what_counts(assignment: str, problem_differs: bool, method_differs: bool) -> None:
    before, after = hashes(), hashes(assignment)
    assert (before[0] != after[0], before[1] != after[1]) == (problem_differs, method_differs)


def test_the_kernel_counts_as_the_fastest_engine() -> None:
    """Asked for or taken by itself, it computes the same."""
    plan = plan_of(SAMPLED)
    by_engine = {
        name: replace(plan, engine_name=name).hashes
        for name in ("auto", "fused", "taylor", "nested")
    }
    assert by_engine["fused"] == by_engine["auto"]
    assert len({method for _, method in by_engine.values()}) == 3


@pytest.mark.parametrize("place", ["data", "conditions.given"])
def test_weights_of_rows_count(tmp_path: Path, place: str) -> None:
    def told(weights: list[float], column: str = ", weights: w") -> tuple[str, str]:
        rows = zip([0.2, 0.5], [1.0, 2.0], weights, strict=True)
        (tmp_path / "d.csv").write_text("x,u,w\n" + "".join(f"{x},{u},{w}\n" for x, u, w in rows))
        key = "file" if place == "data" else "data"
        return plan_of(RODS, f"{place}={{{key}: '{tmp_path / 'd.csv'}'{column}}}").hashes

    plain, other = told([1.0, 1.0]), told([1.0, 2.0])
    assert plain != other
    assert told([1.0, 2.0], "") != other


def test_the_file_of_a_reference_counts(tmp_path: Path) -> None:
    def measured_by(factor: float) -> Identity:
        x = np.linspace(0, 1, 21)
        np.savez(tmp_path / "u.npz", x=x, u=factor * x)
        plan = plan_of(
            RODS + "data: {target: {u: x}, points: 5}\n",
            f"reference={{file: '{tmp_path / 'u.npz'}'}}",
        )
        return identity(plan)

    first = measured_by(1.0)
    assert measured_by(1.0) == first
    assert measured_by(2.0) != first


@pytest.mark.parametrize("command", ["check", "solve", "sweep", "reference"])
def test_a_reference_that_fails_ends_every_command_alike(
    laaf: Laaf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The solution of u′ = u² from 1 is infinite at t = 1; the data are its values."""
    monkeypatch.chdir(tmp_path)
    Path("blow.yaml").write_text(
        "coordinates: {t: [0, 3]}\nunknowns: [u]\nlearn: {k: {start: 0.5, truth: 1}}\n"
        "equations: {grow: u_t = k*u**2}\nconditions: {start: {where: t = 0, equation: u = 1}}\n"
        "points: {interior: 20}\nnetwork: {hidden: [4]}\ntraining: [{iterations: 2}]\n"
        "data: {reference: true, points: 5}\n"
    )
    more = ("--seeds", "1", "-a", "fixed", "-j", "1") if command == "sweep" else ()
    outcome = laaf(command, "blow.yaml", "-q", *more)
    assert outcome.code == 3, outcome.err
    assert "Traceback" not in outcome.err


def test_the_reference_of_a_sweep_is_solved_once_and_travels(tmp_path: Path) -> None:
    """Methods and seeds share it, and a worker gets it with its solution."""
    text = Text(
        "decay.yaml",
        "coordinates: {t: [0, 1]}\nunknowns: [u]\nequations: {e: u_t = -u}\n"
        "conditions: {start: {where: t = 0, equation: u = 1}}\ntraining: [{iterations: 1}]\n",
    )
    kinds = [
        Alternative.of(Override.from_assignment(f"slopes.kind={kind}"))
        for kind in ("fixed", "llaaf")
    ]
    runs = plan_runs(partial(make_plan, text, cache=False), [kinds], [0, 1], tmp_path)
    references = [run.plan.reference for run in runs]
    assert len(runs) == 4
    assert all(reference is references[0] for reference in references)
    sent: list[Evolution] = []

    class Recording(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
            sent.append(pickle.loads(pickle.dumps(arguments[0])).reference)  # noqa: S301 - it is our own
            return super().submit(fn, *arguments, **keywords)

    with Recording(1) as executor:
        sweep(runs, executor)
    assert len(sent) == 4
    assert all(reference.solutions is not None for reference in sent)
