"""A solution of several networks, one for each window of time, as one engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import wraps

import torch
from torch import Tensor

from laaf_cli.derivatives.engine import (
    NONE,
    Coefficients,
    DerivativeEngine,
    MakeEngine,
    Operator,
    Prepared,
)
from laaf_cli.expression import Field
from laaf_cli.network.mlp import Mlp


@dataclass(frozen=True)
class PreparedWindows(Prepared):
    """For each window the index of its points, and what its engine takes of them."""

    parts: tuple[tuple[Tensor, Prepared], ...]


class WindowsEngine(DerivativeEngine):
    """Every point is the business of the engine of its window."""

    def __init__(
        self,
        make_engine: MakeEngine,
        network: Mlp,
        unknowns: Sequence[str],
        fields: Iterable[Field],
        operators: Iterable[Operator] = (),
    ) -> None:
        super().__init__(network, unknowns, fields, operators)
        self.engines = [
            make_engine(window, self.unknowns, self.fields, self.operators)
            for window in network.networks
        ]

    def prepare(self, points: Tensor, coefficients: Coefficients = NONE) -> PreparedWindows:
        # What is not solved yet is as at the end of what is.
        latest = points.clone()
        latest[:, self.network.time_axis].clamp_(max=self.network.ends[-1])
        parts = tuple(
            (
                inside,
                engine.prepare(
                    latest[inside], {name: c[:, inside] for name, c in coefficients.items()}
                ),
            )
            for engine, (_, inside) in zip(self.engines, self.network.windows(points), strict=True)
        )
        return PreparedWindows(points, (), parts)

    def evaluate(self, prepared: Prepared) -> dict[Field, Tensor]:
        assert isinstance(prepared, PreparedWindows)  # noqa: S101 - of this engine
        wanted = [*self.fields, *(operator.value for operator in self.operators)]
        n = len(prepared.inputs)
        fields = {
            field: torch.zeros(n, dtype=self.network.dtype, device=prepared.inputs.device)
            for field in wanted
        }
        for engine, (inside, part) in zip(self.engines, prepared.parts, strict=True):
            if len(inside):
                # An engine that sums derivatives gives those as well.
                solved = engine.evaluate(part)
                for field in wanted:
                    fields[field] = fields[field].index_copy(0, inside, solved[field])
        return fields


def by_window(make_engine: MakeEngine) -> MakeEngine:
    """The same for a network of one window; for one of several, an engine of each."""

    @wraps(make_engine)
    def make(
        network: Mlp,
        unknowns: Sequence[str],
        fields: Iterable[Field],
        operators: Iterable[Operator] = (),
    ) -> DerivativeEngine:
        if network.ends:
            return WindowsEngine(make_engine, network, unknowns, fields, operators)
        return make_engine(network, unknowns, fields, operators)

    return make
