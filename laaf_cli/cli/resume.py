"""`laaf resume`: resume a run that was stopped, or train a finished one further."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from laaf_cli.cli import complete, console, one_run, options
from laaf_cli.errors import UsageError
from laaf_cli.runs.task import TASKS

if TYPE_CHECKING:
    from laaf_cli.runs.resume.replan import Resumption


def resume(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A run file, written or not yet, or its checkpoint.",
            autocompletion=complete.runs,
            show_default=False,
        ),
    ],
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations",
            "-i",
            min=1,
            metavar="N",
            help="Train N iterations more than was planned, in the last phase.",
            rich_help_panel="Training",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            "-e",
            min=1,
            metavar="N",
            help="Train N epochs more than was planned, over images.",
            rich_help_panel="Training",
        ),
    ] = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            "--max-seconds",
            min=0,
            metavar="X",
            help="End after these seconds of further training.",
            rich_help_panel="Training",
        ),
    ] = None,
    retries: options.RetriesOption = 0,
    device: options.DeviceOption = None,
    dtype: options.DtypeOption = None,
    stored_spec: Annotated[
        bool,
        typer.Option(
            "--stored-spec",
            help="Resume with the spec as the run holds it, though its file has changed.",
            show_default=False,
        ),
    ] = False,
    allow_python: options.AllowPythonOption = False,
    data_dir: options.DataDirOption = None,
    download: options.DownloadOption = True,
    processes: options.ProcessesOption = None,
    timeout: options.TimeoutOption = 300,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="The run file; not given: RUN itself.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file of --output if it is there.")
    ] = False,
    max_error: options.MaxErrorOption = None,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Resume a run as if it had never stopped, from its checkpoint or its run file, or train it
    further.

    Example:  laaf resume runs/burgers-nlaaf-n10-s0.h5
    """
    with one_run.in_processes(processes, timeout) as is_first:
        quiet = quiet or not is_first
        from laaf_cli.runs import session
        from laaf_cli.runs.lifecycle import lifecycle
        from laaf_cli.terminal.progress import make_download_progress

        session.check_bounds(max_seconds=max_seconds, max_error=max_error)
        if run.suffix in (".yaml", ".yml"):
            raise UsageError(
                f"{run} is a spec: laaf solve {run} trains it; laaf resume takes a run file"
            )
        common: dict[str, Any] = {
            "max_seconds": max_seconds,
            "device": device,
            "dtype": dtype,
            "stored_spec": stored_spec,
        }
        with session.take_up(
            run, output=output, overwrite=overwrite, warn=console.print_warning
        ) as taken_up:
            past, target = taken_up.past, taken_up.target
            task = str(past.attributes["task"])
            life = lifecycle(task)
            known = {field.name for field in fields(life.resume_options)}
            for name, value, absent in (
                ("iterations", iterations, None),
                ("retries", retries, 0),
                ("allow_python", allow_python, False),
                ("epochs", epochs, None),
                ("data_dir", data_dir, None),
                ("download", download, True),
            ):
                if name in known:
                    common[name] = value
                elif value != absent:
                    option = f"{'no_' * (value is False)}{name}"
                    raise UsageError(
                        f"`{option}` does not apply to {TASKS[task].run};  "
                        "laaf resume --help says which option is for which"
                    )
            with make_download_progress(quiet=quiet) as progress:
                if "progress" in known:
                    common["progress"] = progress
                resumption = life.resume(past, life.resume_options(**common))
            one_run.check_max_error(resumption.plan, max_error)
            if not quiet:
                _announce(resumption)
            finished = one_run.train(
                resumption.plan,
                target,
                past=resumption.past,
                retries=resumption.retries,
                quiet=quiet,
            )
        if is_first:
            goal = resumption.plan.goal
            one_run.report(finished, max_error, quiet=quiet, json=json, goal=goal)


def _announce(resumption: Resumption[Any, Any]) -> None:
    past, plan = resumption.past, resumption.plan
    console.print_message(
        f"resuming at iteration {past.iterations} of {plan.n_iterations}, from {past.path}"
    )
    for warning in one_run.memory_warnings(plan):
        console.print_warning(warning)
    for sentence in resumption.inexact:
        console.print_warning(f"not bitwise identical to an uninterrupted run: {sentence}")
