"""Losses, errors and slopes of runs of images against the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from laaf_cli.images.report.run_data import ImageGroup, ImageRunData, by_method
from laaf_cli.report.figures import choice
from laaf_cli.report.figures.histories import Course, CoursePanel, courses_figure, over_seeds

MAX_ACTIVATIONS = 24
"""ResNet-18 has 16."""

BAND = "± 1 standard deviation of the slopes of all runs"


def columns_figure(runs: Sequence[ImageRunData], y: str, columns: Mapping[str, str]) -> Figure:
    """Columns of the history by the titles of their panels, each method its mean and band over
    seeds.
    """
    choice.require_one_problem(runs)
    groups = by_method(runs)
    panels = [
        CoursePanel(
            title=title,
            y=y if i == 0 else "",
            courses=tuple(
                over_seeds(group.label, group.color, group.line, group.epochs, group.values(name))
                for group in groups
            ),
        )
        for i, (title, name) in enumerate(columns.items())
    ]
    return courses_figure(choice.headline(runs), panels)


def no_activations(run: ImageRunData) -> str:
    """Why a run has no slopes to draw, or an empty text."""
    if not run.spec.slopes.row.is_adaptive:
        return "its activation is fixed, so it has no slopes"
    n = _n_activations(run)
    return (
        ""
        if n <= MAX_ACTIVATIONS
        else f"it has {n} activations, and one figure has room for {MAX_ACTIVATIONS}"
    )


def _n_activations(run: ImageRunData) -> int:
    return int(run.history.slopes["mean"].shape[1])


def activations_figure(runs: Sequence[ImageRunData]) -> Figure:
    """n·a of each activation in a panel of its own: the mean over all slopes and runs of a method,
    and a band.

    The band is one standard deviation of all these slopes. Raises RunFileError for runs with fixed
    slopes.
    """
    choice.require_one_problem(runs)
    choice.require(runs, no_activations)
    groups = by_method(runs)
    n = max(_n_activations(run) for run in runs)
    panels = [
        CoursePanel(
            title=f"activation {k + 1}",
            y="n·a" if k == 0 else "",
            courses=tuple(
                _slopes(group, k) for group in groups if k < _n_activations(group.runs[0])
            ),
            is_log=False,
        )
        for k in range(n)
    ]
    columns, height = (3, 2.3) if n <= 3 else (4, 1.6) if n <= 12 else (6, 1.35)
    return courses_figure(
        choice.headline(runs), panels, columns=columns, shares_y=True, band=BAND, line_height=height
    )


def _slopes(group: ImageGroup, k: int) -> Course:
    """Of the slopes of all runs of a group; their variance is the mean of variances plus the
    variance of means.
    """
    means = group.values("mean")[..., k]
    deviations = group.values("deviation")[..., k]
    mean = means.mean(axis=0)
    reach = np.sqrt((deviations**2).mean(axis=0) + means.var(axis=0))
    return Course(
        label=group.label,
        color=group.color,
        line=group.line,
        epochs=group.epochs,
        middle=mean,
        low=mean - reach,
        high=mean + reach,
    )
