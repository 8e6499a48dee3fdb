"""The page of a table or figure in Markdown: our errors over seeds beside the printed ones, and
what they support.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from laaf_cli.errors import UsageError
from laaf_cli.files.atomic import replacing
from laaf_cli.paper.claims import Claim, Judgement, judge
from laaf_cli.paper.columns import FIXED, Column, PublishedErrors
from laaf_cli.paper.results import EquationResult
from laaf_cli.report.comparison_table import TextTable, error_text, number_text, pair_texts
from laaf_cli.report.statistics import (
    POWER,
    RATIO,
    compare_pairs,
    holm,
    log_deviation,
    seeds_needed,
    spread,
)

Results = Mapping[Column, Sequence[EquationResult]]

READING = (
    "Ratio: the claim's number over that which it is compared with, median over pairs of runs with "
    "one seed; below 1 as claimed. Interval: between order statistics, with its coverage. p: "
    "Wilcoxon signed-rank test of the pairs; unpaired: Mann-Whitney test; both after Holm for the "
    "claims of a family. A verdict takes p below 0.05 of the pairs and an interval without 1."
)
"""How a table of claims is read."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page holds."""

    title: str
    command: str
    paper_iterations: int
    """The iterations of the whole training in the paper."""
    results: Results
    """The runs that are there."""
    published: PublishedErrors
    claims: Sequence[Claim]

    def markdown(self, picture: str) -> str:
        """The whole page; the picture is named relative to it, or empty where nothing was drawn."""
        parts = [f"# {self.title}", f"`{self.command}`", self._made()]
        parts += [errors_table(self.results, self.published), *self._best_rate()]
        judged = judge(self.results, self.claims)
        if judged:
            parts += ["## What becomes of the claims", READING, claims_table(judged)]
            parts += [planned_seeds(self.results, max(one.pairs.family for one in judged))]
        parts += [f"![{Path(picture).stem}]({picture})"] if picture else []
        return "\n\n".join(part.strip() for part in parts if part) + "\n"

    def write(self, path: Path, picture: str) -> None:
        """Writes the page; raises UsageError where it cannot be written."""
        write_page(path, self.markdown(picture))

    def _made(self) -> str:
        runs = [run.entry for runs in self.results.values() for run in runs]
        seeds = sorted({run.seed for run in runs})
        seconds = sum(run.wall_time_s for run in runs)
        devices = ", ".join(sorted({f"{run.device}, {run.dtype}" for run in runs}))
        lengths = sorted(
            {of.spec.training[0].iterations for ofs in self.results.values() for of in ofs}
        )
        paper = self.paper_iterations
        fewer = f", where the bundled problem has {paper}" if lengths != [paper] else ""
        return (
            f"{', '.join(map(str, lengths))} iterations{fewer}. {len(runs)} runs over the seeds "
            f"{', '.join(map(str, seeds))}; {sum(run.failed for run in runs)} failed. Training "
            f"took {seconds:.0f} s in all ({devices}). A failed run counts as an infinite error."
        )

    def _best_rate(self) -> Iterator[str]:
        """Every method against the fixed baseline at the best of its learning rates."""
        errors = {column: _errors(runs) for column, runs in self.results.items()}
        fixed = [column for column in errors if not column.kind.is_adaptive]
        if len(fixed) < 2:
            return
        best = min(fixed, key=lambda column: _median(errors[column]))
        others = [column for column in errors if column.kind.is_adaptive or column == FIXED != best]
        pairs = holm([compare_pairs(errors[column], errors[best]) for column in others])
        rows = tuple(
            (column.label, *pair_texts(pair), pair.verdict)
            for column, pair in zip(others, pairs, strict=True)
        )
        headings = ("method", "ratio of errors", "interval", "p", "against the baseline")
        rate = f"{float(best.learning_rate):g}" if best.learning_rate else "that of the paper"
        yield "### Against the fixed baseline at its best learning rate"
        yield (
            f"Of the learning rates tried, the fixed baseline has the smallest median error with "
            f"{rate}: {error_text(_median(errors[best]))}. It was chosen on these very seeds, "
            "which favours it; the adaptive methods keep the learning rate of the paper."
            f"\n\n{TextTable(headings, rows).markdown()}"
        )


