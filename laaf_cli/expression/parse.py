"""Text → tree. Python's own grammar reads it, an allow-list of forms admits it, nothing is ever executed."""

from __future__ import annotations

import ast
import math
import warnings

from laaf_cli.expression.faults import ExpressionError, fault
from laaf_cli.expression.functions import COMPARISONS, FUNCTIONS, OTHER_SPELLINGS
from laaf_cli.expression.tree import Call, Node, Number, Span, Symbol

MAX_LENGTH = 2000
MAX_DEPTH = 120

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
_COMPARE: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}

_OTHER_OPERATORS: dict[type[ast.AST], tuple[str, str]] = {
    ast.BitXor: ("'^' is not an operator here", "A power is written with '**', as in x**2."),
    ast.MatMult: ("'@' is not an operator here", "A product is written with '*'."),
    ast.Mod: ("'%' is not an operator here", "x % a can be written x - a*floor(x/a)."),
    ast.FloorDiv: ("'//' is not an operator here", "A quotient is written with '/'; floor(a/b) rounds it down."),
    ast.BitAnd: ("'&' is not an operator here", "Two comparisons are joined by 'and'."),
    ast.BitOr: ("'|' is not an operator here", "Two comparisons are joined by 'or'."),
    ast.LShift: ("'<<' is not an operator here", ""),
    ast.RShift: ("'>>' is not an operator here", ""),
    ast.Invert: ("'~' is not an operator here", ""),
    ast.Not: ("'not' is not an operator here", "Turn the comparison around: 'not x < 1' is 'x >= 1'."),
    ast.Eq: ("'==' is not an operator here", "An equation has one '='; compare with <, <=, > or >=."),
    ast.NotEq: ("'!=' is not an operator here", "Compare with <, <=, > or >=."),
}  # fmt: skip

_OTHER_FORMS: dict[type[ast.AST], str] = {
    ast.Attribute: "a dot after a name",
    ast.Subscript: "an index in brackets",
    ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.NamedExpr: "an assignment",
    ast.JoinedStr: "a text in quotes",
    ast.IfExp: "an if … else",
    ast.Tuple: "a comma outside a function call",
    ast.List: "a list",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.Starred: "a star before a name",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.Slice: "a slice",
}
_FORM_HINTS: dict[type[ast.AST], str] = {
    ast.IfExp: "A choice is written where(condition, value, other value).",
    ast.Attribute: "Numbers have one decimal point; functions are called by their bare name.",
}

FORMS = "An expression is arithmetic on numbers, names and calls of functions."


def parse(text: str) -> Node:
    """The tree of one expression, names not yet resolved.

    Raises ExpressionError when the text is not an expression, is longer than 2000 characters or nested
    deeper than 120 levels.
    """
    return _parse_at(text, 0, len(text))


def parse_equation(text: str) -> Node:
    """The residual `left - (right)` of "left = right", or the tree of a residual alone.

    Raises ExpressionError as `parse` does, and for more than one equals sign.
    """
    places = _equals_signs(text)
    if not places:
        return parse(text)
    if len(places) > 1:
        raise fault("an equation has one equals sign", (places[1], places[1] + 1), "")
    split = places[0]
    left, right = _parse_at(text, 0, split), _parse_at(text, split + 1, len(text))
    return Call("-", (left, right), (left.span[0], right.span[1]))


def sides(text: str) -> tuple[Node, Node]:
    """Left and right of an equation that must have both sides, as `x = -1`; raises ExpressionError."""
    places = _equals_signs(text)
    if len(places) != 1:
        raise fault(f"'{text.strip()}' is not an equation", (0, len(text)), "Write it as 'left = right'.")
    return _parse_at(text, 0, places[0]), _parse_at(text, places[0] + 1, len(text))


def _equals_signs(text: str) -> list[int]:
    return [
        i
        for i, c in enumerate(text)
        if c == "=" and text[i - 1 : i] not in ("<", ">", "!", "=", ":") and text[i + 1 : i + 2] != "="
    ]


def _parse_at(text: str, start: int, end: int) -> Node:
    if end - start > MAX_LENGTH:
        raise fault(
            f"the expression has {end - start} characters", (start, end), f"The limit is {MAX_LENGTH} characters."
        )
    for i in range(start, end):
        if text[i] in "#\\;`$?" or (ord(text[i]) < 32 and text[i] not in "\t\n\r"):
            raise fault(f"the character {text[i]!r} has no meaning in an expression", (i, i + 1), FORMS)
    body = text[start:end].replace("\n", " ").replace("\r", " ").replace("\t", " ")
    stripped = body.strip()
    if not stripped:
        where = (start, end) if end > start else (max(0, start - 1), max(start, 1))
        raise fault("an expression is missing here", where, FORMS)
    offset = start + body.index(stripped)
    return _Reader(stripped, offset).read()


