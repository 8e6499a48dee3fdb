"""Implicit systems in time by Radau's collocation of high order, a polynomial per step.

The system is G(t, z, y) = 0, where z holds the highest time derivative of every column and y the
lower ones: a column of order p ≥ 1 is an unknown of a differential equation of that order, one of
order 0 an algebraic unknown, as the values at a wall are. On a step of length h the z at the s
nodes c_i of Radau IIA are the unknowns. With A the matrix of that method (Hairer & Wanner, Solving
Ordinary Differential Equations II, 1996, section IV.5) the q-th integral of z at the nodes is

    y_q = Σ_{m=1}^{q} (h c)^{q−m}/(q−m)! y_m(0) + h^q A^q z.

In the eigenvectors of A, Newton's method needs one matrix ∂G/∂z + hμ ∂G/∂y_1 + (hμ)² ∂G/∂y_2 + …
for each eigenvalue μ (section IV.8). The method is stable for stiff systems, and its stages, 1
among them, satisfy all algebraic equations.

Step lengths follow from the last Legendre coefficient of the polynomial, so that the polynomial
itself, and not only the end of the step, is as accurate as asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.references.evolution.radau_tableau import N_STAGES, RadauStep, Tableau, radau_tableau
from laaf_cli.references.evolution.schedule import FREE, Schedule
from laaf_cli.references.reference import UNWATCHED, Watch

MOST_ITERATIONS, SLOW_ITERATIONS = 15, 7
SMALLEST_SHARE = (
    1e-3  # of the largest unknown: what is smaller need not be as accurate for its size
)
LARGEST_GROWTH, SMALLEST_GROWTH = 4.0, 0.1
NEWTON_SHARE = 0.05  # of the tolerance is left to Newton's method
SPARSE_SIZE, SPARSE_SHARE = 120, 0.3  # of a matrix that is factorised as a sparse one
LARGEST = 1e50  # value
SHORTEST = 1e-14  # step, as a fraction of what is left
# of what the forcing makes of an unknown that is zero: less need not be accurate for its size
FORCED_SHARE = 1e-10
BEFORE = 8  # roundings before a stop, where the branch that ends there still holds
STEP_WORK = 1e6  # of an iteration besides its arithmetic, in the same units: operations
# below this fraction of the solution, an error that smaller steps do not lessen is one of rounding
ROUNDING = 1e-7


class IntegrationError(Exception):
    """The integration in time cannot continue; the text says why and where."""


class ImplicitSystem(Protocol):
    """G(t, z, y) = 0, n equations for n columns."""

    orders: NDArray[np.intp]
    """[n]: the time order p of every column."""
    parts: Sequence[slice[int, int, Any]]
    """The columns of each unknown."""

    def residual(self, times: Array, levels: Array) -> Array:
        """G [n, s] at times [s], for z and its integrals, levels [1 + the highest order, n, s]."""

    def jacobian(self, time: float, levels: Array) -> list[Array]:
        """∂G/∂level, [n, n] each, by how often the level is integrated; levels [1 + the highest
        order, n].
        """


class Integrator:
    """The system between two steps.

    Attributes:
        time: where the next step begins.
        state: [1 + the highest order, n], the integrals of z then, where the first, z itself, is
            only a guess.
        length: of the step to try next.
        work: what all steps took, in operations, the same on any machine.
    """

    def __init__(
        self,
        system: ImplicitSystem,
        state: Array,
        start: float,
        end: float,
        tolerance: float,
        length: float,
        n_stages: int = N_STAGES,
        schedule: Schedule = FREE,
    ) -> None:
        """A system at the time `start`.

        Args:
            tolerance: of the last coefficient of a step, as a fraction of the largest value of its
                unknown so far.
        """
        self.system, self.state, self.tolerance = system, state, tolerance
        self.time, self.end = start, end
        self.tableau = radau_tableau(n_stages, len(state) - 1)
        self.length = length
        self.shortest = SHORTEST * (end - start)
        self.n_stages, self.schedule = n_stages, schedule
        least = FORCED_SHARE * schedule.forcing * (end - start) ** system.orders
        self.scale = np.maximum(self._largest(self._unknowns(state[:, :, None])), least)
        self.is_first = True
        self.work = 0.0
        self.guess = np.repeat(state[0][:, None], n_stages, axis=1)
        self._factors: _NewtonFactors | None = None

    def advance(self, watch: Watch = UNWATCHED) -> RadauStep:
        """One step, as long as the tolerance allows.

        Raises:
            IntegrationError: Newton's method fails or the tolerance is not met at any step length.
            OutOfTimeError: the deadline has passed.
        """
        before = math.inf
        while True:
            watch.check()
            if self.length < self.shortest:
                raise IntegrationError(f"the steps in time become too short at t = {self.time:.6g}")
            self.length = min(self.length, self.schedule.longest_from(self.time))
            # The rest is shared by equal steps: a last short one would need matrices of its own.
            left = self._stop - self.time
            if left < 3 * self.length:
                self.length = left / math.ceil(left / self.length * (1 - 1e-9))
            levels = self._newton()
            if levels is None:
                self.length /= 3
                continue
            error = self._error(levels)
            growth = 0.85 * (self.tolerance / max(error, 1e-300)) ** (1 / (self.n_stages + 1))
            if error <= self.tolerance or (error < ROUNDING and error > before / 2):
                return self._accept(levels, growth)
            before = error
            self.length *= min(max(growth, SMALLEST_GROWTH), 0.5)

    def _accept(self, levels: Array, growth: float) -> RadauStep:
        values = self._unknowns(levels)
        start_values = self._unknowns(self.state[:, :, None])
        free = self._free
        start_values[free, 0] = values[free] @ self.tableau.at_start
        panel = RadauStep(self.time, self.length, np.concatenate([start_values, values], axis=1).T)
        stop = self._stop
        is_stop = stop - self.time - self.length < 1e-9 * self.length
        self.time = stop if is_stop else self.time + self.length
        self.state = levels[:, :, -1]
        self.scale = np.maximum(self.scale, self._largest(values))
        if not np.max(self.scale) < LARGEST:
            raise IntegrationError(f"the solution grows beyond {LARGEST:g} at t = {self.time:.6g}")
        self.guess = np.repeat(levels[0][:, -1:], self.n_stages, axis=1)
        # Conditions may jump at a stop as they do at the start.
        self.is_first = is_stop
        if not 0.9 < growth < 1.3:
            self.length *= min(growth, LARGEST_GROWTH)
        return panel

    @property
    def _stop(self) -> float:
        return self.schedule.stop_after(self.time, self.end)

    @property
    def _free(self) -> NDArray[np.bool_]:
        """The columns that need not begin where they are.

        They are the algebraic ones. In a first step, of all or after a stop, they are all: its
        state need not meet the conditions.
        """
        return (self.system.orders == 0) | self.is_first

    def _newton(self) -> Array | None:
        """The levels [1 + the highest order, n, s] of a step, or None where Newton's method does
        not converge.
        """
        before = self._stop - BEFORE * np.finfo(float).eps * max(abs(self.time), abs(self.end))
        times = np.minimum(self.time + self.length * self.tableau.nodes, before)
        known = self._known()
        if self._factors is not None and self._factors.length == self.length:
            result = self._iterate(times, known, self._factors)
            if result is not None:
                return result
        middle = self.n_stages // 2
        levels = self._levels(known, self.guess)[:, :, middle]
        with np.errstate(all="ignore"):
            jacobian = self.system.jacobian(float(times[middle]), levels)
        if not all(np.all(np.isfinite(part)) for part in jacobian):
            raise IntegrationError(f"the equations are not finite at t = {times[middle]:.6g}")
        self._factors = _NewtonFactors(jacobian, self.length, self.tableau)
        self.work += self._factors.work
        return self._iterate(times, known, self._factors)

    def _iterate(self, times: Array, known: Array, factors: _NewtonFactors) -> Array | None:
        z, before = self.guess, math.inf
        for i in range(MOST_ITERATIONS):
            levels = self._levels(known, z)
            self.work += STEP_WORK + 8 * z.shape[1] * z.shape[0] ** 2
            residual = self.system.residual(times, levels)
            if not np.all(np.isfinite(residual)):
                return None
            change = factors.solve(residual)
            z = z - change
            after = self._levels(np.zeros_like(known), change)
            scale = np.maximum(self.scale, self._largest(self._unknowns(levels)))
            size = _relative(np.max(np.abs(self._unknowns(after)), axis=1), scale)
            rate = size / before if i else 1.0
            if size <= NEWTON_SHARE * self.tolerance or (size < ROUNDING and i >= 3 and rate > 0.5):
                if i > SLOW_ITERATIONS:
                    self._factors = None
                return self._levels(known, z)
            if not np.isfinite(size) or (i >= 2 and rate > 0.9):
                return None
            before = size
        return None

    def _known(self) -> Array:
        """What the state alone contributes to the levels at the nodes."""
        known = np.zeros((*self.state.shape, self.n_stages))
        offsets = self.length * self.tableau.nodes
        for q in range(1, len(known)):
            for m in range(1, q + 1):
                known[q] += np.multiply.outer(
                    self.state[m], offsets ** (q - m) / math.factorial(q - m)
                )
        return known

    def _levels(self, known: Array, z: Array) -> Array:
        levels = known.copy()
        for q, power in enumerate(self.tableau.powers):
            levels[q] += self.length**q * (z @ power.T)
            # A column has no integrals beyond its order.
            levels[q, self.system.orders < q] = 0.0
        return levels

    def _unknowns(self, levels: Array) -> Array:
        """The unknowns themselves [n, s]: of each column the level of its order."""
        orders = self.system.orders
        return levels[orders, np.arange(len(orders))]

    def _largest(self, values: Array) -> Array:
        """The largest value [n] of the unknown that a column belongs to, and no less than a
        fraction of that of all.
        """
        largest = np.full(len(values), SMALLEST_SHARE * np.max(np.abs(values)))
        for part in self.system.parts:
            largest[part] = np.maximum(largest[part], np.max(np.abs(values[part])))
        return largest

    def _error(self, levels: Array) -> float:
        values = self._unknowns(levels)
        start = self._unknowns(self.state[:, :, None])[:, 0]
        last = start * self.tableau.last[0] + values @ self.tableau.last[1:]
        free = self._free
        last[free] = values[free] @ self.tableau.last_free
        return _relative(np.abs(last), np.maximum(self.scale, self._largest(values)))


def _relative(sizes: Array, scale: Array) -> float:
    return float(np.max(sizes / np.where(scale > 0, scale, 1.0)))


class _NewtonFactors:
    """The factorised matrices of Newton's method for one step length, one per real or pair of
    complex eigenvalues.
    """

    def __init__(self, jacobian: Sequence[Array], length: float, tableau: Tableau) -> None:
        self.length, self.tableau = length, tableau
        self.upper_half = np.flatnonzero(tableau.eigenvalues.imag >= 0)
        self.solvers: list[Callable[[NDArray[Any]], NDArray[Any]]] = []
        self.work = STEP_WORK
        for i in self.upper_half:
            eigenvalue = tableau.eigenvalues[i]
            shift = length * (eigenvalue.real if eigenvalue.imag == 0 else eigenvalue)
            matrix = sum(
                (part * shift**q for q, part in enumerate(jacobian)),
                start=np.zeros_like(jacobian[0]),
            )
            solve, width = _factorised(matrix)
            self.solvers.append(solve)
            self.work += (2 if eigenvalue.imag == 0 else 8) / 3 * width**2 * len(matrix)
            self.work += 20 * matrix.size

    def solve(self, residual: Array) -> Array:
        """The change [n, s] of z that Newton's method takes away."""
        transformed = residual @ self.tableau.inverse.T
        change = np.zeros(residual.shape)
        for i, solve in zip(self.upper_half, self.solvers, strict=True):
            is_real = self.tableau.eigenvalues[i].imag == 0
            solution = solve(transformed[:, i].real if is_real else transformed[:, i])
            pair = np.multiply.outer(solution, self.tableau.eigenvectors[:, i])
            change += pair.real if is_real else 2 * pair.real
        return change


def _factorised(matrix: NDArray[Any]) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], float]:
    """Right side [n] → solution [n], and how many columns a row meets while it is eliminated.

    Raises:
        IntegrationError: for a singular matrix.
    """
    from scipy.linalg import get_lapack_funcs
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    singular = IntegrationError("the equations and conditions do not determine the solution")
    n_entries = int(np.count_nonzero(matrix))
    if len(matrix) >= SPARSE_SIZE and n_entries < SPARSE_SHARE * matrix.size:
        try:
            return splu(csc_array(matrix)).solve, 2 * n_entries / len(matrix)
        except RuntimeError:
            raise singular from None
    lapack: Any = get_lapack_funcs(("getrf", "getrs"), (matrix,))
    factorise, solve = lapack
    factors, pivots, info = factorise(matrix, overwrite_a=True)
    if info > 0:
        raise singular
    return lambda right: solve(factors, pivots, right)[0], len(matrix)
