"""Gauss-Newton for the output layer: linear least squares, again where residuals are nonlinear."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from laaf_cli import processes
from laaf_cli.arrays import Array
from laaf_cli.training.least_squares.system import (
    NEGLIGIBLE,
    TINY,
    Equation,
    LinearisedResidual,
    OutputLayerState,
    System,
)
from laaf_cli.training.least_squares.triangle import FINEST, Triangle

TRIALS = (
    (FINEST, 1.0),
    (1e-13, 1.0),
    (1e-10, 1.0),
    (1e-7, 1.0),
    (1e-5, 1.0),
    (1e-7, 0.3),
    (1e-5, 0.3),
    (1e-4, 0.1),
    (1e-4, 0.01),
)
"""Damping and fraction of a step, in turn, where the one before is refused."""

ACCEPTED, STALLED, SLOW, MAX_SLOW = 0.3, 0.97, 0.8, 3
"""The fraction of a step by which the norm must fall to end the trials; of the norm, what is no
progress, and what is slow; how many slow steps are taken one after another.
"""

PREFERENCE, STILL, ROUGH = 1e4, 3e-3, 1e-8
"""Of the first guess: how much a constant is preferred to other columns, the weight of changes in
time, and its damping.
"""

NOISE = 1e-14
"""The fraction of the largest output below which another is zero."""

ROUNDS = 10

Residuals = Sequence[tuple[int, Equation, LinearisedResidual]]


class GaussNewton:
    """Steps of one system; rows are divided by the sizes of their terms, columns by the outputs'.

    Attributes:
        steps: those taken so far.
        n_slow: the slow ones among them since the last one that was not.

    Args:
        has_steep: whether some neurons are far steeper than others.
        is_near: whether the state is near a solution.
    """

    def __init__(
        self, system: System, state: OutputLayerState, *, has_steep: bool, is_near: bool = False
    ) -> None:
        self.system, self.has_steep, self.is_near = system, has_steep, is_near
        self.steps = self.n_slow = 0
        self.put(state)

    def put(self, state: OutputLayerState) -> None:
        """Goes to a state."""
        self.state = state
        sizes, is_zero = _sizes(self.system, state)
        columns = state.layer.new_tensor(sizes.repeat(self.system.n_columns))
        self.scales = torch.cat([columns, state.layer.new_ones(len(state.free))])
        if self.steps:
            named = zip(self.system.outputs, sizes, is_zero, strict=True)
            self.system.of_zero = {name: float(size) for name, size, zero in named if zero}

    def step(self, goal: float, enough: float) -> bool:
        """One step; False where no further step is possible or worth it.

        Args:
            goal: the norm of relative residuals below which slow progress ends it.
            enough: the norm at which no further step is taken.
        """
        residuals = self.system.linearised(self.state)
        # Before the first there is no solution whose terms could have a size.
        sizes = [at.size for *_, at in residuals]
        if not self.steps and not self.is_near:
            sizes = _row_norms(self.system, residuals, self.scales)
        now = _norm(
            self.system, [(i, equation, at.residual) for i, equation, at in residuals], sizes
        )
        if not math.isfinite(now) or (self.steps and now < enough):
            return False
        # Factorised once: every damping is a small QR of R and a multiple of the identity.
        triangle = _factorised(self.system, residuals, sizes, self.scales)
        best: tuple[float, OutputLayerState] | None = None
        solved: dict[float, Tensor] = {}
        for used, share in TRIALS:
            if used not in solved:
                solved[used] = triangle.solve(used, equal=self.has_steep)
            state = self.state.moved(share * solved[used], self.scales)
            after = _norm(self.system, self.system.residuals(state), sizes)
            if after < now and (best is None or after < best[0]):
                best = after, state
            if after < now * (1 - ACCEPTED * share):
                break
            if self.steps and share == 1 and 0.7 * now <= after <= 1.5 * now:
                break  # a whole step changes nothing any more
        if best is None:
            return False
        self.n_slow = self.n_slow + 1 if best[0] > SLOW * now else 0
        is_over = self.n_slow > MAX_SLOW or (best[0] > STALLED * now and used <= FINEST)
        if self.steps and is_over:
            return False
        if self.steps and best[0] > ACCEPTED * now and best[0] < goal:
            return False
        self.put(best[1])
        self.steps += 1
        return True


def first_guess(system: System, state: OutputLayerState) -> OutputLayerState:
    """The smallest functions that meet conditions and data roughly, constants rather than anything
    else, and as constant in time as these allow.

    Args:
        state: one in which all outputs are zero.
    """
    # Those that divide by an unknown have no value so far.
    residuals = [
        residual
        for residual in system.linearised(state, ("condition", "data"))
        if math.isfinite(residual[2].size)
    ]
    if not residuals:
        return state
    m, k = system.n_columns, len(system.outputs)
    n = m * k + len(state.free)
    easy = state.layer.new_ones(n)
    sizes = _row_norms(system, residuals, easy)
    # A column that is scaled up needs a smaller coefficient, which the damping hardly feels.
    easy[m - 1 : m * k : m] = PREFERENCE
    triangle = _factorised(system, residuals, sizes, easy)
    domain = system.domain
    if domain.time_axis is not None and domain.dimension > 1:
        rate = system.inside(tuple(int(a == domain.time_axis) for a in range(domain.dimension)))
        length = 2 * system.half_range[domain.time_axis]
        rate = rate * (STILL * length / math.sqrt(len(rate)) / sorted(sizes)[len(sizes) // 2])
        for i in range(k):
            rows = rate.new_zeros(len(rate), n)
            rows[:, i * m : (i + 1) * m] = rate
            triangle.add(rows * easy, rate.new_zeros(len(rate)))
    moved = state.moved(triangle.solve(ROUGH), easy)
    asked = _asked(residuals)
    is_there = state.layer.new_tensor([name in asked for name in system.outputs])
    return OutputLayerState(layer=moved.layer * is_there[:, None], free=state.free)


def _asked(residuals: Residuals) -> set[str]:
    """The outputs that zero does not do for: others have rounding for an answer."""
    asked = {
        field.unknown
        for *_, at in residuals
        if bool(processes.total(at.residual.count_nonzero()))
        for field in at.by_field
    }
    while True:
        joined = {
            field.unknown
            for *_, at in residuals
            if any(field.unknown in asked for field in at.by_field)
            for field in at.by_field
        }
        if joined <= asked:
            return asked
        asked |= joined


def _factorised(
    system: System, residuals: Residuals, sizes: Sequence[float], scales: Tensor
) -> Triangle:
    triangle = Triangle(len(scales))
    for (i, equation, at), size in zip(residuals, sizes, strict=True):
        factors = system.factors(i, equation, len(at.residual)) / size
        for rows, jacobian in system.jacobian(i, at):
            here = factors[rows]
            triangle.add(here[:, None] * jacobian * scales, -here * at.residual[rows])
    triangle.join()
    return triangle


def _norm(
    system: System, residuals: Sequence[tuple[int, Equation, Tensor]], sizes: Sequence[float]
) -> float:
    squares = [
        (system.factors(i, equation, len(values)) / size * values).square().sum()
        for (i, equation, values), size in zip(residuals, sizes, strict=True)
    ]
    return math.sqrt(sum(processes.total(torch.stack(squares)).tolist()))


def _row_norms(system: System, residuals: Residuals, scales: Tensor) -> list[float]:
    """The root mean square of the rows of each Jacobian, at the first of its points."""
    norms = []
    for i, _, at in residuals:
        ((_, jacobian),) = system.jacobian(i, at, [next(system.sites[i].blocks())])
        n_rows = int(processes.total(torch.tensor(len(jacobian))))
        norm = processes.norm(jacobian * scales) / math.sqrt(n_rows)
        norms.append(max(norm, TINY))
    return norms


def _sizes(system: System, state: OutputLayerState) -> tuple[Array, NDArray[np.bool_]]:
    """The size of each output over the domain, and which of them are zero beside the others: these
    are given what makes their part of every residual as large as the rest.
    """
    sizes = np.array([float(system.values(state, name).abs().max()) for name in system.outputs])
    is_zero = sizes <= NOISE * sizes.max()
    if len(sizes) > 1 and not is_zero.all():
        norms = np.nan_to_num(system.block_norms(state), nan=0.0, posinf=0.0)
        scaled = norms * sizes
        rest = np.sqrt(np.square(scaled) @ (1 - np.eye(len(sizes))))
        with np.errstate(divide="ignore", invalid="ignore"):
            balancing = np.where((norms > 0) & (rest > 0), rest / norms, np.inf).min(0)
        is_zero |= np.isfinite(balancing) & (sizes < NEGLIGIBLE * balancing)
    sizes[is_zero] = 1.0
    if is_zero.any():
        norms = np.nan_to_num(system.block_norms(state), nan=0.0, posinf=0.0)
        others = 1 - np.eye(len(sizes))
        for _ in range(ROUNDS):
            scaled = norms * sizes
            rest = np.sqrt(scaled**2 @ others)
            is_shared = (scaled > 0) & (rest > 0)
            ratios = np.log(rest, where=is_shared, out=np.zeros_like(scaled))
            ratios -= np.log(scaled, where=is_shared, out=np.zeros_like(scaled))
            mean = ratios.sum(0) / np.maximum(is_shared.sum(0), 1)
            # Half of it, because the rest may be of outputs that move as well.
            sizes[is_zero] *= np.exp(mean / 2)[is_zero]
    return sizes, is_zero
