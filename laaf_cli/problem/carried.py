"""Where a solution has jumps and bends that nothing smooths: those that it begins with, carried by
transport at a constant velocity, or both ways by waves, which walls send back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    ExpressionError,
    Field,
    Node,
    Number,
    Symbol,
    fields,
    partial,
    substitute,
)
from laaf_cli.multi_index import MAX_ORDER
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.problem import Problem
from laaf_cli.problem.start import Start
from laaf_cli.problem.time_direction import runs_back

MOST = 20
"""Of all lines along which something is carried; more inputs would cost more than they bring."""

CLOSE = 1e-9
"""How far from a jump points lie on it, relative to the length of the domain."""

SAME = 1e-9
"""The relative spread up to which a velocity is one."""

Kinks = dict[str, list[tuple[float, int, float]]]
"""By coordinate, the place at the start, the order of the derivative that jumps, the velocity."""


def carried_kinks(problem: Problem) -> Kinks:
    """Where jumps and bends are carried to, in problems of transport alone and of waves alone."""
    domain = problem.domain
    if domain.time_axis is None or problem.fluxes or runs_back(domain, problem.terms):
        return {}
    start, found = Start(problem, domain.time_axis), Kinks()
    try:
        for axis, name in enumerate(domain.coordinates):
            if axis != start.time and (lines := set(islice(_along(start, axis), MOST + 1))):
                found[name] = sorted(lines)
    except ExpressionError:
        return {}  # formulas that are too large
    return found if sum(map(len, found.values())) <= MOST else {}


def _along(start: Start, axis: int) -> Iterator[tuple[float, int, float]]:
    lines: Iterable[tuple[float, int, float]] = ()
    if velocities := _velocities(start, axis):
        lines = _transported(start, axis, velocities)
    elif speeds := _wave_speeds(start, axis) or _speed_of_system(start, axis):
        lines = _waves(start, axis, speeds)
    most = 1 if axis in start.domain.periodic else MAX_ORDER
    for place, order, velocity in lines:
        yield place, min(order, most), velocity


def _equations(problem: Problem) -> list[Node]:
    return [r for term in problem.terms if term.kind == "equation" for r in term.residuals]


def _constant(start: Start, above: Node, below: Node) -> float | None:
    """The quotient of two formulas, where it has one value all over the domain."""
    if fields(above) or fields(below):
        return None
    points = start.domain.from_unit(np.random.default_rng(0).random((30, start.domain.dimension)))
    with np.errstate(all="ignore"):
        values = start.evaluated(above, points) / start.evaluated(below, points)
    mean = float(values.mean())
    return mean if np.ptp(values) <= SAME * abs(mean) else None


def _velocities(start: Start, axis: int) -> set[float]:
    """Those of transport along an axis, of every unknown; empty where anything else is solved."""
    velocities, equations = set(), _equations(start.problem)
    if len(start.evolving) < len(equations):
        return set()
    for field, equation in start.evolving.items():
        for held in fields(equation):
            n_slopes = sum(held.orders) - held.orders[start.time]
            if n_slopes > 1 or (n_slopes and held.unknown != field.unknown):
                return set()
        slope, rate = start.moved(field, axis), start.moved(field, start.time)
        velocity = _constant(start, partial(equation, slope), partial(equation, rate))
        if velocity is None:
            return set()
        velocities.add(velocity)
    return velocities


def _transported(
    start: Start, axis: int, velocities: set[float]
) -> Iterator[tuple[float, int, float]]:
    domain = start.domain
    origins = [
        (place, start.begins, order)
        for tree in start.values.values()
        for place, order in start.broken(tree, axis).items()
    ]
    if axis in domain.periodic and (order := start.seam(axis)) is not None:
        origins.append((domain.lower[axis], start.begins, order))
    for velocity in velocities:
        yield from (
            (place - velocity * (time - start.begins), order, velocity)
            for place, time, order in [*origins, *_from_face(start, axis, velocity)]
        )


def _from_face(start: Start, axis: int, velocity: float) -> Iterator[tuple[float, float, int]]:
    """The place, the time and the order of what enters by a face."""
    if axis in start.domain.periodic or not velocity:
        return
    is_upper = velocity < 0
    place = (start.domain.upper if is_upper else start.domain.lower)[axis]
    for term, residual in start.conditions(axis, is_upper):
        off = start.disagrees(term, residual, axis, is_upper)
        if off is not None:
            yield place, start.begins, off
        nothing: dict[Field | Symbol, Node] = dict.fromkeys(fields(residual), Number(0.0))
        for time, order in start.broken(substitute(residual, nothing), start.time).items():
            yield place, time, order


def _wave_speeds(start: Start, axis: int) -> set[float]:
    """Those of waves along an axis, of every unknown; empty where anything else is solved."""
    speeds, equations = set(), _equations(start.problem)
    for equation in equations:
        held = fields(equation)
        rates = [field for field in held if field.orders[start.time] == 2]
        if len(rates) != 1 or any(sum(field.orders) > 2 for field in held):
            return set()
        (rate,) = rates
        value = Field(rate.unknown, (0,) * start.domain.dimension)
        bend = start.moved(start.moved(value, axis), axis)
        seconds = [field for field in held if sum(field.orders) == 2 and field != rate]
        is_straight = all(2 in f.orders and f.unknown == rate.unknown for f in seconds)
        if value not in start.values or start.moved(value, start.time) not in start.rates:
            return set()
        square = _constant(start, partial(equation, bend), partial(equation, rate))
        if not is_straight or square is None or square >= 0:
            return set()
        speeds.add((-square) ** 0.5)
    return speeds


def _speed_of_system(start: Start, axis: int) -> set[float]:
    """The speed of both ways of waves in a system of first order, as in acoustics or on a line of
    transmission; empty where there are several, and where anything else is solved.
    """
    equations = _equations(start.problem)
    if not equations or len(start.evolving) < len(equations):
        return set()
    matrix = np.zeros((len(equations), len(equations)))
    for row, (field, equation) in zip(matrix, start.evolving.items(), strict=True):
        if any(sum(f.orders) - f.orders[start.time] > 1 for f in fields(equation)):
            return set()
        rate = partial(equation, start.moved(field, start.time))
        for k, other in enumerate(start.evolving):
            velocity = _constant(start, partial(equation, start.moved(other, axis)), rate)
            if velocity is None:
                return set()
            row[k] = velocity
    velocities = np.linalg.eigvals(matrix)
    speed = float(np.abs(velocities).max())
    moving = velocities[np.abs(velocities) > SAME * speed]
    is_one = np.allclose(np.abs(moving.real), speed, rtol=SAME) and not np.iscomplex(moving).any()
    return {speed} if is_one and len({*np.sign(moving.real).tolist()}) == 2 else set()


def _waves(start: Start, axis: int, speeds: set[float]) -> Iterator[tuple[float, int, float]]:
    """None where values themselves jump, which conditions on both sides do not determine."""
    domain = start.domain
    # What a rate jumps by, the value bends by.
    breaks = [
        (place, more + order)
        for more, trees in enumerate((start.values, start.rates))
        for tree in trees.values()
        for place, order in start.broken(tree, axis).items()
    ]
    if axis in domain.periodic and (order := start.seam(axis)) is not None:
        breaks.append((domain.lower[axis], order))
    origins = [(place, start.begins, way, order) for place, order in breaks for way in (-1.0, 1.0)]
    for is_upper in () if axis in domain.periodic else (False, True):
        wall, way = (domain.upper[axis], -1.0) if is_upper else (domain.lower[axis], 1.0)
        for term, residual in start.conditions(axis, is_upper):
            if start.breaks((partial(residual, f) for f in fields(residual)), start.time):
                return  # a condition of another kind later
            nothing: dict[Field | Symbol, Node] = dict.fromkeys(fields(residual), Number(0.0))
            given = substitute(residual, nothing)
            # What a slope jumps by, the value bends by.
            more = min(1, max((sum(field.orders) for field in fields(residual)), default=0))
            off = start.disagrees(term, residual, axis, is_upper)
            times = {} if off is None else {start.begins: off}
            for time, order in (times | start.broken(given, start.time)).items():
                origins.append((wall, time, way, order + more))
    if any(order == 0 for *_, order in origins):
        return
    for place, time, way, order in origins:
        for speed in speeds:
            begins = place - way * speed * (time - start.begins)
            for at, velocity in _reflected(begins, way * speed, axis, domain, start.duration):
                yield at, order, velocity


def _reflected(
    place: float, velocity: float, axis: int, domain: Domain, duration: float
) -> Iterator[tuple[float, float]]:
    """The lines, by the place at the start and the velocity, of what walls send back."""
    while True:
        yield place, velocity
        wall = (domain.upper if velocity > 0 else domain.lower)[axis]
        if axis in domain.periodic or (wall - place) / velocity >= duration:
            return
        place, velocity = 2 * wall - place, -velocity


def on_jumps(problem: Problem, points: Array) -> NDArray[np.bool_]:
    """Which points [n, d] lie where the solution jumps and has no value."""
    domain, is_on = problem.domain, np.zeros(len(points), dtype=bool)
    time = domain.time_axis
    for name, lines in carried_kinks(problem).items():
        axis = domain.coordinates.index(name)
        length = domain.upper[axis] - domain.lower[axis]
        for place, order, velocity in lines:
            if order == 0 and time is not None:
                passed = points[:, time] - domain.lower[time]
                offset = (points[:, axis] - place - velocity * passed) / length
                if axis in domain.periodic:
                    offset -= np.round(offset)
                is_on |= np.abs(offset) <= CLOSE
    return is_on
