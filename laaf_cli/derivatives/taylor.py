"""Taylor mode: one forward pass carries the network and all derivatives asked for, one backward
pass trains.

A stream is the tensor of one derivative ∂^α; all streams of a layer form one tensor [n_streams,
n_points, width]. A linear layer maps each stream alike, so all of them go through one matrix
product. An activation mixes them by the chain rule (`partitions`). Only the streams below those
asked for are carried.

After Bettencourt, Johnson & Duvenaud 2019, "Taylor-mode automatic differentiation for higher-order
derivatives in JAX", for several variables at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from laaf_cli.derivatives.engine import Operator, SummingEngine
from laaf_cli.derivatives.partitions import Product, products
from laaf_cli.expression import Field
from laaf_cli.multi_index import Orders, lower_set
from laaf_cli.network.activations import Activation
from laaf_cli.network.mlp import Mlp

NUMBERS_AT_A_TIME = 2_000_000
"""Of the streams of a layer, where no gradient is wanted: their memory is used again."""

ChainRule = tuple[tuple[int, tuple[tuple[int, tuple[Product, ...]], ...]], ...]
"""(stream, ((k, the products that σ⁽ᵏ⁾ multiplies), …)) for every stream with more than the
linear term.
"""


def chain_rule(streams: Sequence[Orders]) -> ChainRule:
    """That of these streams; every α' ≤ α must be among them."""
    return tuple(
        (i, tuple((k, tuple(group)) for k, group in sorted(groups.items())))
        for i, stream in enumerate(streams)
        if (groups := products(stream, streams))
    )


