"""The network: a multilayer perceptron with adaptive slopes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from laaf_cli.network.activations import ACTIVATIONS
from laaf_cli.network.initializers import INITIALIZERS
from laaf_cli.network.inputs import Inputs, Period
from laaf_cli.network.kinks import Kink
from laaf_cli.network.similarity import SimilarityVariable
from laaf_cli.network.slope_kinds import FIXED
from laaf_cli.network.slopes import Slopes


class Mlp(nn.Module):
    """u(x) = W_D z + b_D, z_k = σ(n a_k ∘ (W_k z_{k−1} + b_k)), z_0 = (x − center)/half_range.

    Hidden weights are [width, previous width]. Every hidden layer has the same activation.

    A solution may be made of several networks, one for each window of time.

    Attributes:
        past: the networks of earlier windows.
        ends: the ends of all windows, that of the network itself last; empty where it is the only
            one.

    Args:
        hidden: widths of the hidden layers.
        n_outputs: the number of unknowns.
        kind: the kind of slopes, a name of SLOPE_KINDS.
        n: the scale of the slopes, at least 1.
        bounds: the domain, mapped to [−1, 1] by coordinate; raw inputs where None.
        periods: by axis, inputs that are periodic.
        kinks: places at which functions may bend or jump.
        similarity: variables that are inputs as well.
        random: the stream of the initial weights; weights depend on it and on the shapes alone.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden: Sequence[int],
        n_outputs: int,
        *,
        activation: str = "tanh",
        initializer: str = "glorot-normal",
        kind: str = FIXED.name,
        n: float = 1.0,
        bounds: tuple[Sequence[float], Sequence[float]] | None = None,
        periods: Mapping[int, Period] | None = None,
        kinks: Sequence[Kink] = (),
        similarity: Sequence[SimilarityVariable] = (),
        random: np.random.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.inputs = Inputs(n_inputs, bounds, periods, kinks, similarity)
        widths = [self.inputs.width, *hidden, n_outputs]
        layers = [
            INITIALIZERS[initializer](fan_in, fan_out, random)
            for fan_in, fan_out in pairwise(widths)
        ]
        self.weights = nn.ParameterList(torch.tensor(weight, dtype=dtype) for weight, _ in layers)
        self.biases = nn.ParameterList(torch.tensor(bias, dtype=dtype) for _, bias in layers)
        self.slopes = Slopes(kind, n, hidden, dtype)
        self.past = nn.ModuleList()
        self.ends: list[float] = []
        self.time_axis = 0

    @property
    def dtype(self) -> torch.dtype:
        """The precision of weights and biases."""
        return self.biases[0].dtype

    @property
    def device(self) -> torch.device:
        """The device of weights and biases."""
        return self.weights[0].device

    @property
    def n_hidden(self) -> int:
        """The number of hidden layers."""
        return len(self.weights) - 1

    def count(self) -> tuple[int, int]:
        """The numbers of weights and biases, and of slopes."""
        slopes = sum(value.numel() for value in self.slopes.values)
        return sum(parameter.numel() for parameter in self.parameters()) - slopes, slopes

    def windows(self, points: Tensor) -> list[tuple[Mlp, Tensor]]:
        """The network of each window of time, and which of the points [n, d] lie in it, by index; a
        window has its end, and not its start.
        """
        inner = torch.tensor(self.ends[:-1], dtype=points.dtype, device=points.device)
        window = torch.bucketize(points[:, self.time_axis].contiguous(), inner)
        return [(network, (window == k).nonzero()[:, 0]) for k, network in enumerate(self.networks)]

    @property
    def networks(self) -> list[Mlp]:
        """Those of all windows of time, itself the last."""
        return [*self.past, self]

    def use_window(self, axis: int, start: float, end: float) -> None:
        """Is the network of this range of time from now on; beyond it nothing is known yet."""
        self.inputs.rescale(axis, start, end)
        self.time_axis = axis
        self.ends[len(self.past) :] = [end]

    def end_window(self, start: float, end: float) -> None:
        """Keeps the network as it is from the start of its window to some time in it, so that it
        may become that of the next, which begins there.
        """
        past, ends = self.past, self.ends
        self.past, self.ends = nn.ModuleList(), []
        finished = copy.deepcopy(self)
        self.past, self.ends = past, ends
        finished.requires_grad_(False)
        if end < ends[-1]:
            finished._shorten(start, end)
        self.ends[len(self.past)] = end
        self.past.append(finished)

    @torch.no_grad()
    def _shorten(self, start: float, end: float) -> None:
        """Is the same function, with its inputs scaled to this range of time."""
        inputs, axis = self.inputs, self.time_axis
        center, half_range = float(inputs.center[axis]), float(inputs.half_range[axis])
        inputs.rescale(axis, start, end)
        ratio = float(inputs.half_range[axis]) / half_range
        weight, column = self.weights[0], inputs.axes.index(axis)
        self.biases[0] += weight[:, column] * ((float(inputs.center[axis]) - center) / half_range)
        weight[:, column] *= ratio
        for i, kink in enumerate(inputs.kinks):
            if kink.axis == axis:
                weight[:, inputs.first_kink + i] *= ratio**kink.order

    def use_whole(self, axis: int, start: float, end: float) -> None:
        """Is the one network of all times from now on."""
        self.past, self.ends = nn.ModuleList(), []
        self.inputs.rescale(axis, start, end)

    def resize(self, width: int) -> None:
        """Keeps so many neurons of the last hidden layer, the first ones; those that are new have
        no weights yet, and slopes as they start.
        """
        if width == len(self.biases[-2]):
            return

        def resized(old: Tensor, shape: Sequence[int], value: float = 0.0) -> nn.Parameter:
            new = old.new_full(tuple(shape), value)
            common = tuple(slice(min(sizes)) for sizes in zip(old.shape, shape, strict=True))
            new[common] = old.detach()[common]
            return nn.Parameter(new)

        self.weights[-2] = resized(self.weights[-2], (width, self.weights[-2].shape[1]))
        self.biases[-2] = resized(self.biases[-2], (width,))
        self.weights[-1] = resized(self.weights[-1], (len(self.weights[-1]), width))
        if self.slopes.kind.per_neuron:
            self.slopes.values[-1] = resized(self.slopes.values[-1], (width,), 1 / self.slopes.n)
            self.slopes.absorb(self.slopes.absorbed)

    def scaled(self, points: Tensor) -> Tensor:
        """Points [n, d] in float64 → the network's inputs [n, width] in its own precision."""
        inputs: Tensor = self.inputs(points)
        return inputs.to(self.dtype)

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weights and biases of every layer, hidden ones multiplied by their slopes.

        n a (W z + b) = (n a W) z + n a b: the slope costs nothing per point.
        """
        layers = []
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            scale = self.slopes.multiplier(k) if k < self.n_hidden else None
            layers.append(
                (weight, bias) if scale is None else (scale[:, None] * weight, scale * bias)
            )
        return layers

    @property
    def output_layer(self) -> Tensor:
        """Weights and biases of the output, [n_outputs, width + 1], the bias last; no graph."""
        return torch.cat([self.weights[-1], self.biases[-1][:, None]], 1).detach()

    def absorb_slopes(self) -> None:
        """W ← n a W and b ← n a b in every hidden layer; the slopes keep their values, multiply
        nothing, rest.

        The function is the same to rounding. (a, W, b) → (c a, W/c, b/c) leaves it unchanged, so
        that every slope adds a direction without curvature to a matrix of second derivatives.
        """
        with torch.no_grad():
            for k in range(self.n_hidden):
                scale = self.slopes.multiplier(k)
                if scale is not None:
                    self.weights[k].copy_(scale.double()[:, None] * self.weights[k].double())
                    self.biases[k].copy_(scale.double() * self.biases[k].double())
        self.slopes.absorb(True)

    def forward(self, points: Tensor) -> Tensor:
        """Points [n, d] in float64 → unknowns [n, n_outputs]."""
        if not self.ends:
            return self.from_scaled(self.scaled(points))
        outputs = points.new_empty(len(points), len(self.biases[-1]), dtype=self.dtype)
        for network, inside in self.windows(points):
            outputs[inside] = network.from_scaled(network.scaled(points[inside]))
        return outputs

    def from_scaled(self, z: Tensor) -> Tensor:
        """Inputs [n, width] as `scaled` gives them → unknowns [n, n_outputs]."""
        weight, bias = self.layers()[-1]
        return torch.addmm(bias, self.after_hidden(z, self.n_hidden), weight.T)

    def after_hidden(self, z: Tensor, n: int) -> Tensor:
        """Inputs [n_points, width] as `scaled` gives them → what n hidden layers make of them."""
        for w, b in self.layers()[:n]:
            z = self.activation.derivatives(torch.addmm(b, z, w.T), 0)[0]
        return z
