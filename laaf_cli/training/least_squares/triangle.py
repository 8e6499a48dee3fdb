"""Least squares by a QR factorisation of rows that come in blocks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from laaf_cli import processes

FINEST = 1e-15
"""The damping that counts as none: what it adds is rounding."""

HALVED, WIDE = 2, 256
"""From how many times as many rows as columns on, and how many columns, a half of the rows is
factorised by a thread of its own.
"""

BLOCK = 128
"""Columns that are taken at a time where triangles are joined."""


class Triangle:
    """R and Qᵀb of all rows so far; the memory of most_rows, a few times n, is all it takes.

    QR and not the normal equations: columns of smooth neurons are nearly dependent, and AᵀA would
    square their condition number.
    """

    def __init__(self, n: int, most_rows: int | None = None) -> None:
        self.n = n
        # Seldom enough that the R of before adds little to the work.
        self.most_rows = 6 * n + 1000 if most_rows is None else most_rows
        self.rows: list[Tensor] = []
        self.n_rows = 0
        self.is_reduced = False

    def add(self, rows: Tensor, right: Tensor) -> None:
        """Rows [k, n] and right sides [k]."""
        self.rows.append(torch.cat([rows, right[:, None]], 1))
        self.n_rows += len(rows)
        self.is_reduced = False
        if self.n_rows > self.most_rows:
            self._reduce()

    def _reduce(self) -> None:
        if self.is_reduced:
            return
        stacked = torch.cat(self.rows)
        self.rows = []  # their memory is wanted
        stacked = _factor(stacked)
        self.rows, self.n_rows, self.is_reduced = [stacked], len(stacked), True

    def join(self) -> None:
        """Takes the rows of all processes: of two triangles one on the other, the triangle (TSQR;
        Demmel, Grigori, Hoemmen & Langou 2012, SIAM J. Sci. Comput. 34, A206).
        """
        if processes.count() == 1:
            return
        self.rows = [processes.reduced(_padded(self.factor()), _joined)]
        self.n_rows = self.n + 1

    def factor(self) -> Tensor:
        """R [k, n + 1] of all rows and right sides, k at most n + 1."""
        self._reduce()
        return self.rows[0]

    def solve(self, damping: float, *, equal: bool = False) -> Tensor:
        """argmin ‖A x − b‖² + λ²‖D x‖², λ = damping · ‖A D⁻¹‖, as [n].

        Args:
            equal: whether D holds the norms of the columns, so that the steep ones cost no more
                than the others; 1 otherwise.
        """
        n, stacked = self.n, self.factor()
        norms = stacked.new_ones(n)
        if equal:
            norms = stacked[:, :n].norm(dim=0)
            norms[norms == 0] = 1.0
            stacked = torch.cat([stacked[:, :n] / norms, stacked[:, n:]], 1)
        size = float(stacked[:, :n].norm()) or 1.0
        tail = damping * size * torch.eye(n, n + 1, dtype=stacked.dtype, device=stacked.device)
        r = _joined(_padded(stacked), _padded(tail))
        solved = torch.linalg.solve_triangular(r[:n, :n], r[:n, n:], upper=True)
        return solved[:, 0] / norms


def _factor(rows: Tensor) -> Tensor:
    """R [k, n] of rows [m, n], k the smaller of both; of many by halves, one on the other."""
    m, n = rows.shape
    if m < HALVED * n or n < WIDE or rows.device.type != "cpu":
        return torch.linalg.qr(rows, mode="r").R
    n_threads = torch.get_num_threads()

    def factor(half: Tensor) -> Tensor:
        torch.set_num_threads(n_threads)  # it is set for each thread
        return torch.linalg.qr(half, mode="r").R

    with ThreadPoolExecutor(2) as pool:
        upper, lower = pool.map(factor, rows.chunk(2))
    return _joined(upper, lower)


def _joined(upper: Tensor, lower: Tensor) -> Tensor:
    """R [n, n] of two triangles [n, n], one on the other: a fifth of the work of as many full rows,
    for what is below the diagonals stays zero (Demmel et al. 2012, section 4).
    """
    r, lower = upper.clone(), lower.clone()
    n = len(r)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        width = stop - start
        rows = torch.cat([r[start:stop, start:], lower[:stop, start:]])
        panel, tau = torch.geqrf(rows[:, :width])
        r[start:stop, start:stop] = panel[:width].triu()
        if stop < n:
            rest = torch.ormqr(panel, tau, rows[:, width:], transpose=True)
            r[start:stop, stop:], lower[:stop, stop:] = rest[:width], rest[width:]
    return r


def _padded(rows: Tensor) -> Tensor:
    """A triangle [n, n] of its first rows [k, n]."""
    n = rows.shape[1]
    return torch.cat([rows, rows.new_zeros(n - len(rows), n)])


def fitted(columns: Tensor, values: Tensor) -> Tensor:
    """The output layer [k, n] whose columns [m, n] come nearest to values [m, k]."""
    rows = []
    for right in values.T:
        triangle = Triangle(columns.shape[1])
        triangle.add(columns, right)
        rows.append(triangle.solve(FINEST, equal=True))
    return torch.stack(rows)
