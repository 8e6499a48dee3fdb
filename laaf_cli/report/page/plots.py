"""The interactive plots of a run of an equation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from bokeh.models import (
    BasicTicker,
    BasicTickFormatter,
    ColumnDataSource,
    CustomJS,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    LogColorMapper,
)
from bokeh.models.annotations import ColorBar, Span, Whisker
from bokeh.plotting import figure
from matplotlib.colors import LogNorm, to_hex

from laaf_cli.arrays import Array
from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.report.figures.maps import filled, plane_of
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.report.figures.scales import ColorScale, error_scale, field_scale
from laaf_cli.report.figures.slopes import LAYER_COLORS
from laaf_cli.report.methods import REFERENCE_COLOR
from laaf_cli.runfile.losses import SLOPE_RECOVERY, loss_without_recovery

Plot = Any
"""A figure of Bokeh, whose methods are made at run time."""

MAX_VALUES = 240_000
"""Of all fields of a page together, so that it stays small; grids are thinned to it."""

MAX_RECORDS = 600
"""Of a history."""

REFERENCE: dict[str, Any] = {"line_width": 6, "color": REFERENCE_COLOR, "alpha": 0.5}
"""How what is known to be true is drawn: broad, below the rest."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe & Ito."""

SIDE = 250
"""The longer side of a field that is true to scale, in pixels; a phone has room for it."""

LEGEND_COLUMNS, LONG_LABEL = 2, 24
"""Which a phone has room for: one column of longer labels, in characters."""

N_GROWN = 3
"""The neurons of a layer that are shown one by one."""

DASHES = ("solid", "dashed", "dotted")

NUMBER = "0.000e+0"
"""How the value under the pointer is shown."""


def make_plot(x: str, y: str, **settings: Any) -> Plot:
    """An empty plot as wide as its place.

    No tool is active at first, so that a finger scrolls the page.
    """
    plot = figure(
        x_axis_label=x,
        y_axis_label=y,
        sizing_mode="stretch_width",
        height=settings.pop("height", 320),
        tools="pan,box_zoom,wheel_zoom,reset,save",
        active_drag=None,
        active_scroll=None,
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        **settings,
    )
    plot.toolbar.logo = None
    plot.grid.grid_line_color = "#808080"
    plot.grid.grid_line_alpha = 0.2
    return plot


def name_ticks(axis: Any, values: Array) -> None:
    """Names 1, 2 and 5 on a log axis over one or two powers of ten, where Bokeh takes evenly spaced
    numbers.
    """
    known = values[np.isfinite(values) & (values > 0)]
    low, high = np.log10([known.min(), known.max()]) if known.size else (0.0, 0.0)
    if 0.7 <= high - low < 2:
        powers = 10.0 ** np.arange(np.floor(low) - 1, np.ceil(high) + 2)
        ticks, minor = (np.outer(powers, digits).ravel() for digits in ((1, 2, 5), range(1, 10)))
        axis.ticker = FixedTicker(ticks=ticks.tolist(), minor_ticks=minor.tolist())
        axis.formatter = BasicTickFormatter()


def add_hover(
    plot: Plot, tips: Sequence[tuple[str, str]], mode: Literal["mouse", "vline"] = "mouse"
) -> None:
    """Shows values at the pointer, as pairs of a name and what it is."""
    plot.add_tools(HoverTool(tooltips=list(tips), mode=mode))


