"""The library speaks Python, and the command line turns its messages into options and commands."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import laaf_cli
from laaf_cli.cli.app import COMMANDS
from laaf_cli.cli.shell_words import flags, in_shell_words

PACKAGE = Path(laaf_cli.__file__).parent
LIBRARY = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if not {"cli", "kernel", "terminal"} & set(path.relative_to(PACKAGE).parts)
    and path.name != "__main__.py"
)
IN_THE_SHELL = re.compile(rf"(?<![\w-])--[a-z]|\blaaf ({'|'.join(COMMANDS)})\b")


def texts(path: Path) -> list[tuple[int, str]]:
    """All strings of a module with their lines, f-strings with {} for what is put in."""
    found = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.JoinedStr):
            parts = (
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
            found.append((node.lineno, "".join(parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append((node.lineno, node.value))
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
                visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_library_names_no_option_and_no_command_line(path: Path) -> None:
    assert [(line, text) for line, text in texts(path) if IN_THE_SHELL.search(text)] == []
