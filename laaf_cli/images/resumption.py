"""How a classification is resumed: its plan made again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.images.data import Progress
from laaf_cli.images.plan import ImagePlan, make_image_plan
from laaf_cli.images.state import PastImageRun
from laaf_cli.runs.resume.drift import inexact, is_bound
from laaf_cli.runs.resume.replan import (
    Extension,
    ResumeOptions,
    Resumption,
    check_there_is_more,
    gone_on_with,
    replan,
)


@dataclass(frozen=True, kw_only=True)
class ImageResumeOptions(ResumeOptions):
    """What is asked for besides resuming.

    Attributes:
        epochs: more of them.
        data_dir: where data sets lie; None takes the default.
        download: whether what is missing of them is fetched.
        progress: called with downloads.
    """

    epochs: int | None = None
    data_dir: Path | None = None
    download: bool = True
    progress: Progress | None = None


def resume(past: PastImageRun, options: ImageResumeOptions) -> Resumption[ImagePlan, PastImageRun]:
    """Plans how the run is resumed; a classification that diverged is not retried.

    Raises UsageError where there is nothing left to do, SpecError with the differences where the
    spec or its images are no longer what the run was made from, RunFileError where the file
    contradicts itself, and DataSetError where the images cannot be had.
    """
    if past.stop_reason == "diverged":
        raise UsageError(
            f"{past.path} diverged, and would again; `classify()` with a smaller "
            "`learning_rate` starts over"
        )
    more = Extension(
        amount=options.epochs, unit="epochs", reached=f"epoch {past.attributes['epochs']}"
    )
    check_there_is_more(past, options, more)
    if not is_bound(past.settings.get("max_seconds")):
        raise RunFileError(f"spec/settings in {past.path} does not say how the seconds are meant")
    make = partial(
        make_image_plan,
        folder=options.data_dir,
        download=options.download,
        progress=options.progress,
        known={},
    )

    def lengthened(before: ImagePlan) -> list[str]:
        return [f"training.epochs={before.epochs + options.epochs}"] if options.epochs else []

    plan = replan(past, options, make, lengthened)
    rounded = tuple(inexact(past, plan))
    longer = [f"{options.epochs} epochs more"] if options.epochs else []
    return Resumption(
        plan=plan, past=gone_on_with(past, "resumed", *longer, *rounded), inexact=rounded
    )
