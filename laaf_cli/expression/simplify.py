"""Building trees that are no larger than they need be: numbers are folded, neutral elements
dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

import numpy as np

from laaf_cli.expression.analyse import fields, functions, symbols
from laaf_cli.expression.faults import ExpressionFault, TooLargeError, fault
from laaf_cli.expression.functions import COMPARISONS, MAX_EXPONENT, TABLE
from laaf_cli.expression.interpret import NUMPY, evaluate
from laaf_cli.expression.tree import NOWHERE, ONE, ZERO, Call, Node, Number, Span, is_number

MAX_SIZE = 20_000
MAX_TREE_DEPTH = 250  # three of Python's frames a level, and Python stops at 1000
_STAND_IN = "Introduce another unknown for a part of it."


@dataclass
class _Budget:
    """Operations that may still be built, and what is said when none is left."""

    left: int
    what: str


_budget: ContextVar[_Budget | None] = ContextVar("_budget", default=None)


@contextmanager
def bounded(n_operations: int, whose: str) -> Iterator[None]:
    """Inside, TooLargeError is raised once so many operations were built, those of trees that were
    thrown away again among them.

    Args:
        whose: what the message begins with, as "the expression takes".
    """
    outer = _budget.get()
    inner = _Budget(n_operations, f"{whose} more than {n_operations:,} operations to work out")
    if outer is not None and outer.left < n_operations:
        inner = replace(outer)
    granted = inner.left
    token = _budget.set(inner)
    try:
        yield
    finally:
        _budget.reset(token)
        if outer is not None:
            outer.left -= granted - inner.left


def call(
    function: str, *arguments: Node, span: Span = NOWHERE, most_exponent: float = MAX_EXPONENT
) -> Node:
    """The call, or something simpler that means the same.

    Raises ExpressionError when its value would not be finite, an exponent lies beyond ±100, or the
    tree outgrows 20 000 nodes. most_exponent: another bound in place of 100.
    """
    if (budget := _budget.get()) is not None:
        # Whether the condition of a `where` is a constant is looked up in all of it.
        budget.left -= arguments[0].size if function == "where" else 1
        if budget.left < 0:
            raise TooLargeError([ExpressionFault(budget.what, span, _STAND_IN)])
    simple = _neutral(function, arguments)
    if simple is not None:
        return simple
    if (
        function == "**"
        and isinstance(arguments[1], Number)
        and abs(arguments[1].value) > most_exponent
    ):
        raise fault("the exponent is too large", arguments[1].span, f"The limit is {MAX_EXPONENT}.")
    if function == "/" and is_number(arguments[1], 0):
        raise fault("division by zero", span)
    tree = Call(function, arguments, span)
    if tree.size > MAX_SIZE or tree.depth > MAX_TREE_DEPTH:
        hint = (
            f"The limit is {MAX_SIZE} operations, {MAX_TREE_DEPTH} levels deep; an unknown "
            "can represent a part."
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
