"""The spec: YAML text → frozen models, with errors that point at the characters at fault."""

from laaf_cli.spec.load import LoadedSpec, Override, apply, is_of_images, load, load_as
from laaf_cli.spec.models import (
    Balance,
    Condition,
    Data,
    Learned,
    Network,
    Phase,
    Points,
    Recovery,
    Reference,
    Resample,
    RunSpec,
    Slopes,
)
from laaf_cli.spec.source import MAX_FAULTS, KeyPath, Text, Value, read_text

__all__ = [
    "MAX_FAULTS",
    "Balance",
    "Condition",
    "Data",
    "KeyPath",
    "Learned",
    "LoadedSpec",
    "Network",
    "Override",
    "Phase",
    "Points",
    "Recovery",
    "Reference",
    "Resample",
    "RunSpec",
    "Slopes",
    "Text",
    "Value",
    "apply",
    "is_of_images",
    "load",
    "load_as",
    "read_text",
]
