"""Damped Gauss-Newton for the coefficients of a discretised problem, each step by an equilibrated
QR factorisation.

There are more rows than coefficients: conditions meet in corners, faces and equations say the same
thing twice, a pressure is known up to what one point says. Least squares need no special case for
any of this, for where the problem has a smooth solution, its coefficients, cut off at the
resolution, leave residuals that fall faster than any power of it; the least-squares residual is
smaller still. One that stays large belongs to conditions that contradict each other, or to a
solution that is not smooth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.references.stationary.discretisation import Discretisation

MAX_STEPS = 40
RESTS = 1e-13
"""The relative length of a step after which there is no other."""
KEEPS_FACTORS = 1e-3
"""The relative length of a step below which the next one takes the same Jacobian."""
SINGULAR = 1e-13
"""The reciprocal condition number below which the Jacobian has a null space."""

# each halves the exponents of the scales that are still missing
_HALVINGS = 8
# sweeps over rows and columns at most, and the relative change of squares at which they end
_SWEEPS, _SWEPT = 60, 0.3
_SHORTEST = 2.0**-10


@dataclass(frozen=True, kw_only=True)
class Stationary:
    """Where the iteration came to rest."""

    coefficients: Array
    """The coefficients of all unknowns [n_coefficients]."""
    size: float
    """The size of the coefficients and of the residuals without them, in units in which every
    column and row of the Jacobian has length 1.
    """
    row_scale: Array
    """The factors [n_rows] that give the rows that length."""
    residuals: Array
    """The residuals [n_rows], not scaled."""
    residual: float
    """The length of the scaled residuals, relative to `size`."""
    reciprocal_condition: float
    """The reciprocal of the condition number of the scaled Jacobian."""
    converged: bool
    """Whether the steps became small."""

    @property
    def is_determined(self) -> bool:
        """Whether the scaled Jacobian has no null space in double precision."""
        return self.reciprocal_condition > SINGULAR


class _QrFactors:
    """The QR factorisation of a Jacobian whose rows and columns have been scaled to length 1."""

    def __init__(self, jacobian: Array, row_scale: Array | None) -> None:
        """Overwrites the Jacobian, in Fortran's order.

        Args:
            row_scale: kept where given.
        """
        from scipy.linalg import lapack

        self.row_scale, self.column_scale = _equilibrated(jacobian, row_scale)
        jacobian *= self.row_scale[:, None]
        jacobian *= self.column_scale
        self.n = jacobian.shape[1]
        # Pivots are wanted only where there is a null space; they would take three times as long.
        self.qr, self.tau, _, _ = lapack.dgeqrf(jacobian, lwork=64 * self.n, overwrite_a=True)
        self.upper = np.triu(self.qr[: self.n])
        self.reciprocal_condition = float(lapack.dtrcon(self.upper)[0])

    def step(self, residual: Array) -> Array:
        """The shortest of the least-squares solutions of J·step = −residual."""
        from scipy.linalg import lapack, lstsq, solve_triangular

        right = -(self.row_scale * residual)[:, None]
        right = lapack.dormqr("L", "T", self.qr, self.tau, right, lwork=64 * 64)[0][: self.n, 0]
        if self.reciprocal_condition > SINGULAR:
            scaled = solve_triangular(self.upper, right)
        else:
            scaled = lstsq(self.upper, right, cond=1e-11, lapack_driver="gelsy")[0]
        return np.asarray(self.column_scale * scaled)


def _equilibrated(matrix: Array, row_scale: Array | None) -> tuple[Array, Array]:
    """Factors that give every row and column length 1 (Sinkhorn & Knopp 1967 for the squares);
    zeros are left.

    The derivative of order m of the mode of degree k has the size k^m inside and k^(2m) at the
    ends, so that rows near the ends shrink and columns of high degree too: what is left has a
    condition number that hardly grows with n, as in the ultraspherical method (Olver & Townsend,
    SIAM Review 55, 2013). The sweeps take long to find scales that differ by many powers of ten,
    such as those of equations and conditions in different units; therefore they begin where the
    largest entry of every row and column is about 1 (Ruiz, RAL-TR-2001-034, 2001).
    """
    squares = matrix**2
    if row_scale is not None:
        return row_scale, np.sqrt(_reciprocal(squares.T @ row_scale**2))
    rows, columns = np.ones(len(matrix)), np.ones(matrix.shape[1])
    for _ in range(_HALVINGS):
        scaled = squares * rows[:, None] * columns
        rows *= np.sqrt(_reciprocal(scaled.max(axis=1)))
        columns *= np.sqrt(_reciprocal(scaled.max(axis=0)))
    columns = _reciprocal(squares.T @ rows)
    for _ in range(_SWEEPS):
        before = columns
        rows = _reciprocal(squares @ columns)
        columns = _reciprocal(squares.T @ rows)
        if np.all(np.abs(columns - before) <= _SWEPT * before):
            break
    return np.sqrt(rows), np.sqrt(columns)


def _reciprocal(values: Array) -> Array:
    return np.divide(1.0, values, out=np.ones_like(values), where=values > 0)


def solve(discretisation: Discretisation, start: Array, most_steps: int = MAX_STEPS) -> Stationary:
    """Least squares of the residuals by damped steps.

    Raises:
        FloatingPointError: with what and where, when a residual or its derivatives are not finite.
    """
    with np.errstate(all="ignore"):
        try:
            return _solve(discretisation, start, most_steps)
        except ValueError:  # SciPy's, of what is not finite
            raise FloatingPointError("its linear systems go beyond double precision") from None


def _solve(discretisation: Discretisation, x: Array, most_steps: int) -> Stationary:
    residual = discretisation.residual(x)
    factors = _factors(discretisation, x, residual, None)
    share, relative, before = 1.0, np.inf, np.inf
    converged = False
    for step_number in range(most_steps):
        if step_number > 0 and relative >= KEEPS_FACTORS and not discretisation.is_linear:
            factors = _factors(discretisation, x, residual, factors.row_scale)
        step = factors.step(residual)
        # Near the end steps are taken whole: the test of damping would compare rounding.
        if discretisation.is_linear or _length(step) <= 1e-7 * _length(x):
            x = x + step
            residual = discretisation.residual(x)
        else:
            share, x, residual = _damped(discretisation, x, step, factors, min(1.0, 4 * share))
        before, relative = relative, _length(step) / max(_length(x), np.finfo(float).tiny)
        # Steps that are small and shrink no more are rounding.
        converged = relative <= RESTS or (relative < 1e-9 and relative > before / 4)
        is_open = discretisation.is_linear and factors.reciprocal_condition <= SINGULAR
        if converged or is_open or share <= _SHORTEST:
            break
    # What the equations ask for where nothing answers; it need not be finite there.
    asked = np.nan_to_num(
        discretisation.residual(np.zeros_like(x)), nan=0.0, posinf=0.0, neginf=0.0
    )
    size = _length(x / factors.column_scale) + _length(factors.row_scale * asked)
    length = _length(factors.row_scale * residual) / size if size else 0.0
    return Stationary(
        coefficients=x,
        size=size,
        row_scale=factors.row_scale,
        residuals=residual,
        residual=length,
        reciprocal_condition=factors.reciprocal_condition,
        converged=converged,
    )


def _factors(
    discretisation: Discretisation, x: Array, residual: Array, row_scale: Array | None
) -> _QrFactors:
    jacobian = discretisation.jacobian(x)
    if not (np.all(np.isfinite(jacobian)) and np.all(np.isfinite(residual))):
        raise FloatingPointError(discretisation.fault(x))
    return _QrFactors(jacobian, row_scale)


def _damped(
    discretisation: Discretisation, x: Array, step: Array, factors: _QrFactors, share: float
) -> tuple[float, Array, Array]:
    """The fraction of a step after which the next would be shorter, where it leads, and the
    residual there.

    The natural monotonicity test (Deuflhard, Newton Methods for Nonlinear Problems, 2011, section
    3.3): unlike the length of the residual, that of the step does not depend on how the rows are
    scaled.
    """
    length = _length(step / factors.column_scale)
    while True:
        there = x + share * step
        residual = discretisation.residual(there)
        if np.all(np.isfinite(residual)):
            following = _length(factors.step(residual) / factors.column_scale)
            if following <= (1 - share / 4) * length:
                return share, there, residual
        if share <= _SHORTEST:
            return share, there, residual
        share /= 2


def _length(vector: Array) -> float:
    return float(np.linalg.norm(vector))
