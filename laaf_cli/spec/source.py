"""A small YAML subset → plain values that remember their place.

Read from PyYAML's event stream with a stack of our own: no object is ever constructed, no alias
followed, no tag obeyed, nesting is bounded, and numbers are read as a person means them (`1e-3` is
one; `on` is not true).
"""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from laaf_cli.errors import Fault, Mark, SpecError, UsageError
from laaf_cli.text import printable, shown

MAX_BYTES = 50_000
MAX_NESTING = 12
MAX_VALUES = 10_000  # and keys: what a text costs to read grows with them
MAX_FAULTS = 50

KeyPath = tuple[str | int, ...]
"""The place of a value in the tree: keys and indices from the root."""

_INTEGER = re.compile(r"[-+]?[0-9]+(_[0-9]+)*")
_FLOAT = re.compile(r"[-+]?([0-9]+(_[0-9]+)*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # those of YAML, by which it counts lines
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True)
class Text:
    """A named text; the name is what errors show (a path, or the flag that a value came from)."""

    name: str
    content: str
    start: int = field(default=0, kw_only=True)
    """Where the YAML begins; what precedes it, such as the path of a key, is only shown."""
    keys: tuple[str, ...] = field(default=(), kw_only=True)
    """The key that each line belongs to, in a spec that was made of objects."""

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        return _LINE_BREAK.split(self.content)

    def mark(self, line: int, column: int, length: int) -> Mark:
        """A place of at least one character; lines and columns from 0."""
        return Mark(
            source=self.name,
            line=line,
            column=column,
            length=max(1, length),
            line_text=self.lines[line] if line < len(self.lines) else "",
            key=self.keys[line] if line < len(self.keys) else "",
        )


@dataclass(kw_only=True)
class Value:
    """A value of the tree: `data` is a scalar, a list of values, or a dict of values by key."""

    data: Any
    mark: Mark
    style: str | None = None
    """The quotes or the `|` or `>` of a text, `flow` for what is in brackets."""
    keys: dict[str, Mark] = field(default_factory=dict)
    below: tuple[Mark, ...] = ()
    """The lines after the first, where a text has several."""

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
        """The value under a key, or the item at an index, if it exists."""
        if isinstance(self.data, dict) and step in self.data:
            child: Value = self.data[step]
            return child
        if isinstance(self.data, list) and isinstance(step, int) and 0 <= step < len(self.data):
            item: Value = self.data[step]
            return item
        return None

    def put(self, step: str | int, child: Value, key_mark: Mark) -> None:
        """Sets an item of a list (or the next one), or a key of a mapping that `key_mark` shows
        from then on.
        """
        if isinstance(self.data, list):
            self.data[int(step) : int(step) + 1] = [child]
        else:
            self.data[str(step)] = child
            self.keys[str(step)] = key_mark

    def within(self, span: tuple[int, int]) -> Mark:
        """The place of some characters of a text; that of the whole text where escapes hide
        them.
        """
        if not isinstance(self.data, str):
            return self.mark
        opening = 1 if self.style in ("'", '"') else 0
        first = self.mark.column + opening
        if self.mark.line_text[first : first + len(self.data)] == self.data:
            return replace(self.mark, column=first + span[0], length=max(1, span[1] - span[0]))
        return self._in_lines(span) or self.mark

    def _in_lines(self, span: tuple[int, int]) -> Mark | None:
        """The place in a text of several lines: the word there is the k-th of its kind, here as
        in the file.
        """
        words = self.data[span[0] : span[1]].split()
        if not words or not self.below:
            return None
        pattern = re.compile(f"(?={re.escape(words[0])})")
        k = sum(match.start() < span[0] for match in pattern.finditer(self.data))
        lines = self.below if self.style in ("|", ">") else (self.mark, *self.below)
        matches = [
            (line, match.start())
            for line in lines
            for match in pattern.finditer(line.line_text, line.column)
        ]
        if k >= len(matches):
            return None
        line, column = matches[k]
        return replace(line, column=column, length=len(words[0]))


