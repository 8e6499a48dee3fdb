"""The slopes n·a of the activation functions against the iteration."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from laaf_cli.report.figures import choice
from laaf_cli.report.figures.canvas import (
    RowPlan,
    label_outer,
    legend_below,
    lines_of,
    make_rows,
    plain,
    printed,
)
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.report.figures.scales import linear_limits, padded

LAYER_COLORS = "viridis"


def obstacle(run: RunData) -> str:
    """Why a run has no slopes to draw, or an empty text."""
    return "" if run.spec.slopes.row.is_adaptive else "its activation is fixed, so it has no slopes"


@printed()
def slopes_figure(runs: Sequence[RunData]) -> Figure:
    """n·a of runs of one problem, a panel for each run, all with the same axes.

    L-LAAF: a line for each hidden layer. N-LAAF: the mean of each layer and a band of one standard
    deviation over its neurons. GAAF: the one slope. A dotted line marks where they became part of
    the weights.

    Raises:
        RunFileError: for runs with fixed slopes, and of different problems.
    """
    choice.require_one_problem(runs)
    choice.require(runs, obstacle)
    choice.require_few_panels(runs)
    plan = RowPlan(heading="", n_panels=len(runs))
    figure, (row,) = make_rows(runs[0].title, [plan], 2.2)
    n_layers = max(len(run.history.slopes) for run in runs)
    for axes, run, title in zip(row, runs, choice.titles(runs), strict=True):
        _draw(axes, run, n_layers)
        plain(axes.set_title(title))
    ends = [
        slopes.mean(axis=1) + sign * (slopes.std(axis=1) if slopes.shape[1] > 1 else 0)
        for run in runs
        for slopes in run.history.slopes
        for sign in (-1, 1)
    ]
    row[0].set_ylim(padded(linear_limits([*ends, np.ones(1)], [])))
    label_outer(row, plan, "iteration", "n·a")
    band: list[Artist] = [
        Patch(color="0.5", alpha=0.3, linewidth=0, label="± 1 standard deviation of the neurons")
    ]
    has_band = any(run.spec.slopes.row.per_neuron for run in runs)
    absorbed = any(run.slopes_absorbed_at is not None for run in runs)
    mark: list[Artist] = [
        Line2D([], [], color="0.5", linestyle=":", label="part of the weights from here on")
    ]
    # The lines of the layers by their number, and that of all layers last.
    lines = sorted(
        lines_of(row), key=lambda line: (len(str(line.get_label())), str(line.get_label()))
    )
    legend_below(figure, [*lines, *(band if has_band else []), *(mark if absorbed else [])])
    return figure


def _draw(axes: Axes, run: RunData, n_layers: int) -> None:
    iteration = run.history.columns["iteration"]
    if run.slopes_absorbed_at is not None:
        whole = axes.get_xaxis_transform()
        axes.vlines(run.slopes_absorbed_at, 0, 1, transform=whole, color="0.5", linestyle=":")
    marker = "o" if len(iteration) == 1 else None
    if run.spec.slopes.row.is_shared:
        slope = run.history.slopes[0][:, 0]
        axes.plot(iteration, slope, color="black", label="all layers", marker=marker, markersize=3)
        return
    for layer, slopes in enumerate(run.history.slopes):
        # Dark near the input, light near the output.
        color = mpl.colormaps[LAYER_COLORS](0.9 * layer / max(1, n_layers - 1))
        mean = slopes.mean(axis=1)
        if run.spec.slopes.row.per_neuron:
            spread = slopes.std(axis=1)
            axes.fill_between(
                iteration, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0
            )
        axes.plot(
            iteration, mean, color=color, label=f"layer {layer + 1}", marker=marker, markersize=3
        )
