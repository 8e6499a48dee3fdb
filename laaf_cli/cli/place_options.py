"""Options of the commands that compute fields somewhere: where, and into which file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from laaf_cli.files import export

WHERE, TARGET = "Where", "Output"
"""The headings of the options that say where fields are taken, and what file they go into."""

GRID_FORMS = {
    "x=101": "101 points over the domain",
    "x=-1:1:101": "101 points over another range",
    "t=@0.5": "a single value",
}
"""The forms of an axis in `--grid`, used by the help and its errors."""

GridOption = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="GRID",
        help="A grid, such as x=101,t=@0.5. "
        + "; ".join(f"{form}: {meaning}" for form, meaning in GRID_FORMS.items())
        + (
            ". A coordinate that is not named has the values of the evaluation grid, as all have "
            "without this option."
        ),
        show_default=False,
        rich_help_panel=WHERE,
    ),
]
PointsOption = Annotated[
    str | None,
    typer.Option(
        "--points",
        metavar="FILE",
        help="The points of a CSV whose header names the coordinates; - is stdin.",
        show_default=False,
        rich_help_panel=WHERE,
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help=f"The file, by its ending: {export.formats_listed()}. Not given, or -: CSV on stdout.",
        show_default=False,
        rich_help_panel=TARGET,
    ),
]
