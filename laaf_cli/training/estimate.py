"""How wrong a network may be, by its residuals alone."""

from __future__ import annotations

import math

import torch

from laaf_cli.seeds import random_stream
from laaf_cli.training.least_squares.points import Window, system_in
from laaf_cli.training.least_squares.system import OutputLayerState
from laaf_cli.training.objective import Objective

N_INNER = 1000


def relative_residual(objective: Objective, n_points: int, *, of_data: bool = True) -> float:
    """The largest root mean square of a residual at held-out points, relative to its terms.

    It is near to the relative error where the equations see the solution everywhere. NaN where
    residuals are not rows of the output layer: of fluxes that jump where the network
    does not bend, and in float32.

    Args:
        n_points: of the equations.
        of_data: whether residuals of observations count, which are as large as the noise.
    """
    problem, network = objective.problem, objective.network
    if (problem.fluxes and not network.inputs.kinks) or network.dtype != torch.float64:
        return math.nan
    domain = problem.domain
    random = random_stream(objective.seed, "estimate")
    inner = domain.scattered(N_INNER, random)
    system = system_in(Window(domain=domain), objective, n_points, random, inner=inner)
    free = {name: value.detach() for name, value in objective.constants.free.items()}
    state = OutputLayerState(layer=network.output_layer, free=free)
    residuals = system.relative_residuals(state)
    return max(value for kind, value in residuals.items() if of_data or kind != "data")
