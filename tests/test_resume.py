"""Going on with a training: bit for bit, from files and from memory; what is refused, and what is said."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Laaf, plan_of, resealed
from jsonschema import Draft202012Validator

from laaf_cli.errors import RunFileError
from laaf_cli.files.lock import CHECKPOINTS
from laaf_cli.runfile import write_run
from laaf_cli.runfile.seal import seal
from laaf_cli.runs.checkpoints import CheckpointFiles
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.interrupt import StopFlag
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.resume.resumption import EquationResumeOptions, resume
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.runs.train import execute
from laaf_cli.training import (
    OPTIMIZERS,
    Checkpoints,
    Objective,
    StopReason,
    Trainer,
    TrainingResult,
)
from laaf_cli.training.checkpoints import SHARE

SPEC = """
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
learn: {k: {start: 0.1, positive: true}}
equations: {momentum: u_t + u*u_x = k*u_xx}
conditions:
  initial: {where: t = 0, equation: u = -sin(pi*x), points: 20, weight: 3}
  walls: {where: boundary, equation: u = 0, points: 20}
data: {target: {u: -exp(-t)*sin(pi*x)}, points: 10}
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
    "rar-d, causal": [
        "points.resample={every: 5, method: rar-d}",
        "weights.balance={method: causal, epsilon: 5}",
    ],
    "ntk, batch, interior": [
        "weights.balance={method: ntk, every: 3}",
        "training.0.batch=10",
        "training.1.interior=90",
        "points.resample={every: 5, method: rad}",
    ],
    "self-adaptive, uniform": [
        "weights.balance={method: self-adaptive, every: 3}",
        "points.resample={every: 5, method: uniform}",
    ],
    "grad-norm, sobol": ["weights.balance={method: grad-norm, every: 3}", "points.sampler=sobol"],
    "lr-annealing, cosine": [
        "weights.balance={method: lr-annealing, every: 3}",
        "training.0.schedule=cosine",
    ],
}


def history(result: TrainingResult) -> list[tuple[object, ...]]:
    """All that is recorded but the seconds."""
    numbers = [
        (
            r.iteration,
            r.phase,
            r.total,
            r.learning_rate,
            *r.terms.values(),
            *r.weights.values(),
            *r.constants.values(),
        )
        for r in result.records
    ]
    return [*numbers, *(tuple(scale.tobytes() for scale in r.scales) for r in result.records)]


def objective_of(plan: Plan) -> Objective:
    return plan.make_objective(plan.make_network(), plan.draw_points())


def always(keep: Callable[[TrainingResult], None]) -> Checkpoints:
    """Checkpoints at every iteration."""
    return _Always(keep=keep)


class _Always(Checkpoints):
    def is_due(self, now: float, *, phase_begins: bool) -> bool:  # noqa: ARG002 - the signature is that of the parent
        return True


def copied(parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "optimizer", [name for name, row in OPTIMIZERS.items() if not row.draws_neurons]
)
def test_a_resumed_training_is_the_unbroken_one(
    monkeypatch: pytest.MonkeyPatch, optimizer: str, method: str
) -> None:
    """N + M iterations are N, and M with another trainer: bit for bit, from each phase and from between them."""
    monkeypatch.setattr("laaf_cli.training.inverse_hessian.REFRESH", 5)
    plan = plan_of(SPEC, *METHODS[method], f"training.1.optimizer={optimizer}")
    unbroken = objective_of(plan)
    kept: list[tuple[TrainingResult, list[torch.Tensor]]] = []

    def keep(result: TrainingResult) -> None:
        kept.append((copy.deepcopy(result), copied(unbroken.all_parameters())))

    expected = Trainer(unbroken, plan.phases, checkpoints=always(keep)).train()
    assert len(kept) == 22
    assert expected.n_checkpoints == 22
    for before, parameters in (kept[3], kept[8], kept[17]):
        assert before.stop_reason is StopReason.RUNNING
        objective = objective_of(plan)
        with torch.no_grad():
            for own, value in zip(objective.network.parameters(), parameters, strict=False):
                own.copy_(value)
        objective.network.slopes.absorb(before.state.adaptive.slopes_absorbed)
        trainer = Trainer(objective, plan.phases)
        trainer.resume(before.state, before.records, before.phases, before.events)
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
    assert history(
        Trainer(kept, plan.phases, checkpoints=always(lambda _result: None)).train()
    ) == history(Trainer(plain, plan.phases).train())


# --- Through files ---------------------------------------------------------------------------------------------------

