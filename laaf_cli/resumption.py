"""How a run is gone on with: its plan made anew, what has changed since, and what is no longer exact."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from laaf_cli import __version__
from laaf_cli.checkpoint_files import CheckpointFiles
from laaf_cli.derivatives import ENGINES
from laaf_cli.errors import Fault, RunFileError, SpecError, UsageError
from laaf_cli.past_run import PastRun
from laaf_cli.plan import Plan, make_plan
from laaf_cli.spec import Override, Text, printable, read_text

MAX_SHOWN = 200
"""The most characters of a value that is shown."""

UNFINISHED = ("interrupted", "running")
"""Stop reasons of runs that nothing but an accident, or Ctrl-C, has ended."""

MAX_DIFFERENCES = 20
"""The most differences that are shown."""


@dataclass(frozen=True)
class Wishes:
    """What is asked for besides going on.

    iterations: more of the last phase. max_seconds: of further training. retries: after divergence, from now on.
    stored_spec: whether the spec as it is stored counts, whatever its file says now.
    """

    iterations: int | None = None
    max_seconds: float | None = None
    device: str | None = None
    dtype: str | None = None
    retries: int = 0
    stored_spec: bool = False
    allow_python: bool = False


@dataclass(frozen=True)
class Resumption:
    """A run to go on with, and how. inexact: sentences on what is no longer as without the break."""

    plan: Plan
    past: PastRun
    retries: int
    inexact: tuple[str, ...]


def resume(past: PastRun, wishes: Wishes) -> Resumption:
    """Plans how the run goes on.

    Raises UsageError where there is nothing left to do, SpecError with the differences where the spec, or what it
    names, is no longer what the run was made from, and RunFileError where the file contradicts itself.
    """
    _check_there_is_more(past, wishes)
    source = past.source
    try:
        overrides = [Override.from_assignment(f"{path}={text}") for path, text in source.overrides]
    except SpecError:
        raise RunFileError(f"spec/overrides in {past.path} is not what it should be") from None
    how: dict[str, Any] = {
        "derivatives": past.settings.get("derivatives"),
        "allow_python": wishes.allow_python,
        "known_python": past.functions or "",
    }
    bound = past.settings.get("max_seconds")
    if how["derivatives"] not in list(ENGINES) or not _is_bound(bound):
        raise RunFileError(f"spec/settings in {past.path} does not say how the derivatives or the seconds are meant")
    n_phases = int(past.checkpoint.attributes["phase"]) + (past.stop_reason != "running")
    if len(past.phases) != n_phases:
        raise RunFileError(f"history/phases in {past.path} tells of {len(past.phases)} phases instead of {n_phases}")
    if not wishes.stored_spec:
        _check_file(past, overrides, how)
    text = Text(source.path, source.yaml)
    before = make_plan(text, overrides, max_seconds=bound, **how)
    _check_unchanged(past, before, "this laaf reads the stored spec otherwise")
    changes, seconds = _changes(past, before, wishes), _max_seconds(past, wishes, bound)
    plan = before
    if changes or seconds != bound:  # else nothing is read, and no Python file run, a second time
        plan = make_plan(text, [*overrides, *changes], max_seconds=seconds, **how)
    inexact = tuple(_inexact(past, plan))
    resumed = f"resumed after it diverged: {past.attributes['stop_detail']}" if _diverged(past) else "resumed"
    more = [f"{wishes.iterations} iterations more"] if wishes.iterations else []
    events = _events(resumed, *more, *inexact)
    at = past.checkpoint.attributes
    left = int(at["retries"]) if past.stop_reason in UNFINISHED else 0
    retries = max(left, wishes.retries + int(at["n_retries"]))
    return Resumption(plan, replace(past, new_events=events), retries, inexact)


def _is_bound(seconds: Any) -> bool:
    return seconds is None or (isinstance(seconds, float | int) and 0 <= seconds < sys.float_info.max)


def unfinished(plan: Plan, path: Path) -> PastRun | None:
    """The training of this very plan that a run file, or a checkpoint beside it, was left with; None without one."""
    try:
        past = PastRun.read(CheckpointFiles(path).latest().path)
    except RunFileError:
        return None
    if past.stop_reason not in UNFINISHED or past.settings != plan.settings():
        return None
    is_same = plan.hashes()[0] == past.attributes["problem_hash"]
    return replace(past, new_events=_events("resumed", *_inexact(past, plan))) if is_same else None


def _events(*parts: str) -> tuple[str]:
    return ("; ".join(parts),)


def _diverged(past: PastRun) -> bool:
    return past.stop_reason == "diverged"


def _check_there_is_more(past: PastRun, wishes: Wishes) -> None:
    more = wishes.iterations or 0
    if past.stop_reason == "completed" and not more:
        raise UsageError(
            f"{past.path} is finished, after {past.iterations} iterations; --iterations N trains it further by as many"
        )
    if past.stop_reason == "max-seconds" and not more and wishes.max_seconds is None:
        raise UsageError(
            f"{past.path} ended at its bound of {past.settings.get('max_seconds')} seconds; "
            "--max-seconds X trains it X seconds further, --iterations N so many iterations"
        )
    if not _diverged(past):
        return
    if past.done < 0:
        raise UsageError(f"{past.path} diverged as a phase began, and a smaller step does not help that")
    if not wishes.retries:
        raise UsageError(
            f"{past.path} diverged, and would again; --retries K goes on from its last good state with a tenth of the "
            "learning rate, up to K times"
        )


def _check_file(past: PastRun, overrides: Sequence[Override], how: Mapping[str, Any]) -> None:
    """Compares the spec's file as it is now, where it is still there."""
    path = past.source.path
    if not os.path.isfile(path):  # noqa: PTH113 - Path raises where a stranger's name is too long to be one
        return
    text = read_text(Path(path))
    if text.content != past.source.yaml:
        what = f"{printable(path)} has changed since {past.path} was made from it"
        try:
            now = make_plan(text, overrides, max_seconds=past.settings.get("max_seconds"), **how)
        except SpecError:
            # Without its lines: a stranger's run file may name any file, and have them shown.
            raise SpecError([Fault(f"{what}, and is no spec that can be carried out", hint=_hint(past))]) from None
        _check_unchanged(past, now, what)


