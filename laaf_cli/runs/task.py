"""The two tasks of laaf, equations and images, where one command or sweep takes runs of either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from laaf_cli.errors import RunFileError, within_memory
from laaf_cli.images import memory as image_memory
from laaf_cli.images import resumption as image_resumption
from laaf_cli.images.plan import ImagePlan
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.state import PastImageRun
from laaf_cli.images.train import execute as classify
from laaf_cli.images.trainer import EpochRecord
from laaf_cli.runfile import RunFile, task_of
from laaf_cli.runs import memory
from laaf_cli.runs import train as run
from laaf_cli.runs.checkpoints import CheckpointFiles
from laaf_cli.runs.finished import FinishedRun, Told
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.resume.resumption import UNFINISHED, unfinished
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.spec import RunSpec
from laaf_cli.training import Record

AnyPlan = Plan | ImagePlan
AnyPast = PastRun | PastImageRun


class Watcher(Protocol):
    """Is told how a training goes: of an equation by records, of images by epochs and steps."""

    def on_record(self, record: Record) -> None: ...
    def on_epoch(self, record: EpochRecord) -> None: ...
    def on_step(self, iteration: int, wall_time_s: float, loss: float) -> None: ...


class Unwatched:
    """Nobody looks."""

    def on_record(self, record: Record) -> None:
        del record

    def on_epoch(self, record: EpochRecord) -> None:
        del record

    def on_step(self, iteration: int, wall_time_s: float, loss: float) -> None:
        del iteration, wall_time_s, loss


def n_iterations(plan: AnyPlan) -> int:
    """The steps of the whole training."""
    return (
        plan.n_iterations
        if isinstance(plan, ImagePlan)
        else sum(phase.iterations for phase in plan.phases)
    )


def consumers(plan: AnyPlan) -> list[memory.Consumer]:
    """What a run takes of the memory, by estimate."""
    return image_memory.of_run(plan) if isinstance(plan, ImagePlan) else memory.of_run(plan)


def read_past(path: Path) -> AnyPast:
    """What a run file, or a checkpoint, holds of a training; raises RunFileError where it cannot
    be read.
    """
    return PastImageRun.read(path) if task_of(path) == "images" else PastRun.read(path)


def execute(
    plan: AnyPlan,
    *,
    past: AnyPast | None = None,
    retries: int = 0,
    watcher: Watcher | None = None,
    on_checkpoint: Callable[[FinishedRun[Told]], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> FinishedRun[Told]:
    """Trains as planned, with what `run.execute` and `classification.run.execute` say.

    past: a run of the same task. retries: of equations alone. Raises OutOfMemoryError where memory
    does not suffice.
    """
    watcher = watcher or Unwatched()
    with within_memory("training", lambda: memory.advice(consumers(plan))):
        if isinstance(plan, ImagePlan):
            if isinstance(past, PastRun):
                raise TypeError("a classification does not go on from a run of an equation")
            return classify(
                plan,
                past=past,
                on_record=watcher.on_epoch,
                on_step=watcher.on_step,
                on_checkpoint=on_checkpoint,
                should_stop=should_stop,
            )
        if isinstance(past, PastImageRun):
            raise TypeError("an equation does not go on from a classification")
        return run.execute(
            plan,
            past=past,
            retries=retries,
            on_record=watcher.on_record,
            on_checkpoint=on_checkpoint,
            should_stop=should_stop,
        )


def unfinished_at(plan: AnyPlan, path: Path) -> AnyPast | None:
    """The training of this very plan that a run file, or a checkpoint beside it, was left with;
    None without one.
    """
    try:
        past = read_past(CheckpointFiles(path).latest().path)
    except RunFileError:
        return None
    if past.stop_reason not in UNFINISHED:
        return None
    if isinstance(plan, ImagePlan):
        return image_resumption.unfinished(plan, past) if isinstance(past, PastImageRun) else None
    return unfinished(plan, past) if isinstance(past, PastRun) else None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What makes a run, apart from its device: hashes, what is told of the answer and by what it
    is measured, seed.
    """

    problem_hash: str
    method_hash: str
    told: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """What a sweep asks of a run file. error: the number by which runs are compared."""

    identity: Identity
    stop_reason: str
    stop_detail: str
    error: float
    wall_time_s: float


def identity(plan: AnyPlan) -> Identity:
    """That of a plan."""
    told = ""
    if isinstance(plan, Plan):
        told = _told(plan.spec, plan.reference.method if plan.reference is not None else "")
    return Identity(
        problem_hash=plan.hashes.problem,
        method_hash=plan.hashes.method,
        told=told,
        seed=plan.spec.seed,
    )


def stored_run(path: Path) -> StoredRun:
    """That of a run file; raises RunFileError where it cannot be read."""
    if task_of(path) == "images":
        with ImageRunFile(path) as images:
            facts, told, error = images.attributes, "", images.attributes["test_error"]
    else:
        with RunFile(path) as file:
            method = file.group_attributes("reference")["method"] if file.has("reference") else ""
            facts, told, error = (
                file.attributes,
                _told(file.spec, method),
                file.attributes["relative_l2"],
            )
    own = Identity(
        problem_hash=facts["problem_hash"],
        method_hash=facts["method_hash"],
        told=told,
        seed=facts["seed"],
    )
    return StoredRun(
        identity=own,
        stop_reason=facts["stop_reason"],
        stop_detail=facts["stop_detail"],
        error=error,
        wall_time_s=facts["wall_time_s"],
    )


def _told(spec: RunSpec, method: str) -> str:
    """What is told of a solution, and by what it is measured; method: that of the reference,
    which names its file.
    """
    told = spec.model_dump_json(include={"reference", "evaluation"})
    return told + method if spec.reference.kind == "file" else told