PROBLEMS = {
    "learned constant": SPEC,
    "points that are added, weights that rise": SPEC.replace(
        "interior: 60}", "interior: 60, resample: {every: 5, method: rar-d}}"
    )
    + "weights: {balance: {method: self-adaptive, every: 5}}\n",
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
  flux: {where: [x = 0, x = 1, y = 1], equation: u_n = 0.25, points: 16}
  base: {where: y = 0, equation: u = x, points: 8}
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


def run_of(plan: Plan, folder: Path, retries: int = 0) -> tuple[FinishedRun, list[Path]]:
    """A finished run, and the checkpoints of all its iterations."""
    paths: list[Path] = []

    def keep(unfinished: FinishedRun) -> None:
        paths.append(folder / f"{len(paths)}.h5")
        write_run(paths[-1], unfinished.record)

    return execute(plan, on_checkpoint=keep, retries=retries), paths


def same_runs(path: Path, other: Path) -> list[str]:
    """The datasets and attributes in which two run files differ, but for seconds and events."""
    different = []
    with h5py.File(path) as a, h5py.File(other) as b:
        names: dict[str, set[str]] = {}
        for key, file in (("a", a), ("b", b)):
            names[key] = set()
            file.visititems(
                lambda name, node, found=names[key]: (
                    found.add(name) if isinstance(node, h5py.Dataset) else None
                )
            )
        assert names["a"] == names["b"]
        for name in names["a"] - {"history/wall_time_s", "history/events"}:
            x, y = a[name][()], b[name][()]
            equal = np.array_equal(x, y, equal_nan=np.asarray(x).dtype.kind == "f")
            different += [] if equal and np.asarray(x).dtype == np.asarray(y).dtype else [name]
        for group in ("/", "checkpoint"):
            mine, others = dict(a[group].attrs), dict(b[group].attrs)
            for name in mine.keys() - {"created", "n_checkpoints"}:
                equal = mine[name] == others[name] or mine[name] != mine[name]
                different += [] if equal or name.endswith("_s") else [f"{group} {name}"]
    return different


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_file_holds_all_that_going_on_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    monkeypatch.setattr(Checkpoints, "is_due", lambda *_, phase_begins: phase_begins is not None)
    training = "[{iterations: 7}, {optimizer: ssbroyden, iterations: 7}]"
    plan = plan_of(PROBLEMS[problem], f"training={training}", "dtype=float64")
    unbroken, checkpoints = run_of(plan, tmp_path)
    unbroken.save(tmp_path / "unbroken.h5")
    assert len(checkpoints) == 14
    for path in (checkpoints[0], checkpoints[5], checkpoints[7], checkpoints[10]):
        resumed = resume(PastRun.read(path), EquationResumeOptions())
        assert resumed.inexact == ()
        execute(resumed.plan, past=resumed.past).save(tmp_path / "resumed.h5")
        assert same_runs(tmp_path / "resumed.h5", tmp_path / "unbroken.h5") == []
        with h5py.File(tmp_path / "resumed.h5") as file:
            events = json.loads(file["history/events"][()])
        assert events == [{"iteration": checkpoints.index(path), "what": "resumed"}]


def test_a_finished_run_is_resumed_as_if_more_had_been_planned(tmp_path: Path, laaf: Laaf) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        SPEC.replace(
            "[{iterations: 8, learning_rate: 1e-2}, {optimizer: lbfgs, iterations: 14}]",
            "[{iterations: 6}]",
        )
    )
    short, long = tmp_path / "short.h5", tmp_path / "long.h5"
    assert laaf("solve", spec, "-o", short, "-q").code == 0
    assert laaf("solve", spec, "-o", long, "-q", "--iterations", 10).code == 0
    refused = laaf("resume", short)
    assert refused.code == 2
    assert "is finished, after 6 iterations; --iterations N trains it further" in refused.err
    resumed = laaf("resume", short, "--iterations", 4)
    assert resumed.code == 0
    assert f"resuming at iteration 6 of 10, from {short}" in resumed.err
    assert set(same_runs(short, long)) <= {"spec/overrides"}


@pytest.mark.parametrize("stopped_at", [0, 5, 6, 8, 11])
def test_a_run_that_was_interrupted_is_the_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: int
) -> None:
    """The record that ends it stays only where one is due; three iterations apart, and at the start of each phase."""
    monkeypatch.setattr("laaf_cli.training.trainer.N_RECORDS", 7)
    plan = plan_of(SPEC, "training.0.batch=10", "weights.balance={method: causal}")
    execute(plan).save(tmp_path / "unbroken.h5")
    asked: list[int] = []
    stopped = execute(plan, should_stop=lambda: bool(asked.append(0)) or len(asked) > stopped_at)
    stopped.save(tmp_path / "run.h5")
    assert stopped.summary.stop_reason == "interrupted"
    assert stopped.record.history.columns["iteration"][-1] == stopped_at
    resumed = resume(PastRun.read(tmp_path / "run.h5"), EquationResumeOptions())
    execute(resumed.plan, past=resumed.past).save(tmp_path / "resumed.h5")
    assert same_runs(tmp_path / "resumed.h5", tmp_path / "unbroken.h5") == []


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains_further_as_if_more_had_been_planned(
    tmp_path: Path, optimizer: str
) -> None:
    """The last step of a finished run is followed by the step that would have followed."""

    def plan(iterations: int) -> Plan:
        training = f"[{{iterations: 4}}, {{optimizer: {optimizer}, iterations: {iterations}}}]"
        return plan_of(SPEC, *METHODS["rar-d, causal"], f"training={training}")

    short, long = tmp_path / "short.h5", tmp_path / "long.h5"
    execute(plan(8)).save(short)
    execute(plan(12)).save(long)
    resumed = resume(PastRun.read(short), EquationResumeOptions(iterations=4))
    execute(resumed.plan, past=resumed.past).save(short)
    assert same_runs(short, long) == ["spec/overrides"]


