"""Which classes of images were taken for which."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from laaf_cli.images.report.run_data import ImageGroup, ImageRunData, by_method
from laaf_cli.report.figures import choice
from laaf_cli.report.figures.canvas import (
    RowPlan,
    label_outer,
    make_rows,
    plain,
    printed,
    shortened,
)

MAX_COUNTED = 10
"""Of more classes the numbers of images would not be legible."""

MAX_NAMED = 30
"""Of more classes only some have their names at the axes."""

MAX_NAME = 12
"""The most characters of the name of a class."""

TITLE_WIDTH = 36
"""The most characters in a line above a panel."""

LEAST_SHARE = 1e-3
"""The lowest end of the colours."""


@printed()
def confusion_figure(runs: Sequence[ImageRunData]) -> Figure:
    """The confusion matrix of each method at the end, of the test images of all its runs together.

    Rows are true classes, columns found ones; the colour is the fraction of a row, the number that
    of images. Raises UsageError for more methods than panels are legible.
    """
    choice.require_one_problem(runs)
    groups = by_method(runs)
    choice.require_few_panels([group.runs[0] for group in groups])
    columns, height = (1, 4.2) if len(groups) == 1 else (2, 3.4) if len(groups) <= 4 else (3, 2.3)
    plan = RowPlan(heading="", n_panels=len(groups), columns=columns)
    figure, (row,) = make_rows(choice.headline(runs), [plan], height)
    images = [
        _draw(axes, group, single=len(groups) == 1) for axes, group in zip(row, groups, strict=True)
    ]
    label_outer(row, plan, "found class", "true class")
    bar = figure.colorbar(
        images[0], ax=row, extend="min", pad=0.02, aspect=30, label="fraction of the true class"
    )
    bar.outline.set_linewidth(0.6)
    return figure


def _draw(axes: Axes, group: ImageGroup, *, single: bool) -> AxesImage:
    counts = np.sum([run.confusion for run in group.runs], axis=0)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    norm = LogNorm(LEAST_SHARE, 1.0)
    image = axes.imshow(
        np.maximum(shares, LEAST_SHARE / 10), norm=norm, cmap=mpl.colormaps["Blues"]
    )
    n_runs = len(group.runs)
    title = f"{group.label}, {n_runs} runs" if n_runs > 1 else group.label
    if not single or n_runs > 1:
        plain(axes.set_title(textwrap.fill(title, TITLE_WIDTH)))
    whole = [shortened(name, 100) for name in group.runs[0].classes]
    names = [name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…" for name in whole]
    step = -(-len(names) // MAX_NAMED)
    places = range(0, len(names), step)
    shown = [names[place] for place in places]
    long = max(map(len, shown)) > 2
    axes.set_xticks(places, shown, rotation=90 if long else 0)
    axes.set_yticks(places, shown)
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        plain(text)
    axes.tick_params(length=0)
    if len(names) <= MAX_COUNTED:
        size = 5.5 * min(1.0, 4 / len(str(counts.max())))
        for (i, j), count in np.ndenumerate(counts):
            if count:
                color = "white" if shares[i, j] > 0.1 else "black"
                axes.text(j, i, str(count), ha="center", va="center", fontsize=size, color=color)
    return image
