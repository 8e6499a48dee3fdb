"""What the library says in Python, said in the words of the command line.

Messages of the library write a setting by its Python name in backticks, and an act as a call:

    `overwrite` replaces it                   --overwrite replaces it
    `device='cpu'` trains without it          --device cpu trains without it
    `load('a.h5').resume(iterations=N)`       laaf resume a.h5 --iterations N
    `load('a.h5')` shows it                   laaf show a.h5 shows it

Names that no command has stay as they are, and so do the lines of a text that an error shows.
"""

from __future__ import annotations

import re
import shlex
from ast import literal_eval
from functools import cache
from typing import Any

_STRING = r"""'(?:[^'\\`\n]|\\.)*'|"(?:[^"\\`\n]|\\.)*\""""
_VALUE = rf"{_STRING}|[\w.+-]+"
_ARGUMENT = re.compile(rf"(?:(\w+)=)?({_VALUE})")
_CODE = re.compile(
    rf"`(?:(?P<setting>\w+)(?:=(?P<value>{_VALUE}))?"
    rf"|(?:load\((?P<run>{_STRING})\)\.)?(?P<act>\w+)\((?P<arguments>[^`\n]*)\))`"
)
_EXCERPT = re.compile(r" *\d+ \| ")


def in_shell_words(text: str) -> str:
    """A message with its settings as options and its acts as command lines."""
    return "\n".join(
        line if _EXCERPT.match(line) else _CODE.sub(_translated, line) for line in text.split("\n")
    )


@cache
def commands() -> frozenset[str]:
    """The names of all commands."""
    return frozenset(_by_command())


@cache
def flags() -> dict[str, str]:
    """All options by the Python name of what they set; `no_x` is what `x=False` says."""
    return {
        flag[2:].replace("-", "_"): flag
        for command in _by_command().values()
        for parameter in command.params
        for flag in [*parameter.opts, *parameter.secondary_opts]
        if flag.startswith("--")
    }


@cache
def _by_command() -> dict[str, Any]:
    from laaf_cli.cli.app import COMMANDS, loaded

    return {name: loaded(name) for name in COMMANDS}


def _translated(code: re.Match[str]) -> str:
    setting, act = code["setting"], code["act"]
    if setting is not None:
        return _flag(setting, code["value"]) or code[0]
    command = "show" if act == "load" else act
    if command not in commands():
        return code[0]
    words = ["laaf", command, *([_word(code["run"])] if code["run"] else [])]
    for name, value in _ARGUMENT.findall(code["arguments"]):
        word = _flag(name, value) if name else _word(value)
        if word is None:
            return code[0]
        words.append(word)
    return " ".join(words)


def _flag(name: str, value: str | None) -> str | None:
    """One option with its value; None where no option has that name."""
    if value == "False":
        return flags().get(f"no_{name}")
    flag = flags().get(name)
    return flag if flag is None or value in (None, "True") else f"{flag} {_word(value)}"


def _word(value: str) -> str:
    return shlex.quote(literal_eval(value)) if value[0] in "'\"" else value
