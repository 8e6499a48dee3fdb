"""The loss: residuals of a problem at its points, as named terms, and the slope recovery term
by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from laaf_cli.arrays import Array
from laaf_cli.derivatives import MakeEngine, evaluate_together
from laaf_cli.expression import Backend, Field
from laaf_cli.network.mlp import Mlp
from laaf_cli.network.slopes import SlopeRecovery
from laaf_cli.problem import PointSet, Problem, Term, runs_back
from laaf_cli.problem.rejection import NoPointsError
from laaf_cli.seeds import random_stream
from laaf_cli.spec import BalanceSpec, ResampleSpec
from laaf_cli.spec.models import NO_BALANCE
from laaf_cli.training.balance import BALANCES, BalanceState
from laaf_cli.training.constants import LearnedConstants
from laaf_cli.training.groups import Batch, TermGroup
from laaf_cli.training.lowering import LoweredResiduals, lower
from laaf_cli.training.resampling import RESAMPLERS, Renewal

SLOPE_RECOVERY = "slope_recovery"

FIXED = BalanceSpec(method=NO_BALANCE)

_POINTS_AT_A_TIME = 20_000


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One evaluation of the loss."""

    total: Tensor
    """J = Σ weight × term, a scalar with a graph where gradients are recorded."""
    names: tuple[str, ...]
    """The terms, in the order of `values`."""
    values: Tensor
    """The terms without their weights, in one vector [n_terms] without a graph; slope recovery is
    the last one where it is on.
    """
    weights: Mapping[str, float]
    """By name, the weights of the terms as a whole."""
    point_weights: Mapping[str, Tensor] = field(default_factory=dict)
    """By term, the mean of the weights of its points, where they have some."""

    def effective_weights(self) -> dict[str, float]:
        """The weight of each term, the mean weight of its points included."""
        means = {name: float(mean) for name, mean in self.point_weights.items()}
        return {name: weight * means.get(name, 1.0) for name, weight in self.weights.items()}


@dataclass(frozen=True, kw_only=True)
class AdaptiveState:
    """What adapts besides the parameters, never changed in place: the points and the factors, by
    term.
    """

    points: Mapping[str, PointSet]
    factors: Mapping[str, float]
    slopes_absorbed: bool
    """Whether the slopes are part of the weights."""
    held_weights: Mapping[str, Tensor] | None = None
    """Weights of points that are held, by term; None where none are."""
    n_interior: int | None = None
    """Points of the equations that the next renewal draws, None where they are missing."""


