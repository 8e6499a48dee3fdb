"""`laaf compare`: which method won, over seeds; a gate for CI."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import complete, console, options

if TYPE_CHECKING:
    from laaf_cli.report.comparison import MethodComparison
    from laaf_cli.report.comparison_entry import ComparisonEntry

_GATE, _FORM = "Gate for CI", "Output"
PROGRESS_FROM = 50
"""Fewer files than this are read in no time."""


class Sort(StrEnum):
    """What the rows are sorted by, smallest first."""

    METHOD = "method"
    ERROR = "error"
    BEST = "best"
    LOSS = "loss"
    FAILURES = "failures"
    SECONDS = "seconds"


def compare(
    runs: options.RunsArgument,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            "-b",
            metavar="METHOD",
            help=(
                "Compare with this over paired seeds: a kind (fixed), a method of the table, "
                "or a run file."
            ),
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        Sort, typer.Option("--sort", metavar="COLUMN", help=f"Sort by {', '.join(Sort)}.")
    ] = Sort.METHOD,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Allow several problems; compare within each.")
    ] = False,
    max_error: Annotated[
        float | None,
        typer.Option(
            "--max-error",
            min=0,
            metavar="X",
            help="Exit with 6 if any run's error is above.",
            rich_help_panel=_GATE,
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against",
            metavar="RUN",
            help="Stored runs to measure by, files or folders; repeatable. Their median counts.",
            autocompletion=complete.runs,
            rich_help_panel=_GATE,
            show_default=False,
        ),
    ] = None,
    max_regression: Annotated[
        float | None,
        typer.Option(
            "--max-regression",
            min=0,
            metavar="X",
            help=(
                "Exit with 6 if a method's median error is above X times that of --against; "
                "1.2 if not given."
            ),
            rich_help_panel=_GATE,
            show_default=False,
        ),
    ] = None,
    max_slowdown: Annotated[
        float | None,
        typer.Option(
            "--max-slowdown",
            min=0,
            metavar="X",
            help="Exit with 6 if a method's median seconds are above X times those of --against.",
            rich_help_panel=_GATE,
            show_default=False,
        ),
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="The table as CSV.", rich_help_panel=_FORM)
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The table in Markdown.", rich_help_panel=_FORM)
    ] = False,
    json: options.JsonOption = False,
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            metavar="FILE",
            help="Draw the errors of all runs.",
            rich_help_panel=_FORM,
            show_default=False,
        ),
    ] = None,
    quiet: options.QuietOption = False,
) -> None:
    """Compare runs over seeds: errors with their spread, failures, slopes, time, and what the data
    support.

    Example:  laaf compare runs/*.h5 --baseline fixed
    """
    from laaf_cli.errors import BoundExceededError, RunFileError, UsageError
    from laaf_cli.report import comparison as comparisons
    from laaf_cli.report import regression_gate
    from laaf_cli.report.run_paths import expand

    if sum((csv, markdown, json)) > 1:
        raise UsageError("--csv, --markdown and --json exclude each other")
    by_stored = (("--max-regression", max_regression), ("--max-slowdown", max_slowdown))
    for name, bound in by_stored:
        if bound is not None and not against:
            raise UsageError(f"{name} needs --against and a run to measure by")
    for name, bound in (("--max-error", max_error), *by_stored):
        if bound is not None and not math.isfinite(bound):
            raise UsageError(f"{name} takes a finite number, not {bound}")
    paths = expand(runs)
    base_path = Path(baseline) if baseline is not None and Path(baseline).is_file() else None
    asked_for = {path.resolve() for path in paths}
    if base_path is not None and base_path.resolve() not in asked_for:
        paths.append(base_path)
    is_gate = bool(against) or max_error is not None
    read, unreadable = _read(paths, must_be_sealed=is_gate, quiet=quiet)
    stored, broken = _read(expand(against or []), must_be_sealed=True, quiet=True)
    if broken:
        raise RunFileError(broken[0])
    if not read:
        raise RunFileError("\n".join(unreadable))
    if base_path is not None:
        baseline = comparisons.baseline_label(read, base_path)
        if baseline is None:
            raise RunFileError("\n".join(unreadable))
    comparison = comparisons.compare(read, baseline=baseline, sort=sort.value, mixed=mixed)
    judged = [run for run in read if run.path.resolve() in asked_for]
    exceeded = regression_gate.above(judged, max_error) if max_error is not None else []
    if stored:
        exceeded += regression_gate.regressions(
            comparison, stored, 1.2 if max_regression is None else max_regression
        )
        exceeded += (
            regression_gate.slowdowns(comparison, stored, max_slowdown)
            if max_slowdown is not None
            else []
        )
    _print(comparison, exceeded, unreadable, csv=csv, markdown=markdown, json=json)
    if figure is not None:
        from laaf_cli.report.comparison_figure import draw_comparison

        draw_comparison(comparison, figure)
        if not quiet:
            console.print_message(f"written: {figure}")
    if exceeded:
        raise BoundExceededError("\n".join([*exceeded, *unreadable]))
    if unreadable:
        raise RunFileError("\n".join(unreadable))


def _read(
    paths: Sequence[Path], *, must_be_sealed: bool, quiet: bool
) -> tuple[list[ComparisonEntry], list[str]]:
    """The summaries of the files that can be read, and what is wrong with the others."""
    from laaf_cli.errors import RunFileError
    from laaf_cli.report.comparison_entry import ComparisonEntry
    from laaf_cli.terminal.progress import counted

    entries, unreadable = [], []
    with counted(
        len(paths), "reading run files", quiet=quiet or len(paths) < PROGRESS_FROM
    ) as advance:
        for path in paths:
            try:
                entries.append(ComparisonEntry.read(path, must_be_sealed=must_be_sealed))
            except RunFileError as error:
                unreadable.append(str(error))
            advance()
    return entries, unreadable


def _print(
    comparison: MethodComparison,
    exceeded: Sequence[str],
    unreadable: Sequence[str],
    *,
    csv: bool,
    markdown: bool,
    json: bool,
) -> None:
    """The results on stdout; flags go to stderr where a machine reads stdout."""
    from laaf_cli.report import comparison_table as tables
    from laaf_cli.report.comparison_record import as_csv, comparison_record

    if json:
        console.print_json(
            comparison_record(comparison, exceeded=exceeded, unreadable=unreadable).as_json()
        )
        return
    if csv:
        console.print_text(as_csv(comparison))
    elif markdown:
        lines = [*comparison.sentences, *(f"Note: {flag}." for flag in comparison.flags)]
        texts = [table.markdown() for table in tables.text_tables(comparison)]
        console.print_text("\n".join(texts) + "".join(f"\n{line}\n" for line in lines))
        return
    else:
        from laaf_cli.cli.tables import comparison_tables

        console.print_results(comparison_tables(comparison, console.results().width))
    for flag in comparison.flags:
        console.print_warning(flag)
