"""Courses of training over seeds: the mean of each method and a band around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from laaf_cli.arrays import Array
from laaf_cli.report.figures.canvas import (
    RowPlan,
    label_outer,
    legend_below,
    lines_of,
    make_rows,
    plain,
    printed,
)
from laaf_cli.report.figures.scales import linear_limits, log_limits, log_padded, padded, set_log

DEVIATIONS = 2.0
"""Half the height of a band in sample standard deviations, as in the figures of the paper."""

BAND = f"± {DEVIATIONS:g} standard deviations over the seeds"


@dataclass(frozen=True, kw_only=True)
class Course:
    """The middle of a line and the ends of its band, all [n_epochs]."""

    label: str
    color: str
    line: Any
    """The line style, as matplotlib takes it."""
    epochs: Array
    middle: Array
    low: Array
    high: Array

    @property
    def has_band(self) -> bool:
        """Whether the band is wider than the line somewhere."""
        return bool((self.high > self.low).any())


def over_seeds(label: str, color: str, line: Any, epochs: Array, values: Array) -> Course:
    """The mean and the band of two sample standard deviations of `values` [n_seeds, n_epochs];
    none of one seed.
    """
    mean = values.mean(axis=0)
    reach = DEVIATIONS * values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros_like(mean)
    return Course(
        label=label,
        color=color,
        line=line,
        epochs=epochs,
        middle=mean,
        low=mean - reach,
        high=mean + reach,
    )


@dataclass(frozen=True, kw_only=True)
class CoursePanel:
    """A panel: its title, what its upward axis says, its courses, and whether that axis has a
    log scale.
    """

    title: str
    y: str
    courses: tuple[Course, ...]
    is_log: bool = True


@printed()
def courses_figure(
    title: str,
    panels: Sequence[CoursePanel],
    *,
    columns: int = 3,
    shares_y: bool = False,
    band: str = BAND,
    line_height: float = 2.3,
) -> Figure:
    """Courses of training in panels, against the epoch, with one legend.

    What lies below a log scale, as an error of zero or the lower end of a band, is at the edge
    of its panel.

    Args:
        band: what it is called.
    """
    plan = RowPlan(heading="", n_panels=len(panels), columns=columns, shares_y=shares_y)
    figure, (row,) = make_rows(title, [plan], line_height)
    limits = [_limits(panel) for panel in panels]
    if shares_y:
        limits = [(min(low for low, _ in limits), max(high for _, high in limits))] * len(limits)
    for axes, panel, y_limits in zip(row, panels, limits, strict=True):
        _draw(axes, panel, y_limits)
    label_outer(row, plan, "epoch", panels[0].y)
    courses = [course for panel in panels for course in panel.courses]
    patch = Patch(color="0.5", alpha=0.3, linewidth=0, label=band)
    legend_below(figure, [*lines_of(row), *[patch] * any(course.has_band for course in courses)])
    return figure


def _limits(panel: CoursePanel) -> tuple[float, float]:
    ends = [end for course in panel.courses for end in (course.middle, course.high)]
    if panel.is_log:
        return log_padded(log_limits(ends, decades=16))
    return padded(linear_limits([*ends, *(course.low for course in panel.courses)], []))


def _draw(axes: Axes, panel: CoursePanel, limits: tuple[float, float]) -> None:
    for course in panel.courses:
        marker = "o" if len(course.epochs) == 1 else None
        style = {"color": course.color, "linestyle": course.line, "label": course.label}
        middle, low, high = (
            np.maximum(end, limits[0]) if panel.is_log else end
            for end in (course.middle, course.low, course.high)
        )
        axes.plot(course.epochs, middle, marker=marker, markersize=3, linewidth=1, **style)
        if course.has_band:
            axes.fill_between(course.epochs, low, high, color=course.color, alpha=0.18, linewidth=0)
    if panel.is_log:
        set_log(axes, limits)
    else:
        axes.set_ylim(limits)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    if panel.y:
        axes.set_ylabel(panel.y)
    plain(axes.set_title(panel.title))
