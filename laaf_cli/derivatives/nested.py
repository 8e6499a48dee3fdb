"""Derivatives by nested reverse-mode differentiation: slow, simple, and the oracle of Taylor mode."""

from __future__ import annotations

import torch
from torch import Tensor

from laaf_cli.derivatives.engine import DerivativeEngine
from laaf_cli.expression import Field
from laaf_cli.multi_index import Orders


class NestedEngine(DerivativeEngine):
    """∂^α u by one `autograd.grad` per order, each with a graph for the next."""

    def prepare(self, points: Tensor) -> Tensor:
        return points

    def evaluate(self, prepared: Tensor) -> dict[Field, Tensor]:
        axes = [column.clone().requires_grad_() for column in prepared.unbind(1)]
        outputs = self.network(torch.stack(axes, dim=1))
        known = {Field(name, (0,) * len(axes)): outputs[:, column] for column, name in enumerate(self.unknowns)}

        def derivative(unknown: str, orders: Orders) -> Tensor:
            field = Field(unknown, orders)
            if field not in known:
                axis = next(i for i, order in enumerate(orders) if order)
                below = derivative(unknown, tuple(o - (i == axis) for i, o in enumerate(orders)))
                (gradient,) = torch.autograd.grad(below.sum(), axes[axis], create_graph=True, materialize_grads=True)
                known[field] = gradient
            return known[field]

        return {f: derivative(f.unknown, f.orders).to(self.network.dtype) for f in self.fields}
