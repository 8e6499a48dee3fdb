"""The method Radau IIA of any number of stages, and the polynomial that it makes of a step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from laaf_cli.arrays import Array

N_STAGES = 9


@dataclass(frozen=True, kw_only=True)
class Tableau:
    """The method Radau IIA with s stages."""

    nodes: Array
    """The nodes c [s]."""
    powers: tuple[Array, ...]
    """A⁰, A¹, …, [s, s] each."""
    eigenvalues: NDArray[np.complex128]
    """The eigenvalues of A [s]."""
    eigenvectors: NDArray[np.complex128]
    """Its eigenvectors [s, s]."""
    inverse: NDArray[np.complex128]
    """The inverse of the eigenvectors [s, s]."""
    last: Array
    """[s + 1]: takes values at 0 and the nodes to the coefficient of degree s."""
    last_free: Array
    """[s]: takes values at the nodes alone to the coefficient of degree s − 1."""
    at_start: Array
    """[s]: takes values at the nodes alone to the value at 0."""


@cache
def radau_tableau(n_stages: int, highest_power: int) -> Tableau:
    """The nodes are the zeros of P_s − P_{s−1} on [0, 1]; A holds the integrals from 0 to c_i of
    Lagrange's basis.
    """
    series = np.zeros(n_stages + 1)
    series[-2:] = -1.0, 1.0
    unit = np.sort(legendre.legroots(series))
    for _ in range(3):
        unit = unit - legendre.legval(unit, series) / legendre.legval(unit, legendre.legder(series))
    unit[-1] = 1.0
    basis = legendre.legvander(unit, n_stages)
    degrees = np.arange(1, n_stages)
    integrals = np.empty((n_stages, n_stages))
    integrals[:, 0] = (1 + unit) / 2
    integrals[:, 1:] = (basis[:, 2:] - basis[:, :-2]) / (2 * (2 * degrees + 1))
    to_series = np.linalg.inv(basis[:, :-1])
    matrix = integrals @ to_series
    eigenvalues, eigenvectors = np.linalg.eig(matrix)
    powers = tuple(np.linalg.matrix_power(matrix, q) for q in range(highest_power + 1))
    with_start = np.linalg.inv(legendre.legvander(np.append(-1.0, unit), n_stages))
    signs = (-1.0) ** np.arange(n_stages)  # of Legendre's polynomials at the start
    return Tableau(
        nodes=(1 + unit) / 2,
        powers=powers,
        eigenvalues=eigenvalues,
        eigenvectors=eigenvectors,
        inverse=np.linalg.inv(eigenvectors),
        last=with_start[-1],
        last_free=to_series[-1],
        at_start=signs @ to_series,
    )


@dataclass(frozen=True)
class RadauStep:
    """One step: values [s + 1, n] of every unknown at the start and at the nodes of Radau IIA."""

    start: float
    length: float
    values: Array

    def at(self, times: Array, order: int = 0) -> Array:
        """The polynomial of the step, or a derivative of it, [n_times, n]."""
        n_stages = len(self.values) - 1
        unit = (times - self.start) / self.length
        nodes = np.append(-1.0, 2 * radau_tableau(n_stages, 1).nodes - 1)
        to_nodes = legendre.legvander(nodes, n_stages)
        derived = legendre.legder(np.eye(n_stages + 1), order, scl=2 / self.length)
        to_times = legendre.legvander(2 * unit - 1, len(derived) - 1) @ derived
        # Lagrange's basis [n_times, s + 1] over 0 and the nodes, or its derivatives
        basis: Array = np.linalg.solve(to_nodes.T, to_times.T).T
        return basis @ self.values
