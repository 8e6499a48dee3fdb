"""What every derivative engine does: a network at points → its outputs, their derivatives, and
operators on them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from laaf_cli.expression import Field
from laaf_cli.multi_index import Orders, lower_set
from laaf_cli.network.mlp import Mlp

NONE: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Operator:
    """L u = Σ_α c_α ∂^α u, with coefficients c_α at every point."""

    value: Field
    """The leaf that represents it in a tree."""
    unknown: str
    """The unknown u."""
    orders: tuple[Orders, ...]
    """The multi-indices α."""
    coefficients: str
    """The name of its coefficients; operators that share it have the same orders and coefficients,
    on different unknowns.
    """

    @property
    def below(self) -> tuple[Orders, ...]:
        """The derivatives that the chain rule of L takes: all below an α, without the value."""
        zero = tuple(0 for _ in self.orders[0])
        return tuple(
            sorted(
                {
                    below
                    for orders in self.orders
                    for below in lower_set([orders])
                    if below not in (zero, orders)
                }
            )
        )


@dataclass(frozen=True)
class Prepared:
    """Points and the coefficients of operators there, as an engine takes them."""

    inputs: Tensor
    coefficients: tuple[Tensor, ...]


Coefficients = Mapping[str, Tensor]
"""Those of operators, by their name: [n_orders, n_points] in float64."""


class DerivativeEngine(ABC):
    """Computes the fields and operators asked for, [n_points] each, differentiable with respect to
    the parameters.

    Args:
        unknowns: names of the network's outputs, in order.
        fields: which outputs and derivatives are needed.
        operators: and which linear operators on them.
    """

    def __init__(
        self,
        network: Mlp,
        unknowns: Sequence[str],
        fields: Iterable[Field],
        operators: Iterable[Operator] = (),
    ) -> None:
        self.network = network
        self.unknowns = tuple(unknowns)
        self.fields = tuple(
            sorted(set(fields), key=lambda field: (field.unknown, sum(field.orders), field.orders))
        )
        self.operators = tuple(operators)

    @abstractmethod
    def prepare(self, points: Tensor, coefficients: Coefficients = NONE) -> Prepared:
        """What `evaluate` takes, from points [n, d] in float64; may be kept as long as the
        points stay.
        """

    @abstractmethod
    def evaluate(self, prepared: Prepared) -> dict[Field, Tensor]:
        """Each field and operator [n_points], in the precision of the network."""


class MakeEngine(Protocol):
    """A network, the names of its outputs, and the fields and operators needed → the engine that
    computes them.
    """

    def __call__(
        self,
        network: Mlp,
        unknowns: Sequence[str],
        fields: Iterable[Field],
        operators: Iterable[Operator] = (),
    ) -> DerivativeEngine: ...


class SummingEngine(DerivativeEngine):
    """An engine that computes single derivatives, and operators as sums of them."""

    def __init__(
        self,
        network: Mlp,
        unknowns: Sequence[str],
        fields: Iterable[Field],
        operators: Iterable[Operator] = (),
    ) -> None:
        combined = tuple(operators)
        parts = [
            Field(operator.unknown, orders) for operator in combined for orders in operator.orders
        ]
        super().__init__(network, unknowns, [*fields, *parts], combined)

    def prepare(self, points: Tensor, coefficients: Coefficients = NONE) -> Prepared:
        rows = (
            coefficients[operator.coefficients].to(self.network.dtype)
            for operator in self.operators
        )
        return Prepared(self.inputs(points), tuple(rows))

    def evaluate(self, prepared: Prepared) -> dict[Field, Tensor]:
        return self.with_operators(self.derivatives(prepared.inputs), prepared)

    def with_operators(
        self, values: dict[Field, Tensor], prepared: Prepared
    ) -> dict[Field, Tensor]:
        """Single derivatives, and the operators summed of them."""
        for operator, coefficients in zip(self.operators, prepared.coefficients, strict=True):
            parts = torch.stack(
                [values[Field(operator.unknown, orders)] for orders in operator.orders]
            )
            values[operator.value] = (coefficients * parts).sum(0)
        return values

    @abstractmethod
    def inputs(self, points: Tensor) -> Tensor:
        """Points [n, d] in float64 as `derivatives` takes them."""

    @abstractmethod
    def derivatives(self, inputs: Tensor) -> dict[Field, Tensor]:
        """Each of the fields [n_points]."""
