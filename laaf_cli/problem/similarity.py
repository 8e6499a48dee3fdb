"""Where a solution depends on a similarity variable: at the start, where what it begins with jumps
or bends, or disagrees with the conditions on a face, and diffusion smooths that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import ExpressionError, Field, Node, fields, partial, solved_for
from laaf_cli.problem.fluxes import without_fluxes
from laaf_cli.problem.problem import Problem
from laaf_cli.problem.start import Start

MOST = 6
"""Of all variables; more inputs would cost more than they bring."""

ALIKE = 4.0
"""The ratio of diffusivities up to which one variable does for both."""

STAYS = 1e-6
"""What spreads by less than this in all of the time, relative to the range, keeps its place: a
diffusivity that is 0 there, but for rounding.
"""


def similarity_variables(problem: Problem) -> dict[str, list[tuple[float, ...]]]:
    """By coordinate, the places of disagreements, jumps and bends at the start, with the
    diffusivity, negative where time runs back, and the velocity there; with the time as well where
    conditions on a face break later.

    They are found where the start is given by formulas, and the equations by a first derivative in
    time and at most a second along the coordinate.
    """
    domain = problem.domain
    if domain.time_axis is None:
        return {}
    found = dict[str, list[tuple[float, ...]]]()
    try:
        spread = _Spread(Start(without_fluxes(problem), domain.time_axis))
        for axis, name in enumerate(domain.coordinates):
            if axis != domain.time_axis:
                found[name] = list(spread.along(axis))
    except ExpressionError:
        return {}  # formulas that are too large
    found = {name: variables for name, variables in found.items() if variables}
    return found if sum(map(len, found.values())) <= MOST else {}


@dataclass(frozen=True)
class _Spread:
    """What spreads from a start."""

    start: Start

    def along(self, axis: int) -> Iterator[tuple[float, ...]]:
        """The place, the diffusivity, the velocity and, where it is not the start, the time of each
        variable along an axis.
        """
        domain = self.start.domain
        width, duration = (domain.upper[k] - domain.lower[k] for k in (axis, self.start.time))
        for place, is_upper, times in self.start.places(axis):
            last = (STAYS * width) ** 2 / duration
            for diffusivity, velocity in sorted(
                self.spreads(axis, place, is_upper), key=lambda pair: abs(pair[0])
            ):
                if abs(diffusivity) > ALIKE * last:
                    for time in times:
                        yield place, diffusivity, velocity, *time
                    last = abs(diffusivity)

    def spreads(
        self, axis: int, place: float, is_upper: bool | None
    ) -> Iterator[tuple[float, float]]:
        """The diffusivity and the velocity of each unknown at a place, where it diffuses.

        Args:
            is_upper: whether the place is the upper face; None inside.
        """
        at_start = self.start.placed(self.start.points, axis, place)
        ends = self.start.domain.lower if self.start.is_upper else self.start.domain.upper
        at_end = self.start.placed(at_start, self.start.time, ends[self.start.time])
        for field, equation in self.start.evolving.items():
            slope = self.start.moved(field, axis)
            rate, bend = self.start.moved(field, self.start.time), self.start.moved(slope, axis)
            held = fields(equation)
            if bend not in held or any(other.orders[axis] > 2 for other in held):
                continue
            trees = [partial(equation, derivative) for derivative in (rate, bend, slope)]
            yield from self._spread(trees, self.start.values, at_start, is_upper)
            # Where it depends on the solution, that on a face may be far from the start.
            if any(field in fields(tree) for tree in trees) and is_upper is not None:
                for value in self._given(field, axis, is_upper):
                    yield from self._spread(trees, {field: value}, at_end, is_upper)

    def _given(self, field: Field, axis: int, is_upper: bool) -> Iterator[Node]:
        """What conditions on a face give an unknown."""
        for term in self.start.problem.terms:
            if any(face.upper == is_upper for face in term.region.faces_along(axis)):
                for residual in term.residuals:
                    if fields(residual) == {field} and (value := solved_for(residual, field)):
                        yield value

    def _spread(
        self,
        trees: Sequence[Node],
        values: Mapping[Field, Node],
        points: Array,
        is_upper: bool | None,
    ) -> Iterator[tuple[float, float]]:
        """The diffusivity and the velocity, by the factors of the derivative in time, the second
        and the first in space, with these values of unknowns; none where nothing diffuses.
        """
        known = [self.start.begun(tree, values) for tree in trees]
        rate, bend, tilt = (
            np.full(1, np.nan) if tree is None else self.start.evaluated(tree, points)
            for tree in known
        )
        with np.errstate(all="ignore"):
            diffusivity, velocity = (float(np.median(x / rate)) for x in (-bend, tilt))
        sign = -1.0 if self.start.is_upper else 1.0
        if np.isfinite(diffusivity) and sign * diffusivity > 0:
            # What is carried out of the domain stays at its face.
            leaves = is_upper is not None and sign * velocity * (1 if is_upper else -1) > 0
            yield diffusivity, 0.0 if leaves or not np.isfinite(velocity) else velocity
