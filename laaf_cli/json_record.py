"""Records as JSON: their plain values, and the JSON Schema of those (draft 2020-12)."""

from __future__ import annotations

from dataclasses import is_dataclass
from functools import cache
from typing import Any, ClassVar, Union, cast

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import core_schema

from laaf_cli.spec.schema import PlainSchema

VERSION = 3
"""Version of all schemas of `--json`; a key that is renamed, removed or given another meaning
raises it.
"""


class JsonRecord:
    """A record that is printed by `--json`: a frozen dataclass whose fields have docstrings."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        use_attribute_docstrings=True,
        extra="forbid",
        json_schema_serialization_defaults_required=True,
    )

    def as_json(self) -> dict[str, Any]:
        """Plain values, by name."""
        plain: dict[str, Any] = _adapter(cast("Any", type(self))).dump_python(self, mode="json")
        return plain


@cache
def _adapter(record: Any) -> TypeAdapter[Any]:
    return TypeAdapter(record)


def record_schema(command: str, *records: type) -> dict[str, Any]:
    """The schema of what `laaf COMMAND --json` prints, which is a record of that type, or of one
    of these types.
    """
    adapter = _adapter(Union[records])  # noqa: UP007 - of any number of types
    schema = adapter.json_schema(mode="serialization", schema_generator=_Generator)
    return {
        "$schema": _Generator.schema_dialect,
        "$id": f"urn:laaf:{command}:{VERSION}",
        **schema,
        "title": f"laaf {command} --json",
    }


class _Generator(PlainSchema):
    """Refuses fields without a description."""

    def float_schema(self, schema: core_schema.FloatSchema) -> dict[str, Any]:
        """A number that is not finite is printed as null."""
        made = super().float_schema(schema)
        return made if schema.get("allow_inf_nan") is False else made | {"type": ["number", "null"]}

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> dict[str, Any]:
        made = super().dataclass_schema(schema)
        for base in schema["cls"].__mro__[1:]:  # of which pydantic does not read the docstrings
            if is_dataclass(base):
                inherited = _adapter(base).json_schema(schema_generator=_Generator)
                for name, part in inherited["properties"].items():
                    made["properties"][name].setdefault("description", part["description"])
        for name, part in made["properties"].items():
            if "description" not in part:
                raise TypeError(
                    f"{schema['cls'].__name__}.{name} has no docstring, which the schema of "
                    "--json takes its words from"
                )
        return made
