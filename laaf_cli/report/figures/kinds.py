"""The table of figures: what each kind shows, which runs have it, and what draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from matplotlib.figure import Figure

from laaf_cli.errors import UsageError
from laaf_cli.report.figures import constants, error, frequency, loss, slopes, solution
from laaf_cli.report.figures.choice import DrawnType, choose_unknowns, require_one_problem
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.runs.task import TASKS, loaded
from laaf_cli.text import did_you_mean, listed


@dataclass(frozen=True)
class Kind(Generic[DrawnType]):
    """A row of the table of figures."""

    shows: str
    """What it shows, as the docs say it."""
    obstacle: Callable[[DrawnType], str]
    """Why a run has no such figure, or an empty text."""
    draw: Callable[[Sequence[DrawnType], Sequence[float] | None, str | None], Figure]
    """Draws runs, at times or those of the spec (None), one unknown or all (None)."""


KINDS: dict[str, Kind[RunData]] = {
    "solution": Kind(
        "the solution against the reference, in slices at single times, and what was observed",
        solution.obstacle,
        solution.solution_figure,
    ),
    "frequency": Kind(
        "the amplitude spectrum over space against that of the reference",
        frequency.obstacle,
        frequency.frequency_figure,
    ),
    "error": Kind("the pointwise error on a log scale", error.obstacle, error.error_figure),
    "loss": Kind(
        (
            "the loss by term against the iteration, slope recovery and error separately, weights "
            "where they adapt"
        ),
        loss.obstacle,
        lambda runs, _times, _unknown: loss.loss_figure(runs),
    ),
    "constants": Kind(
        "the learned constants against the iteration, with their true values, 95 % intervals and "
        "near bounds",
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


@dataclass(frozen=True, kw_only=True)
class Figures(Generic[DrawnType]):
    """The figures of a task."""

    read: Callable[[Path], DrawnType]
    """Reads what they draw from a run file."""
    kinds: Mapping[str, Kind[DrawnType]]
    options: tuple[str, ...] = ()
    """Which of `times` and `unknown` they know."""


FIGURES = Figures(read=RunData.read, kinds=KINDS, options=("times", "unknown"))
"""Those of equations."""


def figures_of(task: str) -> Figures[Any]:
    """The figures of a task."""
    figures: Figures[Any] = loaded(TASKS[task].figures)
    return figures


def check_kinds(names: Sequence[str], task: str | None = None) -> None:
    """Raises UsageError for a name that is not in the table of the task; None: of no task."""
    tables = [figures_of(name).kinds for name in (TASKS if task is None else [task])]
    known = list(dict.fromkeys(name for table in tables for name in table))
    for name in names:
        if name not in known:
            where = "" if task is None else f" for runs of {TASKS[task].command}"
            hint = did_you_mean(name, known) or f"Kinds: {listed(known)}."
            raise UsageError(f"there is no kind of figure '{name}'{where}. {hint}")


def draw(
    runs: Sequence[Any],
    kinds: Sequence[str] = (),
    times: Sequence[float] | None = None,
    unknown: str | None = None,
) -> list[Drawing]:
    """The figures of runs of one problem, of the kinds named or of all that suit; a run that has no
    such figure is left out.

    Raises:
        RunFileError: a kind is named that no run has.
        UsageError: a name that is not in the table, and what the functions of the table raise.
    """
    require_one_problem(runs)
    task = str(runs[0].attributes["task"])
    check_kinds(kinds, task)
    figures = figures_of(task)
    if "unknown" in figures.options:
        choose_unknowns(runs, unknown)
    drawings = []
    for name in dict.fromkeys(kinds or figures.kinds):
        kind = figures.kinds[name]
        obstacles = [kind.obstacle(run) for run in runs]
        chosen = [run for run, why in zip(runs, obstacles, strict=True) if not why]
        if chosen or kinds:
            left_out = [
                f"{run.path}: {why}" for run, why in zip(runs, obstacles, strict=True) if why
            ]
            drawing = kind.draw(chosen or runs, times, unknown)
            drawings.append(Drawing(name, drawing, tuple(left_out)))
    return drawings
