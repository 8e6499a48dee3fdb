"""The tasks of laaf, one row each. A row names its parts by dotted path and loads them on use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from laaf_cli.metrics import Measure


@dataclass(frozen=True, kw_only=True)
class Task:
    """What networks are trained for.

    Attributes:
        name: the attribute `task` of its run files.
        command: what trains one run, as messages say it.
        keys: a spec that has one of these is of this task; where a spec has keys of several
            tasks, the first row counts.
        misplaced: what is wrong with such a spec where one of another task is expected.
        measure: the error by which runs are compared.
        lifecycle: `module:NAME` of its `runs.lifecycle.Lifecycle`.
        run_file: `module:NAME` of the class that reads its run files.
    """

    name: str
    command: str
    keys: tuple[str, ...]
    misplaced: str
    measure: Measure
    lifecycle: str
    run_file: str


TASKS = {
    task.name: task
    for task in (
        Task(
            name="equation",
            command="`solve()`",
            keys=("equations", "coordinates", "unknowns"),
            misplaced="this spec is of an equation, and names no images",
            measure=Measure("relative L2 error", "relative L2", is_share=False),
            lifecycle="laaf_cli.runs.equation:LIFECYCLE",
            run_file="laaf_cli.runfile.read:RunFile",
        ),
        Task(
            name="images",
            command="`classify()`",
            keys=("images",),
            misplaced="this spec names images to classify, and no equation",
            measure=Measure("test error", "test error", is_share=True),
            lifecycle="laaf_cli.images.lifecycle:LIFECYCLE",
            run_file="laaf_cli.images.runfile.read:ImageRunFile",
        ),
    )
}
"""By name. A spec without any key of a task is taken for one of the first."""


def loaded(path: str) -> Any:
    """The object at a dotted path, `module:NAME`."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def task_of_keys(spec: Mapping[Any, Any]) -> Task:
    """The task of a spec, from its keys."""
    found = (task for task in TASKS.values() if not spec.keys().isdisjoint(task.keys))
    return next(found, next(iter(TASKS.values())))
