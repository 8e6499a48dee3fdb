"""The spec as JSON Schema: what a person may write, for editors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema

from laaf_cli.spec import models
from laaf_cli.spec.source import KeyPath

Schema = dict[str, Any]

ONE_OF: dict[type[BaseModel], tuple[str, ...]] = {
    models.ConditionSpec: ("where", "at", "periodic", "integral", "data"),
    models.DataSpec: ("target", "reference", "file"),
    models.ReferenceSpec: ("kind", "exact", "file"),
}
"""Mappings of which one key says what they are, so that it must be there."""

NEVER_EMPTY = (models.ConditionSpec, models.DataSpec)
"""Mappings in which a key without a value is a fault; elsewhere it means the default, where
that does nothing.
"""

_INT_AS_TEXT = {"type": "string", "pattern": "^[-+]?[0-9]+(_[0-9]+)+$"}
_FLOAT_AS_TEXT = {
    "type": "string",
    "pattern": r"^(?=.*[_eE])[-+]?([0-9]+(_[0-9]+)*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$",
}
"""Numbers that other readers of YAML take for text: `10_000`, and with YAML 1.1 `1e-3`."""

_NULL = {"type": "null"}


@dataclass(frozen=True, kw_only=True)
class Written:
    """What may be in the specs of a task."""

    spec: type[BaseModel]
    choices: Mapping[KeyPath, tuple[str, ...]]
    """By path (`*` for any item) the names of a table that a key takes."""
    or_file: Mapping[KeyPath, Schema] = field(default_factory=dict)
    """What else such a key takes."""

    def schema(self) -> Schema:
        """Short forms included, in the draft 7 of JSON Schema, without definitions.

        Never stricter than the loader: what needs more than one key to be seen, as a name that is
        not declared, it leaves to that.
        """
        schema = self.spec.model_json_schema(schema_generator=_WrittenSchema)
        return _Places(self.choices, self.or_file, schema.pop("$defs")).schema(schema, ())


class PlainSchema(GenerateJsonSchema):
    """Descriptions on one line, names of keys as a schema of names, no titles of fields."""

    def generate(
        self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> Schema:
        """The schema, its descriptions on one line."""
        made: Schema = _on_one_line(super().generate(schema, mode))
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: a title would only repeat the key."""
        del schema
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        """The schema of a mapping, with the limits of its keys as `propertyNames`."""
        made: Schema = {
            "type": "object",
            "additionalProperties": self.generate_inner(schema["values_schema"]),
        }
        names = self.generate_inner(schema["keys_schema"])
        if limits := {key: value for key, value in names.items() if key != "type"}:
            made["propertyNames"] = limits
        self.update_with_validations(made, schema, self.ValidationsMapping.object)
        return made


def _on_one_line(part: Any) -> Any:
    if isinstance(part, list):
        return [_on_one_line(item) for item in part]
    if not isinstance(part, dict):
        return part
    made = {key: _on_one_line(value) for key, value in part.items()}
    if isinstance(text := part.get("description"), str):
        made["description"] = "\n\n".join(" ".join(p.split()) for p in text.split("\n\n"))
    return made


class _WrittenSchema(PlainSchema):
    """What a person may write."""

    def int_schema(self, schema: core_schema.IntSchema) -> Schema:
        return {"anyOf": [super().int_schema(schema), _INT_AS_TEXT]}

    def float_schema(self, schema: core_schema.FloatSchema) -> Schema:
        return {"anyOf": [super().float_schema(schema), _FLOAT_AS_TEXT]}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        made = super().default_schema(schema)
        return {k: v for k, v in made.items() if k != "default" or v not in (None, "")}

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        made, model = super().model_schema(schema), schema["cls"]
        if model in NEVER_EMPTY:
            for part in made["properties"].values():
                if "anyOf" in part:
                    part["anyOf"] = [option for option in part["anyOf"] if option != _NULL]
        if model in ONE_OF:
            required = [key for key in made.get("required", []) if key not in ONE_OF[model]]
            made |= {"required": required, "anyOf": [{"required": [key]} for key in ONE_OF[model]]}
        return made


@dataclass(frozen=True)
class _Places:
    """Puts into a schema what depends on the place in the spec: the names that a key takes."""

    choices: Mapping[KeyPath, tuple[str, ...]]
    or_file: Mapping[KeyPath, Schema]
    definitions: Schema

    def schema(self, part: Schema, path: KeyPath) -> Schema:
        """A schema at a path, its definitions put in."""
        made = dict(part)
        if "$ref" in made:
            made = self.definitions[made.pop("$ref").rpartition("/")[2]] | made
        made.pop("title", None)
        if "properties" in made:
            properties = made["properties"].items()
            made["properties"] = {name: self.schema(of, (*path, name)) for name, of in properties}
        for key in ("items", "additionalProperties"):
            if isinstance(made.get(key), dict):
                made[key] = self.schema(made[key], (*path, "*"))
        if "anyOf" in made and "properties" not in made:
            options = [self.schema(option, path) for option in made.pop("anyOf")]
            made |= _any_of(options)
        if made.get("type") == "string" and not {"enum", "pattern"} & made.keys():
            return self._named(made, path)
        return made

    def _named(self, text: Schema, path: KeyPath) -> Schema:
        for place in (path, (*path, "kind"), (*path, "method")):
            if place in self.choices:
                names = {"type": "string", "enum": list(self.choices[place])}
                return (
                    text | names
                    if path not in self.or_file
                    else (
                        {"description": text["description"], "anyOf": [names, self.or_file[path]]}
                    )
                )
        return text


def _any_of(options: list[Schema]) -> Schema:
    """Any of some schemas; a single one that may be null names its place in the faults."""
    flat: list[Schema] = []
    for option in options:
        flat += option["anyOf"] if option.keys() == {"anyOf"} else [option]
    not_null = [option for option in flat if option != _NULL]
    if len(not_null) > 1 or "type" not in not_null[0]:
        return {"anyOf": flat}
    one = not_null[0]
    if not_null == flat:
        return one
    kinds = one["type"] if isinstance(one["type"], list) else [one["type"]]
    names = {"enum": [*one["enum"], None]} if "enum" in one else {}
    return one | {"type": [*kinds, "null"]} | names
