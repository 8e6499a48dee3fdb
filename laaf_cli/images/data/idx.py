"""The IDX format of MNIST and its successors: a magic number, the sizes, then one byte a number."""

from __future__ import annotations

import math

import numpy as np

from laaf_cli.images.data.images import Images, labelled
from laaf_cli.images.errors import DataSetError

UNSIGNED_BYTES = 0x08


def read_idx(content: bytes, n_axes: int) -> np.ndarray:
    """The array [n, …] of `n_axes` axes; raises DataSetError where the bytes are anything else
    than just that.
    """
    n_header = 4 + 4 * n_axes
    if len(content) < n_header:
        raise DataSetError(
            f"it ends after {len(content)} bytes, within the {n_header} of its header"
        )
    magic = bytes((0, 0, UNSIGNED_BYTES, n_axes))
    if content[:4] != magic:
        raise DataSetError(
            f"it begins with {content[:4].hex(' ')}, and {magic.hex(' ')} was expected: it is "
            "not IDX"
        )
    sizes = [int.from_bytes(content[i : i + 4], "big") for i in range(4, n_header, 4)]
    expected = n_header + math.prod(sizes)
    if len(content) != expected:
        shape = " x ".join(f"{size:,}" for size in sizes)
        raise DataSetError(
            f"it has {len(content):,} bytes, and its header says {shape}, which takes {expected:,}"
        )
    return np.frombuffer(content, np.uint8, offset=n_header).reshape(sizes)


def read_idx_images(images: bytes, labels: bytes, n_classes: int = 10) -> Images:
    """Grey images and their labels from two files; raises DataSetError where they are damaged or
    do not fit.
    """
    return labelled(read_idx(images, 3)[:, None], read_idx(labels, 1), n_classes)
