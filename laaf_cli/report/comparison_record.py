"""A comparison as records of plain values, for CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.json_record import JsonRecord
from laaf_cli.report.comparison import ConstantOverSeeds, MethodComparison, MethodGroup
from laaf_cli.report.statistics import PairedComparison
from laaf_cli.runfile.learned_constants import EstimatedConstant


@dataclass(frozen=True, kw_only=True)
class SeedRecord:
    """A run of a method."""

    path: Path
    """The run file."""
    seed: int
    """Its seed."""
    error: float
    """Its error at the end, null without a reference."""
    stop_reason: str
    """Why its training ended: `completed`, `max-seconds`, `interrupted`, `diverged`, or
    `running` in a checkpoint.
    """
    stop_detail: str
    """Where it diverged, and which phases stalled, and why; else empty."""
    seconds: float
    """Seconds of its training."""
    constants: dict[str, EstimatedConstant]
    """The constants that it learned, by name."""


@dataclass(frozen=True, kw_only=True)
class ConstantRecord:
    """A learned constant over the runs of a method."""

    truth: float | None
    """Its true value, null where it is not known."""
    median: float
    """Median of its values at the end, of the runs that did not fail."""
    lower_quartile: float
    """Lower quartile of these values."""
    upper_quartile: float
    """Upper quartile of these values."""
    spread_in_a_run: float
    """Median of how much it still moved over the last tenth of a training."""
    relative_error_median: float
    """Median of its distances from the truth over the size of that, failed runs counted as
    infinite.
    """

    @classmethod
    def of(cls, constant: ConstantOverSeeds) -> ConstantRecord:
        """The record of a constant over the runs that did not fail."""
        value = constant.value
        return cls(
            truth=constant.truth,
            median=value.median,
            lower_quartile=value.lower,
            upper_quartile=value.upper,
            spread_in_a_run=constant.within,
            relative_error_median=constant.relative_error.median,
        )


@dataclass(frozen=True, kw_only=True)
class GroupRecord:
    """A method and its runs, one for each seed.

    A number that is unknown or infinite is null; so is what belongs to a baseline without
    one, and for the baseline itself.
    """

    problem: str
    """The name of the problem."""
    method: str
    """The name of the method."""
    runs: int
    """The number of its runs."""
    failed: int
    """How many of them diverged or were interrupted."""
    measure: str
    """What its errors are: `relative L2 error`, or `test error`, a fraction."""
    error_median: float
    """Median of the errors, failed runs counted as infinite."""
    median_failed: bool
    """Whether that median is infinite, since most runs failed."""
    error_lower_quartile: float
    """Lower quartile of the errors."""
    error_upper_quartile: float
    """Upper quartile of the errors."""
    error_best: float
    """The smallest error."""
    loss_without_recovery: float
    """Median of the whole loss at the end less slope recovery, where that is the loss,
    the cross entropy of training, of the runs that did not fail.
    """
    slope_recovery: float
    """Median of the slope recovery term without its weight."""
    largest_scaled_slope: float
    """The largest n·a in any of the runs."""
    parameters: int
    """The number of weights and biases."""
    slopes: int
    """The number of trainable slopes."""
    iterations: float
    """Median of the iterations carried out."""
    seconds: float
    """Median of the seconds of training."""
    constants: dict[str, ConstantRecord]
    """The learned constants, by name."""
    pairs: int | None
    """The number of seeds that method and baseline both have."""
    ratio: float | None
    """Median over these pairs of the error divided by that of the baseline; below 1 the method
    is better.
    """
    ratio_low: float | None
    """Lower end of the interval of that median: 95 % or more, of order statistics; with fewer
    than 6 pairs the smallest and the largest ratio, which is less."""
    ratio_high: float | None
    """Upper end of that interval."""
    p: float | None
    """p of the Wilcoxon signed-rank test of the logarithms of the ratios, two-sided."""
    p_adjusted: float | None
    """p after Holm's adjustment for the number of methods."""
    verdict: str | None
    """`better`, `worse`, `tie`, or `open` where the data do not decide."""
    seeds: list[SeedRecord]
    """The runs, by seed."""

    @classmethod
    def of(cls, group: MethodGroup, pair: PairedComparison | None) -> GroupRecord:
        """The record of a group, and of its comparison with the baseline, if there is one."""
        error = group.error
        return cls(
            problem=group.problem,
            method=group.label,
            runs=len(group.runs),
            failed=group.n_failed,
            measure=group.measure.name,
            error_median=error.median,
            median_failed=math.isinf(error.median),
            error_lower_quartile=error.lower,
            error_upper_quartile=error.upper,
            error_best=error.best,
            loss_without_recovery=group.median(lambda run: run.loss),
            slope_recovery=group.median(lambda run: run.recovery),
            largest_scaled_slope=group.largest_scale,
            parameters=group.runs[0].n_parameters,
            slopes=group.runs[0].n_slopes,
            iterations=group.median(lambda run: float(run.iterations)),
            seconds=group.median(lambda run: run.wall_time_s),
            constants={
                name: ConstantRecord.of(constant) for name, constant in group.constants.items()
            },
            pairs=pair.n_pairs if pair else None,
            ratio=pair.ratio if pair else None,
            ratio_low=pair.low if pair else None,
            ratio_high=pair.high if pair else None,
            p=pair.p if pair else None,
            p_adjusted=pair.adjusted if pair else None,
            verdict=pair.verdict if pair else None,
            seeds=[
                SeedRecord(
                    path=run.path,
                    seed=run.seed,
                    error=run.final_error,
                    stop_reason=run.stop_reason,
                    stop_detail=run.stop_detail,
                    seconds=run.wall_time_s,
                    constants=dict(run.constants),
                )
                for run in group.runs
            ],
        )


