"""The run file: its layouts as tables, writing it, reading it."""

from laaf_cli.runfile.image_layout import (
    IMAGE_ATTRIBUTES,
    IMAGE_COLUMNS,
    IMAGE_GROUP_ATTRIBUTES,
    IMAGE_LAYOUT,
    IMAGE_SLOPES,
)
from laaf_cli.runfile.image_read import ImageRunFile
from laaf_cli.runfile.image_record import ImageCheckpoint, ImageHistory, ImageNetwork, ImageRecord, SlopeSummary
from laaf_cli.runfile.layout import (
    ATTRIBUTES,
    COMMON_ATTRIBUTES,
    FORMAT_VERSION,
    GROUP_ATTRIBUTES,
    LAYOUT,
    Attribute,
    Entry,
)
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
from laaf_cli.runfile.sealed_run import COMMANDS, SealedRun, task_of
from laaf_cli.runfile.write import write_run

__all__ = [
    "ATTRIBUTES",
    "COMMANDS",
    "COMMON_ATTRIBUTES",
    "FORMAT_VERSION",
    "GROUP_ATTRIBUTES",
    "IMAGE_ATTRIBUTES",
    "IMAGE_COLUMNS",
    "IMAGE_GROUP_ATTRIBUTES",
    "IMAGE_LAYOUT",
    "IMAGE_SLOPES",
    "LAYOUT",
    "Attribute",
    "Checkpoint",
    "Entry",
    "ErrorAtTimes",
    "EventSummary",
    "GridFields",
    "History",
    "ImageCheckpoint",
    "ImageHistory",
    "ImageNetwork",
    "ImageRecord",
    "ImageRunFile",
    "NetworkParameters",
    "PhaseSummary",
    "RunFile",
    "RunRecord",
    "SealedRun",
    "SlopeSummary",
    "SpecSource",
    "task_of",
    "write_run",
]
