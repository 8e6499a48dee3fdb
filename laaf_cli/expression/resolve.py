"""Names → what they mean in a problem: coordinates, numbers, unknowns and their derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement

from laaf_cli.expression.differentiate import differentiate
from laaf_cli.expression.faults import ExpressionError, ExpressionFault, TooLargeError, fault
from laaf_cli.expression.functions import FUNCTIONS, NAMED_CONSTANTS, OPERATORS, OTHER_SPELLINGS
from laaf_cli.expression.notations import check_notation, derivative_in_name
from laaf_cli.expression.simplify import MAX_SIZE, bounded, call
from laaf_cli.expression.tokens import too_deep
from laaf_cli.expression.tree import Call, Field, Node, Number, Span, Symbol
from laaf_cli.multi_index import MAX_ORDER, Orders, derivative_name, parse_suffix, unit
from laaf_cli.text import did_you_mean, listed

MAX_FAULTS = 20


class _EnoughError(Exception):
    """No further fault is looked for."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What names mean: coordinates in their order, unknowns, constants with their values."""

    coordinates: tuple[str, ...] = ()
    unknowns: tuple[str, ...] = ()
    constants: Mapping[str, float] = field(default_factory=dict)
    time: str | None = None
    symbols: Mapping[str, Symbol] = field(default_factory=dict)
    """Other names that have a value, as learned constants, and the symbols they become in the tree.
    """
    normal: Mapping[str, Node] | None = None
    """The components of the outward unit normal by coordinate of space, where the expression holds
    on faces; None elsewhere.
    """
    fields: Mapping[str, Node] = field(default_factory=dict)
    """What names of values of files mean."""
    functions: Mapping[str, int] = field(default_factory=dict)
    """Numbers of arguments of functions that are not in the table."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Names that look like such functions, and why they are not."""

    @property
    def space(self) -> tuple[str, ...]:
        """The coordinates without time."""
        return tuple(name for name in self.coordinates if name != self.time)

    @property
    def words(self) -> list[str]:
        """Every name that may be used alone in an expression."""
        named = (self.unknowns, self.coordinates, self.constants, self.fields, self.symbols)
        return [*(name for names in named for name in names), *NAMED_CONSTANTS]

    def unknown_in(self, name: str) -> tuple[str, str] | None:
        """The unknown that a name of a derivative begins with, and what follows: `net_u_xx` →
        `net_u`, `xx`.
        """
        longest_first = sorted(self.unknowns, key=len, reverse=True)
        return next(
            ((u, name.removeprefix(f"{u}_")) for u in longest_first if name.startswith(f"{u}_")),
            None,
        )

    def derivatives(self, order: int) -> Iterator[str]:
        """The names of all derivatives of an order, for suggestions."""
        n = len(self.coordinates)
        for unknown in self.unknowns:
            for axes in combinations_with_replacement(range(n), order):
                orders = tuple(axes.count(axis) for axis in range(n))
                yield derivative_name(unknown, orders, self.coordinates)