def errors_table(results: Results, published: PublishedErrors) -> str:
    """The errors of every method over its seeds, beside the printed ones."""
    printed = bool(published.errors)
    headings = ["method", *(["published"] if printed else []), "runs", "failed"]
    headings += ["median", "quartiles", "minimum", "maximum", "n·a up to", "seconds"]
    rows = []
    for column, found in results.items():
        runs = [one.entry for one in found]
        errors = [run.error for run in runs]
        error = spread(errors)
        theirs = published.errors.get(column.published, math.nan)
        scales = [run.largest_scale for run in runs if not run.failed]
        cells = (
            column.label,
            *[error_text(theirs)] * printed,
            str(len(runs)),
            str(sum(run.failed for run in runs)),
            error_text(error.median),
            f"{error_text(error.lower)} to {error_text(error.upper)}",
            error_text(error.best),
            error_text(max(errors, default=math.nan)),
            number_text(max(scales, default=math.nan), ".3g"),
            number_text(float(np.median([run.wall_time_s for run in runs] or [math.nan])), ".1f"),
        )
        rows.append(cells)
    note = f"Published: {published.source}, single runs without a spread. " if printed else ""
    return f"{note}Relative L2 error.\n\n{TextTable(tuple(headings), tuple(rows)).markdown()}"


def claims_table(judged: Sequence[Judgement], again: Sequence[Judgement] = ()) -> str:
    """Claims, what speaks to each, and what becomes of it.

    Args:
        again: the same claims on other seeds, with ratio and verdict; empty for none.
    """
    headings = ["claim", "pairs", "ratio", "interval", "p", "unpaired", "verdict"]
    seconds = {one.claim.text: one for one in again}
    rows = []
    for one in judged:
        row = [one.claim.text, str(one.pairs.n_pairs), *pair_texts(one.pairs)]
        row += [number_text(one.unpaired, ".2g"), one.verdict]
        if again:
            other = seconds.get(one.claim.text)
            row += ["-", "-"]
            if other is not None:
                row[-2:] = [number_text(other.pairs.ratio, ".3g"), other.verdict]
        rows.append(tuple(row))
    headings += ["again", "verdict again"] if again else []
    return TextTable(tuple(headings), tuple(rows)).markdown()


def planned_seeds(results: Results, n_claims: int) -> str:
    """How many seeds the measured spread asks for, and what pairing by seed is worth."""
    errors = {column: _errors(runs) for column, runs in results.items()}
    deviations = [log_deviation(list(of.values())) for of in errors.values()]
    deviation = float(np.median([d for d in deviations if not math.isnan(d)] or [math.nan]))
    if math.isnan(deviation):
        return ""
    needed = seeds_needed(math.sqrt(2) * deviation, n_claims)
    text = (
        f"The logarithm of the error deviates by {deviation:.2g} over the seeds of a method "
        f"(median over methods): to see a ratio of {RATIO:g} with a power of {100 * POWER:.0f} % "
        f"among {n_claims} claims takes {needed} seeds; there are {max(map(len, errors.values()))}."
    )
    shared = _correlation(list(errors.values()))
    if not math.isnan(shared):
        text += f" Errors of two methods with one seed correlate with {shared:.2f} (median)."
    return text


def _correlation(errors: Sequence[Mapping[int, float]]) -> float:
    """The median correlation of log errors over pairs of methods; NaN with fewer than 4 seeds."""
    found = []
    for i, one in enumerate(errors):
        for other in errors[:i]:
            both = [(one[seed], other[seed]) for seed in one.keys() & other.keys()]
            both = [pair for pair in both if all(0 < error < math.inf for error in pair)]
            if len(both) >= 4:
                logs = np.log(both)
                if (logs.std(axis=0) > 0).all():
                    found.append(np.corrcoef(logs.T)[0, 1])
    return float(np.median(found)) if found else math.nan


def write_page(path: Path, markdown: str) -> None:
    """Writes a page over one that is there; raises UsageError where it cannot be written."""
    try:
        with replacing(path) as part:
            part.write_text(markdown, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


def _errors(runs: Sequence[EquationResult]) -> dict[int, float]:
    return {run.seed: run.entry.error for run in runs}


def _median(errors: Mapping[int, float]) -> float:
    median = spread(list(errors.values())).median
    return math.inf if math.isnan(median) else median
