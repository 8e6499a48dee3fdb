"""Text → tokens in an order that makes an expression.

Python's grammar reads what passes here. What people get wrong is found here, and not there, because
Python speaks of Python, and differently in every version.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from laaf_cli.expression.faults import ExpressionError, fault
from laaf_cli.expression.functions import FUNCTIONS
from laaf_cli.expression.notations import check_written
from laaf_cli.expression.tree import Span

MAX_LENGTH = 2000
MAX_NAME = 100
MAX_DEPTH = 120

VALUES = "A value is a number, a name, a call of a function, or something in parentheses."
FORMS = "An expression is arithmetic on numbers, names and calls of functions."

WORDS = frozenset(keyword.kwlist)
"""Names that cannot be given, because Python's grammar keeps them for itself."""

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<number>(?:[0-9]+(?:_[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<quotes>'[^']*'?|"[^"]*"?)
  | (?P<operator>\*\*|//|<<|>>|<=|>=|==|!=|:=|->|=>|=<|[-+*/<>=^@%&|~!:.])
  | (?P<punctuation>[(),])
  | (?P<strange>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_BINARY = frozenset({"+", "-", "*", "/", "**", "<", "<=", ">", ">=", "and", "or"})
_SIGNS = frozenset({"+", "-"})
_FUNCTIONS = frozenset({*FUNCTIONS, "D", "laplacian"})

_COMPARE = "Compare with <, <=, > or >=."
_CHOICE = "A choice is written where(condition, value, other value)."
_DERIVATIVE = "A derivative is written u_x, or D(u, x)."

_OTHER_OPERATORS = {
    "^": "A power is written with '**', as in x**2.",
    "@": "A product is written with '*'.",
    "%": "A remainder is written x - a*floor(x/a).",
    "//": "A quotient is written with '/'; floor(a/b) rounds it down.",
    "&": "Two comparisons are joined by 'and'.",
    "|": "Two comparisons are joined by 'or'; an absolute value is written abs(x).",
    "==": f"An equation has one '='. {_COMPARE}",
    "!=": _COMPARE,
    "=>": "Did you mean '>='?",
    "=<": "Did you mean '<='?",
    ".": "Numbers have one decimal point; functions are called by their bare name.",
    "not": "Turn the comparison around: 'not x < 1' is 'x >= 1'.",
    "if": _CHOICE,
    "else": _CHOICE,
    "in": _COMPARE,
    "is": _COMPARE,
}
"""Hints for operators and words of Python that are not part of the language."""

_OTHER_CHARACTERS = {
    **dict.fromkeys("−–—", "Write '-'."),
    **dict.fromkeys("×·⋅∙", "Write '*'."),
    **dict.fromkeys("÷∕", "Write '/'."),
    "≤": "Write '<='.",
    "≥": "Write '>='.",
    "²": "Write '**2'.",
    "³": "Write '**3'.",
    "π": "Write 'pi'.",
    "√": "A root is written sqrt(x).",
    **dict.fromkeys("∂′″", _DERIVATIVE),
    "\\": f"LaTeX is not read. {_DERIVATIVE}",
    **dict.fromkeys("Δ∆∇", "The Laplacian is written laplacian(u)."),
    **dict.fromkeys("[]{}", "Values are grouped by parentheses."),
}
"""Hints for characters that are not part of the language."""


@dataclass(frozen=True)
class Token:
    """Some characters of an expression; `kind` is a group of the pattern above."""

    kind: str
    text: str
    span: Span

    @property
    def is_binary(self) -> bool:
        """Whether this is an operator between two values, such as `+` or `and`."""
        return self.text in _BINARY

    @property
    def is_name(self) -> bool:
        """Whether this names a variable or a function."""
        return self.kind == "name" and not self.is_binary

    @property
    def begins_value(self) -> bool:
        """Whether a value may begin here: a name, a number or `(`."""
        return self.is_name or self.kind == "number" or self.text == "("

    @property
    def ends_value(self) -> bool:
        """Whether a value may end here: a name, a number or `)`."""
        return self.is_name or self.kind == "number" or self.text == ")"

    @property
    def in_product(self) -> str:
        """How the value that begins or ends here is shown in a hint."""
        if self.text in _FUNCTIONS:
            return f"{self.text}(…)"
        return self.text if self.is_name or self.kind == "number" else "(…)"


def equals_signs(text: str) -> list[int]:
    """The places of the signs that make a text an equation.

    Raises ExpressionError for a character or an operator that has no meaning, and for a text that
    is too long.
    """
    places = []
    depth = 0
    for token in tokenize(text, 0, len(text)):
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "=" and depth > 0:
            hint = "Arguments have no names; comparisons are <, <=, > and >=."
            raise fault("'=' has no meaning inside parentheses", token.span, hint)
        if token.text == "=":
            places.append(token.span[0])
    return places


def check_order(text: str, start: int, end: int) -> None:
    """Raises ExpressionError unless values and operators alternate and the parentheses fit, in
    text[start:end].
    """
    tokens = tokenize(text, start, end)
    if not tokens:
        # Where nothing is, not even a blank, the equals sign beside it is shown.
        place = (start, end) if end > start else (max(0, start - 1), max(1, start))
        raise fault("an expression is missing", place, FORMS)
    for token in tokens:
        if token.text == "=":
            raise fault("expected a value, found an equation", token.span, "Write the value alone.")
    _check_parentheses(tokens)
    _check_values(tokens)


def too_deep(span: Span) -> ExpressionError:
    """The fault of an expression with too many operations in each other."""
    hint = (
        f"The limit is {MAX_DEPTH} levels. Each term of a sum is one: put parentheses "
        "around parts of a long sum."
    )
    return fault("the expression is nested too deeply", span, hint)


def _check_parentheses(tokens: list[Token]) -> None:
    opened: list[tuple[Token, bool]] = []  # each with whether it is that of a call
    before: Token | None = None
    for token in tokens:
        if token.text == "(":
            if len(opened) == MAX_DEPTH:
                raise too_deep(token.span)
            opened.append((token, before is not None and before.is_name))
        elif token.text == ")":
            if not opened:
                raise fault("this ')' has no '('", token.span)
            opening, is_call = opened.pop()
            if opening is before and not is_call:
                raise _missing_value("before", token)
        elif token.text == "," and not (opened and opened[-1][1]):
            hint = "Numbers have a decimal point, as in 0.5."
            raise fault("this comma is outside a function call", token.span, hint)
        before = token
    if opened:
        raise fault("this '(' is never closed", opened[-1][0].span)


def _check_values(tokens: list[Token]) -> None:
    first, last = tokens[0], tokens[-1]
    if not first.begins_value and first.text not in _SIGNS:
        raise _missing_value("before", first)
    for before, token in pairwise(tokens):
        is_call = before.is_name and token.text == "("
        is_empty_call = before.text == "(" and token.text == ")"
        if before.ends_value and token.begins_value and not is_call:
            hint = f"A product is written with '*', as in {before.in_product}*{token.in_product}."
            if before.text in _FUNCTIONS:
                hint = f"Write the argument of a function in parentheses, as in {before.text}(…)."
            elif token.text.startswith("."):
                hint = "Numbers have one decimal point."
            raise fault(f"an operator is missing before '{token.text}'", token.span, hint)
        if not (before.ends_value or token.begins_value or token.text in _SIGNS or is_empty_call):
            raise _missing_value("before", token)
    if last.is_binary:
        raise _missing_value("after", last)


def tokenize(text: str, start: int, end: int) -> list[Token]:
    """The tokens of text[start:end] without spaces; raises ExpressionError for the first without
    a meaning.
    """
    if end - start > MAX_LENGTH:
        what = f"the expression has {end - start} characters"
        raise fault(what, (start, end), f"The limit is {MAX_LENGTH} characters.")
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text, start, end):
        token = Token(str(match.lastgroup), match[0], match.span())
        if token.kind != "space":
            if token.kind == "strange" or token.text == "^":
                check_written(text, token.span[0])
            _check_meaning(token, tokens[-1] if tokens else None)
            tokens.append(token)
    return tokens


def _check_meaning(token: Token, before: Token | None) -> None:
    """Raises ExpressionError for a token that no expression has."""
    text, span = token.text, token.span
    if token.kind == "strange":
        raise _strange(token)
    if token.kind == "quotes":
        is_prime = (
            text.startswith("'")
            and before is not None
            and before.is_name
            and before.span[1] == span[0]
        )
        raise fault("quotes have no meaning", span, _DERIVATIVE if is_prime else FORMS)
    if token.kind == "number" and re.fullmatch("0[0-9_]*[1-9][0-9_]*", text):
        raise fault("an integer has no leading zeros", span, f"Write {text.lstrip('0_')}.")
    if token.kind == "name" and len(text) > MAX_NAME:
        what = f"the name '{text[:20]}…' has {len(text)} characters"
        raise fault(what, span, f"The limit is {MAX_NAME} characters.")
    if (token.kind == "operator" or text in WORDS) and not token.is_binary and text != "=":
        raise fault(f"'{text}' has no meaning", span, _OTHER_OPERATORS.get(text, FORMS))


def _strange(token: Token) -> ExpressionError:
    character = token.text
    is_visible = character.isprintable() and not unicodedata.combining(character)
    shown = f"'{character}'" if is_visible else ascii(character)
    normal = unicodedata.normalize("NFKC", character)
    if character in _OTHER_CHARACTERS:
        hint = _OTHER_CHARACTERS[character]
    elif normal == " ":
        hint = "It looks like a space; write a plain one."
    elif normal.isascii() and normal != character:
        hint = f"Did you mean '{normal}'?"
    elif character.isalpha():
        hint = "Names are made of the letters A to Z and digits."
    else:
        hint = FORMS
    return fault(f"the character {shown} has no meaning", token.span, hint)


def _missing_value(side: str, token: Token) -> ExpressionError:
    return fault(f"a value is missing {side} '{token.text}'", token.span, VALUES)
