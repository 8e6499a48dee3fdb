"""Batches of images: all of them lie in memory as bytes, each batch is put together when it is
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from laaf_cli.images.augmentation import Augmentation
from laaf_cli.images.data import Images
from laaf_cli.seeds import random_stream


class ImageBatches:
    """The images of a part of a data set on a device.

    pixels: uint8 [n, height, width, channels]; labels: [n]. Batches are [b, channels, height,
    width] in 0 … 1.
    """

    def __init__(
        self,
        images: Images,
        augmentation: Augmentation,
        seed: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        # Channels of a pixel side by side, as convolutions read them.
        self.pixels = torch.from_numpy(images.pixels.transpose(0, 2, 3, 1).copy()).to(device)
        self.labels = torch.from_numpy(images.labels).to(device)
        self.augmentation = augmentation
        self.seed = seed
        self.dtype = dtype

    def __len__(self) -> int:
        return len(self.labels)

    def order(self, epoch: int) -> Tensor:
        """The order of the images in an epoch [n], which depends on the seed and the epoch
        alone.
        """
        order = random_stream(self.seed, "order", str(epoch)).permutation(len(self))
        return torch.from_numpy(order).to(self.labels.device)

    def batch(self, chosen: Tensor, *stream: str) -> tuple[Tensor, Tensor]:
        """Images by number, augmented as the random stream of this name says, and their labels."""
        pixels = self._scaled(self.pixels[chosen])
        return self.augmentation.training(
            pixels, random_stream(self.seed, "augmentation", *stream)
        ), self.labels[chosen]

    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in batches, as they are for testing."""
        for pixels, labels in zip(
            torch.split(self.pixels, size), torch.split(self.labels, size), strict=True
        ):
            yield self.augmentation.test(self._scaled(pixels)), labels

    def _scaled(self, pixels: Tensor) -> Tensor:
        return pixels.permute(0, 3, 1, 2).to(self.dtype).div_(255)
