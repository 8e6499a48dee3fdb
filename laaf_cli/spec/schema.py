"""The spec as JSON Schema: what a person may write, for editors, and the settings that a run
resolves it to.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from laaf_cli.runs.task import TASKS
from laaf_cli.spec import models
from laaf_cli.spec.source import KeyPath

EDITORS = "http://json-schema.org/draft-07/schema#"
"""The draft that editors know; of later ones VS Code says that it does not fully support them."""

Schema = dict[str, Any]

ONE_OF: dict[type[BaseModel], tuple[str, ...]] = {
    models.Condition: ("where", "at", "periodic", "integral", "data"),
    models.Data: ("target", "reference", "file"),
    models.Reference: ("kind", "exact", "file"),
}
"""Mappings of which one key says what they are, so that it must be there."""

NEVER_EMPTY = (models.Condition, models.Data)
"""Mappings in which a key without a value is a fault; elsewhere it stands for the default, where
that is none.
"""

OR_FILE: dict[KeyPath, Schema] = {("images",): {"type": "string", "pattern": r"\.[nN][pP][zZ]"}}
"""Keys that take a file beside the names of a table."""


def written_schema(
    choices: Mapping[KeyPath, tuple[str, ...]], image_choices: Mapping[KeyPath, tuple[str, ...]]
) -> Schema:
    """What may stand in a spec, of an equation or of images, short forms included, in the draft 7
    of JSON Schema.

    choices, image_choices: by path (`*` for any item) the names of a table that a key takes. Never
    stricter than the loader: what needs more than one key to be seen, as a name that is not
    declared, it leaves to that.
    """
    from laaf_cli.images.spec import ImageSpec  # a run of an equation needs none of it

    equation = _Writer(choices, written=True).model(models.RunSpec, ())
    images = _Writer(image_choices, written=True).model(ImageSpec, ())
    return {
        "$schema": EDITORS,
        "$id": "urn:laaf:spec",
        "title": "A spec of laaf",
        # Told once more, so that editors offer it in a spec that names nothing yet.
        "properties": {"images": {"description": images["properties"]["images"]["description"]}},
        "if": {
            "required": ["images"],
            "not": {"anyOf": [{"required": [key]} for key in TASKS[models.RunSpec.task].keys]},
        },
        "then": images,
        "else": equation,
    }


def resolved_schema(spec: type[BaseModel]) -> Schema:
    """The settings of a run: a spec, of an equation or of images, in its long form, with all
    keys.
    """
    return _Writer({}, written=False).model(spec, ())


def nullable(schema: Schema) -> Schema:
    """What a schema allows, or null."""
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    kind = schema.get("type")
    if kind is None:
        return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}
    kinds = kind if isinstance(kind, list) else [kind]
    return schema | {"type": [*kinds, *([] if "null" in kinds else ["null"])]}


def closed(properties: Mapping[str, Schema], required: list[str]) -> Schema:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class _Writer:
    """Writes the schema of an annotation at a path of the spec; written: as a person may write
    it.
    """

    choices: Mapping[KeyPath, tuple[str, ...]]
    written: bool

    def model(self, model: type[BaseModel], path: KeyPath) -> Schema:
        properties = {name: self._property(model, name, hint, path) for name, hint in _hints(model)}
        required = [
            name
            for name, given in model.model_fields.items()
            if given.is_required() or not self.written
        ]
        schema = {"description": inspect.getdoc(model)} | closed(properties, required)
        if not self.written or model not in ONE_OF:
            return schema
        own = [name for name in required if name not in ONE_OF[model]]
        return schema | {"required": own, "anyOf": [{"required": [name]} for name in ONE_OF[model]]}

    def _property(self, model: type[BaseModel], name: str, hint: Any, path: KeyPath) -> Schema:
        given = model.model_fields[name]
        if self.written and model in NEVER_EMPTY:
            hint = _without_none(hint)
        schema = self.annotation(hint, (*path, name)) | {"description": given.description}
        default = given.get_default(call_default_factory=True)
        plain = isinstance(default, (str, int, float)) or (
            isinstance(default, list) and all(map(_is_number, default))
        )
        if self.written and plain and default not in ("", []):
            schema["default"] = default
        return schema

    def annotation(self, hint: Any, path: KeyPath) -> Schema:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:], path)
        if origin in (Union, types.UnionType):
            inner = self.annotation(_without_none(hint), path)
            return nullable(inner) if type(None) in arguments else inner
        if origin is Literal:
            return {"type": "string", "enum": list(arguments)}
        if origin is list:
            return {"type": "array", "items": self.annotation(arguments[0], (*path, "*"))}
        if origin is dict:
            names = self.annotation(arguments[0], path)
            names.pop("type")
            values = self.annotation(arguments[1], (*path, "*"))
            return {"type": "object", "propertyNames": names, "additionalProperties": values}
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            return self.model(hint, path)
        if hint is str and path in self.choices:
            names = {"type": "string", "enum": list(self.choices[path])}
            return {"anyOf": [names, OR_FILE[path]]} if path in OR_FILE else names
        return {"type": {str: "string", bool: "boolean", int: "integer", float: "number"}[hint]}

    def _annotated(self, inner: Any, metadata: tuple[Any, ...], path: KeyPath) -> Schema:
        schema = self.annotation(inner, path)
        for key, value in _limits(metadata):
            schema[
                _KEYWORDS[key]
                if isinstance(_KEYWORDS[key], str)
                else _KEYWORDS[key][schema["type"]]
            ] = value
        if not self.written:
            return schema
        if inner in _SPELLINGS:
            schema = {"anyOf": [schema, _SPELLINGS[inner]]}
        for item in metadata:
            if isinstance(item, BeforeValidator):
                schema = _SHORT_FORMS[item.func](schema, _Names(self.choices, path))
        return schema


@dataclass(frozen=True)
class _Names:
    """The names that stand for a mapping at a path."""

    choices: Mapping[KeyPath, tuple[str, ...]]
    path: KeyPath

    def schema(self) -> Schema:
        paths = ((*self.path, "kind"), (*self.path, "method"))
        return {
            "type": "string",
            "enum": [name for path in paths for name in self.choices.get(path, ())],
        }


def _hints(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """The fields of a model with their annotations as they are written."""
    hints = get_type_hints(model, include_extras=True)
    for name in model.model_fields:
        yield name, hints[name]


def _without_none(hint: Any) -> Any:
    """An annotation without `| None`."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    (inner,) = (option for option in get_args(hint) if option is not type(None))
    return inner


