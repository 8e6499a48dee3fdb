"""`laaf report`: the page of a run, or of a comparison of several."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import console, options

if TYPE_CHECKING:
    from laaf_cli.runfile import AnyRunFile


def report(
    runs: options.RunsArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page, an .html file.")
    ] = Path("report.html"),
    quiet: options.QuietOption = False,
) -> None:
    """Write a run, or a comparison of several runs, as one HTML page.

    Example:  laaf report runs/burgers-nlaaf-n10-s0.h5 --output burgers.html
    """
    from laaf_cli.report.run_paths import expand

    write(expand(runs), output, quiet=quiet)


def write(
    paths: Sequence[Path],
    output: Path,
    *,
    quiet: bool,
    not_trained: Mapping[str, str] | None = None,
) -> None:
    """Writes a page and says so; raises what `write_page` does, and RunFileError for the files that
    the page could not show.
    """
    from laaf_cli.errors import RunFileError
    from laaf_cli.report.page import write_page

    unreadable = write_page(paths, output, repeat=command_line, not_trained=not_trained or {})
    if not quiet:
        console.print_message(f"written: {output}")
    if unreadable:
        raise RunFileError("\n".join(unreadable))


def command_line(command: str, file: AnyRunFile) -> str:
    """What repeats a run, as it is typed."""
    from laaf_cli.report.page import bounds_of, next_name
    from laaf_cli.spec import bundled

    source = file.source()
    words = ["laaf", command, bundled.name_of(source.path) or source.path]
    for path, value in source.overrides:
        words += ["--set", f"{path}={value}"]
    for name, bound in bounds_of(file).items():
        words += [f"--{name.replace('_', '-')}", f"{bound:g}"]
    return shlex.join([*words, "--output", next_name(file.path)])