def test_what_is_not_exact_is_said(tmp_path: Path, laaf: Laaf) -> None:
    execute(plan_of(SPEC)).save(tmp_path / "run.h5")
    with resealed(tmp_path / "run.h5") as file:
        file.attrs["torch_version"] = "2.8.0"
        file.attrs["scipy_version"] = "1.2.0"
    resumed = laaf("resume", tmp_path / "run.h5", "-i", 2, "--dtype", "float64")
    assert resumed.code == 0
    assert "warning: not bitwise identical to an uninterrupted run: torch 2.8.0 → 2." in resumed.err
    assert "not bitwise identical to an uninterrupted run: SciPy 1.2.0 → 1." in resumed.err
    assert (
        "not bitwise identical to an uninterrupted run: precision float32 → float64" in resumed.err
    )
    with h5py.File(tmp_path / "run.h5") as file:
        (event,) = json.loads(file["history/events"][()])
        assert file["network/layer_1/weight"].dtype == np.float64
    assert event["iteration"] == 22
    assert event["what"].startswith("resumed; 2 iterations more; torch 2.8.0 →")


# --- What has changed since ------------------------------------------------------------------------------------------

PLAIN = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -u}
conditions: {start: {where: t = 0, equation: u = 1}}
points: {interior: 20}
network: {hidden: [6]}
training: [{iterations: 6}]
reference: {exact: {u: exp(-t)}}
evaluation: {grid: {t: 9}}
"""


def trained(folder: Path, laaf: Laaf, yaml: str = PLAIN, *more: object) -> tuple[Path, Path]:
    """A spec, and a finished run of it."""
    spec, run = folder / "spec.yaml", folder / "run.h5"
    spec.write_text(yaml)
    assert laaf("solve", spec, "-o", run, "-q", *more).code == 0
    return spec, run


def test_a_changed_spec_is_refused_with_the_difference(tmp_path: Path, laaf: Laaf) -> None:
    spec, run = trained(tmp_path, laaf, PLAIN, "--n", 3, "--set", "points.interior=30")
    before = run.read_bytes()
    spec.write_text(
        PLAIN.replace("[6]", "[7]").replace("-u}", "-2*u}").replace("interior: 20", "interior: 25")
    )
    refused = laaf("resume", run, "-i", 2)
    assert (refused.code, run.read_bytes()) == (3, before)
    assert refused.err == (
        f"error: {spec} has changed since {run} was made from it\n"
        "  equations.decay: u_t = -u → u_t = -2*u\n"
        "  network.hidden.0: 6 → 7\n"
        "Undo the change, or start over, or resume with the spec as it was: "
        f"laaf resume {run} --stored-spec\n"
    ), "what the command line put over the spec has not changed"
    assert laaf("resume", run, "-i", 2, "--stored-spec", "-q").code == 0
    spec.write_text("password: [broken")
    refused = laaf("resume", run, "-i", 2, "-q")
    assert refused.code == 3
    assert refused.err == (
        f"error: {spec} has changed since {run} was made from it, and is no longer a valid spec\n"
        "Undo the change, or start over, or resume with the spec as it was: "
        f"laaf resume {run} --stored-spec\n"
    ), "a run file may name any file, whose lines are nobody's business"
    spec.write_text(f"# another comment\n{PLAIN}")
    assert laaf("resume", run, "-i", 2, "-q").code == 0
    spec.unlink()
    assert laaf("resume", run, "-i", 2, "-q").code == 0
    with h5py.File(run) as file:
        assert [event["iteration"] for event in json.loads(file["history/events"][()])] == [
            6,
            8,
            10,
        ]
        assert json.loads(file["spec/settings"][()])["slopes"]["n"] == 3


def test_changed_data_are_refused(tmp_path: Path, laaf: Laaf) -> None:
    data = tmp_path / "data.csv"
    data.write_text("t,u\n0,1\n0.5,0.6\n1,0.4\n")
    _, run = trained(tmp_path, laaf, PLAIN + "data: {file: data.csv}\n")
    assert laaf("resume", run, "-i", 1, "-q").code == 0
    data.write_text("t,u\n0,1\n0.5,0.7\n1,0.4\n")
    refused = laaf("resume", run, "-i", 1, "--stored-spec")
    assert refused.code == 3
    assert "the data that the spec names have changed since" in refused.err


def test_a_changed_python_file_is_refused(tmp_path: Path, laaf: Laaf) -> None:
    terms = tmp_path / "terms.py"
    terms.write_text("def rate(u):\n    return -u\n")
    yaml = PLAIN.replace("u_t = -u}", "u_t = rate(u)}") + "functions: terms.py\n"
    _, run = trained(tmp_path, laaf, yaml, "--allow-python")
    assert laaf("resume", run, "-i", 1).code == 3, "not without --allow-python"
    assert laaf("resume", run, "-i", 1, "-q", "--allow-python").code == 0
    terms.write_text(
        f"def rate(u):\n    return -2 * u\n\n\nopen({str(tmp_path / 'was run')!r}, 'w').close()\n"
    )
    refused = laaf("resume", run, "-i", 1, "--allow-python")
    assert refused.code == 3
    assert f"{terms} has changed since the run was made with it, and is not run" in refused.err
    assert not (tmp_path / "was run").exists()


# --- Bounds and divergence -------------------------------------------------------------------------------------------


def test_a_bound_on_seconds_is_moved(
    tmp_path: Path, laaf: Laaf, ticking: Callable[[float], None]
) -> None:
    ticking(0.01)
    _, run = trained(tmp_path, laaf, PLAIN, "--iterations", 100_000, "--max-seconds", 0.2)
    refused = laaf("resume", run)
    assert refused.code == 2
    assert (
        "ended at its bound of 0.2 seconds; --max-seconds X trains it X seconds further"
        in refused.err
    )
    with h5py.File(run) as file:
        iterations, seconds = file.attrs["iterations"], file.attrs["wall_time_s"]
    assert laaf("resume", run, "--max-seconds", 0.3, "-q").code == 0
    with h5py.File(run) as file:
        assert file.attrs["stop_reason"] == "max-seconds"
        assert file.attrs["iterations"] > iterations
        assert seconds + 0.29 < file.attrs["wall_time_s"] < seconds + 0.35


def test_a_phase_that_its_seconds_ended_is_resumed(
    tmp_path: Path, laaf: Laaf, ticking: Callable[[float], None]
) -> None:
    ticking(0.01)
    _, run = trained(
        tmp_path, laaf, PLAIN.replace("{iterations: 6}", "{iterations: 100000, max_seconds: 0.1}")
    )
    with h5py.File(run) as file:
        iterations = int(file.attrs["iterations"])
    assert laaf("resume", run, "-i", 7, "-q").code == 0
    with h5py.File(run) as file:
        assert file.attrs["iterations"] == iterations + 7
        assert json.loads(file["history/phases"][()])[0]["end"] == "completed"


def test_the_seconds_of_a_phase_count_from_its_own_beginning(
    tmp_path: Path, laaf: Laaf, ticking: Callable[[float], None]
) -> None:
    ticking(0.01)
    _, run = trained(
        tmp_path, laaf, PLAIN.replace("iterations: 6", "iterations: 6, max_seconds: 6")
    )
    with resealed(run) as file:
        file.attrs["wall_time_s"] = 10.0
        file["checkpoint"].attrs["phase_start_s"] = 9.0
    assert laaf("resume", run, "-i", 2, "-q").code == 0
    assert PastRun.read(run).iterations == 8
    with resealed(run) as file:
        file["checkpoint"].attrs["phase_start_s"] = 3.0
    assert laaf("resume", run, "-i", 2, "-q").code == 0
    assert PastRun.read(run).iterations == 8


# The loss is no number as soon as |u| > 2, to which a large step takes it at once.
STIFF = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = sqrt(4 - u**2)}
conditions: {start: {where: t = 0, equation: u = 0.1}}
points: {interior: 20}
network: {hidden: [6]}
training: [{iterations: 12, learning_rate: 30}, {optimizer: lbfgs, iterations: 2}]
reference: none
evaluation: {grid: {t: 9}}
dtype: float64
"""


