"""What is asked for: a variant of the set-up over seeds, and the folder of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from laaf_cli.paper.columns import Column, Variant
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import bundled
from laaf_cli.sweeps import Alternative, MakePlan, PlannedRun, plan_runs


@dataclass(frozen=True, kw_only=True)
class Request:
    """A reproduction as it was asked for."""

    variant: Variant
    seeds: tuple[int, ...]
    folder: Path
    """Where figures and Markdown go; runs lie in `runs` below it."""
    fixed_rates: tuple[str, ...] = ()
    """Learning rates that the fixed baseline is trained with besides the paper's, as they were
    typed.
    """
    more: Mapping[str, Any] = field(default_factory=dict)
    """Settings that one kind of artefact alone takes, by name; it says what they are."""
    command: str = ""
    """How it is asked for again, as its page says."""

    @property
    def settings(self) -> dict[str, str]:
        """What was given of the settings that do not mean something for every artefact."""
        variant = self.variant
        settings = {
            **self.more,
            "iterations": variant.iterations,
            "recovery_form": variant.recovery_forms,
            "n": variant.scales,
            "data_points": variant.data_points,
            "initializer": variant.initializer,
            "fixed_learning_rates": self.fixed_rates,
        }
        return {
            name: ",".join(value) if isinstance(value, tuple) else str(value)
            for name, value in settings.items()
            if value not in (None, ())
        }

    def name(self, artefact: str) -> str:
        """The name of its files; variants of the set-up do not replace the page of the paper's
        own.
        """
        return "-".join([artefact, *self.variant.labels])

    def plan(
        self, problem: str, columns: Sequence[Column], iterations: int, *, is_papers: bool
    ) -> dict[Column, list[PlannedRun]]:
        """The runs of each column, one per seed.

        Args:
            is_papers: the number of iterations is that of the bundled problem.
        """
        variant = replace(self.variant, iterations=None if is_papers else iterations)
        make = partial(make_plan, bundled.find(problem))
        return self.runs(make, variant.settings(problem), columns)

    def runs(
        self, make: MakePlan, settings: Sequence[Alternative], columns: Sequence[Column]
    ) -> dict[Column, list[PlannedRun]]:
        """The runs of each column, one per seed.

        A column that is an earlier one once more is left out, as the paper's own learning rate
        among those to try.

        Args:
            settings: what all columns share.
        """
        planned: dict[Column, list[PlannedRun]] = {}
        known: set[str] = set()
        for column in columns:
            axes = [*([one] for one in settings), [column.alternative()]]
            runs = plan_runs(make, axes, self.seeds, self.folder / "runs")
            method = runs[0].plan.hashes.method
            if method not in known:
                planned[column] = runs
            known.add(method)
        return planned
