"""The points of the rows of a least-squares problem: enough of them for so many columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from laaf_cli.arrays import Array
from laaf_cli.derivatives.features import features
from laaf_cli.expression import Call, Field, Symbol
from laaf_cli.network.mlp import Mlp
from laaf_cli.network.similarity import SimilarityVariable
from laaf_cli.problem import (
    Across,
    Domain,
    Extent,
    IntegralOver,
    PointSet,
    Problem,
    Region,
    Term,
    runs_back,
)
from laaf_cli.training.least_squares.near_starts import near_starts
from laaf_cli.training.least_squares.system import ResidualPoints, System
from laaf_cli.training.objective import Objective

PER_COLUMN = {1: 2, 2: 3}
"""Points of the equations for each column, by the number of coordinates; 3 for more."""

MORE = 100

LEAST_FEATURES, MOST_COLUMNS = 400, 1600
"""Of neurons for each output; fewer in one coordinate of time, which is cut into windows."""

ON_FACES = {1: 40, 2: 150}
"""Points of a condition by the number of coordinates; 500 for more."""

N_INTEGRALS = {0: 1, 1: 40}
"""Integrals by the number of coordinates that are free, 100 for more: each has its own points."""

ON_SEAMS = 300
"""Points at which a window of time begins with what the last one ended with."""

FEWEST_PARTED, HELD_SHARE = 20, 0.2
"""Of how many observations on, which fraction of them is not solved with, but judged by."""

START = "start of the window"

SAMPLER = "latin-hypercube"


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of the domain in time, and the values [n] of outputs and rates that it begins with at
    points [n, d].
    """

    domain: Domain
    points: Array | None = None
    values: Mapping[Field, Array] | None = None


def has_windows(problem: Problem) -> bool:
    """Whether a problem can be solved in one window of time after another."""
    axis = problem.domain.time_axis
    if axis is None or problem.learned or runs_back(problem.domain, problem.terms):
        return False
    return all(_is_local(term, axis) for term in problem.trained_terms)


def _is_local(term: Term, axis: int) -> bool:
    """Whether a term can be restricted to a part of time, or holds at its start."""
    return not term.region.is_observed and term.region.extent(axis) is not Extent.OTHER


