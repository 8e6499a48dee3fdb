"""A large symmetric matrix in float64: sums of outer products are added to it, and it multiplies vectors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from laaf_cli.derivatives.kernel import KernelMissing, load_library

NUMBERS_OF_A_THREAD = 200_000
"""Entries of the matrix that are worth another thread."""


class SymmetricMatrix:
    """M [n, n], the identity at first. Its work is to be read from memory, and to be written back.

    On the CPU the kernel reads and writes the lower triangle alone, in one pass for an update and a product: a quarter
    of what torch moves.
    """

    def __init__(self, n: int, device: torch.device) -> None:
        library = load_library()
        self.kernel = None if device.type != "cpu" or isinstance(library, KernelMissing) else library
        self.entries = torch.eye(n, dtype=torch.float64, device=device)

    def dense(self) -> Tensor:
        """All entries [n, n]."""
        if self.kernel is None:
            return self.entries.clone()
        return self.entries.tril() + self.entries.tril(-1).T

    @property
    def n_threads(self) -> int:
        """Those of torch, or fewer where the matrix is small."""
        return max(1, min(torch.get_num_threads(), len(self.entries) ** 2 // NUMBERS_OF_A_THREAD))

    def product(self, x: Tensor) -> Tensor:
        """M x [n] of a vector [n]."""
        if self.kernel is None:
            return torch.mv(self.entries, x)
        return self.update_and_product(x.new_empty(0, len(x)), x.new_empty(0), 1.0, x)

    def update_and_product(self, vectors: Tensor, coefficients: Tensor, scale: float, x: Tensor) -> Tensor:
        """M ← scale M + Σ_i c_i v_i v_iᵀ with vectors v [r, n] and coefficients c [r]; returns the new M x [n]."""
        if self.kernel is not None:
            return self.kernel.symmetric_update(
                self.entries, vectors.contiguous(), coefficients, scale, x.contiguous(), self.n_threads
            )
        self.entries.addmm_((coefficients[:, None] * vectors).T, vectors, beta=scale)
        return self.product(x)

    def reset(self) -> None:
        """M ← I."""
        self.entries.zero_().fill_diagonal_(1)

    def lower_triangle(self) -> NDArray[np.float64]:
        """Row by row, [n (n + 1)/2]."""
        rows = self.entries.cpu().numpy()
        return np.concatenate([row[: i + 1] for i, row in enumerate(rows)])
