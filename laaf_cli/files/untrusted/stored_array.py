"""An array that a file says it holds: its shape and type are known before any memory is taken
for it.
"""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

MAX_AXES = 32
MAX_PACKING = 1100
"""Deflate packs at most 1032 to 1; what claims more was never written."""
MAX_NUMBERS = 250_000_000
"""The most numbers of an array that is read into a table: two gigabytes as they are computed
with.
"""


class StoredArrayError(Exception):
    """An array is not read; the text says what is wrong with it, beginning with its name in
    quotes.
    """


class DamagedFileError(StoredArrayError):
    """A file is not of its format as a whole; the text says why, beginning with 'it'."""


@dataclass(frozen=True)
class StoredArray(ABC):
    """An array in a file that is open, as it will be read."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    """Only those of numbers can be read; 'V' is whatever NumPy does not know."""

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """What its numbers take in memory."""
        return self.size * self.dtype.itemsize

    @abstractmethod
    def read(self) -> np.ndarray:
        """Its numbers; takes some multiple of `n_bytes`, and raises StoredArrayError where they
        are damaged.
        """


def check_size(name: str, shape: tuple[int, ...]) -> None:
    """Raises StoredArrayError where an array of that shape has too many numbers."""
    if math.prod(shape) > MAX_NUMBERS:
        raise StoredArrayError(
            f"'{name}' has {math.prod(shape):,} numbers; at most {MAX_NUMBERS:,} are read"
        )


def inflated(packed: bytes, n_bytes: int, *, is_whole: bool = True) -> bytes:
    """The bytes of a zlib stream: just as many, or its beginning where it is not whole.

    Raises DamagedFileError where a whole stream has others, and where it cannot be unpacked.
    """
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, n_bytes + is_whole)
    except zlib.error as error:
        raise DamagedFileError(f"it cannot be unpacked: {error}") from None
    if is_whole and (len(content) != n_bytes or not stream.eof):
        raise DamagedFileError(f"it has a packed part that does not unpack to {n_bytes:,} bytes")
    return content
