"""`laaf show`: one run at a glance."""

from __future__ import annotations

from typing import Annotated

import typer

from laaf_cli.cli import console, options


def show(
    run: options.RunArgument,
    spec: Annotated[
        bool, typer.Option("--spec", help="Print the spec that the run came from, byte for byte.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Show a run: what was solved or classified, how, how wrong it is and where, its losses, its
    slopes, its versions.

    Example:  laaf show runs/burgers-nlaaf-n10-s0.h5
    """
    from laaf_cli.errors import UsageError

    if spec and json:
        raise UsageError("--spec prints the YAML as it is; --json has it as spec_text")
    if spec:
        from laaf_cli.runfile import AnyRunFile

        with AnyRunFile(run) as file:
            console.print_source(file.text("spec/yaml"))
        return
    from laaf_cli.cli.task_tables import tables_of
    from laaf_cli.runfile import task_of
    from laaf_cli.runs.task import TASKS, loaded

    task = task_of(run)
    report = loaded(TASKS[task].report).read(run)
    if json:
        console.print_json(report.as_json())
    else:
        console.print_results(tables_of(task).of_report(report))
    for warning in report.warnings:
        console.print_warning(warning)
