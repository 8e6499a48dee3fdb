"""`laaf plot`: the figures of runs, into files or windows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import complete, console, options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from laaf_cli.report.figures import Drawing


def plot(
    runs: options.RunsArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The picture: its ending names the type. Several kinds are pages of a .pdf, or "
            "one below the other in a .png; a name without an ending is a folder with a file for "
            "each. Not given: a window.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            "-k",
            metavar="KIND",
            help="solution, frequency, error, loss, constants or slopes; of images loss, "
            "error, slopes or confusion; "
            "repeatable, or with commas. Not given: all that suit.",
            autocompletion=complete.kinds,
            show_default=False,
        ),
    ] = None,
    times: Annotated[
        str | None,
        typer.Option(
            "--times",
            metavar="T,...",
            help="Times of the slices; not given: those of the spec.",
            show_default=False,
        ),
    ] = None,
    unknown: Annotated[
        str | None,
        typer.Option(
            "--unknown", metavar="NAME", help="Draw this unknown alone.", show_default=False
        ),
    ] = None,
    dpi: Annotated[
        int, typer.Option("--dpi", min=20, max=2400, metavar="N", help="Dots per inch of a file.")
    ] = 200,
    quiet: options.QuietOption = False,
) -> None:
    """Draw solution, error, frequency content, loss, slopes of one or several runs; of images the
    confusion, too.

    Example:  laaf plot runs/burgers-nlaaf-n10-s0.h5 --output burgers.png
    """
    from laaf_cli.report import figures
    from laaf_cli.report.run_paths import expand
    from laaf_cli.text import listed

    kinds = [name.strip() for names in kind or () for name in names.split(",")]
    figures.check_kinds(kinds)
    chosen_times = _parsed(times)
    if output is None:
        figures.require_window()
    elif figures.is_folder(output):
        figures.check_folder(output)
    else:
        figures.check_path(output)
    drawings = _drawings(expand(runs), kinds, chosen_times, unknown)
    if not quiet:
        for drawing in drawings:
            for reason in drawing.left_out:
                console.print_warning(f"not in the figure of kind '{drawing.kind}': {reason}")
    if output is None:
        figures.show([drawing.figure for drawing in drawings])
        return
    if figures.is_folder(output):
        files = {output / f"{drawing.kind}.png": [drawing] for drawing in drawings}
    else:
        files = {output: drawings}
    for path, shown in files.items():
        figures.save_together([drawing.figure for drawing in shown], path, dpi)
        if not quiet:
            kinds_shown = f" ({listed(one.kind for one in shown)})" if len(shown) > 1 else ""
            console.print_message(f"written: {path}{kinds_shown}")


def _drawings(
    paths: Sequence[Path], kinds: Sequence[str], times: Sequence[float] | None, unknown: str | None
) -> list[Drawing]:
    """The figures of runs of one task.

    Raises RunFileError where they are of two, and UsageError for options that such runs have no use
    for.
    """
    from laaf_cli.errors import RunFileError, UsageError
    from laaf_cli.report import figures
    from laaf_cli.runfile import task_of
    from laaf_cli.runs.task import TASKS
    from laaf_cli.text import listed

    tasks = [task_of(path) for path in paths]
    for path, task in zip(paths, tasks, strict=True):
        if task != tasks[0]:
            raise RunFileError(
                f"{path} does not fit: it is a run of {TASKS[task].command} and {paths[0]} one of "
                f"{TASKS[tasks[0]].command}, and "
                "a figure shows runs of one of them"
            )
    figures.check_kinds(kinds, tasks[0])
    known = figures.figures_of(tasks[0])
    for name, value in (("times", times), ("unknown", unknown)):
        if value is not None and name not in known.options:
            others = [row.command for row in TASKS.values() if row.name != tasks[0]]
            raise UsageError(
                f"--{name} is for runs of {listed(others)}, "
                f"and {paths[0]} is one of {TASKS[tasks[0]].command}"
            )
    return figures.draw([known.read(path) for path in paths], kinds, times, unknown)


def _parsed(times: str | None) -> Sequence[float] | None:
    """Raises UsageError for what is not a list of numbers."""
    from laaf_cli.errors import UsageError

    if times is None:
        return None
    numbers = []
    for text in times.split(","):
        try:
            numbers.append(float(text))
        except ValueError:
            raise UsageError(
                f"--times takes numbers separated by commas (example: 0.25,0.5), not '{text}'"
            ) from None
        if not math.isfinite(numbers[-1]):
            raise UsageError(f"--times takes finite numbers, not {text.strip()}")
    return numbers
