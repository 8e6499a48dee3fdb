"""The checkpoints of a running training, beside its file: the newest and the one before it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.errors import RunFileError
from laaf_cli.files.atomic import replacing
from laaf_cli.files.lock import CHECKPOINTS
from laaf_cli.runfile import AnyRunFile, RunFileRecord, write_run


@dataclass(frozen=True)
class CheckpointFiles:
    """`run.h5.checkpoint` and `run.h5.checkpoint.previous`: run files like any other, of a training
    that is running.

    The older one is there for a disk that loses the end of the newest when the power fails.
    """

    run: Path

    @property
    def newest(self) -> Path:
        """The path of the newest checkpoint."""
        return self.run.parent / f"{self.run.name}{CHECKPOINTS[0]}"

    @property
    def previous(self) -> Path:
        """The path of the checkpoint before the newest."""
        return self.run.parent / f"{self.run.name}{CHECKPOINTS[1]}"

    @classmethod
    def of(cls, path: Path) -> CheckpointFiles:
        """Those of a run, from the path of its file or of one of them."""
        name = path.name
        for ending in reversed(CHECKPOINTS):
            name = name.removesuffix(ending) or name
        return cls(path.parent / name)

    def save(self, record: RunFileRecord) -> None:
        """Writes the newest; the one that was the newest becomes the previous.

        Raises:
            OSError: it cannot.
        """
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

    def present(self) -> list[Path]:
        """Those that are there, the newest first."""
        return [path for path in (self.newest, self.previous) if path.exists()]

    def latest(self) -> ReadableCheckpoint:
        """What resuming begins from: the newest checkpoint that can be read, else the run file.

        The run file as well where a crash has kept the checkpoints of its own training from being
        removed.

        Raises:
            RunFileError: there are checkpoints and none can be read.
        """
        checkpoint = self.newest_readable()
        return (
            ReadableCheckpoint(self.run, "")
            if checkpoint is None or self._outlived(checkpoint.path)
            else checkpoint
        )

    def _outlived(self, checkpoint: Path) -> bool:
        """Whether the run file is of the same training as a checkpoint, and was written after
        it, from further on.
        """
        try:
            with (
                AnyRunFile(self.run, must_be_sealed=True) as run,
                AnyRunFile(checkpoint, must_be_sealed=True) as unfinished,
            ):
                return bool(
                    run.settings == unfinished.settings
                    and run.attributes["iterations"] > unfinished.attributes["iterations"]
                    and run.attributes["created"] >= unfinished.attributes["created"]
                )
        except RunFileError:
            return False

    def readable(self) -> Path | None:
        """The newest that can be read; None where there is no checkpoint.

        Raises:
            RunFileError: as `newest_readable` does.
        """
        checkpoint = self.newest_readable()
        return None if checkpoint is None else checkpoint.path

    def newest_readable(self) -> ReadableCheckpoint | None:
        """The newest that can be read, and what is wrong with a newer one; None where there is no
        checkpoint.

        Raises:
            RunFileError: there are some and none can be read.
        """
        damages: list[str] = []
        for path in self.present():
            try:
                with AnyRunFile(path, must_be_sealed=True):
                    return ReadableCheckpoint(path, damages[0] if damages else "")
            except RunFileError as error:
                damages.append(str(error))
        if damages:
            older = (
                f"Remove the checkpoint, and `load({str(self.run)!r}).resume()` resumes from the "
                "run file, which is older."
            )
            hint = (
                older
                if self.run.exists()
                else "No older state is kept; `solve(overwrite=True)` starts over."
            )
            raise RunFileError("\n".join([*damages, hint]))
        return None


@dataclass(frozen=True)
class ReadableCheckpoint:
    """A checkpoint that can be read."""

    path: Path
    damage: str
    """Why a newer one cannot be read, empty where it is missing."""
