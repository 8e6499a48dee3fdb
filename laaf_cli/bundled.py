"""The problems that come with laaf."""

from __future__ import annotations

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
    if bare and not path.is_file() and spec in names():
        return read_text(folder() / f"{spec}.yaml")
    if not path.exists():
        hint = did_you_mean(spec, names()) if bare else ""
        if bare:
            raise UsageError(
                f"there is no file {spec} and no bundled problem of that name. "
                f"{hint or f'Bundled problems: {listed(names())}.'}"
            )
    return read_text(path)
