"""Options of commands that classify images, and what they change in the spec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli.options import Activation, Device, Dtype

if TYPE_CHECKING:
    from laaf_cli.spec import Override
    from laaf_cli.spec.source import Text


class Reading(StrEnum):
    """Whose set-up counts where the paper's text and the authors' code differ."""

    PAPER = "paper"
    CODE = "code"


class Per(StrEnum):
    """What has a slope of its own in a convolution."""

    NEURON = "neuron"
    CHANNEL = "channel"


DATA = "Images"

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help=(
            "Where data sets lie, or are put; not given: $LAAF_DATA_DIR, else a folder of the "
            "user's cache."
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
        help="Passes over the training images; not given: 50, with augmentation 200.",
        rich_help_panel="Training",
        show_default=False,
    ),
]


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """The options that change the spec of images; None leaves it as it is."""

    activation: Activation | None = None
    n: float | None = None
    slope_recovery: bool | None = None
    learning_rate: float | None = None
    seed: int | None = None
    device: Device | None = None
    dtype: Dtype | None = None
    assignments: tuple[str, ...] = ()
    epochs: int | None = None
    model: str | None = None
    reading: Reading | None = None
    per: Per | None = None
    width: int | None = None
    dropout: float | None = None
    augment: bool | None = None
    batch: int | None = None

    def overrides(self, text: Text) -> list[Override]:
        """The changes, `--set` first, so that the options named for a purpose win.

        Raises UsageError for `--slope-recovery` without slopes.
        """
        from laaf_cli.errors import UsageError
        from laaf_cli.spec import Override, apply
        from laaf_cli.spec.source import read_yaml

        assignments = [Override.from_assignment(assignment) for assignment in self.assignments]
        root = read_yaml(text)
        if isinstance(root.data, dict):
            for assignment in assignments:
                apply(root, assignment)
        slopes = root.child("slopes")
        kind, recovery = (
            slopes.child(key) if slopes is not None else None for key in ("kind", "recovery")
        )
        if (
            self.slope_recovery
            and (self.activation or (kind.data if kind is not None else None)) == Activation.FIXED
        ):
            raise UsageError("--slope-recovery needs slopes, and those of this run are fixed")
        return [
            *assignments,
            *self._flags(recovery is not None and isinstance(recovery.data, dict)),
        ]

    def _flags(self, recovery_has_settings: bool) -> Iterator[Override]:
        from laaf_cli.spec import Override

        if self.slope_recovery is False:
            yield Override(("slopes", "recovery"), "false", "--no-slope-recovery ")
        if self.slope_recovery is True and not recovery_has_settings:
            yield Override(("slopes", "recovery"), "true", "--slope-recovery ")
        if self.augment is not None:
            yield Override(
                ("augment",),
                str(self.augment).lower(),
                "--augment " if self.augment else "--no-augment ",
            )
        for flag, path, value in (
            ("--reading", ("reading",), self.reading),
            ("--model", ("model", "kind"), self.model),
            ("--width", ("model", "width"), self.width),
            ("--dropout", ("model", "dropout"), self.dropout),
            ("--activation", ("slopes", "kind"), self.activation),
            ("--n", ("slopes", "n"), self.n),
            ("--slopes-per", ("slopes", "per"), self.per),
            ("--epochs", ("training", "epochs"), self.epochs),
            ("--learning-rate", ("training", "learning_rate"), self.learning_rate),
            ("--batch", ("training", "batch"), self.batch),
            ("--seed", ("seed",), self.seed),
            ("--device", ("device",), self.device),
            ("--dtype", ("dtype",), self.dtype),
        ):
            if value is not None:
                yield Override(path, str(value), f"{flag} ")
