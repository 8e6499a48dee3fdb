"""Points where something spreads from the start: more of them where it began, with weights by which
all of the way counts alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from laaf_cli.arrays import Array
from laaf_cli.network.similarity import SimilarityVariable
from laaf_cli.problem import Domain, Extent, PointSet, Term

SHARE = 0.3
"""The fraction of the points that are moved near to a start."""

NEAREST, FAR = 1e-6, 0.1
"""The smallest square of a distance from a start at which they are, and that from which on weights
are 1, both relative to what comes within the time or to the length of the domain.
"""


def near_starts(
    points: PointSet,
    similarity: Sequence[SimilarityVariable],
    term: Term,
    domain: Domain,
    random: np.random.Generator,
) -> PointSet:
    """Some of the points of a term moved near to where similarity variables start, with weights for
    its squares: there its derivatives grow as the inverse of the distance to their order, and what
    they are wrong by is spread as far as the square of it.
    """
    along = [
        variable
        for variable in similarity
        if term.region.extent(variable.time) is Extent.WHOLE and _reach(variable, domain) > 0
    ]
    if not along:
        return points
    moved, weights = points.points.copy(), np.ones(len(points))
    is_moved = random.random(len(points)) < SHARE
    of_point = random.integers(len(along), size=len(points))
    for k, variable in enumerate(along):
        # On a face across x, and on the boundary of a shape, points move in time alone.
        on_face = term.region.extent(variable.axis) is not Extent.WHOLE or term.region.on_boundary
        is_there = moved[:, variable.axis] == variable.place if on_face else True
        chosen = np.flatnonzero(is_moved & is_there & (of_point == k))
        drawn = _drawn(variable, moved[chosen], domain, random, on_face=bool(on_face))
        is_kept = domain.inside(drawn)
        moved[chosen[is_kept]] = drawn[is_kept]
    for variable in along:
        square = variable.distance(torch.tensor(moved)).numpy()
        share = np.minimum(1.0, square / (FAR * _reach(variable, domain)))
        weights *= share ** term.order_along(variable.axis)
    return replace(points, points=moved, row_weights=weights)


def _reach(variable: SimilarityVariable, domain: Domain) -> float:
    """The square of how far something spreads in a part of the domain, below 0 where it has not
    begun.
    """
    axis, time = variable.axis, variable.time
    end = (domain.upper if variable.diffusivity > 0 else domain.lower)[time]
    square = 4 * variable.diffusivity * (end - variable.start)
    half = (domain.upper[axis] - domain.lower[axis]) / 2
    return min(half**2, square)


def _drawn(
    variable: SimilarityVariable,
    points: Array,
    domain: Domain,
    random: np.random.Generator,
    *,
    on_face: bool,
) -> Array:
    """Points [n, d] with others near to the start: at all distances, in space and in time; on a
    face in time alone.
    """
    reach = _reach(variable, domain)
    squares = reach * np.exp(random.uniform(np.log(NEAREST), 0.0, len(points)))
    offset = 0.0 if on_face else np.sqrt(squares) * random.uniform(-1, 1, len(points))
    passed = (squares - offset**2) / (4 * variable.diffusivity)
    moved = points.copy()
    moved[:, variable.time] = variable.start + passed
    if not on_face:
        center = variable.place + variable.velocity * passed
        lower, upper = domain.lower[variable.axis], domain.upper[variable.axis]
        x = center + offset
        is_out = (x < lower) | (x > upper)
        if variable.period is None:
            x = np.where(is_out, center - offset, x)
        else:
            x = np.where(is_out, lower + (x - lower) % variable.period, x)
        moved[:, variable.axis] = x
    return moved