class _Reader:
    """Turns one line of Python syntax into a tree; `offset` is where the line stands in the whole text."""

    def __init__(self, line: str, offset: int) -> None:
        self.line = line
        self.offset = offset
        self.all = (offset, offset + len(line))

    def read(self) -> Node:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                body = ast.parse(self.line, mode="eval").body
        except SyntaxError as error:
            raise self._syntax_error(error) from None
        except (MemoryError, RecursionError):
            raise self._too_deep(self.all) from None
        except ValueError as error:  # a whole number of thousands of digits
            raise fault(f"the expression cannot be read: {error}", self.all) from None
        return self._number_valued(body, 1)

    def _syntax_error(self, error: SyntaxError) -> ExpressionError:
        message = error.msg or "invalid syntax"
        if "too many nested" in message or "too deeply nested" in message:
            return self._too_deep(self.all)
        at = min(max((error.offset or 1) - 1, 0), len(self.line) - 1)
        end = error.end_offset - 1 if error.end_offset and error.end_offset - 1 > at else at + 1
        hint = ""
        if "invalid decimal literal" in message or "perhaps you forgot a comma" in message.lower():
            hint = "A product is written with '*', as in 2*x."
            message = "the expression cannot be read here"
        elif "was never closed" in message or "unmatched" in message:
            message = message.replace("'(' was", "the parenthesis '(' was").replace("unmatched ')'", "this ')' has no '('")
        else:
            message = "the expression cannot be read here"
        return fault(message, (self.offset + at, self.offset + min(end, len(self.line))), hint)

    def _too_deep(self, span: Span) -> ExpressionError:
        return fault("the expression is nested too deeply", span, f"The limit is {MAX_DEPTH} levels.")

    def _span(self, node: ast.expr) -> Span:
        # ast counts UTF-8 bytes; the user sees characters.
        line = self.line.encode()
        first = len(line[: node.col_offset].decode(errors="ignore"))
        last = len(line[: node.end_col_offset].decode(errors="ignore"))
        return self.offset + first, self.offset + last

    def _number_valued(self, node: ast.expr, depth: int) -> Node:
        tree = self._any(node, depth)
        if isinstance(tree, Call) and tree.function in COMPARISONS:
            raise fault(
                "a comparison is not a number",
                tree.span,
                "Comparisons stand in the first argument of where(condition, b, c).",
            )
        return tree

    def _condition(self, node: ast.expr, depth: int) -> Node:
        tree = self._any(node, depth)
        if not (isinstance(tree, Call) and tree.function in COMPARISONS):
            raise fault("this is not a comparison", tree.span, "Write a condition as x < 0, joined by 'and' or 'or'.")
        return tree

    def _any(self, node: ast.expr, depth: int) -> Node:
        span = self._span(node)
        if depth > MAX_DEPTH:
            raise self._too_deep(span)
        match node:
            case ast.Constant():
                return self._constant(node, span)
            case ast.Name(id=name):
                return Symbol(name, span)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                arguments = self._number_valued(left, depth + 1), self._number_valued(right, depth + 1)
                return Call(_BINARY[type(op)], arguments, span)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._number_valued(operand, depth + 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Call("neg", (self._number_valued(operand, depth + 1),), span)
            case ast.Compare():
                return self._comparison(node, span, depth)
            case ast.BoolOp(op=op, values=values):
                joint = "and" if isinstance(op, ast.And) else "or"
                tree, *rest = [self._condition(value, depth + 1) for value in values]
                for other in rest:
                    tree = Call(joint, (tree, other), span)
                return tree
            case ast.Call():
                return self._call(node, span, depth)
            case ast.BinOp(op=op) | ast.UnaryOp(op=op):
                what, hint = _OTHER_OPERATORS[type(op)]
                raise fault(what, span, hint)
            case _:
                what = _OTHER_FORMS.get(type(node), "this form")
                raise fault(f"{what} is not part of the expression language", span, _FORM_HINTS.get(type(node), FORMS))

    def _constant(self, node: ast.Constant, span: Span) -> Node:
        if isinstance(node.value, (bool, str, bytes, complex)) or not isinstance(node.value, (int, float)):
            raise fault(f"{ast.unparse(node)[:40]} is not a real number", span, FORMS)
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise fault("the number is too large", span, "The largest is about 1.8e308.")
        return Number(value, span)

    def _comparison(self, node: ast.Compare, span: Span, depth: int) -> Node:
        operands = [self._number_valued(operand, depth + 1) for operand in [node.left, *node.comparators]]
        tree: Node | None = None
        for left, op, right in zip(operands, node.ops, operands[1:], strict=False):
            if type(op) not in _COMPARE:
                what, hint = _OTHER_OPERATORS.get(
                    type(op), ("this comparison is not part of the expression language", "")
                )
                raise fault(what, span, hint)
            pair = Call(_COMPARE[type(op)], (left, right), span)
            tree = pair if tree is None else Call("and", (tree, pair), span)
        assert tree is not None  # noqa: S101 - ast gives every comparison at least one operator
        return tree

    def _call(self, node: ast.Call, span: Span, depth: int) -> Node:
        if not isinstance(node.func, ast.Name):
            form = "a call of something other than a named function"
            if isinstance(node.func, ast.Constant):
                raise fault("a number cannot be called", span, "A product is written with '*', as in 2*(x + 1).")
            if isinstance(node.func, ast.Attribute):
                raise fault(
                    f"{_OTHER_FORMS[ast.Attribute]} is not part of the expression language",
                    self._span(node.func),
                    _FORM_HINTS[ast.Attribute],
                )
            raise fault(f"{form} is not part of the expression language", self._span(node.func), FORMS)
        if node.keywords:
            raise fault("arguments have no names here", span, f"Write {node.func.id}(value) without 'name='.")
        name = node.func.id
        readers = [self._number_valued] * len(node.args)
        if name == "where" and readers:
            readers[0] = self._condition
        arguments = tuple(read(argument, depth + 1) for read, argument in zip(readers, node.args, strict=True))
        return Call(name, arguments, span)


def function_hint(name: str) -> str:
    """What to write instead of a function that is not in the table."""
    if name in OTHER_SPELLINGS:
        return f"Did you mean '{OTHER_SPELLINGS[name]}'?"
    return f"Functions: {', '.join([*FUNCTIONS, 'D', 'laplacian'])}."
