"""The table of activation functions: each with all of its derivatives, which Taylor mode
composes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Activation:
    """A row of the table."""

    name: str
    derivatives: Callable[[Tensor, int], list[Tensor]]
    """(z, k) → [σ(z), σ′(z), …, σ⁽ᵏ⁾(z)], each of z's shape; k is at most 5, for Taylor mode to
    order 4 and its backward pass.
    """
    max_order: int = 4
    """The highest order of an equation for which the network's derivatives are meaningful."""
    why: str = ""
    """The sentence for a person whose equation is of higher order."""


def _tanh(z: Tensor, k: int) -> list[Tensor]:
    """y = tanh z and the polynomials in y that follow from y′ = 1 − y²."""
    y = torch.tanh(z)
    d = [y]
    if k >= 1:
        s = 1 - y * y
        d.append(s)
    if k >= 2:
        d.append(y * s * -2)
    if k >= 3:
        d.append(torch.addcmul(4 * s, s, s, value=-6))
    if k >= 4:
        d.append(d[2] * (4 - 12 * s))
    if k >= 5:
        d.append(d[3] * (4 - 12 * s) - 12 * d[2] * d[2])
    return d


def _sin(z: Tensor, k: int) -> list[Tensor]:
    sine, cosine = torch.sin(z), torch.cos(z)
    cycle = [sine, cosine, -sine, -cosine]
    return [cycle[i % 4] for i in range(k + 1)]


def _sigmoid(z: Tensor, k: int) -> list[Tensor]:
    """s = 1/(1 + e⁻ᶻ) and the polynomials in s that follow from s′ = s(1 − s)."""
    s = torch.sigmoid(z)
    p = s * (1 - s)
    q = 1 - 2 * s
    d = [s, p, p * q, p * (1 - 6 * p), p * q * (1 - 12 * p), p * (1 - 30 * p + 120 * p * p)]
    return d[: k + 1]


def _silu(z: Tensor, k: int) -> list[Tensor]:
    """z·s(z); by Leibniz, (z s)⁽ᵏ⁾ = z s⁽ᵏ⁾ + k s⁽ᵏ⁻¹⁾."""
    s = _sigmoid(z, k)
    return [z * s[0], *(z * s[i] + i * s[i - 1] for i in range(1, k + 1))]


def _softplus(z: Tensor, k: int) -> list[Tensor]:
    """log(1 + eᶻ), whose derivative is the sigmoid."""
    # Not torch's softplus: it turns linear beyond a threshold.
    value = torch.clamp(z, min=0) + torch.log1p(torch.exp(-z.abs()))
    return [value, *_sigmoid(z, max(k - 1, 0))][: k + 1]


def _gelu(z: Tensor, k: int) -> list[Tensor]:
    """z·Φ(z) with the normal distribution Φ and its density φ; φ⁽ᵏ⁾ = (−1)ᵏ Heₖ φ."""
    phi = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    normal = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
    z2 = z * z
    d = [
        z * normal,
        normal + z * phi,
        (2 - z2) * phi,
        z * (z2 - 4) * phi,
        (z2 * (7 - z2) - 4) * phi,
        z * (z2 * (z2 - 11) + 18) * phi,
    ]
    return d[: k + 1]


def _relu(z: Tensor, k: int) -> list[Tensor]:
    return _piecewise_linear(z, k, 0.0)


def _leaky_relu(z: Tensor, k: int) -> list[Tensor]:
    return _piecewise_linear(z, k, 0.01)


def _piecewise_linear(z: Tensor, k: int, below: float) -> list[Tensor]:
    slope = torch.where(z > 0, 1.0, torch.full_like(z, below))
    return [slope * z, slope, *(torch.zeros_like(z) for _ in range(k - 1))][: k + 1]


def _elu(z: Tensor, k: int) -> list[Tensor]:
    tail = torch.exp(torch.clamp(z, max=0))
    left = torch.where(z > 0, 0.0, tail)
    return [torch.where(z > 0, z, tail - 1), torch.where(z > 0, 1.0, tail), *[left] * (k - 1)][
        : k + 1
    ]


_KINKS = (
    "its second derivative is zero wherever it exists, so an equation of second order "
    "cannot be learned"
)
_ELU = "its second derivative jumps at 0 and its third does not exist there"

ACTIVATIONS: dict[str, Activation] = {
    row.name: row
    for row in (
        Activation(name="tanh", derivatives=_tanh),
        Activation(name="sin", derivatives=_sin),
        Activation(name="sigmoid", derivatives=_sigmoid),
        Activation(name="silu", derivatives=_silu),
        Activation(name="gelu", derivatives=_gelu),
        Activation(name="softplus", derivatives=_softplus),
        Activation(name="relu", derivatives=_relu, max_order=1, why=_KINKS),
        Activation(name="leaky-relu", derivatives=_leaky_relu, max_order=1, why=_KINKS),
        Activation(name="elu", derivatives=_elu, max_order=2, why=_ELU),
    )
}
