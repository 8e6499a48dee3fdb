"""The JSON Schema of specs, with the names that the tables of equations and of images have."""

from __future__ import annotations

from laaf_cli.images.data import DATASETS
from laaf_cli.images.models.table import MODELS
from laaf_cli.images.spec import ImageSpec
from laaf_cli.problem import SAMPLER_CHOICES
from laaf_cli.runs.plan import CHOICES
from laaf_cli.runs.task import TASKS
from laaf_cli.spec import KeyPath, RunSpec
from laaf_cli.spec.schema import Schema, written_schema

EDITORS = "http://json-schema.org/draft-07/schema#"
"""The draft that editors know; of later ones VS Code says that it does not fully support them."""

IMAGE_CHOICES: dict[KeyPath, tuple[str, ...]] = {
    ("images",): tuple(DATASETS),
    ("model", "kind"): tuple(MODELS),
}
"""Keys of a spec of images whose values are the names of rows in the tables of other packages."""

OR_FILE: dict[KeyPath, Schema] = {("images",): {"type": "string", "pattern": r"\.[nN][pP][zZ]"}}
"""Keys that take a file beside the names of a table."""


def spec_schema() -> Schema:
    """What may stand in a spec of either kind."""
    images = written_schema(ImageSpec, IMAGE_CHOICES, OR_FILE)
    return {
        "$schema": EDITORS,
        "$id": "urn:laaf:spec",
        "title": "A spec of laaf",
        # Told once more, so that editors offer it in a spec that names nothing yet.
        "properties": {"images": {"description": images["properties"]["images"]["description"]}},
        "if": {
            "required": ["images"],
            "not": {"anyOf": [{"required": [key]} for key in TASKS[RunSpec.task].keys]},
        },
        "then": images,
        "else": written_schema(RunSpec, {**SAMPLER_CHOICES, **CHOICES}),
    }
