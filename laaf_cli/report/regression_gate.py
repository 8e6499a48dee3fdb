"""Bounds on the errors and times of runs, for CI jobs that must fail when one grows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from laaf_cli.errors import RunFileError
from laaf_cli.report.comparison import MethodComparison, MethodGroup
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.statistics import spread


def above(runs: Sequence[ComparisonEntry], bound: float) -> list[str]:
    """A sentence for each run whose error is above the bound, unknown, or of a failed training."""
    sentences = []
    for run in runs:
        measure = run.measure
        if math.isnan(run.error):
            sentences.append(f"{run.path}: the error is unknown: the run has no reference")
        elif not run.error <= bound:
            error = f"the {measure.name} {measure.text(run.error, 3)}"
            what = f"the training {run.stop_reason}, which" if run.failed else error
            sentences.append(f"{run.path}: {what} is above the bound {measure.bound_text(bound)}")
    return sentences


def regressions(
    comparison: MethodComparison, stored: Sequence[ComparisonEntry], bound: float
) -> list[str]:
    """A sentence for each method whose median error is more than `bound` times that of the stored
    runs of its problem.

    Raises:
        RunFileError: the stored runs are of another problem, or have no error to compare with.
    """
    sentences = []
    for group, alike in _measured(comparison, stored):
        before, now = spread([run.error for run in alike]).median, group.error.median
        if not math.isfinite(before):
            raise RunFileError(
                f"the runs of {group.problem} to compare against have no finite error"
            )
        if now <= bound * before:
            continue
        stored_error = f"of the stored run is {group.measure.text(before)}"
        if math.isnan(now):
            growth = f"the error is unknown, and that {stored_error}"
        elif math.isinf(now):
            growth = f"most runs failed, and the error {stored_error}"
        else:
            times = f"{now / before:.3g} times" if before else "above"
            growth = (
                f"the {group.measure.name} {group.measure.text(now)} is {times} that of the stored "
                f"run, {group.measure.text(before)}"
            )
        sentences.append(f"{group.label}: {growth}; the bound is {bound:g} times")
    return sentences


def slowdowns(
    comparison: MethodComparison, stored: Sequence[ComparisonEntry], bound: float
) -> list[str]:
    """A sentence for each method whose median seconds of training are more than `bound` times those
    of the stored runs.

    Runs that failed do not count on either side: they are bounded by their error.

    Raises:
        RunFileError: the stored runs are of another problem.
    """
    sentences = []
    for group, alike in _measured(comparison, stored):
        before = spread([run.wall_time_s for run in alike if not run.failed]).median
        now = group.median(lambda run: run.wall_time_s)
        if now > bound * before:
            sentences.append(
                f"{group.label}: {now:.3g} s of training are {now / before:.3g} times those of the "
                f"stored run, {before:.3g} s; the bound is {bound:g} times"
            )
    return sentences


def _measured(
    comparison: MethodComparison, stored: Sequence[ComparisonEntry]
) -> Iterator[tuple[MethodGroup, list[ComparisonEntry]]]:
    """Each method with the stored runs of its problem, where there are any."""
    problems = {run.problem_hash for group in comparison.groups for run in group.runs}
    for run in stored:
        if run.problem_hash not in problems:
            raise RunFileError(
                f"{run.path} is a run of another problem ({run.problem}); nothing can be "
                "measured by it"
            )
    for group in comparison.groups:
        alike = [run for run in stored if run.problem_hash == group.runs[0].problem_hash]
        if alike:
            yield group, alike
