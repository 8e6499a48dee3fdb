"""Fluxes that were made unknowns, put back in the places of their names."""

from __future__ import annotations

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


def without_fluxes(problem: Problem) -> Problem:
    """The problem with what its fluxes mean in their places: its equations as they hold on
    both sides of each jump.

    Raises:
        ExpressionError: derivatives of an order above 4, or formulas that are too large.
    """
    names, terms = problem.domain.coordinates, {term.name: term for term in problem.terms}
    held = {field for term in problem.terms for field in term.fields}
    for name in reversed(tuple(problem.fluxes)):
        (residual,) = terms.pop(name).residuals
        flux = Field(name, (0,) * len(names))
        meaning = call("neg", substitute(residual, {flux: Number(0.0)}))
        meanings: dict[Field | Symbol, Node] = {}
        for field in {f for f in held if f.unknown == name}:
            tree = meaning
            for coordinate, order in zip(names, field.orders, strict=True):
                for _ in range(order):
                    tree = differentiate(tree, coordinate, names)
            meanings[field] = tree
        terms = {
            key: replace(term, residuals=tuple(substitute(r, meanings) for r in term.residuals))
            for key, term in terms.items()
        }
    unknowns = tuple(name for name in problem.unknowns if name not in problem.fluxes)
    return replace(problem, terms=tuple(terms.values()), unknowns=unknowns, fluxes={})


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
