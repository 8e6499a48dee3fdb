"""The frequency content of the solution against that of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from laaf_cli.report.figures import choice
from laaf_cli.report.figures.canvas import RowPlan, legend_below, lines_of, make_rows, printed
from laaf_cli.report.figures.curves import Curve, draw_curves
from laaf_cli.report.figures.moments import Snapshot, moments
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.report.figures.scales import log_limits, log_padded, set_log
from laaf_cli.report.figures.spectrum import amplitude_spectrum

MIN_POINTS = 4
"""The fewest points of an axis with a frequency between 0 and that of Nyquist."""

JUMP = 0.01
"""Ends that differ by this fraction of the range of a field are noted."""

NOTE = "opposite ends differ: their jump adds ∝ 1/f"


def obstacle(run: RunData) -> str:
    """Why a run has no spectrum, or an empty text."""
    if run.spec.shape is not None:
        return "its domain is a shape, and a spectrum is that of a box"
    least, name = min((len(run.solution.axes[name]), name) for name in run.space)
    return "" if least >= MIN_POINTS else f"its grid has {least} points of {name}"


@printed()
def frequency_figure(
    runs: Sequence[RunData], times: Sequence[float] | None = None, unknown: str | None = None
) -> Figure:
    """The amplitude spectra over space of runs of one problem, at single times where there is time.

    The mean, of frequency 0, is left out.

    Arguments and errors are those of `solution_figure`, but for any number of coordinates.
    """
    choice.require_one_problem(runs)
    unknowns = choice.choose_unknowns(runs, unknown)
    choice.require_few_panels(runs, unknowns)
    rows: list[tuple[str, str, list[Curve]]] = []
    titles = choice.titles(runs, wide=runs[0].time is not None)
    for name in unknowns:
        shown = [
            (title, [_curve(moment.label, run, moment, name) for moment in moments(run, times)])
            for title, run in zip(titles, runs, strict=True)
        ]
        if runs[0].time is not None:
            rows += [(title, name, curves) for title, curves in shown]
        else:
            rows.append(("", name, [replace(curve, title=title) for title, (curve,) in shown]))
    plans = [RowPlan(heading=heading, n_panels=len(curves)) for heading, _name, curves in rows]
    figure, panels = make_rows(runs[0].title, plans, 1.9)
    # Of all curves; a reference may leave them at the lower end, where a closed form has mere
    # rounding.
    every = [curve for _heading, _name, curves in rows for curve in curves]
    values = [curve.values for curve in every]
    low, high = log_limits(
        [*values, *(curve.reference for curve in every if curve.reference is not None)]
    )
    limits = log_padded((max(low, min(log_limits(values)[0], high)), high))
    x = f"cycles per unit of {runs[0].space[0] if len(runs[0].space) == 1 else 'length'}"
    for axes, plan, (_heading, name, curves) in zip(panels, plans, rows, strict=True):
        draw_curves(axes, curves, plan, x, f"amplitude of {name}")
        for panel in axes:
            set_log(panel, limits)
            panel.set_xlim(left=0)
    snapshots = [moment for run in runs for moment in moments(run, times)]
    has_jump = any(_jumps(moment, name) for moment in snapshots for name in unknowns)
    note = [Line2D([], [], linestyle="none", label=NOTE)] if has_jump else []
    legend_below(figure, [*lines_of(axes for row in panels for axes in row), *note])
    return figure


def _jumps(moment: Snapshot, unknown: str) -> bool:
    """Whether a field, the true one where it is known, ends otherwise than it began along some
    axis.
    """
    values = moment.references.get(unknown, moment.fields[unknown])
    jump = max(
        np.abs(values.take(-1, axis) - values.take(0, axis)).max() for axis in range(values.ndim)
    )
    return bool(jump > JUMP * np.ptp(values))


def _curve(title: str, run: RunData, moment: Snapshot, unknown: str) -> Curve:
    spectrum = amplitude_spectrum(moment.fields[unknown], moment.axes)
    reference = None
    if moment.references:
        true = amplitude_spectrum(moment.references[unknown], moment.axes)
        reference = true.amplitudes[1:]
    return Curve(
        title=title,
        style=run.style,
        x=spectrum.frequencies[1:],
        values=spectrum.amplitudes[1:],
        reference=reference,
    )
