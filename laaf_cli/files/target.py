"""The check of a file that is to be written, before the computation that it is to hold."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.errors import UsageError
from laaf_cli.files.lock import CHECKPOINTS

MIN_FREE_BYTES = 32_000_000


@dataclass(frozen=True)
class FileKind:
    """Files that only their own kind replaces: their name, and what is in their first bytes."""

    name: str
    mark: bytes

    def check_replaced(self, path: Path) -> None:
        """Raises UsageError where a file is there that is neither of this kind nor empty."""
        if not path.is_file():
            return
        try:
            with path.open("rb") as file:
                head = file.read(512)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
        if head and self.mark not in head:
            raise UsageError(
                f"{path} is there and not {self.name}, so it is not replaced; name another path"
            )


def check_target(
    path: Path,
    *,
    overwrite: bool,
    setting: str = "output",
    kind: FileKind | None = None,
    min_free_bytes: int = MIN_FREE_BYTES,
) -> None:
    """Checks before a long computation that a file can be written after it.

    Args:
        setting: the one that names another place.
        kind: of what is to be written, where it replaces nothing else.

    Raises:
        UsageError: it cannot.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory; `{setting}` takes the path of a file")
        if path.name.endswith(CHECKPOINTS):
            raise UsageError(
                f"{path} would be taken for a checkpoint; `{setting}` takes another name"
            )
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not an ordinary file, and `{setting}` takes one")
        if kind is not None:
            kind.check_replaced(path)
        if path.exists() and not overwrite:
            raise UsageError(
                f"{path} already exists; `overwrite` replaces it, `{setting}` sets another path"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent) as file:
            # Asking for the room finds a full disk and a spent quota alike.
            file.write(b"\0" * 1_000_000)
            file.flush()
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        why = error.strerror or error
        raise UsageError(
            f"{path} cannot be written: {why}; `{setting}` names another place"
        ) from None
    if free < min_free_bytes:
        left = f"{free / 1e6:.0f} MB left, and {min_free_bytes / 1e6:.0f} MB may be needed"
        raise UsageError(f"{path.parent} has {left}; `{setting}` names another place")
