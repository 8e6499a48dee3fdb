"""Tables and figures of equations: their runs by number of iterations and method, their pictures
and pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from laaf_cli.errors import UsageError
from laaf_cli.paper.artefact import Artefact
from laaf_cli.paper.columns import FIXED, UNPUBLISHED, Column, PublishedErrors
from laaf_cli.paper.page import Page
from laaf_cli.paper.pictures import Picture
from laaf_cli.paper.request import Request
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.sweeps import PlannedRun

Runs = Mapping[int, Mapping[Column, list[PlannedRun]]]
"""Runs by number of iterations, then by method."""


@dataclass(frozen=True, kw_only=True)
class EquationArtefact(Artefact[Runs]):
    """A table or figure of sections 3.1 and 3.2."""

    subject = "an equation"
    takes = (
        *("iterations", "recovery_form", "n", "data_points", "initializer"),
        "fixed_learning_rates",
    )
    n_seeds = 5

    problem: str
    columns: tuple[Column, ...]
    """The methods it shows."""
    moments: tuple[int, ...]
    """Numbers of iterations at which the solution is shown, with the number of the whole training
    last.
    """
    pictures: tuple[Picture, ...]
    published: PublishedErrors = UNPUBLISHED
    """The printed errors, if any."""
    judged: bool = False
    """Whether its page says what becomes of the paper's claims."""

    def _plan(self, request: Request) -> Runs:
        """UsageError is also for several n or forms of slope recovery where the pictures show
        single runs.
        """
        if not all(picture.all_seeds for picture in self.pictures):
            variant = request.variant
            for option, values in (
                ("n", variant.scales),
                ("recovery_form", variant.recovery_forms),
            ):
                if len(values) > 1:
                    raise UsageError(
                        f"{self.name} shows single runs and takes one value of `{option}`, not "
                        f"{len(values)}"
                    )
        tried = request.fixed_rates if FIXED in self.columns else ()
        rates = [replace(FIXED, learning_rate=rate) for rate in tried]
        columns = [*request.variant.crossed(self.columns), *rates]
        last = self.moments[-1]
        whole = request.variant.iterations or last
        return {
            iterations: request.plan(
                self.problem, columns, iterations, is_papers=iterations == last
            )
            for iterations in (max(1, moment * whole // last) for moment in self.moments)
        }

    def runs(self, planned: Runs) -> list[PlannedRun]:
        return [
            run for by_column in planned.values() for column in by_column.values() for run in column
        ]

    def left_out(self, planned: Runs) -> Sequence[str]:  # noqa: ARG002 - one signature for every artefact
        """Nothing: whoever has laaf has the equations."""
        return ()

    def write(self, planned: Runs, request: Request) -> list[Path]:
        """Figures of single runs show the first seed."""
        drawn: list[Path] = []
        columns = request.variant.crossed(self.columns)
        for iterations, by_column in planned.items():
            for picture in self.pictures:
                suffix = f"-{iterations}" if len(planned) > 1 else ""
                output = request.folder / f"{request.name(self.name)}-{picture.name}{suffix}.png"
                shown = [
                    run.path
                    for column, runs in by_column.items()
                    if picture.all_seeds or column in columns
                    for run in (runs if picture.all_seeds else runs[:1])
                    if run.path.exists()
                ]
                if shown:
                    picture.draw(shown, output)
                    drawn.append(output)
        page = request.folder / f"{request.name(self.name)}.md"
        summaries = {
            iterations: {
                column: [ComparisonEntry.read(run.path) for run in runs if run.path.exists()]
                for column, runs in by_column.items()
            }
            for iterations, by_column in planned.items()
        }
        content = Page(
            title=self.title,
            command=request.command,
            paper_iterations=self.moments[-1],
            summaries=summaries,
            published=self.published,
            judged=self.judged,
        )
        content.write(page, [path.name for path in drawn])
        return [page, *drawn]
