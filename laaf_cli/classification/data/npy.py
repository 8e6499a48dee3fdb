"""NumPy's own format for one array of whole numbers, without objects and without evaluating its header."""

from __future__ import annotations

import math
import re

import numpy as np

from laaf_cli.errors import DataSetError

MAGIC = b"\x93NUMPY"

_HEADER = re.compile(
    rb"\{'descr': ?'([<>|][biu][1248])', ?'fortran_order': ?(True|False), ?"
    rb"'shape': ?\(([0-9, ]{0,200})\),? ?\}[ \0]*\n?"
)


def read_npy(content: bytes) -> np.ndarray:
    """The array; raises DataSetError where the bytes are anything else than one array of whole numbers."""
    if content[:6] != MAGIC or len(content) < 12:
        raise DataSetError("it is not an array in NumPy's format")
    n_length = 2 if content[6] == 1 else 4
    start = 8 + n_length
    end = start + int.from_bytes(content[8:start], "little")
    header = _HEADER.fullmatch(content[start : min(end, start + 10_000)])
    if header is None:
        raise DataSetError("its header does not describe an array of whole numbers")
    shape = tuple(int(size) for size in header[3].replace(b",", b" ").split())
    dtype = np.dtype(header[1].decode())
    if math.prod(shape) * dtype.itemsize != len(content) - end:
        raise DataSetError(
            f"its header says {shape} numbers of {dtype.itemsize} bytes, and {len(content) - end:,} follow"
        )
    values = np.frombuffer(content, dtype, offset=end)
    return values.reshape(shape, order="F" if header[2] == b"True" else "C")
