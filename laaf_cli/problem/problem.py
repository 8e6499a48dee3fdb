"""A problem as the solver sees it: a domain, unknowns, and terms that must vanish at points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from laaf_cli.expression import Field, Node, fields
from laaf_cli.problem.domain import Array, Domain, Face
from laaf_cli.problem.samplers import draw
from laaf_cli.seeds import random_stream

OBSERVED = "observed "
"""What the symbol of an observed value begins with; no name in a spec can hold a space."""


@dataclass(frozen=True)
class PointSet:
    """Collocation points [n_points, d] and the values [n_points] that belong to each of them, by symbol."""

    points: Array
    symbols: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.points)


class Region(ABC):
    """Where a term holds, and how its points are drawn."""

    n_points: int

    @abstractmethod
    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        """The points of this region, in float64."""

    @property
    @abstractmethod
    def description(self) -> str:
        """A few words for a person."""


@dataclass(frozen=True)
class Interior(Region):
    """The inside of the domain."""

    n_points: int
    sampler: str

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        return PointSet(domain.from_unit(draw(self.sampler, self.n_points, domain.dimension, random)))

    @property
    def description(self) -> str:
        return f"interior, {self.sampler}"


@dataclass(frozen=True)
class OnFaces(Region):
    """Faces of the domain, which share the points evenly; a face that is a single point has one."""

    faces: tuple[Face, ...]
    n_points: int
    sampler: str

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        share, extra = divmod(self.n_points, len(self.faces))
        parts = []
        for i, face in enumerate(self.faces):
            unit = draw(self.sampler, max(1, share + (i < extra)), domain.dimension - 1, random)
            points = domain.from_unit(np.insert(unit, face.axis, 0.0, axis=1))
            points[:, face.axis] = face.value
            parts.append(points)
        return PointSet(np.concatenate(parts))

    @property
    def description(self) -> str:
        return ", ".join(face.name for face in self.faces)


@dataclass(frozen=True)
class Observed(Region):
    """Points and values that were given, as from a file."""

    given: PointSet
    source: str

    @property
    def n_points(self) -> int:  # type: ignore[override]
        return len(self.given)

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:  # noqa: ARG002 - nothing is drawn
        return self.given

    @property
    def description(self) -> str:
        return f"from {self.source}"


@dataclass(frozen=True)
class Term:
    """A term of the loss: weight × the mean over points of the squared residuals, summed over residuals.

    kind: "equation", "condition" or "data".
    residuals: trees in the coordinates, the unknowns and their derivatives; each is to be 0 in the region.
    """

    name: str
    kind: str
    residuals: tuple[Node, ...]
    region: Region
    weight: float

    @property
    def fields(self) -> frozenset[Field]:
        """The unknowns and derivatives that the residuals need."""
        return frozenset().union(*(fields(residual) for residual in self.residuals))

    @property
    def order(self) -> int:
        """The highest total order of a derivative."""
        return max((sum(field.orders) for field in self.fields), default=0)


@dataclass(frozen=True)
class Problem:
    """What is to be solved: every unknown as a function on the domain that makes all terms vanish.

    closed_form: the exact solution by unknown where the spec states one.
    grid: the values of each coordinate at which the solution is written and compared.
    times: where the error is told apart; empty without time.
    warnings: sentences on what the problem seems to lack.
    """

    title: str
    domain: Domain
    unknowns: tuple[str, ...]
    terms: tuple[Term, ...]
    closed_form: Mapping[str, Node] | None
    grid: tuple[Array, ...]
    times: tuple[float, ...]
    warnings: tuple[str, ...] = ()

    @property
    def order(self) -> int:
        return max(term.order for term in self.terms)

    def draw_points(self, seed: int) -> dict[str, PointSet]:
        """The points of every term, each from its own stream of the seed; the equations of a system share theirs."""
        drawn: dict[str, PointSet] = {}
        points = {}
        for term in self.terms:
            stream = "interior" if term.kind == "equation" else f"{term.kind} {term.name}"
            if stream not in drawn:
                drawn[stream] = term.region.draw(self.domain, random_stream(seed, "points", stream))
            points[term.name] = drawn[stream]
        return points
