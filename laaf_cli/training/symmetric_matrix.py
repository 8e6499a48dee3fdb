"""A large symmetric matrix in float64: sums of outer products are added to it, and it multiplies vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from laaf_cli.derivatives.kernel import KernelMissing, load_library

NUMBERS_OF_A_THREAD = 200_000
"""Entries of the matrix that are worth another thread."""


@dataclass(frozen=True)
class Update:
    """M → scale M + Σ_i c_i v_i v_iᵀ with vectors v [r, n] and coefficients c [r]."""

    vectors: Tensor
    coefficients: Tensor
    scale: float

    def product(self, x: Tensor, before: Tensor) -> Tensor:
        """The new M x [n], from the old one."""
        return self.scale * before + (self.coefficients * (self.vectors @ x)) @ self.vectors


class SymmetricMatrix:
    """M [n, n], the identity at first. Its work is to be read from memory, and to be written back.

    So an update waits for the next product, and both are one pass over M. On the CPU the kernel reads and writes the
    lower triangle alone.
    """

    def __init__(self, n: int, device: torch.device) -> None:
        library = load_library()
        self.kernel = None if device.type != "cpu" or isinstance(library, KernelMissing) else library
        self.entries = torch.eye(n, dtype=torch.float64, device=device)
        nothing = self.entries.new_empty
        self.none = Update(nothing(0, n), nothing(0), 1.0)
        self.waiting = self.none

    def update(self, update: Update) -> None:
        """Changes M."""
        if self.waiting is not self.none:
            self.product(update.vectors[0])
        self.waiting = update

    def product(self, x: Tensor) -> Tensor:
        """M x [n] of a vector [n]."""
        update, self.waiting = self.waiting, self.none
        if self.kernel is not None:
            return self.kernel.symmetric_update(
                self.entries,
                update.vectors.contiguous(),
                update.coefficients,
                update.scale,
                x.contiguous(),
                self._n_threads,
            )
        if update is not self.none:
            weighted = update.coefficients[:, None] * update.vectors
            self.entries.addmm_(weighted.T, update.vectors, beta=update.scale)
        return torch.mv(self.entries, x)

    @property
    def _n_threads(self) -> int:
        """Those of torch, or fewer where the matrix is small."""
        return max(1, min(torch.get_num_threads(), len(self.entries) ** 2 // NUMBERS_OF_A_THREAD))

    def reset(self) -> None:
        """M ← I."""
        self.waiting = self.none
        self.entries.zero_().fill_diagonal_(1)

    def dense(self) -> Tensor:
        """All entries [n, n]."""
        self.product(self.entries[0])
        return self.entries.tril() + self.entries.tril(-1).T

    def lower_triangle(self) -> NDArray[np.float64]:
        """Row by row, [n (n + 1)/2]."""
        rows = self.dense().cpu().numpy()
        return np.concatenate([row[: i + 1] for i, row in enumerate(rows)])
