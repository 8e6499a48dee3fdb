"""Going on with a training: bit for bit, from files and from memory; what is refused, and what is said."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Laaf, plan_of

from laaf_cli.checkpoint_files import CheckpointFiles
from laaf_cli.errors import RunFileError, SpecError, UsageError
from laaf_cli.finished_run import FinishedRun
from laaf_cli.network import Mlp
from laaf_cli.past_run import PastRun
from laaf_cli.plan import Plan
from laaf_cli.resumption import Wishes, resume
from laaf_cli.run import execute
from laaf_cli.runfile import write_run
from laaf_cli.training import OPTIMIZERS, Checkpoints, Objective, StateError, StopReason, Trainer, TrainingResult
from laaf_cli.training.checkpoints import SHARE

SPEC = """
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
learn: {k: {start: 0.1, positive: true}}
equations: {momentum: u_t + u*u_x = k*u_xx}
conditions:
  initial: {where: t = 0, equation: u = -sin(pi*x), points: 20, weight: 3}
  walls: {where: boundary, equation: u = 0, points: 20}
points: {interior: 60}
network: {hidden: [8, 8]}
slopes: {kind: nlaaf, n: 5, recovery: {weight: 0.5}}
reference: none
evaluation: {grid: {x: 9, t: 9}}
training: [{iterations: 8, learning_rate: 1e-2}, {optimizer: lbfgs, iterations: 14}]
"""

METHODS = {
    "plain": [],
    "rad in float64": ["points.resample={every: 5, method: rad}", "dtype=float64"],
    "rar-d, causal": ["points.resample={every: 5, method: rar-d}", "weights.balance={method: causal, epsilon: 5}"],
    "ntk, batch, interior": [
        "weights.balance={method: ntk, every: 3}",
        "training.0.batch=10",
        "training.1.interior=90",
    ],
    "self-adaptive, uniform": [
        "weights.balance={method: self-adaptive, every: 3}",
        "points.resample={every: 5, method: uniform}",
    ],
    "grad-norm, sobol": ["weights.balance={method: grad-norm, every: 3}", "points.sampler=sobol"],
    "lr-annealing, cosine": ["weights.balance={method: lr-annealing, every: 3}", "training.0.schedule=cosine"],
}


def history(result: TrainingResult) -> list[tuple[object, ...]]:
    """All that is recorded but the seconds."""
    return [
        (r.iteration, r.phase, r.total, r.learning_rate, *r.terms.values(), *r.weights.values(), *r.constants.values())
        + tuple(scale.tobytes() for scale in r.scales)
        for r in result.records
    ]


def objective_of(plan: Plan) -> Objective:
    return plan.make_objective(plan.make_network(), plan.draw_points())


def always(keep: Callable[[TrainingResult], None]) -> Checkpoints:
    """Checkpoints at every iteration."""
    checkpoints = Checkpoints(keep)
    checkpoints.is_due = lambda _now, phase_begins: True  # type: ignore[method-assign]
    return checkpoints


def copied(parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_training_is_the_unbroken_one(optimizer: str, method: str) -> None:
    """N + M iterations are N, and M with another trainer: bit for bit, from every fourth iteration."""
    plan = plan_of(SPEC, *METHODS[method], f"training.1.optimizer={optimizer}")
    unbroken = objective_of(plan)
    kept: list[tuple[TrainingResult, list[torch.Tensor]]] = []

    def keep(result: TrainingResult) -> None:
        kept.append((copy.deepcopy(result), copied(unbroken.all_parameters())))

    expected = Trainer(unbroken, plan.phases, checkpoints=always(keep)).train()
    assert len(kept) == 22
    assert expected.n_checkpoints == 22
    for before, parameters in kept[::4]:
        assert before.stop_reason is StopReason.RUNNING
        objective = objective_of(plan)
        with torch.no_grad():
            for own, value in zip(objective.network.parameters(), parameters, strict=False):
                own.copy_(value)
        objective.network.slopes.absorb(before.state.setting.slopes_absorbed)
        trainer = Trainer(objective, plan.phases)
        trainer.go_on(before.state, before.records, before.phases, before.events)
        found = trainer.train()
        assert history(found) == history(expected)
        assert all(map(torch.equal, objective.all_parameters(), unbroken.all_parameters()))
        assert [(p.optimizer, p.iterations, p.end) for p in found.phases] == [
            (p.optimizer, p.iterations, p.end) for p in expected.phases
        ]


def test_keeping_a_training_changes_nothing() -> None:
    """A product with the inverse Hessian, asked for in between, would be rounded otherwise."""
    plan = plan_of(SPEC, "training.1.optimizer=ssbroyden")
    kept, plain = objective_of(plan), objective_of(plan)
    assert history(Trainer(kept, plan.phases, checkpoints=always(lambda _result: None)).train()) == history(
        Trainer(plain, plan.phases).train()
    )


# --- Through files ---------------------------------------------------------------------------------------------------

PROBLEMS = {
    "learned constant": SPEC,
    "system in periodic space": """
