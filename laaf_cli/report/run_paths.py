"""Which run files are meant: files, folders of files, and patterns that no shell has expanded."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from laaf_cli.errors import UsageError


def expand(paths: Iterable[Path]) -> list[Path]:
    """The run files meant by paths: a folder means all *.h5 in it; each file once, in the
    order given.

    Files that are missing stay in: reading them says so.

    Raises:
        UsageError: for a folder or a pattern without any.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(path.glob("*.h5"))
            if not inside:
                raise UsageError(f"there is no *.h5 in the folder {path}")
        elif not path.exists() and glob.has_magic(str(path)):
            inside = sorted(Path(name) for name in glob.glob(str(path)))  # noqa: PTH207 - absolute patterns too
            if not inside:
                raise UsageError(f"no file matches {path}")
        else:
            inside = [path]
        files |= dict.fromkeys(inside)
    return list(files)
