"""The `laaf` program: its commands and its general help."""

from __future__ import annotations

from typing import Annotated

import typer

from laaf_cli import __version__
from laaf_cli.cli.check import check
from laaf_cli.cli.compare import compare
from laaf_cli.cli.evaluate import evaluate
from laaf_cli.cli.plot import plot
from laaf_cli.cli.problems import problems
from laaf_cli.cli.reference import reference
from laaf_cli.cli.reproduce import reproduce
from laaf_cli.cli.resume import resume
from laaf_cli.cli.show import show
from laaf_cli.cli.solve import solve
from laaf_cli.cli.sweep import sweep
from laaf_cli.errors import ExitCode
from laaf_cli.images.cli.classify import classify

_EXIT_CODES = "  ".join(f"{code.value} {code.sentence}." for code in ExitCode)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=f"[bold]Exit codes[/]  {_EXIT_CODES}",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"laaf {__version__}")
        raise typer.Exit


@app.callback()
def laaf(
    _version_: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Solve differential equations written in YAML with a physics-informed neural network, and
    learn how wrong it is.

    Start with [bold]laaf solve burgers[/], or [bold]laaf problems burgers > my.yaml[/] and change
    it.
    """


for command in (
    problems,
    check,
    solve,
    resume,
    show,
    plot,
    evaluate,
    sweep,
    compare,
    reference,
    reproduce,
    classify,
):
    app.command(epilog=f"[bold]Exit codes[/]  {_EXIT_CODES}")(command)
