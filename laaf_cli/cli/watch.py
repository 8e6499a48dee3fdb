"""`laaf watch`: the page of running trainings, which reloads itself.

A file and no server: it needs no port and no token, nothing answers anybody, and it is there when
the watching ends.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import console, options, report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def watch(
    runs: options.RunsArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page, an .html file.")
    ] = Path("watch.html"),
    every: Annotated[
        int,
        typer.Option(
            "--every",
            min=1,
            max=3600,
            metavar="SECONDS",
            help="How often runs are looked at, and the page reloads.",
        ),
    ] = 10,
    quiet: options.QuietOption = False,
) -> None:
    """Write running trainings as one HTML page that reloads itself, again after each checkpoint,
    until Ctrl-C.

    Example:  laaf watch runs --output watch.html
    """
    from laaf_cli.errors import RunFileError
    from laaf_cli.report.page import check_output, write_page

    check_output(output)
    shown: list[tuple[Path, int, int]] = []
    said = ""
    try:
        while True:
            files = list(_newest(runs))
            news = said if files else "there is no checkpoint yet"
            if files and files != shown:
                paths = [path for path, *_ in files]
                news = f"written: {output}; Ctrl-C ends"
                try:
                    write_page(paths, output, repeat=report.command_line, reload_s=every)
                    shown = files
                except RunFileError as error:  # replaced while it was read, or never a page
                    news = str(error)
            if news != said and not quiet:
                console.print_message(news)
            said = news
            time.sleep(every)
    except KeyboardInterrupt:
        # A page that nobody renews reloads no more, however often Ctrl-C is pressed.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            if shown:
                paths = [path for path, *_ in _newest(runs)]
                write_page(paths, output, repeat=report.command_line, reload_s=0)
        finally:
            signal.signal(signal.SIGINT, before)


def _newest(runs: Sequence[Path]) -> Iterator[tuple[Path, int, int]]:
    """The newest file of each run, a checkpoint or its run file, with what changes as it does."""
    from laaf_cli.errors import RunFileError
    from laaf_cli.files.lock import CHECKPOINTS
    from laaf_cli.runs.checkpoints import CheckpointFiles

    endings = [".h5", *(f".h5{ending}" for ending in CHECKPOINTS)]
    found = [
        inside
        for path in runs
        for inside in (
            sorted(file for ending in endings for file in path.glob(f"*{ending}"))
            if path.is_dir()
            else [path]
        )
    ]
    for files in dict.fromkeys(map(CheckpointFiles.of, found)):
        try:
            path = files.latest().path
            state = path.stat()
        except (RunFileError, OSError):
            continue
        yield path, state.st_mtime_ns, state.st_size