class Objective:
    """J(Θ) = Σ_terms W λ · mean r² + W_a · S(a) (arXiv 1909.12228, eqs. 6 and 9; there all λ are
    1).

    Attributes:
        n_changes: how often points or weights have changed, that is, how often J has become another
            function.
        n_renewals: how often the network has got other parameters.

    Args:
        points: by term name, as `Problem.draw_points` gives them; resampling renews those that the
            equations share.
        recovery: None turns S off.
        balance: how the factors λ adapt.
        seed: of the streams that mini-batches and new points are drawn from.
    """

    def __init__(
        self,
        problem: Problem,
        points: Mapping[str, PointSet],
        network: Mlp,
        make_engine: MakeEngine,
        recovery: SlopeRecovery | None,
        seed: int,
        resampling: ResampleSpec | None = None,
        balance: BalanceSpec = FIXED,
    ) -> None:
        self.problem = problem
        self.network = network
        self.make_engine = make_engine
        self.seed = seed
        self.resampling = resampling
        self.balance = balance
        self.recovery = recovery if len(network.slopes.values) else None
        self.constants = LearnedConstants(problem.learned).to(network.device)
        self.backend = Backend(
            module=torch,
            array=lambda number: torch.full(
                (), _within(network.dtype, number), dtype=network.dtype, device=network.device
            ),
            functions=problem.functions,
        )
        self.points = dict(points)
        self.lowered: dict[tuple[str, ...], LoweredResiduals] = {}
        self.groups = self._groups(problem.trained_terms, points)
        self.terms = {term.name: term for group in self.groups for term in group.terms}
        self.names = (*self.terms, *([SLOPE_RECOVERY] if self.recovery else []))
        self.equations = frozenset(
            name for name, term in self.terms.items() if term.kind == "equation"
        )
        self.interior = next((self.terms[name].region.drawn for name in self.equations), None)
        self.runs_back = runs_back(problem.domain, problem.terms)
        self.n_changes = self.n_renewals = 0
        self.held_weights: dict[str, Tensor] | None = None
        self.factors: dict[str, float] = {}
        self._set_factors(dict.fromkeys(self.terms, 1.0))

    def _groups(self, terms: Iterable[Term], points: Mapping[str, PointSet]) -> list[TermGroup]:
        shared: dict[int, list[Term]] = {}
        for term in terms:
            shared.setdefault(id(points[term.name]), []).append(term)
        return [self._group(terms, points[terms[0].name]) for terms in shared.values()]

    def _group(self, terms: Iterable[Term], points: PointSet) -> TermGroup:
        together = tuple(terms)
        names = tuple(term.name for term in together)
        if names not in self.lowered:
            self.lowered[names] = lower(together, self.problem.learned)
        return TermGroup(
            self.problem, together, self.lowered[names], points, self.network, self.make_engine
        )

    def parameters(self) -> list[nn.Parameter]:
        """All that training changes: of the network, without slopes that are absorbed, then the
        learned constants.
        """
        return [parameter for parameter in self.all_parameters() if parameter.requires_grad]

    def all_parameters(self) -> list[nn.Parameter]:
        """Those and the slopes that are absorbed."""
        return [*self.network.parameters(), *self.constants.parameters()]

    def absorb_slopes(self) -> None:
        """Makes the slopes part of the weights, and drops S, whose value says nothing about the
        network from then on.

        It stays among the terms, with the weight 0.
        """
        self.network.absorb_slopes()
        self._set_factors({})

    def hold_point_weights(self, hold: bool) -> None:
        """Whether weights that depend on the network are held between updates, so that J is one
        function meanwhile.
        """
        self.held_weights = {} if hold else None
        self.n_changes += 1

    def evaluate(self, iteration: int = 0, batch: int | None = None) -> Loss:
        """The loss at all points, or at those of `batch` residuals of each term drawn for this
        iteration.

        A batch depends on the seed and the iteration alone, so that a resumed run draws the same.
        """
        values, weighted = [], []
        point_weights: dict[str, Tensor] = {}
        constants = self.constants.values()
        for group, part, fields in self._evaluated(self._batches(iteration, batch)):
            squares = group.squares_at(part, fields, constants, self.backend)
            plain = [_mean(square) for square in squares.values()]
            values += plain
            weights = self._point_weights(group, part, squares)
            if weights is None:
                weighted += plain
            else:
                weighted += [
                    _mean([weights * one for one in of_term]) for of_term in squares.values()
                ]
                point_weights |= dict.fromkeys(squares, weights.mean())
        if self.recovery is not None:
            recovery = self.recovery(list(self.network.slopes.values))
            values.append(recovery)
            weighted.append(recovery)
        terms = torch.stack(weighted)
        total = terms @ self.weights
        if torch.is_grad_enabled() and not total.requires_grad:
            # No branch of a residual lets it depend on the network: the gradient is zero.
            total = total + 0 * self.network.biases[-1].sum()
        return Loss(
            total=total,
            names=self.names,
            values=(torch.stack(values) if point_weights else terms).detach(),
            weights=self.weight_of,
            point_weights=point_weights,
        )

    def residuals(self) -> Tensor:
        """r [n_rows] in float64 with a graph: all residuals at all points, scaled so that |r|² is
        the loss without slope recovery.
        """
        constants, rows = self.constants.values(), []
        for group, part, fields in self._evaluated(self._batches(0, None)):
            scales = self.row_scales(group)
            by_term = group.residuals_at(part, fields, constants, self.backend)
            rows += [scales[name] * one for name, residuals in by_term.items() for one in residuals]
        return torch.cat(rows)

    def row_scales(self, group: TermGroup) -> dict[str, Tensor]:
        """What multiplies the residuals of each term of a group in r, [n_residuals] in float64:
        roots of all weights, those of points as they are held.
        """
        squares = torch.ones(group.n_residuals, dtype=torch.float64, device=self.network.device)
        squares /= group.n_residuals
        held = (self.held_weights or {}).get(group.terms[0].name)
        for weights in (group.row_weights, held):
            if weights is not None:
                squares = squares * weights
        return {term.name: (self.weight_of[term.name] * squares).sqrt() for term in group.terms}

    def _batches(self, iteration: int, size: int | None) -> list[tuple[TermGroup, Batch]]:
        if size is None:
            return [(group, group.whole) for group in self.groups]
        random = random_stream(self.seed, "batch", str(iteration))
        return [(group, group.batch(size, random)) for group in self.groups]

    @staticmethod
    def _evaluated(
        batches: Sequence[tuple[TermGroup, Batch]],
    ) -> Iterator[tuple[TermGroup, Batch, Mapping[Field, Tensor]]]:
        """Groups and their points with what the network gives there."""
        evaluated = evaluate_together([(group.engine, part.prepared) for group, part in batches])
        for (group, part), fields in zip(batches, evaluated, strict=True):
            yield group, part, fields

    def _point_weights(
        self, group: TermGroup, batch: Batch, squares: Mapping[str, list[Tensor]]
    ) -> Tensor | None:
        """The weights of the points of the equations [n_points], where the balance gives them
        some.
        """
        name, held = group.terms[0].name, self.held_weights
        if held is not None and name in held:
            return held[name]
        weigh_points = BALANCES[self.balance.method].weigh_points
        axis = self.problem.domain.time_axis
        if weigh_points is None or axis is None or not squares.keys() <= self.equations:
            return None
        start, end = self.problem.domain.lower[axis], self.problem.domain.upper[axis]
        if self.runs_back:
            start, end = end, start
        part = (batch.points[:, axis] - start) / (end - start)
        slices = (part * self.balance.slices).long().clamp(0, self.balance.slices - 1)
        weights = weigh_points(self._of_system(squares), slices, self.balance)
        if held is not None:
            held[name] = weights
        return weights

    def _of_system(self, squares: Mapping[str, list[Tensor]]) -> Tensor:
        """The squares of all equations with the weights of the spec, summed at each point
        [n_points].
        """
        parts = [
            self.terms[name].weight * square
            for name, of_term in squares.items()
            for square in of_term
        ]
        return torch.stack(parts).sum(0)

    def _set_factors(self, factors: Mapping[str, float]) -> None:
        self.factors = {**self.factors, **factors}
        self.weight_of = {
            name: term.weight * self.factors[name] for name, term in self.terms.items()
        }
        if self.recovery is not None:
            absorbed = self.network.slopes.absorbed
            self.weight_of[SLOPE_RECOVERY] = 0.0 if absorbed else self.recovery.weight
        weights = list(self.weight_of.values())
        self.weights = torch.tensor(weights, dtype=self.network.dtype, device=self.network.device)
        self.n_changes += 1

    def rebalance(self, iteration: int, batch: int | None, learning_rate: float) -> None:
        """Updates the factors λ, from the residuals that this iteration trains on, and weights
        that are held.
        """
        row = BALANCES[self.balance.method]
        if row.weigh_points is not None and self.held_weights is not None:
            self.hold_point_weights(True)
        update = row.update
        if update is None:
            return
        constants = self.constants.values()
        residuals: dict[str, Tensor] = {}
        for group, part, fields in self._evaluated(self._batches(iteration, batch)):
            residuals |= group.scaled_residuals(part, fields, constants, self.backend)
        moment = BalanceState(
            settings=self.balance,
            residuals=residuals,
            equations=self.equations,
            weights={name: term.weight for name, term in self.terms.items()},
            factors=self.factors,
            parameters=[
                parameter for parameter in self.network.parameters() if parameter.requires_grad
            ],
            steps=min(iteration, self.balance.every),
            learning_rate=learning_rate,
            random=random_stream(self.seed, "balance", str(iteration)),
        )
        self._set_factors(update(moment))

    def resample(self, iteration: int) -> None:
        """Renews the points of the equations, from the seed and the iteration alone, as the
        resampling says.

        They stay where a part of the domain that `importance` names turns out too small to draw
        points in.
        """
        if self.resampling is None or self.interior is None:
            return
        renewal = Renewal(
            settings=self.resampling,
            region=self.interior,
            domain=self.problem.domain,
            present=self.points[next(iter(self.equations))].points,
            residual_size=self.residual_size,
            random=random_stream(self.seed, "resample", str(iteration)),
        )
        with suppress(NoPointsError):
            self._use(RESAMPLERS[self.resampling.method].renew(renewal))

    def use_interior(self, n_points: int, iteration: int) -> None:
        """Trains at so many points of the equations from now on.

        They are drawn as the resampling draws, or by the sampler without one, or nothing to
        go by yet.
        """
        if self.interior is None:
            return
        n_present = len(self.points[next(iter(self.equations))])
        if n_points == self.interior.n_points and n_present <= n_points:
            return
        self.interior = replace(self.interior, n_points=n_points)
        resampling = self.resampling
        if iteration > 0 and resampling and RESAMPLERS[resampling.method].draws_all:
            self.resample(iteration)
        else:
            random = random_stream(self.seed, "interior", str(iteration))
            with suppress(NoPointsError):
                self._use(self.interior.draw(self.problem.domain, random).points)

    def _use(self, points: Array) -> None:
        self.replace_points(dict.fromkeys(self.equations, PointSet(points=points)))

    @property
    def adaptive(self) -> AdaptiveState:
        """What training has adapted besides the parameters."""
        held = None if self.held_weights is None else dict(self.held_weights)
        n_interior = None if self.interior is None else self.interior.n_points
        return AdaptiveState(
            points=self.points,
            factors=self.factors,
            slopes_absorbed=self.network.slopes.absorbed,
            held_weights=held,
            n_interior=n_interior,
        )

    def restore(self, adaptive: AdaptiveState) -> None:
        """Goes back to an earlier setting, or on to that of a training that is resumed."""
        self.replace_points(adaptive.points)
        self.network.slopes.absorb(adaptive.slopes_absorbed)
        self._set_factors(adaptive.factors)
        if self.interior is not None and adaptive.n_interior is not None:
            self.interior = replace(self.interior, n_points=adaptive.n_interior)
        self.held_weights = None
        if adaptive.held_weights is not None:
            self.held_weights = {
                name: value.to(dtype=self.network.dtype, device=self.network.device)
                for name, value in adaptive.held_weights.items()
            }

    def renew(self) -> None:
        """Makes new engines, for a network with other neurons or another window of time."""
        self.groups = [self._group(group.terms, group.point_set) for group in self.groups]
        self.n_renewals += 1
        self.n_changes += 1

    def replace_points(self, points: Mapping[str, PointSet]) -> None:
        """Trains at these points from now on; terms that share theirs are given the same set."""
        self.points = {**self.points, **points}
        self.hold_point_weights(self.held_weights is not None)
        for i, group in enumerate(self.groups):
            point_set = self.points[group.terms[0].name]
            if point_set is not group.point_set:
                self.groups[i] = self._group(group.terms, point_set)

    def residual_size(self, points: Array) -> Array:
        """|r| of the equations at points of the interior [n, d]: the root of the sum of W r²
        over them, [n].
        """
        equations = [term for term in self.terms.values() if term.name in self.equations]
        blocks = np.array_split(points, max(1, math.ceil(len(points) / _POINTS_AT_A_TIME)))
        sizes = []
        with torch.no_grad():
            constants = self.constants.values()
            for block in blocks:
                group = self._group(equations, PointSet(points=block))
                ((_, part, fields),) = self._evaluated([(group, group.whole)])
                squares = self._of_system(group.squares_at(part, fields, constants, self.backend))
                sizes.append(squares.detach().sqrt().cpu().numpy().astype(np.float64))
        return np.concatenate(sizes)

    def not_finite(self) -> dict[str, Array]:
        """At which residuals [n_residuals] a term is not finite, of the terms that are not
        everywhere.
        """
        bad_points: dict[str, Array] = {}
        with torch.no_grad():
            constants = self.constants.values()
            for group, part, fields in self._evaluated(self._batches(0, None)):
                squares = group.squares_at(part, fields, constants, self.backend)
                for name, of_term in squares.items():
                    bad = ~torch.isfinite(torch.stack(of_term)).all(dim=0)
                    if bad.any():
                        bad_points[name] = bad.cpu().numpy()
        return bad_points

    def mean_squares(self, points: Mapping[str, PointSet]) -> dict[str, float]:
        """The terms that `points` names, at those points, without weights."""
        means: dict[str, float] = {}
        with torch.no_grad():
            constants = self.constants.values()
            groups = self._groups([self.terms[name] for name in points], points)
            for group, part, fields in self._evaluated([(group, group.whole) for group in groups]):
                squares = group.squares_at(part, fields, constants, self.backend)
                means |= {name: float(_mean(of_term)) for name, of_term in squares.items()}
        return means


def gradient(total: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """That of a scalar by parameter, 0 where it does not depend on one; frees the graph."""
    return torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)


def _within(dtype: torch.dtype, number: float) -> float:
    """The number, or the infinity that a type makes of it, which torch refuses to fill in."""
    is_held = abs(number) <= torch.finfo(dtype).max
    return number if is_held else math.copysign(math.inf, number)


def _mean(squares: Sequence[Tensor]) -> Tensor:
    """The mean over points of the sum of squares."""
    first, *rest = [square.mean() for square in squares]
    return sum(rest, start=first)
