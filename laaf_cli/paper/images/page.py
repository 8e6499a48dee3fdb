"""The page of a figure of section 4 in Markdown: what was trained, the methods by data set, what
the pairs support.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from laaf_cli.images.data import DATASETS
from laaf_cli.paper.claims import image_claims, judge
from laaf_cli.paper.columns import Column
from laaf_cli.paper.images.results import (
    EARLY,
    FINAL,
    TEST_ERROR,
    ImageResult,
    Results,
    against_fixed,
)
from laaf_cli.paper.page import READING as OF_CLAIMS
from laaf_cli.paper.page import claims_table, write_page
from laaf_cli.report.comparison_table import TextTable, number_text
from laaf_cli.report.statistics import PairedComparison, spread
from laaf_cli.text import listed

SHOWN = (
    "The cross entropy of the training images (training mode, without S(a)) against the epoch, on "
    "a log scale: the mean over seeds"
)
BANDS = " and a band of ± 2 sample standard deviations"

MODELS = {"lenet": "LeNet", "preact-resnet18": "Pre-activation ResNet-18"}
"""Architectures as they are called in sentences."""

READING = (
    "Training loss: at the end, the mean over seeds ± 2 sample standard deviations, of the runs "
    "that did not fail. Test error: the fraction of the test images that is classified wrongly at "
    "the end, the median over seeds; a failed run counts as an infinite one. *To fixed*: the "
    "ratio to fixed slopes, median over pairs of runs with one seed. Seconds: of one run."
)
"""What the columns of a table hold."""


@dataclass(frozen=True, kw_only=True)
class ImagePage:
    """What a page holds."""

    title: str
    command: str
    paper_epochs: int
    """The epochs of the paper."""
    results: Mapping[str, Results]
    left_out: Sequence[str]
    """A sentence for all that these runs do not show."""

    def markdown(self, figure: str) -> str:
        """The whole page; the figure is named relative to it, or empty where nothing was drawn."""
        runs = [run for results in self.results.values() for run in runs_of(results)]
        parts = [f"# {self.title}", f"`{self.command}`"]
        parts += [trained(runs, self.paper_epochs)] if runs else ["No run is there."]
        parts += ["\n".join(f"- {sentence}" for sentence in self.left_out)] if self.left_out else []
        parts += [caption(runs), f"![{Path(figure).stem}]({figure})"] if figure else []
        parts += [READING, OF_CLAIMS] if runs else []
        for dataset, results in self.results.items():
            if results:
                parts += [f"## {DATASETS[dataset].title}", *of_data_set(results)]
        if runs:
            lines = [f"- {line}" for line in deviations(runs)]
            parts += ["## What is not the paper's", "\n".join(lines)]
        return "\n\n".join(part.strip() for part in parts) + "\n"

    def write(self, path: Path, figure: str) -> None:
        """Writes the page; raises UsageError where it cannot be written."""
        write_page(path, self.markdown(figure))


def runs_of(results: Results) -> list[ImageResult]:
    """All runs of a data set."""
    return [run for runs in results.values() for run in runs]


def trained(runs: Sequence[ImageResult], paper_epochs: int) -> str:
    """How long was trained over which seeds, and what it took."""
    lengths = sorted({run.n_epochs for run in runs if not run.failed})
    epochs = f"{listed(f'{length:.3g}' for length in lengths) or 'No'} epochs"
    fewer = f", where the authors' code has {paper_epochs}" if lengths != [paper_epochs] else ""
    seeds = sorted({run.spec.seed for run in runs})
    n_failed, seconds = sum(run.failed for run in runs), sum(run.wall_time_s for run in runs)
    return (
        f"{epochs}{fewer}. {len(runs)} run{'s' * (len(runs) > 1)} over the "
        f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}; {n_failed} failed. Training "
        f"took {seconds:.0f} s in all ({'; '.join(sorted({run.device for run in runs}))}). Runs "
        "with one seed share their initial weights and the order of their images."
    )


def caption(runs: Sequence[ImageResult]) -> str:
    """What the figure shows; a band takes two seeds."""
    if len({run.spec.seed for run in runs}) > 1:
        return f"{SHOWN}{BANDS}. A band that reaches below zero ends at the edge of its panel."
    return (
        f"{SHOWN}, which here is one seed: there is no band, and nothing is said about other seeds."
    )


def of_data_set(results: Results) -> Iterator[str]:
    """What was trained on a data set, its methods as a table, and what becomes of the
    claims.
    """
    runs = runs_of(results)
    speeds = [run.images_per_s for run in runs if not run.failed] or [math.nan]
    for n_train, n_test in dict.fromkeys(run.images for run in runs):
        yield (
            f"{MODELS[runs[0].spec.model.kind]}, {n_train:,} training and {n_test:,} test images; "
            f"{_range(f'{min(speeds):,.0f}', f'{max(speeds):,.0f}')} training images a second."
        )
    losses, errors = (against_fixed(results, of) for of in ("training_loss", "test_error"))
    headings = (
        "method", "runs", "failed", "training loss", "loss to fixed", "test error",
        "minimum to maximum", "error to fixed", "accuracy", "n·a up to", "seconds", "parameters",
        "slopes",
    )  # fmt: skip
    rows = [
        _row(column, of, losses.get(column), errors.get(column)) for column, of in results.items()
    ]
    yield TextTable(headings, tuple(rows)).markdown()
    if len(results) > 1:
        yield claims_table(judge(results, image_claims(EARLY, FINAL, TEST_ERROR)))


def _row(
    column: Column,
    runs: Sequence[ImageResult],
    loss: PairedComparison | None,
    error: PairedComparison | None,
) -> tuple[str, ...]:
    errors = [run.test_error for run in runs]
    median = spread(errors).median
    losses = [run.training_loss for run in runs if not run.failed]
    reach = f" ± {2 * float(np.std(losses, ddof=1)):.2g}" if len(losses) > 1 else ""
    scales = [run.largest_scale for run in runs if not run.failed]
    return (
        column.label,
        str(len(runs)),
        str(sum(run.failed for run in runs)),
        f"{float(np.mean(losses)):.3g}{reach}" if losses else "failed",
        _ratio(loss),
        _percent(median),
        _range(_percent(min(errors)), _percent(max(errors))),
        _ratio(error),
        _percent(1 - median),
        number_text(max(scales, default=math.nan), ".3g"),
        number_text(sum(run.wall_time_s for run in runs) / len(runs), ".1f"),
        f"{runs[0].n_parameters:,}",
        f"{runs[0].n_slopes:,}",
    )


def _range(least: str, greatest: str) -> str:
    return least if least == greatest else f"{least} to {greatest}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if math.isfinite(share) else "failed"


def _ratio(pair: PairedComparison | None) -> str:
    """The median ratio over pairs of seeds."""
    if pair is None or pair.n_pairs == 0:
        return "-"
    return "failed" if math.isinf(pair.ratio) else f"{pair.ratio:.2g}"


def deviations(runs: Sequence[ImageResult]) -> Iterator[str]:
    """What differs from the paper, and what of its set-up text and published code leave open."""
    specs = [run.spec for run in runs]
    for spec in {spec.model.width: spec for spec in specs if spec.model.kind == "lenet"}.values():
        dropout = f"a dropout of {spec.model.dropout:g}" if spec.model.dropout else "no dropout"
        yield (
            f"LeNet has {spec.model.width} neurons in its fully connected layer and {dropout}: "
            "1014 and none in the paper's text, 1024 and 0.5 in the authors' code."
        )
    if any(spec.model.kind == "preact-resnet18" for spec in specs):
        yield "ResNet-18 multiplies by n·a, as in the paper's text; the authors' code forgets n."
    drops = sorted({drop for spec in specs for drop in spec.training.drops or ()})
    least = min(run.n_epochs for run in runs)
    if drops and least < drops[0]:
        yield (
            f"With {least:.3g} epochs the learning rate never drops; in the paper it does at epoch "
            f"{listed(map(str, drops))}."
        )
    yield (
        "The seeds, and so the initial weights and the order of the images, are not those of "
        "the authors."
    )
