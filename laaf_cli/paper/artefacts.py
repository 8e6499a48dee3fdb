"""The tables and figures of the paper, of all tasks."""

from __future__ import annotations

from typing import Any

from laaf_cli.paper.artefact import Artefact
from laaf_cli.runs.task import TASKS, loaded

ARTEFACTS: dict[str, Artefact[Any]] = {
    artefact.name: artefact for task in TASKS.values() for artefact in loaded(task.artefacts)
}
"""By name."""
