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
    """A sentence for each method whose median error is more than `bound` times that of the stored runs.

    Raises RunFileError where the stored runs are of another problem, or have no error to compare with.
    """
    problems = {run.problem_hash for group in comparison.groups for run in group.runs}
    for run in stored:
        if {run.problem_hash} != problems:
            raise RunFileError(f"{run.path} is a run of another problem ({run.problem}); nothing can be measured by it")
    before = spread([run.error for run in stored]).median
    if not math.isfinite(before):
        raise RunFileError("the runs to compare against have no finite error")
    found = []
    for group in comparison.groups:
        now = group.error.median
        if not now <= bound * before:
            ratio = f"{now / before:.3g} times" if before else "more than"
            found.append(
                f"{group.label}: the relative L2 error {error_text(now)} is {ratio} that of the baseline, "
                f"{error_text(before)}; the bound is {bound:g} times"
            )
    return found


def _error(run: RunSummary) -> str:
    return f"the training {run.stop_reason}, which" if run.failed else f"the relative L2 error {run.error:.3e}"
