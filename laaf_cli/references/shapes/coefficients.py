"""Trees as coefficient functions of NGSolve, which it evaluates and differentiates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, reduce
from typing import Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import Call, Field, Interpolant, Node, Number, Symbol
from laaf_cli.references.reference import ReferenceRefusedError

N_SAMPLED = 1000
"""Places along a coordinate at which the elements see values of files."""


def coefficient(tree: Node, symbols: Mapping[str, Any], known: Mapping[Field, Any]) -> Any:
    """The coefficient function of a tree, a number where it is one.

    Args:
        symbols: coordinates and components of the normal by name.
        known: unknowns and derivatives.

    Raises:
        ReferenceRefusedError: it calls a function that is not differentiated there.
    """
    made: dict[int, Any] = {}

    def visit(node: Node) -> Any:
        match node:
            case Number():
                return node.value
            case Symbol():
                return symbols[node.name]
            case Field():
                return known[node]
        if id(node) not in made:
            arguments = [visit(argument) for argument in node.arguments]
            values = node.arguments[0]
            if isinstance(values, Interpolant):
                made[id(node)] = _sampled(values, arguments[1:], symbols)
            else:
                made[id(node)] = _called(node, arguments)
        return made[id(node)]

    return visit(tree)


def _sampled(values: Interpolant, places: list[Any], symbols: Mapping[str, Any]) -> Any:
    """Values of a file, linear between N_SAMPLED places along each coordinate of space."""
    import ngsolve as ng

    known = all(place is ng.x or place is ng.y for place in places)
    if not known or any(place is ng.z for place in symbols.values()):
        raise ReferenceRefusedError(
            "the finite elements take values of files in the plane, over space alone, and "
            f"'{values.name}' is another"
        )
    start, end, sampled = _on_grid(values, tuple(int(place is ng.y) for place in places))
    return ng.VoxelCoefficient(start, end, sampled, linear=True)


@cache
def _on_grid(
    values: Interpolant, along: tuple[int, ...]
) -> tuple[tuple[float, ...], tuple[float, ...], Array]:
    """The ends of a grid and values on it, y before x; along: their axes of space in order."""
    # Along one on which they do not depend, two equal values far from everything.
    ends = {0: (-1e30, 1e30), 1: (-1e30, 1e30)} | dict(zip(along, values.ranges, strict=True))
    grid = np.meshgrid(
        *(np.linspace(*ends[axis], N_SAMPLED if axis in along else 2) for axis in (0, 1))
    )
    sampled = values.at(*(grid[axis] for axis in along))
    start, end = (tuple(ends[axis][i] for axis in (0, 1)) for i in (0, 1))
    return start, end, sampled


def _called(node: Call, arguments: list[Any]) -> Any:
    import ngsolve as ng

    if node.function not in _TABLE:
        raise ReferenceRefusedError(f"the finite elements do not know '{node.function}'")
    if node.function in ("+", "-", "*", "/", "neg"):
        return _TABLE[node.function](ng, *arguments)
    as_functions = [
        ng.CF(argument) if isinstance(argument, float) else argument for argument in arguments
    ]
    if node.function == "**" and isinstance(arguments[1], float):
        return _power(ng, as_functions[0], arguments[1])
    return _TABLE[node.function](ng, *as_functions)


def _power(ng: Any, base: Any, exponent: float) -> Any:
    """A whole power by products, for that of a negative number has a value."""
    if exponent.is_integer() and 0 <= abs(exponent) <= 8:
        whole = reduce(lambda product, _: product * base, range(int(abs(exponent))), ng.CF(1))
        return whole if exponent >= 0 else 1 / whole
    return base**exponent


def _tanh(ng: Any, a: Any) -> Any:
    """By the exponential of a negative number, which does not overflow."""
    decay = ng.exp(ng.IfPos(a, -2 * a, 2 * a))
    return ng.IfPos(a, 1.0, -1.0) * (1 - decay) / (1 + decay)


def _abs(ng: Any, a: Any) -> Any:
    return ng.IfPos(a, a, -a)


# Comparisons are positive where they hold.
_TABLE: dict[str, Callable[..., Any]] = {
    "+": lambda _ng, a, b: a + b,
    "-": lambda _ng, a, b: a - b,
    "*": lambda _ng, a, b: a * b,
    "/": lambda _ng, a, b: a / b,
    "neg": lambda _ng, a: -a,
    "**": lambda ng, a, b: ng.exp(b * ng.log(a)),
    "<": lambda _ng, a, b: b - a,
    "<=": lambda _ng, a, b: b - a,
    ">": lambda _ng, a, b: a - b,
    ">=": lambda _ng, a, b: a - b,
    "and": lambda ng, a, b: ng.IfPos(a, b, -1.0),
    "or": lambda ng, a, b: ng.IfPos(a, 1.0, b),
    "where": lambda ng, a, b, c: ng.IfPos(a, b, c),
    "min": lambda ng, a, b: ng.IfPos(b - a, a, b),
    "max": lambda ng, a, b: ng.IfPos(a - b, a, b),
    "abs": _abs,
    "sign": lambda ng, a: ng.IfPos(a, 1.0, ng.IfPos(-a, -1.0, 0.0)),
    "sqrt": lambda ng, a: ng.sqrt(a),
    "exp": lambda ng, a: ng.exp(a),
    "log": lambda ng, a: ng.log(a),
    "log10": lambda ng, a: ng.log(a) / 2.302585092994046,
    "sin": lambda ng, a: ng.sin(a),
    "cos": lambda ng, a: ng.cos(a),
    "tan": lambda ng, a: ng.tan(a),
    "asin": lambda ng, a: ng.asin(a),
    "acos": lambda ng, a: ng.acos(a),
    "atan": lambda ng, a: ng.atan(a),
    "atan2": lambda ng, a, b: ng.atan2(a, b),
    "sinh": lambda ng, a: ng.sinh(a),
    "cosh": lambda ng, a: ng.cosh(a),
    "tanh": _tanh,
    "asinh": lambda ng, a: ng.asinh(a),
    "acosh": lambda ng, a: ng.log(a + ng.sqrt(a * a - 1)),
    "atanh": lambda ng, a: ng.log((1 + a) / (1 - a)) / 2,
    "erf": lambda ng, a: ng.erf(a),
    "floor": lambda ng, a: ng.floor(a),
}
