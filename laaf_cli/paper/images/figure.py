"""The figure of section 4: the training loss of every method against the epoch, a panel for each
data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from laaf_cli.images.data import DATASETS
from laaf_cli.paper.columns import FIXED
from laaf_cli.paper.images.results import Results
from laaf_cli.report.figures import save
from laaf_cli.report.figures.histories import (
    DEVIATIONS,
    Course,
    CoursePanel,
    courses_figure,
    over_seeds,
)

COLUMNS = 2
"""Panels side by side, as in the paper."""

BAND = f"± {DEVIATIONS:g} standard deviations"

LINES = ("solid", "dashed", "dotted", "dashdot")
"""The lines of the scales n, the smallest first; of more than four the first comes again."""


def draw_training_loss(title: str, results: Mapping[str, Results], output: Path) -> bool:
    """Draws the runs that did not fail, by data set; whether there were any to draw.

    Raises UsageError where the file cannot be written.
    """
    courses = {dataset: tuple(_courses(by_column)) for dataset, by_column in results.items()}
    shown = [dataset for dataset, of_dataset in courses.items() if of_dataset]
    n_columns = min(COLUMNS, len(shown))
    panels = [
        CoursePanel(
            title=DATASETS[dataset].title,
            y="" if i % n_columns else "training loss",
            courses=courses[dataset],
        )
        for i, dataset in enumerate(shown)
    ]
    if panels:
        height = 3.2 if len(panels) == 1 else 2.3
        save(courses_figure(title, panels, columns=COLUMNS, band=BAND, line_height=height), output)
    return bool(panels)


def _courses(results: Results) -> Iterator[Course]:
    scales = sorted({float(column.n) for column in results if column.n is not None})
    for column, runs in results.items():
        sound = [run for run in runs if not run.failed]
        if sound:
            losses = np.stack([run.losses for run in sound])
            i = 0 if column == FIXED or column.n is None else scales.index(float(column.n))
            color, line = column.kind.color, LINES[i % len(LINES)]
            yield over_seeds(column.label, color, line, sound[0].epochs, losses)
