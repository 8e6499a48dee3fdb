"""Hidden neurons through points of the domain: in random directions with slopes of one scale, and
steeper ones across what is steep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from laaf_cli.arrays import Array
from laaf_cli.network.inputs import Inputs
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import Domain
from laaf_cli.training.least_squares.spots import Spots

SPREAD = (0.2, 1.2)
"""The slopes of neurons, as fractions of their scale."""

ALONE = 0.2
"""The fraction of neurons that see a kink which is carried, and nothing else."""

N_SEEN = 1000
"""Points at which the range of what the last hidden layer sees is measured."""


@dataclass(frozen=True, kw_only=True)
class Neurons:
    """σ(W z + b) of what a layer sees: W [n, width], b [n], and the slope [n] of each."""

    weight: Tensor
    bias: Tensor
    slopes: Tensor

    def table(self) -> Array:
        """All of it, [n, width + 2], as a checkpoint keeps it."""
        columns = [self.weight, self.bias[:, None], self.slopes[:, None]]
        return np.asarray(torch.cat(columns, 1).cpu().numpy())

    @classmethod
    def of_table(cls, table: Tensor) -> Neurons:
        """What `table` gave."""
        return cls(weight=table[:, :-2], bias=table[:, -2], slopes=table[:, -1])


@torch.no_grad()
def drawn(
    network: Mlp,
    domain: Domain,
    scales: Sequence[float],
    n: int,
    spots: Spots | None,
    random: np.random.Generator,
) -> Neurons:
    """So many neurons for the last hidden layer.

    Each is σ(s d·(z − z₀)): z what the layer sees of a point, scaled to its range; d a random unit
    vector, times the scales of slopes, along each coordinate or one for all; z₀ that of a random
    point; s a number of SPREAD. Where there are spots, every other one goes through one of them,
    and is as steep there across it.
    """
    layer = network.n_hidden - 1
    width = network.weights[layer].shape[1]

    def seen(points: Tensor) -> Tensor:
        return network.after_hidden(network.scaled(points), layer)

    def at(n_points: int) -> Tensor:
        return torch.tensor(domain.scattered(n_points, random), device=network.device)

    directions = torch.tensor(random.standard_normal((n, width)), device=network.device)
    if layer == 0 and network.inputs.alternatives:
        is_seen = seen_inputs(network.inputs, n, random)
        directions[torch.tensor(~is_seen, device=network.device)] = 0
    directions /= directions.norm(dim=1, keepdim=True)
    shares = torch.tensor(random.uniform(*SPREAD, n), device=network.device)
    along = directions.new_tensor(scales)
    if len(scales) > 1:
        along = along[list(network.inputs.axes)]
    directions = directions * along
    through, many = seen(at(n)), seen(at(N_SEEN))
    half_range = (many.amax(0) - many.amin(0)).clamp(min=1e-6) / 2
    weight = shares[:, None] * directions / half_range
    slopes = shares * directions.norm(dim=1)
    if spots is not None:
        centers = spots.part(0, len(weight[1::2]))
        points = torch.tensor(centers.points, device=network.device)
        signs = random.choice([-1.0, 1.0], len(centers)) * random.uniform(*SPREAD, len(centers))
        # What the others have along the normal.
        slope = np.linalg.norm(centers.normals * np.array(scales), axis=1)
        slope = np.where(centers.normals.any(1), slope, min(scales))
        excess = signs * (centers.steepness - slope).clip(min=0)
        steep = torch.tensor(excess, device=network.device)
        normals = torch.tensor(centers.normals, device=network.device)
        across = _across(seen, points, normals, domain)
        is_any = ~normals.any(1, keepdim=True)
        across = torch.where(is_any, (directions / along)[1::2] / half_range, across)
        weight[1::2] += steep[:, None] * across
        slopes[1::2] += steep.abs()
        through[1::2] = seen(points)
    return Neurons(weight=weight, bias=-(weight * through).sum(1), slopes=slopes)


def seen_inputs(inputs: Inputs, n: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Which of the inputs each of n neurons sees, [n, width]: of alternatives one along each
    axis.
    """
    is_seen = np.ones((n, inputs.width), dtype=bool)
    for axis in {axis: None for axis, _ in inputs.alternatives}:
        along = [columns for other, columns in inputs.alternatives if other == axis]
        for k, chosen in enumerate(random.choice(len(along), n)):
            for other, columns in enumerate(along):
                is_seen[k, list(columns)] = other == chosen
    if any(kink.is_carried for kink in inputs.kinks):
        # What waves carry without a change is a function of where it is carried to alone.
        is_seen[random.random(n) < ALONE, : inputs.first_kink] = False
    return is_seen


def _across(
    seen: Callable[[Tensor], Tensor], points: Tensor, normals: Tensor, domain: Domain
) -> Tensor:
    """The shortest w [n, width] with ∂(w·z)/∂x = the normals, x scaled to [−1, 1]."""
    half_range = points.new_tensor(
        [(upper - lower) / 2 for lower, upper in zip(domain.lower, domain.upper, strict=True)]
    )
    with torch.enable_grad():
        at = points.clone().requires_grad_()
        z = seen(at)
        rates = [torch.autograd.grad(output.sum(), at, retain_graph=True)[0] for output in z.T]
    inverse = torch.linalg.pinv(torch.stack(rates, 1) * half_range, rtol=1e-6)
    return (normals[:, None, :] @ inverse)[:, 0]


@torch.no_grad()
def put_neurons(network: Mlp, neurons: Neurons, slope: float, n_kept: int) -> None:
    """Puts neurons into the last hidden layer, behind the first n_kept.

    Slopes of the network hold those of the neurons where they can: of each neuron, or, as a scale,
    of the layer.
    """
    layer = network.n_hidden - 1
    kind, slopes = network.slopes.kind, network.slopes
    is_own = kind.is_adaptive and not slopes.absorbed and not (kind.is_shared and layer > 0)
    scale: Tensor | float
    if is_own and kind.per_neuron:
        slopes.values[layer][n_kept:] = neurons.slopes / slopes.factor
        scale = neurons.slopes
    elif is_own and not n_kept:
        slopes.values[0 if kind.is_shared else layer].fill_(slope / slopes.factor)
        scale = slope
    else:
        multiplier = slopes.multiplier(layer)
        scale = 1.0 if multiplier is None else float(multiplier)
    network.weights[layer][n_kept:] = (neurons.weight.T / scale).T
    network.biases[layer][n_kept:] = neurons.bias / scale
