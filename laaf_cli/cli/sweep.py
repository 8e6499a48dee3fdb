"""`laaf sweep`: activations × n × recovery × settings × seeds, on this machine or a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import console, options

if TYPE_CHECKING:
    from laaf_cli.errors import LaafError
    from laaf_cli.spec import Text
    from laaf_cli.sweep import Alternative, Outcome, PlannedRun

_AXES, _RUNNING = "Axes", "Running"

SeedsOption = Annotated[
    str,
    typer.Option("--seeds", metavar="N|LIST", help="How many seeds from 0, or which: 5-9, or 0,3,7."),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        max=1024,
        metavar="N",
        help="Runs at a time on this machine; one per processor if not given. They share its threads.",
        rich_help_panel=_RUNNING,
        show_default=False,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Train on the Dask cluster of this scheduler, as tcp://host:8786.",
        rich_help_panel=_RUNNING,
        show_default=False,
    ),
]


def sweep(
    spec: options.SpecArgument,
    activation: Annotated[
        str | None,
        typer.Option(
            "--activation",
            "-a",
            metavar="KINDS",
            help="Kinds with commas between: fixed,gaaf,llaaf,nlaaf.",
            rich_help_panel=_AXES,
            show_default=False,
        ),
    ] = None,
    n: Annotated[
        str | None,
        typer.Option("--n", metavar="LIST", help="Scales n: 1,5,10.", rich_help_panel=_AXES, show_default=False),
    ] = None,
    recovery: Annotated[
        str | None,
        typer.Option(
            "--slope-recovery",
            metavar="LIST",
            help="on, off, or on,off for both.",
            rich_help_panel=_AXES,
            show_default=False,
        ),
    ] = None,
    seeds: SeedsOption = "5",
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change anything in the spec; the same path given again makes an axis.",
            rich_help_panel=_AXES,
            show_default=False,
        ),
    ] = None,
    iterations: options.IterationsOption = None,
    learning_rate: Annotated[
        str | None,
        typer.Option(
            "--learning-rate",
            metavar="LIST",
            help="The (first) learning rates.",
            rich_help_panel=_AXES,
            show_default=False,
        ),
    ] = None,
    device: options.DeviceOption = None,
    dtype: options.DtypeOption = None,
    directory: Annotated[
        Path, typer.Option("--directory", "-d", metavar="DIR", help="Where the run files go.", rich_help_panel=_RUNNING)
    ] = Path("runs"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Train finished runs anew as well.", rich_help_panel=_RUNNING)
    ] = False,
    jobs: JobsOption = None,
    scheduler: SchedulerOption = None,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Train many runs of one spec, compare them, and leave one run file each; finished runs are not trained again.

    Example:  laaf sweep burgers --activation fixed,gaaf,llaaf,nlaaf --seeds 5
    """
    from laaf_cli import bundled

    text = bundled.find(spec)
    common = options.SpecOptions(device=device)
    axes = list(_axes(text, common, activation, n, recovery, assignments or [], iterations, learning_rate, dtype))
    from laaf_cli.sweep import plan_runs

    runs = plan_runs(text, axes, seed_list(seeds), directory)
    outcomes = train(runs, jobs=jobs, scheduler=scheduler, overwrite=overwrite, quiet=quiet)
    report(outcomes, quiet=quiet, json=json)


def _axes(
    text: Text,
    common: options.SpecOptions,
    activation: str | None,
    n: str | None,
    recovery: str | None,
    assignments: Sequence[str],
    iterations: int | None,
    learning_rate: str | None,
    dtype: options.Dtype | None,
) -> Iterator[list[Alternative]]:
    """What `--set` and the options vary, in the order in which they are put into the spec."""
    from laaf_cli.spec import Override
    from laaf_cli.sweep import Alternative

    by_path: dict[object, list[Alternative]] = {}
    for assignment in assignments:
        override = Override.from_assignment(assignment)
        by_path.setdefault(override.path, []).append(Alternative.of(override))
    yield from by_path.values()

    def labelled(chosen: options.SpecOptions) -> Alternative:
        (override,) = chosen.overrides(text)
        return Alternative.of(override)

    if iterations is not None:
        yield [labelled(options.SpecOptions(iterations=iterations))]
    if learning_rate is not None:
        rates = number_list(learning_rate, "--learning-rate")
        yield [labelled(options.SpecOptions(learning_rate=rate)) for rate in rates]
    if dtype is not None:
        yield [labelled(options.SpecOptions(dtype=dtype))]
    yield [Alternative(tuple(common.overrides(text)))]
    kinds = _choices(activation, "--activation", [kind.value for kind in options.Activation])
    scales = number_list(n, "--n") if n is not None else [None]
    switches = [
        None if word is None else word == "on" for word in _choices(recovery, "--slope-recovery", ["on", "off"])
    ]
    methods = []
    for kind in kinds:
        for scale in scales:
            for switch in switches:
                chosen = options.SpecOptions(
                    activation=options.Activation(kind) if kind else None,
                    n=scale,
                    slope_recovery=None if kind == options.Activation.FIXED else switch,
                    assignments=tuple(assignments),
                )
                methods.append(Alternative(tuple(chosen.overrides(text)[len(assignments) :])))
    yield methods


