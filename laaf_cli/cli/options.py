"""Options that several commands share, and what they change in the spec."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from laaf_cli.cli import complete
from laaf_cli.network.slope_kinds import SLOPE_KINDS, SlopeKindName
from laaf_cli.text import any_of

if TYPE_CHECKING:
    from laaf_cli.runs.settings import Settings
    from laaf_cli.spec import Text


class Device(StrEnum):
    """The values of `--device`."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Dtype(StrEnum):
    """The values of `--dtype`."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


class Derivatives(StrEnum):
    """The values of `--derivatives`: an engine by name, or the choice of one."""

    AUTO = "auto"
    FUSED = "fused"
    TAYLOR = "taylor"
    NESTED = "nested"


_METHOD, _TRAINING, _MACHINE, DATA = "Method", "Training", "Machine", "Data sets"
_EQUATION = "Equation in place of a file"

SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="A YAML file, or the name of a bundled problem.",
        autocompletion=complete.specs,
        show_default=False,
    ),
]
SPEC_OR_EQUATION = (
    "A YAML file, the name of a bundled problem, or an equation, such as 'u_t = u_xx'."
)
EquationArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC", help=SPEC_OR_EQUATION, autocompletion=complete.specs, show_default=False
    ),
]
OnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="DOMAIN",
        help="The coordinates of an equation and their bounds, such as 'x=0..1, t=0..1'.",
        rich_help_panel=_EQUATION,
        show_default=False,
    ),
]
WithOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="CONDITIONS",
        help="Its conditions, such as 'u(t=0) = sin(pi*x), u(boundary) = 0'; repeatable.",
        rich_help_panel=_EQUATION,
        show_default=False,
    ),
]
LetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--let",
        metavar="CONSTANTS",
        help="Its constants, such as 'nu=0.01/pi'; repeatable.",
        rich_help_panel=_EQUATION,
        show_default=False,
    ),
]
SaveOption = Annotated[
    Path | None,
    typer.Option(
        "--save",
        metavar="PATH",
        help="Keep the spec that an equation becomes.",
        rich_help_panel=_EQUATION,
        show_default=False,
    ),
]
RunsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help="Run files, or folders of them.",
        autocompletion=complete.runs,
        show_default=False,
    ),
]
RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="A run file.", autocompletion=complete.runs, show_default=False
    ),
]
ActivationOption = Annotated[
    SlopeKindName | None,
    typer.Option(
        "--activation",
        "--slopes",
        "-a",
        metavar="KIND",
        help=f"Adaptive activation: {any_of(SLOPE_KINDS)}.",
        rich_help_panel=_METHOD,
    ),
]
ScaleOption = Annotated[
    float | None,
    typer.Option(
        "--n", metavar="N", help="Scale n of the slopes, at least 1.", rich_help_panel=_METHOD
    ),
]
RecoveryOption = Annotated[
    bool | None,
    typer.Option(
        "--slope-recovery/--no-slope-recovery",
        help="The slope recovery term; on for adaptive kinds.",
        rich_help_panel=_METHOD,
        show_default=False,
    ),
]
IterationsOption = Annotated[
    int | None,
    typer.Option(
        "--iterations",
        "-i",
        metavar="N",
        help="Iterations of the training.",
        rich_help_panel=_TRAINING,
    ),
]
LearningRateOption = Annotated[
    float | None,
    typer.Option(
        "--learning-rate", metavar="X", help="The (first) learning rate.", rich_help_panel=_TRAINING
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        "-s",
        metavar="N",
        help="The seed of everything random.",
        rich_help_panel=_TRAINING,
    ),
]
DeviceOption = Annotated[
    Device | None,
    typer.Option("--device", metavar="NAME", help="auto, cpu or cuda.", rich_help_panel=_MACHINE),
]
DtypeOption = Annotated[
    Dtype | None,
    typer.Option("--dtype", metavar="NAME", help="float32 or float64.", rich_help_panel=_MACHINE),
]
DerivativesOption = Annotated[
    Derivatives,
    typer.Option(
        "--derivatives",
        metavar="NAME",
        help=(
            "fused (the C++ kernel), taylor (torch) or nested (its slow check); auto takes "
            "the fastest."
        ),
        rich_help_panel=_MACHINE,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change anything in the spec, as network.hidden=[50,50]; repeatable.",
        autocompletion=complete.settings,
        show_default=False,
    ),
]
AllowPythonOption = Annotated[
    bool,
    typer.Option(
        "--allow-python",
        help=(
            "Run the Python file that the spec names under 'functions'. Read it first: it can "
            "do anything."
        ),
        show_default=False,
    ),
]
NoCacheOption = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        help="Solve for the reference again instead of taking values from the user's cache.",
        show_default=False,
    ),
]
MaxSecondsOption = Annotated[
    float | None,
    typer.Option(
        "--max-seconds",
        min=0,
        metavar="X",
        help="End after these seconds, those of the reference among them.",
        rich_help_panel=_TRAINING,
    ),
]
GoalOption = Annotated[
    float | None,
    typer.Option(
        "--goal",
        min=0,
        metavar="X",
        help=(
            "Stop at this relative error, estimated where there is no reference; exit with 6 "
            "where it is not met."
        ),
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace the run file, or an unfinished run, if it is there."),
]
RetriesOption = Annotated[
    int,
    typer.Option(
        "--retries",
        min=0,
        max=100,
        metavar="K",
        help=(
            "Go back from divergence to the last good state, with a tenth of the learning "
            "rate, K times at most."
        ),
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
MaxErrorOption = Annotated[
    float | None,
    typer.Option(
        "--max-error", min=0, metavar="X", help="Exit with 6 above this relative L2 error."
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="Write an HTML page of it as well.", show_default=False
    ),
]
ProcessesOption = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        max=1024,
        metavar="N",
        help="Divide the points among N processes of this machine, on GPUs one for each.",
        rich_help_panel=_MACHINE,
        show_default=False,
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout",
        min=0,
        metavar="X",
        help="Wait so many seconds for the other processes to begin.",
        rich_help_panel=_MACHINE,
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Results as JSON on stdout.")]


DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help=(
            "Folder of the data sets; by default $LAAF_DATA_DIR, else a folder of the user's cache."
        ),
        rich_help_panel=DATA,
        show_default=False,
    ),
]
DownloadOption = Annotated[
    bool,
    typer.Option(
        "--download/--no-download",
        help="Whether files that are missing are fetched from their publisher.",
        rich_help_panel=DATA,
        show_default=False,
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        "-e",
        metavar="N",
        help="Passes over the training data; not given: 50, with augmentation 200.",
        rich_help_panel="Training",
        show_default=False,
    ),
]
SettingsType = TypeVar("SettingsType", bound="Settings")


def typed(kind: type[SettingsType], arguments: Mapping[str, Any]) -> SettingsType:
    """The settings of a command line.

    Args:
        arguments: those of the command by name, of which all count that are fields of the settings;
            `assignments` are those of `--set`.
    """
    from laaf_cli.spec import Override

    names = {field.name for field in fields(kind)} & arguments.keys() - {"assignments"}
    flags = {
        name: f"--{'no-' * (arguments[name] is False)}{name.replace('_', '-')} " for name in names
    } | {"slopes": "--activation "}
    overrides = [
        Override.from_assignment(text, "--set ") for text in arguments.get("assignments") or ()
    ]
    values = {name: arguments[name] for name in names}
    return kind(**values, assignments=tuple(overrides), typed=flags)


def spec_text(
    spec: str,
    *,
    on: Sequence[str] | None,
    conditions: Sequence[str] | None,
    let: Sequence[str] | None,
    save: Path | None,
) -> Text:
    """The text of a spec: of a file, of a bundled problem, or of what the line says."""
    from laaf_cli.errors import UsageError
    from laaf_cli.spec import Text, bundled
    from laaf_cli.text import shown

    is_file = os.path.exists(spec)  # noqa: PTH110 - Path raises where a text is too long for one
    if is_file or "=" not in spec:
        for flag, value in {"--on": on, "--with": conditions, "--let": let, "--save": save}.items():
            if value:
                why = "is a file" if is_file else "has no '='"
                raise UsageError(f"{flag} goes with an equation, and {shown(spec)} {why}")
        return bundled.find(spec)
    if not on:
        raise UsageError(
            f"{shown(spec)} is not a file, and as an equation it needs its coordinates, as in "
            "--on 'x=0..1, t=0..1'"
        )

    from laaf_cli.problem.one_line import keys_of_line, typed
    from laaf_cli.spec.objects import as_spec

    def given(flag: str, values: Sequence[str] | None) -> list[Text]:
        return [typed("command line", f"{flag} ", value) for value in values or ()]

    keys = keys_of_line(
        typed("command line", "", spec),
        on=given("--on", on),
        conditions=given("--with", conditions),
        let=given("--let", let),
    )
    return Text(str(save or "equation"), as_spec(keys))


def keep_spec(path: Path | None, text: Text) -> None:
    """Writes the text of a spec, where there is a path for it; raises UsageError where another
    file is.
    """
    if path is None:
        return
    from laaf_cli.errors import UsageError
    from laaf_cli.files.atomic import replacing
    from laaf_cli.files.target import check_target

    content = text.content.encode()
    if path.is_file():
        if path.read_bytes() != content:
            raise UsageError(f"{path} already exists, with another text; --save names another path")
        return
    check_target(path, overwrite=False, setting="save")
    with replacing(path) as part:
        part.write_bytes(content)