def read_text(path: Path, what: str = "spec is a YAML file") -> Text:
    """The text of a small UTF-8 file.

    Args:
        what: what the file should be.

    Raises:
        UsageError: there is no file to read.
        SpecError: it is too large or not text.
    """
    kind = what.partition(" is ")[0]
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{path} is a directory; a {what}")
        # A pipe or a device may never end, or never begin.
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a regular file; a {what}")
        if status.st_size > MAX_BYTES:
            what = f"{path} has {status.st_size:,} bytes; a {kind} has at most {MAX_BYTES:,}"
            raise SpecError([Fault(what)])
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        what = f"{path} is longer than {MAX_BYTES:,} bytes, the limit for a {kind}"
        raise SpecError([Fault(what)])
    try:
        return Text(str(path), content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        what = f"{path} is not a text file: byte {error.start} is not UTF-8"
        raise SpecError([Fault(what)]) from None


def read_yaml(text: Text) -> Value:
    """The tree of a YAML text.

    Duplicate keys are all reported together.

    Raises:
        SpecError: at the first place that cannot be read.
    """
    # Of a run file, or of the command line; files are not even read.
    if len(text.content) > MAX_BYTES:
        has = f"{printable(text.name)} has {len(text.content):,} characters"
        raise SpecError([Fault(f"{has}; a spec has at most {MAX_BYTES:,}")])
    return _TreeBuilder(text).build()


def read_scalar(written: str, style: str | None = None) -> Any:
    """What a scalar means: quoted is text; else an integer, a number, true, false, nothing,
    or text.
    """
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


class _TreeBuilder:
    """Builds the tree from parse events; the stack replaces the recursion that hostile nesting
    would exhaust.
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self.faults: list[Fault] = []

    def build(self) -> Value:
        root: Value | None = None
        stack: list[tuple[Value, list[Value]]] = []
        n_values = 0
        for event in self._events():
            n_values += isinstance(event, yaml.NodeEvent)
            if n_values > MAX_VALUES:
                what = f"a spec has at most {MAX_VALUES:,} keys and values"
                raise SpecError([Fault(what, self._mark(event))])
            match event:
                case yaml.ScalarEvent():
                    mark = self._mark(event)
                    # What a file may not hold does not come into it by an escape either, as
                    # in "\e[31m".
                    if match := yaml.reader.Reader.NON_PRINTABLE.search(event.value):
                        what = f"the character {match[0]!a} is not allowed in a spec"
                        raise SpecError([Fault(what, mark, "Leave out the escape.")])
                    data = read_scalar(event.value, event.style)
                    ends: Any = event
                    first, last = ends.start_mark.line + 1, ends.end_mark.line + 1
                    lines = range(first, min(last, len(self.text.lines)))
                    below = tuple(self.text.mark(line, 0, 1) for line in lines)
                    value = Value(data=data, mark=mark, style=event.style, below=below)
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    if len(stack) >= MAX_NESTING:
                        what = f"nested more than {MAX_NESTING} levels deep"
                        raise SpecError([Fault(what, self._mark(event))])
                    kind: Any = [] if isinstance(event, yaml.SequenceStartEvent) else {}
                    style = "flow" if event.flow_style else None
                    stack.append((Value(data=kind, mark=self._mark(event), style=style), []))
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
                what = "a spec is one document, and here a second begins"
                raise SpecError([Fault(what, value.mark)])
        if self.faults:
            raise SpecError(self.faults)
        return root or Value(data=None, mark=self.text.mark(0, 0, 1))

    def _close(self, value: Value, items: list[Value]) -> None:
        # A bare text in which a parenthesis stays open and after which a comma follows, as in {a:
        # atan2(x, y)}.
        bare = [item for item in items[:-1] if isinstance(item.data, str) and item.style is None]
        torn = [item for item in bare if item.data.count("(") > item.data.count(")")]
        if value.style == "flow" and torn:
            hint = "In {…} and […] a comma ends the value: put it in quotes."
            what = f"the comma after {shown(torn[0].data)} splits a value"
            self.faults.append(Fault(what, torn[0].mark, hint))
            return
        if isinstance(value.data, list):
            value.data.extend(items)
            return
        for key, item in zip(items[::2], items[1::2], strict=True):
            if isinstance(key.data, (list, dict)):
                self.faults.append(Fault("a key is a word, not a list or a mapping", key.mark))
                continue
            mark = key.mark
            name = key.data
            if not isinstance(name, str):
                # As it was written: `1` and `true` are words when they are keys.
                name = mark.line_text[mark.column : mark.column + mark.length]
            if name in value.data:
                first = value.keys[name].line + 1
                what = f"duplicate key {shown(name)}"
                self.faults.append(Fault(what, key.mark, f"First on line {first}."))
                if len(self.faults) >= MAX_FAULTS:
                    raise SpecError(self.faults)
                continue
            value.data[name] = item
            value.keys[name] = key.mark

    def _events(self) -> Iterator[Any]:
        start = self.text.start
        try:
            loader = yaml.SafeLoader(" " * start + self.text.content[start:])
            while loader.check_event():
                event: Any = loader.get_event()  # type: ignore[no-untyped-call]
                if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                    raise SpecError([Fault(_ANCHORS[0], self._word(event), _ANCHORS[1])])
                if getattr(event, "tag", None):
                    raise SpecError([Fault(_TAGS[0], self._word(event), _TAGS[1])])
                yield event
        except yaml.MarkedYAMLError as error:
            raise SpecError([self._syntax_fault(error)]) from None
        except yaml.reader.ReaderError as error:
            character = ascii(self.text.content[error.position])
            what = f"the character {character} is not allowed in a YAML file"
            above = _LINE_BREAK.split(self.text.content[: error.position])
            mark = self.text.mark(len(above) - 1, len(above[-1]), 1)
            raise SpecError([Fault(what, mark)]) from None
        except (ValueError, OverflowError):
            # PyYAML takes the number of a directive or of an escape, however large.
            mark = self._place(loader.get_mark())
            line, column = mark.line_text, mark.column - len("\\U")
            if line[column : mark.column] != "\\U":
                raise SpecError([Fault(_DIRECTIVE, replace(mark, column=0))]) from None
            what = f"the escape {line[column : column + 10]} is not a character"
            escape = replace(mark, column=column, length=10)
            raise SpecError([Fault(what, escape, "Leave out the escape.")]) from None

    def _syntax_fault(self, error: yaml.MarkedYAMLError) -> Fault:
        problem, context = error.problem or "", error.context or ""
        place = self._place(error.problem_mark or error.context_mark)
        beginning = self._to_end(self._place(error.context_mark or error.problem_mark))
        for mark in (beginning, place):
            if squeezed := _NO_SPACE.match(mark.line_text):
                colon = replace(mark, column=squeezed.end() - 1, length=1)
                return Fault("a space is missing after this ':'", colon, "Write 'key: value'.")
        if match := re.match(r"expected ',' or '([]}])'(, but got '<stream end>')?", problem):
            opening = "{" if match[1] == "}" else "["
            if match[2]:
                return Fault(f"this '{opening}' is never closed", replace(beginning, length=1))
            hint = ""
            if beginning.line < place.line:
                hint = f"The '{opening}' is on line {beginning.line + 1}."
            return Fault(f"a '{match[1]}' or ',' is missing before this", place, hint)
        for symptom, sentence, hint, where in _SYNTAX:
            if symptom in problem or symptom in context:
                return Fault(sentence, beginning if where == "beginning" else place, hint)
        return Fault(f"not YAML: {problem or context}", place)

    def _place(self, mark: Any) -> Mark:
        return self.text.mark(mark.line, mark.column, 1)

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        mark = self.text.mark(start.line, start.column, end.column - start.column)
        return mark if end.line == start.line else self._to_end(mark)

    def _to_end(self, mark: Mark) -> Mark:
        """From a place to the end of its line."""
        return replace(mark, length=max(1, len(mark.line_text.rstrip()) - mark.column))

    def _word(self, event: Any) -> Mark:
        """The characters of an event up to the first blank."""
        mark = self._mark(event)
        return replace(mark, length=max(1, len(mark.line_text[mark.column :].partition(" ")[0])))


_NO_SPACE = re.compile(r"\s*(?:- )?[A-Za-z][A-Za-z0-9_-]*:(?=[^\s/:])")
_ANCHORS = ("anchors and aliases (& and *) are not read", "Write the value out.")
_TAGS = ("tags (words that begin with '!') are not read", "Write the value alone.")
_QUOTES = "Put it in quotes."
_DIRECTIVE = "a line cannot begin with '%'"

_SYNTAX = (
    (
        "mapping values are not allowed here",
        "a colon is not expected here",
        "Write a text that has a colon in quotes; a key begins in the column of its neighbours.",
        "place",
    ),
    ("found character '\\t'", "a tab is not allowed here", "Write spaces.", "place"),
    ("found character '%'", "a value cannot begin with '%'", _QUOTES, "place"),
    ("found character '@'", "a value cannot begin with '@'", _QUOTES, "place"),
    ("found character '`'", "a value cannot begin with '`'", _QUOTES, "place"),
    ("while scanning a block scalar", "a value cannot begin with '|' or '>'", _QUOTES, "beginning"),
    ("mapping keys are not allowed here", "a value cannot begin with '?'", _QUOTES, "place"),
    (
        "escape",
        "a backslash has a meaning of its own in double quotes",
        "Use single quotes.",
        "place",
    ),
    (
        "could not find expected ':'",
        "a ':' is missing after a key",
        "Write 'key: value', with a space after the colon.",
        "beginning",
    ),
    ("while scanning a quoted scalar", "this quote is never closed", "", "beginning"),
    (
        "expected <block end>",
        "this does not line up with what is above it",
        "Keys of one mapping begin in one column.",
        "place",
    ),
    (
        "sequence entries are not allowed here",
        "a '-' is not expected here",
        "Write each item on its own line.",
        "place",
    ),
    ("while scanning an alias", *_ANCHORS, "beginning"),
    ("while scanning an anchor", *_ANCHORS, "beginning"),
    ("tag", *_TAGS, "place"),
    ("directive", _DIRECTIVE, "", "place"),
    ("expected the node content", "a value is missing here", "", "place"),
    (
        "expected '<document start>'",
        "this is outside of the spec",
        "A spec is one mapping, without directives (%).",
        "place",
    ),
)
"""What PyYAML says, what we say, how to mend it, and whether to point at the beginning of what
is wrong.
"""
