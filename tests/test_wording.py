"""Messages, docstrings, comments and pages keep to the glossary of docs/contributing.md."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = sorted((ROOT / "laaf_cli").rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}

Definition = ast.ClassDef | ast.FunctionDef

GLOSSARY = re.compile(r"^## Glossary\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| .+ \| (.+) \|$", re.MULTILINE)

ALLOWED = re.compile(
    r"\bat least\b"
    r"|\bleast[- ]squares\b"
    r"|^(slopes/)?(least|greatest)$|/slopes/(least|greatest)\b",  # names in run files
    re.IGNORECASE,
)


def avoided() -> list[str]:
    """What the glossary says not to say."""
    section = GLOSSARY.search((ROOT / "docs" / "contributing.md").read_text(encoding="utf-8"))
    assert section is not None
    _head, _rule, *rows = ROW.findall(section[1])
    return [phrase for row in rows for phrase in row.split(", ")]


def pattern(phrases: list[str]) -> re.Pattern[str]:
    """Matches whole phrases, also where they begin a sentence; one in capitals only as written."""
    either = [f"[{re.escape(p[0] + p[0].upper())}]{re.escape(p[1:])}" for p in phrases]
    return re.compile(rf"\b({'|'.join(either)})\b")


AVOIDED = pattern(avoided())


def hits(text: str) -> list[str]:
    return AVOIDED.findall(ALLOWED.sub("", " ".join(text.split())))


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The strings, docstrings and comments of a module with their lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages(path: Path) -> None:
    assert hits(GLOSSARY.sub("", path.read_text(encoding="utf-8"))) == []


def test_sources() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {hit}"
        for path in SOURCES
        for line, text in texts(path.read_text(encoding="utf-8"))
        for hit in hits(text)
    ]
    assert found == []


def test_what_is_found() -> None:
    assert hits("It was told.") == ["told"]
    assert hits("Told anew: at least 3, by least squares.") == ["Told", "anew"]
    assert hits("a\nwhole\n  number") == ["whole number"]
    assert hits("ample: it was retold, None") == []


def says_something(node: Definition) -> bool:
    """Whether a docstring has more words than the name has."""
    words = set(re.findall(r"\w+", (ast.get_docstring(node) or "").lower()))
    return bool(words - {"the", "a", "an", "of", *node.name.lower().split("_")})


def public(tree: ast.Module) -> Iterator[tuple[Definition, ast.ClassDef | None]]:
    """Public classes, functions and methods, each with its class; none inside a function."""
    scopes: list[ast.Module | ast.ClassDef] = [tree]
    for scope in scopes:
        for node in scope.body:
            if isinstance(node, Definition) and not node.name.startswith("_"):
                yield node, scope if isinstance(scope, ast.ClassDef) else None
                if isinstance(node, ast.ClassDef):
                    scopes.append(node)


def documented_methods(classes: list[ast.ClassDef]) -> dict[str, set[str]]:
    """The names of the methods with a docstring that each class has or inherits."""
    methods = {
        each.name: {
            node.name
            for node in each.body
            if isinstance(node, ast.FunctionDef) and says_something(node)
        }
        for each in classes
    }
    is_open = True
    while is_open:
        is_open = False
        for each in classes:
            inherited = inherited_methods(each, methods) - methods[each.name]
            methods[each.name] |= inherited
            is_open |= bool(inherited)
    return methods


def inherited_methods(one: ast.ClassDef, methods: dict[str, set[str]]) -> set[str]:
    """What the bases of a class have among these methods."""
    names = {node.id for base in one.bases for node in ast.walk(base) if isinstance(node, ast.Name)}
    return set().union(*(methods.get(name, set()) for name in names))


def undocumented(trees: dict[Path, ast.Module]) -> list[str]:
    classes = [
        node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    methods = documented_methods(classes)
    return [
        f"{path.name}:{node.lineno}: {node.name}"
        for path, tree in trees.items()
        for node, owner in public(tree)
        if not says_something(node)
        and not (owner and node.name in inherited_methods(owner, methods))
    ]


def test_what_is_public_has_a_docstring() -> None:
    """A method need not say again what it does where a base class in the package does."""
    assert undocumented(TREES) == []


def test_what_lacks_a_docstring() -> None:
    source = '''
class Base:
    """An interface."""

    def size(self):
        """How many there are."""

class Row(Base):
    """The row."""

    def size(self): ...
    def width(self): ...
    def _hidden(self): ...

def make_row():
    """Reads a file."""
    def inner(): ...
'''
    assert undocumented({Path("m.py"): ast.parse(source)}) == ["m.py:8: Row", "m.py:12: width"]
