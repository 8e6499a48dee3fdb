"""The table of slope kinds, without torch: the LAAF family of Jagtap, Kawaguchi & Karniadakis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SlopeKind:
    """Which slopes a network has, what they are called and how they are drawn."""

    name: str
    """The name in specs, options and file names."""
    label: str
    """The name in tables and figures."""
    description: str
    """What has a slope of its own."""
    color: str
    """A color of the palette of Okabe & Ito, which colour-blind people can distinguish."""
    is_adaptive: bool = True
    """Whether there are slopes, and so slope recovery."""
    is_shared: bool = False
    """Whether all hidden layers have the same slopes; slope recovery then has one term, and one
    form.
    """
    per_neuron: bool = False
    """Whether each neuron of a layer has its own slope."""

    def label_with(self, n: float, recovery: str = "") -> str:
        """The label with the scale n, such as `N-LAAF (n = 10, with recovery)`."""
        return f"{self.label} (n = {n:g}{recovery})" if self.is_adaptive else self.label

    def layer_shape(self, neurons: Shape) -> Shape:
        """The shape of n·a in a hidden layer with neurons of this shape."""
        return neurons if self.per_neuron else (1,)

    def parameter_shapes(self, layers: Sequence[Shape]) -> list[Shape]:
        """The shapes of the slope parameters, from those of the neurons of each hidden layer."""
        n_parameters = 0 if not self.is_adaptive else 1 if self.is_shared else len(layers)
        return [self.layer_shape(neurons) for neurons in layers[:n_parameters]]


FIXED = SlopeKind(
    name="fixed", label="fixed", description="no slopes", color="#000000", is_adaptive=False
)
GAAF = SlopeKind(
    name="gaaf", label="GAAF", description="one for the network", color="#E69F00", is_shared=True
)
LLAAF = SlopeKind(name="llaaf", label="L-LAAF", description="one per layer", color="#0072B2")
NLAAF = SlopeKind(
    name="nlaaf", label="N-LAAF", description="one per neuron", color="#D55E00", per_neuron=True
)

SLOPE_KINDS = {row.name: row for row in (FIXED, GAAF, LLAAF, NLAAF)}

if TYPE_CHECKING:
    SlopeKindName = str
else:
    SlopeKindName = Literal[tuple(SLOPE_KINDS)]


def parameter_ratio(n_parameters: int, n_slopes: int, n_outputs: int) -> float:
    """P of arXiv 1909.12228, section 2.2: the parameters with slopes over those without.

    That is (ω + 2β)/(ω + β) for a slope per neuron, of ω weights and β biases; as the paper,
    without the biases of the output.
    """
    counted = n_parameters - n_outputs
    return (counted + n_slopes) / counted


def is_fixed(name: object) -> bool:
    """Whether this names a kind without slopes."""
    return any(row.name == name and not row.is_adaptive for row in SLOPE_KINDS.values())
