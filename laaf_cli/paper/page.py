"""The page of a table or figure in Markdown: our errors over seeds beside the printed ones, and
what they support.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.errors import UsageError
from laaf_cli.files.atomic import replacing
from laaf_cli.paper.claims import judge
from laaf_cli.paper.columns import FIXED, Column, PublishedErrors
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.comparison_table import TextTable, error_text, number_text, pair_texts
from laaf_cli.report.statistics import compare_pairs, holm, spread

Summaries = Mapping[Column, Sequence[ComparisonEntry]]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page holds."""

    title: str
    command: str
    paper_iterations: int
    """The iterations of the whole training in the paper."""
    summaries: Mapping[int, Summaries]
    """The runs that are there, by number of iterations and method."""
    published: PublishedErrors
    judged: bool

    def markdown(self, pictures: Sequence[str]) -> str:
        """The whole page; pictures are named relative to it."""
        parts = [f"# {self.title}", f"`{self.command}`", self._made()]
        for iterations, summaries in self.summaries.items():
            if len(self.summaries) > 1:
                parts.append(f"## After {iterations} iterations")
            parts.append(self._errors(summaries))
            if self.judged:
                parts += [*self._best_rate(summaries), *self._claims(summaries)]
        parts += [f"![{Path(picture).stem}]({picture})" for picture in pictures]
        return "\n\n".join(part.strip() for part in parts) + "\n"

    def write(self, path: Path, pictures: Sequence[str]) -> None:
        """Writes the page; raises UsageError where it cannot be written."""
        write_page(path, self.markdown(pictures))

    def _made(self) -> str:
        groups = [group for summaries in self.summaries.values() for group in summaries.values()]
        runs = [run for group in groups for run in group]
        seeds = sorted({run.seed for run in runs})
        seconds = sum(run.wall_time_s for run in runs)
        devices = ", ".join(sorted({f"{run.device}, {run.dtype}" for run in runs}))
        most = max(self.summaries)
        paper = self.paper_iterations
        fewer = f", where the paper has {paper}" if most != paper else ""
        return (
            f"{most} iterations{fewer}. {len(runs)} runs over the seeds "
            f"{', '.join(map(str, seeds))}; {sum(run.failed for run in runs)} failed. Training "
            f"took {seconds:.0f} s in all ({devices}). A failed run counts as an infinite error. "
            "Runs with one seed share their points and initial weights."
        )

    def _errors(self, summaries: Summaries) -> str:
        printed = bool(self.published.errors)
        headings = ["method", *(["published"] if printed else []), "runs", "failed"]
        headings += ["median", "quartiles", "minimum", "maximum", "n·a up to", "seconds"]
        rows = []
        for column, runs in summaries.items():
            errors = [run.error for run in runs]
            error = spread(errors)
            theirs = self.published.errors.get(column.published, math.nan)
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
                number_text(sum(run.wall_time_s for run in runs) / max(1, len(runs)), ".1f"),
            )
            rows.append(cells)
        source = self.published.source
        note = f"Published: {source}, single runs without a spread. " if printed else ""
        return f"{note}Relative L2 error.\n\n{TextTable(tuple(headings), tuple(rows)).markdown()}"

    def _best_rate(self, summaries: Summaries) -> Iterator[str]:
        """Every method against the fixed baseline at the best of its learning rates."""
        errors = {column: _errors(runs) for column, runs in summaries.items()}
        fixed = {
            column: of_column for column, of_column in errors.items() if not column.kind.is_adaptive
        }
        if len(fixed) < 2:
            return
        best = min(fixed, key=lambda column: _median(fixed[column]))
        others = [column for column in errors if column.kind.is_adaptive or column == FIXED != best]
        pairs = holm([compare_pairs(errors[column], fixed[best]) for column in others])
        rows = tuple(
            (column.label, *pair_texts(pair), pair.verdict)
            for column, pair in zip(others, pairs, strict=True)
        )
        headings = ("method", "ratio of errors", "95 % interval", "p", "against the baseline")
        table = TextTable(headings, rows)
        rate = f"{float(best.learning_rate):g}" if best.learning_rate else "that of the paper"
        yield "### Against the fixed baseline at its best learning rate"
        yield (
            f"Of the learning rates tried, the fixed baseline has the smallest median error with "
            f"{rate}: {error_text(_median(fixed[best]))}. It was chosen on these very "
            "seeds, which favours it; "
            f"the adaptive methods keep the learning rate of the paper.\n\n{table.markdown()}"
        )

    def _claims(self, summaries: Summaries) -> Iterator[str]:
        judgements = judge({column: _errors(runs) for column, runs in summaries.items()})
        if not judgements:
            return
        rows = tuple(
            (judgement.claim.text, *pair_texts(judgement.pairs), judgement.verdict)
            for judgement in judgements
        )
        yield "### What becomes of the claims"
        yield (
            "Ratio of errors: the median over paired seeds, below 1 where the claim's method "
            "is better; bootstrap "
            "interval; p of the Wilcoxon signed-rank test, after Holm for all claims here.\n\n"
            + TextTable(
                ("claim", "ratio of errors", "95 % interval", "p", "verdict"), rows
            ).markdown()
        )


def write_page(path: Path, markdown: str) -> None:
    """Writes a page over one that is there; raises UsageError where it cannot be written."""
    try:
        with replacing(path) as part:
            part.write_text(markdown, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


def _errors(runs: Sequence[ComparisonEntry]) -> dict[int, float]:
    return {run.seed: run.error for run in runs}


def _median(errors: Mapping[int, float]) -> float:
    median = spread(list(errors.values())).median
    return math.inf if math.isnan(median) else median
