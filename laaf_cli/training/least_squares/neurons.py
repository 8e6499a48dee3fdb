"""Hidden neurons in random directions through random points, with slopes of one scale."""

from __future__ import annotations

import numpy as np
import torch

from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import Domain

SPREAD = (0.2, 1.2)
"""The slopes of neurons, as shares of their scale."""

N_SEEN = 1000
"""Points at which the range of what the last hidden layer sees is measured."""


@torch.no_grad()
def draw_neurons(
    network: Mlp, domain: Domain, slope: float, n_kept: int, random: np.random.Generator
) -> None:
    """Draws the neurons of the last hidden layer anew, but for the first n_kept.

    Each is σ(s d·(z − z₀)): z what the layer sees of a point, scaled to its range; d a random unit
    vector; z₀ that of a random point; s the slope times a number of SPREAD. Slopes of the network
    hold s where they can: of each neuron, or of the layer.
    """
    layer = network.n_hidden - 1
    weight, bias = network.weights[layer], network.biases[layer]
    n = len(bias) - n_kept
    device = network.device

    def seen(n_points: int) -> torch.Tensor:
        points = domain.from_unit(random.random((n_points, domain.dimension)))
        return network.after_hidden(network.scaled(torch.tensor(points, device=device)), layer)

    directions = torch.tensor(random.standard_normal((n, weight.shape[1])), device=device)
    directions /= directions.norm(dim=1, keepdim=True)
    shares = torch.tensor(random.uniform(*SPREAD, n), device=device)
    through, many = seen(n), seen(N_SEEN)
    half_range = (many.amax(0) - many.amin(0)).clamp(min=1e-6) / 2
    kind, slopes = network.slopes.kind, network.slopes
    is_own = kind.is_adaptive and not slopes.absorbed and not (kind.is_shared and layer > 0)
    if is_own and kind.per_neuron:
        slopes.values[layer][n_kept:] = slope * shares / slopes.factor
        rates = torch.ones_like(shares)
    elif is_own and not n_kept:
        slopes.values[0 if kind.is_shared else layer].fill_(slope / slopes.factor)
        rates = shares
    else:
        multiplier = slopes.multiplier(layer)
        rates = slope * shares / (1.0 if multiplier is None else float(multiplier))
    weight[n_kept:] = rates[:, None] * directions / half_range
    bias[n_kept:] = -(weight[n_kept:] * through).sum(1)
