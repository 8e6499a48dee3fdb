"""The neurons of the last hidden layer as functions: columns of their derivatives at points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from laaf_cli.derivatives.taylor import chain_rule, hidden_layer
from laaf_cli.multi_index import Orders, lower_set
from laaf_cli.network.mlp import Mlp

NUMBERS_AT_A_TIME = 16_000_000
"""Of all derivatives that the chain rule takes."""


@torch.no_grad()
def features(
    network: Mlp, points: Tensor, wanted: Iterable[Orders], width: int | None = None
) -> dict[Orders, Tensor]:
    """∂^α of every neuron and of the 1 that the bias multiplies, [n_points, width + 1] by α.

    An output of the network, or a derivative of it, is such a matrix times its row of the last
    layer, its bias the last entry.

    Args:
        network: in float64; its slopes are in the columns.
        points: [n_points, d].
        wanted: the α, of order 4 at most.
        width: how many of the neurons, the first ones; None for all.
    """
    orders = sorted(set(wanted))
    *hidden, (weight, bias), _ = network.layers()
    hidden.append((weight[:width], bias[:width]))
    n = len(hidden[-1][1])
    result = {alpha: points.new_empty(len(points), n + 1) for alpha in orders}
    streams = lower_set([(0,) * network.inputs.n_coordinates, *orders])
    at_a_time = NUMBERS_AT_A_TIME // (len(streams) * n) + 1
    for start in range(0, len(points), at_a_time):
        part = slice(start, start + at_a_time)
        for alpha, values in _neurons(network, hidden, points[part], orders, streams).items():
            result[alpha][part, :-1] = values
    for alpha, columns in result.items():
        columns[:, -1] = float(not any(alpha))
    return result


def _neurons(
    network: Mlp,
    hidden: Sequence[tuple[Tensor, Tensor]],
    points: Tensor,
    orders: Sequence[Orders],
    streams: Sequence[Orders],
) -> dict[Orders, Tensor]:
    """∂^α of every neuron of the last of hidden layers, [n_points, width] by α."""
    order = max(map(sum, orders), default=0)
    inputs, activation = network.inputs, network.activation
    if len(hidden) == 1 and inputs.is_linear:
        # Of linear inputs: ∂^α σ(w·z + b) = σ^(|α|) Π w^α, without the rest of the chain rule.
        ((weight, bias),) = hidden
        sigma = activation.derivatives(torch.addmm(bias, inputs(points), weight.T), order)
        rates = weight / inputs.half_range
        return {
            alpha: sigma[sum(alpha)]
            * torch.stack([rates[:, i] ** k for i, k in enumerate(alpha)]).prod(0)
            for alpha in orders
        }
    rule = chain_rule(streams)
    z = torch.stack([inputs.derivative(points, alpha) for alpha in streams])
    for weight, bias in hidden:
        z = hidden_layer(z, weight, bias, activation, order, rule)[0]
    return {alpha: z[streams.index(alpha)] for alpha in orders}
