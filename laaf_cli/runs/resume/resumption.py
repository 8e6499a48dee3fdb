"""How a run is gone on with: its plan made anew, what has changed since, and what is no longer
exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from laaf_cli.derivatives import ENGINES
from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.resume.drift import (
    check_file,
    check_unchanged,
    inexact,
    is_bound,
    stored_overrides,
)
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.spec import Override, Text
from laaf_cli.text import printable

UNFINISHED = ("interrupted", "running")
"""Stop reasons of runs that nothing but an accident, or Ctrl-C, has ended."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is asked for besides going on.

    iterations: more of the last phase. max_seconds: of further training. retries: after divergence,
    from now on. stored_spec: whether the spec as it is stored counts, whatever its file says now.
    """

    iterations: int | None = None
    max_seconds: float | None = None
    device: str | None = None
    dtype: str | None = None
    retries: int = 0
    stored_spec: bool = False
    allow_python: bool = False


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """A run to go on with, and how. inexact: sentences on what is no longer as without the
    break.
    """

    plan: Plan
    past: PastRun
    retries: int
    inexact: tuple[str, ...]


def resume(past: PastRun, wishes: Wishes) -> Resumption:
    """Plans how the run goes on.

    Raises UsageError where there is nothing left to do, SpecError with the differences where the
    spec, or what it names, is no longer what the run was made from, and RunFileError where the file
    contradicts itself.
    """
    _check_there_is_more(past, wishes)
    source = past.source
    overrides = stored_overrides(past)
    how: dict[str, Any] = {
        "derivatives": past.settings.get("derivatives"),
        "allow_python": wishes.allow_python,
        "known_python": past.functions or "",
    }
    bound = past.settings.get("max_seconds")
    if how["derivatives"] not in list(ENGINES) or not is_bound(bound):
        raise RunFileError(
            f"spec/settings in {past.path} does not say how the derivatives or "
            "the seconds are meant"
        )
    n_phases = int(past.checkpoint.attributes["phase"]) + (past.stop_reason != "running")
    if len(past.phases) != n_phases:
        raise RunFileError(
            f"history/phases in {past.path} tells of {len(past.phases)} phases "
            f"instead of {n_phases}"
        )

    def planned(text: Text) -> Plan:
        return make_plan(text, overrides, max_seconds=bound, **how)

    if not wishes.stored_spec:
        check_file(past, planned)
    text = Text(source.path, source.yaml)
    before = planned(text)
    check_unchanged(past, before, "this laaf reads the stored spec otherwise")
    changes, seconds = _wished(past, before, wishes), _max_seconds(past, wishes, bound)
    plan = before
    if changes or seconds != bound:  # else nothing is read, and no Python file run, a second time
        plan = make_plan(text, [*overrides, *changes], max_seconds=seconds, **how)
    inexact = tuple(_inexact(past, plan))
    resumed = (
        f"resumed after it diverged: {past.attributes['stop_detail']}"
        if _diverged(past)
        else "resumed"
    )
    more = [f"{wishes.iterations} iterations more"] if wishes.iterations else []
    events = _events(resumed, *more, *inexact)
    at = past.checkpoint.attributes
    left = int(at["retries"]) if past.stop_reason in UNFINISHED else 0
    retries = max(left, wishes.retries + int(at["n_retries"]))
    return Resumption(
        plan=plan, past=replace(past, new_events=events), retries=retries, inexact=inexact
    )


def unfinished(plan: Plan, past: PastRun) -> PastRun | None:
    """A training of this very plan that can be gone on with; None where it is of another."""
    if past.settings != plan.settings() or past.attributes["problem_hash"] != plan.hashes.problem:
        return None
    return replace(past, new_events=_events("resumed", *_inexact(past, plan)))


def _events(*parts: str) -> tuple[str]:
    return ("; ".join(parts),)


def _diverged(past: PastRun) -> bool:
    return past.stop_reason == "diverged"


def _check_there_is_more(past: PastRun, wishes: Wishes) -> None:
    more = wishes.iterations or 0
    if past.stop_reason == "completed" and not more:
        raise UsageError(
            f"{past.path} is finished, after {past.iterations} iterations; --iterations N "
            "trains it further by as many"
        )
    if past.stop_reason == "max-seconds" and not more and wishes.max_seconds is None:
        raise UsageError(
            f"{past.path} ended at its bound of {past.settings.get('max_seconds')} seconds; "
            "--max-seconds X trains it X seconds further, --iterations N so many iterations"
        )
    if not _diverged(past):
        return
    if past.done < 0:
        raise UsageError(
            f"{past.path} diverged as a phase began, and a smaller step does not help that"
        )
    if not wishes.retries:
        raise UsageError(
            f"{past.path} diverged, and would again; --retries K goes on from its last good "
            "state with a tenth of the "
            "learning rate, up to K times"
        )


def _wished(past: PastRun, plan: Plan, wishes: Wishes) -> list[Override]:
    """What the wishes change in the spec."""
    found = [
        f"{key}={value}"
        for key, value in (("device", wishes.device), ("dtype", wishes.dtype))
        if value is not None
    ]
    if wishes.iterations:
        last = len(plan.spec.training) - 1
        is_over = past.stop_reason == "completed"
        planned = past.done if is_over else plan.spec.training[last].iterations
        found.append(f"training.{last}.iterations={planned + wishes.iterations}")
        if is_over and past.phases[-1].end == "max-seconds":
            found.append(f"training.{last}.max_seconds=null")
    return [Override.from_assignment(assignment) for assignment in found]


def _max_seconds(past: PastRun, wishes: Wishes, bound: Any) -> float | None:
    """The bound on the seconds of the whole training, those before included."""
    if wishes.max_seconds is not None:
        return float(past.attributes["wall_time_s"]) + wishes.max_seconds
    return None if past.stop_reason == "max-seconds" else bound


def _inexact(past: PastRun, plan: Plan) -> Iterator[str]:
    """What is other than before, so that numbers are rounded otherwise from here on."""
    yield from inexact(past, plan)
    before, now = past.attributes["engine"].partition("; phase ")[0], plan.engine_use
    if before != now:
        yield f"the derivatives: {printable(str(before))} before, {now} from here on"
