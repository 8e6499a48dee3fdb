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

_HEADERS = {
    (1, 0): (2, npy.read_array_header_1_0),
    (2, 0): (4, npy.read_array_header_2_0),
    (3, 0): (4, npy.read_array_header_2_0),
}
"""Version of the format → how many bytes give the length of the header, and what reads it; 3
differs from 2 in the names of fields.
"""


def look(stream: IO[bytes], what: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array at the beginning of a stream.

    Raises StoredArrayError, its text beginning with `what`, where it is not one.
    """
    try:
        version = npy.read_magic(stream)
    except ValueError:
        version = (0, 0)
    if version not in _HEADERS:
        raise StoredArrayError(f"{what} is not an array in NumPy's format")
    n_length, read_header = _HEADERS[version]
    fault = StoredArrayError(f"{what} has a header that does not describe an array")
    if int.from_bytes(stream.read(n_length), "little") > MAX_HEADER:  # NumPy would read all of it
        raise fault
    stream.seek(npy.MAGIC_LEN)
    try:
        with warnings.catch_warnings(action="ignore"):  # what Python 2 wrote is read as well
            shape, _is_fortran, dtype = read_header(stream, max_header_size=MAX_HEADER)
    except (ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError):
        raise fault from None
    if len(shape) > MAX_AXES:
        raise fault
    return shape, dtype


def read(stream: IO[bytes], n_bytes: int, what: str) -> np.ndarray:
    """The array that fills a stream of `n_bytes`.

    Raises StoredArrayError where it holds other things than numbers, or has others than it says.
    """
    shape, dtype = look(stream, what)
    if dtype.kind not in "biufc":
        raise StoredArrayError(f"{what} does not hold numbers")
    n_follow = n_bytes - stream.tell()
    if n_follow != math.prod(shape) * dtype.itemsize:
        raise StoredArrayError(
            f"{what} has a header that says {shape} numbers of {dtype.itemsize} bytes, "
            f"and {max(n_follow, 0):,} bytes follow"
        )
    stream.seek(0)
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
    return read(BytesIO(content), len(content), "it")
