"""What is asked for: a variant of the set-up over seeds, and the folder of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from laaf_cli import bundled
from laaf_cli.paper.columns import Column, Variant
from laaf_cli.plan import make_plan
from laaf_cli.sweep import PlannedRun, plan_runs


@dataclass(frozen=True)
class Request:
    """A reproduction as it was asked for.

    folder: where figures and Markdown go; runs lie in `runs` below it. fixed_rates: learning rates that the fixed
    baseline is trained with besides the paper's, as they were typed.
    """

    variant: Variant
    seeds: tuple[int, ...]
    folder: Path
    fixed_rates: tuple[str, ...] = ()

    @property
    def runs_folder(self) -> Path:
        return self.folder / "runs"

    def command(self, name: str) -> str:
        """The command line that asks for this again."""
        seeds = len(self.seeds) if self.seeds == tuple(range(len(self.seeds))) else ",".join(map(str, self.seeds))
        variant = self.variant
        options = {
            "--seeds": seeds,
            "--iterations": variant.iterations,
            "--recovery-form": ",".join(variant.recovery_forms) or None,
            "--n": ",".join(variant.scales) or None,
            "--data-points": variant.data_points,
            "--initializer": variant.initializer,
            "--fixed-learning-rates": ",".join(self.fixed_rates) or None,
        }
        told = [f"{option} {value}" for option, value in options.items() if value is not None]
        return " ".join(["laaf reproduce", name, *told])

    def name(self, artefact: str) -> str:
        """The name of its files: variants of the set-up do not replace the page of the paper's own."""
        return "-".join([artefact, *self.variant.labels])

    def plan(
        self, problem: str, columns: Sequence[Column], iterations: int, *, is_papers: bool
    ) -> dict[Column, list[PlannedRun]]:
        """The runs of each column, one per seed; is_papers: the number of iterations is that of the bundled problem."""
        variant = replace(self.variant, iterations=None if is_papers else iterations)
        make = partial(make_plan, bundled.find(problem))
        settings = [[one] for one in variant.settings(problem)]
        planned: dict[Column, list[PlannedRun]] = {}
        known: set[str] = set()
        for column in columns:
            runs = plan_runs(make, [*settings, [column.alternative()]], self.seeds, self.runs_folder)
            _, method = runs[0].plan.hashes()
            # The paper's own learning rate among those to try is the fixed baseline once more.
            if method not in known:
                planned[column] = runs
            known.add(method)
        return planned
