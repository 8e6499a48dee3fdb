"""`laaf show`: one run at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import console, options

if TYPE_CHECKING:
    from laaf_cli.images.report.overview import ImageOverview
    from laaf_cli.report.overview import Overview
    from laaf_cli.terminal.plain_table import PlainTable


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
        from laaf_cli.runfile import SealedRun

        with SealedRun(run) as file:
            console.print_source(file.text("spec/yaml"))
        return
    from laaf_cli.runfile import task_of

    overview, tables = _READERS[task_of(run)](run)
    if json:
        console.print_json(overview.as_json())
    else:
        console.print_results(tables)
    for warning in overview.warnings:
        console.print_warning(warning)


def _of_equation(run: Path) -> tuple[Overview, Iterator[PlainTable]]:
    from laaf_cli.cli.overview_tables import overview_tables
    from laaf_cli.report.overview import Overview

    overview = Overview.read(run)
    return overview, overview_tables(overview)


def _of_images(run: Path) -> tuple[ImageOverview, Iterator[PlainTable]]:
    from laaf_cli.images.cli.tables import image_overview_tables
    from laaf_cli.images.report.overview import ImageOverview

    overview = ImageOverview.read(run)
    return overview, image_overview_tables(overview)


_READERS: dict[str, Callable[[Path], tuple[Overview | ImageOverview, Iterator[PlainTable]]]] = {
    "equation": _of_equation,
    "images": _of_images,
}