def resolve(tree: Node, scope: Scope, derived: dict[int, Node] | None = None) -> Node:
    """The tree with every name resolved, constants folded, `D` and `laplacian` carried out.

    Args:
        derived: takes in what is differentiated, by the identity of the `D` or `laplacian` around
            it.

    Raises ExpressionError with all the names that mean nothing, the calls that do not fit the
    table, and values that are not finite; TooLargeError where working it out takes more than
    20 000 operations.
    """
    faults: list[ExpressionFault] = []
    kind = ExpressionError
    inner = {} if derived is None else derived

    def visit(node: Node) -> Node:
        nonlocal kind
        try:
            match node:
                case Symbol():
                    return _symbol(node, scope)
                case Call(function="D"):
                    return differential(node)
                case Call(function="laplacian"):
                    return laplacian(node)
                case Call():
                    if node.function not in scope.functions:
                        check_notation(node, scope.unknowns, scope.coordinates)
                    # The arguments first, so that their faults are found beside one of the call.
                    arguments = [visit(argument) for argument in node.arguments]
                    _check_function(node, scope)
                    return call(node.function, *arguments, span=node.span)
        except ExpressionError as error:
            faults.extend(error.faults)
            # To look for more could take long, and few people read twenty.
            if isinstance(error, TooLargeError):
                kind = TooLargeError
            if kind is TooLargeError or len(faults) >= MAX_FAULTS:
                raise _EnoughError from None
            return Number(1.0, node.span)
        return node

    def differential(node: Call) -> Node:
        if len(node.arguments) < 2:
            raise fault(
                "D takes an expression and a coordinate", node.span, "Write it as D(k*u_x, x)."
            )
        if len(node.arguments) > 1 + MAX_ORDER:
            hint = f"Derivatives up to order {MAX_ORDER} are supported."
            raise fault(
                f"D differentiates along {len(node.arguments) - 1} coordinates", node.span, hint
            )
        result = visit(node.arguments[0])
        inner[id(node)] = result
        for name in node.arguments[1:]:
            if not (isinstance(name, Symbol) and name.name in scope.coordinates):
                shown_name = f"'{name.name}'" if isinstance(name, Symbol) else "this"
                hint = f"D differentiates along coordinates: {listed(scope.coordinates)}."
                if isinstance(name, Number) and isinstance(node.arguments[1], Symbol):
                    along = node.arguments[1].name
                    hint = f"Repeat the coordinate instead, as in D(…, {along}, {along})."
                raise fault(f"{shown_name} is not a coordinate", name.span, hint)
            result = at(node.span, differentiate(result, name.name, scope.coordinates))
        return result

    def laplacian(node: Call) -> Node:
        if len(node.arguments) != 1:
            raise fault("laplacian takes one expression", node.span, "Write it as laplacian(u).")
        if not scope.space:
            raise fault(
                "laplacian needs a coordinate of space",
                node.span,
                f"Coordinates: {listed(scope.coordinates)}.",
            )
        function = visit(node.arguments[0])
        inner[id(node)] = function
        total: Node = Number(0.0, node.span)
        for name in scope.space:
            first = differentiate(function, name, scope.coordinates)
            total = call("+", total, differentiate(first, name, scope.coordinates), span=node.span)
        return at(node.span, total)

    try:
        with bounded(MAX_SIZE, "the expression takes"):
            resolved = visit(tree)
    except _EnoughError:
        pass
    except RecursionError:
        faults.extend(too_deep(tree.span).faults)
    if faults:
        raise kind(faults)
    return resolved


def at(span: Span, node: Node) -> Node:
    """The node, placed where the user can see what it came from."""
    if isinstance(node, Field):
        return Field(node.unknown, node.orders, span)
    return node


def _symbol(node: Symbol, scope: Scope) -> Node:
    name = node.name
    if name in scope.coordinates:
        return node
    if name in scope.unknowns:
        return Field(name, (0,) * len(scope.coordinates), node.span)
    if name in scope.constants:
        return Number(scope.constants[name], node.span)
    if name in scope.fields:
        return scope.fields[name]
    if name in scope.symbols:
        return Symbol(scope.symbols[name].name, node.span)
    if name in NAMED_CONSTANTS:
        return Number(NAMED_CONSTANTS[name], node.span)
    if (unknown_and_suffix := scope.unknown_in(name)) is not None:
        unknown, suffix = unknown_and_suffix
        if suffix == "n" and "n" not in scope.coordinates:
            return _normal_derivative(node, unknown, scope)
        return Field(unknown, _orders(node, suffix, scope), node.span)
    unknown, underscore, suffix = name.partition("_")
    if (
        underscore
        and unknown
        and (suffix == "n" or (suffix and parse_suffix(suffix, scope.coordinates) is not None))
    ):
        hint = f"Unknowns: {listed(scope.unknowns)}."
        raise fault(
            f"'{name}' is a derivative of '{unknown}', which is not an unknown", node.span, hint
        )
    if name in FUNCTIONS or name in ("D", "laplacian"):
        raise fault(f"the function '{name}' has no arguments", node.span, f"Write it as {name}(…).")
    hint = written_together(name, scope) or did_you_mean(name, scope.words)
    if not hint:
        hint = f"Known here: {listed(scope.words)}."
    raise fault(f"unknown name '{name}'", node.span, hint)


def _normal_derivative(node: Symbol, unknown: str, scope: Scope) -> Node:
    """∂u/∂n = n · ∇u along the outward unit normal n of a face."""
    if not scope.normal:
        hint = (
            "A condition on faces of a coordinate of space has one; elsewhere write the "
            "derivatives out."
        )
        raise fault(
            f"'{node.name}' is the derivative along the normal of a face, but here is no face",
            node.span,
            hint,
        )
    total: Node = Number(0.0, node.span)
    for coordinate, component in scope.normal.items():
        orders = unit(scope.coordinates.index(coordinate), len(scope.coordinates))
        slope = call("*", component, Field(unknown, orders, node.span), span=node.span)
        total = call("+", total, slope, span=node.span)
    return at(node.span, total)


