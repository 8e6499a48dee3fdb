"""The checkpoints of a run that goes on, beside its file: the newest and the one before it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.errors import RunFileError
from laaf_cli.runfile import RunFile, RunRecord, write_run
from laaf_cli.target_file import CHECKPOINTS, replacing


@dataclass(frozen=True)
class CheckpointFiles:
    """`run.h5.checkpoint` and `run.h5.checkpoint.previous`: run files like any other, of a training that goes on.

    The older one is there for a disk that loses the end of the newest when the power fails.
    """

    run: Path

    @property
    def newest(self) -> Path:
        return self.run.with_name(self.run.name + CHECKPOINTS[0])

    @property
    def previous(self) -> Path:
        return self.run.with_name(self.run.name + CHECKPOINTS[1])

    @classmethod
    def of(cls, path: Path) -> CheckpointFiles:
        """Those of a run, from the path of its file or of one of them."""
        name = path.name
        for ending in reversed(CHECKPOINTS):
            name = name.removesuffix(ending)
        return cls(path.with_name(name))

    def save(self, record: RunRecord) -> None:
        """Writes the newest; the one that was the newest becomes the previous. Raises OSError where it cannot."""
        if self.newest.exists():
            try:
                with replacing(self.previous) as part:
                    part.unlink()
                    os.link(self.newest, part)
            except OSError:  # a file system without links: for a moment there is no newest
                self.newest.replace(self.previous)
        write_run(self.newest, record)

    def remove(self) -> None:
        """Once the run file is written."""
        for path in (self.newest, self.previous):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def readable(self) -> Path | None:
        """The newest that can be read; None where there is no checkpoint.

        Raises RunFileError, of the newest, where there are some and none can be read.
        """
        unreadable: RunFileError | None = None
        for path in (self.newest, self.previous):
            if not path.exists():
                continue
            try:
                with RunFile(path):
                    return path
            except RunFileError as error:
                unreadable = unreadable or error
        if unreadable is not None:
            raise unreadable
        return None
