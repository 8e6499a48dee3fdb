"""The spec as JSON Schema: what a person may write, for editors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema

<<<<<<< HEAD
from laaf_cli.runs.task import TASKS
=======
>>>>>>> dbbfed2 (Let pydantic write the schema of the spec, short forms and all)
from laaf_cli.spec import models
from laaf_cli.spec.source import KeyPath

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

<<<<<<< HEAD
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
=======
_INT_AS_TEXT = {"type": "string", "pattern": "^[-+]?[0-9]+(_[0-9]+)+$"}
_FLOAT_AS_TEXT = {
    "type": "string",
    "pattern": r"^(?=.*[_eE])[-+]?([0-9]+(_[0-9]+)*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$",
>>>>>>> dbbfed2 (Let pydantic write the schema of the spec, short forms and all)
}
"""Numbers that other readers of YAML take for text: `10_000`, and with YAML 1.1 `1e-3`."""

_NULL = {"type": "null"}


def written_schema(
    spec: type[BaseModel],
    choices: Mapping[KeyPath, tuple[str, ...]],
    or_file: Mapping[KeyPath, Schema] | None = None,
) -> Schema:
    """What may stand in a spec, short forms included, in the draft 7 of JSON Schema, without
    definitions.

    choices: by path (`*` for any item) the names of a table that a key takes. or_file: what else
    such a key takes. Never stricter than the loader: what needs more than one key to be seen, as a
    name that is not declared, it leaves to that.
    """
    schema = spec.model_json_schema(schema_generator=_WrittenSchema)
    return _Places(choices, or_file or {}, schema.pop("$defs")).schema(schema, ())


class PlainSchema(GenerateJsonSchema):
    """Descriptions on one line, names of keys as a schema of names, no titles of fields."""

    def generate(
        self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> Schema:
        made: Schema = _on_one_line(super().generate(schema, mode))
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
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
    given = [option for option in flat if option != _NULL]
    if len(given) > 1 or "type" not in given[0]:
        return {"anyOf": flat}
    one = given[0]
    if given == flat:
        return one
    kinds = one["type"] if isinstance(one["type"], list) else [one["type"]]
    names = {"enum": [*one["enum"], None]} if "enum" in one else {}
    return one | {"type": [*kinds, "null"]} | names
