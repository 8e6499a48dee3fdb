"""Equations, their domain and their conditions as they are said in one line → the keys of a spec.

    u_t = k*u_xx   on x=0..1, t=0..1   conditions u(t=0) = sin(pi*x), u(boundary) = 0   let k=0.1

An unknown is what has a derivative in an equation, or a place in a condition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, count, pairwise
from typing import Any, ParamSpec, TypeVar

from laaf_cli.errors import Fault, SpecError
from laaf_cli.expression import (
    Call,
    ExpressionError,
    Node,
    Number,
    Scope,
    Symbol,
    fields,
    nodes,
    parse,
    parse_equation,
    resolve,
    sides,
)
from laaf_cli.expression.functions import FUNCTIONS
from laaf_cli.expression.notations import check_notation
from laaf_cli.expression.resolve import written_together
from laaf_cli.expression.tokens import WORDS, Token, equals_signs, tokenize
from laaf_cli.expression.tree import ONE, Span
from laaf_cli.multi_index import parse_suffix
from laaf_cli.problem.domain import Domain, Face
from laaf_cli.spec import Text
from laaf_cli.spec.models import NAME_PATTERN
from laaf_cli.spec.source import read_scalar
from laaf_cli.text import did_you_mean, listed, shown

P = ParamSpec("P")
T = TypeVar("T")

_FUNCTIONS = frozenset({*FUNCTIONS, "D", "laplacian"})
_PLACES = "Example: u(t=0) = 1, u_x(x=1) = 0 or u(boundary) = 0."


def keys_of_line(
    equation: Text, *, on: Sequence[Text], conditions: Sequence[Text] = (), let: Sequence[Text] = ()
) -> dict[str, Any]:
    """The keys of a spec, from `title` to `conditions`.

    Args:
        equation: one or several, with commas or semicolons between.
        on: the coordinates in their order, as `x=-1..1, t=0..1`.
        conditions: as `u(t=0) = f`, `u_x(x=1) = 0`, `u(boundary) = 0`; `u(x=0) = u(x=1)` makes u
            periodic along x.
        let: constants and their values, as `nu=0.01/pi`.

    Raises:
        SpecError: what was typed cannot be read, or has names without a meaning.
    """
    line = _Line()
    line.read(let, line.add_constant)
    line.read(on, line.add_coordinate)
    line.stop_at_faults()
    if not line.bounds:
        hint = "`on` names them, as in x=-1..1, t=0..1."
        raise SpecError([Fault("there is no coordinate", None, hint)])
    line.read([equation], line.add_equation)
    line.stop_at_faults()
    line.read(conditions, line.add_condition)
    line.stop_at_faults()
    return {"title": " ".join(equation.content.split()), **line.keys()}


def typed(source: str, flag: str, words: str) -> Text:
    """What was typed behind a flag, in a line.

    Args:
        source: what errors call it.
    """
    return Text(source, flag + re.sub(r"\s", " ", words), start=len(flag))


@dataclass(frozen=True)
class _Piece:
    """A stretch of what was typed."""

    text: Text
    span: Span

    @property
    def words(self) -> str:
        return self.text.content[slice(*self.span)]

    def part(self, start: int, end: int | None = None) -> _Piece:
        """The words from `start` to `end`, without blanks around them."""
        words = self.words[start:end]
        first = self.span[0] + start + len(words) - len(words.lstrip())
        return _Piece(self.text, (first, first + len(words.strip())))

    def fault(self, what: str, hint: str = "") -> SpecError:
        start, end = self.span
        return SpecError([Fault(what, self.text.mark(0, start, end - start), hint)])

    def attempt(self, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `make` returns; the faults of an expression are shown where it was typed."""
        try:
            return make(*args, **kwargs)
        except ExpressionError as error:
            start = self.span[0]
            raise SpecError(
                Fault(fault.what, self.text.mark(0, start + begin, end - begin), fault.hint)
                for fault in error.faults
                for begin, end in [fault.span]
            ) from None

    def split(self) -> list[_Piece]:
        """The parts between commas and semicolons outside of parentheses, unless blank."""
        opened, cuts = [], [-1]
        for i, character in enumerate(self.words):
            if character == "(":
                opened.append(i)
            elif character == ")":
                if not opened:
                    raise self.part(i, i + 1).fault("this ')' has no '('")
                opened.pop()
            elif character in ",;" and not opened:
                cuts.append(i)
        if opened:
            raise self.part(opened[-1], opened[-1] + 1).fault("this '(' is never closed")
        ends = [*cuts[1:], len(self.words)]
        parts = [self.part(cut + 1, end) for cut, end in zip(cuts, ends, strict=True)]
        return [piece for piece in parts if piece.words]

    def assignment(self) -> tuple[_Piece, _Piece | None]:
        """The text before the first equals sign, and behind it; None without one."""
        name, equals, _ = self.words.partition("=")
        return self.part(0, len(name)), self.part(len(name) + 1) if equals else None


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a condition holds: at values of coordinates, or, without any, on the boundary."""

    values: tuple[tuple[str, float], ...] = ()
    """The values, by coordinate."""
    face: Face | None = None
    """The face that the values are, if they are one."""
    words: str = field(compare=False)
    """The place as typed."""
    label: str = field(compare=False)
    """The label of the condition."""
    keys: Mapping[str, Any] = field(compare=False)
    """The keys that say it in the spec."""


@dataclass(frozen=True, kw_only=True)
class _Condition:
    """A condition out of which its places are taken."""

    piece: _Piece
    text: str
    """What is left of the text; one side of it where opposite faces are compared."""
    tree: Node
    """The equation."""
    names: tuple[_Piece, ...]
    """The unknowns, each of which had the place."""
    place: _Place
    periodic: str = ""
    """The coordinate of the faces that are compared."""


class _Line:
    """Collects the parts of a spec, and what is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.constants: dict[str, str] = {}
        self.scope = Scope()
        self.bounds: dict[str, list[str]] = {}
        self.domain = Domain(coordinates=(), lower=(), upper=())
        self.equations: list[tuple[_Piece, Node]] = []
        self.conditions: list[_Condition] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        try:
            yield
        except SpecError as error:
            self.faults += error.faults

    def stop_at_faults(self) -> None:
        if self.faults:
            raise SpecError(self.faults)

    def read(self, texts: Sequence[Text], add: Callable[[_Piece], None]) -> None:
        """Adds all parts of some texts."""
        for text in texts:
            with self.collecting():
                for piece in _Piece(text, (text.start, len(text.content))).split():
                    with self.collecting():
                        add(piece)

    # Names with values

    def add_constant(self, piece: _Piece) -> None:
        name, value = self.declaration(piece, "nu=0.01/pi")
        number = self.number(value)
        self.constants[name] = value.words
        self.scope = replace(self.scope, constants={**self.scope.constants, name: number})

    def add_coordinate(self, piece: _Piece) -> None:
        name, value = self.declaration(piece, "x=-1..1")
        lower, dots, upper = value.words.partition("..")
        if not dots or upper.startswith("."):
            what = f"two points, '..', go between the bounds of '{name}'"
            raise value.fault(what, f"Example: {name}=0..1.")
        ends = value.part(0, len(lower)), value.part(len(lower) + len(dots))
        low, high = map(self.number, ends)
        self.bounds[name] = [end.words for end in ends]
        self.domain = Domain(
            coordinates=tuple(self.bounds),
            lower=(*self.domain.lower, low),
            upper=(*self.domain.upper, high),
        )

    def declaration(self, piece: _Piece, example: str) -> tuple[str, _Piece]:
        """A new name, and what it is to be."""
        name, value = piece.assignment()
        if name.words in WORDS:
            raise name.fault(f"'{name.words}' cannot be a name", "Choose another.")
        if value is None or not re.fullmatch(NAME_PATTERN, name.words):
            hint = f"Example: {example}; names are letters and digits."
            raise piece.fault(f"{shown(piece.words)} is not a name and its value", hint)
        if name.words in self.constants or name.words in self.bounds:
            raise name.fault(f"'{name.words}' is named twice")
        return name.words, value

    def number(self, piece: _Piece) -> float:
        """The value of a constant expression."""
        tree = piece.attempt(parse, piece.words)
        self.check_names(piece, tree, self.scope)
        value = piece.attempt(resolve, tree, self.scope)
        assert isinstance(value, Number)  # noqa: S101 - every name in it is one
        return value.value

    # Equations and conditions

    def add_equation(self, piece: _Piece) -> None:
        _equals_sign(piece, piece.words)
        self.equations.append((piece, piece.attempt(parse_equation, piece.words)))

    def add_condition(self, piece: _Piece) -> None:
        known, left = self.unknowns_of_equations(), piece.words
        calls: list[tuple[_Piece, _Place]] = []
        tokens = piece.attempt(tokenize, piece.words, 0, len(piece.words))
        for name, (start, end), has_equals in _calls(tokens):
            inside = piece.part(start + 1, end - 1)
            if has_equals or inside.words == "boundary":
                calls.append((piece.part(*name.span), self.place(inside)))
                # Tabs, so that all stays where it was typed and they can be taken out.
                left = left[:start] + "\t" * (end - start) + left[end:]
            elif _unknown(name.text) in known:
                call = piece.part(name.span[0], end)
                hint = self.place_by_name(name.text, inside)
                raise call.fault(f"{shown(call.words)} does not name its place", hint)
        if not calls:
            raise piece.fault(f"the condition {shown(piece.words)} has no place", _PLACES)
        sign, periodic = _equals_sign(piece, left), ""
        tree, text = piece.attempt(parse_equation, left), _spaced(left, sign)
        places = list(dict.fromkeys(place for _, place in calls))
        if len(places) > 1:
            before = {place for name, place in calls if name.span[0] < piece.span[0] + sign}
            one, other = piece.attempt(sides, left)
            if one != other or len(before) != 1 or not _are_opposite(places):
                what = f"one condition has several places: {listed(p.words for p in places)}"
                hint = "Use one place, or a periodic condition: u(x=0) = u(x=1)."
                raise piece.fault(what, hint)
            text, periodic = text.partition(" = ")[0], places[0].values[0][0]
        self.conditions.append(
            _Condition(
                piece=piece,
                text=text,
                tree=tree,
                names=tuple(name for name, _ in calls),
                place=places[0],
                periodic=periodic,
            )
        )

    def place(self, piece: _Piece) -> _Place:
        """The text in the parentheses behind an unknown, as `t=0`, `x=0, y=0` or `boundary`."""
        if piece.words == "boundary":
            return _Place(words="boundary", label="boundary", keys={"where": "boundary"})
        texts: dict[str, str] = {}
        values: dict[str, float] = {}
        for part in piece.split():
            name, value = part.assignment()
            coordinate = name.words
            if coordinate not in self.bounds:
                hint = did_you_mean(coordinate, self.bounds)
                hint = hint or f"Coordinates: {listed(self.bounds)}."
                raise name.fault(f"{shown(coordinate)} is not a coordinate", hint)
            if coordinate in values:
                raise name.fault(f"'{coordinate}' appears twice in one place")
            if value is not None:  # the others range freely
                texts[coordinate] = value.words
                values[coordinate] = self.inside(part, coordinate, self.number(value))
        face, label = None, f"at-{'-'.join(texts)}"
        keys: dict[str, Any] = {"at": {name: read_scalar(text) for name, text in texts.items()}}
        if len(values) == 1:
            [(coordinate, number)] = values.items()
            face = self.domain.face(self.domain.coordinates.index(coordinate), number)
        if face is not None:
            keys = {"where": f"{coordinate} = {texts[coordinate]}"}
            label = f"{coordinate}-{'upper' if face.upper else 'lower'}"
            if coordinate == self.domain.time:
                label = "final" if face.upper else "initial"
        return _Place(
            values=tuple(sorted(values.items())),
            face=face,
            words=piece.words,
            label=label,
            keys=keys,
        )

    def place_by_name(self, name: str, values: _Piece) -> str:
        """How a place is written of which values alone were typed, as `0, t`."""
        by_coordinate = dict(
            zip(self.bounds, [part.words for part in values.split()], strict=False)
        )
        placed = {key: value for key, value in by_coordinate.items() if value != key}
        if (
            len(by_coordinate) == len(self.bounds)
            and placed
            and not placed.values() & self.bounds.keys()
        ):
            return f"Write {name}({', '.join(f'{key}={value}' for key, value in placed.items())})."
        return did_you_mean(values.words, ["boundary"]) or _PLACES

    def inside(self, piece: _Piece, coordinate: str, value: float) -> float:
        """The value of a coordinate, which is to lie in the domain."""
        axis = self.domain.coordinates.index(coordinate)
        low, high = self.domain.lower[axis], self.domain.upper[axis]
        if not low <= value <= high and self.domain.face(axis, value) is None:
            hint = f"There, {coordinate} goes from {low:g} to {high:g}."
            raise piece.fault(f"{shown(piece.words)} lies outside of the domain", hint)
        return value

    # What the names mean

    def unknowns_of_equations(self) -> list[str]:
        """The names that are differentiated in the equations, in their order."""
        others = {*self.scope.words, *self.bounds, *_FUNCTIONS}
        names = [name for _, tree in self.equations for name in _differentiated(tree, self.bounds)]
        return [name for name in dict.fromkeys(names) if name not in others]

    def check_names(self, piece: _Piece, tree: Node, scope: Scope) -> None:
        """Raises SpecError for names without a meaning."""
        along = {  # of which the derivatives speak themselves
            id(name)
            for node in nodes(tree)
            if isinstance(node, Call) and node.function == "D"
            for name in node.arguments[1:]
        }
        faults: list[Fault] = []
        for node in nodes(tree):
            if (
                isinstance(node, Symbol)
                and node.name not in {*scope.words, *_FUNCTIONS}
                and scope.unknown_in(node.name) is None
                and id(node) not in along
            ):
                part = piece.part(*node.span)
                faults += part.fault(f"'{node.name}' has no value", self.remedy(node, scope)).faults
        if faults:
            raise SpecError(faults)

    def remedy(self, name: Symbol, scope: Scope) -> str:
        """How a name gets a meaning."""
        if name.name in self.bounds:
            return "It is a coordinate; write a constant here."
        if "_" in name.name:
            return (
                "A derivative has coordinates behind '_', and `on` names them: "
                f"{listed(self.bounds)}; `let` gives a constant its value, as in {name.name}=1."
            )
        constant = f"`let` gives a constant its value, as in {name.name}=1"
        if not scope.unknowns:
            return f"{constant}."
        return written_together(name.name, scope) or (
            f"{constant}; an unknown has a derivative in an equation, or a condition."
        )

    def resolved(self, piece: _Piece, tree: Node, scope: Scope) -> Node:
        """The tree with its names resolved.

        Raises:
            SpecError: for what they cannot mean.
        """
        for node in nodes(tree):
            if isinstance(node, Call):
                piece.attempt(check_notation, node, scope.unknowns, scope.coordinates)
        self.check_names(piece, tree, scope)
        return piece.attempt(resolve, tree, scope)

    def check(self) -> tuple[str, ...]:
        """The unknowns.

        Raises:
            SpecError: for names without a meaning.
        """
        if not self.equations:
            raise SpecError([Fault("there is no equation", None, "Example: u_t = u_xx.")])
        names = {
            _unknown(name.words): name for condition in self.conditions for name in condition.names
        }
        unknowns = tuple(dict.fromkeys([*self.unknowns_of_equations(), *names]))
        scope = replace(
            self.scope,
            coordinates=tuple(self.bounds),
            unknowns=unknowns,
            time=self.domain.time,
            normal={name: ONE for name in self.bounds if name != self.domain.time},
        )
        governed: dict[str, None] = {}
        for piece, tree in self.equations:
            with self.collecting():
                in_equation = fields(self.resolved(piece, tree, scope))
                governed |= dict.fromkeys(sorted(field.unknown for field in in_equation))
        for condition in self.conditions:
            with self.collecting():
                self.resolved(condition.piece, condition.tree, scope)
                _check_placed(condition, unknowns)
        self.stop_at_faults()
        for unknown, name in names.items():
            if unknown not in governed:
                hint = did_you_mean(unknown, governed) or f"Those have: {listed(governed)}."
                self.faults += name.fault(f"'{unknown}' has no equation", hint).faults
        self.stop_at_faults()
        last, _ = self.equations[-1]
        if not unknowns:
            hint = "An unknown has a derivative in an equation, or a condition."
            raise last.fault("there is no unknown", hint)
        if len(self.equations) < len(unknowns):
            what = f"there are more unknowns ({listed(unknowns)}) than equations"
            raise last.fault(what, "Equations have commas between them.")
        return unknowns

    def keys(self) -> dict[str, Any]:
        """The keys of the spec but for its title.

        Raises:
            SpecError: for names without a meaning.
        """
        unknowns = self.check()
        equations = [
            _spaced(piece.words, _equals_sign(piece, piece.words)) for piece, _ in self.equations
        ]
        labels = ["equation"]
        if len(equations) > 1:
            labels = [f"equation-{i}" for i in range(1, len(equations) + 1)]
        keys: dict[str, Any] = {
            "coordinates": {
                name: [read_scalar(end) for end in ends] for name, ends in self.bounds.items()
            },
            "unknowns": list(unknowns),
            "constants": {name: read_scalar(text) for name, text in self.constants.items()},
            "equations": dict(zip(labels, equations, strict=True)),
            "conditions": self.condition_keys(unknowns),
        }
        return {key: value for key, value in keys.items() if value}

    def condition_keys(self, unknowns: Sequence[str]) -> dict[str, Any]:
        """Conditions of one place become one; what compares opposite faces another."""
        at: dict[_Place, list[str]] = {}
        along: dict[str, list[str]] = {}
        for condition in self.conditions:
            texts = (
                along.setdefault(condition.periodic, [])
                if condition.periodic
                else at.setdefault(condition.place, [])
            )
            texts.append(condition.text)
        keys: dict[str, Any] = {}
        for place, texts in at.items():
            label = next(
                label
                for label in chain([place.label], (f"{place.label}-{i}" for i in count(2)))
                if label not in keys
            )
            keys[label] = {**place.keys, "equation": texts if len(texts) > 1 else texts[0]}
        for coordinate, texts in along.items():
            # Where all unknowns are periodic so are their derivatives, which the spec says by
            # leaving them out.
            some = {} if {*unknowns} <= {*texts} else {"equation": texts}
            keys[f"periodic-{coordinate}"] = {"periodic": coordinate, **some}
        return keys


