"""Fluxes that were made unknowns, put back in the places of their names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    ExpressionError,
    Field,
    Node,
    Number,
    Symbol,
    call,
    differentiate,
    substitute,
)
from laaf_cli.problem.problem import Problem
from laaf_cli.problem.start import Start


def flux_tree(problem: Problem, name: str) -> Node:
    """What a flux is equal to."""
    (residual,) = next(term.residuals for term in problem.terms if term.name == name)
    flux = Field(name, (0,) * problem.domain.dimension)
    return call("neg", substitute(residual, {flux: Number(0.0)}))


def without_fluxes(problem: Problem, chosen: Collection[str] | None = None) -> Problem:
    """The problem with what its fluxes mean in their places: its equations as they hold on
    both sides of each jump.

    Args:
        chosen: the fluxes; all of them where None.

    Raises:
        ExpressionError: derivatives of an order above 4, or formulas that are too large.
    """
    names, terms = problem.domain.coordinates, problem.terms
    gone = [name for name in problem.fluxes if chosen is None or name in chosen]
    # A later one may hold those before it.
    for name in reversed(gone):
        meanings: dict[Field | Symbol, Node] = {}
        for field in {f for term in terms for f in term.fields if f.unknown == name}:
            tree = flux_tree(problem, name)
            for coordinate, order in zip(names, field.orders, strict=True):
                for _ in range(order):
                    tree = differentiate(tree, coordinate, names)
            meanings[field] = tree
        terms = tuple(
            replace(term, residuals=tuple(substitute(r, meanings) for r in term.residuals))
            for term in terms
            if term.name != name
        )
    unknowns = tuple(name for name in problem.unknowns if name not in gone)
    fluxes = {name: text for name, text in problem.fluxes.items() if name not in gone}
    return replace(problem, terms=terms, unknowns=unknowns, fluxes=fluxes)


def where_fluxes_jump(problem: Problem, points: Array) -> NDArray[np.bool_]:
    """At which points [n, d] fluxes have no value: at the start of faces whose conditions it
    disagrees with.
    """
    domain, is_on = problem.domain, np.zeros(len(points), dtype=bool)
    if domain.time_axis is None or not problem.fluxes:
        return is_on
    try:
        start = Start(without_fluxes(problem), domain.time_axis)
    except ExpressionError:
        return is_on  # formulas that are too large
    for axis in set(range(domain.dimension)) - {domain.time_axis}:
        for is_upper, ends in ((False, domain.lower), (True, domain.upper)):
            conditions = start.conditions(axis, is_upper)
            off = [start.disagrees(*condition, axis, is_upper, most=0) for condition in conditions]
            if 0 in off:
                is_on |= (points[:, axis] == ends[axis]) & (points[:, start.time] == start.begins)
    return is_on
