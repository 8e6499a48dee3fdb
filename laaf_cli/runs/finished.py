"""A run of any task that has ended: what is told of it, and writing it."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from laaf_cli.errors import UsageError
from laaf_cli.metrics import Measure
from laaf_cli.runfile import EventSummary, Record, write_run


class Told(Protocol):
    """What every summary of a run tells."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def seed(self) -> int: ...
    @property
    def stop_reason(self) -> str: ...
    @property
    def stop_detail(self) -> str: ...
    @property
    def iterations(self) -> int: ...
    @property
    def wall_time_s(self) -> float: ...
    @property
    def events(self) -> list[EventSummary]: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def path(self) -> str: ...
    @property
    def error(self) -> float:
        """The number by which runs are compared: NaN where it is not known."""
        ...

    @property
    def measure(self) -> Measure:
        """What that number is, and how it is told."""
        ...

    @property
    def why_unknown(self) -> str:
        """Why it is not known, empty where it is."""
        ...

    def as_json(self) -> dict[str, Any]: ...


SummaryType = TypeVar("SummaryType", bound=Told, covariant=True)


@dataclass(frozen=True)
class FinishedRun(Generic[SummaryType]):
    """A run that has ended, in whatever way, and is not written yet."""

    record: Record
    summary: SummaryType

    def save(self, path: Path) -> FinishedRun[SummaryType]:
        """Writes the run file; where `path` cannot be, saves it elsewhere and raises UsageError
        naming the place.
        """
        try:
            write_run(path, self.record)
        except OSError as error:
            reason = error.strerror or str(error)
            for find_folder in (Path.cwd, tempfile.gettempdir):
                # in a folder that was deleted, finding fails too
                with contextlib.suppress(OSError):
                    other = (
                        Path(find_folder())
                        / f"{path.stem[:80]}-{datetime.now(UTC):%Y%m%dT%H%M%S}.h5"
                    )
                    write_run(other, self.record)
                    raise UsageError(
                        f"{path} cannot be written: {reason}\nThe run is saved in {other}; "
                        f"`load({str(other)!r})` shows it."
                    ) from None
            raise UsageError(
                f"{path} cannot be written: {reason}\nNo other place could be written either."
            ) from None
        return replace(self, summary=replace(self.summary, path=str(path)))
