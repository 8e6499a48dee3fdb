"""Claims: one process at a time writes a run file and its checkpoints."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from laaf_cli.errors import UsageError
from laaf_cli.files.atomic import name_within, remove_leftovers

CHECKPOINTS = (".checkpoint", ".checkpoint.previous")
"""What follows the name of a run file in those of its checkpoints."""

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)
"""How a file system says that it has no locks."""


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Keeps other processes from claiming the same path, and removes what killed ones left there.

    The claim is a lock of the operating system on a hidden file beside the path. It ends with the
    process, however that ends; the file goes when the `with` does. Where the file system has no
    locks, nothing is kept from anybody.

    Raises UsageError where another process holds the claim, or the place cannot be written.
    """
    with contextlib.ExitStack() as held:
        try:
            target = path.resolve()  # two links to one file are one target
            target.parent.mkdir(parents=True, exist_ok=True)
            place = target.parent / f".{name_within(target.name)}.lock"
            held.enter_context(FileLock(place, timeout=0))
            held.callback(_remove, place, place.stat())
            remove_leftovers(target.parent, tuple(target.name + end for end in ("", *CHECKPOINTS)))
        except Timeout:
            raise UsageError(
                f"{path} is being written by another process; wait until it has ended, or name "
                "another path with `output`"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                why = error.strerror or error
                raise UsageError(f"{path} cannot be written: {why}") from None
        yield


def _remove(place: Path, ours: os.stat_result) -> None:
    """Removes a lock file while it is locked, unless somebody has put another in its place."""
    with contextlib.suppress(OSError):
        if os.path.samestat(ours, place.stat()):
            place.unlink()
