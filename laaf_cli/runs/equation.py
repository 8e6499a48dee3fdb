"""The row of equations in the life of a run."""

from __future__ import annotations

from functools import partial

from laaf_cli.runs import memory
from laaf_cli.runs.lifecycle import Lifecycle
from laaf_cli.runs.plan import make_plan
from laaf_cli.runs.resume.resumption import EquationResumeOptions, resume, rounded_otherwise
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.runs.settings import EquationSettings
from laaf_cli.runs.train import execute

LIFECYCLE = Lifecycle(
    settings=EquationSettings,
    make_plan=make_plan,
    planner=lambda text, options: partial(
        make_plan, text, allow_python=options.allow_python, cache=options.cache
    ),
    train=execute,
    read_past=PastRun.read,
    resume=resume,
    resume_options=EquationResumeOptions,
    inexact=rounded_otherwise,
    consumers=memory.of_run,
    is_divided=True,
)
