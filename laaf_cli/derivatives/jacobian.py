"""The Jacobian of a network and its derivatives with respect to the weights, point by point.

The streams of every layer are those of `taylor`; the cotangents go back by the same chain rule, but
are not summed over the points: the row of W_k at a point is Σ_streams (cotangent of p) zᵀ.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from laaf_cli.derivatives.engine import Prepared
from laaf_cli.derivatives.taylor import TaylorEngine, activate, cotangents
from laaf_cli.expression import Field


class LinearisedFields:
    """The fields of an engine at points, and rows of the Jacobian of what depends on them.

    Attributes:
        fields: each field and operator of the engine [n_points], without a graph.
    """

    @torch.no_grad()
    def __init__(self, engine: TaylorEngine, prepared: Prepared) -> None:
        self.engine, self.coefficients = engine, prepared.coefficients
        self.layers = engine.network.layers()
        *hidden, (weight, bias) = self.layers
        z = prepared.inputs
        self.inputs, self.streams, self.sigma = [z], [], []
        for w, b in hidden:
            p = z @ w.T
            p[0] += b
            sigma = engine.network.activation.derivatives(p[0], engine.order + 1)
            z = activate(p, sigma, engine.rule)
            self.inputs.append(z)
            self.streams.append(p)
            self.sigma.append(sigma[1:])
        outputs = z @ weight.T
        outputs[0] += bias
        self.shape = outputs.shape
        self.fields = engine.with_operators(
            {field: outputs[self._place(field)].clone() for field in engine.fields}, prepared
        )

    def _place(self, field: Field) -> tuple[int, slice, int]:
        """The index of a field among the outputs [n_streams, n_points, n_outputs]."""
        stream = self.engine.streams.index(field.orders)
        return stream, slice(None), self.engine.unknowns.index(field.unknown)

    @torch.no_grad()
    def fill(self, rows: Tensor, of_fields: Mapping[Field, Tensor]) -> None:
        """Writes ∂r/∂(weights, then biases) [n_rows, n] into rows, as `Mlp.parameters` orders them.

        Args:
            of_fields: ∂r/∂f at every point [n_points], by field or operator; one r depends on
                n_points / n_rows successive points.
        """
        at = self.inputs[0].new_zeros(self.shape)
        for field in self.engine.fields:
            if field in of_fields:
                at[self._place(field)] += of_fields[field]
        for operator, weights in zip(self.engine.operators, self.coefficients, strict=True):
            if operator.value in of_fields:
                for orders, weight in zip(operator.orders, weights, strict=True):
                    place = self._place(Field(operator.unknown, orders))
                    at[place] += weight * of_fields[operator.value]
        run = self.shape[1] // len(rows)
        sizes = [w.numel() for w, _ in self.layers] + [b.numel() for _, b in self.layers]
        columns = torch.split(rows, sizes, dim=1)
        for k in reversed(range(len(self.layers))):
            if k + 1 < len(self.layers):
                at = cotangents(at, self.streams[k], self.sigma[k], self.engine.rule)
            of_weights = torch.bmm(_by_row(at, run).transpose(1, 2), _by_row(self.inputs[k], run))
            columns[k].copy_(of_weights.flatten(1))
            columns[k + len(self.layers)].copy_(at[0].reshape(len(rows), run, -1).sum(1))
            if k:
                at = at @ self.layers[k][0]


def _by_row(streams: Tensor, run: int) -> Tensor:
    """[n_streams, n_points, width] → [n_points / run, n_streams × run, width]."""
    if run == 1:
        return streams.transpose(0, 1)
    n_streams, n_points, width = streams.shape
    by_row = streams.reshape(n_streams, n_points // run, run, width)
    return by_row.transpose(0, 1).flatten(1, 2)
