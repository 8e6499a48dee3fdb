"""A large symmetric matrix in float64: sums of outer products are added to it, and it multiplies
vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from laaf_cli.derivatives.kernel import KernelMissing, load_library
from laaf_cli.training.state import Arrays, taken

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

    So an update waits for the next product, and both are one pass over M. On the CPU the kernel
    reads and writes the lower triangle alone.
    """

    def __init__(self, n: int, device: torch.device) -> None:
        library = load_library()
        self.kernel = (
            None if device.type != "cpu" or isinstance(library, KernelMissing) else library
        )
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
            # The threads of torch, or fewer where the matrix is small.
            wanted = len(self.entries) ** 2 // NUMBERS_OF_A_THREAD
            return self.kernel.symmetric_update(
                self.entries,
                update.vectors.contiguous(),
                update.coefficients,
                update.scale,
                x.contiguous(),
                max(1, min(torch.get_num_threads(), wanted)),
            )
        if update is not self.none:
            weighted = update.coefficients[:, None] * update.vectors
            self.entries.addmm_(weighted.T, update.vectors, beta=update.scale)
        return torch.mv(self.entries, x)

    def reset(self) -> None:
        """M ← I."""
        self.waiting = self.none
        self.entries.zero_().fill_diagonal_(1)

    def state(self, name: str) -> Arrays:
        """M before the update that waits, under this name, and the update where there is one.

        M: [n, n], of a matrix of the kernel the lower triangle, row by row. The update is not
        carried out, for M x is rounded otherwise after it.
        """
        entries = self.entries.cpu().numpy()
        if self.kernel is not None:
            entries = np.concatenate([row[: i + 1] for i, row in enumerate(entries)])
        if self.waiting is self.none:
            return {name: entries}
        return {
            name: entries,
            "update_vectors": self.waiting.vectors.cpu().numpy(),
            "update_coefficients": self.waiting.coefficients.cpu().numpy(),
            "update_scale": np.array(self.waiting.scale),
        }

    def load(self, name: str, state: Arrays) -> None:
        """Resumes from what was stored, under this name, and an update.

        Raises:
            StateError: they do not fit.
        """
        n = len(self.entries)
        if np.ndim(state.get(name, 0)) == 1:
            triangle, start = taken(state, name, n * (n + 1) // 2), 0
            entries = np.empty((n, n))
            for i in range(n):
                entries[i, : i + 1] = entries[: i + 1, i] = triangle[start : start + i + 1]
                start += i + 1
        else:
            entries = taken(state, name, n, n)
        self.entries.copy_(torch.from_numpy(np.asarray(entries, dtype=np.float64)))
        self.waiting = self.none
        if "update_coefficients" in state:
            m = len(np.atleast_1d(state["update_coefficients"]))
            vectors = self.entries.new_tensor(taken(state, "update_vectors", m, n))
            coefficients = self.entries.new_tensor(taken(state, "update_coefficients", m))
            self.waiting = Update(vectors, coefficients, float(taken(state, "update_scale")))
