"""The loss: residuals of a problem at its points, as named terms, and the slope recovery term apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from laaf_cli.derivatives import DerivativeEngine
from laaf_cli.expression import NUMPY, Backend, Node, evaluate, hoist
from laaf_cli.network import Mlp, SlopeRecovery
from laaf_cli.problem import PointSet, Problem, Term
from laaf_cli.problem.domain import Array
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
    """Terms that share their points, and therefore one pass of the network.

    What the residuals need besides the network's fields is computed once, by NumPy in float64: a float32
    training far from the origin must not lose the digits of sin(pi*(x - 1000000)).
    """

    def __init__(
        self, problem: Problem, terms: list[Term], given: PointSet, network: Mlp, engine: type[DerivativeEngine]
    ) -> None:
        fields = frozenset().union(*(term.fields for term in terms))
        self.engine = engine(network, problem.unknowns, fields)
        self.points = torch.tensor(given.points, dtype=torch.float64, device=network.device)
        self.residuals: dict[str, list[Node]] = {}
        self.symbols: dict[str, Tensor] = {}
        columns = dict(zip(problem.domain.coordinates, given.points.T, strict=True)) | dict(given.symbols)
        for term in terms:
            self.residuals[term.name] = []
            for i, tree in enumerate(term.residuals):
                residual, parts = hoist(tree, f"{term.name} {i}")
                self.residuals[term.name].append(residual)
                for name, part in parts.items():
                    self.symbols[name] = _at_points(part, columns, len(given), network)
        self.whole = self.engine.prepare(self.points), self.symbols

    def batch(self, size: int | None, random: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Prepared points and the symbols of the residuals, at all points or at some."""
        if size is None or size >= len(self.points):
            return self.whole
        drawn = random.choice(len(self.points), size, replace=False, shuffle=False)
        rows = torch.from_numpy(drawn).to(self.points.device)
        return self.engine.prepare(self.points[rows]), {name: value[rows] for name, value in self.symbols.items()}


def _at_points(part: Node, columns: Mapping[str, Array], n_points: int, network: Mlp) -> Tensor:
    """A part of a residual at every point, [n_points], in the precision of the network (or as truth values)."""
    with np.errstate(all="ignore"):
        value = np.broadcast_to(evaluate(part, columns, {}, NUMPY), n_points)
    dtype = torch.bool if value.dtype == np.bool_ else network.dtype
    return torch.tensor(value, dtype=dtype, device=network.device)


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
        ordered = [term for terms in shared.values() for term in terms]
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
        n_points = len(next(iter(fields.values())))
        values = []
        for name, residuals in group.residuals.items():
            squares = []
            for tree in residuals:
                residual = evaluate(tree, symbols, fields, self.backend)
                # A column [n, 1] here would broadcast to [n, n] without a word.
                if residual.shape != (n_points,):
                    raise AssertionError(f"residual of {name} has shape {tuple(residual.shape)}")
                squares.append(residual.square().mean())
            values.append(torch.stack(squares).sum())
        return values
