"""The run file: its layouts as tables, writing it, reading it."""

from laaf_cli.files.untrusted.hdf5 import Attribute
from laaf_cli.runfile.any_run_file import AnyRunFile, open_run, task_of
from laaf_cli.runfile.layout import (
    ATTRIBUTES,
    COMMON_ATTRIBUTES,
    FORMAT_VERSION,
    GROUP_ATTRIBUTES,
    LAYOUT,
    Entry,
)
from laaf_cli.runfile.read import RunFile, measured_with
from laaf_cli.runfile.record import (
    Checkpoint,
    ErrorAtTimes,
    EventSummary,
    GridFields,
    History,
    NetworkParameters,
    PhaseSummary,
    RunFileRecord,
    SpecSource,
)
from laaf_cli.runfile.write import RunRecord, write_run
