"""The loss: residuals of a problem at its points, as named terms, and the slope recovery term apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from laaf_cli.derivatives import DerivativeEngine
from laaf_cli.expression import Backend, evaluate
from laaf_cli.network import Mlp, SlopeRecovery
from laaf_cli.problem import PointSet, Problem, Term
from laaf_cli.seeds import random_stream

SLOPE_RECOVERY = "slope_recovery"


@dataclass(frozen=True)
class Loss:
    """One evaluation of the loss.

    total: J = Σ weight × term, a scalar with a graph. names, values: the terms without their weights, in one
    vector [n_terms] without a graph; slope recovery is the last one where it is on.
    """

    total: Tensor
    names: tuple[str, ...]
    values: Tensor


class _Group:
    """Terms that share their points, and therefore one pass of the network."""

    def __init__(
        self,
        problem: Problem,
        terms: list[Term],
        given: PointSet,
        network: Mlp,
        engine: type[DerivativeEngine],
    ) -> None:
        self.terms = terms
        self.names = problem.domain.coordinates
        fields = frozenset().union(*(term.fields for term in terms))
        self.engine = engine(network, problem.unknowns, fields)
        self.points = torch.tensor(given.points, dtype=torch.float64, device=network.device)
        self.symbols = {
            name: torch.tensor(value, dtype=network.dtype, device=network.device)
            for name, value in given.symbols.items()
        }
        self.whole = self.select(None)

    def select(self, rows: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Prepared points and the symbols of the residuals, for all points or some rows."""
        points = self.points if rows is None else self.points[rows]
        symbols = {name: value if rows is None else value[rows] for name, value in self.symbols.items()}
        columns = points.to(self.engine.network.dtype).T.contiguous().unbind(0)
        return self.engine.prepare(points), dict(zip(self.names, columns, strict=True)) | symbols

    def batch(self, size: int | None, random: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if size is None or size >= len(self.points):
            return self.whole
        rows = random.choice(len(self.points), size, replace=False, shuffle=False)
        return self.select(torch.from_numpy(rows).to(self.points.device))


class Objective:
    """J(Θ) = Σ_terms W · mean r² + W_a · S(a) (arXiv 1909.12228, eqs. 6 and 9).

    points: by term name, as `Problem.draw_points` gives them. recovery: None turns S off.
    seed: of the streams that mini-batches are drawn from.
    """

    def __init__(
        self,
        problem: Problem,
        points: Mapping[str, PointSet],
        network: Mlp,
        engine: type[DerivativeEngine],
        recovery: SlopeRecovery | None,
        seed: int,
    ) -> None:
        self.network = network
        self.seed = seed
        self.recovery = recovery if len(network.slopes.values) else None
        shared: dict[int, list[Term]] = {}
        for term in problem.terms:
            shared.setdefault(id(points[term.name]), []).append(term)
        self.groups = [_Group(problem, terms, points[terms[0].name], network, engine) for terms in shared.values()]
        ordered = [term for group in self.groups for term in group.terms]
        self.names = tuple(term.name for term in ordered) + ((SLOPE_RECOVERY,) if self.recovery else ())
        weights = [term.weight for term in ordered] + ([self.recovery.weight] if self.recovery else [])
        self.weights = torch.tensor(weights, dtype=network.dtype, device=network.device)
        self.backend = Backend(
            torch, lambda number: torch.as_tensor(number, dtype=network.dtype, device=network.device)
        )

    def evaluate(self, iteration: int = 0, batch: int | None = None) -> Loss:
        """The loss at all points, or at `batch` points of each term drawn for this iteration.

        A batch depends on the seed and the iteration alone, so that a resumed run draws the same.
        """
        random = random_stream(self.seed, "batch", str(iteration))
        values = [value for group in self.groups for value in self._terms(group, batch, random)]
        if self.recovery is not None:
            values.append(self.recovery(list(self.network.slopes.values)))
        vector = torch.stack(values)
        return Loss(vector @ self.weights, self.names, vector.detach())

    def _terms(self, group: _Group, batch: int | None, random: np.random.Generator) -> list[Tensor]:
        prepared, symbols = group.batch(batch, random)
        fields = group.engine.evaluate(prepared)
        n_points = len(next(iter(symbols.values())))
        values = []
        for term in group.terms:
            squares = []
            for tree in term.residuals:
                residual = evaluate(tree, symbols, fields, self.backend)
                # A column [n, 1] here would broadcast to [n, n] without a word.
                if residual.shape != (n_points,):
                    raise AssertionError(f"residual of {term.name} has shape {tuple(residual.shape)}")
                squares.append(residual.square().mean())
            values.append(torch.stack(squares).sum())
        return values
