"""A YAML text and the command line's changes to it → a checked spec, or every fault at once."""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from laaf_cli.errors import Fault, Mark, SpecError, did_you_mean, listed
from laaf_cli.spec.models import RunSpec
from laaf_cli.spec.source import KeyPath, Text, Value, read_yaml


@dataclass(frozen=True)
class Override:
    """A value given on the command line: its place in the spec, its text, and the flag as it was typed."""

    path: KeyPath
    text: str
    flag: str

    @classmethod
    def from_assignment(cls, assignment: str) -> Override:
        """`network.hidden=[50,50]` as `--set` takes it; raises SpecError without a path or an equals sign."""
        dotted, equals, text = assignment.partition("=")
        steps = tuple(int(step) if step.isdecimal() else step for step in dotted.strip().split("."))
        if not equals or not all(step != "" for step in steps):
            mark = Text("command line", f"--set {assignment}").mark(0, 6, len(assignment))
            raise SpecError([Fault("--set takes PATH=VALUE", mark, "As in --set network.hidden=[50,50].")])
        return cls(steps, text, f"--set {dotted}=")

    def value(self) -> Value:
        """The value, with its place on the command line."""
        if not self.text.strip():
            mark = Text("command line", self.flag).mark(0, 0, len(self.flag))
            return Value(None, mark)
        return read_yaml(Text("command line", self.flag + self.text, len(self.flag)))

    @property
    def key_mark(self) -> Mark:
        path = self.flag.removeprefix("--set ").removesuffix("=")
        start = self.flag.index(path)
        return Text("command line", self.flag + self.text).mark(0, start, len(path))


@dataclass(frozen=True)
class LoadedSpec:
    """A spec that may have faults.

    spec: the models, without the parts that were wrong; None where too little is left.
    root: the values with their places; names_declared: keys that stand in the text, also where their value
    is wrong, so that one fault does not give rise to others.
    """

    text: Text
    root: Value
    spec: RunSpec | None
    faults: tuple[Fault, ...]


def load(text: Text, overrides: Sequence[Override] = ()) -> LoadedSpec:
    """The spec of a YAML text with the overrides put in.

    Faults of the form are collected in the result, so that those of the meaning can be found as well.
    Raises SpecError where the text is not YAML or not a mapping.
    """
    root = read_yaml(text)
    if root.data is None:
        raise SpecError([Fault(f"{text.name} is empty", None, "laaf problems burgers > my.yaml starts a new spec.")])
    if not isinstance(root.data, dict):
        raise SpecError([Fault("a spec is a mapping of keys to values", root.mark, "As in: unknowns: [u].")])
    faults = [fault for override in overrides if (fault := apply(root, override)) is not None]
    plain = root.plain()
    spec: RunSpec | None = None
    first = True
    for _ in range(len(RunSpec.model_fields)):
        try:
            spec = RunSpec.model_validate(plain)
            break
        except ValidationError as error:
            details = error.errors(include_url=False)
            if first:
                faults += [_fault(root, detail) for detail in details]
                first = False
            pruned = [_prune(plain, detail) for detail in details]
            if not all(pruned):
                break
    return LoadedSpec(text, root, spec, tuple(faults))


def apply(root: Value, override: Override) -> Fault | None:
    """Puts an override in its place, making mappings on the way; returns what is wrong, if anything."""
    value = override.value()
    parent = root
    for depth, step in enumerate(override.path):
        if isinstance(parent.data, list):
            if not isinstance(step, int) or not 0 <= step < len(parent.data):
                where = ".".join(map(str, override.path[:depth]))
                hint = f"It has {len(parent.data)} items; the first is {where}.0."
                return Fault(f"'{where}' is a list and has no item '{step}'", override.key_mark, hint)
        elif not isinstance(parent.data, dict):
            parent.data = {}
        if depth == len(override.path) - 1:
            break
        child = parent.child(step if isinstance(parent.data, list) else str(step))
        if child is None:
            child = Value({}, override.key_mark)
            parent.put(step, child, override.key_mark)
        parent = child
    parent.put(override.path[-1], value, override.key_mark)
    return None


def _prune(plain: Any, detail: ErrorDetails) -> bool:
    """Takes the faulty part out of the plain values; False where nothing can be taken out."""
    parents: list[tuple[Any, str | int]] = []
    here: Any = plain
    for step in detail["loc"]:
        keys = range(len(here)) if isinstance(here, list) else here if isinstance(here, dict) else ()
        if step not in keys:
            break
        parents.append((here, step))
        here = here[step]
    if not parents:
        return False
    # An incomplete list means nothing: it goes as a whole.
    while len(parents) > 1 and isinstance(parents[-1][0], list):
        parents.pop()
    container, step = parents[-1]
    container.pop(step)
    return True


