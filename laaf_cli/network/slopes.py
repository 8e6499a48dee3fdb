"""The LAAF family: fixed, GAAF, L-LAAF and N-LAAF slopes with their scale n, and the slope recovery term.

Jagtap, Kawaguchi & Karniadakis, arXiv 1909.12228, section 2: neuron i of hidden layer k computes
σ(n a_i^k L_k(z)_i); the slopes start at a = 1/n, so that every kind begins as the fixed network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

SlopeShapes = Callable[[Sequence[int]], list[int]]

# kind → the sizes of its slope parameters, given the widths of the hidden layers.
_SHAPES: dict[str, SlopeShapes] = {
    "fixed": lambda _widths: [],
    "gaaf": lambda _widths: [1],
    "llaaf": lambda widths: [1] * len(widths),
    "nlaaf": lambda widths: list(widths),
}

SLOPE_KINDS = tuple(_SHAPES)

_OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {"exp": torch.exp, "identity": lambda a: a}


@dataclass(frozen=True)
class SlopeRecovery:
    """S(a) = 1 / [(1/(D−1)) Σ_k 𝒩(mean_i a_i^k)] (arXiv 1909.12228, eqs. 9 and 10).

    form: "mean" divides the sum over hidden layers by their number, as the paper writes; "sum" does not, as
    the authors' regression script. operator: 𝒩, "exp" or "identity". GAAF has the one slope: S(a) = 1/𝒩(a).
    """

    weight: float
    form: str = "mean"
    operator: str = "exp"

    def __call__(self, slopes: Sequence[Tensor]) -> Tensor:
        """S of the slope parameters, a scalar; slopes holds one vector per hidden layer, or one for all."""
        terms = torch.stack([_OPERATORS[self.operator](a.mean()) for a in slopes])
        return 1 / (terms.mean() if self.form == "mean" else terms.sum())

    def at_zero(self, n_terms: int) -> float:
        """S(0), as Theorem 2.1 needs it; infinite for the identity."""
        zero = [torch.zeros(1, dtype=torch.float64)] * n_terms
        return float(self(zero))


class Slopes(nn.Module):
    """The slope parameters of a network.

    kind: one of SLOPE_KINDS. n: the scale, at least 1. widths: neurons of each hidden layer.
    `values` holds the parameters: none, one of size 1, D−1 of size 1, or one of size N_k per layer.
    absorbed: whether they are part of the weights, multiply nothing and are not trained.
    """

    def __init__(self, kind: str, n: float, widths: Sequence[int], dtype: torch.dtype) -> None:
        super().__init__()
        if kind not in _SHAPES:
            raise ValueError(f"unknown kind of slopes {kind!r}")
        if n < 1:
            raise ValueError(f"the scale n must be at least 1, not {n}")
        self.kind = kind
        self.n = n
        self.n_layers = len(widths)
        self.absorbed = False
        self.values = nn.ParameterList(torch.full((size,), 1 / n, dtype=dtype) for size in _SHAPES[kind](widths))

    def by_layer(self) -> list[Tensor | None]:
        """a of each hidden layer, [1] or [N_k]; None where the slopes are fixed at n·a = 1."""
        n = len(self.values)
        return [None if n == 0 else self.values[layer if n > 1 else 0] for layer in range(self.n_layers)]

    def scale(self, layer: int) -> Tensor | None:
        """n·a of a hidden layer, [1] or [N_k]; None where the slopes are fixed at n·a = 1."""
        slope = self.by_layer()[layer]
        return None if slope is None else self.n * slope

    def multiplier(self, layer: int) -> Tensor | None:
        """What multiplies a hidden layer, [1] or [N_k]; None where that is 1: with fixed and with absorbed slopes."""
        return None if self.absorbed else self.scale(layer)

    def absorb(self, absorbed: bool) -> None:
        """Says whether the slopes are part of the weights from now on; fixed ones never are."""
        self.absorbed = absorbed and len(self.values) > 0
        self.values.requires_grad_(not self.absorbed)

    def scales(self) -> list[Tensor]:
        """n·a of each hidden layer, as it is recorded: ones of size 1 where fixed."""
        return [
            torch.ones(1) if scale is None else scale for scale in (self.scale(layer) for layer in range(self.n_layers))
        ]
