"""Values of unknowns that are given on faces, and those that differ where two faces meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, evaluate, fields, functions, nodes, symbols
from laaf_cli.expression.functions import TABLE
from laaf_cli.problem.domain import Domain, Face, grid_points
from laaf_cli.problem.problem import Term

N_ALONG = 5
"""Points along each coordinate of an edge."""

N_ON_FACE = 50
"""Points of a face, at which the size of its values is measured."""

SMALL = 1e-4
"""A smaller difference, relative to the largest value, is ignored: that of a wave that is cut
off.
"""

CLOSE = 1e-9
"""The distance, of the length of the domain, on both sides of a point across which a value jumps.
"""

MAX_WORK = 50_000
"""Operations of formulas after which no more faces are compared."""


@dataclass(frozen=True, kw_only=True)
class FaceCondition:
    """A condition on an unknown itself on a face."""

    term: Term
    face: Face
    unknown: str
    residual: Node

    def values(self, points: Array, domain: Domain) -> Array:
        """The value that it gives at points [n, d] of its face, NaN where it gives none or does
        not hold.
        """
        columns = dict(zip(domain.coordinates, points.T, strict=True))
        field = Field(self.unknown, (0,) * domain.dimension)
        with np.errstate(all="ignore"):
            zero, one, two = (
                np.broadcast_to(
                    evaluate(self.residual, columns, {field: np.full(len(points), u)}, NUMPY),
                    len(points),
                )
                for u in (0.0, 1.0, 2.0)
            )
            size = np.abs(zero) + np.abs(one) + np.abs(two)
            is_linear = np.abs(two - 2 * one + zero) <= 1e-9 * size
            holds = self.term.region.holds(points, domain)
            return np.where(is_linear & holds, zero / (zero - one) + 0.0, np.nan)

    def jumps(self, points: Array, domain: Domain) -> NDArray[np.bool_]:
        """At which points [n, d] of its face the value that it gives jumps."""
        is_jump = np.zeros(len(points), dtype=bool)
        for axis in range(domain.dimension):
            if axis == self.face.axis:
                continue
            step = np.zeros(domain.dimension)
            step[axis] = CLOSE * (domain.upper[axis] - domain.lower[axis])
            before, after = self.values(points - step, domain), self.values(points + step, domain)
            with np.errstate(all="ignore"):
                size = np.nanmax(np.abs([before, after]), initial=0.0)
                is_jump |= np.abs(after - before) > SMALL * size
        return is_jump


def corner_warnings(domain: Domain, terms: Sequence[Term]) -> Iterator[str]:
    """A sentence for each pair of conditions that give an unknown two values where they meet."""
    differing: dict[tuple[str, str, str], list[tuple[Array, float, float]]] = {}
    for meeting in _meetings(domain, terms):
        one, other = meeting.conditions
        points = _edge(domain, one.face, other.face)
        off, a, b = meeting.differ(points, domain)
        key = (one.term.name, other.term.name, one.unknown)
        differing.setdefault(key, []).extend(zip(points[off], a[off], b[off], strict=True))
    for (first, second, unknown), places in differing.items():
        jumps = [
            f"{unknown} = {value:.4g} and {other_value:.4g} at "
            + ", ".join(f"{x} = {v:g}" for x, v in zip(domain.coordinates, point, strict=True))
            for point, value, other_value in places[:2]
        ]
        if jumps:
            more = ", and elsewhere" if len(places) > 2 else ""
            yield (
                f"'{first}' and '{second}' disagree where they meet: {'; '.join(jumps)}{more}. "
                "The solution jumps there, which may cost accuracy."
            )


def without_two_values(
    domain: Domain, terms: Sequence[Term], points: Array, values: Mapping[str, Array]
) -> dict[str, Array]:
    """Values of unknowns at points [n, d], NaN at those at which the solution has none, for two
    conditions give two, or what one gives jumps.
    """
    known = {name: of_name.copy() for name, of_name in values.items()}
    for condition in face_conditions(domain, terms):
        on_face = np.flatnonzero(points[:, condition.face.axis] == condition.face.value)
        if condition.unknown in known and len(on_face):
            is_jump = condition.jumps(points[on_face], domain)
            known[condition.unknown][on_face[is_jump]] = np.nan
    for meeting in _meetings(domain, terms):
        name = meeting.conditions[0].unknown
        faces = [condition.face for condition in meeting.conditions]
        is_on = [points[:, face.axis] == face.value for face in faces]
        on_both = np.flatnonzero(np.logical_and(*is_on))
        if name in known and len(on_both):
            known[name][on_both[meeting.differ(points[on_both], domain)[0]]] = np.nan
    return known


@dataclass(frozen=True, kw_only=True)
class _Meeting:
    """Two conditions on an unknown, on faces that have an edge in common."""

    conditions: tuple[FaceCondition, FaceCondition]
    scale: float
    """The largest value that they give on their faces."""

    def differ(self, points: Array, domain: Domain) -> tuple[Array, Array, Array]:
        """At which points [n, d] of the edge they do, and the values of both, [n] each."""
        a, b = (condition.values(points, domain) for condition in self.conditions)
        size = np.maximum(self.scale, np.maximum(np.abs(a), np.abs(b)))
        with np.errstate(all="ignore"):
            return np.abs(a - b) > SMALL * size, a, b


def _meetings(domain: Domain, terms: Sequence[Term]) -> Iterator[_Meeting]:
    """Those of all conditions, as far as formulas are not too long."""
    random = np.random.default_rng(0)
    conditions, work = [*face_conditions(domain, terms)], 0
    scales: list[float] = []
    for condition in conditions:
        points = domain.from_unit(random.random((N_ON_FACE, domain.dimension)))
        points[:, condition.face.axis] = condition.face.value
        sizes = np.abs(condition.values(points, domain))
        scales.append(float(np.max(sizes, where=np.isfinite(sizes), initial=0.0)))
    for (one, scale), (other, other_scale) in combinations(zip(conditions, scales, strict=True), 2):
        if one.unknown != other.unknown or one.face.axis == other.face.axis:
            continue
        work += sum(1 for condition in (one, other) for _ in nodes(condition.residual))
        if work > MAX_WORK:
            break
        yield _Meeting(conditions=(one, other), scale=max(scale, other_scale))


def face_conditions(domain: Domain, terms: Sequence[Term]) -> Iterator[FaceCondition]:
    """The conditions that hold one unknown itself, and no derivative, on a face."""
    for term in terms:
        for axis in range(domain.dimension):
            for face in term.region.faces_along(axis):
                for residual in term.residuals:
                    held = fields(residual)
                    if len(held) != 1 or any(order for f in held for order in f.orders):
                        continue
                    if symbols(residual) <= set(domain.coordinates) and not (
                        functions(residual) - TABLE.keys()
                    ):
                        (field,) = held
                        yield FaceCondition(
                            term=term, face=face, unknown=field.unknown, residual=residual
                        )


def _edge(domain: Domain, one: Face, other: Face) -> Array:
    """Points of what two faces of different axes have in common, [n, d]."""
    fixed = {one.axis: one.value, other.axis: other.value}
    return grid_points(
        tuple(
            np.array([fixed[axis]]) if axis in fixed else values
            for axis, values in enumerate(domain.grid((N_ALONG,) * domain.dimension))
        )
    )
