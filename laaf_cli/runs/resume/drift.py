"""What has changed since a run was made: its spec, its data, the machine, the versions."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from laaf_cli import __version__, processes
from laaf_cli.errors import Fault, RunFileError, SpecError
from laaf_cli.runs.planned import AnyPlan
from laaf_cli.runs.resume.past import AnyPastRun
from laaf_cli.spec import Override, Text, read_text
from laaf_cli.text import printable

MAX_SHOWN = 200
"""The most characters of a value that is shown."""

MAX_DIFFERENCES = 20
"""The most differences that are shown."""


def stored_overrides(past: AnyPastRun) -> list[Override]:
    """What the command line put into the spec of a run.

    Raises:
        RunFileError: it is no such thing.
    """
    try:
        return [Override.from_assignment(f"{path}={text}") for path, text in past.source.overrides]
    except SpecError:
        raise RunFileError(f"spec/overrides in {past.path} is not what it should be") from None


def is_bound(seconds: Any) -> bool:
    """Whether this is a bound on seconds, or none."""
    return seconds is None or (
        isinstance(seconds, float | int) and 0 <= seconds < sys.float_info.max
    )


def check_file(past: AnyPastRun, make: Callable[[Text], AnyPlan]) -> None:
    """Compares the spec's file as it is now, where it is still there.

    Args:
        make: plans a text as the run was planned.

    Raises:
        SpecError: with the differences.
    """
    path = past.source.path
    if not os.path.isfile(path):  # noqa: PTH113 - Path raises where an untrusted name is too long
        return
    text = read_text(Path(path))
    if text.content != past.source.yaml:
        what = f"{printable(path)} has changed since {past.path} was made from it"
        try:
            now = make(text)
        except SpecError:
            # Without its lines: an untrusted run file may name any file, and have them shown.
            raise SpecError(
                [Fault(f"{what}, and is no longer a valid spec", hint=_hint(past))]
            ) from None
        check_unchanged(past, now, what)


def check_unchanged(past: AnyPastRun, plan: AnyPlan, what: str) -> None:
    """Raises SpecError where a plan is another than that of the run."""
    differences = list(_differences("", dict(past.settings), plan.settings()))
    if differences:
        lines = [f"  {line}" for line in differences[:MAX_DIFFERENCES]]
        lines += [f"  and {len(differences) - MAX_DIFFERENCES} more"] * (
            len(differences) > MAX_DIFFERENCES
        )
        raise SpecError([Fault("\n".join([what, *lines]), hint=_hint(past))])
    if plan.hashes.problem != past.attributes["problem_hash"]:
        raise SpecError([Fault("the data that the spec names have changed since", hint=_ANEW)])


_ANEW = "Undo the change, or start over."


def _hint(past: AnyPastRun) -> str:
    resume = f"`load({str(past.path)!r}).resume(stored_spec=True)`"
    return f"{_ANEW[:-1]}, or resume with the spec as it was: {resume}"


EMPTY: tuple[Any, ...] = ({}, [], "")
"""What a key that an older run file lacks may be by default without changing anything."""


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    """What differs between two settings, as `training.0.iterations: 2000 → 4000`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(f"{path}.{key}".lstrip("."), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}.{i}", before, after)
    elif old != new and not (old is None and new in EMPTY):
        yield printable(f"{path}: {_shown(old)} → {_shown(new)}")


def _shown(value: Any) -> str:
    text = (
        "absent"
        if value is None
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def inexact(past: AnyPastRun, plan: AnyPlan) -> Iterator[str]:
    """What is other than before, so that numbers are rounded otherwise from here on."""
    facts = past.attributes
    before_and_now = {
        "laaf": (facts["laaf_version"], __version__),
        "torch": (facts["torch_version"], version("torch")),
        "NumPy": (facts["numpy_version"], version("numpy")),
        "SciPy": (facts["scipy_version"], version("scipy")),
        "device": (facts["device"], plan.device.type),
        "precision": (facts["dtype"], plan.settings()["dtype"]),
        "number of threads": (facts["threads"], torch.get_num_threads()),
        "number of processes": (facts["processes"], processes.count()),
    }
    for what, (before, now) in before_and_now.items():
        if before != now:
            yield f"{what} {printable(str(before))} → {now}"