def _fault(root: Value, detail: ErrorDetails) -> Fault:
    """One of pydantic's errors in our words, at its place."""
    kind, context, path = detail["type"], detail.get("ctx", {}), tuple(detail["loc"])
    if kind == "missing":
        return _missing(root, path)
    if kind == "extra_forbidden":
        return _unknown_key(root, path)
    if path and path[-1] == "[key]":
        key = str(path[-2])
        mark = root.locate(path[:-2]).keys.get(key)
        what, hint = _name_rule(path[0], key)
        return Fault(what, mark, hint)
    value = root.locate(path)
    shown = _shown(value)
    if kind == "literal_error":
        choices = [str(choice).strip("'") for choice in str(context["expected"]).replace(" or ", ", ").split(", ")]
        hint = did_you_mean(str(value.data), choices) or f"Choices: {listed(choices)}."
        return Fault(f"{shown} is not a choice for '{_key(path)}'", value.mark, hint)
    if kind in ("string_pattern_mismatch", "string_too_long"):
        what, hint = _name_rule(path[0], str(value.data))
        return Fault(what, value.mark, hint)
    if kind == "int_from_float" or (kind == "int_type" and isinstance(value.data, float)):
        whole = isinstance(value.data, float) and value.data.is_integer()
        hint = f"Write {int(value.data)}." if whole else ""
        return Fault(f"'{_key(path)}' is a whole number, not {shown}", value.mark, hint)
    template = _SENTENCES.get(kind)
    sentence = (
        template.format(key=_key(path), shown=shown, **context) if template else f"'{_key(path)}': {detail['msg']}"
    )
    hint = _TIMES_HINT if _key(path) == "where" else ""
    return Fault(sentence, value.mark, hint)


_TIMES_HINT = "As in where: x = -1, or where: [x = -1, x = 1]."

_SENTENCES = {
    "string_type": "'{key}' is text, not {shown}",
    "int_type": "'{key}' is a whole number, not {shown}",
    "float_type": "'{key}' is a number, not {shown}",
    "bool_type": "'{key}' is true or false, not {shown}",
    "dict_type": "'{key}' is a mapping (key: value), not {shown}",
    "model_type": "'{key}' is a mapping (key: value), not {shown}",
    "model_attributes_type": "'{key}' is a mapping (key: value), not {shown}",
    "list_type": "'{key}' is a list, not {shown}",
    "greater_than": "'{key}' must be greater than {gt:g}, not {shown}",
    "greater_than_equal": "'{key}' must be at least {ge:g}, not {shown}",
    "less_than": "'{key}' must be less than {lt:g}, not {shown}",
    "less_than_equal": "'{key}' must be at most {le:g}, not {shown}",
    "too_short": "'{key}' needs at least {min_length}, and has {actual_length}",
    "too_long": "'{key}' has more than {max_length}",
    "finite_number": "'{key}' is a finite number, not {shown}",
}


def _key(path: tuple[str | int, ...]) -> str:
    """The innermost key of a path, for a sentence."""
    words = [step for step in path if isinstance(step, str)]
    return words[-1] if words else "spec"


def _shown(value: Value) -> str:
    match value.data:
        case None:
            return "empty"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return str(value.data).lower()
        case _:
            return f"'{str(value.data)[:60]}'" if isinstance(value.data, str) else str(value.data)


def _name_rule(section: str | int, name: str) -> tuple[str, str]:
    if section in ("equations", "conditions", "weights"):
        return (
            f"'{name[:60]}' is not a name",
            "A name begins with a letter; letters, digits, '-' and '_' follow.",
        )
    return f"'{name[:60]}' is not a name", "A name begins with a letter; letters and digits follow, no '_'."


def _missing(root: Value, path: tuple[str | int, ...]) -> Fault:
    missing = path[-1]
    if len(path) == 1:
        hint = {
            "coordinates": "As in coordinates: {x: [-1, 1], t: [0, 1]}.",
            "unknowns": "As in unknowns: [u].",
        }
        return Fault(f"missing key '{missing}'", root.mark, hint.get(str(missing), ""))
    parent = root.locate(path[:-1])
    above = root.locate(path[:-2])
    mark = above.keys.get(str(path[-2]), parent.mark)
    return Fault(f"'{_key(path[:-1])}' lacks the key '{missing}'", mark)


def _unknown_key(root: Value, path: tuple[str | int, ...]) -> Fault:
    key = str(path[-1])
    mark = root.locate(path[:-1]).keys.get(key)
    known = list(_model_at(path[:-1]).model_fields)
    where = f" in '{_key(path[:-1])}'" if len(path) > 1 else ""
    hint = did_you_mean(key, known) or f"Keys: {listed(known)}."
    return Fault(f"unknown key '{key}'{where}", mark, hint)


def _model_at(path: Iterable[str | int]) -> type[BaseModel]:
    """The model that stands at a path of the spec."""
    annotation: Any = RunSpec
    for step in path:
        annotation = _bare(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            annotation = annotation.model_fields[str(step)].annotation
        else:
            annotation = get_args(annotation)[-1]
    model = _bare(annotation)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"no model at {path}")
    return model


def _bare(annotation: Any) -> Any:
    """An annotation without Annotated and without `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            annotation = next(option for option in get_args(annotation) if option is not type(None))
        else:
            return annotation
