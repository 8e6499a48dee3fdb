"""The problems that come with laaf."""

from __future__ import annotations

import os
from pathlib import Path

from laaf_cli.errors import UsageError
from laaf_cli.spec.source import Text, read_text
from laaf_cli.text import did_you_mean, listed


def folder() -> Path:
    """Where the bundled specs are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "problems"
    return installed if installed.is_dir() else package.parent / "problems"


def names() -> list[str]:
    """The equations."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def image_names() -> list[str]:
    """The image data sets that are known by name."""
    return sorted(path.stem for path in (folder() / "images").glob("*.yaml"))


def path_of(name: str) -> Path | None:
    """The bundled spec of a name, of an equation or of images; None where there is none."""
    if name in names():
        return folder() / f"{name}.yaml"
    return folder() / "images" / f"{name}.yaml" if name in image_names() else None


def find(spec: str) -> Text:
    """The text of a spec: a path, or the bare name of a bundled one; raises UsageError where
    there is neither.
    """
    return _find(spec, names(), "problem")


def find_images(spec: str) -> Text:
    """The text of a spec of images: a path, or the bare name of a data set; raises UsageError as
    `find` does.
    """
    return _find(spec, image_names(), "data set")


def _find(spec: str, offered: list[str], what: str) -> Text:
    path = Path(spec)
    bare = path.name == spec and not path.suffix
    # os.path, for Path raises where a name is too long to be one.
    if bare and not os.path.isfile(path) and (bundled := path_of(spec)) is not None:  # noqa: PTH113
        return read_text(bundled)
    if bare and not os.path.exists(path):  # noqa: PTH110
        # A name of the other kind is named too: what it is asked of tells which command takes it.
        hint = (
            did_you_mean(spec, [*names(), *image_names()]) or f"Bundled {what}s: {listed(offered)}."
        )
        raise UsageError(f"there is no file {spec} and no bundled {what} of that name. {hint}")
    return read_text(path)
