"""The JSON Schema of specs of all tasks, with the names that their tables have."""

from __future__ import annotations

from laaf_cli.runs.task import TASKS, loaded
from laaf_cli.spec.schema import Schema

EDITORS = "http://json-schema.org/draft-07/schema#"
"""The draft that editors know; of later ones VS Code says that it does not fully support them."""


def spec_schema() -> Schema:
    """What a spec may hold: that of the first task, unless it has keys of another alone."""
    first, *others = TASKS.values()
    schema: Schema = loaded(first.written).schema()
    for task in others:
        task_schema = loaded(task.written).schema()
        schema = {
            # Repeated, so that editors offer them in a spec that names nothing yet.
            "properties": {
                key: {"description": task_schema["properties"][key]["description"]}
                for key in task.keys
            },
            "if": {
                "required": [*task.keys],
                "not": {"anyOf": [{"required": [key]} for key in first.keys]},
            },
            "then": task_schema,
            "else": schema,
        }
    return {"$schema": EDITORS, "$id": "urn:laaf:spec", "title": "A spec of laaf", **schema}
