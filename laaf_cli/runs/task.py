"""The tasks of laaf, one row each. A row names its parts by dotted path and loads them on use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from laaf_cli.metrics import Measure


@dataclass(frozen=True, kw_only=True)
class Task:
    """What networks are trained for."""

    name: str
    """The attribute `task` of its run files."""
    command: str
    """What trains one run, as messages say it."""
    run: str
    """The words for one of its runs."""
    keys: tuple[str, ...]
    """A spec that has one of these is of this task; where a spec has keys of several tasks, the
    first row counts.
    """
    misplaced: str
    """What is wrong with such a spec where one of another task is expected."""
    folders: tuple[str, ...]
    """The folders of its bundled specs below `problems`; those of the first are named without it.
    """
    bundled: str
    """What its bundled specs are called."""
    length: str
    """The setting that says how long is trained, which is also its unit."""
    trained_for: str
    """What precedes the length in a message."""
    measure: Measure
    """The error by which runs are compared."""
    problem_settings: tuple[str, ...]
    """The sections of the settings that make a problem."""
    written: str
    """`module:NAME` of the `spec.schema.Written` of its specs, as are the other parts below."""
    lifecycle: str
    """Its `runs.lifecycle.Lifecycle`."""
    run_file: str
    """The class that reads its run files."""
    report: str
    """The class of the report on a run file."""
    page: str
    """The function that makes the page of a run file, as `report.page.document.Page`."""
    summary: str
    """The function that reads what comparing needs of a run file."""
    figures: str
    """The `report.figures.kinds.Figures` of its runs."""
    result: str
    """The class of the results at the end of a run."""
    tables: str
    """The `cli.task_tables.TaskTables` of its specs and runs."""
    artefacts: str
    """The tables and figures of the paper that it makes, as `paper.Artefact`."""


TASKS = {
    task.name: task
    for task in (
        Task(
            name="equation",
            command="`solve()`",
            run="a run of an equation",
            keys=("equations", "coordinates", "unknowns"),
            misplaced="this spec is of an equation, and names no images",
            folders=("", "paper", "pinnacle"),
            bundled="problem",
            length="iterations",
            trained_for="an equation is trained for",
            measure=Measure("relative L2 error", "relative L2", is_share=False),
            problem_settings=(
                *("coordinates", "unknowns", "constants", "learn", "functions", "periodic"),
                *("equations", "conditions", "data"),
            ),
            written="laaf_cli.runs.plan:WRITTEN",
            lifecycle="laaf_cli.runs.equation:LIFECYCLE",
            run_file="laaf_cli.runfile.read:RunFile",
            report="laaf_cli.report.run_report:RunReport",
            page="laaf_cli.report.page.run_page:make_page",
            summary="laaf_cli.report.comparison_entry:of_equation",
            figures="laaf_cli.report.figures.kinds:FIGURES",
            result="laaf_cli.runs.record:SolveResult",
            tables="laaf_cli.cli.run_report_tables:TABLES",
            artefacts="laaf_cli.paper.equation_artefacts:ARTEFACTS",
        ),
        Task(
            name="images",
            command="`classify()`",
            run="a run over images",
            keys=("images",),
            misplaced="this spec names images to classify, and no equation",
            folders=("images",),
            bundled="data set",
            length="epochs",
            trained_for="images are trained on for",
            measure=Measure("test error", "test error", is_share=True),
            problem_settings=("images",),
            written="laaf_cli.images.plan:WRITTEN",
            lifecycle="laaf_cli.images.lifecycle:LIFECYCLE",
            run_file="laaf_cli.images.runfile.read:ImageRunFile",
            report="laaf_cli.images.report.run_report:ImageRunReport",
            page="laaf_cli.images.report.page:make_page",
            summary="laaf_cli.images.report.comparison_entry:of_images",
            figures="laaf_cli.images.report.figures:FIGURES",
            result="laaf_cli.images.record:ClassifyResult",
            tables="laaf_cli.images.cli.tables:TABLES",
            artefacts="laaf_cli.paper.images.artefact:ARTEFACTS",
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
    tasks = (task for task in TASKS.values() if not spec.keys().isdisjoint(task.keys))
    return next(tasks, next(iter(TASKS.values())))
