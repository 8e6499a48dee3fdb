"""Terms of the loss that share their points: one pass of the network gives the residuals of all
of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from laaf_cli.arrays import Array
from laaf_cli.derivatives import DerivativeEngine, MakeEngine, Prepared
from laaf_cli.expression import NUMPY, Backend, Field, Node, evaluate
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import PointSet, Problem, Term
from laaf_cli.training.lowering import LoweredResiduals


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Points [n_points, d], the same as the engine takes them, symbols there [n_points], weights
    of the squares.
    """

    points: Tensor
    prepared: Prepared
    symbols: Mapping[str, Tensor]
    row_weights: Tensor | None


class TermGroup:
    """Terms that share their points, and therefore one pass of the network.

    What the residuals need besides the network's fields is computed once, by NumPy in float64: a
    float32 training far from the origin must not lose the digits of sin(pi*(x - 1000000)).
    """

    def __init__(
        self,
        problem: Problem,
        terms: Sequence[Term],
        lowered: LoweredResiduals,
        point_set: PointSet,
        network: Mlp,
        make_engine: MakeEngine,
    ) -> None:
        self.engine = make_engine(
            network, problem.ansatz.outputs, lowered.fields, lowered.operators
        )
        self.points = torch.tensor(point_set.points, dtype=torch.float64, device=network.device)
        self.n_residuals = point_set.n_residuals
        self.dtype = network.dtype
        self.combination = _tensor(point_set.combination, network)
        self.row_weights = _tensor(point_set.row_weights, network)
        self.terms = tuple(terms)
        self.point_set = point_set
        self.lowered = lowered
        columns = dict(zip(problem.domain.coordinates, point_set.points.T, strict=True))
        columns |= point_set.symbols

        def at_points(tree: Node) -> Array:
            with np.errstate(all="ignore"):
                return np.broadcast_to(evaluate(tree, columns, {}, NUMPY), len(point_set))

        self.symbols = {}
        for name, tree in lowered.parts.items():
            values = at_points(tree)
            dtype = torch.bool if values.dtype == np.bool_ else network.dtype
            self.symbols[name] = torch.tensor(values, dtype=dtype, device=network.device)
        self.coefficients = {
            name: torch.tensor(np.stack([at_points(tree) for tree in trees]), device=network.device)
            for name, trees in lowered.coefficients.items()
        }
        self.whole = Batch(
            points=self.points,
            prepared=self.engine.prepare(self.points, self.coefficients),
            symbols=self.symbols,
            row_weights=self.row_weights,
        )

    @property
    def points_per_residual(self) -> int:
        """How many successive points a residual depends on."""
        return len(self.points) // self.n_residuals

    def batch(self, size: int, random: np.random.Generator) -> Batch:
        """Those of so many residuals, or all points."""
        if size >= self.n_residuals:
            return self.whole
        drawn = random.choice(self.n_residuals, size, replace=False, shuffle=False)
        return self.part(torch.from_numpy(drawn).to(self.points.device), self.engine)

    def part(self, rows: Tensor, engine: DerivativeEngine) -> Batch:
        """Those of the residuals [n_rows], prepared for an engine."""
        weights = None if self.row_weights is None else self.row_weights[rows]
        if self.combination is not None:
            run = torch.arange(len(self.combination), device=rows.device)
            rows = (rows[:, None] * len(self.combination) + run).ravel()
        points = self.points[rows]
        coefficients = {name: value[:, rows] for name, value in self.coefficients.items()}
        return Batch(
            points=points,
            prepared=engine.prepare(points, coefficients),
            symbols={name: value[rows] for name, value in self.symbols.items()},
            row_weights=weights,
        )

    def residuals_at(
        self,
        batch: Batch,
        fields: Mapping[Field, Tensor],
        constants: Mapping[str, Tensor],
        backend: Backend,
    ) -> dict[str, list[Tensor]]:
        """The residuals of each term, [n_residuals] each, from what the engine computes."""
        symbols = {**batch.symbols, **constants}
        n_points = len(batch.points)
        residuals: dict[str, list[Tensor]] = {}
        for name, trees in self.lowered.residuals.items():
            residuals[name] = []
            for tree in trees:
                # Learned constants are float64: a choice between them makes the residual that.
                residual = evaluate(tree, symbols, fields, backend).to(self.dtype)
                # A column [n, 1] here would broadcast to [n, n] without a word.
                if residual.shape != (n_points,):
                    raise AssertionError(f"residual of {name} has shape {tuple(residual.shape)}")
                if self.combination is not None:
                    residual = residual.view(-1, len(self.combination)) @ self.combination
                residuals[name].append(residual)
        return residuals

    def squares_at(
        self,
        batch: Batch,
        fields: Mapping[Field, Tensor],
        constants: Mapping[str, Tensor],
        backend: Backend,
    ) -> dict[str, list[Tensor]]:
        """The squared residuals of each term with the weights of their rows, [n_residuals] each."""
        squares = {}
        for name, residuals in self.residuals_at(batch, fields, constants, backend).items():
            squares[name] = [residual.square() for residual in residuals]
            if batch.row_weights is not None:
                squares[name] = [square * batch.row_weights for square in squares[name]]
        return squares

    def scaled_residuals(
        self,
        batch: Batch,
        fields: Mapping[Field, Tensor],
        constants: Mapping[str, Tensor],
        backend: Backend,
    ) -> dict[str, Tensor]:
        """The residuals of each term in one vector [n], scaled so that the term is the sum of
        their squares.
        """
        roots = 1.0 if batch.row_weights is None else batch.row_weights.sqrt()
        by_term = self.residuals_at(batch, fields, constants, backend)
        return {
            name: torch.cat([roots * residual / math.sqrt(len(residual)) for residual in residuals])
            for name, residuals in by_term.items()
        }


def _tensor(values: Array | None, network: Mlp) -> Tensor | None:
    if values is None:
        return None
    return torch.tensor(values, dtype=network.dtype, device=network.device)
