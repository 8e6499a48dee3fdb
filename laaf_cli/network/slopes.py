"""The LAAF family: fixed, GAAF, L-LAAF and N-LAAF slopes with their scale n, and the slope recovery
term.

Jagtap, Kawaguchi & Karniadakis, arXiv 1909.12228, section 2: neuron i of hidden layer k computes
σ(n a_i^k L_k(z)_i); the slopes start at a = 1/n, so that every kind begins as the fixed network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from laaf_cli.network.slope_kinds import SLOPE_KINDS, Shape

_OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {"exp": torch.exp, "identity": lambda a: a}


@dataclass(frozen=True)
class SlopeRecovery:
    """S(a) = 1 / [(1/(D−1)) Σ_k 𝒩(mean_i a_i^k)] (arXiv 1909.12228, after eq. 3)."""

    weight: float
    form: str = "mean"
    """How layers are combined: "mean" divides their sum by their number, as the paper writes; "sum"
    does not, as the authors' regression script.
    """
    operator: str = "exp"
    """𝒩, "exp" or "identity". GAAF has the one slope: S(a) = 1/𝒩(a)."""

    def __call__(self, slopes: Sequence[Tensor]) -> Tensor:
        """S of the slope parameters, a scalar; slopes holds one tensor per hidden layer, or one
        for all.
        """
        if len({a.shape for a in slopes}) == 1:  # six operations in place of one for each layer
            means = torch.stack(list(slopes)).flatten(1).mean(1)
        else:
            means = torch.stack([a.mean() for a in slopes])
        terms = _OPERATORS[self.operator](means)
        return 1 / (terms.mean() if self.form == "mean" else terms.sum())

    def at_zero(self, n_terms: int) -> float:
        """S(0), as Theorem 2.1 needs it; infinite for the identity."""
        zero = [torch.zeros(1, dtype=torch.float64)] * n_terms
        return float(self(zero))


class Slopes(nn.Module):
    """The slope parameters of a network.

    Attributes:
        values: the parameters: none, one of size 1, D−1 of size 1, or one of its shape per layer.
        factor: what multiplies a in the forward pass, n unless that is forgotten.
        absorbed: whether they are part of the weights, multiply nothing and are not trained.

    Args:
        kind: the name of a row of SLOPE_KINDS, afterwards the row.
        n: the scale, at least 1.
        shapes: of each hidden layer's neurons, as they are where the slopes multiply: a width, or
            (channels, height, width) of a convolution, or (channels, 1, 1) where a channel shares
            one slope.
        forgets_n: whether the forward pass multiplies by a in place of n·a, as the authors' ResNet
            does; slopes start at 1/n all the same.
    """

    def __init__(
        self,
        kind: str,
        n: float,
        shapes: Sequence[int | Shape],
        dtype: torch.dtype,
        *,
        forgets_n: bool = False,
    ) -> None:
        super().__init__()
        if kind not in SLOPE_KINDS:
            raise ValueError(f"unknown kind of slopes {kind!r}")
        if n < 1:
            raise ValueError(f"the scale n must be at least 1, got {n}")
        self.kind = SLOPE_KINDS[kind]
        self.n = n
        self.factor = 1.0 if forgets_n else n
        self.n_layers = len(shapes)
        self.absorbed = False
        tuples = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
        self.values = nn.ParameterList(
            torch.full(shape, 1 / n, dtype=dtype) for shape in self.kind.parameter_shapes(tuples)
        )

    def by_layer(self) -> list[Tensor | None]:
        """a of each hidden layer, [1] or of its shape; None where the slopes are fixed at n·a =
        1.
        """
        values = list(self.values) or [None]
        return values if len(values) == self.n_layers else values * self.n_layers

    def scale(self, layer: int) -> Tensor | None:
        """n·a of a hidden layer (a where n is forgotten), [1] or of its shape; None where slopes
        are fixed at 1.
        """
        return self.factor * self.values[layer % len(self.values)] if len(self.values) else None

    def multiplier(self, layer: int) -> Tensor | None:
        """What multiplies a hidden layer, shaped as `scale`; None where that is 1: with fixed
        and absorbed slopes.
        """
        return None if self.absorbed else self.scale(layer)

    def absorb(self, absorbed: bool) -> None:
        """Says whether the slopes are part of the weights from now on; fixed ones never are."""
        self.absorbed = absorbed and len(self.values) > 0
        self.values.requires_grad_(not self.absorbed)

    def scales(self) -> list[Tensor]:
        """`scale` of each hidden layer, as it is recorded: ones of size 1 where fixed."""
        return [
            torch.ones(1) if scale is None else scale
            for scale in (self.scale(layer) for layer in range(self.n_layers))
        ]
