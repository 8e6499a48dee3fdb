"""How far rounding may carry the value of a tree: a bound that runs along with the evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from laaf_cli.expression.differentiate import rules
from laaf_cli.expression.functions import COMPARISONS, NAMED_CONSTANTS
from laaf_cli.expression.interpolant import Interpolant
from laaf_cli.expression.interpret import NUMPY, evaluate
from laaf_cli.expression.tree import Call, Field, Node, Number, Symbol


def rounding_bound(tree: Node, symbols: Mapping[str, Any], fields: Mapping[Field, Any]) -> Any:
    """The rounding of a resolved tree in units of the relative precision, to first order.

    e(f(a, b)) = |∂f/∂a| e(a) + |∂f/∂b| e(b) + |f|, with e(x) = |x| for coordinates, whose values
    are rounded ones, and e = 0 for numbers and fields (Higham, Accuracy and Stability of Numerical
    Algorithms, 2nd edition, 2002, section 3.3). So it is of the size of the terms that cancel,
    however small their sum is. What jumps counts as decided rightly. symbols, fields: as for
    `evaluate`. Not finite where a function is infinitely steep.
    """
    known: dict[int, tuple[Any, Any]] = {}

    def visit(node: Node) -> tuple[Any, Any]:
        match node:
            case Number():
                # NumPy's, for Python's own raise where they overflow.
                return np.float64(node.value), 0.0
            case Symbol():
                return symbols[node.name], np.abs(symbols[node.name])
            case Field():
                return fields[node], 0.0
        if id(node) not in known:
            known[id(node)] = of_call(node)
        return known[id(node)]

    def of_call(node: Call) -> tuple[Any, Any]:
        if isinstance(given := node.arguments[0], Interpolant):
            found = given.at(*(visit(place)[0] for place in node.arguments[1:]))
            return found, np.abs(found)
        values, bounds = zip(*(visit(argument) for argument in node.arguments), strict=True)
        if node.function == "where":
            return np.where(*values), np.where(values[0], bounds[1], bounds[2])
        names = "ab"[: len(values)]
        symbol_values = NAMED_CONSTANTS | dict(zip(names, values, strict=True))
        plain = Call(node.function, tuple(Symbol(name) for name in names))
        value = evaluate(plain, symbol_values, {}, NUMPY)
        if node.function in COMPARISONS:
            return value, 0.0
        bound = np.abs(value)
        for rule, carried in zip(rules(node.function), bounds, strict=True):
            if np.any(carried):
                steepness = np.abs(evaluate(rule, symbol_values, {}, NUMPY))
                # An argument without influence carries nothing, were it infinite.
                bound = bound + np.where(
                    (carried == 0) | (steepness == 0), 0.0, steepness * carried
                )
        return value, bound

    with np.errstate(all="ignore"):
        return visit(tree)[1]
