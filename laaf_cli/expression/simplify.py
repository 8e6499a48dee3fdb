"""Building trees that are no larger than they need be: numbers are folded, neutral elements
dropped.
"""

from __future__ import annotations

import math

import numpy as np

from laaf_cli.expression.analyse import fields, functions, symbols
from laaf_cli.expression.faults import ExpressionFault, TooLargeError, fault
from laaf_cli.expression.functions import COMPARISONS, MAX_EXPONENT, TABLE
from laaf_cli.expression.interpret import NUMPY, evaluate
from laaf_cli.expression.tree import NOWHERE, ONE, ZERO, Call, Node, Number, Span, is_number

MAX_SIZE = 20_000
MAX_TREE_DEPTH = 250  # three of Python's frames a level, and Python stops at 1000


def call(function: str, *arguments: Node, span: Span = NOWHERE) -> Node:
    """The call, or something simpler that means the same.

    Raises ExpressionError when its value would not be finite, an exponent lies beyond ±100, or the
    tree outgrows 20 000 nodes.
    """
    simple = _neutral(function, arguments)
    if simple is not None:
        return simple
    if (
        function == "**"
        and isinstance(arguments[1], Number)
        and abs(arguments[1].value) > MAX_EXPONENT
    ):
        raise fault("the exponent is too large", arguments[1].span, f"The limit is {MAX_EXPONENT}.")
    if function == "/" and is_number(arguments[1], 0):
        raise fault("division by zero", span)
    tree = Call(function, arguments, span)
    if tree.size > MAX_SIZE or tree.depth > MAX_TREE_DEPTH:
        hint = (
            f"The limit is {MAX_SIZE} operations, {MAX_TREE_DEPTH} levels deep; an unknown "
            "can stand for a part."
        )
        what = "the expression grows too large when it is differentiated"
        raise TooLargeError([ExpressionFault(what, span, hint)])
    foldable = function in TABLE and function not in COMPARISONS and function != "where"
    if not foldable or not all(isinstance(argument, Number) for argument in arguments):
        return tree
    # NumPy's floats, for Python's own raise on overflow and turn roots of −1 into complex numbers.
    numbers = tuple(Number(np.float64(a.value)) for a in arguments if isinstance(a, Number))
    with np.errstate(all="ignore"):
        result = evaluate(Call(function, numbers), {}, {}, NUMPY)
    if not math.isfinite(result):
        raise fault("the value is not a finite real number", span)
    return Number(float(result), span)


def _neutral(function: str, arguments: tuple[Node, ...]) -> Node | None:
    match function, arguments:
        case "+", (a, b) if is_number(a, 0):
            return b
        case (("+" | "-"), (a, b)) if is_number(b, 0):
            return a
        case "-", (a, b) if is_number(a, 0):
            return call("neg", b, span=b.span)
        case "*", (a, b) if is_number(a, 0) or is_number(b, 0):
            return ZERO
        case "*", (a, b) if is_number(a, 1):
            return b
        case (("*" | "/" | "**"), (a, b)) if is_number(b, 1):
            return a
        case "/", (a, b) if is_number(a, 0) and not is_number(b, 0):
            return ZERO
        case "**", (a, b) if is_number(b, 0):
            return ONE
        case "neg", (Call("neg", (a,)),):
            return a
        case "where", (condition, a, b) if not (
            fields(condition) or symbols(condition) or functions(condition) - TABLE.keys()
        ):
            return a if evaluate(condition, {}, {}, NUMPY) else b
    return None
