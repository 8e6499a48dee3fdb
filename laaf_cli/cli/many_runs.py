"""What the commands that train many runs share: their options, the training itself, and how it
ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.errors import DivergedError, InterruptedRunError, LaafError, UsageError

if TYPE_CHECKING:
    from laaf_cli.sweeps import Outcome, PlannedRun

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
PartOption = Annotated[
    str | None,
    typer.Option(
        "--part",
        metavar="K/N",
        help="Train part K of N alone, as in a job array.",
        rich_help_panel=RUNNING,
        show_default=False,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Train on the Dask cluster of this scheduler, such as tcp://host:8786.",
        rich_help_panel=RUNNING,
        show_default=False,
    ),
]


def number_list(text: str, option: str) -> list[float]:
    """The numbers of a list with commas, each once; raises UsageError for anything else."""
    try:
        return list(dict.fromkeys(float(word) for word in text.split(",")))
    except ValueError:
        raise UsageError(f"{option} takes numbers with commas between, not '{text}'") from None


def seed_list(text: str) -> list[int]:
    """`5` → 0 to 4; `5-9` and `0,3,7` → these; raises UsageError for anything else."""
    seeds: dict[int, None] = {}
    words = text.split(",")
    try:
        if len(words) == 1 and "-" not in text:
            count = int(text)
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
        raise UsageError(f"--seeds takes a number (5) or a list (5-9 or 0,3,7), not '{text}'")
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
    from laaf_cli.runs.interrupt import StopFlag
    from laaf_cli.sweeps import ENDED_WELL, RunState, train_runs
    from laaf_cli.terminal.messages import messages
    from laaf_cli.terminal.sweep_progress import make_sweep_progress

    stderr = messages()  # made here: the signal may come while a console is being imported
    what = "stopping; unfinished runs lose progress made since their last checkpoint"
    with (
        StopFlag(lambda: stderr.print(what, markup=False, soft_wrap=True)) as stop,
        make_sweep_progress(runs, quiet=quiet) as progress,
    ):
        outcomes = train_runs(
            runs,
            jobs=jobs,
            scheduler=scheduler,
            overwrite=overwrite,
            on_change=progress,
            should_stop=stop.is_set,
        )
    if any(outcome.state is RunState.CANCELLED for outcome in outcomes):
        n_done = sum(outcome.state in ENDED_WELL for outcome in outcomes)
        raise InterruptedRunError(
            f"interrupted; {n_done} of {len(outcomes)} runs are finished, in "
            f"{runs[0].path.parent}\n"
            "Run the same command to resume."
        )
    return outcomes


def failures(outcomes: Sequence[Outcome]) -> LaafError | None:
    """The error that a sweep ends in, with every run that failed; None where all went well."""
    from laaf_cli.sweeps import RunState

    failed = [outcome for outcome in outcomes if outcome.state is RunState.FAILED]
    diverged = [outcome for outcome in outcomes if outcome.state is RunState.DIVERGED]
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
