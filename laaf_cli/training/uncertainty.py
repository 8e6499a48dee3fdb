"""What noise in the data leaves open of learned constants: 95 % intervals from the Jacobian at the
solution.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from laaf_cli.arrays import Array
from laaf_cli.training.constants import LearnedConstants
from laaf_cli.training.jacobian import Jacobian, ResidualKey
from laaf_cli.training.least_squares.triangle import Triangle
from laaf_cli.training.objective import Objective

CONFIDENCE = 0.95

MAX_PARAMETERS = 3_000
"""The most of a network whose Jacobian is factorised."""

STIFFNESS = 1e4
"""What a residual without noise weighs beside an observed one, both divided by the size of their
gradients.
"""

RIDGE = 1e-12
"""The rank cut-off: what a parameter has to change at least, as a fraction of the size of all
rows.
"""

WIDEST, MOST_OF_BOUNDS = 3.0, 0.9
"""An interval says nothing where it reaches further than so many times the constant or its start,
or over so much of what its bounds leave.
"""

DOUBT = 0.1
"""The fraction of the way from a constant to the middle of its interval by which this is widened:
so much of a step that is linear may be wrong.
"""

LEAST_SINGULAR = 1e-12
"""Below it columns of S, divided by their sizes, count as one."""

N_WEIGHTINGS = 3
"""How often observed unknowns are weighed again by the noise that is left in each."""

NOT_DETERMINED = "not determined by the data"


@dataclass(frozen=True)
class Interval:
    """The 95 % interval of a learned constant; without one both ends are NaN, and `why_not` says
    why.
    """

    lower: float = math.nan
    upper: float = math.nan
    why_not: str = ""


def intervals(objective: Objective, noise: float) -> dict[str, Interval]:
    """Those of the learned constants, at the end of a training.

    Noise is in observed values alone; residuals of equations and conditions are errors of the
    model. So the network follows the constants k in such a way that these residuals stay as they
    are: dθ/dk solves least squares in which they weigh STIFFNESS, whatever the weights of terms.
    The observed residuals e are then those of a regression on k with S = ∂e/∂k + ∂e/∂θ dθ/dk, whose
    interval is k − (SᵀS)⁻¹Sᵀe ± t σ √diag (SᵀS)⁻¹ (Bates & Watts 1988, "Nonlinear regression
    analysis and its applications", section 2.3). Its middle is where a training would end in which
    the equations hold exactly. It is taken in the free parameter, and so stays within bounds.

    Args:
        noise: standard deviation of that in observed values, as a fraction of theirs; 0 takes it
            from the residuals.
    """
    constants = objective.constants
    jacobian = Jacobian(_in_float64(objective))
    observed = {name for name, term in objective.terms.items() if term.region.is_observed}
    why_not = ""
    if not observed:
        why_not = "none without observed values"
    elif jacobian.n_network > MAX_PARAMETERS:
        why_not = f"none for a network of more than {MAX_PARAMETERS:,} parameters"
    else:
        rows = _eliminated(jacobian, observed)
        if not rows:
            why_not = NOT_DETERMINED
        elif sum(map(len, rows.values())) <= len(constants.free):
            why_not = "none from as few observed values as constants"
        elif not all(np.isfinite(matrix).all() for matrix in rows.values()):
            why_not = "none where the Jacobian is not finite"
    if why_not:
        return dict.fromkeys(constants.free, Interval(why_not=why_not))
    shifts, widths = _regression(rows, _deviations(jacobian.objective, rows, noise))
    return {
        name: _interval(constants, name, float(shift), float(width + DOUBT * abs(shift)))
        for name, shift, width in zip(constants.free, shifts, widths, strict=True)
    }


def _in_float64(objective: Objective) -> Objective:
    """The same at the same place, without weights that adapt."""
    twin = Objective(
        objective.problem,
        objective.points,
        copy.deepcopy(objective.network).double(),
        objective.make_engine,
        None,
        objective.seed,
        divided=False,
    )
    with torch.no_grad():
        for name, free in objective.constants.free.items():
            twin.constants.free[name].copy_(free)
    return twin


def _eliminated(jacobian: Jacobian, observed: Set[str]) -> dict[ResidualKey, Array]:
    """S and e [n_rows, p + 1] of each part of the observed residuals, the network eliminated.

    By a QR factorisation block by block, for JᵀJ would lose half of the digits.
    """
    n = jacobian.n_network
    n_rows: Counter[ResidualKey] = Counter()
    squares: dict[ResidualKey, float] = {}
    for block in jacobian.blocks():
        n_rows[block.part] += len(block.residuals)
        so_far = squares.get(block.part, 0.0)
        squares[block.part] = so_far + float(block.jacobian.square().sum())
    scales = {
        part: (1.0 if part.term in observed else STIFFNESS) * math.sqrt(n_rows[part] / square)
        for part, square in squares.items()
        if square > 0
    }
    if not math.isfinite(sum(squares.values())):
        return {part: np.full((n_rows[part], 1), math.nan) for part in squares}
    size = math.sqrt(sum(scale**2 * squares[part] for part, scale in scales.items()))
    triangle = Triangle(jacobian.n, 2 * n)
    ridge = torch.eye(n, jacobian.n, dtype=torch.float64, device=jacobian.device)
    triangle.add(RIDGE * size * ridge, ridge.new_zeros(n))
    for block in jacobian.blocks():
        if block.part in scales:
            scale = scales[block.part]
            triangle.add(scale * block.jacobian, scale * block.residuals)
    factor = triangle.factor()
    following = torch.linalg.solve_triangular(factor[:n, :n], factor[:n, n:], upper=True)
    pieces: dict[ResidualKey, list[Tensor]] = {}
    for block in jacobian.blocks():
        if block.part in scales and block.part.term in observed:
            of_constants = torch.cat([block.jacobian[:, n:], block.residuals[:, None]], dim=1)
            left = of_constants - block.jacobian[:, :n] @ following
            pieces.setdefault(block.part, []).append(left)
    return {part: torch.cat(blocks).cpu().numpy() for part, blocks in pieces.items()}


def _deviations(
    objective: Objective, rows: Mapping[ResidualKey, Array], noise: float
) -> dict[ResidualKey, float] | None:
    """Standard deviations of the noise in e that the spec states, by part; None where it states
    none.
    """
    if not noise:
        return None
    deviations = {}
    for part in rows:
        (group,) = (
            candidate for candidate in objective.groups if part.term in candidate.lowered.residuals
        )
        values = [*objective.points[part.term].symbols.values()][part.number]
        clean = float(np.std(values)) / math.hypot(1, noise)  # as it was without the noise
        deviations[part] = noise * clean * float(objective.row_scales(group)[part.term].mean())
    return deviations


def _regression(
    rows: Mapping[ResidualKey, Array], deviations: Mapping[ResidualKey, float] | None
) -> tuple[Array, Array]:
    """The shifts of the free parameters to the middle of their intervals, and half the widths."""
    n_rows, n = sum(map(len, rows.values())), next(iter(rows.values())).shape[1] - 1
    known = deviations is not None
    share = (1 + CONFIDENCE) / 2
    quantile = ndtri(share) if known else stdtrit(n_rows - n, share)
    if deviations is None:
        deviations = {part: _root_mean_square(matrix[:, n]) for part, matrix in rows.items()}
    for _ in range(1 if known else N_WEIGHTINGS):
        whitened = np.concatenate([matrix / deviations[part] for part, matrix in rows.items()])
        sizes = np.linalg.norm(whitened[:, :n], axis=0)
        if not np.isfinite(sizes).all():
            return np.zeros(n), np.full(n, math.inf)
        sizes[sizes == 0] = 1
        u, s, vt = np.linalg.svd(whitened[:, :n] / sizes, full_matrices=False)
        inverse = vt.T / np.maximum(s, LEAST_SINGULAR)
        shifts = -(inverse @ (u.T @ whitened[:, n])) / sizes
        if not known:
            free = math.sqrt(n_rows / (n_rows - n))
            deviations = {
                part: free * _root_mean_square(matrix[:, n] + matrix[:, :n] @ shifts)
                for part, matrix in rows.items()
            }
    return shifts, quantile * np.linalg.norm(inverse, axis=1) / sizes


def _root_mean_square(values: Array) -> float:
    return max(float(np.sqrt(np.mean(values**2))), np.finfo(np.float64).tiny)


def _interval(constants: LearnedConstants, name: str, shift: float, width: float) -> Interval:
    constant = constants.constants[name]
    lower, upper = sorted(constants.moved(name, shift + by) for by in (-width, width))
    size = max(abs(constants.numbers()[name]), abs(constant.start))
    widest = min(2 * WIDEST * size, MOST_OF_BOUNDS * (constant.upper - constant.lower))
    return Interval(lower, upper) if upper - lower <= widest else Interval(why_not=NOT_DETERMINED)
