"""A YAML text and the command line's changes to it → a checked spec, or every fault at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from laaf_cli.errors import Fault, Mark, SpecError
from laaf_cli.runs.task import task_of_keys
from laaf_cli.spec.models import MAX_LABEL, MAX_NAME, RunSpec, TaskSpec
from laaf_cli.spec.source import MAX_FAULTS, MAX_NESTING, KeyPath, Text, Value, read_yaml
from laaf_cli.spec.synonyms import bare, choice_meant, key_meant, written
from laaf_cli.text import did_you_mean, listed, shown

_MISSPELT = 0.8
"""The likeness of a key and a misspelt one; what is less like may be another word."""

_INDEX = re.compile("[0-9]{1,6}")

SpecModel = TypeVar("SpecModel", bound=TaskSpec)


@dataclass(frozen=True)
class Override:
    """A change of a spec: its place, the new value as YAML, and what was typed before the value."""

    path: KeyPath
    text: str
    flag: str
    """How the origin is named: an option on a command line, `n=` in a call from Python."""

    @classmethod
    def from_assignment(cls, assignment: str, flag: str = "") -> Override:
        """`network.hidden=[50,50]`.

        Args:
            flag: what was typed before it.

        Raises:
            SpecError: without a path or an equals sign.
        """
        dotted, equals, text = assignment.partition("=")
        words = dotted.strip().split(".")
        mark = _typed(flag + assignment).mark(0, len(flag), len(assignment))
        name = flag.strip() or "a setting"
        if not equals or "" in words:
            example = f"Example: {flag}network.hidden=[50,50]."
            raise SpecError([Fault(f"{name} takes PATH=VALUE", mark, example)])
        if not dotted.isprintable():
            what = f"the path of {name} holds characters that no key has"
            raise SpecError([Fault(what, mark)])
        if len(words) > MAX_NESTING:
            raise SpecError([Fault(f"the path of {name} has more than {MAX_NESTING} steps", mark)])
        steps = tuple(int(word) if _INDEX.fullmatch(word) else word for word in words)
        return cls(steps, text, f"{flag}{dotted}=")

    def value(self) -> Value:
        """The value, with its place in what was typed."""
        if not self.text.strip():
            return Value(data=None, mark=_typed(self.flag).mark(0, len(self.flag) - 1, 1))
        return read_yaml(_typed(self.flag + self.text, len(self.flag)))

    @property
    def key_mark(self) -> Mark:
        """The place of the path in what was typed."""
        path = self.flag.strip().rpartition(" ")[2].removesuffix("=")
        return _typed(self.flag + self.text).mark(0, self.flag.index(path), len(path))


def _typed(text: str, start: int = 0) -> Text:
    return Text("command line" if text.startswith("-") else "arguments", text, start=start)


@dataclass(frozen=True, kw_only=True)
class LoadedSpec(Generic[SpecModel]):
    """A spec that may have faults."""

    text: Text
    root: Value
    """The values with their places, also of what was wrong, so that one fault does not give rise to
    others.
    """
    spec: SpecModel | None
    """The models, without the parts that were wrong; None where too little is left."""
    faults: tuple[Fault, ...]


def load(text: Text, overrides: Sequence[Override] = ()) -> LoadedSpec[RunSpec]:
    """The spec of an equation as a YAML text, with the overrides put in; faults as `load_as` has
    them.
    """
    return load_as(RunSpec, text, overrides)


def load_as(
    model: type[SpecModel], text: Text, overrides: Sequence[Override] = ()
) -> LoadedSpec[SpecModel]:
    """The spec of a YAML text with the overrides put in, as a model.

    Faults of the form are collected in the result, so that those of the meaning can be found as
    well.

    Raises:
        SpecError: the text is not YAML or not a mapping.
    """
    root = read_yaml(text)
    if root.data is None:
        hint = f"`problems('{model.begin_with}')` > my.yaml starts a new spec."
        raise SpecError([Fault(f"{text.name} is empty", None, hint)])
    if not isinstance(root.data, dict):
        hint = f"Example: {model.first_line}."
        raise SpecError([Fault("a spec is a mapping of keys to values", root.mark, hint)])
    _check_task(model, root)
    faults = [fault for override in overrides if (fault := apply(root, override)) is not None]
    plain = root.plain()
    spec: SpecModel | None = None
    for attempt in range(len(model.model_fields)):
        try:
            spec = model.model_validate(plain)
            break
        except ValidationError as error:
            details = error.errors(include_url=False)
            if attempt == 0:
                faults += _faults(model, root, details)
            pruned = [_prune(plain, detail) for detail in details]
            if not all(pruned):
                break
    return LoadedSpec(text=text, root=root, spec=spec, faults=tuple(faults))


def task_of_spec(text: Text) -> str:
    """The name of the task that a spec is of.

    Raises:
        SpecError: the text is not YAML.
    """
    data = read_yaml(text).data
    return task_of_keys(data if isinstance(data, dict) else {}).name


def _check_task(model: type[TaskSpec], root: Value) -> None:
    """Raises SpecError for the spec of another task."""
    task = task_of_keys(root.data)
    if task.name != model.task and task.keys[0] in root.data:
        mark = root.keys.get(task.keys[0], root.mark)
        raise SpecError([Fault(task.misplaced, mark, f"{task.command} trains it.")])


def _faults(model: type[TaskSpec], root: Value, details: Sequence[ErrorDetails]) -> list[Fault]:
    """What pydantic found, in our words; the first of very many."""
    misspelt: dict[KeyPath, list[str]] = {}
    for detail in details:
        if detail["type"] == "extra_forbidden":
            misspelt.setdefault(detail["loc"][:-1], []).append(str(detail["loc"][-1]))
    reported = []
    for detail in details:
        *parent, missing = detail["loc"]
        others = misspelt.get(tuple(parent), [])[:MAX_FAULTS]
        # The kind of a reference goes without saying beside `exact` or `file`, and a missing key
        # that is there under a wrong name is a fault of its own.
        goes_without_saying = (
            detail["type"] == "missing"
            and bool(others)
            and (
                parent == ["reference"]
                or any(
                    did_you_mean(other, [str(missing)])
                    or key_meant(model, (*parent, other)) == (*parent, missing)
                    for other in others
                )
            )
        )
        if not goes_without_saying:
            reported.append(detail)
    faults = [_fault(model, root, detail) for detail in reported[:MAX_FAULTS]]
    if len(reported) > MAX_FAULTS:
        faults.append(Fault(f"{len(reported) - MAX_FAULTS} more faults are not shown"))
    return faults


def apply(root: Value, override: Override) -> Fault | None:
    """Puts an override in its place, making mappings and lists on the way; returns what is
    wrong, if anything.
    """
    value = override.value()
    parent = root
    for depth, step in enumerate(override.path):
        if not isinstance(parent.data, (dict, list)):
            parent.data = [] if step == 0 else {}
        # The first item of an empty list comes into being, any other must be there.
        if isinstance(parent.data, list) and step not in range(max(1, len(parent.data))):
            where, n_items = ".".join(map(str, override.path[:depth])), len(parent.data)
            hint = {0: "It is empty.", 1: f"It has {where}.0."}.get(
                n_items, f"It has {where}.0 to {where}.{n_items - 1}."
            )
            what = f"'{where}' is a list without an item {shown(str(step))}"
            return Fault(what, override.key_mark, hint)
        if depth == len(override.path) - 1:
            break
        child = parent.child(step if isinstance(parent.data, list) else str(step))
        if child is None:
            child = Value(data=None, mark=override.key_mark)
            parent.put(step, child, override.key_mark)
        parent = child
    parent.put(override.path[-1], value, override.key_mark)
    return None


def _prune(plain: Any, detail: ErrorDetails) -> bool:
    """Takes the faulty part out of the plain values; False where nothing can be taken out."""
    parents: list[tuple[Any, str | int]] = []
    here: Any = plain
    for step in detail["loc"]:
        is_list, is_dict = isinstance(here, list), isinstance(here, dict)
        if step not in (range(len(here)) if is_list else here if is_dict else ()):
            break
        parents.append((here, step))
        here = here[step]
    if not parents:
        return len(detail["loc"]) > 1  # it went with another fault of the same part
    # An incomplete list means nothing, nor do equations without all coordinates: they go as a
    # whole.
    while len(parents) > 1 and (isinstance(parents[-1][0], list) or parents[0][1] == "coordinates"):
        parents.pop()
    container, step = parents[-1]
    container.pop(step)
    return True


def _fault(model: type[TaskSpec], root: Value, detail: ErrorDetails) -> Fault:
    """One of pydantic's errors in our words, at its place."""
    kind, context, path = detail["type"], detail.get("ctx", {}), tuple(detail["loc"])
    if kind == "missing":
        return _missing(model, root, path)
    if kind == "extra_forbidden":
        return _unknown_key(model, root, path)
    if path[-1] == "[key]":
        key = str(path[-2])
        return _not_a_name(path[:-1], key, root.locate(path[:-2]).keys.get(key))
    value = root.locate(path)
    if kind in ("string_pattern_mismatch", "string_too_long"):
        return _not_a_name(path, str(value.data), value.mark)
    name, shown_value = _name(root, path), _given(value)
    if kind == "literal_error":
        expected = str(context["expected"]).replace(" or ", ", ").split(", ")
        choices = [choice.strip("'") for choice in expected]
        is_empty = value.data is None
        what = f"'{name}' is empty" if is_empty else f"{shown_value} is not a choice for '{name}'"
        hint = "" if is_empty else choice_meant(str(value.data), choices)
        return Fault(what, value.mark, hint or f"Choices: {listed(choices)}.")
    is_float = isinstance(value.data, float)
    if path[0] != "periodic" and (kind == "int_from_float" or (kind == "int_type" and is_float)):
        is_whole = is_float and value.data.is_integer()
        hint = f"Write {int(value.data)}." if is_whole else ""
        return Fault(f"'{name}' must be an integer, got {shown_value}", value.mark, hint)
    limits = {
        key: f"{limit:,.15g}" if isinstance(limit, float) else f"{limit:,}"
        for key, limit in context.items()
        if isinstance(limit, (int, float))
    }
    template = _SENTENCES.get(kind, "'{name}' cannot be {given}")
    if path[0] == "periodic" and kind in ("int_type", "int_from_float"):
        template = "'{name}' must be true or a number of harmonics, got {given}"
    takes_text = path[-1] in ("where", "equation", "over", "fields")
    kinds = {"form": _form(path), "list": "text or a list" if takes_text else "a list"}
    sentence = template.format(name=name, given=shown_value, **kinds, **limits)
    return Fault(sentence, value.mark, _example(model, path, kind, value))


