"""How figures look on paper, how they are laid out in rows of panels, and how they are saved."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from contextlib import ContextDecorator
from dataclasses import dataclass
from typing import Any, cast

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.text import Text

WIDTH = 7.2
"""Width of a figure in inches: the text width of a page, so that it is printed without being
scaled down.
"""

NARROW = 5.0
"""Width of a figure with a single column of panels, in inches."""

MAX_COLUMNS = 3

STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.titlesize": 9,
    "figure.dpi": 120,
    "lines.linewidth": 1.2,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.formatter.useoffset": False,
    "pdf.fonttype": 42,
}


def printed() -> ContextDecorator:
    """A decorator: what the function draws has the style of print."""
    return cast("ContextDecorator", mpl.rc_context(STYLE))


@dataclass(frozen=True, kw_only=True)
class RowPlan:
    """A row of panels under a heading; more than `columns` of them wrap into several lines of equal
    length.
    """

    heading: str
    n_panels: int
    columns: int = MAX_COLUMNS
    shares_y: bool = True
    """Whether the panels share one vertical scale, labelled at the left."""

    @property
    def n_lines(self) -> int:
        """How many lines the panels wrap into."""
        return -(-self.n_panels // self.columns)

    @property
    def n_columns(self) -> int:
        """How many panels the longest line has."""
        return -(-self.n_panels // self.n_lines)


def make_rows(
    title: str, plans: Sequence[RowPlan], line_height: float, panel_width: float | None = None
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of rows, one below the other, and the axes of each; the axes of a row share theirs.

    Args:
        line_height, panel_width: of one line of panels and of one panel with its labels, in inches;
            panel_width None fills the page.
    """
    heading = 0.25
    heights = [plan.n_lines * line_height + (heading if plan.heading else 0) for plan in plans]
    n_columns = max(plan.n_columns for plan in plans)
    widest = WIDTH if n_columns > 1 else NARROW
    width = widest
    if panel_width is not None:
        width = max(NARROW, min(widest, n_columns * panel_width + 0.9))
    figure = make_figure(title, sum(heights), width)
    parts = figure.subfigures(len(plans), 1, squeeze=False, height_ratios=heights).ravel()
    rows = []
    for part, plan in zip(parts, plans, strict=True):
        grid = part.subplots(
            plan.n_lines, plan.n_columns, sharex=True, sharey=plan.shares_y, squeeze=False
        )
        if plan.heading:
            plain(part.suptitle(plan.heading, fontsize=STYLE["axes.titlesize"]))
        panels: list[Axes] = list(grid.ravel())
        for unused in panels[plan.n_panels :]:
            unused.remove()
        for above in panels[max(0, plan.n_panels - plan.n_columns) : plan.n_panels]:
            above.tick_params(labelbottom=True)
        rows.append(panels[: plan.n_panels])
    return figure, rows


def make_figure(title: str, height: float, width: float = WIDTH) -> Figure:
    """An empty figure with a title, `height` inches high below it, and as wide as given, in
    inches.
    """
    # Labels at the ends of neighbouring axes need room between them.
    lines = textwrap.wrap(shortened(title, int(3 * width * 12)), int(width * 12))
    size = width, height + 0.6 + 0.15 * max(0, len(lines) - 1)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.07))
    text = plain(figure.suptitle("\n".join(lines)))
    text.set_fontweight("bold")
    return figure


def label_outer(panels: Sequence[Axes], plan: RowPlan, x: str, y: str) -> None:
    """Names the axes of a row where nothing else does: below the lowest panels and left of the
    first ones.
    """
    for i, axes in enumerate(panels):
        if i + plan.n_columns >= plan.n_panels:
            axes.set_xlabel(x)
        if i % plan.n_columns == 0 and plan.shares_y:
            axes.set_ylabel(y)


def legend_below(figure: Figure, artists: Iterable[Artist]) -> None:
    """A legend below everything that names each label once, in the order of the artists."""
    handles: dict[str, Artist] = {}
    for artist in artists:
        label = str(artist.get_label())
        if label and not label.startswith("_"):
            handles.setdefault(label, artist)
    if not handles:
        return
    labels, artists = list(handles), list(handles.values())
    # The smallest number of lines in which the labels fit; legends fill column by column.
    for n_lines in range(1, len(labels) + 1):
        columns = [labels[i : i + n_lines] for i in range(0, len(labels), n_lines)]
        widths = [max(map(len, column)) * 0.065 + 0.55 for column in columns]
        if sum(widths) <= figure.get_figwidth():
            break
    figure.legend(artists, labels, loc="outside lower center", ncols=len(columns))
    figure.set_figheight(figure.get_figheight() + 0.17 * n_lines)


def lines_of(panels: Iterable[Axes]) -> list[Line2D]:
    """All lines that are drawn in some panels."""
    return [line for axes in panels for line in axes.get_lines()]


def plain(text: Text) -> Text:
    """The text, literally: a `$` in a title or a file name begins no formula."""
    text.set_parse_math(False)
    return text


def shortened(text: str, width: int) -> str:
    """A text on one line, cut off between words after `width` characters, with an ellipsis."""
    return textwrap.shorten(re.sub(r"[^\S ]|[\x00-\x1f\x7f]", " ", text), width, placeholder=" …")
