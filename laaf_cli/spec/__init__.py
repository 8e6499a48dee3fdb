"""The spec: YAML text → frozen models, with errors that point at the characters at fault."""

from laaf_cli.spec.load import LoadedSpec, Override, apply, load
from laaf_cli.spec.models import Condition, Data, Network, Phase, Recovery, Reference, RunSpec, Slopes
from laaf_cli.spec.source import MAX_FAULTS, KeyPath, Text, Value, printable, read_text, shown

__all__ = [
    "MAX_FAULTS",
    "Condition",
    "Data",
    "KeyPath",
    "LoadedSpec",
    "Network",
    "Override",
    "Phase",
    "Recovery",
    "Reference",
    "RunSpec",
    "Slopes",
    "Text",
    "Value",
    "apply",
    "load",
    "printable",
    "read_text",
    "shown",
]
