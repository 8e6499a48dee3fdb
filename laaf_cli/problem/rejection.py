"""Points that are drawn out of others: those in a part of the domain, on a plane, in a shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Node, evaluate
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.samplers import draw

MAX_DRAWS = 200
"""How often points are drawn before a part of a region is left with fewer than were asked for."""

MANY, FEW = 10_000, 5
"""A part in which fewer than FEW of MANY points lie counts as empty."""

NONE_DRAWN = f"Of {MANY:,} points that were drawn there, it holds at fewer than {FEW}."
"""A hint for where a comparison selects no points."""


class NoPointsError(Exception):
    """A comparison selects no points of its region."""


@dataclass(frozen=True)
class Subset:
    """The points at which a comparison in the coordinates holds."""

    tree: Node
    text: str
    """As the user wrote it."""

    def holds(self, points: Array, domain: Domain) -> NDArray[np.bool_]:
        """Truth values [n_points]."""
        with np.errstate(all="ignore"):
            columns = dict(zip(domain.coordinates, points.T, strict=True))
            holds = np.broadcast_to(
                np.asarray(evaluate(self.tree, columns, {}, NUMPY), dtype=bool), len(points)
            )
        return holds if domain.shape is None else holds & domain.inside(points)

    def is_empty(self, domain: Domain, fixed: Mapping[int, float]) -> bool:
        """Whether hardly a point is in the part, of those whose coordinates `fixed` have given
        values.
        """
        points = on_plane(fixed, MANY, "uniform", domain, np.random.default_rng(0))
        return float(np.mean(self.holds(points, domain))) < FEW / MANY

    def draw(
        self, n: int, domain: Domain, sampler: str, draw_some: Callable[[str, int], Array]
    ) -> Array:
        """n points of the part, [n, d], out of those that `draw_some` makes with a sampler; a grid
        may have fewer.

        Where that sampler hits the part with none, as a coarse grid a thin layer, they are uniform.

        Raises:
            NoPointsError: many tries find none.
        """
        points = selected(lambda some: self.holds(some, domain), n, sampler, draw_some)
        if n and not len(points):
            raise NoPointsError(self.text)
        return points


Holds = Callable[[Array], NDArray[np.bool_]]


def selected(holds: Holds, n: int, sampler: str, draw_some: Callable[[str, int], Array]) -> Array:
    """n points [n, d] at which something holds, out of those that `draw_some` makes with a sampler,
    or uniform ones where that hits none; fewer where many tries find no more.
    """
    points = _out_of(holds, lambda size: draw_some(sampler, size), n, max(n, 64), MAX_DRAWS)
    if n and not len(points):
        points = _out_of(holds, lambda size: draw_some("uniform", size), n, MANY, MAX_DRAWS // 10)
    return points


def _out_of(
    holds: Holds, draw_some: Callable[[int], Array], n: int, size: int, max_draws: int
) -> Array:
    """Up to n points at which something holds, out of those that `draw_some` makes, `size` at a
    time.
    """
    parts: list[Array] = []
    previous, n_drawn = None, 0
    for _ in range(max_draws):
        points = draw_some(size)
        if previous is not None and np.array_equal(points, previous):  # a grid has no others
            if n_drawn or size > MANY:
                break
            size *= 2
        previous = points
        inside = points[holds(points)]
        if len(inside) > n - n_drawn:
            inside = inside[np.linspace(0, len(inside) - 1, n - n_drawn).round().astype(int)]
        parts.append(inside)
        n_drawn += len(inside)
        if n_drawn == n:
            break
    return np.concatenate(parts) if parts else draw_some(1)[:0]


def on_plane(
    fixed: Mapping[int, float], n: int, sampler: str, domain: Domain, random: np.random.Generator
) -> Array:
    """Points [n, d] whose coordinates `fixed` have given values; a single one where all have."""

    def draw_some(sampler: str, n: int) -> Array:
        unit = draw(sampler, n, domain.dimension - len(fixed), random)
        for axis in sorted(fixed):
            unit = np.insert(unit, axis, 0.0, axis=1)
        points = domain.from_unit(unit)
        for axis, value in fixed.items():
            points[:, axis] = value
        return points

    if set(domain.space) <= fixed.keys():
        return draw_some(sampler, n)
    return in_domain(domain, n, sampler, draw_some)


def in_domain(
    domain: Domain, n: int, sampler: str, draw_some: Callable[[str, int], Array]
) -> Array:
    """n points [n, d] of the domain, out of those that `draw_some` makes of its box."""
    if domain.shape is None:
        return draw_some(sampler, n)
    points = selected(domain.inside, n, sampler, draw_some)
    if n and not len(points):
        raise NoPointsError(domain.shape.text)
    return points