def legend_below(plot: Plot) -> None:
    """Puts the legend below the plot, which grows by it; a click there hides a line."""
    legend = plot.legend[0]
    is_wide = any(len(item.label.value) > LONG_LABEL for item in legend.items)
    columns = 1 if is_wide else LEGEND_COLUMNS
    legend.update(
        click_policy="hide",
        background_fill_color=None,
        border_line_color=None,
        ncols=columns,
        padding=2,
        label_text_font_size="12px",
        location="left",
    )
    plot.height += 24 * -(-len(legend.items) // columns)
    plot.add_layout(legend, "below")


def field_plots(run: RunData) -> Iterator[tuple[str, Plot]]:
    """The fields of each unknown over a plane, or lines over one coordinate: `u solution`,
    `u reference`, `u error`, `u slice`.
    """
    share = MAX_VALUES // (3 * len(run.spec.unknowns))
    for unknown in run.spec.unknowns:
        fields = {"solution": run.solution.fields[unknown]}
        if run.reference is not None and run.error is not None:
            fields["reference"] = run.reference.fields[unknown]
            fields["error"] = np.abs(run.error.fields[unknown])
        axes, steps = _thinned(tuple(run.solution.axes.values()), share)
        fields = {name: values[steps] for name, values in fields.items()}
        if len(axes) == 1:
            yield from _line_plots(run, unknown, axes[0], fields)
        else:
            yield from _map_plots(run, unknown, axes, fields)
            if len(run.space) == 1:
                yield f"{unknown} slice", _slice_plot(run, unknown, axes[0], fields)


def moments_of(run: RunData) -> list[float]:
    """The times of the fields as the page has them; empty without time."""
    if run.time is None:
        return []
    axes, _ = _thinned(
        tuple(run.solution.axes.values()), MAX_VALUES // (3 * len(run.spec.unknowns))
    )
    return [float(time) for time in axes[-1]]


def _thinned(axes: Sequence[Array], most: int) -> tuple[list[Array], tuple[Any, ...]]:
    """Axes with every k-th value, so that there are at most so many points, and what picks them."""
    step = 1
    while np.prod([-(-len(axis) // step) for axis in axes]) > most:
        step += 1
    return [axis[::step] for axis in axes], (slice(None, None, step),) * len(axes)


def _line_plots(
    run: RunData, unknown: str, x: Array, fields: Mapping[str, Array]
) -> Iterator[tuple[str, Plot]]:
    yield f"{unknown} slice", _slice_plot(run, unknown, x, fields)
    if "error" in fields:
        plot = make_plot(run.space[0], f"|error of {unknown}|", y_axis_type="log")
        source = ColumnDataSource(
            {"x": x, "error": np.where(fields["error"] > 0, fields["error"], np.nan)}
        )
        plot.line("x", "error", source=source, line_width=2, color=COLORS[1])
        name_ticks(plot.yaxis, fields["error"])
        add_hover(plot, [(run.space[0], "@x"), ("error", f"@error{{{NUMBER}}}")], mode="vline")
        yield f"{unknown} error", plot


def _slice_plot(run: RunData, unknown: str, x: Array, fields: Mapping[str, Array]) -> Plot:
    """The solution over the one coordinate of space against the reference, at the last time."""
    lines = {name: values if values.ndim == 1 else values[:, -1] for name, values in fields.items()}
    source = ColumnDataSource(
        {"x": x} | {name: line for name, line in lines.items() if name != "error"},
        name=f"{unknown} slice",
    )
    plot = make_plot(run.space[0], unknown)
    if run.time is not None:  # so that a slice is seen to grow
        plot.title.update(
            text=f"{unknown} at t = {moments_of(run)[-1]:.4g}", name=f"{unknown} title"
        )
        values = np.concatenate([fields[name].ravel() for name in source.data if name in fields])
        values = values[np.isfinite(values)]
        if values.size:
            margin = 0.05 * float(np.ptp(values)) or 1.0
            plot.y_range.update(
                start=float(values.min()) - margin, end=float(values.max()) + margin
            )
    if "reference" in fields:
        plot.line("x", "reference", source=source, legend_label="reference", **REFERENCE)
    style = {"color": run.style.color, "line_width": 2, "legend_label": "solution"}
    plot.line("x", "solution", source=source, **style)
    shown = [name for name in source.data if name != "x"]
    tips = [(run.space[0], "@x"), *((name, f"@{name}{{{NUMBER}}}") for name in shown)]
    add_hover(plot, tips, mode="vline")
    legend_below(plot)
    return plot


def _map_plots(
    run: RunData, unknown: str, axes: Sequence[Array], fields: Mapping[str, Array]
) -> Iterator[tuple[str, Plot]]:
    plane = plane_of(run)
    first, second = axes[:2]
    horizontal, vertical = (first, second) if plane.is_space else (second, first)
    scale = field_scale(
        [fields["solution"]], [fields["reference"]] if "reference" in fields else []
    )
    shared: dict[str, Any] = {}
    for name, values in fields.items():
        # [vertical, horizontal], of fields over space and time for each time.
        frames = np.moveaxis(values, -1, 0) if values.ndim == 3 else values[None]
        if plane.is_space:
            frames = frames.swapaxes(1, 2)
        if plane.shape is not None:
            frames = _up_to_the_edge(frames, horizontal, vertical, plane.shape)
        frames = np.ascontiguousarray(frames, dtype=np.float32)
        columns = {"image": [frames[-1].copy()]} | ({"frames": [frames]} if len(frames) > 1 else {})
        source = ColumnDataSource(columns, name=f"{unknown} {name}")
        is_error = name == "error"
        label = f"|error of {unknown}|" if is_error else f"{unknown}, {name}"
        mapper = _mapper(error_scale([values]) if is_error else scale)
        ratio = np.ptp(horizontal) / np.ptp(vertical)
        plot = make_plot(plane.horizontal, plane.vertical, title=label, **shared)
        if plane.is_space and 1 / 3 <= ratio <= 3:  # true to scale
            sides = round(SIDE * min(1, ratio)), round(SIDE / max(1, ratio))
            plot.update(sizing_mode=None, height=None, frame_width=sides[0], frame_height=sides[1])
            plot.xaxis.ticker.desired_num_ticks = max(2, sides[0] // 45)
        place = [
            (axis[0] - step / 2, len(axis) * step)
            for axis in (horizontal, vertical)
            for step in [_step(axis)]
        ]
        (x, width), (y, tall) = place
        if not shared:
            plot.x_range.update(start=horizontal[0], end=horizontal[-1])
            plot.y_range.update(start=vertical[0], end=vertical[-1])
            shared = {"x_range": plot.x_range, "y_range": plot.y_range}
        plot.image("image", x=x, y=y, dw=width, dh=tall, source=source, color_mapper=mapper)
        tips = [
            (plane.horizontal, "$x{0.0000}"),
            (plane.vertical, "$y{0.0000}"),
            (label, f"@image{{{NUMBER}}}"),
        ]
        add_hover(plot, tips)
        bar = ColorBar(color_mapper=mapper, width=10, padding=2, background_fill_color=None)
        if not is_error:
            bar.ticker = BasicTicker(desired_num_ticks=6)
        plot.add_layout(bar, "right")
        plot.grid.visible = False
        if not plane.is_space:
            moment = Span(
                location=float(second[-1]),
                dimension="height",
                line_dash="dashed",
                line_color=REFERENCE_COLOR,
                name=f"{unknown} {name} moment",
            )
            plot.add_layout(moment)
            plot.js_on_event("tap", CustomJS(code="window.showTime(cb_obj.x)"))
        yield f"{unknown} {name}", plot


def _up_to_the_edge(frames: Array, x: Array, y: Array, shape: PlaneShape) -> Array:
    """Frames [n, vertical, horizontal] in smaller pixels, those within a shape alone, so that its
    edge does not end in steps.
    """
    n = max(1, min(-(-SIDE // min(len(x), len(y))), int((MAX_VALUES / frames.size) ** 0.5)))
    fine = np.stack([filled(frame) for frame in frames]).repeat(n, axis=1).repeat(n, axis=2)
    places = [
        axis[0] + _step(axis) * ((np.arange(n * len(axis)) + 0.5) / n - 0.5) for axis in (x, y)
    ]
    points = np.stack([grid.ravel() for grid in np.meshgrid(*places)], axis=1)
    return np.where((shape.level(points) <= 0).reshape(fine.shape[1:]), fine, np.nan)


def _step(axis: Array) -> float:
    return float(axis[-1] - axis[0]) / (len(axis) - 1)


def _mapper(scale: ColorScale) -> LinearColorMapper | LogColorMapper:
    palette = [to_hex(color) for color in scale.colormap(np.linspace(0, 1, 256))]
    kind = LogColorMapper if isinstance(scale.norm, LogNorm) else LinearColorMapper
    return kind(palette=palette, low=scale.norm.vmin, high=scale.norm.vmax, nan_color="#00000000")


def history_plots(run: RunData) -> Iterator[tuple[str, Plot]]:
    """The terms of the loss and the error, against iterations and against seconds."""
    columns, terms = run.history.columns, dict(run.history.terms)
    picked = _picked(len(columns["iteration"]))
    recovery = terms.pop(SLOPE_RECOVERY, None)
    lines = {f"term {name}": values for name, values in terms.items()}
    if recovery is not None:
        lines["slope recovery S(a)"] = recovery
    if len(terms) > 1:
        lines["loss without S(a)"] = np.asarray(loss_without_recovery(run.spec, terms))
    if np.isfinite(columns["relative_l2"]).any():
        lines["relative L2 error"] = columns["relative_l2"]
    # A zero has no place on a log scale.
    shown = {name: np.where(values > 0, values, np.nan)[picked] for name, values in lines.items()}
    data = {"iteration": columns["iteration"][picked], "seconds": columns["wall_time_s"][picked]}
    source = ColumnDataSource(data | shown)
    for x in ("iteration", "seconds"):
        plot = make_plot(x, "loss, error", y_axis_type="log")
        name_ticks(plot.yaxis, np.concatenate(list(shown.values())))
        styles = islice(cycle((c, d) for d in DASHES for c in COLORS[:6]), len(shown))
        for (name, values), (color, dash) in zip(shown.items(), styles, strict=True):
            is_error = name == "relative L2 error"
            # What is monitored now and then is a line through those records.
            here = np.isfinite(values)
            own = ColumnDataSource({"x": data[x][here], "y": values[here]}) if is_error else source
            of = {"x": "x", "y": "y"} if is_error else {"x": x, "y": name}
            line = plot.line(**of, source=own, legend_label=name, line_dash=dash, name=name)
            line.glyph.update(
                line_color="#808080" if is_error else color, line_width=3 if is_error else 1.5
            )
        add_hover(plot, [("", "$name"), (x, "$x{0.[00]}"), ("value", f"$y{{{NUMBER}}}")])
        legend_below(plot)
        yield f"loss {x}", plot


def slopes_plot(run: RunData) -> Plot:
    """n·a of each hidden layer: the mean, the range of its neurons, and those that grew most."""
    iteration = run.history.columns["iteration"]
    picked = _picked(len(iteration))
    plot = make_plot("iteration", "n·a")
    n_layers = len(run.history.slopes)
    is_shared = run.spec.slopes.row.is_shared
    for layer, slopes in enumerate(run.history.slopes[: 1 if is_shared else None]):
        color = to_hex(mpl.colormaps[LAYER_COLORS](0.9 * layer / max(1, n_layers - 1)))
        label = "all layers" if is_shared else f"layer {layer + 1}"
        rows = slopes[picked]
        known = np.isfinite(rows).any(axis=1)
        rows = rows[known]
        data = {"mean": np.nanmean(rows, axis=1), "low": np.nanmin(rows, axis=1)}
        data |= {"x": iteration[picked][known], "high": np.nanmax(rows, axis=1)}
        style: dict[str, Any] = {
            "source": ColumnDataSource(data),
            "color": color,
            "legend_label": label,
        }
        if slopes.shape[1] > 1:
            plot.varea("x", "low", "high", alpha=0.15, **style)
        plot.line("x", "mean", line_width=2, name=label, **style)
        for i in grown(slopes) if slopes.shape[1] > 1 else []:
            thin = {"color": color, "line_alpha": 0.7, "legend_label": label}
            shown = ColumnDataSource({"x": data["x"], "mean": rows[:, i]})
            name = f"{label}, neuron {i + 1}"
            plot.line("x", "mean", source=shown, line_width=0.8, name=name, **thin)
    if run.slopes_absorbed_at is not None:
        mark = Span(location=run.slopes_absorbed_at, dimension="height", line_dash="dotted")
        plot.add_layout(mark)
    of = [
        (word, f"@{name}{{0.000}}")
        for word, name in (("n·a", "mean"), ("smallest", "low"), ("largest", "high"))
    ]
    add_hover(plot, [("", "$name"), ("iteration", "@x"), *of])
    legend_below(plot)
    return plot


def grown(slopes: Array) -> list[int]:
    """The neurons of a layer whose slopes [n_records, n_slopes] are largest at the end, in turn."""
    return np.argsort(-slopes[-1], kind="stable")[:N_GROWN].tolist()


def constant_plots(run: RunData) -> Iterator[tuple[str, Plot]]:
    """The history of each learned constant, with its truth and its interval."""
    iteration = run.history.columns["iteration"]
    picked = _picked(len(iteration))
    for name, values in run.history.constants.items():
        is_far = values.min() > 0 and values.max() > 10 * values.min()
        plot = make_plot("iteration", name, height=260, y_axis_type="log" if is_far else "linear")
        if is_far:
            name_ticks(plot.yaxis, values)
        truth = run.spec.learn[name].truth
        source = ColumnDataSource({"x": iteration[picked], "value": values[picked]})
        if truth is not None:
            ends = [float(iteration[0]), float(iteration[-1])]
            plot.line(ends, [truth, truth], legend_label="truth", **REFERENCE)
        style = {"color": run.style.color, "line_width": 2, "legend_label": "learned"}
        plot.line("x", "value", source=source, **style)
        low, high = (
            float(run.intervals.get(f"{end}_{name}", np.nan)) for end in ("lower", "upper")
        )
        if np.isfinite([low, high]).all():
            ends_source = ColumnDataSource(
                {"x": [float(iteration[-1])], "low": [low], "high": [high]}
            )
            plot.add_layout(
                Whisker(base="x", lower="low", upper="high", source=ends_source, line_width=2)
            )
        add_hover(plot, [("iteration", "$x{0}"), (name, "$y{0.000000}")])
        legend_below(plot)
        yield f"constant {name}", plot


def _picked(n: int) -> Array:
    """The records that are shown: all, or evenly many of them, first and last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, MAX_RECORDS)).round().astype(int))
