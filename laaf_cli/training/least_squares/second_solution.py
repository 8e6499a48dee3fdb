"""The same problem solved once more with other neurons: the error is about as large as what the two
differ by, for each is wrong in its own way.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from laaf_cli.derivatives.features import features
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import Domain, PointSet
from laaf_cli.seeds import random_stream
from laaf_cli.training.least_squares.gauss_newton import GaussNewton
from laaf_cli.training.least_squares.march import reach
from laaf_cli.training.least_squares.points import (
    Window,
    between,
    default_points,
    following,
    parted,
    system_in,
)
from laaf_cli.training.least_squares.steepness import STEEP, of_solution
from laaf_cli.training.least_squares.system import OutputLayerState
from laaf_cli.training.least_squares.triangle import fitted
from laaf_cli.training.objective import Objective
from laaf_cli.training.threads import few_threads

TURN, SHIFT = 0.1, 0.5
"""How far neurons are moved: the standard deviation of the factors of their weights, and the
largest shift of what they see, which is the distance over which they rise.
"""

MAX_STEPS = 3
"""Of Gauss-Newton, from what is nearest to the first solution."""

ASIDE, FARTHEST, NEAR = 100.0, 1e-3, 0.3
"""Steps begin so many residuals beside the first solution, at most this fraction of it, and have to
come back; the fraction of the residual at which they end.
"""

N_INNER = 200

HALF = 0.5


@dataclass(frozen=True, kw_only=True)
class SecondSolution:
    """A network like the first, and the sizes of outputs that are zero beside the others, by
    name.
    """

    network: Mlp
    of_zero: Mapping[str, float]


@torch.no_grad()
@few_threads()
def second_solution(
    objective: Objective, residual: float, *, overlaps: bool = True
) -> SecondSolution | None:
    """Solves by least squares a second time what the network of an objective solves, in the same
    windows of time one after another: every neuron moved by about its own width, at other points,
    from a random half of the observations.

    Errors that windows hand on, and those that noise makes, differ as well.

    Args:
        residual: the largest relative residual of the first solution.
        overlaps: whether its windows were solved for longer than they are kept.

    Returns:
        None where no step leads away from the first.
    """
    network, problem = objective.network, objective.problem
    domain, axis = problem.domain, problem.domain.time_axis
    random = random_stream(objective.seed, "second solution")
    observed, _ = parted(objective.points, random, HALF)
    start = 0.0 if axis is None else domain.lower[axis]
    solved: list[Mlp] = []
    is_other, of_zero = False, dict[str, float]()
    for k, first in enumerate(network.networks):
        part = domain
        if axis is not None and network.past:
            end = network.ends[k]
            part = between(
                domain, start, reach(start, end, domain.upper[axis]) if overlaps else end
            )
        second = _moved(first, random)
        solver = _solve(objective, first, second, part, solved[-1:], observed, residual, random)
        is_other |= solver.steps > 0
        of_zero |= solver.system.of_zero
        solved.append(second)
        start = network.ends[k] if network.past else start
    *past, last = solved
    last.past, last.ends = torch.nn.ModuleList(past), list(network.ends)
    return SecondSolution(network=last, of_zero=of_zero) if is_other else None


@torch.no_grad()
def _moved(network: Mlp, random: np.random.Generator) -> Mlp:
    """A network without those before it, the neurons of its last hidden layer moved."""
    past, network.past = network.past, torch.nn.ModuleList()
    moved = copy.deepcopy(network)
    network.past, moved.ends = past, []
    layer = network.n_hidden - 1
    weight, bias = network.layers()[layer]
    turns = 1 + TURN * weight.new_tensor(random.standard_normal(weight.shape))
    # Each goes through the same place as before, and from there by its shift.
    through = -bias[:, None] * weight / weight.square().sum(1, keepdim=True).clamp(min=1e-300)
    shifts = weight.new_tensor(random.uniform(-SHIFT, SHIFT, len(bias)))
    multiplier = network.slopes.multiplier(layer)
    scale = 1.0 if multiplier is None else multiplier
    moved.weights[layer].copy_(((weight * turns).T / scale).T)
    moved.biases[layer].copy_((shifts - (weight * turns * through).sum(1)) / scale)
    return moved


def _solve(
    objective: Objective,
    first: Mlp,
    second: Mlp,
    domain: Domain,
    before: list[Mlp],
    observed: Mapping[str, PointSet],
    residual: float,
    random: np.random.Generator,
) -> GaussNewton:
    """Solves a window with the neurons of the second network."""
    problem, width = objective.problem, len(second.biases[-2])
    n_points = default_points(problem, width)
    spots = of_solution(first, domain, n_points // 2, random)
    is_steep = bool(spots.steepness.max() > STEEP)
    near = spots.points if is_steep else None
    window = Window(domain=domain)
    if before:
        window = following(problem, before[0], domain, random, near)
    interior = n_points - (0 if near is None else len(near))
    system = system_in(
        window,
        objective,
        interior,
        random,
        inner=domain.scattered(N_INNER, random),
        network=second,
        observed=observed,
        near=near,
        keeps=True,
    )
    free = {name: value.detach().clone() for name, value in objective.constants.free.items()}
    points = np.concatenate([domain.scattered(width, random), spots.points])
    at, zero = torch.tensor(points, device=second.device), (0,) * domain.dimension
    values = features(first, at, [zero])[zero] @ first.output_layer.T
    values *= 1 + min(ASIDE * residual, FARTHEST)
    state = OutputLayerState(layer=fitted(features(second, at, [zero])[zero], values), free=free)
    solver = GaussNewton(system, state, has_steep=is_steep, is_near=True)
    while solver.steps < MAX_STEPS and solver.step(0.0, NEAR * residual):
        pass
    second.weights[-1].copy_(solver.state.layer[:, :-1])
    second.biases[-1].copy_(solver.state.layer[:, -1])
    return solver
