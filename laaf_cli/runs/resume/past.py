"""What is read of a run that is resumed, whatever its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from laaf_cli.errors import RunFileError
from laaf_cli.runfile import AnyRunFile, EventSummary, SpecSource
from laaf_cli.training import Event

UNFINISHED = ("interrupted", "running")
"""Stop reasons of runs that nothing but an accident, or Ctrl-C, has ended."""


@dataclass(frozen=True, kw_only=True)
class AnyPastRun:
    """What is read of a run, checked for what can be checked without its plan."""

    path: Path
    attributes: Mapping[str, Any]
    """The attributes of the file."""
    settings: Mapping[str, Any]
    """The resolved settings."""
    source: SpecSource
    events: Sequence[EventSummary]
    checkpoint: Any
    """What resuming takes besides the network and the history, as its task has it."""
    new_events: tuple[str, ...] = ()
    """What resuming adds to its events."""

    @property
    def iterations(self) -> int:
        """The iteration of the checkpoint, counted over all phases."""
        return int(self.checkpoint.attributes["iteration"])

    @property
    def stop_reason(self) -> str:
        """Why the training ended, as the file has it."""
        return str(self.attributes["stop_reason"])

    def all_events(self) -> list[Event]:
        """Those of the file, and the new ones at its iteration."""
        before = [Event(event.iteration, event.what) for event in self.events]
        return [*before, *(Event(self.iterations, what) for what in self.new_events)]

    def mismatch(self, what: str) -> RunFileError:
        """The error of a run that cannot be resumed, to be raised; `what` says why."""
        return RunFileError(f"{self.path} cannot be resumed: {what}")


def shared_parts(run: AnyRunFile) -> dict[str, Any]:
    """What is read alike of the runs of all tasks, but for the checkpoint."""
    return {
        "path": run.path,
        "attributes": run.attributes,
        "settings": run.settings,
        "source": run.source(),
        "events": run.events(),
    }
