"""The pre-activation ResNet-18 of the paper, for colour images of 32×32 pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from laaf_cli.images.models.image_model import (
    ImageModel,
    ImageShape,
    drawn_convolution,
    drawn_linear,
    slope_shape,
)
from laaf_cli.network.slope_kinds import FIXED
from laaf_cli.network.slopes import Slopes

_SIDE = 32
_STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels, stride of the first block
_BLOCKS = 2


class PreActBlock(nn.Module):
    """The layers of z ↦ shortcut + conv₂ ReLU(n a₂ ∘ BN₂ conv₁ y), y = ReLU(n a₁ ∘ BN₁ z); all
    without biases.

    The shortcut is z itself, and a strided convolution 1×1 of y where the shape changes (He, Zhang,
    Ren & Sun, arXiv 1603.05027, figure 4e).

    channels: of input and output. stride: of conv₁ and the shortcut.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        stride: int,
        *,
        random: np.random.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        before, after = channels
        self.bn1 = nn.BatchNorm2d(before, dtype=dtype)
        self.conv1 = drawn_convolution(
            channels, 3, stride=stride, padding=1, bias=False, random=random, dtype=dtype
        )
        self.bn2 = nn.BatchNorm2d(after, dtype=dtype)
        self.conv2 = drawn_convolution(
            (after, after), 3, padding=1, bias=False, random=random, dtype=dtype
        )
        self.shortcut: nn.Conv2d | None = None
        if stride != 1 or before != after:
            self.shortcut = drawn_convolution(
                channels, 1, stride=stride, bias=False, random=random, dtype=dtype
            )


class PreActResNet18(ImageModel):
    """A convolution 3×3, eight blocks with two activations each, the mean over 4×4 pixels and an
    output layer.

    Stages of two blocks have 64, 128, 256 and 512 channels and strides 1, 2, 2, 2; neither
    normalisation nor ReLU follows the last block (Jagtap, Kawaguchi & Karniadakis, arXiv
    1909.12228, section 4, and the authors' code).

    shape: of an image. forgets_n: whether the forward pass multiplies by a in place of n·a, as the
    authors' code does. kind, n: the slopes. per: whether an N-LAAF slope belongs to a neuron or to
    a channel. random: the stream of the initial weights; weights depend on it and on the shapes
    alone. Raises ValueError where images have another size than 32×32.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        n_classes: int,
        *,
        forgets_n: bool = False,
        kind: str = FIXED.name,
        n: float = 1.0,
        per: str = "neuron",
        random: np.random.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        image = ImageShape(*shape)
        if unfit := resnet_shape_fault(image):
            raise ValueError(unfit)
        before, side = _STAGES[0][0], _SIDE
        self.conv1 = drawn_convolution(
            (image.channels, before), 3, padding=1, bias=False, random=random, dtype=dtype
        )
        shapes = []
        for number, (after, first_stride) in enumerate(_STAGES, start=1):
            stage = nn.ModuleDict()
            for block in range(1, _BLOCKS + 1):
                stride = first_stride if block == 1 else 1
                shapes.append(ImageShape(before, side, side))
                side //= stride
                shapes.append(ImageShape(after, side, side))
                stage[f"block{block}"] = PreActBlock(
                    (before, after), stride, random=random, dtype=dtype
                )
                before = after
            self.add_module(f"stage{number}", stage)
        self.linear = drawn_linear(before, n_classes, random=random, dtype=dtype)
        self.slopes = Slopes(
            kind, n, [slope_shape(shape, per) for shape in shapes], dtype, forgets_n=forgets_n
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images [b, c, 32, 32] → logits [b, n_classes]."""
        z = self.conv1(x)
        for number, block in enumerate(self.blocks()):
            y = self.activated(block.bn1(z), 2 * number)
            shortcut = z if block.shortcut is None else block.shortcut(y)
            y = self.activated(block.bn2(block.conv1(y)), 2 * number + 1)
            z = block.conv2(y) + shortcut
        logits: Tensor = self.linear(nn.functional.avg_pool2d(z, 4).flatten(1))
        return logits

    def blocks(self) -> Iterator[PreActBlock]:
        """The blocks of all stages, from input to output."""
        for module in self.modules():
            if isinstance(module, PreActBlock):
                yield module


def resnet_shape_fault(shape: ImageShape) -> str:
    """Why images of this shape do not fit; empty where they do."""
    if (shape.height, shape.width) == (_SIDE, _SIDE):
        return ""
    return (
        f"the model 'preact-resnet18' takes images of {_SIDE}×{_SIDE} pixels, and these have "
        f"{shape.height}×{shape.width}"
    )
