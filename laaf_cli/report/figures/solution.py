"""The solution: fields and slices, against the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from laaf_cli.report.figures import choice
from laaf_cli.report.figures.canvas import (
    RowPlan,
    legend_below,
    lines_of,
    make_figure,
    make_rows,
    plain,
    printed,
)
from laaf_cli.report.figures.curves import Curve, draw_curve, draw_curves
from laaf_cli.report.figures.maps import (
    MAP_HEIGHT,
    FieldMap,
    Plane,
    color_bar,
    draw_map,
    draw_maps,
    map_of,
    panel_width,
    plane_of,
)
from laaf_cli.report.figures.moments import Snapshot, moments
from laaf_cli.report.figures.run_data import TIME, RunData
from laaf_cli.report.figures.scales import ColorScale, field_scale, linear_limits, padded

MAX_SPACE = 2


def obstacle(run: RunData) -> str:
    """Why the field of a run cannot be drawn, or an empty text."""
    if len(run.space) > MAX_SPACE:
        names = ", ".join(run.space)
        return (
            f"it has {len(run.space)} coordinates in space ({names}), and fields are drawn "
            "over one or two"
        )
    return ""


@printed()
def solution_figure(
    runs: Sequence[RunData], times: Sequence[float] | None = None, unknown: str | None = None
) -> Figure:
    """The solution of runs of one problem, each unknown on rows of its own.

    One coordinate: a line against the reference. One and time: the field and its slices at single
    times. Two: the field of every run, and the reference. Two and time: the fields at single times,
    and the reference.

    Args:
        times: None for those of the spec.
        unknown: None for all.

    Raises:
        RunFileError: runs that do not fit together or have more coordinates.
        UsageError: too many runs and for times or an unknown that they lack.
    """
    choice.require_one_problem(runs)
    choice.require(runs, obstacle)
    unknowns = choice.choose_unknowns(runs, unknown)
    choice.require_few_panels(runs, unknowns)
    at_times = [moments(run, times) for run in runs]
    if len(runs[0].space) == MAX_SPACE:
        return _maps(runs, at_times, unknowns)
    if runs[0].time is None:
        return _lines(runs, at_times, unknowns)
    if len(runs) * len(unknowns) == 1:
        return _one_in_detail(runs[0], at_times[0], unknowns[0])
    return _fields_with_slices(runs, at_times, unknowns)


def _lines(
    runs: Sequence[RunData], at_times: Sequence[Sequence[Snapshot]], unknowns: Sequence[str]
) -> Figure:
    plan = RowPlan(heading="", n_panels=len(runs), columns=2)
    figure, rows = make_rows(runs[0].title, [plan] * len(unknowns), 2.3)
    for panels, unknown in zip(rows, unknowns, strict=True):
        shown = zip(choice.titles(runs, unknown), runs, at_times, strict=True)
        curves = [_curve(title, run, moment, unknown) for title, run, (moment,) in shown]
        draw_curves(panels, curves, plan, runs[0].space[0], unknown)
        panels[0].set_ylim(_curve_limits(curves))
    legend_below(figure, lines_of(axes for panels in rows for axes in panels))
    return figure


def _one_in_detail(run: RunData, at_times: Sequence[Snapshot], unknown: str) -> Figure:
    """The field beside the reference, and the slices below."""
    figure = make_figure(f"{run.title}: {run.label}", 2.1 + 2.1)
    above, below = figure.subfigures(2, 1, squeeze=False).ravel()
    scale, plane = _field_scale([run], unknown), plane_of(run)
    maps = [_plane_map(f"solution{run.error_words(unknown)}", run, unknown, plane)]
    if run.reference is not None:
        axes = tuple(run.reference.axes.values())
        maps.append(map_of("reference", axes, run.reference.fields[unknown], plane))
    plan = RowPlan(heading="", n_panels=len(maps))
    fields = list(above.subplots(1, len(maps), sharex=True, sharey=True, squeeze=False).ravel())
    draw_maps(fields, maps, plan, plane, scale, unknown)
    _mark_times(fields[0], at_times)
    curves = [_curve(moment.label, run, moment, unknown) for moment in at_times]
    plan = RowPlan(heading="", n_panels=len(curves), columns=len(curves))
    slices = list(below.subplots(1, len(curves), sharex=True, sharey=True, squeeze=False).ravel())
    draw_curves(slices, curves, plan, run.space[0], unknown)
    slices[0].set_ylim(_curve_limits(curves))
    legend_below(figure, lines_of([*slices, *fields]))
    return figure


def _fields_with_slices(
    runs: Sequence[RunData], at_times: Sequence[Sequence[Snapshot]], unknowns: Sequence[str]
) -> Figure:
    """A row for each unknown and run: the field at the left, the slices right of it."""
    n_rows = len(runs) * len(unknowns)
    figure = make_figure(runs[0].title, 1.75 * n_rows)
    parts = iter(figure.subfigures(n_rows, 1, squeeze=False).ravel())
    drawn: list[Axes] = []
    plane = plane_of(runs[0])
    for unknown in unknowns:
        scale = _field_scale(runs, unknown)
        rows = [
            [_curve(m.label, run, m, unknown) for m in at]
            for run, at in zip(runs, at_times, strict=True)
        ]
        limits = _curve_limits([curve for curves in rows for curve in curves])
        headings = choice.titles(runs, unknown, wide=True)
        for heading, run, at, curves in zip(headings, runs, at_times, rows, strict=True):
            part = next(parts)
            plain(part.suptitle(heading, fontsize=8))
            ratios = [1.5, *([1] * len(curves))]
            field, *slices = part.subplots(1, 1 + len(curves), width_ratios=ratios)
            mesh = draw_map(field, _plane_map("", run, unknown, plane), plane, scale)
            field.set(xlabel=plane.horizontal, ylabel=plane.vertical)
            color_bar([field], mesh, scale, "")
            _mark_times(field, at)
            slices[0].set_ylabel(unknown)
            for axes, curve in zip(slices, curves, strict=True):
                draw_curve(axes, curve)
                axes.set(xlabel=run.space[0], ylim=limits)
                axes.tick_params(labelleft=axes is slices[0])
            drawn += slices
    legend_below(figure, lines_of(drawn))
    return figure


def _maps(
    runs: Sequence[RunData], at_times: Sequence[Sequence[Snapshot]], unknowns: Sequence[str]
) -> Figure:
    """Fields over two coordinates in space: with time a row for every run and one for the
    reference.
    """
    plane = plane_of(runs[0])
    rows: list[tuple[str, str, list[FieldMap]]] = []
    for unknown in unknowns:
        titles = choice.titles(runs, unknown, wide=runs[0].time is not None)
        shown = [
            (
                title,
                [
                    map_of(m.label, m.axes, m.fields[unknown], plane, run.observed(unknown, m.time))
                    for m in at
                ],
            )
            for title, run, at in zip(titles, runs, at_times, strict=True)
        ]
        true = next((at for at in at_times if at[0].references), None)
        if true is not None:
            maps = [map_of(m.label, m.axes, m.references[unknown], plane) for m in true]
            shown.append(("reference", maps))
        if runs[0].time is not None:
            rows += [(title, unknown, maps) for title, maps in shown]
        else:
            rows.append(("", unknown, [replace(one, title=title) for title, (one,) in shown]))
    plans = [RowPlan(heading=heading, n_panels=len(maps)) for heading, _unknown, maps in rows]
    width = panel_width(plane, rows[0][2][0], MAP_HEIGHT)
    figure, panels = make_rows(runs[0].title, plans, MAP_HEIGHT, width)
    every = [moment for at in at_times for moment in at]
    scales = {
        unknown: field_scale(
            [moment.fields[unknown] for moment in every],
            [moment.references[unknown] for moment in every if moment.references],
        )
        for unknown in unknowns
    }
    for axes, plan, (_heading, unknown, maps) in zip(panels, plans, rows, strict=True):
        draw_maps(axes, maps, plan, plane, scales[unknown], unknown)
    legend_below(figure, lines_of(one for axes in panels for one in axes))
    return figure


def _curve(title: str, run: RunData, moment: Snapshot, unknown: str) -> Curve:
    return Curve(
        title=title,
        style=run.style,
        x=moment.axes[0],
        values=moment.fields[unknown],
        reference=moment.references.get(unknown),
        observed=run.observed(unknown, moment.time),
    )


def _curve_limits(curves: Sequence[Curve]) -> tuple[float, float]:
    references = [curve.reference for curve in curves if curve.reference is not None]
    references += [curve.observed.values for curve in curves if curve.observed is not None]
    return padded(linear_limits([curve.values for curve in curves], references))


def _plane_map(title: str, run: RunData, unknown: str, plane: Plane) -> FieldMap:
    axes, field = tuple(run.solution.axes.values()), run.solution.fields[unknown]
    return map_of(title, axes, field, plane, run.observed(unknown))


def _field_scale(runs: Sequence[RunData], unknown: str) -> ColorScale:
    references = [run.reference.fields[unknown] for run in runs if run.reference is not None]
    return field_scale([run.solution.fields[unknown] for run in runs], references)


def _mark_times(axes: Axes, at_times: Sequence[Snapshot]) -> None:
    for moment in at_times:
        if moment.time is not None:
            axes.axvline(moment.time, color="black", linewidth=0.8, linestyle=":", label=f"_{TIME}")
