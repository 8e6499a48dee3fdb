"""The JSON Schema of specs, with the names that the tables of equations and of images have."""

from __future__ import annotations

from laaf_cli.images.data import DATASETS
from laaf_cli.images.models.table import MODELS
from laaf_cli.problem import SAMPLER_CHOICES
from laaf_cli.runs.plan import CHOICES
from laaf_cli.spec import KeyPath
from laaf_cli.spec.schema import Schema, written_schema

IMAGE_CHOICES: dict[KeyPath, tuple[str, ...]] = {
    ("images",): tuple(DATASETS),
    ("model", "kind"): tuple(MODELS),
}
"""Keys of a spec of images whose values are the names of rows in the tables of other packages."""


def spec_schema() -> Schema:
    """What may stand in a spec of either kind."""
    return written_schema({**SAMPLER_CHOICES, **CHOICES}, IMAGE_CHOICES)
