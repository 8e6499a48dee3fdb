"""Interfaces: planes at which the network may bend, and what is continuous there all the same.

A function with |x − c| among its inputs may jump in its first derivative at c. Equations say
nothing of that where they hold on both sides: the derivatives below the highest of each unknown
have to be equal (transmission conditions; Babuška, Computing 5, 1970).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import Field
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.problem import Problem, Term
from laaf_cli.problem.regions import Drawn, Extent, PointSet
from laaf_cli.problem.rejection import on_plane

ASIDE = 1e-12
"""How far from an interface its two sides are taken, of the range of the coordinate."""

N_POINTS = 100


@dataclass(frozen=True, kw_only=True)
class Across(Drawn):
    """Both sides of a plane: what a term says is to be equal on them."""

    axis: int
    place: float

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        on = on_plane({self.axis: self.place}, self.n_points, self.sampler, domain, random)
        length = domain.upper[self.axis] - domain.lower[self.axis]
        aside = max(ASIDE * length, 4 * float(np.spacing(abs(self.place))))
        points: Array = np.repeat(on, 2, axis=0)
        points[:, self.axis] += np.tile([-aside, aside], len(on))
        return PointSet(points=points, combination=np.array([-1.0, 1.0]))

    @property
    def points_per_residual(self) -> int:
        return 2

    def extent(self, axis: int) -> Extent:
        return Extent.INSIDE if axis == self.axis else Extent.WHOLE

    def is_in(self, domain: Domain) -> bool:
        """Whether the plane lies inside a part of the domain."""
        return domain.lower[self.axis] < self.place < domain.upper[self.axis]

    def describe(self, domain: Domain) -> str:
        return f"both sides of {domain.coordinates[self.axis]} = {self.place:.6g}"


def with_interfaces(problem: Problem, bends: Iterable[tuple[int, float, int]]) -> Problem:
    """The problem with a condition at each plane where the network bends, for the derivatives of
    unknowns that do not jump there and that the bend would let jump.

    Args:
        bends: the axis of each, its place, and the order of the derivative that may jump.
    """
    domain, terms = problem.domain, []
    held = {f for term in problem.terms if term.kind == "equation" for f in term.fields}
    for axis, place, order in bends:
        highest = {
            unknown: max((f.orders[axis] for f in held if f.unknown == unknown), default=0)
            for unknown in problem.unknowns
        }
        jumps = tuple(
            Field(unknown, tuple(k * (i == axis) for i in range(domain.dimension)))
            for unknown, most in highest.items()
            for k in range(order, most)
        )
        if jumps:
            region = Across(axis=axis, place=place, n_points=N_POINTS, sampler="latin-hypercube")
            name = f"interface {domain.coordinates[axis]} = {place:.6g}"
            terms.append(
                Term(name=name, kind="condition", residuals=jumps, region=region, weight=1.0)
            )
    return replace(problem, terms=(*problem.terms, *terms))
