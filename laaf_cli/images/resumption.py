"""How a classification is gone on with: its plan made anew, what has changed since, and what is
no longer exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.images.data import ImageData, Progress
from laaf_cli.images.plan import ImagePlan, make_image_plan
from laaf_cli.images.state import PastImageRun
from laaf_cli.runs.resume.drift import (
    check_file,
    check_unchanged,
    inexact,
    is_bound,
    stored_overrides,
)
from laaf_cli.spec import Override, Text


@dataclass(frozen=True, kw_only=True)
class ImageWishes:
    """What is asked for besides going on.

    epochs: more of them. max_seconds: of further training. stored_spec: whether the spec as it is
    stored counts, whatever its file says now. folder: where data sets lie; None takes the default.
    download: whether what is missing of them is fetched.
    """

    epochs: int | None = None
    max_seconds: float | None = None
    device: str | None = None
    dtype: str | None = None
    stored_spec: bool = False
    folder: Path | None = None
    download: bool = True


@dataclass(frozen=True)
class ImageResumption:
    """A run to go on with, and how. inexact: sentences on what is no longer as without the
    break.
    """

    plan: ImagePlan
    past: PastImageRun
    inexact: tuple[str, ...]

    @property
    def retries(self) -> int:
        """A classification that diverges is not retried."""
        return 0


def resume(
    past: PastImageRun, wishes: ImageWishes, progress: Progress | None = None
) -> ImageResumption:
    """Plans how the run goes on.

    Raises UsageError where there is nothing left to do, SpecError with the differences where the
    spec or its images are no longer what the run was made from, RunFileError where the file
    contradicts itself, and DataSetError where the images cannot be had.
    """
    _check_there_is_more(past, wishes)
    bound = past.settings.get("max_seconds")
    if not is_bound(bound):
        raise RunFileError(f"spec/settings in {past.path} does not say how the seconds are meant")
    overrides = stored_overrides(past)
    known: dict[str, ImageData] = {}

    def planned(text: Text) -> ImagePlan:
        plan = make_image_plan(
            text,
            overrides,
            folder=wishes.folder,
            max_seconds=bound,
            # A run on a part of a data set goes on with that part; with the rest of it, it would be
            # another.
            download=wishes.download and not past.attributes["subset"],
            progress=progress,
            known=known,
        )
        known[plan.spec.images] = plan.data
        return plan

    before = planned(Text(past.source.path, past.source.yaml))
    check_unchanged(past, before, "this laaf reads the stored spec otherwise")
    if not wishes.stored_spec:
        check_file(past, planned)
    seconds = bound
    if wishes.max_seconds is not None:
        seconds = float(past.attributes["wall_time_s"]) + wishes.max_seconds
    elif past.stop_reason == "max-seconds":
        seconds = None
    changes = [
        Override.from_assignment(f"{key}={value}")
        for key, value in (("device", wishes.device), ("dtype", wishes.dtype))
        if value is not None
    ]
    if wishes.epochs:
        changes.append(Override.from_assignment(f"training.epochs={before.epochs + wishes.epochs}"))
    plan = before
    if changes or seconds != bound:
        plan = make_image_plan(
            before.text, [*overrides, *changes], max_seconds=seconds, known=known
        )
    told = tuple(inexact(past, plan))
    more = [f"{wishes.epochs} epochs more"] if wishes.epochs else []
    return ImageResumption(
        plan, replace(past, new_events=("; ".join(["resumed", *more, *told]),)), told
    )


def unfinished(plan: ImagePlan, past: PastImageRun) -> PastImageRun | None:
    """A training of this very plan that can be gone on with; None where it is of another."""
    if past.settings != plan.settings() or past.attributes["problem_hash"] != plan.hashes.problem:
        return None
    return replace(past, new_events=("; ".join(["resumed", *inexact(past, plan)]),))


def _check_there_is_more(past: PastImageRun, wishes: ImageWishes) -> None:
    if past.stop_reason == "diverged":
        raise UsageError(
            f"{past.path} diverged, and would again; laaf classify with a smaller "
            "--learning-rate trains anew"
        )
    if past.stop_reason == "completed" and not wishes.epochs:
        raise UsageError(
            f"{past.path} is finished, after epoch {past.attributes['epochs']}; --epochs N "
            "trains it further by as many"
        )
    if past.stop_reason == "max-seconds" and not wishes.epochs and wishes.max_seconds is None:
        raise UsageError(
            f"{past.path} ended at its bound of {past.settings.get('max_seconds')} seconds; "
            "--max-seconds X trains it X seconds further, --epochs N so many epochs more"
        )
