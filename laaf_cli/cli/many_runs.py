"""What the commands that train many runs share: their options, the training itself, and how it
ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from laaf_cli.errors import LaafError
    from laaf_cli.sweep import Outcome, PlannedRun

RUNNING = "Running"
"""The heading of the options that say where and how runs are trained."""

SeedsOption = Annotated[
    str,
    typer.Option(
        "--seeds", metavar="N|LIST", help="How many seeds from 0, or which: 5-9, or 0,3,7."
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        max=1024,
        metavar="N",
        help=(
            "Runs at a time on this machine; one per processor if not given. They share its "
            "threads."
        ),
        rich_help_panel=RUNNING,
        show_default=False,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Train on the Dask cluster of this scheduler, as tcp://host:8786.",
        rich_help_panel=RUNNING,
        show_default=False,
    ),
]


def number_list(given: str, option: str) -> list[float]:
    """The numbers of a list with commas, each once; raises UsageError for anything else."""
    from laaf_cli.errors import UsageError

    try:
        return list(dict.fromkeys(float(word) for word in given.split(",")))
    except ValueError:
        raise UsageError(f"{option} takes numbers with commas between, not '{given}'") from None


def seed_list(given: str) -> list[int]:
    """`5` → 0 to 4; `5-9` and `0,3,7` → these; raises UsageError for anything else."""
    from laaf_cli.errors import UsageError

    seeds: dict[int, None] = {}
    words = given.split(",")
    try:
        if len(words) == 1 and "-" not in given:
            count = int(given)
            seeds = dict.fromkeys(range(min(count, 1_000_000)))
        else:
            for word in words:
                low, _, high = word.partition("-")
                inside = range(int(low), min(int(high or low), int(low) + 1_000_000) + 1)
                if not inside:
                    raise ValueError(word)
                seeds |= dict.fromkeys(inside)
    except ValueError:
        seeds = {}
    if not seeds:
        raise UsageError(f"--seeds takes how many, as 5, or which, as 5-9 or 0,3,7; not '{given}'")
    return list(seeds)


def train(
    runs: Sequence[PlannedRun],
    *,
    jobs: int | None,
    scheduler: str | None,
    overwrite: bool = False,
    quiet: bool = False,
) -> list[Outcome]:
    """Trains the runs, shown as they go; Ctrl-C leaves the finished ones in place.

    Raises InterruptedRunError then, and UsageError where the files cannot be written.
    """
    from laaf_cli.cli.interrupt import StopFlag
    from laaf_cli.errors import InterruptedRunError, UsageError
    from laaf_cli.files.target import check_target
    from laaf_cli.network.devices import torch_device
    from laaf_cli.sweep import ENDED_WELL, State
    from laaf_cli.sweep import sweep as train_all
    from laaf_cli.terminal.sweep_progress import make_sweep_progress

    if scheduler is not None and jobs is not None:
        raise UsageError("--jobs is for this machine, and --scheduler names another")
    if scheduler is None:
        for name in {run.plan.spec.device for run in runs}:
            torch_device(name)
    for folder in dict.fromkeys(run.path.parent for run in runs):
        check_target(folder / ".laaf-sweep.h5", overwrite=True, setting="directory")
    n_processors = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    n_jobs = min(jobs or n_processors, len(runs))
    with (
        StopFlag(
            "stopping; what is trained of unfinished runs is lost since their last checkpoints"
        ) as stop,
        _executor(n_jobs, scheduler) as executor,
        make_sweep_progress(runs, quiet=quiet) as progress,
    ):
        outcomes = train_all(
            runs,
            executor,
            threads=max(1, n_processors // n_jobs) if scheduler is None else None,
            overwrite=overwrite,
            keeps=scheduler is None,
            on_change=progress,
            should_stop=stop.is_set,
        )
    if any(outcome.state is State.CANCELLED for outcome in outcomes):
        n_done = sum(outcome.state in ENDED_WELL for outcome in outcomes)
        raise InterruptedRunError(
            f"interrupted; {n_done} of {len(outcomes)} runs are finished, in "
            f"{runs[0].path.parent}\n"
            "The same command goes on from there."
        )
    return outcomes


@contextmanager
def _executor(jobs: int, scheduler: str | None) -> Iterator[Executor]:
    from laaf_cli.sweep import LocalProcesses, dask_executor

    if scheduler is not None:
        with dask_executor(scheduler) as executor:
            yield executor
    else:
        with LocalProcesses(jobs) as executor:
            yield executor


def failures(outcomes: Sequence[Outcome]) -> LaafError | None:
    """The error that a sweep ends in, with every run that failed; None where all went well."""
    from laaf_cli.errors import DivergedError, LaafError
    from laaf_cli.sweep import State

    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    diverged = [outcome for outcome in outcomes if outcome.state is State.DIVERGED]
    lines = [f"{outcome.run.path}: {outcome.detail}" for outcome in (*failed, *diverged)]
    if failed:
        codes = {outcome.exit_code for outcome in failed}
        error = LaafError(
            "\n".join([f"{len(failed)} of {len(outcomes)} runs were not trained", *lines])
        )
        if len(codes) == 1:
            error.exit_code = codes.pop()
        return error
    if diverged:
        return DivergedError(
            "\n".join([f"{len(diverged)} of {len(outcomes)} runs diverged", *lines])
        )
    return None