_SENTENCES = {
    "string_type": "'{name}' must be {form}, got {given}",
    "int_type": "'{name}' must be an integer, got {given}",
    "float_type": "'{name}' must be a number, got {given}",
    "bool_type": "'{name}' must be true or false, got {given}",
    "dict_type": "'{name}' must be a mapping (key: value), got {given}",
    "model_type": "'{name}' must be a mapping (key: value), got {given}",
    "list_type": "'{name}' must be {list}, got {given}",
    "greater_than": "'{name}' must be greater than {gt}, got {given}",
    "greater_than_equal": "'{name}' must be at least {ge}, got {given}",
    "less_than": "'{name}' must be less than {lt}, got {given}",
    "less_than_equal": "'{name}' must be at most {le}, got {given}",
    "too_short": "'{name}' needs {min_length} or more, and has {actual_length}",
    "too_long": "'{name}' has more than {max_length}",
    "finite_number": "'{name}' must be a finite number, got {given}",
}

_OF_STRUCTURE = ("dict_type", "model_type", "list_type", "too_short", "too_long", "missing")


def _example(model: type[TaskSpec], path: KeyPath, kind: str, value: Value) -> str:
    """How a value that has the wrong form is written."""
    examples = model.examples
    section, key = path[0], next(str(step) for step in reversed(path) if isinstance(step, str))
    if section == "periodic" and len(path) > 1:
        return f"Write {key}: true, or a number from 1 to 64; leave out what is not periodic."
    if kind in _OF_STRUCTURE or (section == "conditions" and kind == "string_type"):
        if section == "coordinates" and len(path) > 1:
            return f"Example: {key}: [-1, 1]."
        # What is below a name that the user chose is written like any other of its kind.
        example = examples.get(f"{section}.*") if path[1:] == (key,) else None
        example = example or examples.get(f"{section}.{key}" if key in path[1:] else str(section))
        return f"Example: {key}: {example}." if example else ""
    if key in ("title", "source", "file") and isinstance(value.data, (int, float)):
        return "Put it in quotes."
    return ""


