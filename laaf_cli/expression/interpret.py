"""A tree and the values of its names → an array. The same code serves NumPy and torch."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from laaf_cli.expression.functions import FUNCTIONS
from laaf_cli.expression.interpolant import Interpolant
from laaf_cli.expression.tree import Field, Node, Number, Symbol

_OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "neg": operator.neg,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "and": operator.and_,
    "or": operator.or_,
}


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An array library to interpret trees over."""

    module: ModuleType
    """Holds the functions of the table by their attribute, as `numpy` or `torch` do."""
    array: Callable[[float], Any]
    """Turns a Python number into an array of the right precision and device."""
    special: str | None = None
    """The module that replaces `module.special` where the library has none (NumPy's is in SciPy).
    """
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Those that are not in the table, by name."""

    @cached_property
    def table(self) -> dict[str, Callable[..., Any]]:
        """Every function and operator by name, as it acts on arrays of this library."""
        return {name: self._function(row.attribute) for name, row in FUNCTIONS.items()} | dict(
            self.functions
        )

    def _function(self, attribute: str) -> Callable[..., Any]:
        if attribute.startswith("special.") and self.special is not None:
            special, name = self.special, attribute.removeprefix("special.")
            # SciPy's functions know no extended precision.
            return lambda *arguments: getattr(import_module(special), name)(
                *(np.asarray(a, np.float64) for a in arguments)
            )
        start: Any = self.module
        function: Callable[..., Any] = reduce(getattr, attribute.split("."), start)
        return function


NUMPY = Backend(module=np, array=np.float64, special="scipy.special")


def evaluate(
    node: Node, symbols: Mapping[str, Any], fields: Mapping[Field, Any], backend: Backend
) -> Any:
    """The value of a resolved tree, of the shape that its names broadcast to (a number where it has
    none).

    Args:
        symbols: coordinates and constants by name.
        fields: unknowns and derivatives, each [n_points].

    Raises:
        KeyError: a name has no value.
    """
    return _Evaluation(symbols=symbols, fields=fields, backend=backend).value(node)


@dataclass(frozen=True, kw_only=True)
class _Evaluation:
    """One evaluation; no closures, which would hold the arrays until Python looks for cycles."""

    symbols: Mapping[str, Any]
    fields: Mapping[Field, Any]
    backend: Backend
    known: dict[int, Any] = field(default_factory=dict)
    """The values of subtrees so far, by their identity; shared ones are computed once."""

    def value(self, node: Node) -> Any:
        match node:
            case Number():
                return node.value
            case Symbol():
                return self.symbols[node.name]
            case Field():
                return self.fields[node]
        if id(node) in self.known:
            return self.known[id(node)]
        arguments = [self.value(argument) for argument in node.arguments]
        value: Any
        if isinstance(node.arguments[0], Interpolant):
            value = self._interpolated(node.arguments[0], arguments[1:])
            self.known[id(node)] = value
            return value
        if node.function in _OPERATORS:
            operate = _OPERATORS[node.function]
            is_logical = node.function in ("and", "or")
            if not is_logical and all(isinstance(a, int | float) for a in arguments):
                # Python's own raise where they overflow, and turn roots of −1 into complex numbers.
                with np.errstate(all="ignore"):
                    value = operate(*map(np.float64, arguments)).item()
            else:
                value = operate(*arguments)
        else:
            arrays = [self.backend.array(a) if isinstance(a, float) else a for a in arguments]
            value = self.backend.table[node.function](*arrays)
        self.known[id(node)] = value
        return value

    def _interpolated(self, values: Interpolant, places: list[Any]) -> Any:
        """Values of a file; of no array library, for training changes no coordinates."""
        arrays = [place.detach().cpu() if hasattr(place, "detach") else place for place in places]
        found = values.at(*(np.asarray(array, np.float64) for array in arrays))
        one = self.backend.array(1.0)
        return one.new_tensor(found) if hasattr(one, "new_tensor") else found
