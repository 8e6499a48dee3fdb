"""The import table of the project, as data: a module imports only from rows above its own.

`docs/generate.py` makes the map of the code in `docs/contributing.md` of this table.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import laaf_cli
from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.runs.task import TASKS
from laaf_cli.spec.models import NO_BALANCE

PACKAGE = Path(laaf_cli.__file__).parent

# Row of each module or package, and the outside packages that it must never import. What stands
# in a package that has a row of its own, as `images.cli`, does not count to the package.
ROWS: dict[str, tuple[int, set[str]]] = {
    "errors": (0, {"torch", "yaml", "h5py", "numpy"}),
    "text": (0, {"torch", "yaml", "h5py", "numpy"}),
    "arrays": (0, {"torch", "yaml", "h5py"}),
    "multi_index": (0, {"torch", "yaml", "h5py"}),
    "seeds": (0, {"torch", "yaml", "h5py"}),
    "metrics": (0, {"torch", "yaml", "h5py"}),
    "network.slope_kinds": (0, {"torch", "yaml", "h5py", "numpy"}),
    "expression": (1, {"torch", "yaml", "pydantic", "h5py"}),
    "spec": (1, {"torch", "h5py", "scipy"}),
    "json_record": (2, {"torch", "yaml", "h5py", "typer", "rich"}),
    "files.untrusted": (1, {"torch", "yaml"}),
    "problem": (2, {"torch"}),
    "processes": (3, {"yaml", "h5py", "typer", "rich", "scipy"}),
    "files": (3, {"torch", "yaml", "typer", "rich"}),
    "network": (3, {"yaml", "h5py"}),
    "derivatives": (4, {"yaml", "h5py"}),
    "training": (5, {"h5py", "rich", "typer", "yaml"}),
    "references": (5, {"torch"}),
    "runfile": (6, {"torch", "yaml"}),
    "report": (7, {"torch", "typer", "rich", "yaml", "h5py"}),
    "runs.task": (1, {"torch", "yaml", "h5py", "pydantic", "typer", "rich"}),
    "runs": (7, {"typer", "rich", "yaml"}),
    "images.spec": (2, {"torch", "yaml", "h5py", "typer", "rich"}),
    "images.runfile": (7, {"torch", "typer", "rich", "yaml"}),
    "images.report": (8, {"torch", "typer", "rich", "yaml", "h5py"}),
    "images": (8, {"typer", "rich", "yaml"}),
    "sweeps": (8, {"typer", "rich"}),
    "paper": (9, {"typer", "rich"}),
    "terminal": (9, {"torch", "yaml", "h5py", "numpy"}),
    "cli": (10, set()),
    "images.cli": (11, set()),
    "api": (9, {"torch", "yaml", "h5py", "typer"}),
    "__init__": (9, {"torch", "yaml", "h5py", "numpy"}),
    "__main__": (12, set()),
}

# Arrows that the rows would allow and that must not exist.
FORBIDDEN = {
    ("network", "spec"),
    ("network", "problem"),
    ("derivatives", "spec"),
    ("derivatives", "problem"),
    ("spec", "expression"),
    ("references", "network"),
    ("references", "derivatives"),
    ("references", "training"),
    ("runfile", "training"),
    ("runfile", "network"),
    ("runfile", "references"),
    ("report", "network"),
    ("report", "derivatives"),
    ("report", "training"),
    ("report", "runs"),
    ("runs", "report"),
}

LAAF = "laaf_cli"


def unit(module: str) -> str:
    """The row of a module, named without `laaf_cli.`: that of its longest package that has one."""
    parts = module.split(".")
    for n in range(len(parts), 0, -1):
        if (name := ".".join(parts[:n])) in ROWS:
            return name
    return parts[0]


def name_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE).with_suffix("")
    return ".".join(relative.parts).removesuffix(".__init__")


MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = {name_of(path) for path in MODULES}


@cache
def imports(path: Path) -> frozenset[str]:
    """The modules that a file imports, wherever in it the import stands, with what packages they are of."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = str(node.module)
            for alias in node.names:
                full = f"{module}.{alias.name}"
                found.add(full if full.removeprefix(f"{LAAF}.") in NAMES else module)
    return frozenset(found)


