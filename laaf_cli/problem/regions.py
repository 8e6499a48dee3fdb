"""Where a term of the loss holds: each kind of region draws its points, and says how they are
combined.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Node, evaluate
from laaf_cli.problem.domain import Domain, Face, grid_points
from laaf_cli.problem.patches import Axis, Patch, on_axes
from laaf_cli.problem.rejection import NoPointsError, Subset, in_domain, on_plane, selected
from laaf_cli.problem.samplers import draw, independent
from laaf_cli.problem.shapes.boundary import BoundaryPiece, on_pieces

OBSERVED = "observed "
"""What the symbol of an observed value begins with; no name in a spec can hold a space."""

NORMAL = "normal "
"""What the symbol of a component of the outward unit normal begins with."""

N_NODES = 32
"""Gauss-Legendre nodes per coordinate of an integral."""


@dataclass(frozen=True, kw_only=True)
class PointSet:
    """Collocation points [n_points, d] and the values [n_points] that belong to each of them, by
    symbol.
    """

    points: Array
    symbols: Mapping[str, Array] = field(default_factory=dict)
    combination: Array | None = None
    """None where a residual is to vanish at each point; else factors [g], and the residual of each
    run of g points is the sum of factor × value over them.
    """
    row_weights: Array | None = None
    """Weights of the squares, [n_points / g]; None for 1."""

    def __len__(self) -> int:
        return len(self.points)

    def part(self, chosen: Array) -> PointSet:
        """Some of the points, by index or mask, where each has a residual of its own."""
        weights = None if self.row_weights is None else self.row_weights[chosen]
        symbols = {name: values[chosen] for name, values in self.symbols.items()}
        return PointSet(points=self.points[chosen], symbols=symbols, row_weights=weights)

    @property
    def n_residuals(self) -> int:
        """How many residuals the points give."""
        return len(self.points) // self.points_per_residual

    @property
    def points_per_residual(self) -> int:
        """How many successive points a residual depends on."""
        return 1 if self.combination is None else len(self.combination)

    def of_residuals(self, residuals: slice | NDArray[np.int64]) -> PointSet:
        """The points of these residuals; of successive ones they share their memory with all."""
        n = self.points_per_residual
        points: slice | NDArray[np.int64]
        if isinstance(residuals, slice):
            points = slice(residuals.start * n, residuals.stop * n)
        else:
            points = (residuals[:, None] * n + np.arange(n)).ravel()
        return replace(
            self,
            points=self.points[points],
            symbols={name: values[points] for name, values in self.symbols.items()},
            row_weights=None if self.row_weights is None else self.row_weights[residuals],
        )


EvaluateReference = Callable[[Array], Mapping[str, Array]]
"""Points [n_points, d] → values [n_points] of a reference, by unknown."""


class Extent(Enum):
    """How far a region reaches along an axis: over all of it, so that it has its part of every
    range; its lower end alone; one place inside, which is of one range; or something else.
    """

    WHOLE = "whole"
    START = "start"
    INSIDE = "inside"
    OTHER = "other"


class Region(ABC):
    """Where a term holds: how its points are drawn, and what a term there says of the solution."""

    n_points: int
    is_observed: ClassVar[bool] = False
    """Whether values are given there, which may be wrong."""
    is_at_bounds: ClassVar[bool] = False
    """Whether a term there is one of the conditions that the order of an equation along an axis
    asks for.
    """

    @abstractmethod
    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        """The points of this region, in float64.

        Raises:
            NoPointsError: the region has no points.
        """

    @abstractmethod
    def describe(self, domain: Domain) -> str:
        """A few words for a person."""

    def patches(self, domain: Domain, axes: Sequence[Axis]) -> list[Patch]:
        """The grids, made of the axes of a solver, on which it takes a residual to vanish; none
        where values are observed.
        """
        return []

    def with_points(self, n_points: int, sampler: str) -> Region | None:
        """The same region with so many points of a sampler; None where points are given."""
        return None

    def redrawn(self, n_interior: int) -> Region | None:
        """The same region with points independent of those that were drawn before, n_interior of
        them inside the domain; None where points are given.
        """
        return None

    @property
    def drawn(self) -> Drawn | None:
        """The region, where a sampler draws its points; None where points are given."""
        return None

    @property
    def given_arrays(self) -> tuple[Array, ...]:
        """What was given, as from a file: points, values and weights; empty where points are
        drawn.
        """
        return ()

    def with_reference(
        self, drawn: PointSet, evaluate: EvaluateReference, random: np.random.Generator
    ) -> PointSet:
        """The points that were drawn, with the values of the reference where those are observed."""
        return drawn

    def extent(self, axis: int) -> Extent:
        """How far the region reaches along an axis."""
        return Extent.OTHER

    @property
    def points_per_residual(self) -> int:
        """How many points one residual takes."""
        return 1

    @property
    def paired_axis(self) -> int | None:
        """The axis whose two faces are compared, if any."""
        return None

    @property
    def is_part_of_faces(self) -> bool:
        """Whether a comparison leaves out some of the faces."""
        return False

    @property
    def on_boundary(self) -> tuple[BoundaryPiece, ...]:
        """The pieces of the boundary of a shape on which a term holds, or on a part of which it
        does.
        """
        return ()

    def faces_along(self, axis: int) -> tuple[Face, ...]:
        """The faces of an axis on which a term holds, or on a part of which it does."""
        return ()

    def holds(self, points: Array, domain: Domain) -> NDArray[np.bool_]:
        """At which points of its faces a term holds, [n_points]."""
        return np.ones(len(points), dtype=bool)

    def whole_faces(self, domain: Domain) -> tuple[Face, ...]:
        """The faces that make up the region; none where something else does."""
        return ()

    def mirrored(self, axis: int, domain: Domain) -> Region:
        """The region after an axis is turned round; itself where it is no
        face.
        """
        return self


@dataclass(frozen=True, kw_only=True)
class Drawn(Region):
    """A region whose points a sampler draws."""

    n_points: int
    sampler: str

    @property
    def drawn(self) -> Self:
        return self

    def with_points(self, n_points: int, sampler: str) -> Self:
        return replace(self, n_points=n_points, sampler=sampler)

    def redrawn(self, n_interior: int) -> Self:
        return self.with_points(self.n_points, independent(self.sampler))


@dataclass(frozen=True, kw_only=True)
class Interior(Drawn):
    """The inside of the domain."""

    importance: tuple[tuple[Subset, float], ...] = ()
    """Parts with a fraction of the points of their own."""

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        counts = [round(share * self.n_points) for _, share in self.importance]

        def draw_some(sampler: str, n: int) -> Array:
            return domain.from_unit(draw(sampler, n, domain.dimension, random))

        everywhere = in_domain(domain, self.n_points - sum(counts), self.sampler, draw_some)
        parts = [
            part.draw(count, domain, self.sampler, draw_some)
            for (part, _), count in zip(self.importance, counts, strict=True)
        ]
        return PointSet(points=np.concatenate([everywhere, *parts]) if parts else everywhere)

    def extent(self, axis: int) -> Extent:
        return Extent.OTHER if self.importance else Extent.WHOLE

    def describe(self, domain: Domain) -> str:
        more = "".join(f", {share:.0%} in {part.text}" for part, share in self.importance)
        return f"interior, {self.sampler}{more}"

    def patches(self, domain: Domain, axes: Sequence[Axis]) -> list[Patch]:
        return [Patch(axes=on_axes(axes, {}))]

    def redrawn(self, n_interior: int) -> Self:
        return self.with_points(n_interior, independent(self.sampler))


@dataclass(frozen=True, kw_only=True)
class OnFaces(Drawn):
    """Faces of the domain, or the part of them where `only` holds; they share the points evenly.

    A face that is a single point has one.
    """

    faces: tuple[Face, ...]
    only: Subset | None = None
    is_at_bounds: ClassVar[bool] = True

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        share, extra = divmod(self.n_points, len(self.faces))
        parts, normals = [], []
        for i, face in enumerate(self.faces):
            try:
                points = self._on(face, max(1, share + (i < extra)), domain, random)
            except NoPointsError:
                continue
            parts.append(points)
            normals.append(np.tile(self.normal(face, domain), (len(points), 1)))
        if not parts:
            raise NoPointsError(self.only.text if self.only is not None else "")
        normal = np.concatenate(normals)
        symbols = {
            f"{NORMAL}{name}": normal[:, axis] for axis, name in enumerate(domain.coordinates)
        }
        return PointSet(points=np.concatenate(parts), symbols=symbols)

    def _on(self, face: Face, n: int, domain: Domain, random: np.random.Generator) -> Array:
        def draw_some(sampler: str, n: int) -> Array:
            return on_plane({face.axis: face.value}, n, sampler, domain, random)

        if self.only is None:
            return draw_some(self.sampler, n)
        return self.only.draw(n, domain, self.sampler, draw_some)

    @staticmethod
    def normal(face: Face, domain: Domain) -> Array:
        """The outward unit normal of a face, [d]."""
        normal = np.zeros(domain.dimension)
        normal[face.axis] = 1.0 if face.upper else -1.0
        return normal

    def extent(self, axis: int) -> Extent:
        ends = [face.upper for face in self.faces if face.axis == axis]
        if not ends and self.only is None:
            return Extent.WHOLE
        only_start = len(ends) == len(self.faces) and not any(ends)
        return Extent.START if only_start else Extent.OTHER

    def describe(self, domain: Domain) -> str:
        more = f", where {self.only.text}" if self.only is not None else ""
        return ", ".join(face.name for face in self.faces) + more

    def patches(self, domain: Domain, axes: Sequence[Axis]) -> list[Patch]:
        patches = []
        for face in self.faces:
            points, normal = on_axes(axes, {face.axis: face.value}), self.normal(face, domain)
            symbols = {
                f"{NORMAL}{name}": part
                for name, part in zip(domain.coordinates, normal.tolist(), strict=True)
            }
            selected = None
            if self.only is not None:
                selected = np.flatnonzero(self.only.holds(grid_points(points), domain))
            patches.append(Patch(axes=points, symbols=symbols, selected=selected))
        return patches

    @property
    def is_part_of_faces(self) -> bool:
        return self.only is not None

    def faces_along(self, axis: int) -> tuple[Face, ...]:
        return tuple(face for face in self.faces if face.axis == axis)

    def holds(self, points: Array, domain: Domain) -> NDArray[np.bool_]:
        return (
            super().holds(points, domain) if self.only is None else self.only.holds(points, domain)
        )

    def whole_faces(self, domain: Domain) -> tuple[Face, ...]:
        return self.faces if self.only is None else ()

    def mirrored(self, axis: int, domain: Domain) -> Self:
        opposite = {(face.axis, not face.upper): face for face in domain.faces}
        return replace(
            self,
            faces=tuple(
                opposite[axis, face.upper] if face.axis == axis else face for face in self.faces
            ),
        )


@dataclass(frozen=True, kw_only=True)
class OnParts(Drawn):
    """Pieces of the boundary of a shape at all times, or the part of them where `only` holds:
    uniform in length or area.
    """

    pieces: tuple[BoundaryPiece, ...]
    text: str
    """The parts, as the user wrote them."""
    only: Subset | None = None
    is_at_bounds: ClassVar[bool] = True

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        d, n_numbers, only = domain.dimension, self.pieces[0].n_numbers, self.only
        free = [axis for axis in range(d) if axis not in self._axes(domain)]

        def draw_some(sampler: str, n: int) -> Array:
            # A grid of the numbers that points are drawn by puts many at one place.
            named = sampler if n_numbers == 1 else independent(sampler)
            return self._at(draw(named, n, n_numbers + len(free), random), free, domain)

        def holds(rows: Array) -> NDArray[np.bool_]:
            held = rows[:, -1] > 0
            return held if only is None else held & only.holds(rows[:, :d], domain)

        rows = draw_some(self.sampler, self.n_points)
        if only is not None or not rows[:, -1].all():
            rows = selected(holds, self.n_points, self.sampler, draw_some)
            if not len(rows):
                raise NoPointsError(self.text if only is None else only.text)
        normals = rows[:, d : 2 * d]
        symbols = {
            f"{NORMAL}{name}": normals[:, axis] for axis, name in enumerate(domain.coordinates)
        }
        return PointSet(points=rows[:, :d], symbols=symbols)

    def _at(self, unit: Array, free: Sequence[int], domain: Domain) -> Array:
        """Points, normals and whether they count [n, 2 d + 1]; the last numbers of each are for the
        axes that are not of the shape.
        """
        axes, d, n_numbers = self._axes(domain), domain.dimension, self.pieces[0].n_numbers
        wide = np.zeros((len(unit), d))
        wide[:, free] = unit[:, n_numbers:]
        points, normals = domain.from_unit(wide), np.zeros((len(unit), d))
        drawn = on_pieces(self.pieces, unit[:, :n_numbers])
        points[:, axes], normals[:, axes] = drawn.points, drawn.normals
        return np.column_stack([points, normals, drawn.held])

    @staticmethod
    def _axes(domain: Domain) -> list[int]:
        assert domain.shape is not None  # noqa: S101 - it is what has the pieces
        return list(domain.shape.axes)

    def extent(self, axis: int) -> Extent:
        return Extent.OTHER if self.only is not None else Extent.WHOLE

    def describe(self, domain: Domain) -> str:
        more = f", where {self.only.text}" if self.only is not None else ""
        extent = sum(piece.measure for piece in self.pieces)
        return f"{self.text}, {self.pieces[0].quantity} {extent:.6g}{more}"

    @property
    def is_part_of_faces(self) -> bool:
        return self.only is not None

    @property
    def on_boundary(self) -> tuple[BoundaryPiece, ...]:
        return self.pieces

    def holds(self, points: Array, domain: Domain) -> NDArray[np.bool_]:
        return (
            super().holds(points, domain) if self.only is None else self.only.holds(points, domain)
        )


@dataclass(frozen=True, kw_only=True)
class AtPlace(Drawn):
    """The points at which some coordinates, by axis, have given values; the others range freely."""

    values: Mapping[int, float]

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        return PointSet(points=on_plane(self.values, self.n_points, self.sampler, domain, random))

    def extent(self, axis: int) -> Extent:
        return Extent.OTHER if axis in self.values else Extent.WHOLE

    def describe(self, domain: Domain) -> str:
        return ", ".join(
            f"{domain.coordinates[axis]} = {value:g}" for axis, value in self.values.items()
        )

    def patches(self, domain: Domain, axes: Sequence[Axis]) -> list[Patch]:
        return [Patch(axes=on_axes(axes, self.values))]

    def whole_faces(self, domain: Domain) -> tuple[Face, ...]:
        if len(self.values) != 1:
            return ()
        face = domain.face(*next(iter(self.values.items())))
        return () if face is None else (face,)

    def mirrored(self, axis: int, domain: Domain) -> Self:
        values = dict(self.values)
        if axis in values:
            values[axis] = domain.lower[axis] + domain.upper[axis] - values[axis]
        return replace(self, values=values)


@dataclass(frozen=True, kw_only=True)
class PeriodicPair(Drawn):
    """Both faces of an axis: the residual is the difference of an expression between opposite
    points.
    """

    axis: int
    is_at_bounds: ClassVar[bool] = True

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        lower = on_plane(
            {self.axis: domain.lower[self.axis]}, self.n_points, self.sampler, domain, random
        )
        upper = lower.copy()
        upper[:, self.axis] = domain.upper[self.axis]
        return PointSet(
            points=np.stack([lower, upper], axis=1).reshape(-1, domain.dimension),
            combination=np.array([-1.0, 1]),
        )

    def extent(self, axis: int) -> Extent:
        return Extent.OTHER if axis == self.axis else Extent.WHOLE

    def describe(self, domain: Domain) -> str:
        return f"{domain.coordinates[self.axis]} periodic"

    def patches(self, domain: Domain, axes: Sequence[Axis]) -> list[Patch]:
        points = list(on_axes(axes, {}))
        points[self.axis] = np.array([domain.lower[self.axis], domain.upper[self.axis]])
        return [Patch(axes=tuple(points), weights={self.axis: np.array([-1.0, 1.0])})]

    @property
    def points_per_residual(self) -> int:
        return 2

    @property
    def paired_axis(self) -> int:
        return self.axis


@dataclass(frozen=True, kw_only=True)
class IntegralOver(Drawn):
    """The integral over whole ranges of some axes, at values of the others that are fixed or range
    freely.

    By Gauss-Legendre quadrature with N_NODES nodes per axis, exact for polynomials of degree 2
    N_NODES − 1.
    """

    axes: tuple[int, ...]
    fixed: Mapping[int, float]

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
        lower, size = np.array(domain.lower), np.subtract(domain.upper, domain.lower)
        grids = np.meshgrid(*[(nodes + 1) / 2] * len(self.axes), indexing="ij")
        combination = np.ones(1)
        for axis in self.axes:
            combination = np.multiply.outer(combination, weights / 2 * size[axis]).ravel()
        zero = dict.fromkeys(self.axes, 0.0) | dict(self.fixed)
        places = on_plane(zero, self.n_points, self.sampler, domain, random)
        points = np.repeat(places, len(combination), axis=0).reshape(
            len(places), -1, domain.dimension
        )
        for axis, grid in zip(self.axes, grids, strict=True):
            points[:, :, axis] = lower[axis] + size[axis] * grid.ravel()
        return PointSet(points=points.reshape(-1, domain.dimension), combination=combination)

    def extent(self, axis: int) -> Extent:
        return Extent.OTHER if axis in (*self.axes, *self.fixed) else Extent.WHOLE

    def describe(self, domain: Domain) -> str:
        over = ", ".join(domain.coordinates[axis] for axis in self.axes)
        fixed = "".join(
            f", {domain.coordinates[axis]} = {value:g}" for axis, value in self.fixed.items()
        )
        return f"integral over {over}{fixed}"

    def patches(self, domain: Domain, axes: Sequence[Axis]) -> list[Patch]:
        points, weights = list(on_axes(axes, self.fixed)), {}
        for axis in self.axes:
            points[axis], weights[axis] = axes[axis].quadrature
        return [Patch(axes=tuple(points), weights=weights)]

    @property
    def points_per_residual(self) -> int:
        return N_NODES ** len(self.axes)


@dataclass(frozen=True)
class Observed(Region):
    """Points and values that were given, as from a file."""

    point_set: PointSet
    source: str
    is_observed: ClassVar[bool] = True

    @property
    def n_points(self) -> int:  # type: ignore[override]
        """The number of points that were given."""
        return len(self.point_set)

    @property
    def given_arrays(self) -> tuple[Array, ...]:
        weights = self.point_set.row_weights
        arrays = (self.point_set.points, *self.point_set.symbols.values())
        return arrays if weights is None else (*arrays, weights)

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        return self.point_set

    def describe(self, domain: Domain) -> str:
        return f"from {self.source}"


@dataclass(frozen=True, kw_only=True)
class Sampled(Drawn):
    """Points at which the values of a target, or else of the reference, are observed with normal
    noise.
    """

    targets: Mapping[str, Node] | None
    """Trees in the coordinates by unknown; None where the values are those of the reference, which
    is not part of the problem: `with_reference` is given them.
    """
    noise: float
    """The standard deviation of the noise, as a fraction of that of the values."""
    is_observed: ClassVar[bool] = True

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:
        points = on_plane({}, self.n_points, self.sampler, domain, random)
        if self.targets is None:
            return PointSet(points=points)
        columns = dict(zip(domain.coordinates, points.T, strict=True))
        with np.errstate(all="ignore"):
            values = {
                name: np.broadcast_to(
                    np.asarray(evaluate(tree, columns, {}, NUMPY), dtype=np.float64), len(points)
                )
                for name, tree in self.targets.items()
            }
        return self.observe(points, values, random)

    def with_reference(
        self, drawn: PointSet, evaluate: EvaluateReference, random: np.random.Generator
    ) -> PointSet:
        if self.targets is not None:
            return drawn
        return self.observe(drawn.points, evaluate(drawn.points), random)

    def observe(
        self, points: Array, values: Mapping[str, Array], random: np.random.Generator
    ) -> PointSet:
        """The points with these values [n_points] and noise on them."""
        symbols = {}
        for name, value in values.items():
            noisy = value
            if self.noise > 0:
                with np.errstate(all="ignore"):  # reported where it is trained
                    noisy = value + self.noise * np.std(value) * random.standard_normal(len(value))
            symbols[f"{OBSERVED}{name}"] = noisy
        return PointSet(points=points, symbols=symbols)

    def describe(self, domain: Domain) -> str:
        source = "reference" if self.targets is None else "target"
        return f"{source}, {self.sampler}" + (f", {self.noise:.3g} noise" if self.noise else "")
