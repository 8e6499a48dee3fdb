"""NumPy's own format for one array, without objects and without evaluating its header."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from io import BytesIO
from typing import IO

import numpy as np

from laaf_cli.files.untrusted.stored_array import MAX_AXES, StoredArrayError

MAGIC = b"\x93NUMPY"
MAX_HEADER = 10_000
MAX_PIECE = 1_000_000
"""The most bytes that are read at once, so that what a file claims is taken only as it comes."""

_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
"""Version of the format → how many bytes tell the length of the header."""

_ITEM = re.compile(r"'(\w+)'\s*:\s*('[^']*'|True|False|\([0-9L, ]{0,400}\)|\[[^]]*])\s*(?:,\s*|$)")
"""A key of the header and its value; Python 2 wrote an L after long numbers."""

_TYPE = re.compile(r"'([<>|=]?([biufcOSUVMm])[0-9]{0,9})(?:\[\w+])?'")


@dataclass(frozen=True, kw_only=True)
class NpyHeader:
    """What stands before the numbers of an array, in `n_bytes` bytes. dtype: as of a
    StoredArray.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    is_fortran: bool
    n_bytes: int


def read_npy(content: bytes) -> np.ndarray:
    """The array of a file; raises StoredArrayError, its text beginning with 'it', for anything
    but numbers.
    """
    stream = BytesIO(content)
    header = read_header(stream, "it")
    return read_numbers(stream, header, len(content), "it")


def read_header(stream: IO[bytes], what: str) -> NpyHeader:
    """The header at the beginning of a stream; raises StoredArrayError, its text beginning with
    `what`.
    """
    start = stream.read(8)
    n_length = _LENGTH_BYTES.get(start[6], 0) if len(start) == 8 else 0
    if start[:6] != MAGIC or not n_length:
        raise StoredArrayError(f"{what} is not an array in NumPy's format")
    n_text = int.from_bytes(stream.read(n_length), "little")
    text = stream.read(min(n_text, MAX_HEADER)).decode("latin-1").strip(" \0\n")
    inner = text[1:-1].strip()
    items = list(_ITEM.finditer(inner))
    values = {item[1]: item[2] for item in items}
    is_whole = (
        n_text <= MAX_HEADER
        and text[:1] + text[-1:] == "{}"
        and "".join(item[0] for item in items) == inner
    )
    if not is_whole or len(items) != 3 or values.keys() != {"descr", "fortran_order", "shape"}:
        raise StoredArrayError(f"{what} has a header that does not describe an array")
    shape = tuple(map(int, re.findall("[0-9]+", values["shape"])))
    dtype = _dtype(values["descr"])
    if dtype is None or not values["shape"].startswith("(") or len(shape) > MAX_AXES:
        raise StoredArrayError(f"{what} has a header that does not describe an array")
    return NpyHeader(
        shape=shape,
        dtype=dtype,
        is_fortran=values["fortran_order"] == "True",
        n_bytes=8 + n_length + n_text,
    )


def _dtype(description: str) -> np.dtype | None:
    """That of numbers, or one of 'O' and 'V' for what is not; None where there is no such type."""
    if description.startswith("["):
        return np.dtype("V")
    found = _TYPE.fullmatch(description)
    if found is None:
        return None
    try:
        return np.dtype(found[1] if found[2] in "biufc" else "O" if found[2] == "O" else "V")
    except TypeError:
        return None


def read_numbers(stream: IO[bytes], header: NpyHeader, n_bytes: int, what: str) -> np.ndarray:
    """The array after its header, where the file has `n_bytes`; raises StoredArrayError where it
    has others.
    """
    if header.dtype.kind in "OV":
        raise StoredArrayError(f"{what} does not hold numbers")
    n_expected = math.prod(header.shape) * header.dtype.itemsize
    n_follow = n_bytes - header.n_bytes
    if n_follow != n_expected:
        raise StoredArrayError(
            f"{what} has a header that says {header.shape} numbers of {header.dtype.itemsize} "
            "bytes, "
            f"and {max(n_follow, 0):,} bytes follow"
        )
    content = bytearray()
    while piece := stream.read(min(n_expected - len(content), MAX_PIECE)):
        content += piece
    if len(content) != n_expected:
        raise StoredArrayError(f"{what} ends in the middle")
    return np.frombuffer(content, header.dtype).reshape(
        header.shape, order="F" if header.is_fortran else "C"
    )
