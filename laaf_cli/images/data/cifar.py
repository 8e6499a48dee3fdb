"""The records of CIFAR-10 and CIFAR-100: label bytes, then 1024 red, 1024 green and 1024 blue
bytes.
"""

from __future__ import annotations

import numpy as np

from laaf_cli.images.data.images import Images, check_labels, labelled
from laaf_cli.images.errors import DataSetError

SIDE = 32
N_PIXELS = 3 * SIDE * SIDE
N_COARSE = 20
"""CIFAR-100 also has coarse classes, whose label is first in a record."""


def read_cifar(content: bytes, n_classes: int) -> Images:
    """The images of the binary version, with the label of CIFAR-10 or the fine label of CIFAR-100.

    Raises DataSetError where the bytes are not whole records, or a label is not one of a class.
    """
    n_labels = 2 if n_classes == 100 else 1
    n_record = n_labels + N_PIXELS
    if len(content) % n_record:
        raise DataSetError(
            f"it has {len(content):,} bytes, not a multiple of the {n_record:,} of a record"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, n_record)
    pixels = records[:, n_labels:].reshape(-1, 3, SIDE, SIDE)
    if n_labels == 2:
        check_labels(records[:, 0], N_COARSE)
    return labelled(pixels, records[:, n_labels - 1], n_classes)
