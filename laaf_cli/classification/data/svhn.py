"""The MATLAB files of SVHN's cropped digits: X of shape 32 x 32 x 3 x n, y of n labels in which 10 stands for 0."""

from __future__ import annotations

import numpy as np

from laaf_cli.classification.data.images import MAX_BYTES, Images, labelled
from laaf_cli.classification.data.matlab import read_matlab
from laaf_cli.errors import DataSetError


def read_svhn(content: bytes, n_classes: int = 10) -> Images:
    """Colour images and their digits.

    Raises DataSetError for a file that is not MATLAB 5, lacks X or y, or where they are not numbers of these shapes.
    """
    arrays = read_matlab(content, ("X", "y"), MAX_BYTES)
    pixels, labels = arrays["X"], arrays["y"].ravel()
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[2] != 3:
        raise DataSetError(f"'X' in it is {pixels.dtype} {pixels.shape}; bytes of height x width x 3 x n were expected")
    if not np.isin(labels, np.arange(1, n_classes + 1)).all():
        raise DataSetError(f"'y' in it holds others than the numbers 1 to {n_classes}, of which {n_classes} means 0")
    return labelled(pixels.transpose(3, 2, 0, 1), labels.astype(np.int64) % n_classes, n_classes)
