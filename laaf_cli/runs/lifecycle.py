"""What the row of a task does in the life of a run, and what is alike for all tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from laaf_cli.errors import RunFileError, within_memory
from laaf_cli.runfile import open_run, task_of
from laaf_cli.runs.checkpoints import CheckpointFiles
from laaf_cli.runs.finished import FinishedRun, RunResult
from laaf_cli.runs.memory import Consumer, advice
from laaf_cli.runs.planned import AnyPlan
from laaf_cli.runs.progress import Callback
from laaf_cli.runs.resume.past import UNFINISHED, AnyPastRun
from laaf_cli.runs.resume.replan import ResumeOptions, Resumption, gone_on_with, same_training
from laaf_cli.runs.settings import Settings
from laaf_cli.runs.task import TASKS, loaded
from laaf_cli.spec import Override, Text


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What planning many runs of a spec takes besides it; a task leaves out what it knows not."""

    allow_python: bool = False
    """Whether the Python file that the spec names may be run."""
    cache: bool = True
    """Whether references that were computed before are taken, and new ones kept."""
    data_dir: Path | None = None
    """Where data sets lie; None takes the default."""
    download: bool = True
    """Whether missing data sets are fetched."""
    progress: Callable[[str, int, int], None] | None = None
    """Called with the progress of downloads: name, bytes that have come, bytes in all."""


@dataclass(frozen=True, kw_only=True)
class Lifecycle:
    """What a task does in the life of a run."""

    settings: type[Settings]
    """The settings of a spec that a caller changes by name."""
    make_plan: Callable[..., AnyPlan]
    """Makes the plan of a text and overrides; the other options are those of the task."""
    planner: Callable[[Text, PlanOptions], Callable[[Sequence[Override]], AnyPlan]]
    """Makes, from a text and options, what plans its runs from their overrides."""
    train: Callable[..., FinishedRun[RunResult]]
    """Trains, as the function `train` does."""
    read_past: Callable[[Path], AnyPastRun]
    """Reads what a run file, or a checkpoint, holds of a training; raises RunFileError."""
    resume: Callable[[Any, Any], Resumption[Any, Any]]
    """Plans how a run resumes."""
    resume_options: type[ResumeOptions]
    """What `resume` takes."""
    inexact: Callable[[Any, Any], Iterator[str]]
    """What is other than before, so that numbers are rounded otherwise from here on."""
    consumers: Callable[[Any], list[Consumer]]
    """Estimates what a run takes of the memory."""
    is_divided: bool
    """Whether several processes can train one run."""


def lifecycle(task: str) -> Lifecycle:
    """That of the task of a plan, `plan.task`, or of a run file, `task_of(path)`."""
    row: Lifecycle = loaded(TASKS[task].lifecycle)
    return row


def train(
    plan: AnyPlan,
    *,
    past: AnyPastRun | None = None,
    retries: int = 0,
    on_progress: Callback | None = None,
    on_checkpoint: Callable[[FinishedRun[RunResult]], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> FinishedRun[RunResult]:
    """Trains as planned. Training that diverges or is interrupted ends in a finished run too.

    Args:
        past: a run of the same task to resume, as if it had never stopped.
        retries: how often training that diverges goes back to its last good state; not every task
            does.
        on_checkpoint: called with the run as it would be if it ended now, as often as the spec
            says; None keeps nothing.
        should_stop: asked before every iteration; True ends the training there.

    Raises OutOfMemoryError where memory runs out, and what the task raises.
    """
    row = lifecycle(plan.task)
    with within_memory("training", lambda: advice(row.consumers(plan))):
        return row.train(
            plan,
            past=past,
            retries=retries,
            on_progress=on_progress,
            on_checkpoint=on_checkpoint,
            should_stop=should_stop,
        )


def read_past(path: Path) -> AnyPastRun:
    """What a run file, or a checkpoint, holds of a training.

    Raises:
        RunFileError: it cannot be read.
    """
    return lifecycle(task_of(path, must_be_sealed=True)).read_past(path)


def unfinished_at(plan: AnyPlan, path: Path) -> AnyPastRun | None:
    """The training of this very plan that a run file, or a checkpoint beside it, was left with;
    None without one.
    """
    try:
        past = read_past(CheckpointFiles(path).latest().path)
    except RunFileError:
        return None
    if past.stop_reason not in UNFINISHED or not same_training(past, plan):
        return None
    return gone_on_with(past, "resumed", *lifecycle(plan.task).inexact(past, plan))


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What makes a run, except for its device."""

    problem_hash: str
    method_hash: str
    measured: str
    """What the error is measured with, where the problem's hash does not say so."""
    seed: int


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """What a sweep asks of a run file."""

    identity: Identity
    stop_reason: str
    stop_detail: str
    error: float
    """The number by which runs are compared."""
    wall_time_s: float


def identity(plan: AnyPlan) -> Identity:
    """That of a plan."""
    hashes = plan.hashes
    return Identity(
        problem_hash=hashes.problem,
        method_hash=hashes.method,
        measured=plan.measured,
        seed=plan.spec.seed,
    )


def stored_run(path: Path) -> StoredRun:
    """That of a run file.

    Raises:
        RunFileError: it cannot be read.
    """
    with open_run(path, must_be_sealed=True) as run:
        facts = run.attributes
        identity = Identity(
            problem_hash=facts["problem_hash"],
            method_hash=facts["method_hash"],
            measured=run.measured(),
            seed=facts["seed"],
        )
        return StoredRun(
            identity=identity,
            stop_reason=facts["stop_reason"],
            stop_detail=facts["stop_detail"],
            error=run.error,
            wall_time_s=facts["wall_time_s"],
        )