def default_features(problem: Problem) -> int:
    """How many neurons the last hidden layer is given, at most."""
    can_cut = has_windows(problem)
    if problem.domain.dimension > 1:
        share = max(LEAST_FEATURES, MOST_COLUMNS // len(problem.ansatz.outputs))
        return min(share, 800) if can_cut else share
    return 60 if can_cut else LEAST_FEATURES


def default_points(problem: Problem, n_columns: int) -> int:
    """How many points the equations are given for so many columns."""
    return PER_COLUMN.get(problem.domain.dimension, 3) * n_columns + MORE


def sites(
    problem: Problem,
    window: Window,
    observed: Mapping[str, PointSet],
    interior: int,
    random: np.random.Generator,
    device: torch.device,
    near: Array | None = None,
    similarity: Sequence[SimilarityVariable] = (),
) -> list[ResidualPoints]:
    """The points of every term in a window.

    Args:
        observed: by term, for those whose points are not drawn.
        interior: how many for the equations.
        near: points [n, d] that these are given besides, and, moved to the start, conditions there.
        similarity: variables near whose starts lie more of the points, with smaller weights.
    """
    domain, dimension = window.domain, window.domain.dimension
    axis = domain.time_axis
    if near is not None:
        near = near[domain.inside(near)]
    shared: dict[str, tuple[PointSet, list[Term]]] = {}
    for term in problem.trained_terms:
        is_start = axis is not None and term.region.extent(axis) is Extent.START
        is_outside = isinstance(term.region, Across) and not term.region.is_in(domain)
        if is_outside or (is_start and window.values is not None):
            continue
        if term.stream not in shared:
            n = interior
            if term.kind != "equation":
                n = _n_points(term.region, dimension, is_start=is_start)
            region = None if term.region.is_observed else term.region.with_points(n, SAMPLER)
            points = observed[term.name] if region is None else region.draw(domain, random)
            if near is not None and term.kind == "equation":
                points = PointSet(points=np.concatenate([points.points, near]))
            elif near is not None and axis is not None and is_start:
                points = _with_more(points, _at_time(near, axis, domain.lower[axis]))
            if similarity and points.row_weights is None and points.combination is None:
                points = near_starts(points, similarity, term, domain, random)
            shared[term.stream] = points, []
        shared[term.stream][1].append(term)
    inside = replace(problem, domain=domain)
    all_sites = [ResidualPoints(inside, terms, points, device) for points, terms in shared.values()]
    if window.values is not None and window.points is not None:
        all_sites.append(_start(inside, window.points, window.values, device))
    return all_sites


def system_in(
    window: Window,
    objective: Objective,
    interior: int,
    random: np.random.Generator,
    *,
    inner: Array,
    network: Mlp | None = None,
    observed: Mapping[str, PointSet] | None = None,
    near: Array | None = None,
    floors: Mapping[str, float] | None = None,
    width: int | None = None,
    keeps: bool = False,
) -> System:
    """The residuals in a window, at points that are drawn; see `sites` and `System`.

    Args:
        network: that of the objective where None.
        observed: all observations where None.
        width: all neurons where None.
    """
    network = network or objective.network
    rows = sites(
        objective.problem,
        window,
        objective.points if observed is None else observed,
        interior,
        random,
        network.device,
        near,
        network.inputs.similarity,
    )
    return System(
        objective.problem,
        window.domain,
        network,
        rows,
        objective.backend,
        objective.constants.at,
        torch.tensor(inner, device=network.device),
        floors or {},
        width or len(network.biases[-2]),
        keeps=keeps,
    )


def parted(
    observed: Mapping[str, PointSet], random: np.random.Generator, held: float = HELD_SHARE
) -> tuple[dict[str, PointSet], dict[str, PointSet]]:
    """Observations to solve with, and others to judge by: what follows the noise of the first does
    not fit the second. Of few observations none is left out.
    """
    solved, others = {}, {}
    for name, points in observed.items():
        n = len(points)
        if n < FEWEST_PARTED or points.combination is not None:
            solved[name] = others[name] = points
            continue
        is_held = random.permutation(n) < n * held
        solved[name], others[name] = points.part(~is_held), points.part(is_held)
    return solved, others


def _with_more(points: PointSet, near: Array) -> PointSet:
    """Points of a condition at the start and as many others [n, d], if what belongs to them, as the
    normal, is the same at all.
    """
    is_same = all(np.ptp(at) == 0 for at in points.symbols.values())
    if not is_same or points.combination is not None or points.row_weights is not None:
        return points
    both = np.concatenate([points.points, near[: len(points)]])
    symbols = {name: np.resize(at, len(both)) for name, at in points.symbols.items()}
    return PointSet(points=both, symbols=symbols)


def _at_time(points: Array, axis: int, time: float) -> Array:
    moved = points.copy()
    moved[:, axis] = time
    return moved


def _n_points(region: Region, dimension: int, *, is_start: bool) -> int:
    """Of a condition; at the start as many as on a seam, for unknowns without derivatives in space
    are determined there alone.
    """
    if isinstance(region, IntegralOver):
        free = sum(region.extent(axis) is Extent.WHOLE for axis in range(dimension))
        return N_INTEGRALS.get(free, 100)
    n = ON_FACES.get(dimension, 500)
    return max(n, ON_SEAMS) if is_start and dimension > 1 else n


def _start(
    problem: Problem, points: Array, values: Mapping[Field, Array], device: torch.device
) -> ResidualPoints:
    symbols = {f"{START} {i}": value for i, value in enumerate(values.values())}
    residuals = tuple(
        Call("-", (field, Symbol(name))) for field, name in zip(values, symbols, strict=True)
    )
    region = problem.trained_terms[0].region
    term = Term(name=START, kind="condition", residuals=residuals, region=region, weight=1.0)
    return ResidualPoints(problem, [term], PointSet(points=points, symbols=symbols), device)


def following(
    problem: Problem, network: Mlp, domain: Domain, random: np.random.Generator, near: Array | None
) -> Window:
    """The window after the one that a network solves.

    Args:
        domain: that of the window.
        near: points [n, d] near which, moved to the start, it takes the values as well.
    """
    whole, axis = problem.domain, problem.domain.time_axis
    assert axis is not None  # noqa: S101 - there are windows of time only
    n = 1 if whole.dimension == 1 else ON_SEAMS
    points = whole.scattered(n, random)
    if near is not None:
        points = np.concatenate([points, near[:n]])
    points = _at_time(points, axis, domain.lower[axis])
    at, values = torch.tensor(points, device=network.device), {}
    for k, output in enumerate(problem.ansatz.outputs):
        order = max(term.order_along(axis, output) for term in problem.trained_terms)
        for rate in range(order):
            orders = tuple(rate if i == axis else 0 for i in range(whole.dimension))
            columns = features(network, at, [orders])[orders]
            values[Field(output, orders)] = (columns @ network.output_layer[k]).cpu().numpy()
    return Window(domain=domain, points=points, values=values)


def between(domain: Domain, start: float, end: float) -> Domain:
    """The domain from one time to another."""
    axis = domain.time_axis

    def ends(bounds: Sequence[float], value: float) -> tuple[float, ...]:
        return tuple(value if i == axis else bound for i, bound in enumerate(bounds))

    return replace(domain, lower=ends(domain.lower, start), upper=ends(domain.upper, end))
