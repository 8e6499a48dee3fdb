"""Atomic writing: a path holds either its old content or the whole new file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

MAX_NAME_BYTES = 200
"""The longest name that is put into the name of another file; file systems take 255 bytes."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The path holds either what it held before or the whole new file, even after a power cut.

    Gives a path beside it to write to; when the `with` ends it takes the place of `path`, when it
    fails it is removed.

    Raises OSError where the place cannot be written.
    """
    path = path.resolve()  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{name_within(path.name)}-{secrets.token_hex(4)}.part")
    part.touch(exist_ok=False)
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(path)
        part.unlink(missing_ok=True)  # where both are links to one file, renaming leaves both
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    # Makes the names in a folder last through a power cut, where the file system can.
    with contextlib.suppress(OSError):
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_leftovers(folder: Path, written: tuple[str, ...]) -> None:
    """Removes what killed processes left on the way to the files of these names, and no others."""
    names = "|".join(re.escape(name_within(name)) for name in written)
    leftover = re.compile(rf"\.({names})-[0-9a-f]{{8}}\.part")
    with contextlib.suppress(OSError):  # a folder may be one to write in and not to list
        for path in folder.iterdir():
            if leftover.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)


def name_within(name: str) -> str:
    """The name as part of the name of another file: itself, or its digest where it is long."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= MAX_NAME_BYTES else hashlib.sha256(encoded).hexdigest()
