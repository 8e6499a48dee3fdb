"""Records as JSON: their plain values, and the JSON Schema of those (draft 2020-12), both from the
records' types.

A record is a frozen dataclass whose fields have docstrings.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from laaf_cli.runfile import Attribute
from laaf_cli.spec.schema import Schema, closed, nullable, resolved_schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"

VERSION = 3
"""Version of all schemas of `--json`; a key that is renamed, removed or given another meaning
raises it.
"""


class JsonRecord:
    """A record that is printed by `--json`; also_told: properties that stand in the JSON beside
    the fields.
    """

    also_told: ClassVar[tuple[str, ...]] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values, by name."""
        return _plain(self)


def _plain(value: Any) -> Any:
    """A record, or what it holds, as dictionaries, lists, numbers and texts."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in _keys(type(value))}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def record_schema(command: str, *records: type) -> Schema:
    """The schema of what `laaf COMMAND --json` prints, which is a record of that type, or of one
    of these types.
    """
    about = {
        "$schema": DRAFT,
        "$id": f"urn:laaf:{command}:{VERSION}",
        "title": f"laaf {command} --json",
    }
    definitions: dict[str, Schema] = {}
    if len(records) == 1:
        whole = _record(records[0], definitions)
    else:
        whole = {"oneOf": [_value(record, definitions) for record in records]}
    return about | whole | ({"$defs": dict(sorted(definitions.items()))} if definitions else {})


def _keys(record: type) -> list[str]:
    return [*(field.name for field in fields(record)), *getattr(record, "also_told", ())]


def _record(record: type, definitions: dict[str, Schema]) -> Schema:
    hints, meanings = get_type_hints(record, include_extras=True), dict(_docstrings(record))
    properties = {}
    for name in _keys(record):
        hint, meaning = hints.get(name), meanings.get(name)
        if hint is None:
            told = getattr(record, name)
            hint, meaning = (
                get_type_hints(told.fget, include_extras=True)["return"],
                inspect.getdoc(told),
            )
        if not meaning:
            raise TypeError(
                f"{record.__name__}.{name} has no docstring, which the schema of --json takes "
                "its words from"
            )
        properties[name] = _value(hint, definitions) | {
            "description": _json_words(meaning).removesuffix(".")
        }
    return {"description": _json_words(str(inspect.getdoc(record)))} | closed(
        properties, list(properties)
    )


def _json_words(text: str) -> str:
    return re.sub(r"\bNone\b", "null", " ".join(text.split()))


def _docstrings(record: type) -> Iterator[tuple[str, str]]:
    """The names of fields, each with the text that stands below it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for above, below in pairwise(body):
        match above, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(
                value=ast.Constant(value=str(text))
            ):
                yield name, text


def _value(hint: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema of one type; that of a record goes into the definitions."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        named = _attributes(arguments[1])
        return nullable(named) if type(None) in get_args(arguments[0]) else named
    if origin in (Union, types.UnionType):
        (inner,) = (option for option in arguments if option is not type(None))
        return nullable(_value(inner, definitions))
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _value(arguments[1], definitions)}
    if origin in (list, tuple, Sequence):
        items = {"type": "array", "items": _value(arguments[0], definitions)}
        sized = origin is tuple and arguments[-1] is not Ellipsis
        return items | ({"minItems": len(arguments), "maxItems": len(arguments)} if sized else {})
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if hint.__name__ not in definitions:
        definitions[hint.__name__] = {}  # so that a type inside itself ends
        definitions[hint.__name__] = (
            resolved_schema(hint) if issubclass(hint, BaseModel) else _record(hint, definitions)
        )
    return {"$ref": f"#/$defs/{hint.__name__}"}


_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    Path: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "null"]},  # a number that is not finite is printed as null
}


def _attributes(table: Mapping[str, Attribute]) -> Schema:
    """Attributes of a run file, whose types and meanings stand in its layout."""
    properties = {
        name: _SCALARS[row.kind] | {"description": row.meaning} for name, row in table.items()
    }
    return closed(properties, list(properties))
