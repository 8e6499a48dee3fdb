"""Images with their labels, in memory: integers from 0 to 255, and the number of the class
of each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from laaf_cli.images.errors import DataSetError

MAX_BYTES = 2_000_000_000
"""The most bytes of pixels of one part of a data set."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their classes."""

    pixels: np.ndarray
    """[n, channels, height, width], uint8."""
    labels: np.ndarray
    """[n], int64, from 0."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of an image."""
        return self.pixels.shape[1:]

    def at(self, chosen: np.ndarray) -> Images:
        """Those of the given numbers, in their order."""
        return Images(self.pixels[chosen], self.labels[chosen])


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageData:
    """A data set as it is trained on and tested with."""

    train: Images
    test: Images
    classes: tuple[str, ...]
    files: Mapping[str, str]
    """The name of each file that was read → the sha256 of its bytes."""

    @property
    def n_classes(self) -> int:
        """The number of classes, the outputs of a network."""
        return len(self.classes)

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of pixels, labels and split: the same for the same images, whatever files
        they came in.
        """
        digest = hashlib.sha256()
        for images in (self.train, self.test):
            digest.update(f"{images.pixels.shape}".encode())
            digest.update(np.ascontiguousarray(images.pixels).data)
            digest.update(np.ascontiguousarray(images.labels, "<i8").data)
        return digest.hexdigest()


def labelled(pixels: np.ndarray, labels: np.ndarray, n_classes: int) -> Images:
    """The images, each with its class.

    Args:
        pixels: uint8 [n, channels, height, width].
        labels: integers [n].

    Raises:
        DataSetError: their numbers differ or are 0, or a label is not below `n_classes`.
    """
    if len(pixels) != len(labels):
        raise DataSetError(f"there are {len(pixels):,} images and {len(labels):,} labels")
    if pixels.size == 0:
        raise DataSetError("there are no images")
    check_labels(labels, n_classes)
    return Images(np.require(pixels, np.uint8, ["C", "W", "O"]), labels.astype(np.int64))


def check_labels(labels: np.ndarray, n_classes: int) -> None:
    """Raises DataSetError where a label is negative or not below `n_classes`."""
    wrong = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if len(wrong):
        raise DataSetError(
            f"the label of image {wrong[0]:,} is {labels[wrong[0]]}; the classes are numbered "
            f"0 to {n_classes - 1}"
        )