def _choices(given: str | None, option: str, known: Sequence[str]) -> list[str | None]:
    """The words of a list with commas; one None where the option is not given."""
    from laaf_cli.errors import UsageError, did_you_mean, listed

    if given is None:
        return [None]
    words = [word.strip() for word in given.split(",")]
    for word in words:
        if word not in known:
            hint = did_you_mean(word, known) or f"Choices: {listed(known)}."
            raise UsageError(f"{option} does not know '{word}'\n{hint}")
    return list(dict.fromkeys(words))


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
                seeds |= dict.fromkeys(range(int(low), min(int(high or low), int(low) + 1_000_000) + 1))
    except ValueError:
        seeds = {}
    if not seeds:
        raise UsageError(f"--seeds takes how many, as 5, or which, as 5-9 or 0,3,7; not '{given}'")
    return list(seeds)


def train(
    runs: Sequence[PlannedRun], *, jobs: int | None, scheduler: str | None, overwrite: bool = False, quiet: bool = False
) -> list[Outcome]:
    """Trains the runs, shown as they go; Ctrl-C leaves the finished ones in place.

    Raises InterruptedRunError then, and UsageError where the files cannot be written.
    """
    from laaf_cli.cli.interrupt import StopFlag
    from laaf_cli.cli.sweep_progress import make_sweep_progress
    from laaf_cli.errors import InterruptedRunError, UsageError
    from laaf_cli.sweep import ENDED_WELL, State
    from laaf_cli.sweep import sweep as train_all
    from laaf_cli.target_file import check_target

    if scheduler is not None and jobs is not None:
        raise UsageError("--jobs is for this machine, and --scheduler names another")
    for folder in dict.fromkeys(run.path.parent for run in runs):
        check_target(folder / ".laaf-sweep.h5", overwrite=True)
    n_processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    n_jobs = min(jobs or n_processors, len(runs))
    with (
        StopFlag("stopping; runs that are not finished are given up") as stop,
        _executor(n_jobs, scheduler) as executor,
        make_sweep_progress(runs, quiet=quiet) as progress,
    ):
        outcomes = train_all(
            runs,
            executor,
            threads=max(1, n_processors // n_jobs) if scheduler is None else None,
            overwrite=overwrite,
            on_change=progress.update,
            should_stop=stop.is_set,
        )
    if any(outcome.state is State.CANCELLED for outcome in outcomes):
        n_done = sum(outcome.state in ENDED_WELL for outcome in outcomes)
        raise InterruptedRunError(
            f"interrupted; {n_done} of {len(outcomes)} runs are finished, in {runs[0].path.parent}\n"
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


def report(outcomes: Sequence[Outcome], *, quiet: bool, json: bool) -> None:
    """The comparison of what was trained, and what failed; raises the error that the sweep ends in, if any."""
    from laaf_cli.cli.tables import comparison_tables
    from laaf_cli.report.comparison import compare
    from laaf_cli.report.comparison_table import as_json
    from laaf_cli.report.run_summary import RunSummary
    from laaf_cli.sweep import State

    written = [outcome.run.path for outcome in outcomes if outcome.state is not State.FAILED]
    if written:
        comparison = compare([RunSummary.read(path) for path in written])
        if json:
            not_trained = {str(o.run.path): o.detail for o in outcomes if o.state is State.FAILED}
            console.print_json(as_json(comparison) | {"not_trained": not_trained})
        else:
            console.print_results(comparison_tables(comparison))
        if not quiet:
            for flag in comparison.flags:
                console.print_warning(flag)
    error = failures(outcomes)
    if error is not None:
        raise error


def failures(outcomes: Sequence[Outcome]) -> LaafError | None:
    """The error that a sweep ends in, with every run that failed; None where all went well."""
    from laaf_cli.errors import DivergedError, LaafError
    from laaf_cli.sweep import State

    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    diverged = [outcome for outcome in outcomes if outcome.state is State.DIVERGED]
    lines = [f"{outcome.run.path}: {outcome.detail}" for outcome in (*failed, *diverged)]
    if failed:
        return LaafError("\n".join([f"{len(failed)} of {len(outcomes)} runs were not trained", *lines]))
    if diverged:
        return DivergedError("\n".join([f"{len(diverged)} of {len(outcomes)} runs diverged", *lines]))
    return None
