"""Derivatives by nested reverse-mode differentiation: slow, simple, and the oracle of Taylor
mode.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from laaf_cli.derivatives.engine import SummingEngine
from laaf_cli.expression import Field


class NestedEngine(SummingEngine):
    """∂^α u by one `autograd.grad` per order, each with a graph for the next."""

    def inputs(self, points: Tensor) -> Tensor:
        return points

    @torch.enable_grad()
    def derivatives(self, inputs: Tensor) -> dict[Field, Tensor]:
        axes = [column.clone().requires_grad_() for column in inputs.unbind(1)]
        outputs = self.network(torch.stack(axes, dim=1))
        known = {
            Field(name, (0,) * len(axes)): outputs[:, column]
            for column, name in enumerate(self.unknowns)
        }

        return {
            field: self._derivative(known, axes, field).to(self.network.dtype)
            for field in self.fields
        }

    def _derivative(
        self, known: dict[Field, Tensor], axes: Sequence[Tensor], field: Field
    ) -> Tensor:
        """A field from the one of an order less. A closure would hold all graphs until Python
        looks for cycles.
        """
        if field not in known:
            axis = next(i for i, order in enumerate(field.orders) if order)
            below = Field(
                field.unknown, tuple(order - (i == axis) for i, order in enumerate(field.orders))
            )
            value = self._derivative(known, axes, below)
            (known[field],) = torch.autograd.grad(
                value.sum(), axes[axis], create_graph=True, materialize_grads=True
            )
        return known[field]