def _equals_sign(piece: _Piece, words: str) -> int:
    """Where the sign of an equation is in its words.

    Raises:
        SpecError: there is not exactly one.
    """
    signs = piece.attempt(equals_signs, words)
    if not signs:
        hint = "An equation is written left = right."
        raise piece.fault(f"{shown(piece.words)} is not an equation", hint)
    if len(signs) > 1:
        hint = "An equation has one; separate equations by commas."
        raise piece.part(signs[1], signs[1] + 1).fault("there is a second '='", hint)
    return signs[0]


def _spaced(equation: str, sign: int) -> str:
    """An equation without its tabs, one blank on either side of the equals sign."""
    left, right = (
        side.replace("\t", "").split() for side in (equation[:sign], equation[sign + 1 :])
    )
    return f"{' '.join(left)} = {' '.join(right)}"


def _check_placed(condition: _Condition, unknowns: Sequence[str]) -> None:
    """Raises SpecError where an unknown without a place is beside one that has a place."""
    piece = condition.piece
    for node in nodes(condition.tree):
        if isinstance(node, Symbol) and _unknown(node.name) in unknowns:
            here = piece.part(*node.span)
            if here not in condition.names:
                hint = f"Write {node.name}({condition.place.words})."
                raise here.fault(f"'{node.name}' has no place", hint)


