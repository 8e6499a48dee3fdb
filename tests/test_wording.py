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