def written_together(name: str, scope: Scope) -> str:
    """A hint for `ux`, `du_dx` and `dudx`, which mean u_x, and for `xy`, which means x*y."""
    if meant := derivative_in_name(name, scope.unknowns, scope.coordinates):
        return f"Did you mean '{meant}'?"
    for unknown in scope.unknowns:
        suffix = name.removeprefix(unknown)
        if suffix != name and suffix and parse_suffix(suffix, scope.coordinates) is not None:
            return f"Did you mean '{unknown}_{suffix}'?"
    for word in scope.words:
        other = name.removeprefix(word)
        if other != name and other in scope.words:
            return f"Did you mean '{word}*{other}'?"
    return ""


def _orders(node: Symbol, suffix: str, scope: Scope) -> Orders:
    coordinates = f"(coordinates: {listed(scope.coordinates)})"
    if not suffix:
        raise fault(
            f"'{node.name}' names no coordinate", node.span, f"Write it as u_x {coordinates}."
        )
    orders = parse_suffix(suffix, scope.coordinates)
    if orders is None and (plain := suffix.replace("_", "").lower()) != suffix:
        orders = parse_suffix(plain, scope.coordinates)
        if orders is not None:
            name = derivative_name(node.name.removesuffix(f"_{suffix}"), orders, scope.coordinates)
            raise fault(f"unknown derivative '{node.name}'", node.span, f"Did you mean '{name}'?")
    if orders is None:
        strange = next(
            (c for c in suffix if not any(c in name for name in scope.coordinates)), suffix
        )
        why = f"'{strange}' is not a coordinate of this problem {coordinates}."
        hint = did_you_mean(node.name, scope.derivatives(min(len(suffix), MAX_ORDER)))
        raise fault(f"unknown derivative '{node.name}'", node.span, f"{why} {hint}".strip())
    if sum(orders) > MAX_ORDER:
        raise fault(
            f"'{node.name}' is a derivative of order {sum(orders)}",
            node.span,
            f"Derivatives up to order {MAX_ORDER} are supported.",
        )
    return orders


def _check_function(node: Call, scope: Scope) -> None:
    name = node.function
    if name in OPERATORS:
        return
    name_span = (node.span[0], node.span[0] + len(name))
    if name in FUNCTIONS or name in scope.functions:
        if name in FUNCTIONS:
            expected = FUNCTIONS[name].n_arguments
            hint = f"{name}({', '.join('abc'[:expected])}): {FUNCTIONS[name].meaning}."
        else:
            expected, hint = scope.functions[name], "So it is written in the file of 'functions'."
        if len(node.arguments) != expected:
            plural = "" if expected == 1 else "s"
            what = f"{name} takes {expected} argument{plural} and has {len(node.arguments)}"
            raise fault(what, node.span, hint)
        return
    if name in scope.unknowns or scope.unknown_in(name) is not None:
        raise fault(
            f"'{name}' is an unknown, not a function",
            name_span,
            f"Write {name}, and where it holds in the 'where' of a condition; a product is written "
            "with '*'.",
        )
    if (
        name in scope.coordinates
        or name in scope.constants
        or name in scope.symbols
        or name in NAMED_CONSTANTS
    ):
        raise fault(
            f"'{name}' is not a function",
            name_span,
            f"A product is written with '*', as in {name}*(…).",
        )
    if name in scope.unfit:
        hint = (
            f"In the file of 'functions', '{name}' {scope.unfit[name]}. Wrap it there in "
            f"one: def {name}_of(u): …"
        )
        raise fault(f"unknown function '{name}'", name_span, hint)
    hint = did_you_mean(name, [*FUNCTIONS, *scope.functions, "laplacian"])
    if not hint and name in OTHER_SPELLINGS:
        hint = f"Did you mean '{OTHER_SPELLINGS[name]}'?"
    hint = hint or f"Functions: {', '.join([*FUNCTIONS, 'D', 'laplacian'])}."
    raise fault(f"unknown function '{name}'", name_span, hint)
