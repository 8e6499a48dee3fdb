"""How the weights of the loss terms adapt while training: each method a row of a table.

The weight of a term is the one of the spec times a factor that starts at 1; slope recovery keeps
its own. Gradients are those with respect to the parameters of the network, slopes included, learned
constants not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from laaf_cli import processes
from laaf_cli.spec import BalanceSpec
from laaf_cli.spec.models import NO_BALANCE

N_PROBES = 10
"""Random vectors of Hutchinson's estimator.

For Burgers the factors scatter by 15 to 50 % about their mean, which the moving average lessens.
"""

EQUATIONS = "equations"
"""All of them with the weights of the spec, as if they were one term."""

MAX_FACTOR = 1e6
"""Bound of a factor: in float32, a term of this weight leaves no digits to the others."""


@dataclass(frozen=True)
class TermRows:
    """Residuals of a term at some of the places of this process."""

    residuals: Tensor
    """[n_residuals × n_places] with a graph, scaled so that the term is the sum of their squares at
    all places of all processes.
    """
    places: Tensor | slice
    """Which of the places of all processes these are."""


Block = Mapping[str, TermRows]
"""By term, all of them."""


@dataclass(frozen=True, kw_only=True)
class BalanceState:
    """The state that an update starts from."""

    settings: BalanceSpec
    blocks: Callable[[], Iterable[Block]]
    """Gives the residuals of this process, in blocks where they are many."""
    sizes: Mapping[str, tuple[int, int]]
    """By term, how many residuals it has at a place, and the places of all processes."""
    equations: frozenset[str]
    """Which terms are equations."""
    weights: Mapping[str, float]
    """The weights of the spec, by term."""
    factors: Mapping[str, float]
    """The factors so far, by term."""
    parameters: Sequence[Tensor]
    """The parameters of the network."""
    steps: int
    """Iterations since the last update."""
    learning_rate: float
    """The learning rate of the present iteration."""
    random: np.random.Generator

    def gradients(self, values: Callable[[Block], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """The gradients [n_parameters] of sums over all residuals of all processes, by name.

        Args:
            values: what a block adds to each sum, scalars.
        """
        sums: dict[str, Tensor] = {}
        for block in self.blocks():
            for name, value in values(block).items():
                own = self._gradient(value)
                sums[name] = sums[name] + own if name in sums else own
        return dict(zip(sums, processes.total(torch.stack(list(sums.values()))), strict=True))

    def _gradient(self, value: Tensor) -> Tensor:
        """That of a scalar in one vector; a parameter that it does not depend on has 0."""
        if not value.requires_grad:
            return torch.cat(
                [torch.zeros_like(parameter).flatten() for parameter in self.parameters]
            )
        parts = torch.autograd.grad(
            value, self.parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return torch.cat([part.flatten() for part in parts])

    def signs(self, name: str) -> Tensor:
        """±1 at random for each residual of a term at all places [n_residuals, n_all], the same
        however many processes there are.
        """
        signs = torch.from_numpy(self.random.choice([-1.0, 1.0], math.prod(self.sizes[name])))
        return signs.view(self.sizes[name])


Update = Callable[[BalanceState], dict[str, float]]
"""A moment → the factors from then on, of the terms whose factors change."""


def lr_annealing(moment: BalanceState) -> dict[str, float]:
    """λ̂_i = max |∇L_r| / mean |∇L_i| for conditions and data (Wang, Teng & Perdikaris 2021,
    algorithm 1).

    L_r: the equations with the weights of the spec. L_i: a term without weights; with λ_i L_i in
    its place, λ would settle at the root of the ratio.
    """

    def values(block: Block) -> dict[str, Tensor]:
        terms = _terms(block)
        own = [moment.weights[name] * terms.pop(name) for name in block if name in moment.equations]
        return {EQUATIONS: torch.stack(own).sum(), **terms}

    gradients = moment.gradients(values)
    largest = float(gradients.pop(EQUATIONS).abs().max())
    targets = {
        name: _ratio(largest, float(slopes.abs().mean())) for name, slopes in gradients.items()
    }
    return _averaged(moment, targets)


def grad_norm(moment: BalanceState) -> dict[str, float]:
    """λ̂_i = Σ_j ‖∇L_j‖ / ‖∇L_i‖ over all terms (Wang, Sankaran, Wang & Perdikaris 2023,
    algorithm 1).
    """
    norms = {name: float(slopes.norm()) for name, slopes in moment.gradients(_terms).items()}
    total = sum(norms.values())
    return _averaged(moment, {name: _ratio(total, norm) for name, norm in norms.items()})


def ntk(moment: BalanceState) -> dict[str, float]:
    """λ̂_i = tr K / tr K_i, tr K = Σ_j tr K_j (Wang, Yu & Perdikaris 2022, algorithm 1)."""
    traces = kernel_traces(moment)
    total = sum(traces.values())
    return _averaged(moment, {name: _ratio(total, trace) for name, trace in traces.items()})


def kernel_traces(moment: BalanceState) -> dict[str, float]:
    """tr K_i = tr J Jᵀ of the residuals of each term, J their Jacobian [n, n_parameters].

    By Hutchinson's estimator E‖Jᵀv‖² with v = ±1 (Hutchinson 1990), one backward pass per vector.
    The residuals are scaled as in a mean of squares, so that K does not grow with the number of
    points.
    """

    def trace(name: str) -> float:
        signs = moment.signs(name)

        def values(block: Block) -> dict[str, Tensor]:
            rows = block[name]
            return {name: signs[:, rows.places].flatten().to(rows.residuals) @ rows.residuals}

        return float(moment.gradients(values)[name].square().sum())

    return {name: sum(trace(name) for _ in range(N_PROBES)) / N_PROBES for name in moment.sizes}


def self_adaptive(moment: BalanceState) -> dict[str, float]:
    """λ_i ← λ_i + η W_i L_i: gradient ascent of the loss in the factors, with the learning rate of
    the phase.

    McClenny & Braga-Neto 2023, with one factor for a term instead of one for each point, and plain
    steps. An update makes the steps of all iterations since the last one, as if L_i had not
    changed; `every: 1` is the paper's.
    """
    factors = {}
    own = [torch.stack(list(_terms(block).values())).detach() for block in moment.blocks()]
    terms = dict(zip(moment.sizes, processes.total(sum(own[1:], own[0])).tolist(), strict=True))
    for name, term in terms.items():
        rise = moment.steps * moment.learning_rate * moment.weights[name] * term
        if math.isfinite(rise):
            factors[name] = min(moment.factors[name] + rise, MAX_FACTOR)
    return factors


def causal_weights(
    squares: Tensor,
    slices: Tensor,
    settings: BalanceSpec,
    total: Callable[[Tensor], Tensor] = lambda own: own,
) -> Tensor:
    """w_i = exp(−ε Σ_{k<i} L_k) of the slice i that each point is in (Wang, Sankaran & Perdikaris
    2024).

    Args:
        squares: of the residual at each point [n], summed over equations; L_k is their mean in
            slice k, 0 where that has no points.
        slices: that of each point [n], counted along time.
        total: sums over all processes.

    Returns:
        The weights [n], without a graph.
    """
    with torch.no_grad():
        sums = squares.new_zeros(settings.slices).index_add_(0, slices, squares)
        # Not `bincount`, which waits for the device and so cannot be captured in a CUDA graph.
        counts = slices.new_zeros(settings.slices).index_add_(0, slices, torch.ones_like(slices))
        means = total(sums) / total(counts).clamp(min=1)
        before = torch.cat([torch.zeros_like(means[:1]), means.cumsum(0)[:-1]])
        return torch.exp(-settings.epsilon * before)[slices]


def _terms(block: Block) -> dict[str, Tensor]:
    return {name: rows.residuals.square().sum() for name, rows in block.items()}


def _ratio(above: float, below: float) -> float:
    """NaN where it says nothing about a weight."""
    return above / below if below > 0 and 0 < above < math.inf else math.nan


def _averaged(moment: BalanceState, targets: Mapping[str, float]) -> dict[str, float]:
    """λ ← m λ + (1 − m) λ̂; where a gradient vanishes or is not finite, λ stays."""
    m = moment.settings.momentum
    return {
        name: m * moment.factors[name] + (1 - m) * min(target, MAX_FACTOR)
        for name, target in targets.items()
        if math.isfinite(target)
    }


@dataclass(frozen=True, kw_only=True)
class BalanceMethod:
    """A row of the table."""

    update: Update | None = None
    """Updates the factors every so many iterations; None where they stay 1."""
    weigh_points: Callable[..., Tensor] | None = None
    """Weighs the points of the equations at every evaluation; None where their weights are 1."""
    keys: tuple[str, ...] = ()
    """The keys of the spec that the method takes."""
    meaning: str
    source: str
    needs_time: bool = False
    needs_equations: bool = False


_AVERAGED = ("every", "momentum")

BALANCES: dict[str, BalanceMethod] = {
    NO_BALANCE: BalanceMethod(
        meaning="the weights of the spec, unchanged", source="Jagtap et al. 2019, eq. 3"
    ),
    "lr-annealing": BalanceMethod(
        update=lr_annealing,
        keys=_AVERAGED,
        meaning="conditions and data get the largest gradient of the equations over their own "
        "mean one",
        source="Wang, Teng & Perdikaris 2021, SIAM Journal on Scientific Computing 43, A3055",
        needs_equations=True,
    ),
    "grad-norm": BalanceMethod(
        update=grad_norm,
        keys=_AVERAGED,
        meaning="all terms get gradients of one norm",
        source="Wang, Sankaran, Wang & Perdikaris 2023, arXiv 2308.08468",
    ),
    "ntk": BalanceMethod(
        update=ntk,
        keys=_AVERAGED,
        meaning="all terms get neural tangent kernels of one trace, and so fall at one rate",
        source="Wang, Yu & Perdikaris 2022, Journal of Computational Physics 449, 110768",
    ),
    "self-adaptive": BalanceMethod(
        update=self_adaptive,
        keys=("every",),
        meaning="the weight of each term rises as long as the term is not zero",
        source="McClenny & Braga-Neto 2023, Journal of Computational Physics 474, 111722",
    ),
    "causal": BalanceMethod(
        weigh_points=causal_weights,
        keys=("epsilon", "slices"),
        meaning="the equations at later times count once those at earlier times are met; the other "
        "way round where conditions are given at the end",
        source=(
            "Wang, Sankaran & Perdikaris 2024, Computer Methods in Applied Mechanics and "
            "Engineering 421, 116813"
        ),
        needs_time=True,
        needs_equations=True,
    ),
}
"""Cost of an update, for Burgers with 10,000 points: that of one iteration for `lr-annealing` and
`grad-norm` (a pass forward, one backward for each term), of six for `ntk` (N_PROBES backward for
each), of half a one for `self-adaptive`. So `every: 1` doubles the time of a training, or more.
`causal` costs next to nothing.
"""
