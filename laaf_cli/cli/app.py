"""The `laaf` program: its commands, each loaded when it is called, and its general help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from laaf_cli import __version__
from laaf_cli.errors import ExitCode


@dataclass(frozen=True)
class Command:
    """A command, without loading it.

    Attributes:
        function: that carries it out, as `module:function`.
        summary: the first paragraph of its help.
    """

    function: str
    summary: str

    def load(self) -> Callable[..., None]:
        """The function that carries the command out; imports its module."""
        module, _, name = self.function.partition(":")
        function: Callable[..., None] = getattr(import_module(module), name)
        return function


COMMANDS = {
    "problems": Command(
        "laaf_cli.cli.problems:problems",
        "List the bundled problems and image data sets, or print one to start a new one from.",
    ),
    "check": Command(
        "laaf_cli.cli.check:check",
        "Check a spec without training: its terms, points, parameters, and the loss at step 0.",
    ),
    "solve": Command(
        "laaf_cli.cli.solve:solve",
        "Train a network on a problem, check it against its reference and write one run file.",
    ),
    "resume": Command(
        "laaf_cli.cli.resume:resume",
        "Resume a run as if it had never stopped, from its checkpoint or its run file, or "
        "train it further.",
    ),
    "show": Command(
        "laaf_cli.cli.show:show",
        "Show a run: what was solved or classified, how, how wrong it is and where, its "
        "losses, its slopes, its versions.",
    ),
    "plot": Command(
        "laaf_cli.cli.plot:plot",
        "Draw solution, error, frequency content, loss, slopes of one or several runs; of "
        "images the confusion, too.",
    ),
    "evaluate": Command(
        "laaf_cli.cli.evaluate:evaluate",
        "Evaluate the trained network of a run: any unknown and any derivative, on a grid or "
        "at given points.",
    ),
    "sweep": Command(
        "laaf_cli.cli.sweep:sweep",
        "Train many runs of one spec, compare them, and leave one run file each; finished "
        "runs are not trained again.",
    ),
    "compare": Command(
        "laaf_cli.cli.compare:compare",
        "Compare runs over seeds: errors with their spread, failures, slopes, time, and what "
        "the data support.",
    ),
    "report": Command(
        "laaf_cli.cli.report:report",
        "Write a run, or a comparison of several runs, as one HTML page.",
    ),
    "watch": Command(
        "laaf_cli.cli.watch:watch",
        "Write running trainings as one HTML page that reloads itself, again after each "
        "checkpoint, until Ctrl-C.",
    ),
    "reference": Command(
        "laaf_cli.cli.reference:reference",
        "Solve a spec classically and write the solution with its own error estimate; nothing "
        "is trained.",
    ),
    "reproduce": Command(
        "laaf_cli.cli.reproduce:reproduce",
        "Reproduce a table or figure of the paper: train the runs that are missing, draw it, "
        "write its page.",
    ),
    "classify": Command(
        "laaf_cli.images.cli.classify:classify",
        "Train a network with adaptive activation functions on images, test it and write one "
        "run file.",
    ),
}
"""All commands by name, in the order of the help."""

_EXIT_CODES = "[bold]Exit codes[/]  " + "  ".join(
    f"{code.value} {code.sentence}." for code in ExitCode
)


def loaded(name: str) -> Any:
    """The command of that name as Typer runs it, with its options."""
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name, cls=_Command, epilog=_EXIT_CODES)(COMMANDS[name].load())
    return get_command(alone)


def _without_types(parameters: list[Any]) -> list[Any]:
    """Parameters whose help names a value as we do, or not at all without one."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        elif parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda **_context: None
    return parameters


class _Command(TyperCommand):
    """A command whose help shows no types of Python."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Click's signature
        arguments = [
            parameter for parameter in self.params if parameter.param_type_name == "argument"
        ]
        names = [
            str(argument.metavar) if argument.required else f"[{argument.metavar}]"
            for argument in arguments
        ]
        return [str(self.options_metavar), *names]


class _Program(TyperGroup):
    """Loads the one command that is called."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in COMMANDS:
            self.add_command(loaded(args[0]))
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=_EXIT_CODES,
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


for _name, _row in COMMANDS.items():
    app.command(_name, help=_row.summary)(lambda: None)  # what the general help shows
