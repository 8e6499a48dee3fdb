"""The spec: YAML text → frozen models, with errors that point at the characters at fault."""

from laaf_cli.spec.load import LoadedSpec, Override, apply, load
from laaf_cli.spec.models import Condition, Data, Network, Phase, Recovery, Reference, RunSpec, Slopes
from laaf_cli.spec.source import KeyPath, Text, Value, read_text

__all__ = [
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
    "read_text",
]
