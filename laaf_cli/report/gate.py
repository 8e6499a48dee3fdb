"""Bounds on the errors of runs, for CI jobs that must fail when an error grows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from laaf_cli.errors import RunFileError
from laaf_cli.report.comparison import Comparison
from laaf_cli.report.comparison_table import error_text
from laaf_cli.report.run_summary import RunSummary
from laaf_cli.report.statistics import spread


def above(runs: Sequence[RunSummary], bound: float) -> list[str]:
    """A sentence for each run whose relative L2 error is above the bound, unknown, or of a failed training."""
    return [
        f"{run.path}: {_error(run)} is above the bound {bound:g}"
        if not math.isnan(run.error)
        else f"{run.path}: the error is unknown, for the run has no reference"
        for run in runs
        if not run.error <= bound
    ]


def regressions(comparison: Comparison, stored: Sequence[RunSummary], bound: float) -> list[str]:
    """A sentence for each method whose median error is more than `bound` times that of the stored runs of its problem.

    Raises RunFileError where the stored runs are of another problem, or have no error to compare with.
    """
    problems = {run.problem_hash for group in comparison.groups for run in group.runs}
    for run in stored:
        if run.problem_hash not in problems:
            raise RunFileError(f"{run.path} is a run of another problem ({run.problem}); nothing can be measured by it")
    found = []
    for group in comparison.groups:
        alike = [run.error for run in stored if run.problem_hash == group.runs[0].problem_hash]
        if not alike:
            continue
        before, now = spread(alike).median, group.error.median
        if not math.isfinite(before):
            raise RunFileError(f"the runs of {group.problem} to compare against have no finite error")
        if not now <= bound * before:
            found.append(f"{group.label}: {_growth(now, before)} {error_text(before)}; the bound is {bound:g} times")
    return found


def _growth(now: float, before: float) -> str:
    """How an error compares with that of the baseline, which is finite."""
    if math.isnan(now):
        return "the error is unknown, and that of the stored run is"
    if math.isinf(now):
        return "most runs failed, and the error of the stored run is"
    times = f"{now / before:.3g} times" if before else "above"
    return f"the relative L2 error {error_text(now)} is {times} that of the stored run,"


def _error(run: RunSummary) -> str:
    return f"the training {run.stop_reason}, which" if run.failed else f"the relative L2 error {run.error:.3e}"
