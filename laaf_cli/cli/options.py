"""Options that several commands share, and what they change in the spec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from laaf_cli.spec import Override, Value
    from laaf_cli.spec.source import Text


class Activation(StrEnum):
    """The LAAF family; the values are those of `slopes.kind`."""

    FIXED = "fixed"
    GAAF = "gaaf"
    LLAAF = "llaaf"
    NLAAF = "nlaaf"


class Device(StrEnum):
    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Dtype(StrEnum):
    FLOAT32 = "float32"
    FLOAT64 = "float64"


class Derivatives(StrEnum):
    AUTO = "auto"
    FUSED = "fused"
    TAYLOR = "taylor"
    NESTED = "nested"


_METHOD, _TRAINING, _MACHINE = "Method", "Training", "Machine"

SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC", help="A YAML file, or the name of a bundled problem.", show_default=False
    ),
]
RunsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Run files, or folders of them.", show_default=False),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run file.", show_default=False)]
ActivationOption = Annotated[
    Activation | None,
    typer.Option(
        "--activation",
        "-a",
        metavar="KIND",
        help="Adaptive activation: fixed, gaaf, llaaf or nlaaf.",
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
MaxSecondsOption = Annotated[
    float | None,
    typer.Option(
        "--max-seconds",
        min=0,
        metavar="X",
        help="End after these seconds of training.",
        rich_help_panel=_TRAINING,
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
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Results as JSON on stdout.")]


@dataclass(frozen=True, kw_only=True)
class SpecOptions:
    """The options that change the spec; None leaves it as it is."""

    activation: Activation | None = None
    n: float | None = None
    slope_recovery: bool | None = None
    iterations: int | None = None
    learning_rate: float | None = None
    seed: int | None = None
    device: Device | None = None
    dtype: Dtype | None = None
    assignments: tuple[str, ...] = ()

    def overrides(self, text: Text) -> list[Override]:
        """The changes, `--set` first, so that the options named for a purpose win.

        Raises UsageError for `--slope-recovery` without slopes, and for an option of the one
        training phase where the spec has several.
        """
        from laaf_cli.errors import UsageError
        from laaf_cli.spec import Override, apply
        from laaf_cli.spec.source import read_yaml

        assignments = [Override.from_assignment(assignment) for assignment in self.assignments]
        root = read_yaml(text)
        if isinstance(root.data, dict):
            for assignment in assignments:
                apply(root, assignment)
        training, slopes = root.child("training"), root.child("slopes")
        phases = training.data if training is not None and isinstance(training.data, list) else []
        if len(phases) > 1 and self.iterations is not None:
            raise UsageError(
                f"the spec has {len(phases)} training phases, and --iterations speaks of one\n"
                "Name it, as in --set training.1.iterations=5000."
            )
        kind, recovery = (
            slopes.child(key) if slopes is not None else None for key in ("kind", "recovery")
        )
        is_fixed = (
            self.activation or (kind.data if kind is not None else None)
        ) == Activation.FIXED
        if self.slope_recovery and is_fixed:
            raise UsageError("--slope-recovery needs slopes, and those of this run are fixed")
        has_settings = recovery is not None and isinstance(recovery.data, dict)
        rated = self._phase_with_rate(phases) if self.learning_rate is not None else 0
        return [*assignments, *self._flags(has_settings, rated)]

    @staticmethod
    def _phase_with_rate(phases: list[Value]) -> int:
        """The one phase that takes a learning rate; raises UsageError where there are several,
        or none.
        """
        from laaf_cli.errors import UsageError
        from laaf_cli.training import OPTIMIZERS

        names = [
            name.data if (name := phase.child("optimizer")) is not None else "adam"
            for phase in phases
        ]
        known = all(
            name in OPTIMIZERS for name in names
        )  # what is none is told later, with its place
        without = [name for name, row in OPTIMIZERS.items() if not row.takes_rate]
        rated = [i for i, name in enumerate(names) if name not in without]
        if known and len(phases) > 1 and len(rated) != 1:
            raise UsageError(
                f"the spec has {len(phases)} training phases, {len(rated) or 'none'} with a "
                "learning rate, and "
                "--learning-rate speaks of one\nName it, as in --set training.1.learning_rate=1e-4."
            )
        return rated[0] if rated else 0

    def _flags(self, recovery_has_settings: bool, phase_with_rate: int) -> Iterator[Override]:
        from laaf_cli.spec import Override

        if self.activation is not None:
            yield Override(("slopes", "kind"), self.activation.value, "--activation ")
        if self.n is not None:
            yield Override(("slopes", "n"), f"{self.n!r}", "--n ")
        if self.slope_recovery is False:
            yield Override(("slopes", "recovery"), "false", "--no-slope-recovery ")
        if self.slope_recovery is True and not recovery_has_settings:
            yield Override(("slopes", "recovery"), "true", "--slope-recovery ")
        if self.iterations is not None:
            yield Override(("training", 0, "iterations"), str(self.iterations), "--iterations ")
        if self.learning_rate is not None:
            yield Override(
                ("training", phase_with_rate, "learning_rate"),
                repr(self.learning_rate),
                "--learning-rate ",
            )
        if self.seed is not None:
            yield Override(("seed",), str(self.seed), "--seed ")
        if self.device is not None:
            yield Override(("device",), self.device.value, "--device ")
        if self.dtype is not None:
            yield Override(("dtype",), self.dtype.value, "--dtype ")
