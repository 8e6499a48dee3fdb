"""What models of images have in common: layers with drawn weights, slopes before ReLU, and
dropout that repeats.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from laaf_cli.network.slopes import Slopes

PER = ("neuron", "channel")

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class ImageShape(NamedTuple):
    """The shape of one image."""

    channels: int
    height: int
    width: int


class ImageModel(nn.Module, ABC):
    """Images [b, c, h, w] → logits [b, n_classes], with the slopes of the LAAF family."""

    slopes: Slopes
    """By activation, in the order of the forward pass."""
    dropout: float = 0.0
    """The probability of a zero, 0 where it has none."""

    def __init__(self) -> None:
        super().__init__()
        self._dropout_stream: torch.Generator | None = None

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Images [b, c, h, w] → logits [b, n_classes]."""

    def count(self) -> tuple[int, int]:
        """The numbers of weights and biases, and of slopes."""
        slopes = sum(value.numel() for value in self.slopes.values)
        return sum(parameter.numel() for parameter in self.parameters()) - slopes, slopes

    def laid_out(self) -> Self:
        """This model in the layout that it trains fastest in: channels of a pixel side by side,
        where that is sound.
        """
        if layout_of(self) is torch.channels_last:
            return self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Convolutions take the layout of the images where the weights have another, so these have
        # to change as well.
        self.register_forward_pre_hook(
            lambda _model, arguments: tuple(tensor.contiguous() for tensor in arguments)
        )
        return self.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def use_dropout(self, stream: torch.Generator) -> None:
        """Says from which stream the masks of dropout are drawn from now on."""
        self._dropout_stream = stream

    def activated(self, z: Tensor, activation: int) -> Tensor:
        """ReLU(n a ∘ z) of the pre-activation z of an activation, by its index; overwrites z
        where slopes are fixed.
        """
        scale = self.slopes.multiplier(activation)
        if scale is None:
            return torch.relu_(z)
        if scale.dim() == 3:
            # A few thousand slopes change their layout, so that the batch is read in the order in
            # which it lies.
            channels_last = z.is_contiguous(memory_format=torch.channels_last)
            scale = scale[None].contiguous(
                memory_format=torch.channels_last if channels_last else torch.contiguous_format
            )
        return torch.relu_(z * scale)

    def dropped_out(self, z: Tensor) -> Tensor:
        """z with each value zero by the probability p = `dropout`, the rest divided by 1 − p; z
        itself in evaluation.

        Raises ValueError where no stream of random numbers has been set.
        """
        if not self.training or self.dropout == 0:
            return z
        if self._dropout_stream is None:
            raise ValueError(
                "dropout draws its masks from a stream of its own, and none is set; "
                "call use_dropout(stream) before a batch in training mode"
            )
        stream = self._dropout_stream
        # Drawn where the stream lives and in one precision, so that neither the device nor the
        # model changes the mask.
        uniform = torch.rand(z.shape, generator=stream, device=stream.device, dtype=torch.float32)
        return z * (uniform >= self.dropout).to(z) / (1 - self.dropout)


def layout_of(model: nn.Module) -> torch.memory_format:
    """The layout in which a model trains: channels last, but for convolutions in which that is
    not sound.
    """
    # PyTorch 2.13.0 with oneDNN 3.12, on a CPU with AVX2 and without AVX-512: with channels last,
    # the gradient of the weights of a strided convolution 1×1 of 1 to 7 input channels is written
    # beyond its buffer, and the process dies. Eight channels are a vector there. Multiples of it
    # are sound; other numbers above 8 have not been seen to fail, and are not trusted.
    convolutions = (layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    strided = (
        layer for layer in convolutions if layer.kernel_size == (1, 1) and layer.stride != (1, 1)
    )
    is_sound = all(layer.in_channels % 8 == 0 for layer in strided)
    return torch.channels_last if is_sound else torch.contiguous_format


def slope_shape(shape: ImageShape, per: str) -> tuple[int, int, int]:
    """The shape of N-LAAF slopes of feature maps: one per neuron, or one per channel.

    Raises ValueError where `per` is neither.
    """
    if per not in PER:
        raise ValueError(f"slopes are per {' or per '.join(PER)}, not per {per!r}")
    return shape if per == "neuron" else (shape.channels, 1, 1)


def drawn_convolution(
    channels: tuple[int, int],
    size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    bias: bool = True,
    random: np.random.Generator,
    dtype: torch.dtype,
) -> nn.Conv2d:
    """A convolution size × size from channels[0] to channels[1] channels, its weights drawn as
    `_draw` says.
    """
    layer = nn.Conv2d(
        *channels, size, stride=stride, padding=padding, bias=bias, device="meta", dtype=dtype
    )
    return _draw(layer, channels[0] * size * size, random)


def drawn_linear(
    fan_in: int, fan_out: int, *, random: np.random.Generator, dtype: torch.dtype
) -> nn.Linear:
    """A fully connected layer, its weights drawn as `_draw` says."""
    return _draw(nn.Linear(fan_in, fan_out, device="meta", dtype=dtype), fan_in, random)


def _draw(layer: Layer, fan_in: int, random: np.random.Generator) -> Layer:
    """Weights, then biases, from U(−1/√fan_in, 1/√fan_in), PyTorch's default.

    They are drawn by NumPy in float64, so that no device or precision changes them.
    """
    # A layer that is made on no device draws nothing from PyTorch's own stream.
    layer = layer.to_empty(device="cpu")
    bound = 1 / math.sqrt(fan_in)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.from_numpy(random.uniform(-bound, bound, tuple(parameter.shape))))
    return layer
