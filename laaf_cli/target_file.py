"""Files that are written: whether they can be, and writing them whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from laaf_cli.errors import UsageError

MIN_FREE_BYTES = 32_000_000


def check_target(path: Path, *, overwrite: bool) -> None:
    """Raises UsageError now for what would keep a file from being written after a long computation."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory; --output takes the path of a file")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not an ordinary file, and --output takes one")
        if path.exists() and not overwrite:
            raise UsageError(f"{path} is there already; --overwrite replaces it, --output names another")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent) as file:
            # Asking for the room finds a full disk and a spent quota alike.
            file.write(b"\0" * 1_000_000)
            file.flush()
        free = _free_bytes(path.parent)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    if free < MIN_FREE_BYTES:
        raise UsageError(f"{path.parent} has {free / 1e6:.0f} MB left; {MIN_FREE_BYTES / 1e6:.0f} MB may be needed")


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The path holds either what it held before or the whole new file, never less.

    Gives a path beside it to write to; when the `with` ends it takes the place of `path`, when it fails it is removed.

    Raises OSError where the place cannot be written.
    """
    path = path.resolve()  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".laaf-", suffix=".part", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        # mkstemp makes files that only their owner may read; ours are ordinary files.
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