def own_imports(path: Path) -> set[str]:
    """The modules of laaf that a file imports, named without `laaf_cli.`."""
    return {
        module.removeprefix(f"{LAAF}.") for module in imports(path) if module.startswith(f"{LAAF}.")
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_table(path: Path) -> None:
    own = unit(name_of(path))
    row, never = ROWS[own]
    for module in imports(path):
        top = module.partition(".")[0]
        if top != LAAF:
            assert top not in never, f"{own} must not import {top}"
            draws = "report" in own or own == "api"  # which names the type of a figure
            assert top != "matplotlib" or draws, "figures are drawn in report alone"
            assert top != "click", "Typer vendors its Click"
    for module in own_imports(path):
        other = unit(module)
        if other == own:
            continue
        assert (own, other) not in FORBIDDEN, f"{own} must not import {other}"
        assert ROWS[other][0] <= row, f"{own} (row {row}) imports {other} (row {ROWS[other][0]})"


def test_no_two_units_import_each_other() -> None:
    arrows = {
        (unit(name_of(path)), unit(module)) for path in MODULES for module in own_imports(path)
    }
    assert not [(a, b) for a, b in arrows if a < b and (b, a) in arrows]


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Lazy imports and those for type checkers count too."""
    after = {name_of(path): own_imports(path) & NAMES for path in MODULES}
    state: dict[str, int] = {}

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert state.get(module) != 1, f"a cycle of imports: {' → '.join((*way, module))}"
        if module in state:
            return
        state[module] = 1
        for other in sorted(after[module] - {module}):
            visit(other, (*way, module))
        state[module] = 2

    for module in sorted(after):
        visit(module, ())


def test_the_table_of_slope_kinds_needs_no_torch() -> None:
    """Whoever imports a module imports its package."""
    assert not imports(PACKAGE / "network" / "__init__.py") - {"__future__"}


def test_no_module_names_a_slope_kind() -> None:
    """Kinds are rows; `fixed` is also the name of the rule of loss weights that changes none."""
    named = {
        (name_of(path), node.value)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in list(SLOPE_KINDS)
    }
    table = {("network.slope_kinds", name) for name in SLOPE_KINDS}
    assert named == table | {("spec.models", NO_BALANCE)}


def test_nothing_outside_the_table() -> None:
    units = {unit(name_of(path)) for path in MODULES if path != PACKAGE / "__init__.py"}
    assert units | {"__init__"} == set(ROWS)


def test_few_modules_are_outside_of_the_packages() -> None:
    loose = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert len(loose) <= 8, loose


@pytest.mark.parametrize("word", ["utils", "helpers", "core", "base", "manager", "common"])
def test_modules_are_named_after_their_subject(word: str) -> None:
    assert not [path for path in MODULES if path.stem == word]


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{name_of(path)}:{node.lineno}")
    assert not {name: where for name, where in places.items() if len(where) > 1}


WINGS = {name for name in TASKS if (PACKAGE / name).is_dir()}
"""Tasks that have a package of their own."""

NAME_WINGS = {"runs.task", "cli.app"}
"""The tables of tasks and of commands."""


@pytest.mark.parametrize("wing", WINGS)
def test_no_module_but_its_own_names_a_wing(wing: str) -> None:
    """Neither by an import, nor as the name of a task, nor within the name of a thing; what is said
    to people may."""
    named = set()
    for path in MODULES:
        parts = name_of(path).split(".")
        if wing in parts or name_of(path) in NAME_WINGS:
            continue
        assert not [module for module in own_imports(path) if wing in module.split(".")], path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = {node.value, *node.value.partition(":")[0].split(".")}
            else:
                fields = (getattr(node, field, None) for field in ("id", "attr", "arg", "name"))
                words = {w for field in fields if isinstance(field, str) for w in field.split("_")}
            if wing in words:
                named.add((name_of(path), ast.unparse(node)))
    assert WINGS
    assert not named
