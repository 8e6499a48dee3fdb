"""The MATLAB files of SVHN's cropped digits: X of shape 32 x 32 x 3 x n, y of n labels in which
10 means 0.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np

from laaf_cli.files.untrusted.matlab import arrays_of
from laaf_cli.files.untrusted.stored_array import StoredArrayError
from laaf_cli.images.data.images import MAX_BYTES, Images, labelled
from laaf_cli.images.errors import DataSetError


def read_svhn(content: bytes, n_classes: int = 10) -> Images:
    """Colour images and their digits.

    Raises DataSetError for a file that is not MATLAB 5, lacks X or y, or where they are not numbers
    of these shapes.
    """
    try:
        present = arrays_of(BytesIO(content))
        for name in ("X", "y"):
            if name not in present or present[name].dtype.kind not in "fiu":
                raise DataSetError(f"it has no array of real numbers '{name}'")
        if present["X"].n_bytes + present["y"].n_bytes > MAX_BYTES:
            raise DataSetError(f"it unpacks to more than {MAX_BYTES:,} bytes")
        arrays = {name: present[name].read() for name in ("X", "y")}
    except StoredArrayError as error:
        raise DataSetError(str(error)) from None
    pixels, labels = arrays["X"], arrays["y"].ravel()
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[2] != 3:
        raise DataSetError(
            f"'X' in it is {pixels.dtype} {pixels.shape}; bytes of height x width x 3 x n were "
            "expected"
        )
    if not np.isin(labels, np.arange(1, n_classes + 1)).all():
        raise DataSetError(
            f"'y' in it holds others than the numbers 1 to {n_classes}, of which {n_classes} "
            "means 0"
        )
    return labelled(pixels.transpose(3, 2, 0, 1), labels.astype(np.int64) % n_classes, n_classes)