def _are_opposite(places: Sequence[_Place]) -> bool:
    """Whether these are the two faces of one coordinate."""
    axes = [place.face.axis for place in places if place.face is not None]
    return len(axes) == len(places) == 2 and axes[0] == axes[1]


def _unknown(name: str) -> str:
    """The unknown that a derivative is of."""
    return name.partition("_")[0]


def _differentiated(tree: Node, coordinates: Collection[str]) -> list[str]:
    """The names that a tree has derivatives of, in the order of the text."""
    names: list[tuple[Span, str]] = []
    for node in nodes(tree):
        match node:
            case Symbol(name=name, span=span):
                unknown, _, suffix = name.partition("_")
                if unknown and suffix and parse_suffix(suffix, tuple(coordinates)) is not None:
                    names.append((span, unknown))
            case Call(function="D" | "laplacian", arguments=(Symbol(name=name, span=span), *_)):
                if "_" not in name:
                    names.append((span, name))
    return [name for _, name in sorted(names)]


def _calls(tokens: Sequence[Token]) -> Iterator[tuple[Token, Span, bool]]:
    """Each name in front of parentheses that is not a function, where those are, and whether an
    equals sign is in them and in no others.
    """
    for i, (name, opening) in enumerate(pairwise(tokens)):
        if not name.is_name or opening.text != "(" or name.text in _FUNCTIONS:
            continue
        depth, has_equals = 0, False
        for token in tokens[i + 1 :]:
            depth += (token.text == "(") - (token.text == ")")
            has_equals |= token.text == "=" and depth == 1
            if depth == 0:
                yield name, (opening.span[0], token.span[1]), has_equals
                break
