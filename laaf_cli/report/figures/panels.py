"""Figures in the layouts of the paper: a row for each run and a column for each panel, and losses
with slope recovery beside those without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from laaf_cli.arrays import Array
from laaf_cli.report.figures.canvas import legend_below, lines_of, make_figure, plain, printed
from laaf_cli.report.figures.moments import Snapshot, moments
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.report.figures.scales import linear_limits, log_limits, log_padded, padded, set_log
from laaf_cli.report.figures.slopes import LAYER_COLORS
from laaf_cli.report.figures.spectrum import amplitude_spectrum
from laaf_cli.report.methods import REFERENCE_COLOR
from laaf_cli.runfile.losses import loss_without_recovery

CONTENT, BEYOND = 0.1, 2.0
"""A spectrum is shown to so many times the highest frequency at which the reference has this
fraction of its peak.
"""

Shown = Sequence[tuple[str, RunData]]
"""What a figure calls its runs, and the runs, in its order."""


@dataclass(frozen=True, kw_only=True)
class PanelLine:
    """What a panel shows of a run: x, y, the half-width of a band and the reference, all [n], None
    where it has none.
    """

    x: Array
    y: Array
    band: Array | None = None
    reference: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A column of panels: title, what its axes say, what it shows of a run, and its scales."""

    title: str
    x: str
    y: str
    line: Callable[[RunData], PanelLine]
    is_log: bool = False
    zooms: bool = False
    """Whether x ends where the content of the reference does."""


def _snapshot(run: RunData, time: float | None) -> Snapshot:
    return moments(run, None if time is None else [time])[0]


def _first(run: RunData) -> str:
    return next(iter(run.spec.unknowns))


def _solution(time: float | None) -> Callable[[RunData], PanelLine]:
    def line(run: RunData) -> PanelLine:
        at, u = _snapshot(run, time), _first(run)
        return PanelLine(x=at.axes[0], y=at.fields[u], reference=at.references[u])

    return line


def _spectrum(time: float | None) -> Callable[[RunData], PanelLine]:
    def line(run: RunData) -> PanelLine:
        at, u = _snapshot(run, time), _first(run)
        own, true = (
            amplitude_spectrum(values[u], at.axes) for values in (at.fields, at.references)
        )
        return PanelLine(x=own.frequencies[1:], y=own.amplitudes[1:], reference=true.amplitudes[1:])

    return line


def _error(run: RunData) -> PanelLine:
    at, u = _snapshot(run, None), _first(run)
    return PanelLine(x=at.axes[0], y=np.abs(at.fields[u] - at.references[u]))


def _layer(layer: int) -> Callable[[RunData], PanelLine]:
    def line(run: RunData) -> PanelLine:
        scales = run.history.slopes[layer]
        band = scales.std(axis=1) if scales.shape[1] > 1 else None
        return PanelLine(x=run.history.columns["iteration"], y=scales.mean(axis=1), band=band)

    return line


def over_time(kind: str, times: Sequence[float]) -> list[Panel]:
    """The solution or its spectrum, a panel for each time."""
    make, x, y = {
        "solution": (_solution, "x", "u"),
        "spectrum": (_spectrum, "cycles per unit of x", "amplitude"),
    }[kind]
    is_spectrum = kind == "spectrum"
    return [
        Panel(
            title=f"t = {time:g}", x=x, y=y, line=make(time), is_log=is_spectrum, zooms=is_spectrum
        )
        for time in times
    ]


STATIONARY = [
    Panel(title="solution", x="x", y="u", line=_solution(None)),
    Panel(
        title="spectrum", x="cycles per unit of x", y="amplitude", line=_spectrum(None), zooms=True
    ),
    Panel(title="|error|", x="x", y="|error|", line=_error, is_log=True),
]
"""Solution, spectrum and pointwise error of a problem without time."""


def layers(n_layers: int) -> list[Panel]:
    """n·a of each hidden layer; of neuron-wise slopes the mean and a band of one standard
    deviation.
    """
    return [
        Panel(title=f"layer {k + 1}", x="iteration", y="n·a", line=_layer(k))
        for k in range(n_layers)
    ]


