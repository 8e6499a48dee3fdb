"""A comparison as rows of text, for terminals and Markdown."""

from __future__ import annotations

import math
from dataclasses import dataclass

from laaf_cli.report.comparison import MethodComparison
from laaf_cli.report.statistics import PairedComparison

DISPENSABLE = (
    "n·a up to", "S(a)", "iterations", "best", "s", "loss", "quartiles of it", "quartiles",
    "± in a run", "interval",
)  # fmt: skip
"""Columns that a narrow terminal goes without, the first first."""


@dataclass(frozen=True)
class TextTable:
    """Headings and rows of text; every row has one text per heading."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def fitted(self, width: int) -> TextTable:
        """The table without the columns of little importance, as far as that makes it fit into
        `width` characters.
        """
        columns = dict(zip(self.headings, zip(*self.rows, strict=True), strict=True))
        for heading in DISPENSABLE:
            if sum(max(map(len, (name, *cells))) + 3 for name, cells in columns.items()) <= width:
                break
            columns.pop(heading, None)
        return TextTable(tuple(columns), tuple(zip(*columns.values(), strict=True)))

    def markdown(self) -> str:
        """The table in Markdown."""
        lines = [self.headings, tuple("---" for _ in self.headings), *self.rows]
        return "".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
        )


def text_tables(comparison: MethodComparison) -> list[TextTable]:
    """The comparison for people: errors and, where any are learned, constants."""
    constants = constants_table(comparison)
    return [text_table(comparison), *([constants] if constants is not None else [])]


def text_table(comparison: MethodComparison) -> TextTable:
    """The methods and their errors."""
    several = len(comparison.problems) > 1
    mixed = len(comparison.measures) > 1
    error = ["measure", "error"] if mixed else [comparison.measures[0].heading]
    headings = ["problem"] * several + [
        "method", "runs", "failed", *error, "quartiles", "best", "loss", "S(a)", "n·a up to",
        "iterations", "s",
    ]  # fmt: skip
    if comparison.pairs:
        headings += ["ratio", "interval", "p"]
    rows = []
    for group in comparison.groups:
        median, text = group.error.median, group.measure.text
        low, high = (end(run.iterations for run in group.runs) for end in (min, max))
        row = [
            *[group.problem] * several,
            group.label,
            str(len(group.runs)),
            str(group.n_failed),
            *[group.measure.heading] * mixed,
            text(median),
            "-"
            if math.isnan(median)
            else f"{text(group.error.lower)} to {text(group.error.upper)}",
            text(group.error.best),
            error_text(group.median(lambda run: run.loss)),
            number_text(group.median(lambda run: run.recovery), ".3f"),
            number_text(group.largest_scale, ".3g"),
            str(low) if low == high else f"{low}-{high}",
            number_text(group.median(lambda run: run.wall_time_s), ".1f"),
        ]
        if comparison.pairs:
            pair = comparison.pair(group)
            if pair is None:
                row += ["baseline", "", ""]
            else:
                row += pair_texts(pair) if pair.n_pairs else ("no pairs", "", "")
        rows.append(tuple(row))
    return TextTable(tuple(headings), tuple(rows))


def constants_table(comparison: MethodComparison) -> TextTable | None:
    """The learned constants of each group; None where no run learned any."""
    several = len(comparison.problems) > 1
    headings = ["problem"] * several + [
        "method", "constant", "median", "quartiles", "± in a run", "truth",
        "relative error", "quartiles of it",
    ]  # fmt: skip
    rows = []
    for group in comparison.groups:
        for name, constant in group.constants.items():
            value, error = constant.value, constant.relative_error
            cells = (
                *[group.problem] * several,
                group.label,
                name,
                number_text(value.median, ".5g"),
                "-" if math.isnan(value.median) else f"{value.lower:.5g} to {value.upper:.5g}",
                number_text(constant.within, ".1g"),
                "-" if constant.truth is None else f"{constant.truth:g}",
                error_text(error.median),
                "-"
                if math.isnan(error.median)
                else f"{error_text(error.lower)} to {error_text(error.upper)}",
            )
            rows.append(cells)
    return TextTable(tuple(headings), tuple(rows)) if rows else None


def pair_texts(pair: PairedComparison) -> tuple[str, str, str]:
    """Ratio, interval and p of a paired comparison."""
    return (number_text(pair.ratio, ".3g"), interval_text(pair), number_text(pair.adjusted, ".2g"))


def error_text(value: float) -> str:
    """An error to three digits; `failed` for an infinite one, `-` for an unknown one."""
    return "-" if math.isnan(value) else "failed" if math.isinf(value) else f"{value:.2e}"


def number_text(value: float, form: str) -> str:
    """A number in a format; `-` for an unknown one."""
    return "-" if math.isnan(value) else f"{value:{form}}"


def interval_text(pair: PairedComparison) -> str:
    """The interval of a ratio and its coverage; `-` for an unknown one."""
    if math.isnan(pair.low):
        return "-"
    return f"{pair.low:.3g} to {pair.high:.3g} ({100 * pair.coverage:.3g} %)"
