"""The errors of several methods over seeds, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from laaf_cli.errors import UsageError
from laaf_cli.report.figures.canvas import WIDTH, legend_below, make_figure, plain, printed
from laaf_cli.report.figures.scales import finite, log_limits, log_padded, set_log
from laaf_cli.report.statistics import spread

TOP = 0.96
"""Where failed runs are marked, as a fraction of the height of the axes."""


@dataclass(frozen=True, kw_only=True)
class ErrorGroup:
    """The relative L2 errors of one method, one per seed that succeeded, and how many seeds
    failed.
    """

    label: str
    color: str
    errors: tuple[float, ...]
    n_failed: int = 0


@printed()
def comparison_figure(
    groups: Sequence[ErrorGroup], title: str = "", y: str = "relative L2 error"
) -> Figure:
    """A dot for each seed and a bar at the median of each method, on a log axis; a cross at the top
    for each failure.

    A failure counts as an infinite error in the median, and so do errors that are not finite: no
    bar where most runs failed. An error of zero is drawn at the lower edge.
    """
    if not groups:
        raise UsageError("there is nothing to compare")
    figure = make_figure(title, 2.7)
    figure.set_figwidth(min(WIDTH, max(4.0, 1.5 + 1.05 * len(groups))))
    axes = figure.subplots()
    low, high = log_padded(log_limits([np.array(group.errors) for group in groups], decades=16))
    # Room at the top for the crosses.
    high *= (high / low) ** 0.12
    for position, group in enumerate(groups):
        _draw(axes, position, group, low)
    set_log(axes, (low, high))
    axes.set(xlim=(-0.6, len(groups) - 0.4), ylabel=y)
    _name(axes, [group.label for group in groups], figure.get_figwidth())
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    dots: dict[str, Any] = {"linestyle": "none", "color": "0.3"}
    shown = [
        Line2D([], [], marker="o", markersize=4, label="one seed", **dots),
        Line2D([], [], color="0.3", linewidth=2, label="median"),
    ]
    if any(group.n_failed or not np.isfinite(group.errors).all() for group in groups):
        shown.append(Line2D([], [], marker="x", markersize=5, label="failed", **dots))
    legend_below(figure, shown)
    return figure


def _draw(axes: Axes, position: int, group: ErrorGroup, low: float) -> None:
    errors = np.array(group.errors, dtype=float)
    failed = group.n_failed + int((~np.isfinite(errors)).sum())
    errors = finite([errors])
    n = len(errors) + failed
    # Side by side, so that dots do not hide one another.
    places = position + (np.linspace(-0.18, 0.18, n) if n > 1 else np.zeros(n))
    axes.plot(
        places[: len(errors)], np.maximum(errors, low), "o", color=group.color, markersize=4,
        alpha=0.7, markeredgewidth=0,
    )  # fmt: skip
    if len(errors) > failed:  # else the median is that of a failed run
        median = max(spread([*errors, *[np.inf] * failed]).median, low)
        ends = [position - 0.3, position + 0.3]
        axes.plot(ends, [median, median], color=group.color, linewidth=2)
    if failed:
        axes.plot(
            places[len(errors) :], np.full(failed, TOP), "x", color=group.color, markersize=5,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def _name(axes: Axes, labels: Sequence[str], width: float) -> None:
    """The labels below their places: broken into lines where these are short enough, else
    slanted.
    """
    broken = [
        label.replace(", ", ",\n").replace(" + ", "\n+ ").replace(": ", ":\n") for label in labels
    ]
    room = (width - 0.7) / len(labels)
    fits = all(len(line) * 0.055 <= room for label in broken for line in label.splitlines())
    axes.set_xticks(range(len(labels)), broken if fits else labels)
    for text in axes.get_xticklabels():
        plain(text)
        if not fits:
            text.set(rotation=35, ha="right", rotation_mode="anchor")
