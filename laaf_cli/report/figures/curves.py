"""Curves of a solution against its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from laaf_cli.arrays import Array
from laaf_cli.report.figures.canvas import RowPlan, label_outer, plain
from laaf_cli.report.methods import REFERENCE_COLOR, MethodStyle
from laaf_cli.runfile.record import Observations

MANY = 1000
"""More circles than this are drawn as pixels in vector formats."""

MARK, FEW, SMALLEST = 2.5, 200, 0.3
"""The diameter of a circle in points, up to how many circles it is that, and the fraction of it
that is left where there are very many.
"""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The solution and the reference of a run as functions of x: x, values and reference are all
    [n].
    """

    title: str
    style: MethodStyle
    x: Array
    values: Array
    reference: Array | None
    observed: Observations | None = None
    """Observations at points whose first coordinate is x."""


def draw_curves(
    panels: Sequence[Axes], curves: Sequence[Curve], plan: RowPlan, x: str, y: str
) -> None:
    """Draws one curve into each panel of a row."""
    for axes, curve in zip(panels, curves, strict=True):
        draw_curve(axes, curve)
    label_outer(panels, plan, x, y)


def draw_curve(axes: Axes, curve: Curve) -> None:
    """The solution in the colour of its method, over a broad grey line where there is a
    reference.
    """
    if curve.reference is not None:
        axes.plot(
            curve.x,
            curve.reference,
            color=REFERENCE_COLOR,
            linewidth=3,
            alpha=0.6,
            label="reference",
        )
    style = curve.style
    marker = "o" if len(curve.x) == 1 else None
    axes.plot(
        curve.x, curve.values, color=style.color, linestyle=style.line, label=style.label,
        marker=marker, markersize=3,
    )  # fmt: skip
    if curve.observed is not None:
        mark_observations(axes, curve.observed.points[:, 0], curve.observed.values)
    if not np.isfinite(curve.values).any():
        axes.text(0.5, 0.5, "not finite", transform=axes.transAxes, ha="center", va="center")
    if len(curve.x) > 1:
        axes.set_xlim(curve.x[0], curve.x[-1])
    plain(axes.set_title(curve.title))


def mark_observations(axes: Axes, x: Array, y: Array) -> None:
    """Small circles where something was observed; the more there are, the smaller, so that the
    solution stays visible below them.
    """
    size = MARK * max(SMALLEST, min(1.0, (FEW / len(x)) ** 0.5)) if len(x) else MARK
    axes.plot(
        x, y, color="black", linestyle="none", label="observed", rasterized=len(x) > MANY,
        marker="o", markersize=size, markeredgewidth=size / 5, markerfacecolor="none",
    )  # fmt: skip
