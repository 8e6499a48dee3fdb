"""The referee for Burgers' equation u_t + u u_x = ν u_xx: the transformation of Hopf (1950) and
Cole (1951).

With u_0 the initial values on the whole line and U_0′ = u_0, let ⟨g⟩ be the mean of g(y) under the
weight

    w(y) = exp Φ(y),    Φ(y) = −U_0(y)/(2ν) − (x − y)²/(4νt).

Then u(x, t) = ⟨u_0⟩ and u_x(x, t) = ⟨u_0′⟩ − (⟨u_0²⟩ − ⟨u_0⟩²)/(2ν). Walls with u = 0 are met by
continuing u_0 as an odd function about each of them.

The means are taken by the trapezoidal rule, which converges geometrically for such weights
(Trefethen & Weideman, SIAM Review 56, 2014) and, unlike Gauss-Hermite, does not underflow when ν is
small.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, differentiate, evaluate, fields
from laaf_cli.problem import Problem, Term
from laaf_cli.references.reference import Reference, ReferenceRefusedError, ReferenceValues
from laaf_cli.text import listed

FIRST_NODES = 64
MOST_NODES = 131_072
TOLERANCE = 1e-14
Quantity = Callable[[Array, Callable[[Array], Array]], Array]
"""(nodes [n_points, n_nodes], mean over the nodes) → values [n_points]."""

_AT_A_TIME = 40_000  # nodes of all points together: they stay in the cache


@dataclass(frozen=True, kw_only=True)
class InitialValues:
    """u_0 on [lower, upper] and its continuation to the line, odd about both ends."""

    lower: float
    upper: float
    inside: Callable[[Array], Array]
    """u_0 at points of [lower, upper]."""
    slope_inside: Callable[[Array], Array]
    """u_0′ at points of [lower, upper]."""
    series: Chebyshev
    """The Chebyshev series of u_0."""

    @cached_property
    def largest(self) -> float:
        """max |u_0|."""
        return float(np.max(np.abs(self.inside(np.linspace(self.lower, self.upper, 4001)))))

    @cached_property
    def steepest(self) -> float:
        """The largest u_0′, or 0 where u_0 only falls."""
        return max(0.0, float(np.max(self.slope_inside(np.linspace(self.lower, self.upper, 4001)))))

    @cached_property
    def swing(self) -> float:
        """max U_0 − min U_0."""
        return float(np.ptp(self.integral(np.linspace(self.lower, self.upper, 4001))))

    @cached_property
    def integral(self) -> Chebyshev:
        """U_0 on [lower, upper], 0 at the lower end."""
        return self.series.integ(lbnd=self.lower)

    def fold(self, y: Array) -> tuple[Array, Array]:
        """Every point of the line → its image in [lower, upper], and the sign of u_0 there."""
        length = self.upper - self.lower
        offset = np.mod(y - self.lower, 2 * length)
        mirrored = offset > length
        image = self.lower + np.where(mirrored, 2 * length - offset, offset)
        return image, np.where(mirrored, -1.0, 1.0)

    def values(self, y: Array) -> Array:
        """u_0 at any points of the line [n]: odd about both ends, as u = 0 there asks."""
        image, sign = self.fold(y)
        return sign * self.inside(image)

    def slope(self, y: Array) -> Array:
        """u_0′, which is even about both ends."""
        return self.slope_inside(self.fold(y)[0])


class HopfCole(Reference):
    """Burgers' equation on an interval with u = 0 at both ends, for any constant ν > 0."""

    method = (
        "Hopf-Cole transformation, trapezoidal rule; error: change when the nodes are "
        "doubled, and rounding"
    )

    def __init__(self, problem: Problem) -> None:
        """Raises ReferenceRefusedError, naming what does not fit, for a problem of another form."""
        statement = _Statement(problem)
        self.unknown = problem.unknowns[0]
        self.space_axis = statement.space_axis
        self.start = problem.domain.lower[statement.time_axis]
        self.viscosity = statement.viscosity()
        statement.check_walls()
        self.initial = statement.initial_values()

    def evaluate(self, points: Array) -> ReferenceValues:
        began = time.perf_counter()
        values, change = self._converged(points, self._value)
        scale = max(self.initial.largest, np.finfo(float).tiny)
        # U_0/(2ν) enters an exponential, so its rounding is that of the result.
        exponent_range = self.initial.swing / (2 * self.viscosity)
        rounding = float(np.finfo(float).eps * scale * (1 + exponent_range))
        estimate = max(change, rounding)
        return ReferenceValues(
            {self.unknown: values}, {self.unknown: estimate}, time.perf_counter() - began
        )

    def slope(self, points: Array) -> Array:
        """u_x at points [n, 2] after the start."""
        return self._converged(points, self._slope)[0]

    def _value(self, y: Array, mean: Callable[[Array], Array]) -> Array:
        return mean(self.initial.values(y))

    def _slope(self, y: Array, mean: Callable[[Array], Array]) -> Array:
        u = self.initial.values(y)
        average = mean(u)
        variance = mean((u - average[:, None]) ** 2)
        return mean(self.initial.slope(y)) - variance / (2 * self.viscosity)

    def _converged(self, points: Array, quantity: Quantity) -> tuple[Array, float]:
        """The quantity at every point, the nodes doubled until it rests, and the largest last
        change.

        The first number of nodes, a power of two, puts two into the width of the narrowest peak
        that the weight can have: −Φ″ = (u_0′ + 1/t)/(2ν). With fewer, one node may outweigh all
        others at one number of nodes and at twice that number, and a wrong value would seem to
        rest.
        """
        x, t = points[:, self.space_axis], points[:, 1 - self.space_axis] - self.start
        result = np.empty(len(points))
        at_start = t <= 0
        result[at_start] = self.initial.values(x[at_start])
        largest_change = 0.0
        later = np.flatnonzero(~at_start)
        width = np.sqrt(2 * self.viscosity / (self.initial.steepest + 1 / t[later]))
        needed = 4 * self._reach(t[later]) / width
        first = np.maximum(FIRST_NODES, 2 ** np.ceil(np.log2(needed))).astype(np.intp)
        if np.any(first >= MOST_NODES):
            raise ReferenceRefusedError(
                f"Hopf-Cole does not apply: with nu = {self.viscosity:g} the fronts are too "
                f"thin for {MOST_NODES} nodes"
            )
        for nodes in np.unique(first):
            which = later[first == nodes]
            result[which], change = self._doubled(x, t, which, int(nodes), quantity)
            largest_change = max(largest_change, change)
        return result, largest_change

    def _doubled(
        self, x: Array, t: Array, which: NDArray[np.intp], nodes: int, quantity: Quantity
    ) -> tuple[Array, float]:
        """The quantity at some of the points, its nodes doubled from a first number until it
        rests.
        """
        result = np.empty(len(which))
        open_, largest_change = np.arange(len(which)), 0.0
        before = self._by_parts(x, t, which, nodes, quantity)
        while len(open_):
            nodes *= 2
            after = self._by_parts(x, t, which[open_], nodes, quantity)
            result[open_] = after
            change = np.abs(after - before)
            moving = change > TOLERANCE * max(1.0, self.initial.largest)
            if nodes >= MOST_NODES:
                moving[:] = False
            # What still moves is doubled again; what rests keeps its last change as its error.
            largest_change = max(largest_change, float(np.max(change[~moving], initial=0.0)))
            open_, before = open_[moving], after[moving]
        return result, largest_change

    def _reach(self, t: Array) -> Array:
        """The distance beyond which the weight is below e⁻⁴⁵ of that at y = x.

        U_0 differs by at most M |y − x|, M = max |u_0|, and by no more than its swing.
        """
        travel = t * self.initial.largest
        wide = 180 * self.viscosity * t
        return np.minimum(
            travel + np.sqrt(travel**2 + wide), np.sqrt(2 * t * self.initial.swing + wide)
        )

    def _by_parts(
        self, x: Array, t: Array, which: NDArray[np.intp], nodes: int, quantity: Quantity
    ) -> Array:
        size = max(1, _AT_A_TIME // nodes)
        parts = [which[i : i + size] for i in range(0, len(which), size)]
        return np.concatenate(
            [self._on_nodes(x[part], t[part], nodes, quantity) for part in parts] or [np.empty(0)]
        )

    def _on_nodes(self, x: Array, t: Array, nodes: int, quantity: Quantity) -> Array:
        """The quantity with a given number of nodes."""
        y = x[:, None] + self._reach(t)[:, None] * np.linspace(-1, 1, nodes + 1)
        # U_0 is even about both ends.
        integral = np.asarray(self.initial.integral(self.initial.fold(y)[0]))
        spread = 4 * self.viscosity * t[:, None]
        phi = -integral / (2 * self.viscosity) - (x[:, None] - y) ** 2 / spread
        weight = np.exp(phi - phi.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        return quantity(y, lambda values: np.einsum("pn,pn->p", weight, values))


class _Statement:
    """Reads a problem as Burgers' equation with walls, or says what does not fit."""

    def __init__(self, problem: Problem) -> None:
        self.domain = problem.domain
        equations = [term for term in problem.terms if term.kind == "equation"]
        if self.domain.dimension != 2 or self.domain.time_axis is None:
            raise _refused(
                f"the coordinates are {listed(self.domain.coordinates)}", "one of space and t"
            )
        if len(problem.unknowns) != 1 or len(equations) != 1:
            raise _refused(
                f"there are {len(problem.unknowns)} unknowns and {len(equations)} equations",
                "one of each",
            )
        self.time_axis = self.domain.time_axis
        self.space_axis = 1 - self.time_axis
        self.space = self.domain.coordinates[self.space_axis]
        self.equation = equations[0]
        self.conditions = [term for term in problem.terms if term.kind == "condition"]
        unknown = problem.unknowns[0]

        def field(space: int, time_: int) -> Field:
            return Field(unknown, (space, time_) if self.space_axis == 0 else (time_, space))

        self.u, self.u_x, self.u_xx, self.u_t = field(0, 0), field(1, 0), field(2, 0), field(0, 1)

    def viscosity(self) -> float:
        """ν, found by probing the residual; refuses equations that are not c (u_t + u u_x − ν
        u_xx).
        """
        u, x = self.u.unknown, self.space
        form = f"{u}_t + {u}*{u}_{x} = nu*{u}_{x}{x}"
        refused = _refused(
            f"the equation '{self.equation.name}' is not of the form",
            f"{form} with a constant nu > 0",
        )
        if not self.equation.fields <= {self.u, self.u_x, self.u_xx, self.u_t}:
            raise refused
        residual = self.equation.residuals[0]
        random = np.random.default_rng(0)
        inside = self.domain.from_unit(random.random((64, 2)))

        def probe(
            u: Array | float, u_x: Array | float, u_xx: Array | float, u_t: Array | float
        ) -> Array:
            values = {self.u: u, self.u_x: u_x, self.u_xx: u_xx, self.u_t: u_t}
            return _at(residual, self.domain.coordinates, inside, values)

        factor = float(probe(0, 0, 0, 1)[0])
        if factor == 0 or not np.isfinite(factor):
            raise refused
        viscosity = -float(probe(0, 0, 1, 0)[0]) / factor
        v, v_x, v_xx, v_t = random.uniform(-2, 2, (4, 64))
        expected = factor * (v_t + v * v_x - viscosity * v_xx)
        if not viscosity > 0 or not np.allclose(
            probe(v, v_x, v_xx, v_t), expected, rtol=1e-10, atol=1e-10 * abs(factor)
        ):
            raise refused
        return viscosity

    def check_walls(self) -> None:
        """Refuses conditions on the faces in space other than u = 0 on both."""
        for face in self.domain.boundary:
            held = [term for term in self.conditions if face in term.region.faces_along(face.axis)]
            if not held:
                raise _refused(
                    f"no condition is given at {face.name}", f"{self.u.unknown} = 0 on both walls"
                )
            for term in held:
                line = np.stack(self.domain.grid((9, 9)), axis=1)
                line[:, face.axis] = face.value
                shifts = [self._shift(residual, line) for residual in term.residuals]
                if any(shift is None or np.any(shift != 0) for shift in shifts):
                    raise _refused(
                        f"the condition '{term.name}' is another than {self.u.unknown} = 0",
                        "that on both walls",
                    )

    def initial_values(self) -> InitialValues:
        """u_0 from the condition at the start; refuses what cannot be integrated to rounding."""
        lower, upper = self.domain.lower[self.space_axis], self.domain.upper[self.space_axis]
        term, residual = self._initial_condition()
        coordinates, start = self.domain.coordinates, self.domain.lower[self.time_axis]
        line = np.linspace(lower, upper, 101)
        points = _on_line(line, start, self.time_axis)
        if self._shift(residual, points) is None:
            raise _refused(
                f"the condition '{term.name}' does not give {self.u.unknown} itself",
                "u = f(x) at the start",
            )
        # The residual is c (u − u_0) with a constant c.
        factor = float(np.diff(self._probe(residual, points[:1]), axis=0)[0, 0])
        flat = dict.fromkeys((self.u, self.u_x, self.u_xx, self.u_t), 0.0)
        inside = _AtStart(
            tree=residual,
            coordinates=coordinates,
            start=start,
            time_axis=self.time_axis,
            values=flat,
            divisor=-factor,
        )
        slope = replace(inside, tree=differentiate(residual, self.space, coordinates))
        ends = inside(np.array([lower, upper]))
        size = max(1.0, float(np.max(np.abs(inside(line)))))
        if np.max(np.abs(ends)) > 1e-12 * size:
            raise _refused(
                f"the initial values at the walls are {ends[0]:g} and {ends[1]:g}", "0 there"
            )
        return InitialValues(
            lower=lower,
            upper=upper,
            inside=inside,
            slope_inside=slope,
            series=_series(inside, lower, upper),
        )

    def _initial_condition(self) -> tuple[Term, Node]:
        start = self.domain.faces[2 * self.time_axis]
        held = [term for term in self.conditions if start in term.region.faces_along(start.axis)]
        if len(held) != 1 or len(held[0].residuals) != 1:
            raise _refused(f"{len(held)} conditions at {start.name}", "one, of one equation")
        return held[0], held[0].residuals[0]

    def _shift(self, residual: Node, points: Array) -> Array | None:
        """g where the residual is c (u − g) with a constant c, else None."""
        if fields(residual) != {self.u}:
            return None
        zero, one, two = self._probe(residual, points, (0.0, 1.0, 2.0))
        factor = (one - zero)[0]
        linear = (
            factor != 0
            and np.allclose(one - zero, factor, rtol=1e-12)
            and np.allclose(two - zero, 2 * factor, rtol=1e-12)
        )
        return -zero / factor if linear else None

    def _probe(
        self, residual: Node, points: Array, values: tuple[float, ...] = (0.0, 1.0)
    ) -> Array:
        """The residual at points for some values of u, its derivatives being 0; [n_values,
        n_points].
        """
        rest = dict.fromkeys((self.u_x, self.u_xx, self.u_t), 0.0)
        return np.stack(
            [_at(residual, self.domain.coordinates, points, rest | {self.u: u}) for u in values]
        )


@dataclass(frozen=True, kw_only=True)
class _AtStart:
    """x → tree/divisor at time `start`, for given values of the fields; a class, so that
    references can be sent.
    """

    tree: Node
    coordinates: tuple[str, ...]
    start: float
    time_axis: int
    values: Mapping[Field, float]
    divisor: float

    def __call__(self, x: Array) -> Array:
        points = _on_line(x, self.start, self.time_axis)
        return _at(self.tree, self.coordinates, points, self.values).reshape(x.shape) / self.divisor


def _on_line(x: Array, time: float, time_axis: int) -> Array:
    """The points (x, time), [n, 2], in the order of the coordinates."""
    columns = [x.ravel(), np.full(x.size, time)]
    return np.stack(columns if time_axis == 1 else columns[::-1], axis=1)


def _at(
    tree: Node, coordinates: tuple[str, ...], points: Array, values: Mapping[Field, Array | float]
) -> Array:
    symbols = dict(zip(coordinates, points.T, strict=True))
    with np.errstate(all="ignore"):
        return np.array(
            np.broadcast_to(evaluate(tree, symbols, values, NUMPY), len(points)), dtype=np.float64
        )


def _series(function: Callable[[Array], Array], lower: float, upper: float) -> Chebyshev:
    """The Chebyshev series of a smooth function to rounding; refuses functions that are not
    smooth enough.
    """
    for degree in (16, 32, 64, 128, 256, 512, 1024, 2048):
        series = Chebyshev.interpolate(function, degree, domain=[lower, upper])
        sizes = np.abs(series.coef)
        least = 1e-15 * max(np.max(sizes), 1e-300) * np.sqrt(degree)
        if np.max(sizes[-max(3, degree // 8) :]) <= least:
            return series
    raise _refused(
        "the initial values are not smooth", "values whose Chebyshev series converges to rounding"
    )


def _refused(reason: str, needed: str) -> ReferenceRefusedError:
    return ReferenceRefusedError(f"Hopf-Cole does not apply: {reason}; it needs {needed}")
