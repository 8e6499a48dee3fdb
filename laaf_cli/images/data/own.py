"""A data set of one's own: a NumPy archive with x_train, y_train, x_test and y_test, as Keras
names them.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from laaf_cli.files.untrusted.npz import NumpyArchive
from laaf_cli.files.untrusted.stored_array import StoredArrayError
from laaf_cli.images.data.folder import bytes_of, shown_path
from laaf_cli.images.data.images import MAX_BYTES, ImageData, Images, labelled
from laaf_cli.images.data.published import checksum_of
from laaf_cli.images.errors import DataSetError
from laaf_cli.text import did_you_mean, listed, printable

MAX_CLASSES = 1000
"""A confusion matrix has as many rows and columns; ImageNet has as many classes."""
MAX_LISTED = 20
"""The most names of a file that a message lists."""

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> ImageData:
    """The images in the file, with classes numbered from 0.

    x: uint8 [n, height, width] or [n, height, width, c] with c = 1 or 3. y: integers [n] or
    [n, 1]. Raises DataSetError where an array is missing or of another kind, and where a class has
    no training image.
    """
    content = bytes_of(path, MAX_BYTES)
    try:
        return _read(content, path.name)
    except (DataSetError, StoredArrayError) as error:
        raise DataSetError(f"{shown_path(path)}: {error}") from None


def _read(content: bytes, name: str) -> ImageData:
    if len(content) > MAX_BYTES:
        raise DataSetError(f"it is larger than {MAX_BYTES:,} bytes")
    present = NumpyArchive(io.BytesIO(content))
    for array in ARRAYS:
        if array not in present:
            names = [printable(name) for name in list(present)[:MAX_LISTED]]
            raise DataSetError(
                f"it has no '{array}'. {did_you_mean(array, names) or f'It has: {listed(names)}.'}"
            )
    chosen = {array: present[array] for array in ARRAYS}
    if sum(stored.n_bytes for stored in chosen.values()) > MAX_BYTES:
        raise DataSetError(f"its arrays unpack to more than {MAX_BYTES:,} bytes")
    arrays = {array: stored.read() for array, stored in chosen.items()}
    train = _images(arrays, "train", MAX_CLASSES)
    n_classes = int(train.labels.max()) + 1
    empty = np.flatnonzero(np.bincount(train.labels, minlength=n_classes) == 0)
    if len(empty):
        raise DataSetError(
            f"class {empty[0]} has no training image; the classes are numbered from 0, without gaps"
        )
    test = _images(arrays, "test", n_classes)
    if test.shape != train.shape:
        raise DataSetError(
            f"its training images have shape {train.shape}, and its test images {test.shape}"
        )
    sha256 = checksum_of(content, "sha256").partition(":")[2]
    return ImageData(
        train=train, test=test, classes=tuple(map(str, range(n_classes))), files={name: sha256}
    )


def _images(arrays: dict[str, np.ndarray], part: str, n_classes: int) -> Images:
    pixels, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    if (
        pixels.dtype != np.uint8
        or pixels.ndim not in (3, 4)
        or (pixels.ndim == 4 and pixels.shape[3] not in (1, 3))
    ):
        raise DataSetError(
            f"'x_{part}' in it is {pixels.dtype} of shape {pixels.shape}; uint8 of shape [n, "
            "height, width] or "
            "[n, height, width, c] with c = 1 or 3 was expected"
        )
    if labels.dtype.kind not in "iu" or labels.shape not in ((len(labels),), (len(labels), 1)):
        raise DataSetError(
            f"'y_{part}' in it is {labels.dtype} of shape {labels.shape}; integers of "
            "shape [n] were expected"
        )
    by_channel = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    try:
        return labelled(by_channel, labels.ravel(), n_classes)
    except DataSetError as error:
        raise DataSetError(f"'x_{part}' and 'y_{part}' in it: {error}") from None