def hidden_layer(
    z: Tensor, weight: Tensor, bias: Tensor, activation: Activation, order: int, rule: ChainRule
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The streams of σ(W z + b) from those of z, those of W z + b, and σ, σ′, …, σ^(order + 1)."""
    streams = (z.flatten(0, 1) @ weight.T).view(*z.shape[:2], len(weight))
    streams[0] += bias
    sigma = activation.derivatives(streams[0], order + 1)
    return activate(streams, sigma, rule), streams, sigma


class TaylorEngine(SummingEngine):
    """Streams of the network by Taylor mode, any order up to 4, mixed derivatives included."""

    def __init__(
        self,
        network: Mlp,
        unknowns: Sequence[str],
        fields: Iterable[Field],
        operators: Iterable[Operator] = (),
    ) -> None:
        super().__init__(network, unknowns, fields, operators)
        zero = (0,) * network.inputs.n_coordinates
        self.streams: tuple[Orders, ...] = lower_set(
            [zero, *(field.orders for field in self.fields)]
        )
        self.order = max(sum(stream) for stream in self.streams)
        self.rule = chain_rule(self.streams)

    def inputs(self, points: Tensor) -> Tensor:
        """The streams of the inputs, [n_streams, n_points, width]."""
        streams = [self.network.inputs.derivative(points, orders) for orders in self.streams]
        return torch.stack(streams).to(self.network.dtype)

    def derivatives(self, inputs: Tensor) -> dict[Field, Tensor]:
        if self.order == 0:
            # Values alone need no chain rule, and autograd's own operations have less overhead for
            # few points.
            outputs = self.network.from_scaled(inputs[0]).T
            return {field: outputs[self.unknowns.index(field.unknown)] for field in self.fields}
        at_a_time = NUMBERS_AT_A_TIME // (len(inputs) * max(map(len, self.network.biases))) + 1
        if torch.is_grad_enabled() or at_a_time >= inputs.shape[1]:
            outputs = self._outputs(inputs)
        else:
            parts = torch.split(inputs, at_a_time, 1)
            outputs = torch.cat([self._outputs(part) for part in parts], 2)
        by_stream = dict(zip(self.streams, outputs.unbind(0), strict=True))
        return {
            field: by_stream[field.orders][self.unknowns.index(field.unknown)]
            for field in self.fields
        }

    def _outputs(self, z: Tensor) -> Tensor:
        """The streams of the outputs, [n_streams, n_outputs, n_points], from those of inputs."""
        *hidden, (weight, bias) = self.network.layers()
        for w, b in hidden:
            z = _HiddenLayer.apply(z, w, b, self.network.activation, self.order, self.rule)  # type: ignore[no-untyped-call]
        outputs: Tensor = _OutputLayer.apply(z, weight, bias)  # type: ignore[no-untyped-call]
        return outputs


class _HiddenLayer(torch.autograd.Function):
    """The streams of σ(W z + b) from those of z, with the backward pass written out.

    p_α = W z_α (+ b for α = 0), and then `activate`. Written out because autograd would keep and
    walk some forty small operations a layer, and copy whole layers to select a stream.
    """

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        weight: Tensor,
        bias: Tensor,
        activation: Activation,
        order: int,
        rule: ChainRule,
    ) -> Tensor:
        result, streams, sigma = hidden_layer(z, weight, bias, activation, order, rule)
        ctx.save_for_backward(z, weight, streams, *sigma[1:])
        ctx.rule = rule
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        z, weight, streams, *sigma = ctx.saved_tensors  # sigma[k − 1] is σ⁽ᵏ⁾
        result = cotangents(gradient, streams, sigma, ctx.rule)
        flat = result.flatten(0, 1)
        return (
            (flat @ weight).view_as(z) if ctx.needs_input_grad[0] else None,
            flat.T @ z.flatten(0, 1),
            result[0].sum(0),
            None,
            None,
            None,
        )


class _OutputLayer(torch.autograd.Function):
    """The streams of W z + b as [n_streams, n_outputs, n_points], so that each field is one
    contiguous vector.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        outputs = torch.matmul(weight, z.transpose(1, 2))
        outputs[0] += bias[:, None]
        ctx.save_for_backward(z, weight)
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, weight = ctx.saved_tensors
        by_point = gradient.transpose(1, 2)
        return by_point @ weight, torch.einsum("smn,snw->mw", gradient, z), gradient[0].sum(1)


def activate(streams: Tensor, sigma: Sequence[Tensor], rule: ChainRule) -> Tensor:
    """y_0 = σ(p_0) and y_α = σ′ p_α + Σ_π σ^(|π|) Π_B p_B of streams p.

    Args:
        sigma: σ⁽ᵏ⁾(p_0) from k = 0.
    """
    result = torch.empty_like(streams)
    result[0] = sigma[0]
    torch.mul(streams[1:], sigma[1], out=result[1:])
    for stream, groups in rule:
        for k, group in groups:
            result[stream].addcmul_(sigma[k], _sum(streams, group))
    return result


def cotangents(
    gradient: Tensor, streams: Tensor, sigma: Sequence[Tensor], rule: ChainRule
) -> Tensor:
    """Those of the streams p that `activate` was given, at every point.

    Each product gives σ^(|π|+1) to the cotangent of p_0 and, by the product rule, one term to that
    of each of its blocks.

    Args:
        sigma: from k = 1.
    """
    result = gradient * sigma[0]
    if len(streams) == 1:
        return result
    at_value = result[0]
    inner = gradient[1] * streams[1]
    for stream in range(2, len(streams)):
        inner.addcmul_(gradient[stream], streams[stream])
    at_value.addcmul_(inner, sigma[1])
    for stream, groups in rule:
        for k, group in groups:
            at_value.addcmul_(gradient[stream] * sigma[k], _sum(streams, group))
            outer = gradient[stream] * sigma[k - 1]
            for product in group:
                for i, block in enumerate(product.blocks):
                    others = product.blocks[:i] + product.blocks[i + 1 :]
                    result[block].addcmul_(outer, _multiply(streams, others), value=product.count)
    return result


def _multiply(streams: Tensor, blocks: tuple[int, ...]) -> Tensor:
    value = streams[blocks[0]]
    for block in blocks[1:]:
        value = value * streams[block]
    return value


def _sum(streams: Tensor, group: tuple[Product, ...]) -> Tensor:
    """Σ count × Π_B z_B."""
    first, *rest = group
    total = _multiply(streams, first.blocks)
    if first.count != 1:
        total = total * first.count
    for product in rest:
        total = torch.add(total, _multiply(streams, product.blocks), alpha=product.count)
    return total
