"""NumPy's own format for one array of numbers; objects are never unpickled."""

from __future__ import annotations

import math
import warnings
from io import BytesIO
from tokenize import TokenError
from typing import IO

import numpy as np
from numpy.lib import format as npy

from laaf_cli.files.untrusted.stored_array import MAX_AXES, StoredArrayError

MAX_HEADER = 10_000
"""The longest header that is parsed, in bytes."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Version of the format → what reads its header; 3 has names that are no Latin, and no number
has names.
"""


def look(stream: IO[bytes], n_bytes: int, what: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array at the beginning of a stream of `n_bytes`.

    Raises StoredArrayError, its text beginning with `what`, where it is none, and where the numbers
    do not fill the stream.
    """
    try:
        version = npy.read_magic(stream)
    except ValueError:
        version = (0, 0)
    if version not in _HEADERS:
        raise StoredArrayError(f"{what} is not an array in NumPy's format")
    try:
        with warnings.catch_warnings(action="ignore"):  # what Python 2 wrote is read as well
            shape, _is_fortran, dtype = _HEADERS[version](stream, max_header_size=MAX_HEADER)
    except (ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError):
        shape, dtype = (0,) * (MAX_AXES + 1), np.dtype("V")
    if len(shape) > MAX_AXES:
        raise StoredArrayError(f"{what} has a header that does not describe an array")
    n_follow = n_bytes - stream.tell()
    if dtype.kind in "biufc" and n_follow != math.prod(shape) * dtype.itemsize:
        raise StoredArrayError(
            f"{what} has a header that says {shape} numbers of {dtype.itemsize} bytes, "
            f"and {max(n_follow, 0):,} bytes follow"
        )
    return shape, dtype


def read(stream: IO[bytes], dtype: np.dtype, what: str) -> np.ndarray:
    """The array at the beginning of a stream that has been looked at.

    Raises StoredArrayError where it holds other things than numbers, or ends early.
    """
    if dtype.kind not in "biufc":
        raise StoredArrayError(f"{what} does not hold numbers")
    try:
        with warnings.catch_warnings(action="ignore"):
            return np.asarray(
                npy.read_array(stream, allow_pickle=False, max_header_size=MAX_HEADER)
            )
    except ValueError:
        raise StoredArrayError(f"{what} ends in the middle") from None


def read_npy(content: bytes) -> np.ndarray:
    """The array of a file; raises StoredArrayError, its text beginning with 'it', for anything
    but numbers.
    """
    _shape, dtype = look(BytesIO(content), len(content), "it")
    return read(BytesIO(content), dtype, "it")
