"""How steep a solution is, and where: what a network holds, and what a window of time begins with.

The steepness of a function with the amplitude A is |∇u|/A or √(‖∇∇u‖/A), whichever is greater.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from laaf_cli.arrays import Array
from laaf_cli.derivatives.features import features
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import Domain, Problem, face_conditions
from laaf_cli.training.least_squares.spots import Spots, half_range

N_CANDIDATES, N_AT_START, AT_A_TIME = 8000, 2000, 500

MOST = 300.0
"""The largest steepness: a network may be far steeper at a point that no row has seen."""

STEEP = 5.0
"""The steepness from which on neurons, and points, follow it."""

STEP = 1e-4
"""Of differences of formulas, as a fraction of half the domain."""


@dataclass(frozen=True, kw_only=True)
class _Jet:
    """A function at points: its values [n], gradient [n, d] and second derivatives [n, d, d]."""

    values: Array
    gradient: Array
    curvature: Array


def of_solution(network: Mlp, domain: Domain, n: int, random: np.random.Generator) -> Spots:
    """Spots of what a network holds: more of them where it is steep."""
    points = domain.scattered(N_CANDIDATES, random)
    axes = range(domain.dimension)
    jets = _jets_of_network(network, points, axes)
    return _chosen(domain, points, jets, n, random, axes, [0.0] * len(jets))


def of_start(
    problem: Problem,
    last: Mlp | None,
    domain: Domain,
    n: int,
    random: np.random.Generator,
    floors: Mapping[str, float] | None = None,
) -> Spots | None:
    """Spots of what a window of time begins with, each at a time of the window, at which it is as
    far from its place as the solution has moved if it moves on as it does at the start.

    Args:
        last: the network of the window before; None where conditions say what it begins with.
        domain: that of the window.
        floors: by output, the smallest amplitude that it is thought to have.

    Returns:
        None where conditions do not give the values of an unknown.
    """
    time = domain.time_axis
    assert time is not None  # noqa: S101 - there are windows of time only
    points = domain.scattered(N_AT_START, random)
    points[:, time] = domain.lower[time]
    space = [axis for axis in range(domain.dimension) if axis != time]
    if last is None:
        jets = list(_jets_of_conditions(problem, domain, points, space))
    else:
        jets = _jets_of_network(last, points, space)
    if not jets:
        return None
    smallest = [0.0] * len(jets)
    if last is not None and floors is not None:
        smallest = [floors.get(name, 0.0) for name in problem.ansatz.outputs]
    spots = _chosen(domain, points, jets, n, random, space, smallest)
    return _moved(spots, domain, time, 2 * random.random(n))


def _moved(spots: Spots, domain: Domain, time: int, by: Array) -> Spots:
    """Spots at later times, in the planes across which they are steep.

    Args:
        by: how much later, [n], of half the window.
    """
    in_space = spots.normals.copy()
    in_space[:, time] = 0.0
    squares = np.square(in_space).sum(1)
    ahead = spots.normals[:, time] * by / np.where(squares > 0, squares, np.inf)
    moves = -ahead[:, None] * in_space
    moves[:, time] = by
    points = np.clip(spots.points + moves * half_range(domain), domain.lower, domain.upper)
    return Spots(points=points, normals=spots.normals, steepness=spots.steepness)


@torch.no_grad()
def _jets_of_network(network: Mlp, points: Array, curved: Sequence[int]) -> list[_Jet]:
    """One for each output, with those second derivatives that are along some of the axes, once at
    least.
    """
    d = points.shape[1]
    unit = [tuple(int(i == axis) for i in range(d)) for axis in range(d)]
    second = {
        (i, k): tuple(a + b for a, b in zip(unit[i], unit[k], strict=True))
        for i in range(d)
        for k in curved
    }
    orders = {(0,) * d, *unit, *second.values()}
    blocks = [
        features(network, block, orders)
        for block in torch.split(torch.tensor(points, device=network.device), AT_A_TIME)
    ]
    values = {
        of: torch.cat([block[of] @ network.output_layer.T for block in blocks]).cpu().numpy()
        for of in orders
    }
    jets = []
    for k in range(len(network.output_layer)):
        curvature = np.zeros((len(points), d, d))
        for (i, j), of in second.items():
            curvature[:, i, j] = values[of][:, k]
        gradient = np.stack([values[of][:, k] for of in unit], 1)
        jets.append(_Jet(values=values[(0,) * d][:, k], gradient=gradient, curvature=curvature))
    return jets


def _jets_of_conditions(
    problem: Problem, domain: Domain, points: Array, space: Sequence[int]
) -> Iterator[_Jet]:
    """One for each condition that gives values of an unknown at the start, by differences."""
    steps = STEP * np.diag(half_range(domain))
    for condition in face_conditions(domain, problem.trained_terms):
        if condition.face.axis != domain.time_axis:
            continue
        gradient = np.zeros(points.shape)
        curvature = np.zeros((*points.shape, domain.dimension))
        for i in space:
            ahead, back = (condition.values(points + by * steps[i], domain) for by in (1, -1))
            gradient[:, i] = (ahead - back) / (2 * steps[i, i])
            for k in space:
                up, down, across, back = (
                    condition.values(points + one * steps[i] + other * steps[k], domain)
                    for one, other in ((1, 1), (-1, -1), (1, -1), (-1, 1))
                )
                curvature[:, i, k] = (up + down - across - back) / (4 * steps[i, i] * steps[k, k])
        yield _Jet(values=condition.values(points, domain), gradient=gradient, curvature=curvature)


def _chosen(
    domain: Domain,
    points: Array,
    jets: Sequence[_Jet],
    n: int,
    random: np.random.Generator,
    axes: Sequence[int],
    floors: Sequence[float],
) -> Spots:
    """Some of many points, more of them where one of the functions is steep.

    Args:
        axes: along which steepness counts; normals have what belongs to it along the others.
        floors: the smallest amplitude of each function.
    """
    scale = half_range(domain)
    steepness, normals = np.zeros(len(points)), np.zeros(points.shape)
    for jet, floor in zip(jets, floors, strict=True):
        finite = jet.values[np.isfinite(jet.values)]
        amplitude = max(np.ptp(finite) / 2 if len(finite) else 0.0, floor, 1e-300)
        gradient = np.nan_to_num(jet.gradient * scale / amplitude, posinf=0.0, neginf=0.0)
        curvature = np.nan_to_num(
            jet.curvature * scale[:, None] * scale / amplitude, posinf=0.0, neginf=0.0
        )[:, :, axes]
        inner = curvature[:, axes]
        here = np.maximum(
            np.linalg.norm(gradient[:, axes], axis=1), np.sqrt(np.linalg.norm(inner, axis=(1, 2)))
        ).clip(max=MOST)
        both = (
            curvature @ inner
            + (here**2)[:, None, None] * gradient[:, :, None] * gradient[:, None, axes]
        )
        along = np.linalg.eigh(both[:, axes]).eigenvectors[:, :, -1:]
        normal = (both @ along)[:, :, 0]
        normal[:, axes] = along[:, :, 0] * np.linalg.norm(normal[:, axes], axis=1, keepdims=True)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(min=1e-300)
        is_steeper = here > steepness
        normals = np.where(is_steeper[:, None], normal, normals)
        steepness = np.where(is_steeper, here, steepness)
    total = steepness.sum()
    chosen = random.choice(len(points), n, p=steepness / total if total > 0 else None)
    return Spots(points=points[chosen], normals=normals[chosen], steepness=steepness[chosen])
