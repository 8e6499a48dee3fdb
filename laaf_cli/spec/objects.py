"""Python objects → the text of a spec, whose faults name keys instead of lines."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import yaml

from laaf_cli.errors import Fault, SpecError
from laaf_cli.spec.source import MAX_NESTING, Text, read_scalar
from laaf_cli.text import printable


def text_of(keys: Mapping[str, Any], name: str = "") -> Text:
    """The YAML of a spec given as numbers, texts, lists and mappings.

    Args:
        keys: the keys of a spec, nested as in YAML; tuples, paths and NumPy scalars and arrays
            are taken as well.
        name: of the problem, for file names; from the title where it is empty.

    Raises:
        SpecError: a value is of another type.
    """
    plain = _plain(keys, "")
    title = re.sub(r"[^a-z0-9]+", "-", str(plain.get("title", "")).lower()).strip("-")
    content = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
    keys_by_line = [""] * (content.count("\n") + 1)
    for line, key in _keys(yaml.compose(content, yaml.SafeLoader), ""):
        keys_by_line[line:] = [printable(key)] * (len(keys_by_line) - line)
    return Text(name or title[:60] or "problem", content, keys=tuple(keys_by_line))


def as_yaml(value: Any) -> str:
    """A value as YAML on one line."""
    plain = _plain(value, "")
    text = yaml.dump(plain, Dumper=_Dumper, default_flow_style=True, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...")


def as_spec(keys: Mapping[str, Any]) -> str:
    """The YAML of the keys of a spec as a person writes it: a key a line, lists in brackets."""
    return yaml.dump(keys, Dumper=_SpecDumper, sort_keys=False, allow_unicode=True, width=math.inf)


class _Dumper(yaml.SafeDumper):
    """Writes nested values in blocks, and in quotes what would be read as something else."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    is_text = text == "" or read_scalar(text) == text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_text else "'")


_Dumper.add_representer(str, _represent_text)


class _SpecDumper(_Dumper):
    """Writes lists in brackets."""


_SpecDumper.add_representer(
    list,
    lambda dumper, items: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", items, flow_style=True
    ),
)


def _plain(value: Any, key: str, depth: int = 0) -> Any:
    """The value as YAML knows it.

    Args:
        key: its place, for the fault of another type.
        depth: how deep it is nested.
    """
    if depth > MAX_NESTING:  # a list may hold itself
        raise SpecError([Fault(f"{key}: nested more than {MAX_NESTING} levels deep")])
    if isinstance(value, Mapping):
        return {
            str(name): _plain(item, f"{key}.{name}".lstrip("."), depth + 1)
            for name, item in value.items()
        }
    if hasattr(value, "tolist"):  # NumPy, torch
        return _plain(value.tolist(), key, depth)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item, f"{key}.{i}".lstrip("."), depth + 1) for i, item in enumerate(value)]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Integral):
        number = int(value)
        if abs(number) > sys.float_info.max:
            what = f"{f'{key}: ' if key else ''}the number is too large"
            raise SpecError([Fault(what, None, "The largest is about 1.8e308.")])
        return number
    if isinstance(value, Real):
        return float(value)
    kind = type(value).__name__
    what = f"{f'{key}: ' if key else ''}a spec holds numbers, texts, lists and mappings, not {kind}"
    raise SpecError([Fault(what)])


def _keys(node: yaml.Node | None, key: str) -> Iterator[tuple[int, str]]:
    """The lines on which keys begin, from the first on, each with its path."""
    if isinstance(node, yaml.MappingNode):
        for name, item in node.value:
            path = f"{key}.{name.value}".lstrip(".")
            yield name.start_mark.line, path
            yield from _keys(item, path)
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            path = f"{key}.{i}"
            yield item.start_mark.line, path
            yield from _keys(item, path)
