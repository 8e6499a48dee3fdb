"""The paper's pictures from run files of its methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from laaf_cli.paper.columns import Column
from laaf_cli.report.comparison import compare
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.comparison_figure import draw_comparison
from laaf_cli.report.figures import RunData, save
from laaf_cli.report.figures.panels import Panel, grid_figure, losses_figure

DPI = 100
"""Dots per inch: a picture of many panels stays small."""

Draw = Callable[[str, Sequence[tuple[Column, Path]], Path], None]
"""Draws the run files of methods, under a title, into a file."""


def grid(panels: Sequence[Panel], **layout: Any) -> Draw:
    """A row for each method and a column for each panel, laid out as `grid_figure` does."""

    def draw(title: str, runs: Sequence[tuple[Column, Path]], output: Path) -> None:
        shown = [(column.label, RunData.read(path)) for column, path in runs]
        save(grid_figure(title, shown, panels, **layout), output, DPI)

    return draw


def draw_losses(title: str, runs: Sequence[tuple[Column, Path]], output: Path) -> None:
    """The loss without slope recovery at the left, with it beside."""
    shown = [(column.label, RunData.read(path)) for column, path in runs]
    save(losses_figure(title, shown), output, DPI)


def draw_errors(_title: str, runs: Sequence[tuple[Column, Path]], output: Path) -> None:
    """The errors of all runs by method."""
    draw_comparison(compare([ComparisonEntry.read(path) for _column, path in runs]), output)
