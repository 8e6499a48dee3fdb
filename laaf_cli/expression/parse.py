"""Text → tree. Python's own grammar reads it, an allow-list of forms admits it, nothing is ever
executed.
"""

from __future__ import annotations

import ast
import math
import re
import warnings

from laaf_cli.expression.faults import fault
from laaf_cli.expression.functions import COMPARISONS
from laaf_cli.expression.tokens import FORMS, MAX_DEPTH, check_order, equals_signs, too_deep
from laaf_cli.expression.tree import Call, Node, Number, Span, Symbol

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
_COMPARE: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


def parse(text: str) -> Node:
    """The tree of one expression, names not yet resolved.

    Raises ExpressionError when the text is not an expression, is longer than 2000 characters or
    nested deeper than 120 levels.
    """
    return _parse_at(text, 0, len(text))


def parse_equation(text: str) -> Node:
    """The residual `left - (right)` of "left = right", or the tree of a residual alone.

    Raises ExpressionError as `parse` does, and for more than one equals sign.
    """
    places = equals_signs(text)
    if not places:
        return parse(text)
    if len(places) > 1:
        raise fault("there is a second '='", (places[1], places[1] + 1), "An equation has one.")
    split = places[0]
    left, right = _parse_at(text, 0, split), _parse_at(text, split + 1, len(text))
    return Call("-", (left, right), (left.span[0], right.span[1]))


def parse_comparison(text: str) -> Node:
    """The tree of a comparison, as `x > 0 and y < 1`; raises ExpressionError for anything else."""
    if equals_signs(text):
        raise fault(
            f"'{text.strip()}' is an equation",
            (0, len(text)),
            "Write a comparison with <, <=, > or >=.",
        )
    return _parse_at(text, 0, len(text), _ComparisonReader)


def parse_shape(text: str) -> Node:
    """The tree of a shape, in which comparisons may be where numbers are; raises ExpressionError
    as `parse` does.
    """
    return _parse_at(text, 0, len(text), _ShapeReader)


def sides(text: str) -> tuple[Node, Node]:
    """Left and right of an equation that must have both sides, as `x = -1`; raises
    ExpressionError.
    """
    places = equals_signs(text)
    if len(places) != 1:
        raise fault(
            f"'{text.strip()}' is not an equation", (0, len(text)), "Write it as 'left = right'."
        )
    return _parse_at(text, 0, places[0]), _parse_at(text, places[0] + 1, len(text))


def _parse_at(text: str, start: int, end: int, reader: type[_Reader] | None = None) -> Node:
    check_order(text, start, end)
    # One line for Python's grammar, in which a line has no end inside an expression.
    body = re.sub(r"[\t\r\n]", " ", text[start:end])
    return (reader or _Reader)(body.strip(), start + len(body) - len(body.lstrip())).read()


class _Reader:
    """Turns one line of Python syntax into a tree; `offset` is where the line is in the
    whole text.
    """

    def __init__(self, line: str, offset: int) -> None:
        self.line = line
        self.offset = offset

    def read(self) -> Node:
        everything = (self.offset, self.offset + len(self.line))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                body = ast.parse(self.line, mode="eval").body
        except (MemoryError, RecursionError):
            raise too_deep(everything) from None
        except (SyntaxError, ValueError) as error:
            if "too many nested" in str(error) or "too deeply nested" in str(error):
                raise too_deep(everything) from None
            raise fault("the expression cannot be read", everything, FORMS) from None
        tree = self._whole(body)
        # A chain of comparisons lies flat in Python's tree and not in ours.
        if tree.depth > MAX_DEPTH:
            raise too_deep(tree.span)
        return tree

    def _whole(self, node: ast.expr) -> Node:
        return self._number_valued(node, 1)

    def _number_valued(self, node: ast.expr, depth: int) -> Node:
        tree = self._any(node, depth)
        if isinstance(tree, Call) and tree.function in COMPARISONS:
            raise fault(
                "expected a number, found a comparison",
                tree.span,
                "Comparisons belong in the first argument of where(condition, b, c).",
            )
        return tree

    def _condition(self, node: ast.expr, depth: int) -> Node:
        tree = self._any(node, depth)
        if not (isinstance(tree, Call) and tree.function in COMPARISONS):
            raise fault(
                "this condition is not a comparison",
                tree.span,
                "Write a condition as x < 0, joined by 'and' or 'or'.",
            )
        return tree

    def _any(self, node: ast.expr, depth: int) -> Node:
        end = node.end_col_offset or node.col_offset
        span = (self.offset + node.col_offset, self.offset + end)
        if depth > MAX_DEPTH:
            raise too_deep(span)
        match node:
            case ast.Constant():
                return self._constant(node, span)
            case ast.Name(id=name):
                return Symbol(name, span)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                arguments = (
                    self._number_valued(left, depth + 1),
                    self._number_valued(right, depth + 1),
                )
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
            case _:
                raise fault("this is not part of the expression language", span, FORMS)

    def _constant(self, node: ast.Constant, span: Span) -> Node:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise fault("this is not a real number", span, FORMS)
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise fault("the number is too large", span, "The largest is about 1.8e308.")
        return Number(value, span)

    def _comparison(self, node: ast.Compare, span: Span, depth: int) -> Node:
        operands = [
            self._number_valued(operand, depth + 1) for operand in [node.left, *node.comparators]
        ]
        tree: Node | None = None
        for left, op, right in zip(operands, node.ops, operands[1:], strict=False):
            if type(op) not in _COMPARE:
                raise fault("this comparison is not part of the expression language", span, FORMS)
            pair = Call(_COMPARE[type(op)], (left, right), span)
            tree = pair if tree is None else Call("and", (tree, pair), span)
        assert tree is not None  # noqa: S101 - ast gives every comparison at least one operator
        return tree

    def _call(self, node: ast.Call, span: Span, depth: int) -> Node:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise fault("this is not a call of a named function", span, FORMS)
        name = node.func.id
        readers = [self._number_valued] * len(node.args)
        if name == "where" and readers:
            readers[0] = self._condition
        arguments = tuple(
            read(argument, depth + 1) for read, argument in zip(readers, node.args, strict=True)
        )
        return Call(name, arguments, span)


class _ComparisonReader(_Reader):
    """Of a text that is a comparison as a whole."""

    def _whole(self, node: ast.expr) -> Node:
        return self._condition(node, 1)


class _ShapeReader(_Reader):
    """Of shapes, which comparisons are, too."""

    def _number_valued(self, node: ast.expr, depth: int) -> Node:
        return self._any(node, depth)

    _condition = _number_valued
