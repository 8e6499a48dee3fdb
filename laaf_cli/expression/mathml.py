"""Text of the language → MathML, which browsers typeset without any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from html import escape

from laaf_cli.expression.faults import ExpressionError
from laaf_cli.expression.parse import parse, parse_comparison, sides
from laaf_cli.expression.tokens import equals_signs
from laaf_cli.expression.tree import Call, Field, Node, Number, Symbol
from laaf_cli.expression.write import ATOM, LEVELS, continues
from laaf_cli.multi_index import parse_suffix

_SIGNS = {"<": "&lt;", "<=": "≤", ">": "&gt;", ">=": "≥", "-": "−"}
_NAMES = {"log": "ln", "asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_BRACKETS = {"abs": ("|", "|"), "floor": ("⌊", "⌋")}


def mathml(text: str, unknowns: Sequence[str] = (), coordinates: Sequence[str] = ()) -> str:
    """An expression, an equation or a comparison as MathML; as code, where it is nothing of these.

    Args:
        text: as it is in a spec.
        unknowns, coordinates: the names of which those of derivatives are made.
    """
    setter = _Setter(unknowns, coordinates)
    try:
        if equals_signs(text):
            inner = "<mo>=</mo>".join(setter.set(side)[0] for side in sides(text))
        elif re.search("[<>]", text) and "(" not in text:
            inner = setter.set(parse_comparison(text))[0]
        else:
            inner = setter.set(parse(text))[0]
    except ExpressionError:
        return f"<code>{escape(text)}</code>"
    return f'<math aria-label="{escape(text)}"><mrow>{inner}</mrow></math>'


class _Setter:
    """Typesets trees whose names are not resolved, so that `D` and `laplacian` stay as written."""

    def __init__(self, unknowns: Sequence[str], coordinates: Sequence[str]) -> None:
        self.unknowns = sorted(unknowns, key=len, reverse=True)
        self.coordinates = coordinates

    def set(self, tree: Node) -> tuple[str, int]:
        """The MathML of a tree, and how tightly it binds."""
        match tree:
            case Symbol(name=name) | Field(unknown=name):
                return self._name(name), ATOM
            case Number(value=value):
                return _number(value)
            case Call(function="/", arguments=(above, below)):
                return f"<mfrac>{self._row(above)}{self._row(below)}</mfrac>", LEVELS["neg"]
            case Call(function="**", arguments=(base, power)):
                shown = f"<msup>{self._within(base, ATOM)}{self._row(power)}</msup>"
                return shown, LEVELS["**"]
            case Call(function="neg", arguments=(inner,)):
                return f"<mo>−</mo>{self._within(inner, LEVELS['*'])}", LEVELS["*"]
            case Call(function=name, arguments=(left, right)) if name in LEVELS:
                level = LEVELS[name]
                least = level if name in ("+", "*", "and", "or") and continues(tree) else level + 1
                if isinstance(right, Call) and right.function == "neg":
                    least = ATOM
                parts = self._within(left, level), self._within(right, least)
                return _sign(name, right).join(parts), level
            case Call():
                return self._function(tree.function, tree.arguments)

    def _function(self, name: str, arguments: Sequence[Node]) -> tuple[str, int]:
        shown = [self._row(argument) for argument in arguments]
        match name, shown:
            case "sqrt", [inner]:
                return f"<msqrt>{inner}</msqrt>", ATOM
            case "exp", [inner]:
                return f"<msup><mi>e</mi>{inner}</msup>", LEVELS["**"]
            case (("abs" | "floor"), [inner]):
                opening, closing = _BRACKETS[name]
                return f"<mo>{opening}</mo>{inner}<mo>{closing}</mo>", ATOM
            case "laplacian", [_]:
                return f"<mi>Δ</mi>{self._within(arguments[0], ATOM)}", LEVELS["neg"]
            case "D", [_, *along] if along:
                order = f"<mn>{len(along)}</mn>" if len(along) > 1 else "<mrow></mrow>"
                below = "".join(f"<mo>∂</mo>{coordinate}" for coordinate in along)
                operator = f"<mfrac><msup><mo>∂</mo>{order}</msup><mrow>{below}</mrow></mfrac>"
                return operator + self._within(arguments[0], ATOM), LEVELS["neg"]
            case "where", [condition, here, else_]:
                rows = (here, f"<mtext>if </mtext>{condition}"), (else_, "<mtext>else</mtext>")
                cells = "".join(
                    "<mtr>" + "".join(f"<mtd>{cell}</mtd>" for cell in row) + "</mtr>"
                    for row in rows
                )
                return f"<mo>{{</mo><mtable>{cells}</mtable>", ATOM
        shown_name = f"<mi>{_NAMES.get(name, name)}</mi>"
        joint = "<mo>,</mo>".join(shown)
        return f"{shown_name}<mo>&#x2061;</mo><mo>(</mo>{joint}<mo>)</mo>", ATOM

    def _row(self, tree: Node) -> str:
        return f"<mrow>{self.set(tree)[0]}</mrow>"

    def _within(self, tree: Node, least: int) -> str:
        shown, level = self.set(tree)
        inner = f"<mo>(</mo>{shown}<mo>)</mo>" if level < least else shown
        return f"<mrow>{inner}</mrow>"

    def _name(self, name: str) -> str:
        for unknown in self.unknowns:
            if not name.startswith(f"{unknown}_"):
                continue
            orders = parse_suffix(name.removeprefix(f"{unknown}_"), self.coordinates)
            if orders:
                along = "".join(
                    _identifier(coordinate) * order
                    for coordinate, order in zip(self.coordinates, orders, strict=True)
                )
                return f"<msub>{_identifier(unknown)}<mrow>{along}</mrow></msub>"
        return _identifier(name)


def _identifier(name: str) -> str:
    """A name, Greek where it is that of a letter; what follows `_`, and digits, as a subscript."""
    if parts := re.fullmatch(r"([A-Za-z]+)_?(\w+)", name):
        base, below = parts.groups()
        if "_" in name or below.isdigit():
            return f"<msub>{_identifier(base)}<mrow>{_identifier(below)}</mrow></msub>"
    if name.isdigit():
        return f"<mn>{name}</mn>"
    size = "SMALL" if name.islower() else "CAPITAL"
    letter = name.lower().replace("lambda", "lamda").upper()
    try:
        shown = unicodedata.lookup(f"GREEK {size} LETTER {letter}") if name.isalpha() else name
    except KeyError:
        shown = name
    return f"<mi>{escape(shown)}</mi>"


def _number(value: float) -> tuple[str, int]:
    digits, _, power = repr(abs(value)).removesuffix(".0").partition("e")
    shown = f"<mn>{digits}</mn>"
    if power:
        base = f"<msup><mn>10</mn><mn>{str(int(power)).replace('-', '−')}</mn></msup>"
        shown = base if digits == "1" else f"{shown}<mo>·</mo>{base}"
    if value < 0:
        return f"<mo>−</mo>{shown}", LEVELS["neg"]
    return shown, LEVELS["*"] if power else ATOM


def _sign(name: str, right: Node) -> str:
    if name != "*":
        is_word = name in ("and", "or")
        return f"<mtext> {name} </mtext>" if is_word else f"<mo>{_SIGNS.get(name, name)}</mo>"
    first = right
    while isinstance(first, Call) and first.function in ("*", "/", "**"):
        first = first.arguments[0]
    return "<mo>·</mo>" if isinstance(first, Number) else '<mo rspace="0.1em">&#x2062;</mo>'
