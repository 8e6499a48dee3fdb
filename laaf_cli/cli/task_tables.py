"""The tables of a task, for terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from laaf_cli.runs.task import TASKS, loaded
from laaf_cli.terminal.plain_table import PlainTable


@dataclass(frozen=True, kw_only=True)
class TaskTables:
    """How a task tells of its runs.

    Attributes:
        of_result: the closing tables of a run.
        of_overview: those of `laaf show`.
    """

    of_result: Callable[[Any], Iterator[PlainTable]]
    of_overview: Callable[[Any], Iterator[PlainTable]]


def tables_of(task: str) -> TaskTables:
    """Those of a task."""
    found: TaskTables = loaded(TASKS[task].tables)
    return found
