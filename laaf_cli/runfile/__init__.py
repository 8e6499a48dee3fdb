"""The run file: its layout as a table, writing it, reading it."""

from laaf_cli.runfile.layout import ATTRIBUTES, FORMAT_VERSION, GROUP_ATTRIBUTES, LAYOUT, Attribute, Entry
from laaf_cli.runfile.read import RunFile
from laaf_cli.runfile.record import (
    Checkpoint,
    ErrorAtTimes,
    EventSummary,
    GridFields,
    History,
    NetworkParameters,
    PhaseSummary,
    RunRecord,
    SpecSource,
)
from laaf_cli.runfile.write import write_run

__all__ = [
    "ATTRIBUTES",
    "FORMAT_VERSION",
    "GROUP_ATTRIBUTES",
    "LAYOUT",
    "Attribute",
    "Checkpoint",
    "Entry",
    "ErrorAtTimes",
    "EventSummary",
    "GridFields",
    "History",
    "NetworkParameters",
    "PhaseSummary",
    "RunFile",
    "RunRecord",
    "SpecSource",
    "write_run",
]
