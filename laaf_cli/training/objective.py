"""The loss: residuals of a problem at its points, as named terms, and the slope recovery term apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from laaf_cli.derivatives import DerivativeEngine
from laaf_cli.expression import NUMPY, Backend, Node, evaluate, hoist
from laaf_cli.network import Mlp, SlopeRecovery
from laaf_cli.problem import PointSet, Problem, Term
from laaf_cli.problem.domain import Array
from laaf_cli.seeds import random_stream
from laaf_cli.training.constants import LearnedConstants

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


@dataclass(frozen=True)
class Batch:
    """Points as the engine takes them, symbols of the residuals there [n_points], weights of the squares."""

    prepared: Tensor
    symbols: Mapping[str, Tensor]
    row_weights: Tensor | None


class _Group:
    """Terms that share their points, and therefore one pass of the network.

    What the residuals need besides the network's fields is computed once, by NumPy in float64: a float32
    training far from the origin must not lose the digits of sin(pi*(x - 1000000)).
    """

    def __init__(
        self, problem: Problem, terms: list[Term], given: PointSet, network: Mlp, engine: type[DerivativeEngine]
    ) -> None:
        fields = frozenset().union(*(term.fields for term in terms))
        self.engine = engine(network, problem.trial.outputs, fields)
        self.points = torch.tensor(given.points, dtype=torch.float64, device=network.device)
        self.n_residuals = given.n_residuals
        self.combination = _tensor(given.combination, network)
        self.row_weights = _tensor(given.row_weights, network)
        self.residuals: dict[str, list[Node]] = {}
        self.symbols: dict[str, Tensor] = {}
        columns = dict(zip(problem.domain.coordinates, given.points.T, strict=True)) | dict(given.symbols)
        for term in terms:
            self.residuals[term.name] = []
            for i, tree in enumerate(term.residuals):
                residual, parts = hoist(tree, f"{term.name} {i}", problem.learned)
                self.residuals[term.name].append(residual)
                for name, part in parts.items():
                    self.symbols[name] = _at_points(part, columns, len(given), network)
        self.whole = Batch(self.engine.prepare(self.points), self.symbols, self.row_weights)

    def batch(self, size: int | None, random: np.random.Generator) -> Batch:
        """All points, or those of some residuals."""
        if size is None or size >= self.n_residuals:
            return self.whole
        drawn = random.choice(self.n_residuals, size, replace=False, shuffle=False)
        rows = torch.from_numpy(drawn).to(self.points.device)
        weights = None if self.row_weights is None else self.row_weights[rows]
        if self.combination is not None:
            run = torch.arange(len(self.combination), device=rows.device)
            rows = (rows[:, None] * len(self.combination) + run).ravel()
        symbols = {name: value[rows] for name, value in self.symbols.items()}
        return Batch(self.engine.prepare(self.points[rows]), symbols, weights)

    def residuals_at(self, batch: Batch, constants: Mapping[str, Tensor], backend: Backend) -> dict[str, list[Tensor]]:
        """The residuals of each term, [n_residuals] each."""
        fields = self.engine.evaluate(batch.prepared)
        symbols = {**batch.symbols, **constants}
        n_points = batch.prepared.shape[-2]
        found: dict[str, list[Tensor]] = {}
        for name, trees in self.residuals.items():
            found[name] = []
            for tree in trees:
                residual = evaluate(tree, symbols, fields, backend)
                # A column [n, 1] here would broadcast to [n, n] without a word.
                if residual.shape != (n_points,):
                    raise AssertionError(f"residual of {name} has shape {tuple(residual.shape)}")
                if self.combination is not None:
                    residual = residual.view(-1, len(self.combination)) @ self.combination
                found[name].append(residual)
        return found


def _tensor(values: Array | None, network: Mlp) -> Tensor | None:
    return None if values is None else torch.tensor(values, dtype=network.dtype, device=network.device)


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
        self.problem = problem
        self.network = network
        self.engine = engine
        self.seed = seed
        self.recovery = recovery if len(network.slopes.values) else None
        self.constants = LearnedConstants(problem.learned, network.dtype).to(network.device)
        shared: dict[int, list[Term]] = {}
        for term in problem.trained_terms:
            shared.setdefault(id(points[term.name]), []).append(term)
        self.groups = [_Group(problem, terms, points[terms[0].name], network, engine) for terms in shared.values()]
        ordered = [term for terms in shared.values() for term in terms]
        self.names = tuple(term.name for term in ordered) + ((SLOPE_RECOVERY,) if self.recovery else ())
        weights = [term.weight for term in ordered] + ([self.recovery.weight] if self.recovery else [])
        self.weights = torch.tensor(weights, dtype=network.dtype, device=network.device)
        self.backend = Backend(
            torch,
            lambda number: torch.as_tensor(number, dtype=network.dtype, device=network.device),
            functions=problem.functions,
        )

    def parameters(self) -> list[nn.Parameter]:
        """All that training changes: of the network, then the learned constants."""
        return [*self.network.parameters(), *self.constants.parameters()]

    def evaluate(self, iteration: int = 0, batch: int | None = None) -> Loss:
        """The loss at all points, or at those of `batch` residuals of each term drawn for this iteration.

        A batch depends on the seed and the iteration alone, so that a resumed run draws the same.
        """
        random = random_stream(self.seed, "batch", str(iteration))
        constants = self.constants.values()
        values = [value for group in self.groups for value in self._terms(group, batch, random, constants)]
        if self.recovery is not None:
            values.append(self.recovery(list(self.network.slopes.values)))
        vector = torch.stack(values)
        return Loss(vector @ self.weights, self.names, vector.detach())

    def _terms(
        self, group: _Group, size: int | None, random: np.random.Generator, constants: Mapping[str, Tensor]
    ) -> list[Tensor]:
        batch = group.batch(size, random)
        values = []
        for residuals in group.residuals_at(batch, constants, self.backend).values():
            squares = [residual.square() for residual in residuals]
            if batch.row_weights is not None:
                squares = [square * batch.row_weights for square in squares]
            values.append(torch.stack([square.mean() for square in squares]).sum())
        return values
