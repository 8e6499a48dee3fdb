"""The plan of a run that is resumed, made again from its file, whatever its task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from laaf_cli.errors import UsageError
from laaf_cli.runs.planned import AnyPlan
from laaf_cli.runs.resume.drift import check_file, check_unchanged, stored_overrides
from laaf_cli.runs.resume.past import AnyPastRun
from laaf_cli.spec import Override, Text

PlanType = TypeVar("PlanType", bound=AnyPlan)
PastType = TypeVar("PastType", bound=AnyPastRun)


@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """What is asked for besides resuming; each task adds its own."""

    max_seconds: float | None = None
    """A bound on the seconds of further training."""
    device: str | None = None
    dtype: str | None = None
    stored_spec: bool = False
    """Whether the spec as it is stored counts, whatever its file says now."""


@dataclass(frozen=True, kw_only=True)
class Resumption(Generic[PlanType, PastType]):
    """A run to resume, and how."""

    plan: PlanType
    past: PastType
    retries: int = 0
    """How often training may go back after divergence, those before included."""
    inexact: tuple[str, ...]
    """Sentences on what keeps the result from being bitwise that of an uninterrupted run."""


@dataclass(frozen=True, kw_only=True)
class Extension:
    """How much longer a training should run."""

    amount: int | None
    """How many more, None or 0 for no more than was planned."""
    unit: str
    """The unit of the amount, as `epochs`."""
    reached: str
    """How far the run came, in words."""


def check_there_is_more(past: AnyPastRun, options: ResumeOptions, more: Extension) -> None:
    """Raises UsageError for a run that ended as it was asked to, where nothing more is asked
    for.
    """
    if past.stop_reason == "completed" and not more.amount:
        raise UsageError(
            f"{past.path} is finished, after {more.reached}; `{more.unit}=N` trains it further by "
            "as many"
        )
    if past.stop_reason == "max-seconds" and not more.amount and options.max_seconds is None:
        raise UsageError(
            f"{past.path} ended at its bound of {past.settings.get('max_seconds')} seconds; "
            f"`max_seconds=X` trains it X seconds further, `{more.unit}=N` so many {more.unit}"
        )


def replan(
    past: PastType,
    options: ResumeOptions,
    make: Callable[..., PlanType],
    lengthened: Callable[[PlanType], list[str]],
) -> PlanType:
    """The plan of a run as it was, with what the options change; its goal counts, unless it was
    met and more is asked for.

    Args:
        make: plans a text with overrides and `max_seconds`.
        lengthened: the assignments that make a plan as long as is asked for.

    Raises SpecError with the differences where the spec, or what it names, is no longer what the
    run was made from.
    """
    overrides, bound = stored_overrides(past), past.settings.get("max_seconds")
    facts = past.attributes
    goal = facts.get("goal", 0.0)
    if past.stop_reason == "completed" and goal:
        goal *= not any(facts[name] <= goal for name in ("relative_l2", "estimate"))
    if not options.stored_spec:
        check_file(past, lambda text: make(text, overrides, max_seconds=bound))
    text = Text(past.source.path, past.source.yaml)
    before = make(text, overrides, max_seconds=bound)
    check_unchanged(past, before, "this laaf reads the stored spec otherwise")
    seconds = bound
    if options.max_seconds is not None:  # those of the training before count too
        seconds = float(past.attributes["wall_time_s"]) + options.max_seconds
    elif past.stop_reason == "max-seconds":
        seconds = None
    assignments = [
        *(f"{key}={value}" for key in ("device", "dtype") if (value := getattr(options, key))),
        *lengthened(before),
    ]
    if not assignments and seconds == bound:  # nothing is read, and no Python run, a second time
        return replace(before, goal=goal)
    changes = [Override.from_assignment(assignment) for assignment in assignments]
    return replace(make(text, [*overrides, *changes], max_seconds=seconds), goal=goal)


def gone_on_with(past: PastType, *what: str) -> PastType:
    """The run with the event that it is resumed."""
    return replace(past, new_events=("; ".join(what),))


def same_training(past: AnyPastRun, plan: AnyPlan) -> bool:
    """Whether a run is of this very plan."""
    return (
        past.attributes["task"] == plan.task
        and past.settings == plan.settings()
        and past.attributes["problem_hash"] == plan.hashes.problem
    )
