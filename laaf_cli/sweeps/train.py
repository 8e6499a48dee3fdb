"""Training the runs of a sweep: finished ones are left alone, a failure does not stop the rest."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import torch

from laaf_cli.errors import ExitCode, LaafError, OutOfMemoryError, UsageError
from laaf_cli.files.lock import claimed
from laaf_cli.files.target import check_target
from laaf_cli.network.devices import torch_device
from laaf_cli.references import ReferenceRefusedError
from laaf_cli.runfile.seal import RUN_FILE
from laaf_cli.runs.checkpoints import CheckpointFiles
from laaf_cli.runs.finished import FinishedRun, RunResult
from laaf_cli.runs.lifecycle import stored_run, train, unfinished_at
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.planned import AnyPlan
from laaf_cli.runs.progress import Progress
from laaf_cli.runs.train import slices_of, with_reference
from laaf_cli.sweeps.executors import LocalProcesses, dask_executor
from laaf_cli.sweeps.grid import PlannedRun

POLL_S = 0.2

N_TRIES = 20
"""How often it is looked whether a process that was asked to end has let go of its run."""


class RunState(Enum):
    """The state of a run of a sweep."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    KEPT = "existed already"
    DIVERGED = "diverged"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_WELL = (RunState.FINISHED, RunState.KEPT)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A run and its state; error, seconds and what went wrong where they are known."""

    run: PlannedRun
    state: RunState
    error: float = math.nan
    wall_time_s: float = math.nan
    detail: str = ""
    exit_code: ExitCode = ExitCode.OK


def train_runs(
    runs: Sequence[PlannedRun],
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    overwrite: bool = False,
    on_change: Callable[[Outcome], None] = lambda _outcome: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Trains every run that is not finished, on this machine or on a Dask cluster, as `sweep` does.

    Args:
        runs: what is trained.
        jobs: runs at a time on this machine; one per processor where it is None.
        scheduler: address of the scheduler of a Dask cluster.
        overwrite: whether finished runs are trained again.
        on_change: called whenever the state of a run changes.
        should_stop: asked several times a second; True cancels what is not finished.

    Raises:
        UsageError: the files cannot be written, or there is no such device.
    """
    if scheduler is not None and jobs is not None:
        raise UsageError("`jobs` is for this machine, and `scheduler` names another")
    if scheduler is None:
        for name in {run.plan.spec.device for run in runs}:
            torch_device(name)
    for folder in dict.fromkeys(run.path.parent for run in runs):
        check_target(folder / ".laaf-sweep.h5", overwrite=True, setting="directory")
    for run in runs if overwrite else ():
        RUN_FILE.check_replaced(run.path)
    n_processors = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    n_jobs = min(jobs or n_processors, len(runs))
    with dask_executor(scheduler) if scheduler else LocalProcesses(n_jobs) as executor:
        return sweep(
            runs,
            executor,
            threads=max(1, n_processors // n_jobs) if scheduler is None else None,
            overwrite=overwrite,
            keeps=scheduler is None,
            on_change=on_change,
            should_stop=should_stop,
        )


def sweep(
    runs: Sequence[PlannedRun],
    executor: Executor,
    *,
    threads: int | None = None,
    overwrite: bool = False,
    keeps: bool = False,
    on_change: Callable[[Outcome], None] = lambda _outcome: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Trains every run that is not finished and writes its file as soon as it is; outcomes in the
    order of the runs.

    Args:
        threads: of torch for each run; None leaves what the worker has.
        on_change: called whenever the state of a run changes.
        keeps: whether the workers see the folders of the run files; then unfinished trainings are
            kept there, and the next sweep resumes them.
        should_stop: asked several times a second; True cancels what is not finished.

    Raises RunFileError before anything is trained where a file holds something else.
    """
    ended: dict[Path, Outcome] = {}

    def tell(outcome: Outcome) -> None:
        ended[outcome.run.path] = outcome
        on_change(outcome)

    finished = [run for run in runs if not overwrite and run.is_finished()]
    for run in finished:
        stored = stored_run(run.path)
        tell(
            Outcome(
                run=run,
                state=RunState.DIVERGED if stored.stop_reason == "diverged" else RunState.KEPT,
                error=stored.error,
                wall_time_s=stored.wall_time_s,
                detail=stored.stop_detail,
            )
        )
    waiting = [run for run in runs if run.path not in ended]
    ready = []
    for run_or_outcome in _with_references(waiting, on_change, should_stop):
        if isinstance(run_or_outcome, Outcome):
            tell(run_or_outcome)
        else:
            ready.append(run_or_outcome)
    pending = {
        executor.submit(_train, run.plan, threads, run.path if keeps else None, overwrite): run
        for run in ready
    }
    running: set[Future[FinishedRun[RunResult]]] = set()
    try:
        while pending and not should_stop():
            done, _ = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
            for future in done:
                tell(_outcome(pending.pop(future), future))
            for future, run in pending.items():
                if future not in running and future.running():
                    running.add(future)
                    on_change(Outcome(run=run, state=RunState.RUNNING))
    finally:
        if pending:
            for future in pending:
                future.cancel()
            executor.shutdown(wait=False)
    for future in [future for future in pending if future.done() and not future.cancelled()]:
        if future.exception() is None:  # it was ready when the stop came
            tell(_outcome(pending.pop(future), future))
    for future, run in pending.items():
        if keeps and future in running:
            _tidy(run.path)
        tell(Outcome(run=run, state=RunState.CANCELLED))
    return [ended[run.path] for run in runs]


def _with_references(
    runs: Sequence[PlannedRun],
    on_change: Callable[[Outcome], None],
    should_stop: Callable[[], bool],
) -> Iterator[PlannedRun | Outcome]:
    """The runs with their references solved, each once and here, for all the points at which the
    workers will ask; where one is refused, the runs without it, or how those end that need it.
    """
    refused: dict[int, str | ReferenceRefusedError] = {}
    evaluated: set[tuple[int, str]] = set()
    for i, run in enumerate(runs):
        plan, reference = run.plan, run.plan.reference if isinstance(run.plan, Plan) else None
        if not isinstance(plan, Plan) or reference is None:
            yield run
            continue
        needed = id(reference), plan.measured
        try:
            if id(reference) not in refused and needed not in evaluated:
                evaluated.add(needed)

                def report(progress: Progress, run: PlannedRun = run) -> None:
                    on_change(Outcome(run=run, state=RunState.WAITING, detail=progress.message))

                grid = plan.problem.points_on(plan.problem.grid)
                solved, _ = with_reference(plan, grid, report, should_stop)
                if solved.reference is None:
                    refused[id(reference)] = solved.no_reference
                else:
                    slices_of(plan)
            if id(reference) not in refused and plan.takes_data_from_reference:
                plan.draw_points()
        except ReferenceRefusedError as error:
            refused[id(reference)] = error
        except KeyboardInterrupt:
            if not should_stop():
                raise
            yield from (Outcome(run=each, state=RunState.CANCELLED) for each in runs[i:])
            return
        except OutOfMemoryError:
            pass  # each of its runs will report it
        why = refused.get(id(reference))
        if why is None:
            yield run
        elif isinstance(why, str):
            yield replace(run, plan=replace(plan, reference=None, no_reference=why))
        else:
            yield Outcome(run=run, state=RunState.FAILED, detail=str(why), exit_code=why.exit_code)


def _train(
    plan: AnyPlan, threads: int | None, path: Path | None, restart: bool
) -> FinishedRun[RunResult]:
    """What a worker does.

    Args:
        path: of the run file where the training is kept beside it.
        restart: whether what is kept there is left alone.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if path is None:
        return train(plan)
    files = CheckpointFiles(path)

    def keep(unfinished_run: FinishedRun[RunResult]) -> None:
        with suppress(OSError):  # the run file will not be written either, and that is reported
            files.save(unfinished_run.record)

    with claimed(path):
        past = None if restart else unfinished_at(plan, path)
        if past is None:
            files.remove()  # those of another training must not pass for this one's
        return train(plan, past=past, on_checkpoint=keep)


def _tidy(path: Path) -> None:
    """Removes what a process leaves that is stopped in the middle of a run: its lock, a file
    that is half written.
    """
    for _ in range(N_TRIES):
        with suppress(UsageError), claimed(path):
            return
        time.sleep(POLL_S)


def _outcome(run: PlannedRun, future: Future[FinishedRun[RunResult]]) -> Outcome:
    """How a run ended; its file is written here."""
    if future.cancelled():
        return Outcome(run=run, state=RunState.CANCELLED)
    error = future.exception()
    if error is None:
        try:
            finished = future.result().save(run.path)
            CheckpointFiles(run.path).remove()
        except LaafError as unwritten:
            return Outcome(
                run=run, state=RunState.FAILED, detail=str(unwritten), exit_code=unwritten.exit_code
            )
        summary = finished.summary
        state = RunState.DIVERGED if summary.stop_reason == "diverged" else RunState.FINISHED
        return Outcome(
            run=run,
            state=state,
            error=summary.error,
            wall_time_s=summary.wall_time_s,
            detail=summary.stop_detail,
        )
    # Whatever happened in a worker, the other runs continue; what happened is reported.
    if isinstance(error, LaafError):
        return Outcome(run=run, state=RunState.FAILED, detail=str(error), exit_code=error.exit_code)
    return Outcome(
        run=run,
        state=RunState.FAILED,
        detail=f"{type(error).__name__}: {error}",
        exit_code=ExitCode.INTERNAL,
    )
