"""The problems that come with laaf."""

from __future__ import annotations

import os
from pathlib import Path

from laaf_cli.errors import UsageError, did_you_mean, listed
from laaf_cli.spec.source import Text, read_text


def folder() -> Path:
    """Where the bundled specs are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "problems"
    return installed if installed.is_dir() else package.parent / "problems"


def names() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.yaml"))


def find(spec: str) -> Text:
    """The text of a spec: a path, or the bare name of a bundled problem; raises UsageError where there is neither."""
    path = Path(spec)
    bare = path.name == spec and not path.suffix
    # os.path, for Path raises where a name is too long to be one.
    if bare and not os.path.isfile(path) and spec in names():  # noqa: PTH113
        return read_text(folder() / f"{spec}.yaml")
    if bare and not os.path.exists(path):  # noqa: PTH110
        hint = did_you_mean(spec, names()) or f"Bundled problems: {listed(names())}."
        raise UsageError(f"there is no file {spec} and no bundled problem of that name. {hint}")
    return read_text(path)
