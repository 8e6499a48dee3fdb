"""What the runs of the study of Burgers' equation come to: errors by method and seed, and families of comparisons."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.paper import Column
from laaf_cli.paper.claims import Errors, Judgement, judge
from laaf_cli.paper.columns import FIXED, SEVEN
from laaf_cli.report.statistics import MIN_PAIRS, PairedComparison, compare_pairs, holm, spread
from laaf_cli.runfile import RunFile
from laaf_cli.sweeps import PlannedRun

Planned = Mapping[int, Mapping[Column, Sequence[PlannedRun]]]
"""The runs by number of iterations, then by method; one for each seed."""

FORMS = ("mean", "sum")
"""The forms of slope recovery, in the order of tables."""

Pairs = Mapping[Column, PairedComparison]
"""The methods of a family, each compared with what the family says; p is adjusted for all of them."""


@dataclass(frozen=True)
class Found:
    """A run after some number of iterations.

    error: relative L2, infinite where it had diverged by then. scale: the greatest n·a. seconds: of training.
    made: what of laaf, PyTorch and the machine made it.
    """

    error: float
    scale: float
    seconds: float
    made: str

    @classmethod
    def read(cls, path: Path, iterations: int) -> Found:
        """Of a run of so many iterations or more; the monitor must have seen that iteration."""
        with RunFile(path) as run:
            history, facts, spec = run.history(), run.attributes, run.spec
        made = (
            f"{facts['device']}, {facts['dtype']}, derivatives {facts['derivatives']}, "
            f"laaf {facts['laaf_version']}, PyTorch {facts['torch_version']}"
        )
        (rows,) = np.nonzero(history.columns["iteration"] == iterations)
        if not len(rows):
            if facts["stop_reason"] != "diverged":
                raise ValueError(
                    f"{path} of {spec.training[0].iterations} iterations has no record of {iterations}"
                )
            return cls(math.inf, math.nan, math.nan, made)
        error, seconds = (
            float(history.columns[name][rows[0]]) for name in ("relative_l2", "wall_time_s")
        )
        if math.isnan(error):
            raise ValueError(f"{path} was not monitored at iteration {iterations}")
        return cls(
            error, max(float(layer[rows[0]].max()) for layer in history.slopes), seconds, made
        )


@dataclass(frozen=True)
class Results:
    """What is there after one number of iterations: by method, then by seed; methods without a run are left out."""

    iterations: int
    n_seeds: int
    columns: tuple[Column, ...]
    found: Mapping[Column, Mapping[int, Found]]

    @property
    def errors(self) -> Errors:
        return {
            column: {seed: run.error for seed, run in runs.items()}
            for column, runs in self.found.items()
        }

    @property
    def n_runs(self) -> int:
        return sum(map(len, self.found.values()))

    @property
    def adaptive(self) -> list[Column]:
        return [column for column in self.found if column.kind.is_adaptive]

    @property
    def fixed(self) -> list[Column]:
        return [column for column in self.found if not column.kind.is_adaptive]


def read(planned: Planned) -> list[Results]:
    """The results of each length; a longer run stands in for a shorter one that is not there."""
    results = []
    for iterations, by_column in planned.items():
        columns = sorted(by_column, key=_place)
        found: dict[Column, dict[int, Found]] = {}
        for column in columns:
            longer = [others[column] for length, others in planned.items() if length > iterations]
            for choices in zip(by_column[column], *longer, strict=True):
                path = next((run.path for run in choices if run.path.exists()), None)
                if path is not None:
                    found.setdefault(column, {})[choices[0].plan.spec.seed] = Found.read(
                        path, iterations
                    )
        n_seeds = len(next(iter(by_column.values())))
        results.append(Results(iterations, n_seeds, tuple(columns), found))
    return results


def _place(column: Column) -> tuple[int, float, int, float]:
    """Where a method stands in tables: by kind, learning rate, form of slope recovery and n."""
    form = ["", *FORMS].index(column.form or "")
    return (
        list(SLOPE_KINDS.values()).index(column.kind),
        float(column.learning_rate or 0),
        form,
        float(column.n or 0),
    )


@dataclass(frozen=True)
class Chosen:
    """The best of several methods by seed, where the seed had no part in the choice.

    Seeds with an even number choose for the odd ones and the odd for the even, by the least median error.
    choices: the method for even seeds and that for odd ones. considered: what was chosen from.
    """

    errors: Mapping[int, float]
    choices: tuple[Column, Column]
    considered: tuple[Column, ...]

    @classmethod
    def among(cls, errors: Errors, columns: Sequence[Column]) -> Chosen | None:
        """Chosen among the methods that have all seeds of the most complete one but one; None with too few."""
        n_most = max((len(errors[column]) for column in columns), default=0)
        considered = tuple(column for column in columns if len(errors[column]) >= n_most - 1)
        seeds = (
            sorted(set.intersection(*(set(errors[column]) for column in considered)))
            if considered
            else []
        )
        if len(seeds) < MIN_PAIRS:
            return None
        even, odd = [s for s in seeds if s % 2 == 0], [s for s in seeds if s % 2]

        def best(chooses: Sequence[int]) -> Column:
            return min(
                considered,
                key=lambda column: spread([errors[column][seed] for seed in chooses]).median,
            )

        choices = best(odd), best(even)
        by_seed = {seed: errors[choices[seed % 2]][seed] for seed in seeds}
        return cls(by_seed, choices, considered)


def papers_claims(results: Results) -> list[Judgement]:
    """The claims at the n and the form of slope recovery of the paper."""
    errors = results.errors
    own = {column.published: errors[column] for column in errors if column.published in SEVEN}
    return judge({column: by_seed for column, by_seed in own.items() if len(by_seed) >= MIN_PAIRS})


def against_fixed(results: Results) -> Pairs:
    """Every adaptive method against fixed slopes, both with the learning rate of the paper."""
    return _family(results, [(column, FIXED) for column in results.adaptive])


def against_tuned(results: Results, baseline: Chosen | None) -> Pairs:
    """Every adaptive method, and fixed slopes at the paper's rate, against the chosen baseline."""
    if baseline is None:
        return {}
    columns = [*([FIXED] if FIXED in results.found else []), *results.adaptive]
    return _judged(
        {column: compare_pairs(results.errors[column], baseline.errors) for column in columns}
    )


