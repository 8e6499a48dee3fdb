"""Tables and figures of equations: their runs by method, their picture, what they claim, and their
page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from laaf_cli.errors import UsageError
from laaf_cli.paper.artefact import Artefact
from laaf_cli.paper.claims import Claim, too_few
from laaf_cli.paper.columns import FIXED, UNPUBLISHED, Column, PublishedErrors
from laaf_cli.paper.page import Page
from laaf_cli.paper.pictures import Draw
from laaf_cli.paper.request import Request
from laaf_cli.paper.results import EquationResult
from laaf_cli.sweeps import PlannedRun

Runs = Mapping[Column, list[PlannedRun]]
"""Runs by method."""


@dataclass(frozen=True, kw_only=True)
class EquationArtefact(Artefact[Runs]):
    """A table or figure of sections 3.1 and 3.2."""

    subject = "an equation"
    takes = (
        *("iterations", "recovery_form", "n", "data_points", "initializer"),
        "fixed_learning_rates",
    )

    n_seeds: int = 20
    problem: str
    columns: tuple[Column, ...]
    """The methods it shows, in the order of the paper."""
    iterations: int
    """Of the paper."""
    draw: Draw
    all_seeds: bool = False
    """Whether the picture shows every seed or the first."""
    claims: Callable[[int], Sequence[Claim]] = lambda _iterations: ()
    """What the paper claims here, after so many iterations."""
    published: PublishedErrors = UNPUBLISHED
    """The printed errors, if any."""

    def _plan(self, request: Request) -> Runs:
        """UsageError is also for several n or forms of slope recovery where the picture shows
        single runs.
        """
        if not self.all_seeds:
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
        whole = request.variant.iterations or self.iterations
        return request.plan(self.problem, columns, whole, is_papers=whole == self.iterations)

    def runs(self, planned: Runs) -> list[PlannedRun]:
        return [run for runs in planned.values() for run in runs]

    def warnings(self, planned: Runs, request: Request) -> list[str]:
        """Too few seeds to decide any claim."""
        few = too_few(self.judged(request), planned, len(request.seeds))
        return [few] if few else []

    def judged(self, request: Request) -> Sequence[Claim]:
        """The claims, after as many iterations as are asked for."""
        return self.claims(request.variant.iterations or self.iterations)

    def write(self, planned: Runs, request: Request) -> list[Path]:
        """Pictures of single runs show the first seed."""
        name = request.name(self.name)
        page, picture = request.folder / f"{name}.md", request.folder / f"{name}.png"
        is_drawn = self.picture(planned, request, picture)
        content = Page(
            title=self.title,
            command=request.command,
            paper_iterations=self.iterations,
            results={
                column: [EquationResult.read(run.path) for run in runs if run.path.exists()]
                for column, runs in planned.items()
            },
            published=self.published,
            claims=self.judged(request),
        )
        content.write(page, picture.name if is_drawn else "")
        return [page, *[picture] * is_drawn]

    def picture(self, planned: Runs, request: Request, output: Path) -> bool:
        """Draws the runs that are there; whether there were any."""
        columns = request.variant.crossed(self.columns)
        shown = [
            (column, run.path)
            for column, runs in planned.items()
            if self.all_seeds or column in columns
            for run in (runs if self.all_seeds else runs[:1])
            if run.path.exists()
        ]
        if shown:
            self.draw(self.title, shown, output)
        return bool(shown)
