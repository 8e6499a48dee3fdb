"""The tables and figures as data: one row each says what is run and what is drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.paper.columns import (
    FIXED,
    LLAAF,
    LLAAF_RECOVERY,
    NLAAF,
    NLAAF_RECOVERY,
    SEVEN,
    SIX,
    TABLE1,
    UNPUBLISHED,
    Column,
    Published,
)
from laaf_cli.paper.page import Page
from laaf_cli.paper.pictures import ERRORS, LOSS, SLOPES, SOLUTION, Picture
from laaf_cli.paper.request import Request
from laaf_cli.report.run_summary import RunSummary
from laaf_cli.sweep import PlannedRun

Runs = Mapping[int, Mapping[Column, list[PlannedRun]]]
"""Runs by number of iterations, then by method."""


@dataclass(frozen=True)
class Artefact:
    """A table or figure of the paper.

    columns: the methods it shows. moments: numbers of iterations at which the solution is shown, with the
    number of the whole training last. published: the printed errors, if any.
    judged: whether its page says what becomes of the paper's claims.
    """

    name: str
    title: str
    problem: str
    columns: tuple[Column, ...]
    moments: tuple[int, ...]
    pictures: tuple[Picture, ...]
    published: Published = UNPUBLISHED
    judged: bool = False

    def plan(self, request: Request) -> Runs:
        """All runs that it needs, by iterations and method.

        Raises UsageError for several n or forms of slope recovery where the pictures show single runs.
        """
        if not all(picture.all_seeds for picture in self.pictures):
            request.variant.check_single(self.name)
        rates = [Column("fixed", learning_rate=rate) for rate in request.fixed_rates if FIXED in self.columns]
        columns = [*request.variant.crossed(self.columns), *rates]
        last = self.moments[-1]
        whole = request.variant.iterations or last
        return {
            iterations: request.plan(self.problem, columns, iterations, is_papers=iterations == last)
            for iterations in (max(1, moment * whole // last) for moment in self.moments)
        }

    def write(self, runs: Runs, request: Request) -> list[Path]:
        """Draws its figures, of the first seed where they are of single runs, and writes its page.

        Runs that are missing are left out. Returns the files written; raises UsageError where one cannot be.
        """
        drawn: list[Path] = []
        own = request.variant.crossed(self.columns)
        for iterations, by_column in runs.items():
            for picture in self.pictures:
                suffix = f"-{iterations}" if len(runs) > 1 else ""
                output = request.folder / f"{request.name(self.name)}-{picture.name}{suffix}.png"
                shown = [
                    run.path
                    for column, planned in by_column.items()
                    if picture.all_seeds or column in own
                    for run in (planned if picture.all_seeds else planned[:1])
                    if run.path.exists()
                ]
                if shown:
                    picture.draw(shown, output)
                    drawn.append(output)
        page = request.folder / f"{request.name(self.name)}.md"
        self._page(runs, request).write(page, [path.name for path in drawn])
        return [page, *drawn]

    def _page(self, runs: Runs, request: Request) -> Page:
        summaries = {
            iterations: {
                column: [RunSummary.read(run.path) for run in planned if run.path.exists()]
                for column, planned in by_column.items()
            }
            for iterations, by_column in runs.items()
        }
        return Page(self.title, request.command(self.name), self.moments[-1], summaries, self.published, self.judged)


_DISCONTINUOUS, _BURGERS = "discontinuous", "burgers"
_REGRESSION_MOMENTS = (2000, 8000, 15000)
_ALL_SIX = "fixed, GAAF, L-LAAF and N-LAAF, without and with slope recovery"

ARTEFACTS = {
    artefact.name: artefact
    for artefact in (
        Artefact(
            "table1",
            "Table 1: Burgers' equation, relative L2 error",
            _BURGERS, SEVEN, (2000,), ERRORS, TABLE1, judged=True,
        ),
        Artefact(
            "figure2",
            f"Figure 2: discontinuous function, solution, frequency content and pointwise error; {_ALL_SIX}",
            _DISCONTINUOUS, SIX, _REGRESSION_MOMENTS, SOLUTION, judged=True,
        ),
        Artefact(
            "figure3",
            "Figure 3: discontinuous function, slopes n·a of L-LAAF without and with slope recovery",
            _DISCONTINUOUS, (LLAAF, LLAAF_RECOVERY), (15000,), SLOPES,
        ),
        Artefact(
            "figure4",
            "Figure 4: discontinuous function, slopes n·a of N-LAAF (mean, deviation), without and with slope recovery",
            _DISCONTINUOUS, (NLAAF, NLAAF_RECOVERY), (15000,), SLOPES,
        ),
        Artefact(
            "figure5", f"Figure 5: discontinuous function, loss; {_ALL_SIX}", _DISCONTINUOUS, SIX, (15000,), LOSS
        ),
        Artefact(
            "figure6",
            f"Figure 6: Burgers' equation at t = 0.25, 0.5, 0.75, solution and frequency content; {_ALL_SIX}",
            _BURGERS, SIX, (2000,), SOLUTION,
        ),
        Artefact(
            "figure7",
            "Figure 7: Burgers' equation, slopes n·a of L-LAAF without and with slope recovery",
            _BURGERS, (LLAAF, LLAAF_RECOVERY), (2000,), SLOPES,
        ),
        Artefact(
            "figure8",
            "Figure 8: Burgers' equation, slopes n·a of N-LAAF (mean, deviation), without and with slope recovery",
            _BURGERS, (NLAAF, NLAAF_RECOVERY), (2000,), SLOPES,
        ),
        Artefact("figure9", f"Figure 9: Burgers' equation, loss; {_ALL_SIX}", _BURGERS, SIX, (2000,), LOSS),
    )
}  # fmt: skip
"""Name → table or figure. The paper's figures are numbered here by what they show, sections 3.1 and 3.2 in order."""
