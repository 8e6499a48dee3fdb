"""What the shell completes: names of bundled specs, files, and values of options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

SPECS, RUNS = (".yaml", ".yml"), (".h5",)

# Copies of tables that take seconds to load, which is too long for a key; a test compares them.
KINDS = ("solution", "frequency", "error", "loss", "constants", "slopes", "confusion")
REFERENCES = ("auto", "spectral", "finite-elements", "hopf-cole", "exact", "file")
ARTEFACTS = ("table1", *(f"figure{i}" for i in range(2, 12)))


def specs(incomplete: str) -> list[str]:
    """Bundled problems and YAML files."""
    return specs_of(incomplete, "equation")


def specs_of(incomplete: str, task: str) -> list[str]:
    """The bundled specs of a task, and YAML files."""
    return [*_bundled(incomplete, task), *files(incomplete, SPECS)]


def problems(incomplete: str) -> list[str]:
    """The bundled specs of all tasks."""
    from laaf_cli.runs.task import TASKS

    return [name for task in TASKS for name in _bundled(incomplete, task)]


def runs(incomplete: str) -> list[str]:
    """Run files, and folders of them."""
    return files(incomplete, RUNS)


def kinds(incomplete: str) -> list[str]:
    """Kinds of figures, with commas between."""
    return _last_of_list(incomplete, KINDS)


def slope_kinds(incomplete: str) -> list[str]:
    """Kinds of slopes, with commas between."""
    from laaf_cli.network.slope_kinds import SLOPE_KINDS

    return _last_of_list(incomplete, SLOPE_KINDS)


def settings(incomplete: str) -> list[str]:
    """Paths in the spec of an equation, as `network.hidden=`."""
    from laaf_cli.spec import RunSpec
    from laaf_cli.spec.synonyms import dotted_paths

    return [f"{path}=" for path in dotted_paths(RunSpec) if path.startswith(incomplete)]


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Completes one of some words."""
    return lambda incomplete: _beginning(incomplete, words)


def files(incomplete: str, endings: Sequence[str]) -> list[str]:
    """Files with such an ending and folders, as far as their paths begin so; a folder alone is
    looked into, so that no blank ends the word.
    """
    folder, slash, start = incomplete.rpartition("/")
    try:
        entries = sorted(Path(folder + slash or ".").iterdir())
    except OSError:
        return []
    matches = []
    for entry in entries:
        name = entry.name
        is_hidden = name.startswith(".") and not start
        if not name.startswith(start) or is_hidden:
            continue
        if entry.is_dir():
            matches.append(f"{folder}{slash}{name}/")
        elif entry.suffix in endings:
            matches.append(f"{folder}{slash}{name}")
    if len(matches) == 1 and matches[0].endswith("/"):
        return files(matches[0], endings) or matches
    return matches


def _bundled(incomplete: str, task: str) -> list[str]:
    from laaf_cli.spec import bundled

    return _beginning(incomplete, bundled.names(task))


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(incomplete))


def _last_of_list(incomplete: str, words: Iterable[str]) -> list[str]:
    """Lists with commas between whose last word begins as given and is not one of those before."""
    before, comma, last = incomplete.rpartition(",")
    left = set(words).difference(before.split(","))
    return [f"{before}{comma}{word}" for word in _beginning(last, left)]
