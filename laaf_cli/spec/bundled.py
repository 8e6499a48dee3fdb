"""The specs that come with laaf."""

from __future__ import annotations

import os
from pathlib import Path

from laaf_cli.errors import UsageError
from laaf_cli.runs.task import TASKS
from laaf_cli.spec.source import Text, read_text
from laaf_cli.text import did_you_mean, listed


def folder() -> Path:
    """Where the bundled specs are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "problems"
    return installed if installed.is_dir() else package.parent / "problems"


def paths(task: str = "equation") -> dict[str, Path]:
    """The bundled specs of a task, by name."""
    first, *others = TASKS[task].folders
    places = {"": first, **{f"{name}/": name for name in others}}
    return {
        prefix + path.stem: path
        for prefix, place in places.items()
        for path in sorted((folder() / place).glob("*.yaml"), key=lambda path: path.stem)
    }


def names(task: str = "equation") -> list[str]:
    """The names of the bundled specs of a task."""
    return list(paths(task))


def path_of(name: str) -> Path | None:
    """The bundled spec of a name; None where it does not exist."""
    return next((by_name[name] for by_name in map(paths, TASKS) if name in by_name), None)


def name_of(path: str) -> str | None:
    """The name of the bundled spec at a path; None for another file."""
    return next(
        (name for task in TASKS for name, place in paths(task).items() if str(place) == path), None
    )


def find(spec: str, task: str = "equation") -> Text:
    """The text of a spec: a path, or the name of a bundled one.

    Raises:
        UsageError: there is neither.
    """
    path, what = Path(spec), TASKS[task].bundled
    bare = not path.suffix and not path.is_absolute()
    # os.path, for Path raises where a name is too long to be one.
    if bare and not os.path.isfile(path) and (bundled := path_of(spec)) is not None:  # noqa: PTH113
        return read_text(bundled)
    if bare and not os.path.exists(path):  # noqa: PTH110
        # A name of another task is named too: the command that it was given to says which.
        hint = (
            did_you_mean(spec, [name for row in TASKS for name in names(row)])
            or f"Bundled {what}s: {listed(names(task))}."
        )
        raise UsageError(f"there is no file {spec} and no bundled {what} of that name. {hint}")
    return read_text(path)
