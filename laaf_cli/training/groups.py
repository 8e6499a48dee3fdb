"""Terms of the loss that share their points: one pass of the network gives the residuals of all
of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from laaf_cli import processes
from laaf_cli.arrays import Array
from laaf_cli.derivatives import DerivativeEngine, MakeEngine, Prepared
from laaf_cli.expression import NUMPY, Backend, Field, Node, evaluate
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import PointSet, Problem, Term
from laaf_cli.training.lowering import LoweredResiduals

MOST_AT_ONCE = 2**22
"""Points of a process from which on they are taken in blocks, made whenever they are wanted:
below it all that an engine needs at them is kept.
"""

POINTS_OF_A_BLOCK = 2**18


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Points [n_points, d], the same as the engine takes them, coefficients of operators and
    symbols there, weights of the squares.
    """

    points: Tensor
    prepared: Prepared
    coefficients: Mapping[str, Tensor]
    symbols: Mapping[str, Tensor]
    row_weights: Tensor | None
    n_all: int
    """How many residuals all processes have of it."""
    places: Tensor | slice
    """Which of these the points are of."""

    def __len__(self) -> int:
        places = self.places
        return places.stop - places.start if isinstance(places, slice) else len(places)


class TermGroup:
    """Terms that share their points, and therefore one pass of the network.

    What the residuals need besides the network's fields is computed once, by NumPy in float64: a
    float32 training far from the origin must not lose the digits of sin(pi*(x - 1000000)).

    Attributes:
        point_set: the points of all processes.
        own: which of the residuals at them are this one's.

    Args:
        divided: whether the processes divide the points, or each has all of them.
    """

    def __init__(
        self,
        problem: Problem,
        terms: Sequence[Term],
        lowered: LoweredResiduals,
        point_set: PointSet,
        network: Mlp,
        make_engine: MakeEngine,
        *,
        divided: bool = True,
    ) -> None:
        self.engine = make_engine(
            network, problem.ansatz.outputs, lowered.fields, lowered.operators
        )
        self.coordinates = problem.domain.coordinates
        self.network = network
        self.dtype = network.dtype
        self.combination = _tensor(point_set.combination, network)
        self.terms = tuple(terms)
        self.point_set = point_set
        self.lowered = lowered
        self.n_all = point_set.n_residuals
        self.own = processes.share(self.n_all) if divided else slice(0, self.n_all)
        self.n_residuals = self.own.stop - self.own.start
        self.here = point_set.of_residuals(self.own)
        self.row_weights = _tensor(self.here.row_weights, network)
        self.kept = None if self.is_large else self._batch(self.engine, self._every)

    @property
    def is_large(self) -> bool:
        """Whether the points are taken in blocks."""
        return len(self.here) > MOST_AT_ONCE

    @property
    def whole(self) -> Batch:
        """All points of this process."""
        return self.kept or self._batch(self.engine, self._every)

    @property
    def _every(self) -> slice:
        return slice(0, self.n_residuals)

    def pieces(self) -> Iterator[Batch]:
        """All points of this process, in blocks where they are many."""
        if self.kept is not None:
            yield self.kept
            return
        size = max(1, POINTS_OF_A_BLOCK // self.points_per_residual)
        for start in range(0, self.n_residuals, size):
            rows = slice(start, min(start + size, self.n_residuals))
            yield self._batch(self.engine, rows)

    @property
    def points_per_residual(self) -> int:
        """How many successive points a residual depends on."""
        return self.point_set.points_per_residual

    def _batch(self, engine: DerivativeEngine, rows: slice | NDArray[np.int64]) -> Batch:
        """Some of the residuals of this process."""
        here, device = self.here.of_residuals(rows), self.network.device
        points = torch.tensor(here.points, dtype=torch.float64, device=device)
        columns = dict(zip(self.coordinates, here.points.T, strict=True))
        columns |= here.symbols

        def at_points(tree: Node) -> Array:
            with np.errstate(all="ignore"):
                return np.broadcast_to(evaluate(tree, columns, {}, NUMPY), len(here))

        symbols = {}
        for name, tree in self.lowered.parts.items():
            values = at_points(tree)
            dtype = torch.bool if values.dtype == np.bool_ else self.dtype
            symbols[name] = torch.tensor(values, dtype=dtype, device=device)
        coefficients = {
            name: torch.tensor(np.stack([at_points(tree) for tree in trees]), device=device)
            for name, trees in self.lowered.coefficients.items()
        }
        return Batch(
            points=points,
            prepared=engine.prepare(points, coefficients),
            coefficients=coefficients,
            symbols=symbols,
            row_weights=_tensor(here.row_weights, self.network),
            n_all=self.n_all,
            places=slice(self.own.start + rows.start, self.own.start + rows.stop)
            if isinstance(rows, slice)
            else self.own.start + torch.from_numpy(rows),
        )

    def own_places(self, batch: Batch) -> slice:
        """Those of a piece among the points of this process, or of a batch among those drawn."""
        places = batch.places
        start = places.start - self.own.start if isinstance(places, slice) else 0
        return slice(start, start + len(batch))

    def batch(self, size: int, random: np.random.Generator) -> Batch:
        """Those of so many residuals of all processes, or all points."""
        if size >= self.n_all:
            return self.whole
        drawn = torch.from_numpy(random.choice(self.n_all, size, replace=False, shuffle=False))
        if self.n_residuals < self.n_all:
            own = ((drawn >= self.own.start) & (drawn < self.own.stop)).nonzero()[:, 0]
            part = self.part(drawn[own] - self.own.start, self.engine)
            return replace(part, n_all=size, places=own)
        return replace(self.part(drawn, self.engine), n_all=size, places=slice(0, size))

    def part(self, rows: Tensor, engine: DerivativeEngine) -> Batch:
        """Those of the residuals [n_rows] of this process, prepared for an engine."""
        of = self.kept
        if of is None:
            return self._batch(engine, rows.numpy())
        residuals = rows = rows.to(self.network.device)
        if self.combination is not None:
            run = torch.arange(len(self.combination), device=rows.device)
            rows = (rows[:, None] * len(self.combination) + run).ravel()
        points = of.points[rows]
        coefficients = {name: value[:, rows] for name, value in of.coefficients.items()}
        return Batch(
            points=points,
            prepared=engine.prepare(points, coefficients),
            coefficients=coefficients,
            symbols={name: value[rows] for name, value in of.symbols.items()},
            row_weights=None if of.row_weights is None else of.row_weights[residuals],
            n_all=self.n_all,
            places=self.own.start + residuals,
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
        their squares over all processes.
        """
        roots = 1.0 if batch.row_weights is None else batch.row_weights.sqrt()
        by_term = self.residuals_at(batch, fields, constants, backend)
        return {
            name: torch.cat([roots * residual / math.sqrt(batch.n_all) for residual in residuals])
            for name, residuals in by_term.items()
        }


def _tensor(values: Array | None, network: Mlp) -> Tensor | None:
    if values is None:
        return None
    return torch.tensor(values, dtype=network.dtype, device=network.device)
