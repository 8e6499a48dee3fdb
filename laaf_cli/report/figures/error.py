"""The pointwise error, on a log scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from laaf_cli.report.figures import choice, solution
from laaf_cli.report.figures.canvas import (
    RowPlan,
    label_outer,
    legend_below,
    lines_of,
    make_rows,
    plain,
    printed,
)
from laaf_cli.report.figures.maps import (
    MAP_HEIGHT,
    FieldMap,
    draw_maps,
    map_of,
    panel_width,
    plane_of,
)
from laaf_cli.report.figures.moments import moments
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.report.figures.scales import error_scale, log_limits, log_padded, set_log
from laaf_cli.runfile.record import GridFields


def obstacle(run: RunData) -> str:
    """Why the error of a run cannot be drawn, or an empty text."""
    if run.error is None:
        return "it has no reference, so its error is not known"
    return solution.obstacle(run)


@printed()
def error_figure(
    runs: Sequence[RunData], times: Sequence[float] | None = None, unknown: str | None = None
) -> Figure:
    """|solution − reference| of runs of one problem, each unknown on rows of its own.

    One coordinate: a line. Two, or one and time: a heat map for every run. Two and time: heat maps
    at single times. Arguments and errors are those of `solution_figure`; a run without reference
    raises RunFileError.
    """
    choice.require_one_problem(runs)
    choice.require(runs, obstacle)
    unknowns = choice.choose_unknowns(runs, unknown)
    choice.require_few_panels(runs, unknowns)
    if len(runs[0].spec.coordinates) == 1:
        return _lines(runs, unknowns)
    rows = _rows(runs, times, unknowns)
    plane = plane_of(runs[0])
    plans = [RowPlan(heading=heading, n_panels=len(maps)) for heading, _unknown, maps in rows]
    width = panel_width(plane, rows[0][2][0], MAP_HEIGHT)
    figure, panels = make_rows(runs[0].title, plans, MAP_HEIGHT, width)
    scales = {
        name: error_scale(one.values for _heading, of, maps in rows if of == name for one in maps)
        for name in unknowns
    }
    for axes, plan, (_heading, name, maps) in zip(panels, plans, rows, strict=True):
        draw_maps(axes, maps, plan, plane, scales[name], f"|error of {name}|")
    return figure


def _lines(runs: Sequence[RunData], unknowns: Sequence[str]) -> Figure:
    plan = RowPlan(heading="", n_panels=len(runs), columns=2)
    figure, rows = make_rows(runs[0].title, [plan] * len(unknowns), 2.1)
    for panels, unknown in zip(rows, unknowns, strict=True):
        errors = [np.abs(_known(run).fields[unknown]) for run in runs]
        limits = log_padded(log_limits(errors, decades=6))
        titles = choice.titles(runs, unknown)
        for axes, title, run, error in zip(panels, titles, runs, errors, strict=True):
            x, style = _known(run).axes[run.space[0]], run.style
            axes.plot(
                x, error, color=style.color, linestyle=style.line, linewidth=0.9, label=style.label
            )
            plain(axes.set_title(title))
            axes.set_xlim(x[0], x[-1])
            set_log(axes, limits)
        label_outer(panels, plan, runs[0].space[0], f"|error of {unknown}|")
    legend_below(figure, lines_of(axes for panels in rows for axes in panels))
    return figure


def _rows(
    runs: Sequence[RunData], times: Sequence[float] | None, unknowns: Sequence[str]
) -> list[tuple[str, str, list[FieldMap]]]:
    """Heading, unknown and maps of each row."""
    plane = plane_of(runs[0])
    rows: list[tuple[str, str, list[FieldMap]]] = []
    for name in unknowns:
        is_timed = plane.is_space and runs[0].time is not None
        headings = choice.titles(runs, name, wide=is_timed)
        if is_timed:
            for heading, run in zip(headings, runs, strict=True):
                at = moments(run, times)
                maps = [
                    map_of(m.label, m.axes, np.abs(m.fields[name] - m.references[name]), plane)
                    for m in at
                ]
                rows.append((heading, name, maps))
        else:
            errors = [_known(run) for run in runs]
            maps = [
                map_of(heading, tuple(error.axes.values()), np.abs(error.fields[name]), plane)
                for heading, error in zip(headings, errors, strict=True)
            ]
            rows.append(("", name, maps))
    return rows


def _known(run: RunData) -> GridFields:
    """The error of a run; `obstacle` has refused those without."""
    assert run.error is not None  # noqa: S101 - for the type checker
    return run.error
