"""`laaf problems`: the bundled specs of all tasks, listed, or one of them printed."""

from __future__ import annotations

from typing import Annotated

import typer

from laaf_cli.cli import complete, console


def problems(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Print the YAML of this problem or data set.",
            autocompletion=complete.problems,
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the bundled problems and image data sets, or print one to start a new one from.

    Example:  laaf problems burgers > my.yaml
    """
    from laaf_cli.cli.task_tables import bundled_table
    from laaf_cli.errors import UsageError
    from laaf_cli.runs.task import TASKS
    from laaf_cli.spec import bundled
    from laaf_cli.text import did_you_mean, listed

    if name is None:
        console.print_results([bundled_table(task) for task in TASKS])
        return
    path = bundled.path_of(name)
    if path is None:
        names = {task.bundled: bundled.names(task.name) for task in TASKS.values()}
        hint = did_you_mean(
            name, [one for bundled_names in names.values() for one in bundled_names]
        ) or " ".join(
            f"Bundled {what}s: {listed(bundled_names)}." for what, bundled_names in names.items()
        )
        raise UsageError(f"there is no bundled problem '{name}'. {hint}")
    console.print_text(path.read_text(encoding="utf-8"))
