"""The Jacobian of all residuals with respect to all that is trained, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from laaf_cli import processes
from laaf_cli.derivatives import LinearisedFields, TaylorEngine
from laaf_cli.training.groups import Batch, TermGroup
from laaf_cli.training.objective import Objective

POINTS_OF_A_BLOCK = 2000
"""At most, unless a single residual takes more."""

COLUMNS_OF_A_PRODUCT = 512
"""JᵀJ is summed in stripes of so many columns, each from the diagonal down."""


class ResidualKey(NamedTuple):
    """A residual: the name of its term, and its number among those of the term."""

    term: str
    number: int


@dataclass(frozen=True)
class Block:
    """Rows of one residual: r [n_rows] and ∂r/∂θ [n_rows, n] in float64, scaled as
    `Objective.residuals`.
    """

    part: ResidualKey
    residuals: Tensor
    jacobian: Tensor


@dataclass(frozen=True)
class NormalEquations:
    """JᵀJ [n, n], of which only the lower triangle is filled, and Jᵀr [n]."""

    matrix: Tensor
    gradient: Tensor


@dataclass(frozen=True)
class _Points:
    """A group of terms, and its points in batches, kept where they are few: the numbers of their
    residuals with each.
    """

    group: TermGroup
    engine: TaylorEngine
    kept: tuple[tuple[Tensor, Batch], ...] | None = None

    def batches(self) -> Iterable[tuple[Tensor, Batch]]:
        """All of them."""
        return self._made() if self.kept is None else self.kept

    def _made(self) -> Iterator[tuple[Tensor, Batch]]:
        every = torch.arange(self.group.n_residuals)
        size = max(1, POINTS_OF_A_BLOCK // self.group.points_per_residual)
        for rows in torch.split(every, size) if len(every) else ():
            yield rows, self.group.part(rows, self.engine)


class Jacobian:
    """∂r/∂θ of an objective, for θ as in `Objective.parameters`; where slopes are trained, for the
    weights and biases that they multiply in their place.

    What depends on the points alone is kept as long as these stay.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        network = objective.network
        self.n_network = sum(parameter.numel() for parameter in (*network.weights, *network.biases))
        self.n = self.n_network + len(objective.constants.free)
        self.parts: list[_Points] = []

    @property
    def device(self) -> torch.device:
        """The device of the network, and of all rows."""
        return self.objective.network.device

    def blocks(self) -> Iterator[Block]:
        """All rows of this process, in an order that stays as long as the points do."""
        groups = self.objective.groups
        if [part.group for part in self.parts] != groups:
            self.parts = [self._points(group) for group in groups]
        for part in self.parts:
            scales = self.objective.row_scales(part.group)
            for rows, batch in part.batches():
                here = {name: scale[rows.to(self.device)] for name, scale in scales.items()}
                yield from self._blocks(part, batch, here)

    def normal_equations(self) -> NormalEquations:
        """JᵀJ and Jᵀr, summed block by block, over all processes."""
        matrix = torch.zeros(self.n, self.n, dtype=torch.float64, device=self.device)
        gradient = matrix.new_zeros(self.n)
        for block in self.blocks():
            j = block.jacobian
            gradient.addmv_(j.T, block.residuals)
            for start in range(0, self.n, COLUMNS_OF_A_PRODUCT):
                end = start + COLUMNS_OF_A_PRODUCT
                matrix[start:, start:end].addmm_(j[:, start:].T, j[:, start:end])
        return NormalEquations(processes.total(matrix), processes.total(gradient))

    def _points(self, group: TermGroup) -> _Points:
        lowered, outputs = group.lowered, self.objective.problem.ansatz.outputs
        engine = TaylorEngine(self.objective.network, outputs, lowered.fields, lowered.operators)
        made = _Points(group, engine)
        return made if group.is_large else replace(made, kept=tuple(made.batches()))

    def _blocks(self, part: _Points, batch: Batch, scales: Mapping[str, Tensor]) -> Iterator[Block]:
        """Those of a batch; ∂r/∂f is autograd's of the sum of r, for r depends on its own points
        alone.
        """
        linearised = LinearisedFields(part.engine, batch.prepared)
        fields = {name: value.requires_grad_() for name, value in linearised.fields.items()}
        free = self.objective.constants.free
        values = self.objective.constants.values()
        constants = {
            name: value.detach().repeat(len(batch.points)).requires_grad_()
            for name, value in values.items()
        }
        rates = [torch.autograd.grad(values[name], free[name])[0] for name in free]
        leaves, run = [*fields.values(), *constants.values()], part.group.points_per_residual
        by_term = part.group.residuals_at(batch, fields, constants, self.objective.backend)
        for name, residuals in by_term.items():
            for index, residual in enumerate(residuals):
                scaled = scales[name] * residual
                slopes = tuple(torch.zeros_like(leaf) for leaf in leaves)
                if scaled.requires_grad:
                    slopes = torch.autograd.grad(
                        scaled.sum(), leaves, retain_graph=True, materialize_grads=True
                    )
                jacobian = scaled.new_empty(len(scaled), self.n)
                linearised.fill(
                    jacobian[:, : self.n_network], dict(zip(fields, slopes, strict=False))
                )
                for k, rate in enumerate(rates):
                    of_points = slopes[len(fields) + k].view(-1, run)
                    jacobian[:, self.n_network + k] = rate * of_points.sum(1)
                yield Block(ResidualKey(name, index), scaled.detach(), jacobian)
