"""Options of commands that classify images, and what they change in the spec."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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
