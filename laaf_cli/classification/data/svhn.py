"""The MATLAB files of SVHN's cropped digits: X of shape 32 x 32 x 3 x n, y of n labels in which 10 stands for 0."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np

from laaf_cli.classification.data.images import MAX_BYTES, Images, labelled
from laaf_cli.errors import DataSetError

_HEADER_BYTES = 128
_COMPRESSED = 15
_NUMBERS = frozenset({"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))})


def read_svhn(content: bytes, n_classes: int = 10) -> Images:
    """Colour images and their digits.

    Raises DataSetError for a file that is not MATLAB 5, lacks X or y, or where they are not numbers of these shapes.
    """
    arrays = _arrays(_uncompressed(content), ("X", "y"))
    pixels, labels = arrays["X"], arrays["y"].ravel()
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[2] != 3:
        raise DataSetError(f"'X' in it is {pixels.dtype} {pixels.shape}; bytes of height x width x 3 x n were expected")
    if not np.isin(labels, np.arange(1, n_classes + 1)).all():
        raise DataSetError(f"'y' in it holds others than the numbers 1 to {n_classes}, of which {n_classes} means 0")
    return labelled(pixels.transpose(3, 2, 0, 1), labels.astype(np.int64) % n_classes, n_classes)


def _uncompressed(content: bytes) -> bytes:
    """The same file with its elements unpacked, which are then no larger than they say."""
    if len(content) < _HEADER_BYTES or content[124:128] != b"\x00\x01IM":
        raise DataSetError("it is not a MATLAB 5 file")
    parts, position, n_left = [content[:_HEADER_BYTES]], _HEADER_BYTES, MAX_BYTES
    while position < len(content):
        kind = int.from_bytes(content[position : position + 4], "little")
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        end = position + 8 + size
        if position + 8 > len(content) or end > len(content):
            raise DataSetError("it ends in the middle")
        part = _inflated(content[position + 8 : end], n_left) if kind == _COMPRESSED else content[position:end]
        parts.append(part)
        n_left -= len(part)
        position = end
    return b"".join(parts)


def _inflated(packed: bytes, n_left: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        part = stream.decompress(packed, n_left + 1)
    except zlib.error as error:
        raise DataSetError(f"it cannot be unpacked: {error}") from None
    if len(part) > n_left:
        raise DataSetError(f"it unpacks to more than {MAX_BYTES:,} bytes")
    if not stream.eof:
        raise DataSetError("it ends in the middle")
    return part


def _arrays(content: bytes, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    import scipy.io
    from scipy.io.matlab import MatReadError

    stream: Any = io.BytesIO(content)
    try:
        present = {name: kind for name, _shape, kind in scipy.io.whosmat(stream)}
        for name in names:
            # Cells and structures may be nested so deep that reading them ends the program.
            if present.get(name) not in _NUMBERS:
                raise DataSetError(f"it has no array of numbers '{name}'")
        found = scipy.io.loadmat(stream, variable_names=names)
    except (
        MatReadError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        NotImplementedError,
        MemoryError,
    ) as error:
        raise DataSetError(f"it cannot be read as MATLAB 5: {error}") from None
    return {name: np.asarray(found[name]) for name in names}
