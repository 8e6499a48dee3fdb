"""The spec: YAML text → frozen models, with errors that point at the characters at fault."""

from laaf_cli.spec.load import LoadedSpec, Override, apply, load, load_as, task_of_spec
from laaf_cli.spec.models import (
    AnySpec,
    BalanceSpec,
    ConditionSpec,
    DataSpec,
    FieldSpec,
    LearnedSpec,
    NetworkSpec,
    PhaseSpec,
    PointsSpec,
    RecoverySpec,
    ReferenceSpec,
    ResampleSpec,
    RunSpec,
    SlopesSpec,
)
from laaf_cli.spec.source import MAX_FAULTS, KeyPath, Text, Value, read_text