_FORMS = (
    {"unknowns": "a name"}
    | dict.fromkeys(
        ("coordinates", "constants", "equations", "equation", "target", "exact"), "an expression"
    )
    | dict.fromkeys(("transform", "at", "integral", "equals"), "an expression")
    | dict.fromkeys(("periodic", "over"), "the name of a coordinate")
    | {"fields": "the name of an unknown", "weights": "the name of a column"}
    | dict.fromkeys(("only", "importance"), "a comparison")
)
"""What a text below a key is to be; plain text elsewhere."""


def _form(path: KeyPath) -> str:
    """What a text at a path is to be."""
    # A condition's own name says nothing.
    steps = path[:1] + path[2:] if path[0] == "conditions" else path
    return next((form for key, form in _FORMS.items() if key in steps), "text")


def _name(root: Value, path: KeyPath) -> str:
    """The innermost key on the way to a value, with the number of the item where it holds a
    list: `training.0`.
    """
    words: list[str] = []
    value: Value | None = root
    for step in path:
        value = value.child(step) if value is not None else None
        if isinstance(step, str):
            words = [step]
        elif value is not None:
            words.append(str(step))
    return shown(".".join(words))[1:-1]


def _given(value: Value) -> str:
    match value.data:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return str(value.data).lower()
        case str():
            return shown(value.data)
        case _:
            return shown(str(value.data))[1:-1]