@dataclass(frozen=True, kw_only=True)
class ComparisonRecord(JsonRecord):
    """What a comparison and a sweep report."""

    groups: list[GroupRecord]
    """The methods, as sorted."""
    baselines: dict[str, str]
    """The method that others are compared with, by problem; empty where none was asked for."""
    flags: list[str]
    """What makes the methods less than comparable."""
    sentences: list[str]
    """What the data support."""
    exceeded: list[str]
    """A sentence for each bound of the gate that is exceeded."""
    unreadable: list[str]
    """A sentence for each file that cannot be read."""
    not_trained: dict[str, str]
    """Runs of a sweep that have no run file, by its path, and why."""


def comparison_record(
    comparison: MethodComparison,
    *,
    exceeded: Sequence[str] = (),
    unreadable: Sequence[str] = (),
    not_trained: dict[str, str] | None = None,
) -> ComparisonRecord:
    """The record of a comparison, with what else there is to report."""
    return ComparisonRecord(
        groups=[GroupRecord.of(group, comparison.pair(group)) for group in comparison.groups],
        baselines={problem: group.label for problem, group in comparison.baselines.items()},
        flags=list(comparison.flags),
        sentences=comparison.sentences,
        exceeded=list(exceeded),
        unreadable=list(unreadable),
        not_trained=not_trained or {},
    )


def as_csv(comparison: MethodComparison) -> str:
    """The groups as CSV, numbers in full; a learned constant `nu` has the columns `nu_truth`,
    `nu_median`…
    """
    rows = []
    for group in comparison_record(comparison).as_json()["groups"]:
        flat: dict[str, object] = {}
        for name, value in group.items():
            if name == "constants":
                for constant, facts in value.items():
                    flat |= {f"{constant}_{key}": item for key, item in facts.items()}
            elif name != "seeds":
                flat[name] = value
        rows.append(flat)
    file = io.StringIO()
    # A method that does not learn a constant leaves its columns empty.
    columns = list({name: None for row in rows for name in row})
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
