"""Least squares by a QR factorisation of rows that come in blocks."""

from __future__ import annotations

import torch
from torch import Tensor

from laaf_cli import processes

FINEST = 1e-15
"""The damping that counts as none: what it adds is rounding."""


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

    def add(self, rows: Tensor, right: Tensor) -> None:
        """Rows [k, n] and right sides [k]."""
        self.rows.append(torch.cat([rows, right[:, None]], 1))
        self.n_rows += len(rows)
        if self.n_rows > self.most_rows:
            self._reduce()

    def _reduce(self) -> None:
        stacked = torch.cat(self.rows)
        self.rows = []  # their memory is wanted
        if len(stacked) > self.n + 1:
            stacked = torch.linalg.qr(stacked, mode="r").R
        self.rows, self.n_rows = [stacked], len(stacked)

    def join(self) -> None:
        """Takes the rows of all processes: of two triangles one on the other, the triangle (TSQR;
        Demmel, Grigori, Hoemmen & Langou 2012, SIAM J. Sci. Comput. 34, A206).
        """
        if processes.count() == 1:
            return
        own = self.factor() if self.n_rows else torch.cat(self.rows)
        whole = own.new_zeros(self.n + 1, self.n + 1)
        whole[: len(own)] = own
        self.rows = [processes.reduced(whole, _triangle_of)]
        self.n_rows = self.n + 1

    def factor(self) -> Tensor:
        """R [k, n + 1] of all rows and right sides, k at most n + 1."""
        return torch.linalg.qr(torch.cat(self.rows), mode="r").R

    def solve(self, damping: float, *, equal: bool = False) -> Tensor:
        """argmin ‖A x − b‖² + λ²‖D x‖², λ = damping · ‖A D⁻¹‖, as [n].

        Args:
            equal: whether D holds the norms of the columns, so that the steep ones cost no more
                than the others; 1 otherwise.
        """
        self._reduce()
        stacked = self.rows[0]
        norms = stacked.new_ones(self.n)
        if equal:
            norms = stacked[:, : self.n].norm(dim=0)
            norms[norms == 0] = 1.0
            stacked = torch.cat([stacked[:, : self.n] / norms, stacked[:, self.n :]], 1)
        size = float(stacked[:, : self.n].norm()) or 1.0
        tail = (
            damping
            * size
            * torch.eye(self.n, self.n + 1, dtype=stacked.dtype, device=stacked.device)
        )
        r = torch.linalg.qr(torch.cat([stacked, tail]), mode="r").R
        solved = torch.linalg.solve_triangular(
            r[: self.n, : self.n], r[: self.n, self.n :], upper=True
        )
        return solved[:, 0] / norms


def _triangle_of(upper: Tensor, lower: Tensor) -> Tensor:
    return torch.linalg.qr(torch.cat([upper, lower]), mode="r").R


def fitted(columns: Tensor, values: Tensor) -> Tensor:
    """The output layer [k, n] whose columns [m, n] come nearest to values [m, k]."""
    rows = []
    for right in values.T:
        triangle = Triangle(columns.shape[1])
        triangle.add(columns, right)
        rows.append(triangle.solve(FINEST, equal=True))
    return torch.stack(rows)
