"""What goes into a figure: runs that fit together, and which of their unknowns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.report.figures.canvas import shortened
from laaf_cli.report.figures.run_data import FigureData, RunData
from laaf_cli.text import did_you_mean, listed

MAX_PANELS = 12


DrawnType = TypeVar("DrawnType", bound=FigureData)


def require_one_problem(runs: Sequence[FigureData]) -> None:
    """Raises RunFileError for runs of different problems, and UsageError for none."""
    if not runs:
        raise UsageError("there is no run to draw")
    for run in runs[1:]:
        if run.attributes["problem_hash"] != runs[0].attributes["problem_hash"]:
            raise RunFileError(
                f"{run.path} does not fit: it is of another problem than {runs[0].path}, "
                "and a figure shows runs of one problem"
            )


def require(runs: Sequence[DrawnType], obstacle: Callable[[DrawnType], str]) -> None:
    """Raises RunFileError for the first run that the figure cannot show."""
    for run in runs:
        if why := obstacle(run):
            raise RunFileError(f"{run.path} cannot be drawn: {why}")


def choose_unknowns(runs: Sequence[RunData], unknown: str | None) -> list[str]:
    """All unknowns of the problem, or the one that is named.

    Raises:
        UsageError: nothing has that name.
    """
    known = runs[0].spec.unknowns
    if unknown is None:
        return list(known)
    if unknown not in known:
        hint = did_you_mean(unknown, known) or f"Unknowns: {listed(known)}."
        raise UsageError(f"the runs have no unknown '{unknown}'. {hint}")
    return [unknown]


def require_few_panels(runs: Sequence[FigureData], unknowns: Sequence[str] = ("",)) -> None:
    """Raises UsageError where the panels of all runs and unknowns would not be legible in one
    figure.
    """
    if len(runs) * len(unknowns) > MAX_PANELS:
        more = f", each with {len(unknowns)} unknowns," if len(unknowns) > 1 else ""
        raise UsageError(
            f"{len(runs)} runs{more} were given, and one figure has room for {MAX_PANELS} panels; "
            "pick fewer, or draw the loss alone, which shows all runs in the same panels"
        )


def titles(runs: Sequence[RunData], unknown: str | None = None, *, wide: bool = False) -> list[str]:
    """What each run is: its method and its seed, on two lines or, where there is room, on one.

    Where several runs are called the same, the name of the file follows.

    Args:
        unknown: whose error is added; None for none.
    """
    counts = Counter(run.label for run in runs)
    titles = []
    for run in runs:
        seed_text = f"seed {run.spec.seed}" + ("" if unknown is None else run.error_words(unknown))
        name = [shortened(run.path.stem, 40)] if counts[run.label] > 1 else []
        titles.append((", " if wide else "\n").join([run.style.label, seed_text, *name]))
    return titles


def headline(runs: Sequence[FigureData]) -> str:
    """The title of the problem and what one run is, or the seeds of several."""
    if len(runs) == 1:
        return f"{runs[0].title}: {runs[0].label}"
    seeds = sorted({run.attributes["seed"] for run in runs})
    return f"{runs[0].title}, seed{'s' if len(seeds) > 1 else ''} {listed(map(str, seeds))}"
