"""Augmentation: images that are shifted, mirrored, turned and scaled at random, each by its own
draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Indices = NDArray[np.int64]


class AugmentationStep(Protocol):
    """A random map of images [b, c, h, w] in 0 … 1 to images of the same shape.

    It draws from the stream alone, by NumPy, and finds its pixels on the CPU: what it makes of a
    batch does not depend on the device of the images.
    """

    def __call__(self, images: Tensor, random: np.random.Generator) -> Tensor: ...


@dataclass(frozen=True)
class Crop:
    """The window of an image's own size at a uniformly drawn place of the image within `padding`
    zeros on each side.
    """

    padding: int

    def __call__(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """The windows of a batch."""
        down, right = random.integers(
            -self.padding, self.padding, (2, len(images), 1, 1), endpoint=True
        )
        rows, columns = np.ogrid[: images.shape[2], : images.shape[3]]
        return _moved(images, rows + down, columns + right)


@dataclass(frozen=True)
class Flip:
    """Left and right exchanged in every second image, by chance."""

    def __call__(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """The batch with about half of its images mirrored."""
        mirrored = torch.from_numpy(random.random(len(images)) < 0.5).to(images.device)
        return torch.where(mirrored[:, None, None, None], images.flip(3), images)


@dataclass(frozen=True)
class Affine:
    """Clockwise by θ about the centre c and larger by s: pixel p shows R(−θ)(p − c)/s + c, and 0
    outside.

    θ is uniform in ±degrees, s in low … high. Each pixel is the nearest one, as torchvision's
    RandomAffine takes it of PIL images. There the point is rounded to 1/65536 of a pixel on the
    way, so that a pixel whose point falls within about 1/1000 of the border between two may show
    the other; here only the rounding of float64 decides.
    """

    degrees: float
    low: float
    high: float

    def __call__(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """The turned and scaled images of a batch."""
        angles = np.radians(random.uniform(-self.degrees, self.degrees, (len(images), 1, 1)))
        sizes = random.uniform(self.low, self.high, (len(images), 1, 1))
        along, across = np.cos(angles) / sizes, np.sin(angles) / sizes
        rows, columns = np.ogrid[: images.shape[2], : images.shape[3]]
        center_row, center_column = (images.shape[2] - 1) / 2, (images.shape[3] - 1) / 2
        y, x = rows - center_row, columns - center_column
        return _moved(
            images,
            np.floor(along * y - across * x + (center_row + 0.5)).astype(np.int64),
            np.floor(across * y + along * x + (center_column + 0.5)).astype(np.int64),
        )


def _moved(images: Tensor, rows: Indices, columns: Indices) -> Tensor:
    """Images whose pixel (i, j) is that at rows[b, i, j] and columns[b, i, j], and 0 where there
    is not one.
    """
    height, width = images.shape[2:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    places = np.where(inside, rows * width + columns, 0).reshape(len(images), 1, height * width)
    index = torch.from_numpy(places).to(images.device).expand(-1, images.shape[1], -1)
    outside = torch.from_numpy(~inside).to(images.device)[:, None]
    return images.flatten(2).gather(2, index).view(images.shape).masked_fill_(outside, 0)


@dataclass(frozen=True)
class Normalize:
    """(images − mean)/deviation, by channel."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """Images [b, c, h, w] in 0 … 1 → the same, normalised."""
        mean, deviation = (
            images.new_tensor(values)[:, None, None] for values in (self.mean, self.deviation)
        )
        return (images - mean) / deviation


@dataclass(frozen=True)
class Augmentation:
    """What happens to the images of a data set (arXiv 1909.12228, section 4, and the authors'
    code).
    """

    name: str
    steps: tuple[AugmentationStep, ...]
    """Of training images, in this order."""
    normalize: Normalize | None = None
    """Of all images, those of the test included."""

    def training(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """Training images [b, c, h, w] in 0 … 1 as the model sees them."""
        for step in self.steps:
            images = step(images, random)
        return self.test(images)

    def test(self, images: Tensor) -> Tensor:
        """Test images [b, c, h, w] in 0 … 1 as the model sees them."""
        return images if self.normalize is None else self.normalize(images)


AUGMENTATIONS: dict[str, Augmentation] = {
    row.name: row
    for row in (
        Augmentation("mnist", (Crop(2), Affine(15, 0.85, 1.15))),
        Augmentation("fashion-mnist", (Crop(2), Flip())),
        Augmentation("kmnist", (Crop(2),)),
        Augmentation("semeion", (Crop(1), Affine(4, 1.05, 1.05))),
        Augmentation("svhn", (Crop(4), Flip())),
        Augmentation(
            "cifar-10",
            (Crop(4), Flip()),
            Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
        ),
        Augmentation("cifar-100", (Crop(4), Flip())),
    )
}
