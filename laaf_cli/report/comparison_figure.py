"""The figure of a comparison: the error of every run, by method."""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.figure import Figure

from laaf_cli.errors import UsageError
from laaf_cli.report.comparison import MethodComparison
from laaf_cli.report.figures import ErrorGroup, comparison_figure, save


def draw_comparison(comparison: MethodComparison, path: Path) -> None:
    """Draws all errors of a comparison into a file.

    Raises:
        UsageError: none is known or the file cannot be written.
    """
    figure = figure_of(comparison)
    if figure is None:
        raise UsageError("no method has errors that are known, so there is nothing to draw")
    save(figure, path)


def figure_of(comparison: MethodComparison) -> Figure | None:
    """All errors of a comparison; None where none is known."""
    several = len(comparison.problems) > 1
    groups = [
        ErrorGroup(
            label=f"{group.problem}: {group.label}" if several else group.label,
            color=group.style.color,
            errors=tuple(run.final_error for run in group.runs if not run.failed),
            n_failed=group.n_failed,
        )
        for group in comparison.groups
        if not math.isnan(group.error.median)
    ]
    if not groups:
        return None
    (name, *others) = (measure.name for measure in comparison.measures)
    return comparison_figure(groups, y="error" if others else name)
