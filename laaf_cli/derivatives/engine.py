"""What every derivative engine does: a network at points → its outputs and their derivatives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from torch import Tensor

from laaf_cli.expression import Field
from laaf_cli.network import Mlp


class DerivativeEngine(ABC):
    """Computes the fields asked for, [n_points] each, differentiable with respect to the parameters.

    unknowns: names of the network's outputs, in order.
    fields: which outputs and derivatives are needed.
    """

    def __init__(self, network: Mlp, unknowns: Sequence[str], fields: Iterable[Field]) -> None:
        self.network = network
        self.unknowns = tuple(unknowns)
        self.fields = tuple(sorted(set(fields), key=lambda field: (field.unknown, sum(field.orders), field.orders)))

    @abstractmethod
    def prepare(self, points: Tensor) -> Tensor:
        """What `evaluate` takes, from points [n, d] in float64; may be kept as long as the points stay."""

    @abstractmethod
    def evaluate(self, prepared: Tensor) -> dict[Field, Tensor]:
        """Each field [n_points], in the precision of the network."""