def test_retries_go_back_with_a_smaller_step(tmp_path: Path, laaf: Laaf) -> None:
    spec, run = tmp_path / "spec.yaml", tmp_path / "run.h5"
    spec.write_text(STIFF)
    diverged = laaf("solve", spec, "-o", run, "-q")
    assert diverged.code == 5
    assert "the loss term 'decay' became nan at iteration 1, in phase 0 (adam)" in diverged.err
    assert laaf("resume", run).code == 2, "it would diverge again"
    retried = laaf("solve", spec, "-o", run, "-q", "--retries", 9, "--overwrite")
    assert retried.code == 0, retried.err
    with h5py.File(run) as file:
        events = json.loads(file["history/events"][()])
        rates = file["history/learning_rate"][()]
        total = file["history/total"][()]
    assert events
    for k, event in enumerate(events, start=1):
        assert "the loss term 'decay' became nan at iteration" in event["what"]
        assert f"with {0.1**k:g} times the learning rate" in event["what"]
    assert rates[11] == pytest.approx(30 * 0.1 ** len(events))
    assert np.isfinite(total).all()
    assert total[-1] < total[0]
    laaf("solve", spec, "-o", run, "-q", "--overwrite")
    resumed = laaf("resume", run, "--retries", 9, "-q")
    assert resumed.code == 0, resumed.err
    with h5py.File(run) as file:
        again = json.loads(file["history/events"][()])
        assert again[0]["what"].startswith(
            "resumed after it diverged: the loss term 'decay' became nan"
        )
        (
            np.testing.assert_array_equal(file["history/total"][()], total),
            "as if it had retried by itself",
        )
    shown = laaf("show", run).out
    assert "resumed after it diverged" in shown