@printed()
def grid_figure(
    title: str,
    shown: Shown,
    panels: Sequence[Panel],
    *,
    height: float = 1.1,
    one_scale: bool = False,
) -> Figure:
    """A row for each run and a column for each panel.

    Args:
        height: of a row, in inches.
        one_scale: whether all columns share the vertical scale, as all rows do.
    """
    figure = make_figure(title, height * len(shown) + 0.3)
    rows = figure.subplots(
        len(shown), len(panels), sharex="col", sharey=one_scale or "col", squeeze=False
    )
    lines = [[panel.line(run) for panel in panels] for _label, run in shown]
    for (label, run), axes_row, line_row in zip(shown, rows, lines, strict=True):
        for k, (axes, line) in enumerate(zip(axes_row, line_row, strict=True)):
            is_slope = panels[k].y == "n·a"
            color = mpl.colormaps[LAYER_COLORS](0.9 * k / len(panels)) if is_slope else None
            _draw_line(axes, line, color or run.style.color)
        plain(axes_row[0].set_ylabel(f"{label}\n{panels[0].y}"))
    for k, panel in enumerate(panels):
        column_lines = [line for row in lines for line in (row if one_scale else [row[k]])]
        _set_scales(rows[0][k], panel, column_lines)
        plain(rows[0][k].set_title(panel.title))
        rows[-1][k].set_xlabel(panel.x)
    legend_below(figure, [line for line in lines_of(rows.ravel()) if line.get_label() == "exact"])
    return figure


def _draw_line(axes: Axes, line: PanelLine, color: object) -> None:
    if line.reference is not None:
        axes.plot(
            line.x, line.reference, color=REFERENCE_COLOR, linewidth=2.5, alpha=0.6, label="exact"
        )
    if line.band is not None:
        axes.fill_between(
            line.x, line.y - line.band, line.y + line.band, color=color, alpha=0.3, linewidth=0
        )
    axes.plot(line.x, line.y, color=color, linewidth=0.9)


def _set_scales(axes: Axes, panel: Panel, lines: Sequence[PanelLine]) -> None:
    right = float(lines[0].x[-1])
    if panel.zooms:
        ends = [
            line.x[line.reference >= CONTENT * line.reference.max()][-1]
            for line in lines
            if line.reference is not None
        ]
        right = min(right, BEYOND * float(max(ends)))
    axes.set_xlim(float(lines[0].x[0]), right)
    inside = [line.x <= right for line in lines]
    values = [line.y[here] for line, here in zip(lines, inside, strict=True)]
    true = [
        line.reference[here]
        for line, here in zip(lines, inside, strict=True)
        if line.reference is not None
    ]
    if panel.is_log:
        set_log(axes, log_padded(log_limits([*values, *true], decades=5)))
        return
    bands = [
        line.y + sign * line.band for line in lines if line.band is not None for sign in (1, -1)
    ]
    axes.set_ylim(padded(linear_limits([*values, *bands], true)))


@printed()
def losses_figure(title: str, shown: Shown) -> Figure:
    """The loss: left of the runs without slope recovery; of those with it J + S(a), as it is
    trained, in the middle, and J alone at the right.
    """
    figure = make_figure(title, 2.3)
    panels = figure.subplots(1, 3, sharey=True)
    names = ("without recovery: J", "with recovery: J + S(a)", "with recovery: J alone")
    every = []
    for k, (axes, name) in enumerate(zip(panels, names, strict=True)):
        for label, run in shown:
            if (run.spec.slopes.used_recovery is not None) != (k > 0):
                continue
            history = run.history
            loss = history.columns["total"]
            if k == 2:
                loss = np.zeros(len(loss)) + loss_without_recovery(run.spec, history.terms)
            every.append(loss)
            style = run.style
            axes.plot(
                history.columns["iteration"], loss, color=style.color, linestyle=style.line,
                label=label, linewidth=0.9,
            )  # fmt: skip
        axes.set_xlabel("iteration")
        plain(axes.set_title(name))
    set_log(panels[0], log_padded(log_limits(every)))
    panels[0].set_ylabel("loss")
    legend_below(figure, lines_of(panels))
    return figure
