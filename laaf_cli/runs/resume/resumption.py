"""How the run of an equation is resumed: its plan made again, and what is no longer exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from laaf_cli.derivatives import ENGINES
from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.resume.drift import inexact, is_bound
from laaf_cli.runs.resume.past import UNFINISHED
from laaf_cli.runs.resume.replan import (
    Extension,
    ResumeOptions,
    Resumption,
    check_there_is_more,
    gone_on_with,
    replan,
)
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.text import printable


@dataclass(frozen=True, kw_only=True)
class EquationResumeOptions(ResumeOptions):
    """What is asked for besides resuming."""

    iterations: int | None = None
    """More iterations of the last phase."""
    retries: int = 0
    """How often training may go back after divergence, from now on."""
    allow_python: bool = False


def resume(past: PastRun, options: EquationResumeOptions) -> Resumption[Plan, PastRun]:
    """Plans how the run is resumed.

    Raises:
        UsageError: there is nothing left to do.
        SpecError: with the differences where the spec, or what it names, is no longer what the run
            was made from, and RunFileError where the file contradicts itself.
    """
    more = Extension(
        amount=options.iterations, unit="iterations", reached=f"{past.iterations} iterations"
    )
    check_there_is_more(past, options, more)
    diverged = past.stop_reason == "diverged"
    if diverged and past.done < 0:
        raise UsageError(
            f"{past.path} diverged as a phase began, and a smaller step does not help that"
        )
    if diverged and not options.retries:
        raise UsageError(
            f"{past.path} diverged, and would again; `retries=K` resumes from its last good "
            "state with a tenth of the learning rate, up to K times"
        )
    how: dict[str, Any] = {
        "derivatives": past.settings.get("derivatives"),
        "allow_python": options.allow_python,
        "known_python": past.functions or "",
    }
    if how["derivatives"] not in list(ENGINES) or not is_bound(past.settings.get("max_seconds")):
        raise RunFileError(
            f"spec/settings in {past.path} does not say how the derivatives or "
            "the seconds are meant"
        )
    n_phases = int(past.checkpoint.attributes["phase"]) + (past.stop_reason != "running")
    if len(past.phases) != n_phases:
        raise RunFileError(
            f"history/phases in {past.path} has {len(past.phases)} phases instead of {n_phases}"
        )

    def lengthened(before: Plan) -> list[str]:
        if not options.iterations:
            return []
        last = len(before.spec.training) - 1
        is_over = past.stop_reason == "completed"
        done = past.done if is_over else before.spec.training[last].iterations
        assignments = [f"training.{last}.iterations={done + options.iterations}"]
        if is_over and past.phases[-1].end == "max-seconds":
            assignments.append(f"training.{last}.max_seconds=null")
        return assignments

    plan = replan(past, options, partial(make_plan, **how), lengthened)
    rounded = tuple(rounded_otherwise(past, plan))
    resumed = (
        f"resumed after it diverged: {past.attributes['stop_detail']}" if diverged else "resumed"
    )
    longer = [f"{options.iterations} iterations more"] if options.iterations else []
    at = past.checkpoint.attributes
    left = int(at["retries"]) if past.stop_reason in UNFINISHED else 0
    return Resumption(
        plan=plan,
        past=gone_on_with(past, resumed, *longer, *rounded),
        retries=max(left, options.retries + int(at["n_retries"])),
        inexact=rounded,
    )


def rounded_otherwise(past: PastRun, plan: Plan) -> Iterator[str]:
    """What is other than before, so that numbers are rounded otherwise from here on."""
    yield from inexact(past, plan)
    before, now = past.attributes["engine"].partition("; phase ")[0], plan.engine_use
    if before != now:
        yield f"derivatives {printable(str(before))} → {now}"
