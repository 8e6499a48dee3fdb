"""A run of any task that has ended: its report, what all run files hold, and writing it."""

from __future__ import annotations

import contextlib
import math
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from laaf_cli.errors import UsageError
from laaf_cli.json_record import JsonRecord
from laaf_cli.metrics import Measure
from laaf_cli.runfile import EventSummary, RunFileRecord, write_run
from laaf_cli.runs.planned import AnyPlan
from laaf_cli.runs.provenance import provenance
from laaf_cli.runs.task import TASKS
from laaf_cli.training import EndedTraining


@dataclass(frozen=True, kw_only=True)
class RunResult(JsonRecord, ABC):
    """What is reported at the end of every run."""

    task: ClassVar[str]
    """Its row of TASKS."""

    title: str
    """The title of the spec."""
    problem: str
    """The name of the spec's file without its ending."""
    slope_kind: str
    """The kind of slopes: `fixed`, `gaaf`, `llaaf` or `nlaaf`."""
    n: float
    """The scale n of the slopes."""
    recovery: bool
    """Whether the slope recovery term is part of the loss."""
    seed: int
    """The seed of everything random."""
    stop_reason: str
    """Why the training ended: `completed`, `max-seconds`, `interrupted`, `diverged`, or
    `running` in a checkpoint.
    """
    stop_detail: str
    """Where training diverged, and which phases stalled, and why; else empty."""
    iterations: int
    """The iterations carried out: steps of the optimizer."""
    events: list[EventSummary]
    """That the training was resumed or retried."""
    wall_time_s: float
    """Seconds of training, without monitoring and writing."""
    n_parameters: int
    """The number of weights and biases."""
    n_slopes: int
    """The number of trainable slopes."""
    device: str
    """`cpu` or `cuda`."""
    dtype: str
    """The precision of the training, `float32` or `float64`."""
    warnings: list[str]
    """Reasons to doubt the answer."""
    path: str = ""
    """The run file."""

    @property
    @abstractmethod
    def error(self) -> float:
        """The number by which runs are compared: NaN where it is not known."""

    @property
    def error_or_estimate(self) -> float:
        """The error; where it is not known the estimate of it, infinite without one."""
        return math.inf if math.isnan(self.error) else self.error

    @property
    def estimated_from(self) -> str:
        """What the estimate of the error is taken from, empty where the error is known."""
        return ""

    @property
    def measure(self) -> Measure:
        """What that number is, and how it is printed."""
        return TASKS[self.task].measure

    @property
    def why_unknown(self) -> str:
        """Why it is not known, empty where it is."""
        return ""


def shared_facts(
    plan: AnyPlan, counts: tuple[int, int], result: EndedTraining, **more: Any
) -> dict[str, Any]:
    """What is reported of the runs of all tasks, except for the warnings.

    Args:
        counts: of parameters and of slopes.
        more: `stop_detail`, `iterations` and `wall_time_s`.
    """
    spec = plan.spec
    return {
        "title": spec.title,
        "problem": plan.name,
        "slope_kind": spec.slopes.kind,
        "n": spec.slopes.n,
        "recovery": plan.recovery is not None,
        "seed": spec.seed,
        "stop_reason": result.stop_reason.value,
        "events": [EventSummary(event.iteration, event.what) for event in result.events],
        "n_parameters": counts[0],
        "n_slopes": counts[1],
        "device": plan.device.type,
        "dtype": spec.dtype,
        **more,
    }


def shared_attributes(
    plan: AnyPlan, outcome: RunResult, result: EndedTraining
) -> dict[str, str | int | float]:
    """The attributes that every run file has."""
    return provenance(plan.device) | {
        "task": plan.task,
        "title": outcome.title,
        "problem": outcome.problem,
        "seed": outcome.seed,
        "dtype": outcome.dtype,
        "stop_reason": outcome.stop_reason,
        "stop_detail": outcome.stop_detail,
        "iterations": outcome.iterations,
        "wall_time_s": outcome.wall_time_s,
        "n_checkpoints": result.n_checkpoints,
        "checkpoint_time_s": result.checkpoint_time_s,
        "n_parameters": outcome.n_parameters,
        "n_slopes": outcome.n_slopes,
        "problem_hash": plan.hashes.problem,
        "method_hash": plan.hashes.method,
    }


SummaryType = TypeVar("SummaryType", bound=RunResult, covariant=True)


@dataclass(frozen=True)
class FinishedRun(Generic[SummaryType]):
    """A run that has ended, in whatever way, and is not written yet."""

    record: RunFileRecord
    summary: SummaryType

    def save(self, path: Path) -> FinishedRun[SummaryType]:
        """Writes the run file; where `path` cannot be, saves it elsewhere and raises UsageError
        naming the place.
        """
        try:
            write_run(path, self.record)
        except OSError as error:
            reason = error.strerror or str(error)
            for find_folder in (Path.cwd, tempfile.gettempdir):
                # in a folder that was deleted, finding fails too
                with contextlib.suppress(OSError):
                    other = (
                        Path(find_folder())
                        / f"{path.stem[:80]}-{datetime.now(UTC):%Y%m%dT%H%M%S}.h5"
                    )
                    write_run(other, self.record)
                    raise UsageError(
                        f"{path} cannot be written: {reason}\nThe run is saved in {other}; "
                        f"`load({str(other)!r})` shows it."
                    ) from None
            raise UsageError(
                f"{path} cannot be written: {reason}\nNo other place could be written either."
            ) from None
        return replace(self, summary=replace(self.summary, path=str(path)))
