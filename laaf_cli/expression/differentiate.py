"""Symbolic differentiation of a resolved tree: along one coordinate, or by one of its fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

from laaf_cli.expression.faults import fault
from laaf_cli.expression.functions import NAMED_CONSTANTS, TABLE
from laaf_cli.expression.interpolant import FIELD, Interpolant
from laaf_cli.expression.parse import parse
from laaf_cli.expression.simplify import call
from laaf_cli.expression.tree import ONE, ZERO, Call, Field, Node, Number, Span, Symbol, is_number
from laaf_cli.multi_index import MAX_ORDER, add, unit

Leaf = Number | Symbol | Field


def differentiate(node: Node, coordinate: str, coordinates: Sequence[str]) -> Node:
    """∂node/∂coordinate by the chain rule; unknowns become their derivatives, constants vanish.

    Raises ExpressionError when a derivative of order above 4 would be needed or the result grows
    too large.
    """
    step = unit(list(coordinates).index(coordinate), len(coordinates))

    def leaf(node: Leaf) -> Node:
        match node:
            case Number():
                return ZERO
            case Symbol():
                return ONE if node.name == coordinate else ZERO
        orders = add(node.orders, step)
        if sum(orders) > MAX_ORDER:
            raise fault(
                f"a derivative of order {sum(orders)} of '{node.unknown}' is needed",
                node.span,
                f"Derivatives up to order {MAX_ORDER} are supported.",
            )
        return Field(node.unknown, orders, node.span)

    return _chain_rule(node, leaf)


def partial(node: Node, field: Field) -> Node:
    """∂node/∂field: the field is a variable of its own, all other fields and the coordinates are
    constants.

    Raises ExpressionError when the result grows too large.
    """
    return _chain_rule(node, lambda leaf: ONE if leaf == field else ZERO)


def _chain_rule(node: Node, leaf: Callable[[Leaf], Node]) -> Node:
    """The derivative of a tree, from the derivatives of its leaves."""
    known: dict[int, Node] = {}

    def derivative(node: Node) -> Node:
        if not isinstance(node, Call):
            return leaf(node)
        if id(node) in known:
            return known[id(node)]
        if isinstance(values := node.arguments[0], Interpolant):
            sum_of: Node = ZERO
            for axis, place in enumerate(node.arguments[1:]):
                if not is_number(factor := derivative(place), 0):
                    slope = Call(FIELD, (values.derived(axis, node.span), *node.arguments[1:]))
                    sum_of = call("+", sum_of, call("*", slope, factor, span=node.span))
            known[id(node)] = sum_of
            return sum_of
        if node.function not in TABLE:
            what = f"'{node.function}' is a Python function, and its derivative is not known"
            raise fault(
                what, node.span, "Let the function take the derivatives that it needs as arguments."
            )
        inner = [derivative(argument) for argument in node.arguments]
        total: Node = ZERO
        if node.function == "where":
            # Term by term, not by the products of the general rule: 0·∞ must not spoil the branch
            # in use.
            if not (is_number(inner[1], 0) and is_number(inner[2], 0)):
                total = call("where", node.arguments[0], inner[1], inner[2], span=node.span)
        else:
            for rule, factor in zip(rules(node.function), inner, strict=True):
                if not is_number(factor, 0):
                    outer = _substitute(rule, node.arguments, node.span)
                    term = call("*", outer, factor, span=node.span)
                    total = call("+", total, term, span=node.span)
        known[id(node)] = total
        return total

    return derivative(node)


@cache
def rules(function: str) -> tuple[Node, ...]:
    """The derivatives of a function of the table by each of its arguments, as trees in the names
    `a` and `b`.
    """
    return tuple(parse(text) for text in TABLE[function].derivatives)


def _substitute(rule: Node, arguments: tuple[Node, ...], span: Span) -> Node:
    """The rule of the table with the arguments in place of its `a` and `b`; a fault in it is
    shown at `span`.
    """
    match rule:
        case Symbol(name="a"):
            return arguments[0]
        case Symbol(name="b"):
            return arguments[1]
        case Symbol(name=name):
            return Number(NAMED_CONSTANTS[name], span)
        case Number(value=value):
            return Number(value, span)
        case Call():
            return call(
                rule.function,
                *(_substitute(part, arguments, span) for part in rule.arguments),
                span=span,
                most_exponent=math.inf,  # a derivative lowers that of a power
            )
    return rule
