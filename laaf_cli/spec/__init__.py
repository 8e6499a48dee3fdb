"""The spec: YAML text → frozen models, with errors that point at the characters at fault."""

from laaf_cli.spec.load import LoadedSpec, Override, apply, load, load_as, task_of_spec
from laaf_cli.spec.models import (
    AnySpec,
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
