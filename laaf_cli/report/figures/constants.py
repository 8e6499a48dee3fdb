"""The learned constants against the iteration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
from laaf_cli.report.figures.scales import finite, linear_limits, log_padded, padded, set_log
from laaf_cli.report.methods import REFERENCE_COLOR
from laaf_cli.runfile.learned_constants import bounds_of

BOUND_COLOR = "#009E73"
"""Of the palette of Okabe & Ito, and of no method."""

INTERVAL = "95 % interval"

NEAR = 0.25
"""Bounds are drawn up to this fraction of the range beyond what is shown."""

SPAN = 30.0
"""Positive constants that move by this factor are drawn on a log scale."""


def obstacle(run: RunData) -> str:
    """Why a run has no learned constants to draw, or an empty text."""
    return "" if run.spec.learn else "its spec learns no constant"


@printed()
def constants_figure(runs: Sequence[RunData]) -> Figure:
    """The learned constants of runs of one problem: a panel for each constant, with a line per run.

    A broad grey line is the true value where it is known; dotted lines are bounds that are near; a
    bar at the end is the interval that the noise in the data leaves open.

    Raises:
        RunFileError: for runs that learn none, and of different problems.
    """
    choice.require_one_problem(runs)
    choice.require(runs, obstacle)
    names = list(dict.fromkeys(name for run in runs for name in run.spec.learn))
    plan = RowPlan(heading="", n_panels=len(names), shares_y=False)
    figure, (row,) = make_rows(choice.headline(runs), [plan], 2.1)
    for axes, name in zip(row, names, strict=True):
        _draw(axes, name, [run for run in runs if name in run.spec.learn])
        plain(axes.set_title(name))
    label_outer(row, plan, "iteration", "")
    legend_below(
        figure,
        sorted(
            lines_of(row), key=lambda line: str(line.get_label()) in ("truth", INTERVAL, "bound")
        ),
    )
    return figure


def _draw(axes: Axes, name: str, runs: Sequence[RunData]) -> None:
    truths = dict.fromkeys(
        truth for run in runs if (truth := run.spec.learn[name].truth) is not None
    )
    for truth in truths:
        axes.axhline(truth, color=REFERENCE_COLOR, linewidth=3, alpha=0.6, label="truth")
    intervals: list[float] = []
    for run in runs:
        iteration, values = run.history.columns["iteration"], run.history.constants[name]
        here = np.isfinite(values)
        style, marker = run.style, "o" if here.sum() == 1 else None
        axes.plot(
            iteration[here], values[here], color=style.color, linestyle=style.line,
            label=style.label, marker=marker, markersize=3, linewidth=0.9,
        )  # fmt: skip
        ends = [float(run.intervals.get(f"{end}_{name}", np.nan)) for end in ("lower", "upper")]
        if np.isfinite(ends).all():
            axes.plot(
                [iteration[-1]] * 2, ends, color=style.color, marker="_", markersize=6,
                linewidth=1.5, label=INTERVAL,
            )  # fmt: skip
            intervals += ends
    shown = finite([*(run.history.constants[name] for run in runs), np.array(list(truths))])
    is_log = shown.size > 0 and shown.min() > 0 and shown.max() > SPAN * shown.min()
    bounds = dict.fromkeys(bound for run in runs for bound in bounds_of(run.spec.learn[name]))
    near = [bound for bound in bounds if _is_near(bound, shown, is_log=is_log)]
    for bound in near:
        axes.axhline(bound, color=BOUND_COLOR, linestyle="dotted", linewidth=0.9, label="bound")
    shown = np.append(shown, near)
    if is_log:
        set_log(axes, log_padded((float(shown.min()), float(shown.max()))))
    else:
        axes.set_ylim(padded(linear_limits([np.array(intervals)], [shown])))
    axes.set_ylabel("value")


def _is_near(bound: float, shown: Array, *, is_log: bool) -> bool:
    """Whether a bound lies among the values shown, or not far beyond them on their scale."""
    if not shown.size or (is_log and bound <= 0):
        return False
    values, place = (np.log(shown), np.log(bound)) if is_log else (shown, bound)
    reach = NEAR * np.ptp(values)
    return bool(values.min() - reach <= place <= values.max() + reach)