def test_a_training_that_was_retried_is_resumed_as_it_was(tmp_path: Path) -> None:
    plan = plan_of(STIFF)
    paths: list[Path] = []

    def keep(unfinished: FinishedRun) -> None:
        paths.append(tmp_path / f"{len(paths)}.h5")
        write_run(paths[-1], unfinished.record)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "is_due", lambda *_, phase_begins: phase_begins is not None)
        execute(plan, retries=9, on_checkpoint=keep).save(tmp_path / "unbroken.h5")
    past = PastRun.read(paths[-4])
    assert past.checkpoint.attributes["phase"] == 0
    assert past.checkpoint.attributes["rate_factor"] < 1
    resumed = resume(past, EquationResumeOptions())
    execute(resumed.plan, past=resumed.past, retries=resumed.retries).save(tmp_path / "resumed.h5")
    assert same_runs(tmp_path / "resumed.h5", tmp_path / "unbroken.h5") == []


def test_a_killed_run_keeps_its_retries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpoints, "is_due", lambda *_, phase_begins: phase_begins is not None)
    _, checkpoints = run_of(plan_of(STIFF), tmp_path, retries=5)
    first, last = PastRun.read(checkpoints[0]), PastRun.read(checkpoints[-1])
    assert [resume(first, EquationResumeOptions(retries=k)).retries for k in (0, 2, 7)] == [5, 5, 7]
    used = int(last.checkpoint.attributes["n_retries"])
    assert used > 0
    assert resume(last, EquationResumeOptions()).retries == 5
    assert resume(last, EquationResumeOptions(retries=5)).retries == used + 5


def test_a_run_that_diverges_at_once_when_resumed_is_left_as_it_was(
    tmp_path: Path, laaf: Laaf
) -> None:
    _, run = trained(
        tmp_path, laaf, PLAIN.replace("u_t = -u", "u_t = -1e30*u"), "--dtype", "float64"
    )
    before = run.read_bytes()
    ended = laaf("resume", run, "-i", 2, "--dtype", "float32")
    assert ended.code == 5
    assert f"{run} is as it was" in ended.err
    assert run.read_bytes() == before


def test_too_few_retries_end_in_divergence(tmp_path: Path, laaf: Laaf) -> None:
    spec, run = tmp_path / "spec.yaml", tmp_path / "run.h5"
    spec.write_text(STIFF.replace("30}", "1e9}"))
    ended = laaf("solve", spec, "-o", run, "-q", "--retries", 2)
    assert ended.code == 5
    with h5py.File(run) as file:
        assert len(json.loads(file["history/events"][()])) == 2
        assert np.isfinite(file["history/total"][()]).all()
        assert file["checkpoint"].attrs["n_retries"] == 2


def test_what_cannot_be_retried_is_reported(tmp_path: Path, laaf: Laaf) -> None:
    """A loss that is infinite at the start has no step to take back."""
    spec, run = tmp_path / "spec.yaml", tmp_path / "run.h5"
    spec.write_text(STIFF.replace("sqrt(4 - u**2)", "sqrt(u**2 - 4000)"))
    assert laaf("solve", spec, "-o", run, "-q", "--retries", 3).code == 5
    refused = laaf("resume", run, "--retries", 3)
    assert refused.code == 2
    assert "diverged as a phase began, and a smaller step does not help that" in refused.err


def test_the_last_step_of_a_phase_can_be_taken_back(tmp_path: Path, laaf: Laaf) -> None:
    """It diverged as the next phase began, which no retry went back from."""
    spec, run = tmp_path / "spec.yaml", tmp_path / "run.h5"
    spec.write_text(STIFF.replace("iterations: 12", "iterations: 1"))
    diverged = laaf("solve", spec, "-o", run, "-q")
    assert diverged.code == 5
    assert "the loss term 'decay' became nan at iteration 1, in phase 0 (adam)" in diverged.err
    with h5py.File(run) as file:
        assert (file.attrs["iterations"], file["checkpoint"].attrs["done"]) == (0, 0)
        assert [phase["iterations"] for phase in json.loads(file["history/phases"][()])] == [0]
    assert laaf("resume", run, "--retries", 9, "-q").code == 0
    other = tmp_path / "other.h5"
    assert laaf("solve", spec, "-o", other, "-q", "--retries", 9).code == 0
    assert same_runs(run, other) == []
    with h5py.File(run) as file:
        assert [phase["optimizer"] for phase in json.loads(file["history/phases"][()])] == [
            "adam",
            "lbfgs",
        ]


