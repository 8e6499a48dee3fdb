"""The LeNet variant of the paper, for small images of digits, letters and clothes."""

from __future__ import annotations

import math

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

_MAPS = 64
_KERNEL = 5


class LeNet(ImageModel):
    """Two times z ↦ ReLU(n a ∘ pool(conv z)), then ReLU(n a ∘ (W z + b)), then the output layer.

    Convolutions are 5×5 to 64 channels without padding, pools 2×2 by the maximum, and come before
    slopes and ReLU (Jagtap, Kawaguchi & Karniadakis, arXiv 1909.12228, section 4, and the authors'
    code).

    shape: of an image. width: of the fully connected layer; 1014 in the text, 1024 in the authors'
    code. dropout: its probability after the fully connected layer; none in the text, 0.5 in the
    authors' code. kind, n: the slopes. per: whether an N-LAAF slope belongs to a neuron or to a
    channel of a convolution. random: the stream of the initial weights; weights depend on it and on
    the shapes alone. Raises ValueError where images are too small, and where dropout is no
    probability below 1.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        n_classes: int,
        *,
        width: int = 1014,
        dropout: float = 0.0,
        kind: str = FIXED.name,
        n: float = 1.0,
        per: str = "neuron",
        random: np.random.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        image = ImageShape(*shape)
        if unfit := lenet_shape_fault(image):
            raise ValueError(unfit)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be a probability below 1, got {dropout}")
        self.dropout = dropout
        first, second = feature_maps(image)
        self.conv1 = drawn_convolution((image.channels, _MAPS), _KERNEL, random=random, dtype=dtype)
        self.conv2 = drawn_convolution((_MAPS, _MAPS), _KERNEL, random=random, dtype=dtype)
        self.fc1 = drawn_linear(math.prod(second), width, random=random, dtype=dtype)
        self.fc2 = drawn_linear(width, n_classes, random=random, dtype=dtype)
        self.slopes = Slopes(
            kind, n, [slope_shape(first, per), slope_shape(second, per), width], dtype
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images [b, c, h, w] → logits [b, n_classes]."""
        z = self.activated(nn.functional.max_pool2d(self.conv1(x), 2), 0)
        z = self.activated(nn.functional.max_pool2d(self.conv2(z), 2), 1)
        z = self.activated(self.fc1(z.flatten(1)), 2)
        logits: Tensor = self.fc2(self.dropped_out(z))
        return logits


def feature_maps(shape: ImageShape) -> tuple[ImageShape, ImageShape]:
    """The shapes after each of the two pools."""
    first = _pooled(shape)
    return first, _pooled(first)


def lenet_shape_fault(shape: ImageShape) -> str:
    """Why images of this shape do not fit; empty where they do."""
    _, last = feature_maps(shape)
    if min(last.height, last.width) >= 1:
        return ""
    return (
        "the model 'lenet' takes images of at least 16×16 pixels, and these have "
        f"{shape.height}×{shape.width}: "
        "its two convolutions and pools leave nothing of them"
    )


def _pooled(shape: ImageShape) -> ImageShape:
    """The shape after a convolution without padding and a pool 2×2."""
    return ImageShape(_MAPS, (shape.height - _KERNEL + 1) // 2, (shape.width - _KERNEL + 1) // 2)
