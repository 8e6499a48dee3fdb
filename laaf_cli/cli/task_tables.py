"""The tables of a task, for terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from laaf_cli.runs.task import TASKS, loaded
from laaf_cli.spec import bundled
from laaf_cli.spec.source import read_text, read_yaml
from laaf_cli.terminal.plain_table import PlainTable


@dataclass(frozen=True, kw_only=True)
class TaskTables:
    """How a task prints its specs and runs.

    Attributes:
        bundled: more columns of the list of its bundled specs: by heading the cell of one, from
            its name and its plain values.
        of_result: the closing tables of a run.
        of_report: those of `laaf show`.
    """

    bundled: Mapping[str, Callable[[str, Mapping[str, Any]], str]]
    of_result: Callable[[Any], Iterator[PlainTable]]
    of_report: Callable[[Any], Iterator[PlainTable]]


def tables_of(task: str) -> TaskTables:
    """Those of a task."""
    tables: TaskTables = loaded(TASKS[task].tables)
    return tables


def bundled_table(task: str) -> PlainTable:
    """The bundled specs of a task."""
    columns = tables_of(task).bundled
    table = PlainTable(TASKS[task].bundled, "title", *columns)
    for name, path in bundled.paths(task).items():
        plain = read_yaml(read_text(path)).plain()
        title = str(plain.get("title", ""))
        table.add_texts(name, title, *(cell(name, plain) for cell in columns.values()))
    return table
