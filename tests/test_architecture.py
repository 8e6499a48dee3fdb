"""The import table of the project, as data: a module imports only from rows above its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import laaf_cli

PACKAGE = Path(laaf_cli.__file__).parent

# Row of each module or package, and the outside packages that it must never import.
ROWS: dict[str, tuple[int, set[str]]] = {
    "__init__": (0, {"torch", "yaml", "h5py", "numpy"}),
    "errors": (0, {"torch", "yaml", "h5py", "numpy"}),
    "memory": (0, {"torch", "yaml", "h5py", "numpy"}),
    "multi_index": (0, {"torch", "yaml", "h5py"}),
    "seeds": (0, {"torch", "yaml", "h5py"}),
    "target_file": (0, {"torch", "yaml", "h5py", "numpy"}),
    "metrics": (0, {"torch", "yaml", "h5py"}),
    "stored_arrays": (0, {"torch", "yaml", "scipy"}),
    "expression": (1, {"torch", "yaml", "pydantic", "h5py"}),
    "spec": (1, {"torch", "h5py", "scipy"}),
    "bundled": (2, {"torch", "h5py", "scipy"}),
    "problem": (2, {"torch"}),
    "network": (3, {"yaml", "h5py"}),
    "derivatives": (4, {"yaml", "h5py"}),
    "training": (5, {"h5py", "rich", "typer", "yaml"}),
    "reference": (5, {"torch"}),
    "solution": (5, {"yaml", "h5py", "rich", "typer"}),
    "runfile": (6, {"torch", "yaml"}),
    "report": (7, {"torch", "typer", "rich", "yaml", "h5py"}),
    "trained_network": (7, {"typer", "rich", "yaml", "h5py"}),
    "plan": (7, {"typer", "rich"}),
    "checkpoint_files": (7, {"torch", "typer", "rich", "yaml"}),
    "footprint": (8, {"typer", "rich", "yaml", "h5py"}),
    "provenance": (7, {"typer", "rich", "yaml"}),
    "finished_run": (7, {"torch", "typer", "rich", "yaml"}),
    "solved": (8, {"typer", "rich"}),
    "past_run": (8, {"typer", "rich", "yaml", "h5py"}),
    "changes": (8, {"typer", "rich", "yaml", "h5py"}),
    "resumption": (9, {"typer", "rich", "yaml", "h5py"}),
    "run": (9, {"typer", "rich"}),
    "classification": (9, {"typer", "rich"}),
    "tasks": (10, {"typer", "rich", "h5py"}),
    "sweep": (11, {"typer", "rich"}),
    "paper": (12, {"typer", "rich"}),
    "cli": (13, set()),
    "__main__": (14, set()),
}

# Arrows that the rows would allow and that must not exist.
FORBIDDEN = {
    ("network", "spec"),
    ("network", "problem"),
    ("derivatives", "spec"),
    ("derivatives", "problem"),
    ("spec", "expression"),
    ("reference", "network"),
    ("reference", "derivatives"),
    ("reference", "training"),
    ("runfile", "training"),
    ("runfile", "network"),
    ("report", "network"),
    ("report", "derivatives"),
    ("report", "training"),
    ("report", "plan"),
}


def unit(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "laaf_cli"}
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_table(path: Path) -> None:
    own = unit(path)
    row, never = ROWS[own]
    for module in imports(path):
        top, _, rest = module.partition(".")
        if top != "laaf_cli":
            assert top not in never, f"{own} must not import {top}"
            assert top != "matplotlib" or own == "report", "figures are drawn in report alone"
            assert top != "click", "Typer vendors its Click"
            continue
        other = rest.partition(".")[0]
        if other in ("", "__version__") or other == own:
            continue
        assert (own, other) not in FORBIDDEN, f"{own} must not import {other}"
        assert ROWS[other][0] <= row, f"{own} (row {row}) imports {other} (row {ROWS[other][0]})"
        if ROWS[other][0] == row and row > 0:
            assert (other, own) not in {(unit(p), o) for p in MODULES for o in units_imported(p)}, f"{own} ⇄ {other}"


def units_imported(path: Path) -> set[str]:
    return {module.split(".")[1] for module in imports(path) if module.startswith("laaf_cli.")}


def test_nothing_outside_the_table() -> None:
    assert {unit(path) for path in MODULES} == set(ROWS)


@pytest.mark.parametrize("word", ["utils", "helpers", "core", "base", "manager", "common"])
def test_modules_are_named_after_their_subject(word: str) -> None:
    assert not [path for path in MODULES if path.stem == word]
