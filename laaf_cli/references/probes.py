"""Where formulas are looked at, so that a solver misses nothing that they hold, however narrow."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise, product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    SAME,
    Call,
    Field,
    Node,
    branch_breaks,
    evaluate,
    fields,
    nodes,
    partial,
    switches,
    symbols,
    turns,
)
from laaf_cli.expression.functions import COMPARISONS
from laaf_cli.references.collocation import ChebyshevAxis
from laaf_cli.references.reference import ReferenceRefusedError

MOST_TURNS = 20
"""Turns of one formula that are looked at closely."""

MOST_FORMULAS = 100
MOST_NODES = 1000
"""Of all formulas whose turns are looked for."""
MOST_HALVINGS = 36
N_EVEN = 401
N_OTHER = 41
N_ZOOMS = 16
MOST_PEAKS = 4
"""Of one formula; the many of a ridge are alike."""
POLYNOMIAL = frozenset({"+", "-", "*", "neg"})
MOST_ELEMENTS = 64


def space_breaks(
    trees: Iterable[Node], coordinate: str, lower: float, upper: float
) -> tuple[float, ...]:
    """The places along a coordinate at which formulas change their branch.

    Raises:
        ReferenceRefusedError: there are more than a solver can follow.
    """
    breaks = branch_breaks(trees, coordinate, lower, upper)
    if len(breaks) >= MOST_ELEMENTS:
        raise ReferenceRefusedError(
            f"the equations change their branch at {len(breaks)} places along {coordinate}, and a "
            f"spectral solution follows {MOST_ELEMENTS - 1} at most"
        )
    return breaks


def beside(lower: float, upper: float) -> float:
    """How far from a break between these bounds all formulas that change there are past it: breaks
    within SAME of each other are one.
    """
    return SAME * (upper - lower) + 4 * float(np.finfo(float).eps) * max(abs(lower), abs(upper))


def is_linear(tree: Node) -> bool:
    """Whether neither a derivative of a tree by what it holds nor the choice of a branch depends on
    an unknown.
    """
    return not any(fields(partial(tree, field)) for field in fields(tree)) and not any(
        map(fields, switches(tree))
    )


def turns_of_parts(trees: Iterable[Node], coordinate: str, lower: float, upper: float) -> Array:
    """The turns of parts of formulas in one coordinate alone, inside (lower, upper), ascending.

    The centre of a pulse of any width is a turn of its argument.
    """
    parts = dict.fromkeys(
        node
        for tree in trees
        for node in _parts(tree)
        if not fields(node) and symbols(node) == {coordinate}
    )
    # The smallest first, for large ones take long and hold them.
    ordered = sorted((len(list(nodes(part))), i, part) for i, part in enumerate(parts))
    totals = np.cumsum([size for size, *_ in ordered])
    chosen = [
        part for (*_, part), total in zip(ordered, totals, strict=True) if total <= MOST_NODES
    ]
    found = (some(turns(part, coordinate, lower, upper)) for part in chosen)
    return np.unique(np.concatenate([*found, np.zeros(0)]))


def some(places: Iterable[float], most: int = MOST_TURNS) -> Array:
    """So many places at most, spread evenly among them, ascending."""
    ordered = np.array(sorted(places), np.float64)
    if len(ordered) <= most:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, most).astype(int)]


def probes(places: Iterable[float], lower: float, upper: float, n: int = N_EVEN) -> Array:
    """Points inside (lower, upper), ascending: some all over, and others closer and closer on both
    sides of some places.

    Those all over are at irrational distances from the bounds, so that they are not any solver's
    nodes.
    """
    golden = (np.sqrt(5) - 1) / 2
    even = lower + (upper - lower) * np.sort((golden * np.arange(1, n + 1)) % 1.0)
    offsets = (upper - lower) * 2.0 ** -np.arange(1, MOST_HALVINGS)
    close = [np.concatenate([place - offsets, place + offsets]) for place in places]
    points = np.unique(np.concatenate([even, *close]))
    return points[(points > lower) & (points < upper)]


def is_narrow_across(tree: Node, coordinates: Collection[str]) -> bool:
    """Whether a tree holds something that lines along one coordinate may meet anywhere: a function
    of several coordinates that is no polynomial.
    """
    return any(
        isinstance(node, Call)
        and node.function not in POLYNOMIAL
        and not fields(node)
        and len(symbols(node) & set(coordinates)) > 1
        for node in nodes(tree)
    )


def peaks(trees: Iterable[Node], ranges: Mapping[str, tuple[float, float]]) -> Array:
    """Some places inside the ranges of two coordinates where parts of formulas in both alone come
    closest to zero or farthest from it, [n, 2]; none of one coordinate.
    """
    parts = dict.fromkeys(
        node
        for tree in trees
        if is_narrow_across(tree, ranges)
        for node in _parts(tree)
        if symbols(node) == set(ranges) and not fields(node)
    )
    if len(ranges) != 2:
        return np.zeros((0, len(ranges)))
    lower, upper = np.array(list(ranges.values())).T
    even = (np.arange(N_OTHER) + 0.5) / N_OTHER
    zoom = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 2, indexing="ij"), -1).reshape(-1, 2)
    found = [np.zeros((0, 2))]
    for part, sign in product(list(parts)[:MOST_FORMULAS], (1, -1)):

        def size(unit: Array, part: Node = part, sign: int = sign) -> Array:
            points = np.moveaxis(lower + unit * (upper - lower), -1, 0)
            columns = dict(zip(ranges, points, strict=True))
            with np.errstate(all="ignore"):
                values = sign * np.abs(evaluate(part, columns, {}, NUMPY))
            return np.broadcast_to(np.nan_to_num(values, nan=np.inf), unit.shape[:-1])

        grid = size(np.stack(np.meshgrid(even, even, indexing="ij"), -1))
        around = sliding_window_view(np.pad(grid, 1, mode="edge"), (3, 3))
        is_least = (grid == around.min((2, 3))) & (grid < around.max((2, 3)))
        places = np.argwhere(is_least)
        centers = even[places[some(range(len(places)), MOST_PEAKS).astype(int)]]
        width = 1.5 / N_OTHER
        for _ in range(N_ZOOMS):
            tried = np.clip(centers[:, None] + width * zoom, 0.0, 1.0)
            centers = tried[np.arange(len(tried)), np.argmin(size(tried), 1)]
            width *= 0.4
        found.append(centers)
    distinct = np.unique(np.concatenate(found).round(12), axis=0)
    return np.asarray(lower + distinct * (upper - lower))


def crossings(
    trees: Iterable[Node],
    coordinates: Mapping[str, Array],
    known: Mapping[Field, Array],
    along: Array,
) -> Array:
    """Where parts of formulas that hold unknowns or several coordinates change their sign along a
    line, and where those of coordinates alone turn, ascending.

    What is narrow in them lies near such a place.

    Args:
        coordinates: the values of coordinates at the points of the line.
        known: the values of fields there.
        along: the coordinate along it, ascending.
    """
    parts = dict.fromkeys(
        node
        for tree in trees
        for node in _parts(tree)
        if fields(node) or len(symbols(node) & coordinates.keys()) > 1
    )
    places: list[Array] = []
    for part in list(parts)[:MOST_FORMULAS]:
        with np.errstate(all="ignore"):
            values = np.broadcast_to(evaluate(part, coordinates, known, NUMPY), along.shape)
            at = np.flatnonzero((values[1:] > 0) != (values[:-1] > 0))
            share = values[at] / (values[at] - values[at + 1])
            changes = along[at] + share * (along[at + 1] - along[at])
        places.append(some(changes[np.isfinite(changes)]))
        if not fields(part):
            places.append(some(_vertices(values, along)))
    return np.unique(np.concatenate([*places, np.zeros(0)]))


def _parts(tree: Node) -> Iterator[Call]:
    """The calls in a tree but comparisons."""
    for node in nodes(tree):
        if isinstance(node, Call) and node.function not in COMPARISONS:
            yield node


def _vertices(values: Array, along: Array) -> Array:
    """Where values on a line are greater than both neighbours, or less: vertices of parabolas."""
    with np.errstate(all="ignore"):
        before, after = np.diff(values)[:-1], np.diff(values)[1:]
        at = np.flatnonzero(before * after < 0)
        left, right = along[at + 1] - along[at], along[at + 2] - along[at + 1]
        slopes = before[at] / left, after[at] / right
        # The slope is zero between the middles of both sides.
        share = slopes[0] / (slopes[0] - slopes[1])
        vertex = along[at + 1] - left / 2 + share * (left + right) / 2
    return np.clip(vertex[np.isfinite(vertex)], along[0], along[-1])


def resolving(
    trees: Iterable[Node],
    coordinate: str,
    ranges: dict[str, tuple[float, float]],
    breaks: tuple[float, ...],
    n: int,
    tolerance: float,
) -> tuple[float, ...]:
    """The breaks, and more of them: elements on which polynomials of degree n − 1 are near all that
    the formulas hold beside the unknowns.

    Elements are halved until there are MOST_ELEMENTS.

    Args:
        ranges: of every coordinate.
        tolerance: as a fraction of the largest value of a formula.
    """
    lower, upper = ranges[coordinate]
    trees = tuple(trees)
    parts = list(dict.fromkeys(_known_parts(trees, coordinate, ranges)))[:MOST_FORMULAS]
    if not parts:
        return breaks
    points = probes([*turns_of_parts(trees, coordinate, lower, upper), *breaks], lower, upper)
    others = {
        name: probes(turns_of_parts(trees, name, *ends), *ends, n=N_OTHER)
        for name, ends in ranges.items()
        if name != coordinate and any(name in symbols(part) for part in parts)
    }
    ends, aside = [lower, *breaks, upper], beside(lower, upper)
    samples = [_values(part, coordinate, points, others) for part in parts]
    sizes = [tolerance * np.max(np.abs(values), initial=0.0) for values in samples]
    resolved: set[tuple[float, float]] = set()
    while len(ends) <= MOST_ELEMENTS:
        cuts = []
        for both in pairwise(ends):
            if both in resolved:
                continue
            inside = (points > both[0]) & (points < both[1])
            axis = ChebyshevAxis(*both, n)
            nudged = np.clip(axis.nodes, both[0] + aside, both[1] - aside)
            to_points = axis.interpolation(points[inside])
            missed = any(
                np.max(
                    np.abs(to_points @ _values(part, coordinate, nudged, others) - known[inside]),
                    initial=0.0,
                )
                > size
                for part, known, size in zip(parts, samples, sizes, strict=True)
            )
            if missed and both[1] - both[0] > 1e-9 * (upper - lower):
                cuts.append((both[0] + both[1]) / 2)
            else:
                resolved.add(both)
        if not cuts:
            break
        ends = sorted([*ends, *cuts])
    return tuple(ends[1:-1])


def _known_parts(trees: Iterable[Node], coordinate: str, ranges: Iterable[str]) -> Iterator[Node]:
    """The largest parts of trees that hold a coordinate and no unknown."""
    for tree in trees:
        if not isinstance(tree, Call) or coordinate not in symbols(tree):
            continue
        if tree.function in COMPARISONS:
            continue
        if fields(tree) or not symbols(tree) <= set(ranges):
            yield from _known_parts(tree.arguments, coordinate, ranges)
        else:
            yield tree


def _values(tree: Node, coordinate: str, points: Array, others: dict[str, Array]) -> Array:
    """A formula at points of one coordinate and of the others, [n_points, n_others]; what is not
    finite counts as zero.
    """
    grid = np.meshgrid(*others.values(), indexing="ij")
    columns = {name: values.ravel()[None, :] for name, values in zip(others, grid, strict=True)}
    n = grid[0].size if grid else 1
    with np.errstate(all="ignore"):
        values = evaluate(tree, {coordinate: points[:, None], **columns}, {}, NUMPY)
    return np.nan_to_num(
        np.broadcast_to(np.asarray(values, np.float64), (len(points), n)),
        nan=0.0,
        posinf=0.0,
        neginf=0.0,
    )
