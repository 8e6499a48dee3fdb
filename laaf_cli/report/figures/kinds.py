"""The table of figures: what each kind shows, which runs have it, and what draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from matplotlib.figure import Figure

from laaf_cli.errors import UsageError
from laaf_cli.images.report.confusion import confusion_figure
from laaf_cli.images.report.epochs import (
    activations_figure,
    errors_figure,
    losses_figure,
    no_activations,
)
from laaf_cli.images.report.run_data import ImageRunData
from laaf_cli.report.figures import constants, error, frequency, loss, slopes, solution
from laaf_cli.report.figures.choice import DrawnType, choose_unknowns, require_one_problem
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.runs.task import TASKS
from laaf_cli.text import did_you_mean, listed


@dataclass(frozen=True)
class Kind(Generic[DrawnType]):
    """shows: what stands in the docs. obstacle: why a run has no such figure, or an empty text.

    draw: draws runs, at times or those of the spec (None), one unknown or all (None).
    """

    shows: str
    obstacle: Callable[[DrawnType], str]
    draw: Callable[[Sequence[DrawnType], Sequence[float] | None, str | None], Figure]


KINDS: dict[str, Kind[RunData]] = {
    "solution": Kind(
        "the solution against the reference, in slices at single times",
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
            "the loss by term against the iteration, slope recovery and error apart, weights where "
            "they adapt"
        ),
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


IMAGE_KINDS: dict[str, Kind[ImageRunData]] = {
    "loss": Kind(
        "the cross entropy of training and test images against the epoch, without slope recovery",
        lambda _run: "",
        lambda runs, _times, _unknown: losses_figure(runs),
    ),
    "error": Kind(
        "the share of wrong answers among test and training images against the epoch",
        lambda _run: "",
        lambda runs, _times, _unknown: errors_figure(runs),
    ),
    "slopes": Kind(
        "the slopes n·a of each activation against the epoch",
        no_activations,
        lambda runs, _times, _unknown: activations_figure(runs),
    ),
    "confusion": Kind(
        "how often images of each class were taken for each other class",
        lambda _run: "",
        lambda runs, _times, _unknown: confusion_figure(runs),
    ),
}

KINDS_OF: dict[str, dict[str, Kind[Any]]] = {"equation": KINDS, "images": IMAGE_KINDS}
"""The kinds of figures by the task of the runs."""


@dataclass(frozen=True)
class Drawing:
    """A figure and its kind; left_out says which runs are not in it, and why."""

    kind: str
    figure: Figure
    left_out: tuple[str, ...]


def check_kinds(names: Sequence[str], task: str | None = None) -> None:
    """Raises UsageError for a name that is not in the table of the task; None: of no task."""
    tables = KINDS_OF.values() if task is None else [KINDS_OF[task]]
    known = list(dict.fromkeys(name for table in tables for name in table))
    for name in names:
        if name not in known:
            where = "" if task is None else f" for runs of {TASKS[task].command}"
            hint = did_you_mean(name, known) or f"Kinds: {listed(known)}."
            raise UsageError(f"there is no kind of figure '{name}'{where}. {hint}")


def draw(
    runs: Sequence[RunData],
    kinds: Sequence[str] = (),
    times: Sequence[float] | None = None,
    unknown: str | None = None,
) -> list[Drawing]:
    """The figures of the kinds named, or of all that suit; a run that has no such figure is left
    out.

    Raises RunFileError where a kind is named that no run has, UsageError for a name that is not in
    the table, and what the functions of the table raise.
    """
    check_kinds(kinds, "equation")
    require_one_problem(runs)
    choose_unknowns(runs, unknown)
    return _drawings(KINDS, runs, kinds, times, unknown)


def draw_images(runs: Sequence[ImageRunData], kinds: Sequence[str] = ()) -> list[Drawing]:
    """The same for runs of images."""
    check_kinds(kinds, "images")
    require_one_problem(runs)
    return _drawings(IMAGE_KINDS, runs, kinds)


def _drawings(
    table: Mapping[str, Kind[DrawnType]],
    runs: Sequence[DrawnType],
    kinds: Sequence[str],
    times: Sequence[float] | None = None,
    unknown: str | None = None,
) -> list[Drawing]:
    drawings = []
    for name in dict.fromkeys(kinds or table):
        kind = table[name]
        obstacles = [kind.obstacle(run) for run in runs]
        chosen = [run for run, why in zip(runs, obstacles, strict=True) if not why]
        if chosen or kinds:
            left_out = [
                f"{run.path}: {why}" for run, why in zip(runs, obstacles, strict=True) if why
            ]
            drawings.append(
                Drawing(name, kind.draw(chosen or runs, times, unknown), tuple(left_out))
            )
    return drawings
