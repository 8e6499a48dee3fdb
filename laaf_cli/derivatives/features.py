"""The neurons of the last hidden layer as functions: columns of their derivatives at points."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from laaf_cli.derivatives.taylor import chain_rule, hidden_layer
from laaf_cli.multi_index import Orders, lower_set
from laaf_cli.network.mlp import Mlp


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
    order = max(map(sum, orders), default=0)
    *hidden, (weight, bias), _ = network.layers()
    hidden.append((weight[:width], bias[:width]))
    inputs, activation = network.inputs, network.activation
    if len(hidden) == 1 and inputs.is_linear:
        # Of linear inputs: ∂^α σ(w·z + b) = σ^(|α|) Π w^α, without the rest of the chain rule.
        ((weight, bias),) = hidden
        sigma = activation.derivatives(torch.addmm(bias, inputs(points), weight.T), order)
        rates = weight / inputs.half_range
        by_orders = {
            alpha: sigma[sum(alpha)]
            * torch.stack([rates[:, i] ** k for i, k in enumerate(alpha)]).prod(0)
            for alpha in orders
        }
    else:
        streams = lower_set([(0,) * inputs.n_coordinates, *orders])
        rule = chain_rule(streams)
        z = torch.stack([inputs.derivative(points, alpha) for alpha in streams])
        for weight, bias in hidden:
            z = hidden_layer(z, weight, bias, activation, order, rule)[0]
        by_orders = {alpha: z[streams.index(alpha)] for alpha in orders}
    ones = points.new_ones(len(points), 1)
    return {
        alpha: torch.cat([values, ones if not any(alpha) else torch.zeros_like(ones)], 1)
        for alpha, values in by_orders.items()
    }
