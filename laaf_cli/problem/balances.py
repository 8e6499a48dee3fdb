"""Equations in divergence form, ∂F/∂x + ∂G/∂y + rest = 0, as they were written: whatever a solver
makes of them, what leaves a cell through its ends is what the rest takes away inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from laaf_cli.expression import (
    Call,
    ExpressionError,
    Node,
    Number,
    Scope,
    Symbol,
    addends,
    bounded,
    call,
    differentiate,
    fields,
    parse_equation,
    resolve,
)
from laaf_cli.expression.tree import ZERO

MAX_WORK = 20_000
"""Operations that fluxes may take to work out: a fifth of a second."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    """An equation as Σ ∂flux/∂x + rest = 0."""

    name: str
    """The name of the equation."""
    fluxes: Mapping[int, Node]
    """What is differentiated along an axis of space, by axis."""
    rest: Node

    def changed(self, change: Callable[[Node], Node]) -> Balance:
        """The same with each of its trees changed."""
        fluxes = {axis: change(flux) for axis, flux in self.fluxes.items()}
        return replace(self, fluxes=fluxes, rest=change(self.rest))


def balances(equations: Mapping[str, str], scope: Scope) -> tuple[Balance, ...]:
    """Those of the equations that differentiate fluxes; others say nothing of a cell that they do
    not say of points.
    """
    with bounded(MAX_WORK, "the fluxes take"):
        made = [_balance(name, text, scope) for name, text in equations.items()]
    return tuple(balance for balance in made if balance is not None and balance.fluxes)


def _balance(name: str, text: str, scope: Scope) -> Balance | None:
    fluxes: dict[int, Node] = {}
    rest: Node = ZERO
    try:
        for sign, term in addends(parse_equation(text)):
            factor, inner = _factor(term, scope)
            terms = list(_fluxes(inner, scope))
            for axis, flux in terms:
                fluxes[axis] = _added(fluxes.get(axis, ZERO), sign * factor, flux)
            if not terms:
                rest = _added(rest, sign, resolve(term, scope))
    except ExpressionError:  # its fluxes, unlike the equation, may be too large to write out
        return None
    return Balance(name=name, fluxes=fluxes, rest=rest)


def _added(total: Node, factor: float, term: Node) -> Node:
    return call("+", total, call("*", Number(factor), term))


def _factor(term: Node, scope: Scope) -> tuple[float, Node]:
    """A number in front of a term, and the term."""
    if isinstance(term, Call) and term.function == "*":
        factor = resolve(term.arguments[0], scope)
        if isinstance(factor, Number):
            return factor.value, term.arguments[1]
    return 1.0, term


def _fluxes(term: Node, scope: Scope) -> Iterator[tuple[int, Node]]:
    """What a `D` or `laplacian` along axes of space differentiates last, by axis."""
    if not isinstance(term, Call) or term.function not in ("D", "laplacian"):
        return
    first, *along = term.arguments
    names = [name.name for name in along if isinstance(name, Symbol)]
    derivatives: Sequence[list[str]] = (
        [names] if term.function == "D" else [[name, name] for name in scope.space]
    )
    for *before, last in derivatives:
        flux = resolve(first, scope)
        for name in before:
            flux = differentiate(flux, name, scope.coordinates)
        if last in scope.space and fields(flux):
            yield scope.coordinates.index(last), flux
