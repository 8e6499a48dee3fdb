"""The page of several runs: what their errors support, and every run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource

from laaf_cli.report.comparison import MethodComparison, MethodGroup
from laaf_cli.report.comparison_figure import figure_of
from laaf_cli.report.comparison_table import pair_texts, text_tables
from laaf_cli.report.labels import METHOD, PROBLEM, flat
from laaf_cli.report.page.document import PageTable, Plots, ReportPage, Section, Still, Verdict
from laaf_cli.report.page.plots import (
    DASHES,
    NUMBER,
    add_hover,
    legend_below,
    make_plot,
    name_ticks,
)
from laaf_cli.report.statistics import PairedComparison, compare_pairs, holm
from laaf_cli.runfile import open_run
from laaf_cli.text import listed


@dataclass(frozen=True, kw_only=True)
class PairClaim:
    """That a method beats another one on a problem; p is adjusted for all claims of it."""

    better: MethodGroup
    worse: MethodGroup
    pair: PairedComparison

    @property
    def status(self) -> str:
        """Whether the data show it: `shown`, `not shown`, or `equal` errors."""
        return {"better": "shown", "tie": "equal"}.get(self.pair.verdict, "not shown")


def make_comparison_page(comparison: MethodComparison, missing: Sequence[str]) -> ReportPage:
    """The page of a comparison.

    Args:
        missing: a sentence for each run that is not in it.
    """
    claims = [claim for problem in comparison.problems for claim in _claims(comparison, problem)]
    runs = [run for group in comparison.groups for run in group.runs]
    failed, running = sum(run.failed for run in runs), sum(run.is_running for run in runs)
    shown = sum(claim.status == "shown" for claim in claims)
    return ReportPage(
        title=f"{listed(comparison.problems)}: {len(runs)} runs compared",
        subtitle=f"{len(comparison.groups)} methods; error: "
        f"{listed(measure.name for measure in comparison.measures)}",
        verdict=Verdict(
            state="bad" if failed or missing else "good" if shown and not running else "open",
            headline=(f"{running} of {len(runs)} trainings are running. " if running else "")
            + (_headline(shown, len(claims)) if claims else "One method")
            + (f"; failed runs: {failed}" if failed else "")
            + (f"; missing runs: {len(missing)}" if missing else ""),
            texts=[*comparison.sentences, *(f"Note: {flag}." for flag in comparison.flags)],
        ),
        sections=[
            Section(
                heading="Claims",
                texts=[
                    "Median over seeds that both have; interval between order statistics, with "
                    "its coverage; p of the signed-rank test, after Holm for all pairs of "
                    "methods. Failed runs count as infinite errors."
                ],
                tables=[_claim_table(comparison, claims)],
            ),
            _errors(comparison),
            Section(
                heading="Methods",
                tables=[
                    PageTable(table.headings, table.rows, sorts=True)
                    for table in text_tables(comparison)
                ],
            ),
            Section(heading="Every pair", tables=list(_matrices(comparison, claims))),
            Section(heading="Settings that differ", tables=[_settings(comparison)]),
            Section(heading="Every run", tables=[_runs(comparison)]),
            *([Section(heading="Missing runs", texts=missing)] if missing else []),
        ],
    )


def _headline(shown: int, n_claims: int) -> str:
    pairs = f"{n_claims} pair{'s' * (n_claims > 1)} of methods"
    if shown:
        return f"{shown} of {pairs} are shown to differ"
    return f"No method is shown to be better, of {pairs}"


def _claims(comparison: MethodComparison, problem: str) -> list[PairClaim]:
    """One for each pair of methods on a problem, the one with smaller errors first."""
    groups = [group for group in comparison.groups if group.problem == problem]
    ordered = []
    for a, b in combinations(groups, 2):
        first = compare_pairs(a.errors, b.errors)
        ordered.append((b, a) if first.ratio > 1 else (a, b))
    pairs = holm([compare_pairs(better.errors, worse.errors) for better, worse in ordered])
    return [
        PairClaim(better=better, worse=worse, pair=pair)
        for (better, worse), pair in zip(ordered, pairs, strict=True)
    ]


def _claim_table(comparison: MethodComparison, claims: Sequence[PairClaim]) -> PageTable:
    headings = ["claim", "status", "pairs", "ratio of errors", "interval", "p"]
    rows = [
        [
            f"{_name(comparison, claim.better)} beats {claim.worse.label}",
            claim.status,
            str(claim.pair.n_pairs),
            *(pair_texts(claim.pair) if claim.pair.n_pairs else ["–"] * 3),
        ]
        for claim in claims
    ]
    return PageTable(headings, rows, sorts=True)


def _matrices(comparison: MethodComparison, claims: Sequence[PairClaim]) -> Iterator[PageTable]:
    """Row against column, for each problem."""
    for problem in comparison.problems:
        labels = [group.label for group in comparison.groups if group.problem == problem]
        cells = {}
        for claim in claims:
            if claim.better.problem == problem:
                better, worse = claim.better.label, claim.worse.label
                is_shown = claim.status == "shown"
                ratio = f" {claim.pair.ratio:.3g}" if math.isfinite(claim.pair.ratio) else ""
                cells[better, worse] = f"better{ratio}" if is_shown else claim.status
                cells[worse, better] = "worse" if is_shown else claim.status
        rows = [[row, *(cells.get((row, column), "·") for column in labels)] for row in labels]
        yield PageTable([f"{problem}: row against", *labels], rows)


def _settings(comparison: MethodComparison) -> PageTable:
    known = [
        flat({key: group.runs[0].settings.get(key) for key in (*PROBLEM, *METHOD)})
        for group in comparison.groups
    ]
    keys = [
        key
        for key in dict.fromkeys(key for settings in known for key in settings)
        if len({str(settings.get(key)) for settings in known}) > 1
    ]
    rows = [[key, *(str(settings.get(key, "–")) for settings in known)] for key in keys]
    return PageTable(["setting", *(group.label for group in comparison.groups)], rows)


def _runs(comparison: MethodComparison) -> PageTable:
    headings = ["method", "seed", "error", "ended", "seconds", "why", "run file"]
    rows = [
        [
            _name(comparison, group),
            str(run.seed),
            run.measure.text(run.error),
            run.stop_reason,
            f"{run.wall_time_s:.1f}",
            run.stop_detail or "–",
            str(run.path),
        ]
        for group in comparison.groups
        for run in group.runs
    ]
    return PageTable(headings, rows, sorts=True)


def _errors(comparison: MethodComparison) -> Section:
    figure = figure_of(comparison)
    if figure is None:
        return Section(heading="Errors", texts=["No error is known."])
    plots = {"errors": _dots(comparison), "error against seconds": _courses(comparison)}
    picture = Still(figure, "The error of every run, by method")
    return Section(heading="Errors", groups=[Plots(plots)], pictures=[picture])


def _name(comparison: MethodComparison, group: MethodGroup) -> str:
    return f"{group.problem}: {group.label}" if len(comparison.problems) > 1 else group.label


def _dots(comparison: MethodComparison) -> Any:
    """A dot for every run, a line at the median; failed runs are crosses at the largest error."""
    # A phone has no room for long names in a line.
    names = [_name(comparison, group).replace(", ", ",\n") for group in comparison.groups]
    n_lines = sum(max(2, name.count("\n") + 1) for name in names)
    plot = make_plot(
        "error", "", x_axis_type="log", y_range=list(reversed(names)), height=120 + 20 * n_lines
    )
    plot.xaxis.ticker.desired_num_ticks = 4
    finite = [e for group in comparison.groups for e in group.errors.values() if 0 < e < math.inf]
    for name, group in zip(names, comparison.groups, strict=True):
        n, style = max(1, len(group.runs) - 1), {"color": group.style.color, "alpha": 0.7}
        for failed, marker, size in ((False, "circle", 8), (True, "x", 12)):
            chosen = [(i, run) for i, run in enumerate(group.runs) if run.failed == failed]
            source = ColumnDataSource(
                {
                    "error": [
                        2 * max(finite, default=1.0) if failed else run.error for _, run in chosen
                    ],
                    "place": [(name, 0.5 * (i / n - 0.5)) for i, _ in chosen],
                    "run": [str(run.path) for _, run in chosen],
                    "shown": [run.measure.text(run.error) for _, run in chosen],
                }
            )
            plot.scatter("error", "place", source=source, marker=marker, size=size, **style)
        if 0 < group.error.median < math.inf:
            upright: dict[str, Any] = {"marker": "dash", "angle": math.pi / 2, "size": 32}
            plot.scatter([group.error.median], [name], line_width=3, **upright, **style)
    name_ticks(plot.xaxis, np.array(finite))
    add_hover(plot, [("run", "@run"), ("error", "@shown")])
    return plot


def _courses(comparison: MethodComparison) -> Any:
    """The error of every run against its seconds, where it was monitored; a dot at its end."""
    plot = make_plot(
        "seconds", "error", x_axis_type="log", y_axis_type="log",
        height=120 + 40 * max(5, len(comparison.groups)),
    )  # fmt: skip
    known: list[Any] = []
    for group in comparison.groups:
        label = _name(comparison, group)
        drawn = [other.style.color for other in comparison.groups[: comparison.groups.index(group)]]
        dash = DASHES[drawn.count(group.style.color) % len(DASHES)]
        for run in group.runs:
            style = {"color": group.style.color, "alpha": 0.6, "legend_label": label}
            style["name"] = f"{label}, seed {run.seed}"
            with open_run(run.path) as file:
                columns: Any = file.history().columns  # type: ignore[attr-defined]  # every task has one
            if {"wall_time_s", "relative_l2"} <= set(columns):
                seconds, error = columns["wall_time_s"], columns["relative_l2"]
                here = (error > 0) & (error < math.inf) & (seconds > 0)
                plot.line(seconds[here], error[here], line_dash=dash, **style)
                known.append(error[here])
            if 0 < run.error < math.inf:
                plot.scatter([run.wall_time_s], [run.error], size=7, **style)
                known.append([run.error])
    if known:
        name_ticks(plot.yaxis, np.concatenate(known))
        legend_below(plot)
    add_hover(plot, [("", "$name"), ("seconds", "$x{0.00}"), ("error", f"$y{{{NUMBER}}}")])
    return plot
