"""Equations whose short waves grow without bound, as those of heat that runs back in time.

A wave exp(ikx + λt) in the highest derivatives of a ∂ᵐu/∂tᵐ + b ∂ⁿu/∂xⁿ = 0, n even, has
λᵐ = c (−1)^(n/2) kⁿ with c = −b/a: where that is positive, waves grow the faster the shorter they
are, and no solution depends continuously on its start (Hadamard 1902).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    ExpressionError,
    Field,
    Node,
    evaluate,
    fields,
    functions,
    partial,
    symbols,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.multi_index import derivative_name
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.problem import Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.time_direction import time_ends

N_POINTS = 200
SIZES = (0.1, 1.0, 10.0)
"""Points inside the domain, and sizes of random unknowns there: for all of them the sign is one."""

FEW = 0.1
"""A smaller fraction of finite values is not enough to decide."""


def check_growth(reader: Reader, terms: Sequence[Term]) -> None:
    """Notes a fault at each equation whose short waves grow without bound along a coordinate.

    Only where that is certain: without observations, from conditions at one end of time, for the
    highest derivative of one unknown with a coefficient of one sign that nothing else outweighs.
    """
    domain = reader.domain
    time = domain.time_axis
    if time is None or any(term.region.is_observed for term in terms):
        return
    equations = [term for term in terms if term.kind == "equation"]
    held = [field for term in equations for field in term.fields]
    evolving = {field.unknown for field in held if field.orders[time]}
    for term in equations:
        (residual,) = term.residuals
        rates = [field for field in fields(residual) if field.orders[time]]
        if (
            len(rates) != 1
            or sum(rates[0].orders) > 2
            or sum(rates[0].orders) != rates[0].orders[time]
        ):
            continue
        rate = rates[0]
        ends = time_ends(domain, terms, rate.unknown)
        if len(ends) != 1:
            continue
        others = [field for other in equations if other is not term for field in other.fields]
        for axis in domain.space:
            highest = _highest(residual, rate.unknown, axis)
            if highest is None or not _decides(highest, axis, residual, others, evolving):
                continue
            growth = _growth(domain, residual, rate, highest)
            is_back = ends == {True} and rate.orders[time] == 1
            if len(growth) and np.all((-growth if is_back else growth) > 0):
                _note(reader, term, rate, highest, axis, at_end=ends == {True})
                break


def _highest(residual: Node, unknown: str, axis: int) -> Field | None:
    """The highest derivative of an unknown along an axis alone, if its order is even."""
    pure = [
        field
        for field in fields(residual)
        if field.unknown == unknown and 0 < field.orders[axis] == sum(field.orders)
    ]
    highest = max(pure, key=lambda field: sum(field.orders), default=None)
    return highest if highest is not None and sum(highest.orders) % 2 == 0 else None


def _decides(
    highest: Field, axis: int, residual: Node, others: Sequence[Field], evolving: set[str]
) -> bool:
    """Whether no other derivative, here or in other equations, can outweigh the highest."""
    return all(
        field.unknown in evolving and not field.orders[axis]
        for field in fields(residual)
        if field.unknown != highest.unknown
    ) and not any(
        field.unknown == highest.unknown and field.orders[axis] >= highest.orders[axis]
        for field in others
    )


def _growth(domain: Domain, residual: Node, rate: Field, highest: Field) -> Array:
    """c (−1)^(n/2) at random points with random unknowns, [n]; none where it is not known."""
    try:
        above, below = partial(residual, highest), partial(residual, rate)
    except ExpressionError:
        return np.zeros(0)
    for tree in (above, below):
        if symbols(tree) - set(domain.coordinates) or functions(tree) - TABLE.keys():
            return np.zeros(0)
    random = np.random.default_rng(0)
    points = domain.scattered(N_POINTS, random)
    columns = dict(zip(domain.coordinates, points.T, strict=True))
    needed = sorted(fields(above) | fields(below), key=lambda f: (f.unknown, f.orders))
    ratios = []
    with np.errstate(all="ignore"):
        for size in SIZES:
            values = {field: size * random.uniform(-1.5, 1.5, N_POINTS) for field in needed}
            # Not by Python's division, which raises where both are numbers.
            ratio = -np.divide(
                evaluate(above, columns, values, NUMPY), evaluate(below, columns, values, NUMPY)
            )
            ratios.append(np.broadcast_to(ratio, N_POINTS))
    growth = np.concatenate(ratios) * (-1.0) ** (sum(highest.orders) // 2)
    finite = growth[np.isfinite(growth)]
    return finite if len(finite) > FEW * len(growth) else np.zeros(0)


def _note(
    reader: Reader, term: Term, rate: Field, highest: Field, axis: int, *, at_end: bool
) -> None:
    domain = reader.domain
    time = domain.time_axis or 0
    name = derivative_name(highest.unknown, highest.orders, domain.coordinates)
    which, other = ("end", domain.lower[time]) if at_end else ("start", domain.upper[time])
    what = (
        f"the equation '{term.name}' has no solution from its {which}: the shorter waves along "
        f"'{domain.coordinates[axis]}' are, the faster they grow"
    )
    hint = f"Change the sign of {name}"
    if rate.orders[time] == 1:
        hint += f", or give the conditions in time at the other end: where: t = {other:g}"
    reader.fault(("equations", term.name), what, f"{hint}.", True)