def _limits(metadata: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    for item in metadata:
        for limit in item.metadata if isinstance(item, FieldInfo) else ():
            for key in _KEYWORDS:
                if (value := getattr(limit, key, PydanticUndefined)) not in (
                    None,
                    PydanticUndefined,
                ):
                    yield key, value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


_KEYWORDS: dict[str, Any] = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "pattern": "pattern",
    "min_length": {"array": "minItems", "object": "minProperties", "string": "minLength"},
    "max_length": {"array": "maxItems", "object": "maxProperties", "string": "maxLength"},
}
"""Limits of pydantic's → keywords of JSON Schema."""

_SPELLINGS: dict[Any, Schema] = {
    int: {"type": "string", "pattern": "^[-+]?[0-9]+(_[0-9]+)+$"},
    float: {
        "type": "string",
        "pattern": r"^(?=.*[_eE])[-+]?([0-9]+(_[0-9]+)*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$",
    },
}
"""Numbers that other readers of YAML take for text: `10_000`, and with YAML 1.1 `1e-3`."""


def _or(*options: Schema) -> Callable[[Schema, _Names], Schema]:
    """A short form beside the long one."""
    return lambda schema, _: {"anyOf": [*options, schema]}


def _or_name(schema: Schema, names: _Names) -> Schema:
    return {"anyOf": [names.schema(), schema]}


def _or_item(schema: Schema, _: _Names) -> Schema:
    return {"anyOf": [schema["items"], schema]}


_SHORT_FORMS: dict[Any, Callable[[Schema, _Names], Schema]] = {
    models._number_as_text: _or({"type": "number"}),
    models._whole_as_float: lambda schema, _: schema,  # to JSON Schema a whole number is a number
    models._one_or_many: _or_item,
    models._harmonics: _or({"const": True}),
    models._recovery: _or({"type": ["boolean", "null"]}),
    models._checkpoint: _or({"enum": [False, None]}),
    models._balance: _or_name,
    models._schedule: _or_name,
    models._reference: lambda schema, names: nullable(_or_name(schema, names)),
}
"""What a value may be besides its long form, by the function that turns the one into the other."""
