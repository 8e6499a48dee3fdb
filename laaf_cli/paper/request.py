"""What is asked for: a variant of the set-up over seeds, and the folder of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from laaf_cli.paper.columns import Column, Variant
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import bundled
from laaf_cli.sweeps import Alternative, MakePlan, PlannedRun, plan_runs

OF_EQUATIONS = (
    "iterations", "recovery_form", "n", "data_points", "initializer", "fixed_learning_rates",
)  # fmt: skip
OF_IMAGES = ("datasets", "n", "epochs", "data_dir")
"""The settings that mean something for each subject; seeds do for all."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A reproduction as it was asked for.

    folder: where figures and Markdown go; runs lie in `runs` below it. fixed_rates: learning rates
    that the fixed baseline is trained with besides the paper's, as they were typed. datasets: those
    of images that must be there; none takes those that are. epochs: others than the paper's.
    data_dir: where data sets lie, None for the default. command: how it is asked for again, as its
    page says.
    """

    variant: Variant
    seeds: tuple[int, ...]
    folder: Path
    fixed_rates: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    epochs: int | None = None
    data_dir: Path | None = None
    command: str = ""

    @property
    def runs_folder(self) -> Path:
        return self.folder / "runs"

    @property
    def settings(self) -> dict[str, str]:
        """What was given of the settings that do not mean something for every artefact."""
        variant = self.variant
        given = {
            "datasets": ",".join(self.datasets) or None,
            "epochs": self.epochs,
            "data_dir": self.data_dir,
            "iterations": variant.iterations,
            "recovery_form": ",".join(variant.recovery_forms) or None,
            "n": ",".join(variant.scales) or None,
            "data_points": variant.data_points,
            "initializer": variant.initializer,
            "fixed_learning_rates": ",".join(self.fixed_rates) or None,
        }
        return {name: str(value) for name, value in given.items() if value is not None}

    def name(self, artefact: str) -> str:
        """The name of its files.

        Variants of the set-up, and single data sets, do not replace the page of the paper's own.
        """
        datasets = [",".join(self.datasets)] if self.datasets else []
        return "-".join([artefact, *self.variant.labels, *datasets])

    def plan(
        self, problem: str, columns: Sequence[Column], iterations: int, *, is_papers: bool
    ) -> dict[Column, list[PlannedRun]]:
        """The runs of each column, one per seed; is_papers: the number of iterations is that of
        the bundled problem.
        """
        variant = replace(self.variant, iterations=None if is_papers else iterations)
        make = partial(make_plan, bundled.find(problem))
        return self.runs(make, variant.settings(problem), columns)

    def runs(
        self, make: MakePlan, settings: Sequence[Alternative], columns: Sequence[Column]
    ) -> dict[Column, list[PlannedRun]]:
        """The runs of each column, one per seed. settings: what all columns share.

        A column that is an earlier one once more is left out, as the paper's own learning rate
        among those to try.
        """
        planned: dict[Column, list[PlannedRun]] = {}
        known: set[str] = set()
        for column in columns:
            axes = [*([one] for one in settings), [column.alternative()]]
            runs = plan_runs(make, axes, self.seeds, self.runs_folder)
            method = runs[0].plan.hashes.method
            if method not in known:
                planned[column] = runs
            known.add(method)
        return planned
