"""The loss by term against the iteration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from laaf_cli.arrays import Array
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
from laaf_cli.report.figures.scales import log_limits, log_padded, set_log
from laaf_cli.runfile.losses import SLOPE_RECOVERY, loss_without_recovery

MARK: Any = {"color": "0.5", "linestyle": ":", "linewidth": 0.8}


@dataclass(frozen=True)
class LossPanel:
    """A panel: its title, what its axis says, and the column [n_records] of each run; None where
    the run has none.
    """

    title: str
    label: str
    columns: Sequence[Array | None]


def obstacle(run: RunData) -> str:  # noqa: ARG001 - one signature for every kind
    """Every run has a loss."""
    return ""


@printed()
def loss_figure(runs: Sequence[RunData]) -> Figure:
    """The loss of runs of one problem: the whole without S(a), every term of several without its
    weight, S(a), relative L2.

    Then the weight of each term whose weight changes in some run. Each a panel with a line per run.
    Runs of one method have one colour and one place in the legend. A dotted line marks where a
    phase begins.

    Raises:
        RunFileError: for runs of different problems: their terms are not the same.
    """
    choice.require_one_problem(runs)
    panels = _panels(runs)
    plan = RowPlan(heading="", n_panels=len(panels), shares_y=False)
    figure, (row,) = make_rows(choice.headline(runs), [plan], 1.75)
    for axes, panel in zip(row, panels, strict=True):
        _draw(axes, panel, runs)
    label_outer(row, plan, "iteration", "")
    starts = sorted({start for run in runs for start in run.phase_starts})
    for axes in row:
        axes.vlines(starts, 0, 1, transform=axes.get_xaxis_transform(), **MARK)
    mark = [Line2D([], [], label="another phase begins", **MARK)] if starts else []
    legend_below(figure, [*lines_of(row), *mark])
    return figure


def _panels(runs: Sequence[RunData]) -> list[LossPanel]:
    # Equations, conditions, data; HDF5 gives them by the alphabet.
    names: dict[str, None] = {}
    for run in runs:
        order = [*run.spec.equations, *run.spec.conditions, "data"]
        known = [name for name in order if name in run.history.terms]
        names |= dict.fromkeys([*known, *run.history.terms])
    sums = [
        np.zeros(len(run.history.columns["total"]))  # all of it where no other term is left
        + loss_without_recovery(run.spec, run.history.terms)
        for run in runs
    ]
    panels = [LossPanel("loss without S(a)", "weighted sum", sums)]
    terms = {name: [run.history.terms.get(name) for run in runs] for name in names}
    recovery = terms.pop(SLOPE_RECOVERY, None)
    if len(terms) == 1:  # the loss itself, but for a factor
        terms.clear()
    panels += [
        LossPanel(f"term '{name}'", "mean square", columns) for name, columns in terms.items()
    ]
    if recovery is not None:
        panels.append(LossPanel("slope recovery", "S(a)", recovery))
    monitored = [run.history.columns["relative_l2"] for run in runs]
    if any(np.isfinite(values).any() for values in monitored):
        panels.append(LossPanel("error against the reference", "relative L2", monitored))
    for name in names:
        weights = [run.history.weights.get(name) for run in runs]
        if any(values is not None and (values != values[0]).any() for values in weights):
            # A weight of zero, as that of slope recovery once there are no slopes, has no place on
            # a log scale.
            above_0 = [None if w is None else np.where(w > 0, w, np.nan) for w in weights]
            panels.append(LossPanel(f"weight of '{name}'", "weight in the loss", above_0))
    return panels


def _draw(axes: Axes, panel: LossPanel, runs: Sequence[RunData]) -> None:
    shown: list[Array] = []
    for run, values in zip(runs, panel.columns, strict=True):
        if values is None:
            continue
        here = np.isfinite(values)
        x, y = run.history.columns["iteration"][here], values[here]
        shown.append(y)
        style, marker = run.style, "o" if len(y) == 1 else None
        axes.plot(
            x, y, color=style.color, linestyle=style.line, label=style.label, marker=marker,
            markersize=3, linewidth=0.9,
        )  # fmt: skip
    set_log(axes, log_padded(log_limits(shown, decades=16)))
    axes.set_ylabel(panel.label)
    plain(axes.set_title(panel.title))
