"""Runs grouped by problem and method over seeds: how each method did, and what the pairs of
seeds support.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.metrics import Measure
from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.report import labels
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.methods import MethodStyle, method_style
from laaf_cli.report.statistics import PairedComparison, Spread, compare_pairs, holm, spread
from laaf_cli.text import did_you_mean, listed


@dataclass(frozen=True, kw_only=True)
class ConstantOverSeeds:
    """A learned constant over the runs of a group."""

    truth: float | None
    value: Spread
    """Its values at the end, of the runs that did not fail."""
    within: float
    """The median of its spread within a run."""
    relative_error: Spread
    """Infinite where the run failed, NaN where the truth is 0 or not known."""


@dataclass(frozen=True, kw_only=True)
class MethodGroup:
    """The runs of one method on one problem, one per seed, and what they come to."""

    problem: str
    label: str
    """The method's name and, where other groups would bear the same, the settings in which it
    differs.
    """
    style: MethodStyle
    runs: tuple[ComparisonEntry, ...]

    @property
    def measure(self) -> Measure:
        """What the errors are."""
        return self.runs[0].measure

    @cached_property
    def errors(self) -> dict[int, float]:
        """The error by seed: infinite where the run failed, NaN without a reference."""
        return {run.seed: run.error for run in self.runs}

    @cached_property
    def error(self) -> Spread:
        """The median and the quartiles of the errors."""
        return spread(list(self.errors.values()))

    @cached_property
    def constants(self) -> dict[str, ConstantOverSeeds]:
        """What became of each learned constant over the seeds; empty where none is learned."""
        over_seeds = {}
        for name, first in self.runs[0].constants.items():
            known = [run.constants[name] for run in self.runs if not run.failed]
            errors = [
                math.nan if error is None else math.inf if run.failed else error
                for run in self.runs
                for error in [run.constants[name].relative_error]
            ]
            over_seeds[name] = ConstantOverSeeds(
                truth=first.truth,
                value=spread([constant.value for constant in known]),
                within=float(np.median([constant.spread for constant in known]))
                if known
                else math.nan,
                relative_error=spread(errors),
            )
        return over_seeds

    @property
    def n_failed(self) -> int:
        """How many runs failed."""
        return sum(run.failed for run in self.runs)

    @property
    def largest_scale(self) -> float:
        """The largest n·a of the runs that did not fail, NaN where all did."""
        return max((run.largest_scale for run in self.runs if not run.failed), default=math.nan)

    def median(self, value: Callable[[ComparisonEntry], float]) -> float:
        """The median of a number over the runs that did not fail, NaN where all did."""
        values = [value(run) for run in self.runs if not run.failed]
        return float(np.median(values)) if values else math.nan


@dataclass(frozen=True, kw_only=True)
class MethodComparison:
    """Methods side by side."""

    groups: tuple[MethodGroup, ...]
    """The groups by problem, then as sorted."""
    baselines: Mapping[str, MethodGroup]
    """The group that others are compared with, by problem; absent where none was asked for."""
    pairs: Mapping[tuple[str, str], PairedComparison]
    """The paired comparisons, by problem and label."""
    flags: tuple[str, ...]
    """Sentences on what makes the groups less than comparable."""

    def pair(self, group: MethodGroup) -> PairedComparison | None:
        """The comparison of a group with the baseline of its problem, if there is one."""
        return self.pairs.get((group.problem, group.label))

    @property
    def problems(self) -> list[str]:
        """The names of the problems, each once, in the order of the groups."""
        return list(dict.fromkeys(group.problem for group in self.groups))

    @property
    def measures(self) -> list[Measure]:
        """What the errors of the groups are, each once."""
        return list(dict.fromkeys(group.measure for group in self.groups))

    @property
    def sentences(self) -> list[str]:
        """What the data support: each method against the baseline, or else the two smallest medians
        against each other, which are the choice of all pairs.
        """
        if self.pairs:
            return [
                pair.sentence(group.label, self.baselines[group.problem].label)
                for group in self.groups
                if (pair := self.pair(group)) is not None
            ]
        sentences = []
        for problem in self.problems:
            inside = [group for group in self.groups if group.problem == problem]
            ranked = sorted(inside, key=SORTS["error"])
            if len(ranked) < 2 or math.isnan(ranked[1].error.median):
                continue
            best, second = ranked[:2]
            pairs = holm([compare_pairs(a.errors, b.errors) for a, b in combinations(ranked, 2)])
            text = pairs[0].sentence(best.label, second.label)
            medians = ", then ".join(
                f"{group.label} ({group.measure.text(group.error.median)})" for group in ranked[:2]
            )
            sentences.append(f"Smallest median errors: {medians}. {text}")
        return sentences


SORTS: dict[str, Callable[[MethodGroup], Any]] = {
    "error": lambda group: _last_if_nan(group.error.median),
    "best": lambda group: _last_if_nan(group.error.best),
    "loss": lambda group: _last_if_nan(group.median(lambda run: run.loss)),
    "failures": lambda group: group.n_failed,
    "seconds": lambda group: _last_if_nan(group.median(lambda run: run.wall_time_s)),
    "method": lambda group: (list(SLOPE_KINDS).index(group.runs[0].spec.slopes.kind), group.label),
}
"""The keys that runs are sorted by, smallest first, by column."""


def _last_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


def compare(
    runs: Sequence[ComparisonEntry],
    *,
    baseline: str | None = None,
    sort: str = "method",
    mixed: bool = False,
) -> MethodComparison:
    """The comparison of runs.

    Args:
        baseline: the kind of slopes, or the label, of the method that others are compared with;
            `baseline_label` finds that of a run file.
        mixed: allow runs of several problems in one comparison; pairs and ranks stay within a
            problem.

    Raises:
        RunFileError: for runs of several problems unless `mixed`.
        UsageError: a baseline that is not among the runs.
    """
    problems = _problem_names(runs)
    if len(problems) > 1 and not mixed:
        counts = listed(
            f"{name}: {sum(run.problem_hash == key for run in runs)}"
            for key, name in problems.items()
        )
        raise RunFileError(
            f"these are runs of {len(problems)} problems ({counts}), and errors of different "
            "problems do not rank\n"
            "`mixed` allows several problems in one table; methods are compared within each."
        )
    duplicates: list[str] = []
    groups: list[MethodGroup] = []
    for key, name in problems.items():
        of_problem = [run for run in runs if run.problem_hash == key]
        groups += sorted(_groups(name, of_problem, duplicates), key=SORTS[sort])
    baselines = _baselines(groups, baseline) if baseline is not None else {}
    pairs: dict[tuple[str, str], PairedComparison] = {}
    for problem, base in baselines.items():
        others = [group for group in groups if group.problem == problem and group is not base]
        compared = holm([compare_pairs(group.errors, base.errors) for group in others])
        pairs |= {(problem, g.label): pair for g, pair in zip(others, compared, strict=True)}
    flags = duplicates
    for name in problems.values():
        flags += _flags([group for group in groups if group.problem == name])
    return MethodComparison(
        groups=tuple(groups), baselines=baselines, pairs=pairs, flags=tuple(flags)
    )


def _problem_names(runs: Sequence[ComparisonEntry]) -> dict[str, str]:
    """Hash → name, with the settings in which problems of one name differ."""
    first = {run.problem_hash: run for run in reversed(runs)}
    keys = [run.problem_hash for run in runs if first[run.problem_hash] is run]
    firsts = [first[key] for key in keys]
    names = _distinguished([run.problem for run in firsts], firsts, labels.PROBLEM)
    return dict(zip(keys, names, strict=True))


def _distinguished(
    names: Sequence[str], runs: Sequence[ComparisonEntry], sections: Sequence[str]
) -> list[str]:
    # Files of observed values make problems that no setting distinguishes.
    marks = [run.problem_hash[:6] + run.method_hash[:6] for run in runs]
    return labels.distinguished(names, [run.settings for run in runs], sections, marks)


def _groups(
    problem: str, runs: Sequence[ComparisonEntry], duplicates: list[str]
) -> list[MethodGroup]:
    """The runs of one problem by method, and by what they are measured with."""
    by_method: dict[tuple[str, str], dict[int, ComparisonEntry]] = {}
    for run in runs:
        seeds = by_method.setdefault((run.method_hash, run.measured), {})
        if run.seed in seeds:
            duplicates.append(
                f"{run.path} repeats method and seed of {seeds[run.seed].path} and is left out"
            )
        else:
            seeds[run.seed] = run
    ordered = [tuple(seeds[seed] for seed in sorted(seeds)) for seeds in by_method.values()]
    styles = [method_style(group[0].spec) for group in ordered]
    firsts = [group[0] for group in ordered]
    names = _distinguished([style.name for style in styles], firsts, labels.METHOD)
    return [
        MethodGroup(problem=problem, label=label, style=style, runs=group)
        for label, style, group in zip(names, styles, ordered, strict=True)
    ]


def _baselines(groups: Sequence[MethodGroup], wanted: str) -> dict[str, MethodGroup]:
    """The baseline of each problem, by kind or label."""
    baselines: dict[str, MethodGroup] = {}
    for problem in dict.fromkeys(group.problem for group in groups):
        inside = [group for group in groups if group.problem == problem]
        exact = [group for group in inside if group.label == wanted]
        matching = exact or [group for group in inside if group.runs[0].spec.slopes.kind == wanted]
        here = [group.label for group in inside]
        if len(matching) > 1:
            several = listed(f"'{group.label}'" for group in matching)
            raise UsageError(
                f"{len(matching)} methods are of the kind '{wanted}': {several}; name one of "
                "them in full"
            )
        if not matching:
            if len(groups) > len(inside) and any(group.label == wanted for group in groups):
                continue  # a run file is the baseline of its own problem alone
            near = did_you_mean(wanted, [*SLOPE_KINDS, *here])
            raise UsageError(
                f"no run of {problem} is of the method '{wanted}'\n"
                + (near or f"Methods here: {listed(dict.fromkeys(here))}; or a run file.")
            )
        baselines[problem] = matching[0]
    return baselines


def baseline_label(runs: Sequence[ComparisonEntry], path: Path) -> str | None:
    """The label of the group that holds the run file `path`, or None where it is not among the
    runs.

    Raises:
        UsageError: another run of the same method and seed is used for it.
    """
    name = path.resolve()
    stored = next((run for run in runs if run.path.resolve() == name), None)
    if stored is None:
        return None
    alike = [run for run in runs if run.problem_hash == stored.problem_hash]
    groups = _groups(stored.problem, alike, [])
    label = next(
        (group.label for group in groups if any(run.path == stored.path for run in group.runs)),
        None,
    )
    if label is None:
        raise UsageError(
            f"{path} has method and seed of a run that it is to be compared with\n"
            "`against` measures new runs by a stored one."
        )
    return label


FLAGGED: dict[str, Callable[[ComparisonEntry], Any]] = {
    "parameters": lambda run: run.n_parameters,
    "points": lambda run: run.n_points,
    "iterations": lambda run: None if run.failed else run.iterations,
    "precision": lambda run: run.dtype,
    "references": lambda run: run.reference,
    "devices": lambda run: run.device,
    "versions of laaf": lambda run: run.laaf_version,
}
"""What should be equal for a fair comparison; slopes are the method itself."""


def _flags(groups: Iterable[MethodGroup]) -> list[str]:
    """A sentence for each thing in which the runs differ and should not."""
    groups = list(groups)
    flags = []
    for name, value in FLAGGED.items():
        holders: dict[Any, list[str]] = {}
        for group in groups:
            for run in group.runs:
                if (setting := value(run)) is not None:
                    holding = holders.setdefault(setting, [])
                    if group.label not in holding:
                        holding.append(group.label)
        if len(holders) > 1:
            text = "; ".join(
                f"{setting} in {listed(holding)}" for setting, holding in holders.items()
            )
            flags.append(f"unequal {name}: {text}")
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for group in groups:
        by_seeds.setdefault(tuple(group.errors), []).append(group.label)
    if len(by_seeds) > 1:
        text = "; ".join(f"{len(seeds)} in {listed(group)}" for seeds, group in by_seeds.items())
        flags.append(f"not every method has the same seeds: {text}")
    absolute = (sentence for group in groups for run in group.runs for sentence in run.absolute)
    return [*flags, *dict.fromkeys(absolute)]