@pytest.mark.parametrize("retries", [0, 3])
def test_what_diverges_as_it_is_resumed_stays_where_it_was(
    tmp_path: Path, laaf: Laaf, retries: int
) -> None:
    """It went back a step that it had not made, and its records no longer counted upwards: no file to be read."""
    _, run = trained(tmp_path, laaf)
    with resealed(run) as file:
        file["checkpoint/factors/decay"][()] = np.nan
    resumed = resume(PastRun.read(run), EquationResumeOptions(iterations=2, retries=retries))
    finished = execute(resumed.plan, past=resumed.past, retries=resumed.retries).save(run)
    assert finished.summary.stop_reason == "diverged"
    past = PastRun.read(run)
    assert (past.iterations, past.done, past.history.columns["iteration"][-1]) == (6, 6, 6)
    assert [phase.iterations for phase in past.phases] == [6]


def test_records_of_what_is_taken_back_are_dropped() -> None:
    """A batch may be finite where the whole, which is looked at where training stops, is not."""
    plan = plan_of(
        PLAIN.replace("-u}", "sqrt(t - 0.04 + u - u)}"), "training.0={iterations: 9, batch: 1}"
    )
    asked: list[int] = []
    trainer = Trainer(
        objective_of(plan), plan.phases, should_stop=lambda: bool(asked.append(0)) or len(asked) > 3
    )
    result = trainer.train()
    assert result.stop_reason is StopReason.DIVERGED
    assert (result.iterations, [record.iteration for record in result.records]) == (2, [0, 1, 2])


# --- The checkpoints themselves --------------------------------------------------------------------------------------


def test_checkpoints_keep_to_their_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(
        "laaf_cli.training.checkpoints.time.perf_counter", lambda: next(clock) * 0.5
    )
    kept: list[TrainingResult] = []
    checkpoints = Checkpoints(keep=kept.append, every_s=10)
    result = Trainer(objective_of(plan_of(PLAIN)), plan_of(PLAIN).phases).train()
    assert checkpoints.is_due(0.0, phase_begins=True), "the first is kept in any case"
    checkpoints.save(0.0, lambda: result)
    assert (checkpoints.n_kept, checkpoints.spent_s) == (1, 0.5)
    least = 0.5 / SHARE
    assert least == 25
    for phase_begins in (True, False):
        assert not checkpoints.is_due(24.9, phase_begins=phase_begins)
        assert checkpoints.is_due(25.0, phase_begins=phase_begins)
    checkpoints.every_s = 40
    assert checkpoints.is_due(25.0, phase_begins=True), (
        "as a phase begins the interval does not count"
    )
    assert not checkpoints.is_due(39.9, phase_begins=False)
    assert checkpoints.is_due(40.0, phase_begins=False)


def test_the_checkpoint_before_the_newest_stays(tmp_path: Path) -> None:
    record = execute(plan_of(PLAIN)).record
    files = CheckpointFiles(tmp_path / "run.h5")
    assert files.readable() is None
    for seed in (1, 2, 3):
        files.save(replace(record, attributes=dict(record.attributes) | {"seed": seed}))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "run.h5.checkpoint",
        "run.h5.checkpoint.previous",
    ]
    assert [PastRun.read(path).attributes["seed"] for path in (files.newest, files.previous)] == [
        3,
        2,
    ]
    assert {CheckpointFiles.of(path) for path in (files.run, files.newest, files.previous)} == {
        files
    }
    files.newest.write_bytes(files.newest.read_bytes()[:5000])
    assert files.readable() == files.previous
    files.previous.write_bytes(b"")
    with pytest.raises(RunFileError, match=r"run\.h5\.checkpoint is damaged"):
        files.readable()
    files.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_shown_and_evaluated_as_a_run(
    tmp_path: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoints, "is_due", lambda *_, phase_begins: phase_begins is not None)
    _, checkpoints = run_of(plan_of(PLAIN), tmp_path)
    shown = laaf("show", checkpoints[3])
    assert shown.code == 0
    assert "a checkpoint of an unfinished run, after 3 iterations" in shown.out
    told = json.loads(laaf("show", checkpoints[3], "--json").out)
    schema = json.loads(
        (Path(__file__).parents[1] / "docs" / "schemas" / "show.json").read_text("utf-8")
    )
    Draft202012Validator(schema).validate(told)
    assert told["attributes"]["stop_reason"] == "running"
    evaluated = laaf("evaluate", checkpoints[3], "--grid", "t=3", "--quiet")
    assert evaluated.code == 0
    assert len(evaluated.out.splitlines()) == 4