coordinates: {x: [0, 2*pi], t: [0, 1]}
unknowns: [p, q]
periodic: {x: true}
equations: {a: p_t = q_x, b: q_t = p_x}
conditions: {start: {where: t = 0, equation: [p = sin(x), q = 0]}}
points: {interior: 50}
network: {hidden: [6, 6]}
slopes: {kind: gaaf, n: 2}
evaluation: {grid: {x: 8, t: 8}}
reference: none
""",
    "flux through curved places": """
coordinates: {x: [0, 1], y: [0, 1]}
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions:
  flux: {where: boundary, equation: dn(u) = 0.25, points: 16}
  mean: {where: x = 0, equation: u = y, points: 8}
points: {interior: 40, sampler: halton}
network: {hidden: [6]}
slopes: {kind: llaaf, n: 3}
evaluation: {grid: {x: 8, y: 8}}
reference: none
""",
    "data with noise": """
coordinates: {x: [0, 1]}
unknowns: [u]
data: {target: {u: sin(3*x)}, points: 30, noise: 0.1}
network: {hidden: [6]}
evaluation: {grid: {x: 8}}
""",
}


def run_of(plan: Plan, folder: Path) -> tuple[FinishedRun, list[Path]]:
    """A finished run, and the checkpoints of all its iterations."""
    paths: list[Path] = []

    def keep(unfinished: FinishedRun) -> None:
        paths.append(folder / f"{len(paths)}.h5")
        write_run(paths[-1], unfinished.record)

    return execute(plan, on_checkpoint=keep), paths


def same_runs(path: Path, other: Path) -> list[str]:
    """The datasets in which two run files differ, but for seconds and events."""
    different = []
    with h5py.File(path) as a, h5py.File(other) as b:
        names: dict[str, set[str]] = {}
        for key, file in (("a", a), ("b", b)):
            names[key] = set()
            file.visititems(
                lambda name, node, found=names[key]: found.add(name) if isinstance(node, h5py.Dataset) else None
            )
        assert names["a"] == names["b"]
        for name in names["a"] - {"history/wall_time_s", "history/events"}:
            x, y = a[name][()], b[name][()]
            equal = np.array_equal(x, y, equal_nan=np.asarray(x).dtype.kind == "f")
            different += [] if equal and np.asarray(x).dtype == np.asarray(y).dtype else [name]
        mine, others = dict(a["checkpoint"].attrs), dict(b["checkpoint"].attrs)
        different += [name for name in mine if not name.endswith("_s") and mine[name] != others[name]]
    return different


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_file_holds_all_that_going_on_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    monkeypatch.setattr(Checkpoints, "is_due", lambda *_, **__: True)
    training = "[{iterations: 7}, {optimizer: ssbroyden, iterations: 7}]"
    plan = plan_of(PROBLEMS[problem], f"training={training}", "dtype=float64")
    unbroken, checkpoints = run_of(plan, tmp_path)
    unbroken.save(tmp_path / "unbroken.h5")
    assert len(checkpoints) == 14
    for path in (checkpoints[0], checkpoints[3], checkpoints[7], checkpoints[11]):
        resumed = resume(PastRun.read(path), Wishes())
        assert resumed.inexact == ()
        execute(resumed.plan, past=resumed.past).save(tmp_path / "resumed.h5")
        assert same_runs(tmp_path / "resumed.h5", tmp_path / "unbroken.h5") == []
        with h5py.File(tmp_path / "resumed.h5") as file:
            events = json.loads(file["history/events"][()])
        assert events == [{"iteration": checkpoints.index(path), "what": "resumed"}]


def test_a_finished_run_goes_on_as_if_more_had_been_planned(tmp_path: Path, laaf: Laaf) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("[{iterations: 8, learning_rate: 1e-2}, {optimizer: lbfgs, iterations: 14}]", "[{iterations: 6}]"))
    short, long = tmp_path / "short.h5", tmp_path / "long.h5"
    assert laaf("solve", spec, "-o", short, "-q").code == 0
    assert laaf("solve", spec, "-o", long, "-q", "--iterations", 10).code == 0
    refused = laaf("resume", short)
    assert refused.code == 2
    assert "is finished, after 6 iterations; --iterations N trains it further" in refused.err
    resumed = laaf("resume", short, "--iterations", 4)
    assert resumed.code == 0
    assert f"going on from iteration 6 of 10, kept in {short}" in resumed.err
    assert same_runs(short, long) == ["spec/overrides"] or same_runs(short, long) == []


def test_what_is_not_exact_is_said(tmp_path: Path, laaf: Laaf) -> None:
    execute(plan_of(SPEC)).save(tmp_path / "run.h5")
    with h5py.File(tmp_path / "run.h5", "r+") as file:
        file.attrs["torch_version"] = "2.8.0"
    reseal(tmp_path / "run.h5")
    resumed = laaf("resume", tmp_path / "run.h5", "-i", 2, "--dtype", "float64")
    assert resumed.code == 0
    assert "warning: not bit for bit as without the break: torch: 2.8.0 before, 2." in resumed.err
    assert "not bit for bit as without the break: the precision: float32 before, float64 from here on" in resumed.err
    with h5py.File(tmp_path / "run.h5") as file:
        (event,) = json.loads(file["history/events"][()])
        assert file["network/layer_1/weight"].dtype == np.float64
    assert event["iteration"] == 22
    assert event["what"].startswith("resumed; 2 iterations more; torch: 2.8.0 before")
