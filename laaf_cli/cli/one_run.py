"""What the commands that train one run share: the training itself, its report, and how it ends."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from laaf_cli.cli import console

if TYPE_CHECKING:
    from laaf_cli.errors import LaafError
    from laaf_cli.runs.checkpoints import CheckpointFiles
    from laaf_cli.runs.finished import FinishedRun, Told
    from laaf_cli.runs.plan import Plan
    from laaf_cli.runs.planned import AnyPlan
    from laaf_cli.runs.resume.past import Past


def check_bounds(max_seconds: float | None, max_error: float | None) -> None:
    """Raises UsageError for a bound that is not finite."""
    from laaf_cli.errors import UsageError

    for name, bound in (("--max-seconds", max_seconds), ("--max-error", max_error)):
        if bound is not None and not math.isfinite(bound):
            raise UsageError(f"{name} takes a finite number, not {bound}")


def check_max_error(plan: Plan, max_error: float | None) -> None:
    """Raises UsageError for a bound on an error that will not be known."""
    from laaf_cli.errors import UsageError

    if max_error is not None and plan.reference is None:
        why = plan.no_reference or "the spec asks for none"
        raise UsageError(f"--max-error needs a reference, and there is none: {why}")


def check_no_interrupted_run(target: Path) -> None:
    """Raises UsageError where the run file is there and can be gone on with: who asks for it
    again may want that.
    """
    from laaf_cli.errors import RunFileError, UsageError
    from laaf_cli.runfile import SealedRun
    from laaf_cli.runs.resume.past import UNFINISHED

    if not target.is_file():
        return
    try:
        with SealedRun(target, must_be_sealed=True) as run:
            facts = run.attributes
    except RunFileError:
        return  # what it is else is told by whoever writes there
    if facts["stop_reason"] in UNFINISHED:
        raise UsageError(
            f"{target} is there already, interrupted after {facts['iterations']} iterations\n"
            f"laaf resume {target} goes on with it, --overwrite replaces it, --output names "
            "another."
        )


def check_checkpoint(target: Path, *, overwrite: bool) -> None:
    """Raises UsageError where an unfinished training of the run file is there, lest it be lost.

    To overwrite it is to remove it: it must not be taken for what the new training has kept.
    """
    from laaf_cli.errors import UsageError
    from laaf_cli.runs.checkpoints import CheckpointFiles

    files = CheckpointFiles(target)
    if overwrite:
        files.remove()
    for path in files.present():
        raise UsageError(
            f"{path} holds an unfinished training; laaf resume {target} goes on with it, "
            "--overwrite starts anew"
        )


@contextmanager
def target(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """The run file of a new run, which no other process takes meanwhile.

    Raises UsageError where it cannot be written, or holds a run, finished or not, that is not to be
    replaced.
    """
    from laaf_cli.files.lock import claimed
    from laaf_cli.files.target import check_target

    if not overwrite:
        check_no_interrupted_run(path)
    check_target(path, overwrite=overwrite)
    with claimed(path):
        check_target(path, overwrite=overwrite)  # another process may just have written it
        check_checkpoint(path, overwrite=overwrite)
        yield path


def memory_warnings(plan: AnyPlan) -> list[str]:
    """That the training will hardly fit into the memory, where it will not."""
    from laaf_cli.runs.lifecycle import lifecycle
    from laaf_cli.runs.memory import warning

    told = warning(plan.device.type, lifecycle(plan.task).consumers(plan))
    return [told] if told else []


def use_threads(n_threads: int) -> None:
    """Trains with as many threads as before, where there are so many processors: another number
    rounds otherwise.
    """
    import os

    import torch

    if 1 <= n_threads <= (os.cpu_count() or 1):
        torch.set_num_threads(n_threads)


def train(
    plan: AnyPlan, target: Path, *, past: Past | None = None, retries: int = 0, quiet: bool = False
) -> FinishedRun[Told]:
    """Trains and writes; a signal that comes while the file is written does not keep it from being
    written.

    While the training goes on it is kept beside the run file. Where it is stopped at once, raises
    InterruptedRunError that names what was kept.
    """
    from laaf_cli.cli.interrupt import StopFlag
    from laaf_cli.errors import OutOfMemoryError, UsageError
    from laaf_cli.runs.checkpoints import CheckpointFiles
    from laaf_cli.runs.lifecycle import train as train_run
    from laaf_cli.terminal.progress import make_progress

    kept = CheckpointFiles(target)
    try:
        with StopFlag(_stopping(plan)) as stop:
            with make_progress(plan.n_iterations, quiet=quiet) as progress:
                finished = train_run(
                    plan,
                    past=past,
                    retries=retries,
                    on_progress=progress,
                    on_checkpoint=_Keeper(kept),
                    should_stop=stop.is_set,
                )
            if past is not None and finished.summary.stop_reason == "diverged":
                _check_progress(finished, past)
            saved = finished.save(target)
    except KeyboardInterrupt:
        raise _stopped(target, kept) from None
    except (OutOfMemoryError, UsageError) as error:
        raise _with_checkpoint(error, target, kept) from None
    kept.remove()
    return saved


def _check_progress(finished: FinishedRun[Told], past: Past) -> None:
    """Raises DivergedError where a run that is gone on with diverges at once: what there is, is
    the better state.
    """
    from laaf_cli.errors import DivergedError

    if finished.summary.iterations <= past.iterations:
        raise DivergedError(
            f"training diverged at once: {finished.summary.stop_detail}\n{past.path} is as it was."
        )


class _Keeper:
    """Writes checkpoints; where one cannot be written, says so once, and the training goes on."""

    def __init__(self, files: CheckpointFiles) -> None:
        self.files = files
        self.has_failed = False

    def __call__(self, unfinished: FinishedRun[Told]) -> None:
        try:
            self.files.save(unfinished.record)
            self.has_failed = False
        except OSError as error:
            if not self.has_failed:
                reason = error.strerror or error
                console.print_warning(
                    f"the checkpoint {self.files.newest} cannot be written: {reason}; training "
                    "goes on"
                )
            self.has_failed = True


def _stopped(target: Path, kept: CheckpointFiles) -> BaseException:
    """What stopping at once ends in."""
    from laaf_cli.errors import InterruptedRunError

    path = _last_kept(kept)
    if path is None:
        return KeyboardInterrupt()
    return InterruptedRunError(
        f"interrupted; the last checkpoint is {path}\nlaaf resume {target} goes on from there."
    )


def _with_checkpoint(error: LaafError, target: Path, kept: CheckpointFiles) -> LaafError:
    """The error with what was kept of the training, if anything was."""
    path = _last_kept(kept)
    if path is None:
        return error
    return type(error)(
        f"{error}\nThe last checkpoint is {path}; laaf resume {target} goes on from there."
    )


def _stopping(plan: AnyPlan) -> str:
    """What is said to Ctrl-C."""
    last = "writes nothing" if plan.spec.checkpoint is None else "leaves the last checkpoint"
    return (
        "stopping after this iteration, to write what was reached; once more stops at once "
        f"and {last}"
    )


def _last_kept(kept: CheckpointFiles) -> Path | None:
    """The newest checkpoint that can be read; None where there is none."""
    from laaf_cli.errors import RunFileError

    try:
        return kept.readable()
    except RunFileError:
        return None


def report(
    finished: FinishedRun[Told], max_error: float | None, *, quiet: bool, json: bool
) -> None:
    """Prints how the run went; raises the error that it ends in, if it does. Its file is written
    all the same.
    """
    _print(finished, quiet=quiet, json=json)
    _raise_for(finished, max_error)


def _print(finished: FinishedRun[Told], *, quiet: bool, json: bool) -> None:
    from laaf_cli.cli.outputs import tables_of

    if json:
        console.print_json(finished.summary.as_json())
    else:
        console.print_results(tables_of(finished.summary))
    # Not even --quiet keeps these: an answer that may be wrong must not pass in silence.
    for warning in finished.summary.warnings:
        console.print_warning(warning)
    if not quiet and not json:
        console.print_message(f"written: {finished.summary.path}")


def _raise_for(finished: FinishedRun[Told], max_error: float | None) -> None:
    """The errors that a finished run may end in; its file is written all the same."""
    from laaf_cli.errors import BoundExceededError, DivergedError, InterruptedRunError
    from laaf_cli.runfile import RunRecord

    summary = finished.summary
    if summary.stop_reason == "diverged":
        remedy = "A smaller --learning-rate or --dtype float64"
        if isinstance(finished.record, RunRecord):
            remedy = (
                "A smaller --learning-rate, --dtype float64, or laaf resume "
                f"{summary.path} --retries 3"
            )
        raise DivergedError(
            f"training diverged: {summary.stop_detail}\n"
            f"The last good state, of iteration {summary.iterations}, is in "
            f"{summary.path}\n{remedy} may help."
        )
    if summary.stop_reason == "interrupted":
        raise InterruptedRunError(
            f"interrupted at iteration {summary.iterations}; the run is in {summary.path}\n"
            f"laaf resume {summary.path} goes on from there."
        )
    if max_error is not None and summary.why_unknown:
        raise BoundExceededError(
            f"no error is known to be below {max_error:g}: {summary.why_unknown}"
        )
    if max_error is not None and not summary.error <= max_error:
        measure = summary.measure
        told = measure.text(summary.error, 3)
        raise BoundExceededError(
            f"{measure.name} {told} is above the bound {measure.bound_text(max_error)}"
        )