def test_what_is_asked_for_by_mistake_is_reported(
    tmp_path: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, run = tmp_path / "spec.yaml", tmp_path / "run.h5"
    spec.write_text(PLAIN)
    asked = laaf("resume", spec)
    assert asked.code == 2
    assert f"{spec} is a spec: laaf solve {spec} trains it" in asked.err
    with monkeypatch.context() as patch:
        patch.setattr(StopFlag, "is_set", lambda _: True)
        assert laaf("solve", spec, "-o", run, "-q").code == 130
    asked = laaf("solve", spec, "-o", run, "-q")
    assert asked.code == 2
    assert f"interrupted after 0 iterations\nResume with: laaf resume {run}\n" in asked.err
    assert laaf("resume", run, "-q").code == 0
    assert "--overwrite replaces it" in laaf("solve", spec, "-o", run, "-q").err


def test_no_run_is_named_as_a_checkpoint(tmp_path: Path, laaf: Laaf) -> None:
    (tmp_path / "spec.yaml").write_text(PLAIN)
    for ending in CHECKPOINTS:
        refused = laaf("solve", tmp_path / "spec.yaml", "-o", tmp_path / f"run.h5{ending}")
        assert refused.code == 2
        assert "would be taken for a checkpoint" in refused.err


def test_an_unfinished_run_is_not_overwritten(tmp_path: Path, laaf: Laaf) -> None:
    spec, run = trained(tmp_path, laaf)
    CheckpointFiles(run).save(execute(plan_of(PLAIN)).record)
    run.unlink()
    refused = laaf("solve", spec, "-o", run, "-q")
    assert refused.code == 2
    assert f"Resume with: laaf resume {run}\n--overwrite starts over" in refused.err
    assert laaf("solve", spec, "-o", run, "-q", "--overwrite").code == 0
    assert not CheckpointFiles(run).newest.exists()


def test_checkpoints_that_a_crash_left_beside_a_finished_run_are_not_resumed(
    tmp_path: Path, laaf: Laaf
) -> None:
    _, run = trained(tmp_path, laaf)
    finished = PastRun.read(run)
    kept = CheckpointFiles(run)
    _, checkpoints = run_of(
        resume(finished, EquationResumeOptions(iterations=1, stored_spec=True)).plan, tmp_path
    )
    checkpoints[0].replace(kept.newest)
    assert kept.latest().path == kept.newest, "of a training that was to be longer"
    with resealed(run) as file, h5py.File(kept.newest, "r+") as checkpoint:
        del checkpoint["spec/settings"]
        file.copy("spec/settings", checkpoint["spec"])
        created = file.attrs["created"]
        checkpoint.attrs["created"] = created
    seal(kept.newest)
    assert kept.latest().path == run
    refused = laaf("resume", run)
    assert refused.code == 2
    assert "is finished, after 6 iterations" in refused.err
    with resealed(kept.newest) as checkpoint:
        checkpoint.attrs["created"] = created.replace("20", "21", 1)
    assert kept.latest().path == kept.newest, "of a training that was begun anew, with --overwrite"
    kept.newest.write_bytes(b"")
    with pytest.raises(
        RunFileError,
        match=r"run\.h5\.checkpoint is empty\nRemove the checkpoint, and `load\('.*run\.h5'\)\.resume\(\)` resumes",
    ):
        kept.latest()


@pytest.mark.parametrize("ending", CHECKPOINTS)
def test_another_unfinished_run_is_neither_trained_over(
    tmp_path: Path, laaf: Laaf, ending: str
) -> None:
    """Where there are no links, a crash may leave the previous checkpoint alone."""
    spec, run = trained(tmp_path, laaf)
    other = tmp_path / "other.h5"
    kept = tmp_path / f"other.h5{ending}"
    kept.write_bytes(run.read_bytes())
    for command in (("solve", spec), ("resume", run, "-i", 1)):
        refused = laaf(*command, "-o", other)
        assert refused.code == 2
        assert (
            f"{kept} holds an unfinished training\nResume with: laaf resume {other}\n"
            in refused.err
        )
    assert laaf("resume", run, "-i", 1, "-o", other, "--overwrite", "-q").code == 0
    assert not kept.exists()


@pytest.mark.parametrize("name", ["/", ".", ".checkpoint", ".checkpoint.previous"])
def test_names_that_no_run_has(laaf: Laaf, name: str) -> None:
    assert laaf("resume", name).code == 4


# What is done to the checkpoint of a file, and what is said then.
FOREIGN: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "no such phase": (
        lambda f: f["checkpoint"].attrs.modify("phase", 7),
        "has 1 phases instead of 8",
    ),
    "more done than trained": (
        lambda f: f["checkpoint"].attrs.modify("done", 9),
        "its iteration counters are inconsistent",
    ),
    "other iterations": (
        lambda f: f["checkpoint"].attrs.modify("iteration", 7),
        "its iteration counters are inconsistent",
    ),
    "iterations without end": (
        lambda f: (
            f["checkpoint"].attrs.modify("iteration", 2**62),
            f.attrs.modify("iterations", 2**62),
        ),
        "its iteration counters are inconsistent",
    ),
    "retries without end": (
        lambda f: f["checkpoint"].attrs.modify("n_retries", 2**62),
        "its iteration counters are inconsistent",
    ),
    "records of the future": (
        lambda f: f["history/iteration"].write_direct(np.arange(1, 8)),
        "iteration counters are inconsistent",
    ),
    "more points to come": (
        lambda f: f["checkpoint"].attrs.modify("n_interior", 2**62),
        "are not as many as the spec",
    ),
    "no points": (
        lambda f: other(f, "checkpoint/points/decay", np.empty((0, 1))),
        "are not as many as the spec",
    ),
    "history without slopes": (
        lambda f: (
            f.__delitem__("history/terms/slope_recovery"),
            f.__delitem__("history/weights/slope_recovery"),
        ),
        "its history has other terms than the spec",
    ),
    "steps that are no number": (
        lambda f: other(f, "checkpoint/optimizer/n_steps", np.nan),
        "'n_steps' .* not a count",
    ),
    "steps before the first": (
        lambda f: other(f, "checkpoint/optimizer/n_steps", -1),
        "'n_steps' .* is not a count",
    ),
    "moments of text": (
        lambda f: other(f, "checkpoint/optimizer/exp_avg_3", b"x"),
        "'exp_avg_3' .* holds no numbers",
    ),
    "no seconds": (
        lambda f: f["checkpoint"].attrs.modify("phase_start_s", np.nan),
        "phase_start_s of checkpoint",
    ),
    "other points": (
        lambda f: f.move("checkpoint/points/start", "checkpoint/points/stop"),
        "holds other terms",
    ),
    "no moments": (
        lambda f: f.__delitem__("checkpoint/optimizer/exp_avg_0"),
        "the optimizer lacks 'exp_avg_0'",
    ),
    "moments of another shape": (
        lambda f: other(f, "checkpoint/optimizer/exp_avg_0", np.ones(3)),
        r"'exp_avg_0' of the optimizer has the shape \[3\] instead of \[6, 1\]",
    ),
    "no factors": (lambda f: f.__delitem__("checkpoint/factors/start"), "holds other terms"),
    "strange overrides": (
        lambda f: text(f, "spec/overrides", '[["a"]]'),
        "spec/overrides in .* is not what it",
    ),
    "a thousand and one overrides": (
        lambda f: text(f, "spec/overrides", json.dumps([["seed", "1"]] * 1001)),
        "spec/overrides in .* has 1,001 entries",
    ),
    "overrides without a path": (
        lambda f: text(f, "spec/overrides", '[["", "1"]]'),
        "spec/overrides in .* is not",
    ),
    "strange phases": (
        lambda f: text(f, "history/phases", "[1]"),
        "history/phases in .* is not what it should be",
    ),
    "strange end": (
        lambda f: text(
            f, "history/phases", '[{"optimizer":"adam","iterations":6,"end":"x","detail":""}]'
        ),
        "no phase ends as 'x'",
    ),
    "no phases": (lambda f: text(f, "history/phases", "[]"), "history/phases in .* has 0 phases"),
} | {
    f"{key}: {value[:9]}": (
        lambda f, key=key, value=value: text(
            f,
            "spec/settings",
            re.sub(rf'(?m)^  "{key}": [^,\n]+', f'  "{key}": {value}', content(f, "spec/settings")),
        ),
        "does not say how the derivatives or the seconds are meant",
    )
    for key, value in (
        ("derivatives", '"magic"'),
        ("derivatives", "[]"),
        ("max_seconds", "1e999"),
        ("max_seconds", f"1{400 * '0'}"),
        ("max_seconds", "-1"),
    )
}


