"""One training from claim to file: the target is claimed, checkpoints are kept, the run is saved.

The order is that of the functions: `claim` a target, `train` a plan to it, and ask what the
finished run ends in (`error_of`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from laaf_cli import __version__, processes
from laaf_cli.errors import (
    BoundExceededError,
    DivergedError,
    InterruptedRunError,
    LaafError,
    OutOfMemoryError,
    RunFileError,
    UsageError,
)
from laaf_cli.files.lock import claimed
from laaf_cli.files.target import check_target
from laaf_cli.metrics import goal_text
from laaf_cli.processes.meeting import check_alone, n_restarts
from laaf_cli.runfile import AnyRunFile
from laaf_cli.runfile.seal import RUN_FILE
from laaf_cli.runs.checkpoints import CheckpointFiles
from laaf_cli.runs.finished import FinishedRun, RunResult
from laaf_cli.runs.interrupt import StopFlag
from laaf_cli.runs.lifecycle import lifecycle, read_past, unfinished_at
from laaf_cli.runs.lifecycle import train as train_plan
from laaf_cli.runs.planned import AnyPlan
from laaf_cli.runs.progress import Callback, Progress
from laaf_cli.runs.resume.past import UNFINISHED, AnyPastRun
from laaf_cli.runs.task import TASKS
from laaf_cli.training import BEFORE_TRAINING


def check_bounds(**bounds: float | None) -> None:
    """Raises UsageError for a bound that is not finite, by the name of its setting."""
    for name, bound in bounds.items():
        if bound is not None and not math.isfinite(bound):
            raise UsageError(f"`{name}` takes a finite number, not {bound}")


@contextmanager
def claim(
    path: Path, *, overwrite: bool, plan: AnyPlan | None = None
) -> Iterator[AnyPastRun | None]:
    """Keeps the file of a new run from every other process; of several that train it the first
    one does.

    Args:
        path: the file.
        overwrite: whether what is there is replaced.
        plan: what is trained; gives what there is of it already, where the processes that train it
            are started once more since one was lost.

    Raises:
        UsageError: it cannot be written, or holds a run, finished or not, that is not to be
            replaced.
    """
    past = unfinished_at(plan, path) if plan is not None and n_restarts() else None
    if not processes.is_first():
        yield past
        return
    if past is not None:
        with claimed(path):
            yield past
        return
    if not overwrite and path.is_file():
        check_not_interrupted(path)
    check_target(path, overwrite=overwrite, kind=RUN_FILE)
    with claimed(path):
        check_target(
            path, overwrite=overwrite, kind=RUN_FILE
        )  # another process may just have written it
        check_no_checkpoint(path, overwrite=overwrite)
        yield None


def check_not_interrupted(path: Path) -> None:
    """Raises UsageError where a run file is there that can be resumed: that may be wanted."""
    try:
        with AnyRunFile(path, must_be_sealed=True) as run:
            facts = run.attributes
    except RunFileError:
        return  # other faults are reported by whoever writes there
    if facts["stop_reason"] in UNFINISHED:
        raise UsageError(
            f"{path} already exists, interrupted after {facts['iterations']} iterations\n"
            f"Resume with: `load({str(path)!r}).resume()`\n"
            "`overwrite` replaces it, `output` sets another path."
        )


def check_no_checkpoint(path: Path, *, overwrite: bool) -> None:
    """Refuses a run file beside which there is an unfinished training.

    To overwrite it is to remove it: it must not be taken for what the new training has kept.

    Raises:
        UsageError: an unfinished training of a run file is there.
    """
    files = CheckpointFiles(path)
    if overwrite:
        files.remove()
    for checkpoint in files.present():
        raise UsageError(
            f"{checkpoint} holds an unfinished training\n"
            f"Resume with: `load({str(path)!r}).resume()`\n`overwrite` starts over."
        )


@dataclass(frozen=True)
class ResumedRun:
    """A run to resume: what was read of it, and the claimed file that it goes to."""

    past: AnyPastRun
    target: Path


@contextmanager
def take_up(
    path: Path, *, output: Path | None = None, overwrite: bool = False, warn: Callable[[str], None]
) -> Iterator[ResumedRun]:
    """Reads a run to resume, from its newest checkpoint or its file, and claims the file
    that it goes to.

    Args:
        path: a run file, written or not yet, or its checkpoint.
        output: the new file; None takes that of the run itself.
        overwrite: whether a file there is replaced.
        warn: called where the newest checkpoint is damaged.

    Raises:
        RunFileError: there is nothing that can be read.
        UsageError: the new file cannot be written, or holds another run.
    """
    files = CheckpointFiles.of(path)
    target = output or files.run
    if not processes.is_first():
        yield ResumedRun(_read(files.latest().path), target)
        return
    # Before anything is made on the way to the target.
    AnyRunFile(files.latest().path, must_be_sealed=True).close()
    check_target(target, overwrite=overwrite or output is None, kind=RUN_FILE)
    with claimed(target):
        if target.resolve() != files.run.resolve():
            check_no_checkpoint(target, overwrite=overwrite)
        checkpoint = files.latest()
        if checkpoint.damage:
            warn(f"{checkpoint.damage}\nResuming from the checkpoint before it, {checkpoint.path}")
        yield ResumedRun(_read(checkpoint.path), target)


def _read(path: Path) -> AnyPastRun:
    """What is to be resumed, with as many threads as before, where there are so many processors:
    another number rounds otherwise.
    """
    past = read_past(path)
    if 1 <= (n_threads := past.attributes["threads"]) <= (os.cpu_count() or 1):
        torch.set_num_threads(n_threads)
    return past


def check_alike(plan: AnyPlan, past: AnyPastRun | None) -> None:
    """Compares what several processes are to train.

    Raises:
        UsageError: it is not the same, or not to be divided.
    """
    if not lifecycle(plan.task).is_divided:
        check_alone(TASKS[plan.task].run, "Start one.")

    def make() -> Iterator[bytes]:
        reached = None if past is None else (past.iterations, past.stop_reason)
        settings = plan.hashes, plan.max_seconds, plan.goal, plan.device.type, reached
        yield f"{__version__} {plan.spec.model_dump_json()} {settings}".encode()

    processes.check_equal(
        make,
        "is to train another run than process 0",
        "All need one spec, its files, settings, kind of device and version of laaf.",
    )


def stopping(plan: AnyPlan, *, trains: bool) -> str:
    """What is printed when the first signal has come.

    Args:
        trains: whether an iteration has been done.
    """
    if not trains:
        return "stopping; the training has not begun"
    last = "saves nothing" if plan.spec.checkpoint is None else "keeps the last checkpoint"
    return (
        f"stopping after this iteration and saving; interrupt again to stop at once, which {last}"
    )


def train(
    plan: AnyPlan,
    target: Path,
    *,
    past: AnyPastRun | None = None,
    retries: int = 0,
    on_progress: Callback = lambda _progress: None,
    warn: Callable[[str], None],
    on_stop: Callable[[str], None],
) -> FinishedRun[RunResult]:
    """Trains and writes, of several processes the first; a signal that comes while the file is
    written does not keep it from being written. While the training runs it is kept beside the run
    file.

    Args:
        plan: what is trained.
        target: path of the run file, which the caller has claimed.
        past: a run to resume, as if it had never stopped.
        retries: how often a training that diverges goes back to its last good state.
        on_progress: called with every event.
        warn: called with what goes wrong and does not end the training.
        on_stop: called with what a first signal does, when it has come.

    Raises:
        InterruptedRunError: it was stopped at once; names what was kept.
        DivergedError: a resumed training diverged before its first iteration.
        OutOfMemoryError, UsageError: memory runs out, or the file cannot be written.
    """
    check_alike(plan, past)
    files = CheckpointFiles(target)
    has_failed = trains = False

    def show(progress: Progress) -> None:
        nonlocal trains
        trains = trains or not math.isnan(progress.loss)
        on_progress(progress)

    def keep(unfinished: FinishedRun[RunResult]) -> None:
        nonlocal has_failed
        try:
            files.save(unfinished.record)
            has_failed = False
        except OSError as error:
            if not has_failed:
                reason = error.strerror or error
                warn(
                    f"the checkpoint {files.newest} cannot be written: {reason}; training continues"
                )
            has_failed = True

    def last_kept() -> Path | None:
        try:
            return files.readable()
        except RunFileError:
            return None

    def say_so() -> None:
        if processes.count() == 1:  # a signal may be for one that ends since another has
            on_stop(stopping(plan, trains=trains))

    resume = f"Resume with: `load({str(target)!r}).resume()`"
    try:
        with StopFlag(say_so) as stop:
            finished = train_plan(
                plan,
                past=past,
                retries=retries,
                on_progress=show,
                on_checkpoint=keep,
                should_stop=stop.is_set,
            )
            summary = finished.summary
            has_diverged = summary.stop_reason == "diverged"
            if past is not None and has_diverged and summary.iterations <= past.iterations:
                # What there is, is the better state.
                raise DivergedError(
                    f"training diverged at once: {summary.stop_detail}\n{past.path} is as it was."
                )
            saved = finished.save(target) if processes.is_first() else finished
    except KeyboardInterrupt:
        if (path := last_kept()) is None:
            raise
        raise InterruptedRunError(f"interrupted; the last checkpoint is {path}\n{resume}") from None
    except (OutOfMemoryError, UsageError) as error:
        if (path := last_kept()) is None:
            raise
        raise type(error)(f"{error}\nThe last checkpoint is {path}\n{resume}") from None
    except RuntimeError as error:
        if processes.count() > 1 and (path := last_kept()) is not None:
            error.add_note(f"The last checkpoint is {path}\n{resume}")
        raise
    if processes.is_first():
        files.remove()
    return saved


def verdict(summary: RunResult, goal: float) -> str:
    """Whether a training has come to its goal, in a sentence; empty without a goal.

    Args:
        summary: what is reported of the run.
        goal: a relative error, 0 for none.
    """
    if not goal or summary.stop_reason in ("diverged", "interrupted"):
        return ""
    return goal_text(summary.error_or_estimate, goal, summary.estimated_from)


def error_of(finished: FinishedRun[RunResult], max_error: float | None) -> LaafError | None:
    """The error that a finished run ends in, None where it went well; its file is written all the
    same.

    Args:
        finished: the run.
        max_error: bound on its error, None without one.
    """
    summary = finished.summary
    path = repr(summary.path)
    if summary.stop_reason == "diverged" and summary.stop_detail.endswith(BEFORE_TRAINING):
        return DivergedError(
            f"nothing was trained: {summary.stop_detail}\n"
            "No learning rate mends that: the formula has no finite value there. `check()` says "
            "where."
        )
    if summary.stop_reason == "diverged":
        task = str(finished.record.attributes["task"])
        remedies = ["A smaller `learning_rate`", "`dtype='float64'`"]
        if "retries" in lifecycle(task).resume_options.__dataclass_fields__:
            remedies.append(f"`load({path}).resume(retries=3)`")
        *first, last = remedies
        comma = "," if len(first) > 1 else ""
        return DivergedError(
            f"training diverged: {summary.stop_detail}\n"
            f"The last good state, of iteration {summary.iterations}, is in {summary.path}\n"
            f"{', '.join(first)}{comma} or {last} may help."
        )
    if summary.stop_reason == "interrupted":
        return InterruptedRunError(
            f"interrupted at iteration {summary.iterations}; the run is in {summary.path}\n"
            f"Resume with: `load({path}).resume()`"
        )
    if max_error is not None and summary.why_unknown:
        return BoundExceededError(
            f"no error is known to be below {max_error:g}: {summary.why_unknown}"
        )
    if max_error is not None and not summary.error <= max_error:
        measure = summary.measure
        return BoundExceededError(
            f"{measure.name} {measure.text(summary.error, 3)} is above the bound "
            f"{measure.bound_text(max_error)}"
        )
    return None
