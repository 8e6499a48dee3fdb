"""Files that are written: whether they can be, by one process at a time, and whole or not at
all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from laaf_cli.errors import UsageError

if sys.platform != "win32":
    import fcntl

MIN_FREE_BYTES = 32_000_000

CHECKPOINTS = (".checkpoint", ".checkpoint.previous")
"""What follows the name of a run file in those of its checkpoints."""

MAX_ATTEMPTS = 100
"""A lock file is removed by its holder; so often in a row, just while it is being locked, it is
not.
"""

MAX_NAME_BYTES = 200
"""The longest name that stands within the name of another file; file systems take 255 bytes."""


def check_target(path: Path, *, overwrite: bool, option: str = "--output") -> None:
    """Raises UsageError now for what would keep a file from being written after a long computation.

    option: the one that names another place.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory; --output takes the path of a file")
        if path.name.endswith(CHECKPOINTS):
            raise UsageError(f"{path} would be taken for a checkpoint; --output takes another name")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not an ordinary file, and --output takes one")
        if path.exists() and not overwrite:
            raise UsageError(
                f"{path} is there already; --overwrite replaces it, --output names another"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent) as file:
            # Asking for the room finds a full disk and a spent quota alike.
            file.write(b"\0" * 1_000_000)
            file.flush()
        free = _free_bytes(path.parent)
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"{path} cannot be written: {why}; {option} names another place") from None
    if free < MIN_FREE_BYTES:
        left = f"{free / 1e6:.0f} MB left, and {MIN_FREE_BYTES / 1e6:.0f} MB may be needed"
        raise UsageError(f"{path.parent} has {left}; {option} names another place")


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Keeps every other process from claiming the same path, and removes what killed ones have left
    on the way to it.

    The claim is a lock of the operating system on a hidden file beside the path. It ends with the
    process, however that ends; the file goes when the `with` does. Where the file system has no
    locks, nothing is kept from anybody.

    Raises UsageError where another process holds the claim, and names it, or where the place cannot
    be written.
    """
    try:
        target = path.resolve()  # two links to one file are one target
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.parent / f".{_name_within(target.name)}.lock"
        handle = _locked(lock, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    try:
        if handle is not None:
            _remove_leftovers(target)
        yield
    finally:
        if handle is not None:
            # Before the lock is freed: whoever gets it next sees that the file is no longer there.
            if _is_at(handle, lock):
                with contextlib.suppress(OSError):
                    lock.unlink()
            os.close(handle)


def _locked(lock: Path, path: Path) -> int | None:
    """The open file whose lock we hold from now on; None where there are no locks.

    Raises UsageError where another process holds it.
    """
    for _ in range(MAX_ATTEMPTS):
        handle = _opened(lock)
        with contextlib.ExitStack() as open_file:
            open_file.callback(os.close, handle)
            if not _lock(handle, path):
                if not os.fstat(handle).st_size:  # else it bears the name of a holder
                    lock.unlink(missing_ok=True)
                return None
            # Between our opening and locking it its holder may have removed it: others would lock a
            # new one.
            if _is_at(handle, lock):
                _sign(handle)
                open_file.pop_all()
                return handle
    return None


def _opened(lock: Path) -> int:
    follow_no_link = getattr(
        os, "O_NOFOLLOW", 0
    )  # the file that a stranger's link leads to would be overwritten
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | follow_no_link, 0o666)
    except PermissionError:
        with contextlib.suppress(FileNotFoundError):
            return os.open(
                lock, os.O_RDONLY | follow_no_link
            )  # another user's, who can be waited for all the same
        raise


def _lock(handle: int, path: Path) -> bool:
    """Whether the lock of a file could be taken, which it cannot where there are no locks."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 400, 0).decode(errors="replace").rstrip("\n")
        if not re.fullmatch(r"process \d+ on [\w.-]+", holder):
            holder = "another process"
        raise UsageError(
            f"{path} is being written by {holder}; wait until it has ended, or name another "
            "path with --output"
        ) from None
    except OSError:
        return False
    return True


def _sign(handle: int) -> None:
    """Writes who holds the lock into its file, where that can be done: the lock holds without."""
    with contextlib.suppress(OSError):
        os.truncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file is the one that lies there now."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _remove_leftovers(path: Path) -> None:
    """Removes the files that `replacing` makes on the way to a run file and its checkpoints, and
    no others.
    """
    names = "|".join(re.escape(_name_within(path.name + ending)) for ending in ("", *CHECKPOINTS))
    leftover = re.compile(rf"\.({names})-[0-9a-f]{{8}}\.part")
    with contextlib.suppress(OSError):  # a folder may be one to write in and not to list
        for found in path.parent.iterdir():
            if leftover.fullmatch(found.name) and found.is_file():
                found.unlink(missing_ok=True)


def _name_within(name: str) -> str:
    """The name as part of the name of another file: itself, or its digest where it is long."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= MAX_NAME_BYTES else hashlib.sha256(encoded).hexdigest()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The path holds either what it held before or the whole new file, never less, not even after a
    power cut.

    Gives a path beside it to write to; when the `with` ends it takes the place of `path`, when it
    fails it is removed.

    Raises OSError where the place cannot be written.
    """
    path = path.resolve()  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{_name_within(path.name)}-{secrets.token_hex(4)}.part")
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
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Makes the names in a folder last through a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