def other(file: h5py.File, path: str, values: object) -> None:
    del file[path]
    file[path] = np.array(values)


def text(file: h5py.File, path: str, content: str) -> None:
    other(file, path, content.encode())


def content(file: h5py.File, path: str) -> str:
    return str(file[path][()].decode())


@pytest.mark.parametrize("name", FOREIGN)
def test_a_checkpoint_that_does_not_fit(tmp_path: Path, laaf: Laaf, name: str) -> None:
    spoil, expected = FOREIGN[name]
    run = tmp_path / "run.h5"
    execute(plan_of(PLAIN)).save(run)
    with resealed(run) as file:
        spoil(file)
    ended = laaf("resume", run, "-i", 2, "-q")
    assert ended.code == 4, ended.err
    assert re.search(expected, ended.err), ended.err
    assert "Traceback" not in ended.err


def test_sweeps_resume_what_was_killed(
    tmp_path: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoints, "is_due", lambda *_, phase_begins: phase_begins is not None)
    spec = tmp_path / "spec.yaml"
    spec.write_text(PLAIN)
    folder = tmp_path / "runs"
    arguments = (
        "sweep",
        spec,
        "--activation",
        "fixed",
        "--seeds",
        "2",
        "--jobs",
        "2",
        "--directory",
        folder,
        "-q",
    )
    assert laaf(*arguments).code == 0
    run = folder / "spec-fixed-s0.h5"
    unbroken = tmp_path / "unbroken.h5"
    run.rename(unbroken)
    plan = plan_of(PLAIN, "slopes.kind=fixed")
    _, checkpoints = run_of(plan, tmp_path)
    checkpoints[3].rename(CheckpointFiles(run).newest)
    assert laaf(*arguments).code == 0
    assert set(same_runs(run, unbroken)) <= {"spec/overrides"}
    with h5py.File(run) as file:
        assert json.loads(file["history/events"][()]) == [{"iteration": 3, "what": "resumed"}]
    assert not CheckpointFiles(run).newest.exists()