def recovery(results: Results) -> Pairs:
    """Every method with slope recovery against itself without."""
    columns = [column for column in results.adaptive if column.recovery]
    return _family(
        results, [(column, replace(column, recovery=False, form=None)) for column in columns]
    )


def scales(results: Results) -> Pairs:
    """Every method without slope recovery against itself with the least n."""
    columns = [
        column for column in results.adaptive if not column.recovery and column.n is not None
    ]
    least = min((column.n for column in columns if column.n is not None), key=float, default=None)
    return _family(
        results, [(column, replace(column, n=least)) for column in columns if column.n != least]
    )


def forms(results: Results) -> Pairs:
    """Every method with the sum in its slope recovery against itself with the mean."""
    columns = [column for column in results.adaptive if column.form == "sum"]
    return _family(results, [(column, replace(column, form="mean")) for column in columns])


def _family(results: Results, pairs: Sequence[tuple[Column, Column]]) -> Pairs:
    errors = results.errors
    known = [(one, other) for one, other in pairs if other in errors]
    return _judged({one: compare_pairs(errors[one], errors[other]) for one, other in known})


def _judged(pairs: Pairs) -> Pairs:
    """The comparisons that have pairs enough to tell anything, adjusted for their number."""
    enough = {column: pair for column, pair in pairs.items() if pair.n_pairs >= MIN_PAIRS}
    return dict(zip(enough, holm(list(enough.values())), strict=True))


def spread_factors(results: Results) -> Iterator[float]:
    """Greatest over least error of each method that has every seed and failed with none."""
    for errors in results.errors.values():
        if len(errors) == results.n_seeds and all(map(math.isfinite, errors.values())):
            yield max(errors.values()) / min(errors.values())