def _check_unchanged(past: PastRun, plan: Plan, what: str) -> None:
    """Raises SpecError where a plan is another than that of the run."""
    found = list(_differences("", dict(past.settings), plan.settings()))
    if found:
        lines = [f"  {line}" for line in found[:MAX_DIFFERENCES]]
        lines += [f"  and {len(found) - MAX_DIFFERENCES} more"] * (len(found) > MAX_DIFFERENCES)
        raise SpecError([Fault("\n".join([what, *lines]), hint=_hint(past))])
    if plan.hashes()[0] != past.attributes["problem_hash"]:
        raise SpecError([Fault("the data that the spec names have changed since", hint=_ANEW)])


_ANEW = "Undo the change, or start anew with laaf solve."


def _hint(past: PastRun) -> str:
    return f"{_ANEW[:-1]}, or go on with the spec as it was: laaf resume {past.path} --stored-spec"


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    """What differs between two settings, as `training.0.iterations: 2000 → 4000`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(f"{path}.{key}".lstrip("."), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}.{i}", before, after)
    elif old != new:
        yield printable(f"{path}: {_shown(old)} → {_shown(new)}")


def _shown(value: Any) -> str:
    text = "absent" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _changes(past: PastRun, plan: Plan, wishes: Wishes) -> list[Override]:
    """What the wishes change in the spec."""
    found = [
        f"{key}={value}" for key, value in (("device", wishes.device), ("dtype", wishes.dtype)) if value is not None
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
    facts = past.attributes
    before_and_now = {
        "laaf": (facts["laaf_version"], __version__),
        "torch": (facts["torch_version"], version("torch")),
        "NumPy": (facts["numpy_version"], version("numpy")),
        "SciPy": (facts["scipy_version"], version("scipy")),
        "the device": (facts["device"], plan.device.type),
        "the precision": (facts["dtype"], plan.spec.dtype),
        "the derivatives": (facts["engine"].partition("; phase ")[0], plan.engine_use),
        "the number of threads": (facts["threads"], torch.get_num_threads()),
    }
    for what, (before, now) in before_and_now.items():
        if before != now:
            yield f"{what}: {printable(str(before))} before, {now} from here on"
