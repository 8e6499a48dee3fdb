"""A small YAML subset → plain values that remember where they stand.

Read from PyYAML's event stream with a stack of our own: no object is ever constructed, no alias followed,
no tag obeyed, nesting is bounded, and numbers are read as a person means them (`1e-3` is one; `on` is not
true).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from laaf_cli.errors import Fault, Mark, SpecError, UsageError

MAX_BYTES = 200_000
MAX_NESTING = 12

KeyPath = tuple[str | int, ...]
"""Where a value stands in the tree: keys and indices from the root."""

_INTEGER = re.compile(r"[-+]?[0-9]+(_[0-9]+)*")
_FLOAT = re.compile(r"[-+]?([0-9]+(_[0-9]+)*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True)
class Text:
    """A named text; the name is what errors show (a path, or the flag that a value came from)."""

    name: str
    content: str
    start: int = 0
    """Where the YAML begins; what stands before it (as `--set a.b=`) is only shown."""

    def mark(self, line: int, column: int, length: int) -> Mark:
        lines = self.content.splitlines()
        return Mark(self.name, line, column, max(1, length), lines[line] if line < len(lines) else "")


@dataclass
class Value:
    """A value of the tree: `data` is a scalar, a list of values, or a dict of values by key."""

    data: Any
    mark: Mark
    style: str | None = None
    keys: dict[str, Mark] = field(default_factory=dict)

    def plain(self) -> Any:
        """The value as numbers, strings, lists and dicts."""
        if isinstance(self.data, dict):
            return {key: value.plain() for key, value in self.data.items()}
        if isinstance(self.data, list):
            return [value.plain() for value in self.data]
        return self.data

    def locate(self, path: KeyPath) -> Value:
        """The value at a path, or the nearest one above it that exists."""
        value = self
        for step in path:
            child = value.child(step)
            if child is None:
                break
            value = child
        return value

    def child(self, step: str | int) -> Value | None:
        if isinstance(self.data, dict) and step in self.data:
            child: Value = self.data[step]
            return child
        if isinstance(self.data, list) and isinstance(step, int) and 0 <= step < len(self.data):
            item: Value = self.data[step]
            return item
        return None

    def within(self, span: tuple[int, int]) -> Mark:
        """The place of some characters of a one-line text, or of the whole text where it is escaped."""
        if isinstance(self.data, str):
            opening = 1 if self.style in ("'", '"') else 0
            first = self.mark.column + opening
            if self.mark.line_text[first : first + len(self.data)] == self.data:
                return replace(self.mark, column=first + span[0], length=max(1, span[1] - span[0]))
        return self.mark


def read_text(path: Path, what: str = "spec") -> Text:
    """The text of a small UTF-8 file.

    Raises UsageError where there is no file to read, SpecError where it is too large or not text.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory; a {what} is a YAML file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SpecError([Fault(f"{path} has {size:,} bytes; a {what} has at most {MAX_BYTES:,}")])
        with path.open("rb") as file:  # a device or a pipe has no size to go by
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise SpecError([Fault(f"{path} is longer than {MAX_BYTES:,} bytes, the limit for a {what}")])
    try:
        return Text(str(path), content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SpecError([Fault(f"{path} is not a text file: byte {error.start} is not UTF-8")]) from None


def read_yaml(text: Text) -> Value:
    """The tree of a YAML text; raises SpecError at the first place that cannot be read.

    Duplicate keys are all reported together.
    """
    return _Builder(text).build()


def read_scalar(written: str, style: str | None = None) -> Any:
    """What a scalar means: quoted is text; else a whole number, a number, true, false, nothing, or text."""
    if style is not None:
        return written
    if written in _WORDS:
        return _WORDS[written]
    if len(written) < 300:
        if _INTEGER.fullmatch(written):
            return int(written)
        if _FLOAT.fullmatch(written) and math.isfinite(number := float(written)):
            return number
    return written


class _Builder:
    """Builds the tree from parse events; the stack replaces the recursion that hostile nesting would exhaust."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.faults: list[Fault] = []

    def build(self) -> Value:
        root: Value | None = None
        stack: list[tuple[Value, list[Value]]] = []
        for event in self._events():
            match event:
                case yaml.ScalarEvent():
                    value = Value(read_scalar(event.value, event.style), self._mark(event), event.style)
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    if len(stack) >= MAX_NESTING:
                        raise SpecError([Fault(f"nested more than {MAX_NESTING} levels deep", self._mark(event))])
                    kind: Any = [] if isinstance(event, yaml.SequenceStartEvent) else {}
                    stack.append((Value(kind, self._mark(event)), []))
                    continue
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    value, items = stack.pop()
                    self._close(value, items)
                case _:
                    continue
            if stack:
                stack[-1][1].append(value)
            elif root is None:
                root = value
            else:
                raise SpecError([Fault("a spec is one document, and here a second begins", value.mark)])
        if self.faults:
            raise SpecError(self.faults)
        return root or Value(None, self.text.mark(0, 0, 1))

    def _close(self, value: Value, items: list[Value]) -> None:
        if isinstance(value.data, list):
            value.data.extend(items)
            return
        for key, item in zip(items[::2], items[1::2], strict=True):
            if isinstance(key.data, (list, dict)):
                self.faults.append(Fault("a key is a word, not a list or a mapping", key.mark))
                continue
            name = "" if key.data is None else self._written(key)
            if name in value.data:
                first = value.keys[name].line + 1
                self.faults.append(Fault(f"the key '{name}' stands here twice", key.mark, f"First on line {first}."))
                continue
            value.data[name] = item
            value.keys[name] = key.mark

    def _written(self, key: Value) -> str:
        """A key as it was written: `1` and `true` are words when they are keys."""
        if isinstance(key.data, str):
            return key.data
        return key.mark.line_text[key.mark.column : key.mark.column + key.mark.length]

    def _events(self) -> Iterator[Any]:
        start = self.text.start
        try:
            for event in yaml.parse(" " * start + self.text.content[start:], Loader=yaml.SafeLoader):
                if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                    raise SpecError([Fault("anchors and aliases (& and *) are not read", self._mark(event), "Write the value out.")])  # fmt: skip
                if getattr(event, "tag", None):
                    raise SpecError([Fault(f"tags such as {event.tag[:40]} are not read", self._mark(event))])
                yield event
        except yaml.MarkedYAMLError as error:
            raise SpecError([self._syntax_fault(error)]) from None
        except yaml.YAMLError as error:
            reason = getattr(error, "reason", "") or "not YAML"
            raise SpecError([Fault(f"{self.text.name} cannot be read as YAML: {reason}")]) from None

    def _syntax_fault(self, error: yaml.MarkedYAMLError) -> Fault:
        place = error.problem_mark or error.context_mark
        mark = self.text.mark(place.line, place.column, 1) if place else None
        what = error.problem or error.context or "this is not YAML"
        for symptom, sentence, hint in _SYNTAX:
            if symptom in what:
                return Fault(sentence, mark, hint)
        return Fault(f"not YAML: {what}", mark)

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        length = end.column - start.column if end.line == start.line else 10**6
        mark = self.text.mark(start.line, start.column, length)
        rest = len(mark.line_text.rstrip()) - mark.column
        return replace(mark, length=max(1, min(length, rest)))


_SYNTAX = (
    ("mapping values are not allowed here", "a colon is not expected here", "Put the value on this key's own line, or in quotes."),
    ("found character '\\t'", "a tab cannot indent", "Indent with spaces."),
    ("found character '%'", "a value cannot begin with '%'", "Put it in quotes."),
    ("found character '@'", "a value cannot begin with '@'", "Put it in quotes."),
    ("found character '`'", "a value cannot begin with '`'", "Put it in quotes."),
    ("did not find expected ',' or '}'", "a '}' or ',' is missing", ""),
    ("did not find expected ',' or ']'", "a ']' or ',' is missing", ""),
    ("expected ',' or '}'", "a '}' or ',' is missing", ""),
    ("expected ',' or ']'", "a ']' or ',' is missing", ""),
    ("could not find expected ':'", "a ':' is missing after a key", "Write 'key: value', with a space after the colon."),
    ("found unexpected end of stream", "a quote is never closed", ""),
    ("expected <block end>", "this does not line up with what stands above it", "Keys of one mapping begin in one column."),
)  # fmt: skip

