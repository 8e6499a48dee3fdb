"""The loss: residuals of a problem at its points, as named terms, and the slope recovery term
by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from laaf_cli import processes
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
from laaf_cli.training.balance import BALANCES, BalanceState, TermRows
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
    reported: Tensor | None = None
    """What several processes reported to one another with it, summed."""

    def effective_weights(self) -> dict[str, float]:
        """The weight of each term, the mean weight of its points included."""
        means = {name: float(mean) for name, mean in self.point_weights.items()}
        return {name: weight * means.get(name, 1.0) for name, weight in self.weights.items()}


Piece = tuple[TermGroup, Batch]


@dataclass(frozen=True)
class _Parts:
    """What some points give, by term: their part of its mean, the same with weights of points, and
    of the mean of these.
    """

    values: dict[str, Tensor] = field(default_factory=dict)
    weighted: dict[str, Tensor] = field(default_factory=dict)
    point_weights: dict[str, Tensor] = field(default_factory=dict)


class _WithGradient(torch.autograd.Function):
    """A scalar, its gradient [n] by all parameters, and these → the scalar, with that gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, slopes: Tensor, *parameters: Tensor) -> Tensor:
        ctx.slopes = slopes
        ctx.shapes = [(parameter.shape, parameter.dtype) for parameter in parameters]
        return value.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        sizes = [shape.numel() for shape, _ in ctx.shapes]
        parts = zip(torch.split(cotangent * ctx.slopes, sizes), ctx.shapes, strict=True)
        return (None, None, *(part.view(shape).to(dtype) for part, (shape, dtype) in parts))


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
    """J(Θ) = Σ_terms W λ · mean r² + W_a · S(a) (arXiv 1909.12228, eqs. 2 and 3; there all λ are
    1).

    Attributes:
        n_changes: how often points or weights have changed, that is, how often J has become another
            function.
        n_renewals: how often the network has got other parameters.
        report: numbers that go with the sum of a loss over several processes.

    Args:
        points: by term name, as `Problem.draw_points` gives them; resampling renews those that the
            equations share.
        recovery: None turns S off.
        balance: how the factors λ adapt.
        seed: of the streams that mini-batches and new points are drawn from.
        divided: whether the processes divide the points, or each has all of them.
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
        *,
        divided: bool = True,
    ) -> None:
        self.problem = problem
        self.divided = divided
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
        self.report: Callable[[], Sequence[float]] = tuple
        self.held_weights: dict[str, Tensor] | None = None
        self.factors: dict[str, float] = {}
        self._set_factors(dict.fromkeys(self.terms, 1.0))

    def _groups(self, terms: Iterable[Term], points: Mapping[str, PointSet]) -> list[TermGroup]:
        shared: dict[int, list[Term]] = {}
        for term in terms:
            shared.setdefault(id(points[term.name]), []).append(term)
        return [self._group(terms, points[terms[0].name]) for terms in shared.values()]

    def _group(self, terms: Iterable[Term], points: PointSet, *, divided: bool = True) -> TermGroup:
        together = tuple(terms)
        names = tuple(term.name for term in together)
        if names not in self.lowered:
            self.lowered[names] = lower(together, self.problem.learned)
        return TermGroup(
            self.problem,
            together,
            self.lowered[names],
            points,
            self.network,
            self.make_engine,
            divided=divided and self.divided,
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
        if processes.count() > 1 or (batch is None and any(g.is_large for g in self.groups)):
            return self._summed(iteration, batch)
        parts = self._parts(self._batches(iteration, batch), {})
        values, weighted = list(parts.values.values()), list(parts.weighted.values())
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
            values=(torch.stack(values) if parts.point_weights else terms).detach(),
            weights=self.weight_of,
            point_weights=parts.point_weights,
        )

    def _parts(self, batches: Sequence[Piece], known: Mapping[str, Tensor]) -> _Parts:
        """The terms at these points.

        Args:
            known: weights of the points of this process, by the first term of a group.
        """
        parts = _Parts()
        constants = self.constants.values()
        for group, part, fields in self._evaluated(batches):
            squares = group.squares_at(part, fields, constants, self.backend)
            share = None if len(part) == part.n_all else len(part) / part.n_all
            plain = {name: _mean(square, share) for name, square in squares.items()}
            parts.values.update(plain)
            weights = known.get(group.terms[0].name)
            weights = (
                self._point_weights(group, part, squares)
                if weights is None
                else weights[group.own_places(part)]
            )
            if weights is None:
                parts.weighted.update(plain)
                continue
            for name, of_term in squares.items():
                parts.weighted[name] = _mean([weights * one for one in of_term], share)
                parts.point_weights[name] = _mean([weights], share)
        return parts

    def _summed(self, iteration: int, batch: int | None) -> Loss:
        """The same over all processes, and over many points in blocks.

        The gradient, where it is recorded, is computed with the loss, and both go round in one sum,
        in float64, with what else is to be reported.
        """
        parameters, known = self.parameters(), self._known_point_weights(iteration, batch)
        places = {name: i for i, name in enumerate(self.terms)}
        zeros = torch.zeros
        sums = zeros(3, len(places), dtype=torch.float64, device=self.network.device)
        n_slopes = torch.is_grad_enabled() * sum(parameter.numel() for parameter in parameters)
        slopes = sums.new_zeros(n_slopes)
        for piece in self._pieces(iteration, batch):
            parts = self._parts(piece, known)
            if n_slopes and parts.weighted:
                at = [places[name] for name in parts.weighted]
                part = torch.stack(list(parts.weighted.values())) @ self.weights[at]
                slopes += torch.cat([g.flatten() for g in gradient(part, parameters)])
            for row, of_term in zip(
                sums, (parts.values, parts.weighted, parts.point_weights), strict=True
            ):
                if of_term:
                    at = [places[name] for name in of_term]
                    row[at] += torch.stack(list(of_term.values())).detach()
        own = sums.new_tensor(self.report() if processes.count() > 1 else ())
        whole = processes.total(torch.cat([sums.flatten(), slopes, own]))
        of_terms, slopes, reported = torch.split(whole, [sums.numel(), n_slopes, len(own)])
        values, weighted, means = of_terms.view_as(sums)
        value = (weighted @ self.weights[: len(places)].double()).to(self.network.dtype)
        total = _WithGradient.apply(value, slopes, *parameters)  # type: ignore[no-untyped-call]
        values = values.to(self.network.dtype)
        if self.recovery is not None:
            recovery = self.recovery(list(self.network.slopes.values))
            values = torch.cat([values, recovery.detach()[None]])
            total = total + self.weights[-1] * recovery
        return Loss(
            total=total,
            names=self.names,
            values=values,
            weights=self.weight_of,
            point_weights={name: means[places[name]] for name in self.equations} if known else {},
            reported=reported if processes.count() > 1 else None,
        )

    def _pieces(self, iteration: int, batch: int | None) -> Iterator[list[Piece]]:
        """All points of this process, or of the batch: what is evaluated together, and then many
        points in blocks.
        """
        if batch is not None:
            yield self._batches(iteration, batch)
            return
        yield [(group, group.whole) for group in self.groups if not group.is_large]
        for group in self.groups:
            for block in group.pieces() if group.is_large else ():
                yield [(group, block)]

    @property
    def _weighs_points(self) -> bool:
        """Whether the points of equations have weights of their own."""
        has_time = self.problem.domain.time_axis is not None
        return has_time and BALANCES[self.balance.method].weigh_points is not None

    def _is_of_equations(self, group: TermGroup) -> bool:
        return {term.name for term in group.terms} <= self.equations

    @torch.no_grad()
    def _known_point_weights(self, iteration: int, batch: int | None) -> dict[str, Tensor]:
        """The weights of the points of this process, by the first term of a group; they depend on
        the residuals at all points.
        """
        known: dict[str, Tensor] = {}
        if not self._weighs_points:
            return known
        constants = self.constants.values()
        for group in filter(self._is_of_equations, self.groups):
            name, held = group.terms[0].name, self.held_weights
            if held is not None and name in held:
                known[name] = held[name][group.own]
                continue
            squares = [torch.zeros(0, dtype=self.network.dtype, device=self.network.device)]
            slices = [torch.zeros(0, dtype=torch.int64, device=self.network.device)]
            for piece in self._pieces(iteration, batch):
                for of, part, fields in self._evaluated([one for one in piece if one[0] is group]):
                    at = of.squares_at(part, fields, constants, self.backend)
                    squares.append(self._of_system(at))
                    slices.append(self._slices(part))
            known[name] = self._weigh(torch.cat(squares), torch.cat(slices))
            if held is not None:
                held[name] = processes.joined(known[name], group.n_all)
        return known

    def residuals(self) -> Iterator[Tensor]:
        """r [n_rows] in float64 with a graph, in blocks where points are many: all residuals at the
        points of this process, scaled so that the sum of |r|² over all is the loss without slope
        recovery.
        """
        scales = {id(group): self.row_scales(group) for group in self.groups}
        for piece in self._pieces(0, None):
            constants = self.constants.values()
            rows = [torch.zeros(0, dtype=torch.float64, device=self.network.device)]
            for group, part, fields in self._evaluated(piece):
                own = group.own_places(part)
                by_term = group.residuals_at(part, fields, constants, self.backend)
                for name, residuals in by_term.items():
                    rows += [scales[id(group)][name][own] * one for one in residuals]
            yield torch.cat(rows)

    def row_scales(self, group: TermGroup) -> dict[str, Tensor]:
        """What multiplies the residuals of each term of a group in r, [n_residuals] in float64:
        roots of all weights, those of points as they are held.
        """
        squares = torch.ones(group.n_residuals, dtype=torch.float64, device=self.network.device)
        squares /= group.n_all
        held = (self.held_weights or {}).get(group.terms[0].name)
        if group.row_weights is not None:
            squares = squares * group.row_weights
        if held is not None:
            squares = squares * held[group.own]
        return {term.name: (self.weight_of[term.name] * squares).sqrt() for term in group.terms}

    def _batches(self, iteration: int, size: int | None) -> list[Piece]:
        if size is None:
            return [(group, group.whole) for group in self.groups]
        random = random_stream(self.seed, "batch", str(iteration))
        return [(group, group.batch(size, random)) for group in self.groups]

    @staticmethod
    def _evaluated(
        batches: Sequence[Piece],
    ) -> Iterator[tuple[TermGroup, Batch, Mapping[Field, Tensor]]]:
        """Groups and their points with what the network gives there."""
        here = [(group, part) for group, part in batches if len(part)]
        evaluated = evaluate_together([(group.engine, part.prepared) for group, part in here])
        for (group, part), fields in zip(here, evaluated, strict=True):
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
        if not self._weighs_points or not self._is_of_equations(group):
            return None
        weights = self._weigh(self._of_system(squares), self._slices(batch))
        if held is not None:
            held[name] = weights
        return weights

    def _weigh(self, squares: Tensor, slices: Tensor) -> Tensor:
        """The weights of points [n] of this process, by the squares there and the slices."""
        weigh_points = BALANCES[self.balance.method].weigh_points
        assert weigh_points is not None  # noqa: S101 - asked before
        return weigh_points(squares, slices, self.balance, processes.total)

    def _slices(self, batch: Batch) -> Tensor:
        """The slice of time that each point is in, counted from where the problem begins."""
        axis = self.problem.domain.time_axis
        assert axis is not None  # noqa: S101 - asked before
        start, end = self.problem.domain.lower[axis], self.problem.domain.upper[axis]
        if self.runs_back:
            start, end = end, start
        part = (batch.points[:, axis] - start) / (end - start)
        return (part * self.balance.slices).long().clamp(0, self.balance.slices - 1)

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
        moment = BalanceState(
            settings=self.balance,
            blocks=self._balance_blocks(iteration, batch),
            sizes={
                term.name: (
                    len(group.lowered.residuals[term.name]),
                    min(batch or group.n_all, group.n_all),
                )
                for group in self.groups
                for term in group.terms
            },
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

    def _balance_blocks(
        self, iteration: int, batch: int | None
    ) -> Callable[[], Iterable[dict[str, TermRows]]]:
        """Gives the residuals of all terms; they are computed once where they are few."""
        nothing = TermRows(self.weights.new_zeros(0), slice(0, 0))

        def blocks() -> Iterator[dict[str, TermRows]]:
            for piece in self._pieces(iteration, batch):
                rows, constants = dict.fromkeys(self.terms, nothing), self.constants.values()
                for group, part, fields in self._evaluated(piece):
                    of_group = group.scaled_residuals(part, fields, constants, self.backend)
                    rows |= {name: TermRows(r, part.places) for name, r in of_group.items()}
                yield rows

        if batch is None and any(group.is_large for group in self.groups):
            return blocks
        kept = list(blocks())
        return lambda: kept

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
        own = points[processes.share(len(points))]
        blocks = np.array_split(own, max(1, math.ceil(len(own) / _POINTS_AT_A_TIME)))
        sizes = []
        with torch.no_grad():
            constants = self.constants.values()
            for block in blocks:
                group = self._group(equations, PointSet(points=block), divided=False)
                ((_, part, fields),) = self._evaluated([(group, group.whole)])
                squares = self._of_system(group.squares_at(part, fields, constants, self.backend))
                sizes.append(squares.detach().sqrt())
        return processes.joined(torch.cat(sizes), len(points)).cpu().numpy().astype(np.float64)

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
        means = dict.fromkeys(points, 0.0)
        with torch.no_grad():
            constants = self.constants.values()
            for group in self._groups([self.terms[name] for name in points], points):
                for block in group.pieces():
                    for _, part, fields in self._evaluated([(group, block)]):
                        squares = group.squares_at(part, fields, constants, self.backend)
                        share = None if len(part) == part.n_all else len(part) / part.n_all
                        for name, of_term in squares.items():
                            means[name] += float(_mean(of_term, share))
        whole = processes.total(torch.tensor(list(means.values()), dtype=torch.float64))
        return dict(zip(means, whole.tolist(), strict=True))


def gradient(total: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """That of a scalar by parameter, 0 where it does not depend on one; frees the graph."""
    if not total.requires_grad:
        return tuple(map(torch.zeros_like, parameters))
    return torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)


def _within(dtype: torch.dtype, number: float) -> float:
    """The number, or the infinity that a type makes of it, which torch refuses to fill in."""
    is_held = abs(number) <= torch.finfo(dtype).max
    return number if is_held else math.copysign(math.inf, number)


def _mean(squares: Sequence[Tensor], share: float | None) -> Tensor:
    """The mean over points of the sum of squares, times the fraction that they are of all."""
    first, *rest = [square.mean() for square in squares]
    mean = sum(rest, start=first)
    return mean if share is None else mean * share
