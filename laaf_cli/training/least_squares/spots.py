"""Where a solution is steep: points of it, and those at the breaks of formulas.

Steepness is the inverse of a length in the coordinates scaled to [−1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    Call,
    Field,
    Node,
    Number,
    Symbol,
    branch_breaks,
    evaluate,
    fields,
    substitute,
    switches,
    symbols,
)
from laaf_cli.network.kinks import Kink
from laaf_cli.network.similarity import SimilarityVariable
from laaf_cli.problem import Domain, Problem, Region

NEAREST = 1e-4
"""The smallest distance from a break, of half the domain; the largest is half the domain."""

N_LINES, LEAST_LINES, MOST_LINES = 64, 8, 256
"""Along which breaks that are not planes are looked for, for each coordinate: of one formula at
most and at least, and of all of them.
"""


@dataclass(frozen=True, kw_only=True)
class Spots:
    """Points [n, d], unit normals [n, d] of what is steep there, 0 for any direction, and the
    steepness [n].
    """

    points: Array
    normals: Array
    steepness: Array

    def __len__(self) -> int:
        return len(self.points)

    def table(self) -> Array:
        """All of it, [n, 2 d + 1], as a checkpoint keeps it."""
        return np.concatenate([self.points, self.normals, self.steepness[:, None]], 1)

    @classmethod
    def of_table(cls, table: Array) -> Spots:
        """What `table` gave."""
        d = table.shape[1] // 2
        return cls(points=table[:, :d], normals=table[:, d : 2 * d], steepness=table[:, -1])

    def part(self, start: int, stop: int) -> Spots:
        """Those of a range."""
        return Spots(
            points=self.points[start:stop],
            normals=self.normals[start:stop],
            steepness=self.steepness[start:stop],
        )

    def mixed(self, other: Spots, random: np.random.Generator) -> Spots:
        """Of each pair of spots one or the other."""
        takes = random.random(len(self)) < 0.5
        return Spots(
            points=np.where(takes[:, None], self.points, other.points),
            normals=np.where(takes[:, None], self.normals, other.normals),
            steepness=np.where(takes, self.steepness, other.steepness),
        )


@dataclass(frozen=True, kw_only=True)
class Break:
    """Where a formula changes from one branch to another: a point [d], the normal [d] there, 0 for
    any direction, and along which coordinates [d] the change continues through the whole domain.
    """

    point: Array
    normal: Array
    free: Array

    def is_bend(self, kinks: Sequence[Kink]) -> bool:
        """Whether a network with these kinks has one there that stays."""
        return any(
            not (kink.is_carried or self.free[kink.axis]) and self.point[kink.axis] == kink.place
            for kink in kinks
        )

    def is_carried(self, kinks: Sequence[Kink]) -> bool:
        """Whether one of these kinks is carried from there."""
        return any(
            (self.point[kink.axis], self.point[kink.time]) == (kink.place, kink.start)
            for kink in kinks
            if kink.is_carried
        )

    def spreads(self, similarity: Sequence[SimilarityVariable]) -> bool:
        """Whether one of these variables starts there."""
        return any(
            (self.point[v.axis], self.point[v.time]) == (v.place, v.start) for v in similarity
        )


def find_breaks(problem: Problem, random: np.random.Generator) -> list[Break]:
    """Those of all formulas in the coordinates alone; surfaces that are not planes by points of
    theirs. Fluxes that jump have none: the network bends there.
    """
    known = {
        (switch, term.name): term.region
        for term in problem.trained_terms
        if term.name not in problem.fluxes and not term.region.is_observed
        for tree in term.residuals
        for switch in switches(tree)
        # What joins comparisons changes where one of them does.
        if not (isinstance(switch, Call) and switch.function in ("and", "or"))
        if not fields(switch) and symbols(switch) <= set(problem.domain.coordinates)
    }
    n_curved = sum(len(symbols(switch)) > 1 for switch, _ in known)
    n_lines = min(N_LINES, max(LEAST_LINES, MOST_LINES // max(1, n_curved)))
    return [
        place
        for (switch, _), region in known.items()
        for place in _breaks(switch, region, problem.domain, n_lines, random)
    ]


def at_breaks(
    breaks: Sequence[Break], domain: Domain, n: int, random: np.random.Generator
) -> Spots | None:
    """Spots at all distances from breaks in a part of the domain; None where no break is there."""
    lower, upper = np.array(domain.lower), np.array(domain.upper)
    inside = [
        place
        for place in breaks
        if (place.free | (lower <= place.point) & (place.point <= upper)).all()
    ]
    if not inside:
        return None
    draws = [inside[i] for i in random.integers(len(inside), size=n)]
    centers = np.array([place.point for place in draws])
    normals = np.array([place.normal for place in draws])
    free = np.array([place.free for place in draws])
    # A plane is met at every value of the other coordinates.
    centers = np.where(free, domain.from_unit(random.random(centers.shape)), centers)
    distances = np.exp(random.uniform(np.log(NEAREST), 0.0, n))
    directions = random.standard_normal(normals.shape)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    is_any = ~normals.any(1, keepdims=True)
    directions = np.where(is_any, directions, normals * random.choice([-1.0, 1.0], (n, 1)))
    points = centers + distances[:, None] * directions * half_range(domain)
    return Spots(
        points=np.clip(points, domain.lower, domain.upper), normals=normals, steepness=1 / distances
    )


def half_range(domain: Domain) -> Array:
    """That of each coordinate [d]."""
    return (np.array(domain.upper) - np.array(domain.lower)) / 2


def _breaks(
    switch: Node, region: Region, domain: Domain, n_lines: int, random: np.random.Generator
) -> Iterator[Break]:
    """Where a switch of coordinates is turned in a region."""
    names = symbols(switch)
    is_plane = len(names) == 1
    drawn = region.with_points(1 if is_plane else n_lines, "uniform")
    if drawn is None:
        return
    for axis, name in enumerate(domain.coordinates):
        if name not in names:
            continue
        lower, upper = domain.lower[axis], domain.upper[axis]
        for start in drawn.draw(domain, random).points:
            if region.is_at_bounds and start[axis] in (lower, upper):
                continue
            others: dict[Field | Symbol, Node] = {
                Symbol(other): Number(float(value))
                for other, value in zip(domain.coordinates, start, strict=True)
                if other != name
            }
            for value in branch_breaks([substitute(switch, others)], name, lower, upper):
                point = start.copy()
                point[axis] = value
                normal = np.zeros(domain.dimension)
                if not region.is_at_bounds:
                    normal = _normal(switch, point, axis, domain)
                free = is_plane & (start != domain.lower) & (start != domain.upper)
                free[axis] = False
                yield Break(point=point, normal=normal, free=free)


def _normal(switch: Node, point: Array, axis: int, domain: Domain) -> Array:
    """The unit normal of the surface on which the sides of a comparison are equal."""
    normal = np.eye(domain.dimension)[axis]
    if isinstance(switch, Call) and switch.function != "floor":
        difference = Call("-", switch.arguments)
        step = 1e-4 * np.diag(half_range(domain))
        columns = dict(
            zip(domain.coordinates, np.concatenate([point + step, point - step]).T, strict=True)
        )
        with np.errstate(all="ignore"):
            values = np.broadcast_to(evaluate(difference, columns, {}, NUMPY), 2 * domain.dimension)
        slope = values[: domain.dimension] - values[domain.dimension :]
        size = np.linalg.norm(slope)
        if 0 < size < np.inf:
            return np.asarray(slope / size)
    return normal
