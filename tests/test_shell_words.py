"""The library speaks Python, and the command line turns its messages into options and commands."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import laaf_cli
from laaf_cli.cli.app import COMMANDS
from laaf_cli.cli.shell_words import in_shell_words

PACKAGE = Path(laaf_cli.__file__).parent
LIBRARY = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if not {"cli", "kernel", "terminal"} & set(path.relative_to(PACKAGE).parts)
    and path.name not in ("__main__.py", "json_record.py")  # the latter names schemas of commands
)
IN_THE_SHELL = re.compile(rf"(?<![\w-])--[a-z]|\blaaf ({'|'.join(COMMANDS)})\b")


def texts(node: ast.AST) -> list[tuple[int, str]]:
    """All strings below a node with their lines, f-strings with {} for what is put in."""
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
        return [(node.lineno, "".join(map(str, parts)))]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [(node.lineno, node.value)]
    return [found for child in ast.iter_child_nodes(node) for found in texts(child)]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_library_names_no_option_and_no_command_line(path: Path) -> None:
    assert [(line, text) for line, text in texts(parsed(path)) if IN_THE_SHELL.search(text)] == []


def said_in_python(path: Path) -> list[str]:
    """What messages put in backticks: strings of functions, but for docstrings."""
    statements = [
        statement
        for function in ast.walk(parsed(path))
        if isinstance(function, ast.FunctionDef)
        for statement in function.body[ast.get_docstring(function) is not None :]
    ]
    said = []
    for _, text in (found for statement in statements for found in texts(statement)):
        said += re.findall("`[^`]+`", text.replace("'{}'", "{}").replace("{}", "'x'"))
    return [code for code in said if not code.startswith("`'x'")]  # a name that is put in


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_messages_name_is_an_option_or_a_command(path: Path) -> None:
    assert [code for code in said_in_python(path) if in_shell_words(code) == code] == []


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("`overwrite` replaces it", "--overwrite replaces it"),
        ("`max_seconds=X`, `n=2.5`", "--max-seconds X, --n 2.5"),
        ("`device='cpu'` does", "--device cpu does"),
        ("`output='my run.h5'`", "--output 'my run.h5'"),
        ("`slope_recovery=False`, `download=True`", "--no-slope-recovery, --download"),
        ("`solve()` trains it", "laaf solve trains it"),
        ("`solve('burgers', overwrite=True)`", "laaf solve burgers --overwrite"),
        ("`load('a.h5')` shows it", "laaf show a.h5 shows it"),
        ("`load('a b.h5').resume()` goes on", "laaf resume 'a b.h5' goes on"),
        (
            """`load("it's.h5").resume(stored_spec=True, iterations=N)`""",
            """laaf resume 'it'"'"'s.h5' --stored-spec --iterations N""",
        ),
        # Not of ours.
        ("`nothing`, `nothing=3`, `eval('x')`", "`nothing`, `nothing=3`, `eval('x')`"),
        ("`solve(nothing=3)`", "`solve(nothing=3)`"),
        ("found character '`'", "found character '`'"),
        ("at fault:\n   3 | seed: x  # `seed`\n     |       ^", None),
    ],
)
def test_words(message: str, shown: str | None) -> None:
    assert in_shell_words(message) == (message if shown is None else shown)