def _not_a_name(path: KeyPath, name: str, mark: Mark | None) -> Fault:
    is_label = path[:2] == ("weights", "equations") or (
        path[0] in ("equations", "conditions") and len(path) == 2
    )
    longest = MAX_LABEL if is_label else MAX_NAME
    if len(name) > longest:
        what = f"the name {shown(name)} has {len(name)} characters"
        return Fault(what, mark, f"The limit is {longest}.")
    follow = "letters and digits follow, with single '_' between them"
    if is_label:
        follow = "letters, digits, '-' and '_' follow"
    if path[0] == "coordinates":
        follow = "letters and digits follow, no '_'"
    if path[-1] == "weights":
        follow += "; 'names' maps one to that in the file"
    hint = f"A name begins with a letter (A to Z, a to z); {follow}."
    return Fault(f"{shown(name)} is not a name", mark, hint)


def _missing(model: type[TaskSpec], root: Value, path: KeyPath) -> Fault:
    missing = str(path[-1])
    if len(path) == 1:
        return Fault(
            f"missing key '{missing}'", root.mark, f"Example: {missing}: {model.examples[missing]}."
        )
    parent = root.locate(path[:-1])
    above = root.locate(path[:-2])
    mark = above.keys.get(str(path[-2]), parent.mark)
    what = f"'{_name(root, path[:-1])}' lacks the key '{missing}'"
    return Fault(what, mark, _example(model, path[:-1], "missing", parent))


def _unknown_key(model: type[TaskSpec], root: Value, path: KeyPath) -> Fault:
    key = str(path[-1])
    mark = root.locate(path[:-1]).keys.get(key)
    annotation: Any = model
    for step in path[:-1]:
        annotation = bare(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            annotation = annotation.model_fields[str(step)].annotation
        else:
            annotation = get_args(annotation)[-1]
    known = list(bare(annotation).model_fields)
    where = f" in '{_name(root, path[:-1])}'" if len(path) > 1 else ""
    faces = root.locate(path[:-1]).child("where")
    if "=" in key and faces is not None and isinstance(faces.data, str):
        hint = f"Write several faces in brackets: where: [{faces.data}, {key}]."
        return Fault(f"unknown key {shown(key)}{where}", mark, hint)
    if path[0] == "conditions" and key in _declared_unknowns(root):
        hint = f"A value is given as an equation: equation: {key} = …"
        return Fault(f"unknown key {shown(key)}{where}", mark, hint)
    hint = did_you_mean(key, known, _MISSPELT)
    if not hint and (place := key_meant(model, path)) is not None:
        hint = _meant(model, place, is_here=place[-1] in known)
    hint = hint or did_you_mean(key, known) or f"Keys: {listed(known)}."
    return Fault(f"unknown key {shown(key)}{where}", mark, hint)


def _meant(model: type[TaskSpec], place: KeyPath, *, is_here: bool) -> str:
    """The question whether a key was meant.

    Args:
        is_here: whether it was found where it was expected.
    """
    key = place[-1]
    example = model.examples.get(".".join(map(str, place)), "").partition(", or ")[0]
    if is_here:
        return f"Did you mean '{key}'?" + (f" Example: {key}: {example}." if example else "")
    if len(place) == 1:
        return f"Did you mean '{key}' at the top of the spec?"
    return f"Did you mean '{key}' in '{place[0]}', as in {written(model, place, example or '…')}?"


def _declared_unknowns(root: Value) -> list[Any]:
    declared = root.child("unknowns")
    if declared is None or not isinstance(declared.data, list):
        return []
    return [item.data for item in declared.data]
