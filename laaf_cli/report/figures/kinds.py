"""The table of figures: what each kind shows, which runs have it, and what draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from laaf_cli.errors import UsageError, did_you_mean, listed
from laaf_cli.report.figures import constants, error, frequency, loss, slopes, solution
from laaf_cli.report.figures.choice import Obstacle, choose_unknowns, require_one_problem
from laaf_cli.report.figures.run_data import RunData

Draw = Callable[[Sequence[RunData], Sequence[float] | None, str | None], Figure]
"""Draws runs, at times or those of the spec (None), one unknown or all (None)."""


@dataclass(frozen=True)
class Kind:
    """shows: what stands in the docs. obstacle: why a run has no such figure, or an empty text."""

    shows: str
    obstacle: Obstacle
    draw: Draw


KINDS: dict[str, Kind] = {
    "solution": Kind(
        "the solution against the reference, in slices at single times", solution.obstacle, solution.solution_figure
    ),
    "frequency": Kind(
        "the amplitude spectrum over space against that of the reference",
        frequency.obstacle,
        frequency.frequency_figure,
    ),
    "error": Kind("the pointwise error on a log scale", error.obstacle, error.error_figure),
    "loss": Kind(
        "the loss by term against the iteration, slope recovery and error apart, weights where they adapt",
        loss.obstacle,
        lambda runs, _times, _unknown: loss.loss_figure(runs),
    ),
    "constants": Kind(
        "the learned constants against the iteration, with their true values and near bounds",
        constants.obstacle,
        lambda runs, _times, _unknown: constants.constants_figure(runs),
    ),
    "slopes": Kind(
        "the slopes n·a of each hidden layer against the iteration",
        slopes.obstacle,
        lambda runs, _times, _unknown: slopes.slopes_figure(runs),
    ),
}


@dataclass(frozen=True)
class Drawing:
    """A figure and its kind; left_out says which runs are not in it, and why."""

    kind: str
    figure: Figure
    left_out: tuple[str, ...]


def check_kinds(names: Sequence[str]) -> None:
    """Raises UsageError for a name that is not in the table."""
    for name in names:
        if name not in KINDS:
            hint = did_you_mean(name, KINDS) or f"Kinds: {listed(KINDS)}."
            raise UsageError(f"there is no kind of figure '{name}'. {hint}")


def draw(
    runs: Sequence[RunData], kinds: Sequence[str] = (), times: Sequence[float] | None = None, unknown: str | None = None
) -> list[Drawing]:
    """The figures of the kinds named, or of all that suit; a run that has no such figure is left out.

    Raises RunFileError where a kind is named that no run has, UsageError for a name that is not in the table,
    and what the functions of the table raise.
    """
    check_kinds(kinds)
    require_one_problem(runs)
    choose_unknowns(runs, unknown)
    drawings = []
    for name in dict.fromkeys(kinds or KINDS):
        kind = KINDS[name]
        obstacles = [kind.obstacle(run) for run in runs]
        chosen = [run for run, why in zip(runs, obstacles, strict=True) if not why]
        if chosen or kinds:
            left_out = [f"{run.path}: {why}" for run, why in zip(runs, obstacles, strict=True) if why]
            drawings.append(Drawing(name, kind.draw(chosen or runs, times, unknown), tuple(left_out)))
    return drawings
