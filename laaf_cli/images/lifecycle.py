"""The row of images in the life of a run."""

from __future__ import annotations

from functools import partial

from laaf_cli.images import memory
from laaf_cli.images.plan import make_image_plan
from laaf_cli.images.resumption import ImageResumeOptions, resume
from laaf_cli.images.settings import ImageSettings
from laaf_cli.images.state import PastImageRun
from laaf_cli.images.train import execute
from laaf_cli.runs.lifecycle import Lifecycle
from laaf_cli.runs.resume.drift import inexact

LIFECYCLE = Lifecycle(
    settings=ImageSettings,
    make_plan=make_image_plan,
    planner=lambda text, options: partial(
        make_image_plan,
        text,
        folder=options.data_dir,
        download=options.download,
        progress=options.progress,
        known={},
    ),
    train=execute,
    read_past=PastImageRun.read,
    resume=resume,
    resume_options=ImageResumeOptions,
    inexact=inexact,
    consumers=memory.of_run,
    is_divided=False,
)
