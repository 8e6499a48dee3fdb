"""Arrays of numbers in MATLAB 5 files, and nothing else that these may hold.

An element is a type, a size and its bytes; an array is an element of elements: flags, shape, name and numbers. SciPy's
reader takes a damaged file's word for the size of things and may end the program over it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from laaf_cli.errors import DataSetError

HEADER_BYTES = 128
LITTLE_ENDIAN_5 = b"\x00\x01IM"
"""The version and the order of bytes, at the end of the header."""

MATRIX, COMPRESSED = 14, 15
COMPLEX = 0x0800

NUMBERS = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
"""The types of elements that hold numbers."""

CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""The classes of arrays of numbers; a file may store these as a smaller type that holds them."""


@dataclass(frozen=True)
class _Element:
    kind: int
    content: memoryview


def read_matlab(content: bytes, names: tuple[str, ...], max_bytes: int) -> dict[str, np.ndarray]:
    """The named arrays of a file that unpacks to at most `max_bytes`.

    Raises DataSetError for another format, a damaged file, and where one of them is missing or not real numbers.
    """
    if content[HEADER_BYTES - 4 : HEADER_BYTES] != LITTLE_ENDIAN_5:
        raise DataSetError("it is not a MATLAB 5 file")
    found, n_left = {}, max_bytes
    for element in _elements(memoryview(content)[HEADER_BYTES:], is_padded=False):
        if element.kind == COMPRESSED:
            inflated = _inflated(element.content, n_left, max_bytes)
            n_left -= len(inflated)
            element = next(_elements(inflated, is_padded=False))
        if element.kind == MATRIX:
            name, array = _array(element.content)
            found[name] = array
    arrays = {name: found.get(name) for name in names}
    for name, array in arrays.items():
        if array is None:
            raise DataSetError(f"it has no array of real numbers '{name}'")
    return {name: array for name, array in arrays.items() if array is not None}


def _elements(content: memoryview, *, is_padded: bool) -> Iterator[_Element]:
    """The elements one after another; those inside an array begin at multiples of eight bytes."""
    position = 0
    while position < len(content):
        first = int.from_bytes(content[position : position + 4], "little")
        # A small element has its size in the upper half of its type, and its bytes within the eight of a tag.
        is_small = first >= 1 << 16
        size = first >> 16 if is_small else int.from_bytes(content[position + 4 : position + 8], "little")
        start = position + (4 if is_small else 8)
        end = start + size
        if position + 8 > len(content) or end > len(content):
            raise DataSetError("it ends in the middle")
        yield _Element(first & 0xFFFF if is_small else first, content[start:end])
        position = position + 8 if is_small else end + (-end % 8 if is_padded else 0)


def _inflated(packed: memoryview, n_left: int, max_bytes: int) -> memoryview:
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, n_left + 1)
    except zlib.error as error:
        raise DataSetError(f"it cannot be unpacked: {error}") from None
    if len(content) > n_left:
        raise DataSetError(f"it unpacks to more than {max_bytes:,} bytes")
    if not stream.eof or not content:
        raise DataSetError("it has a packed element that does not end where it should")
    return memoryview(content)


def _array(content: memoryview) -> tuple[str, np.ndarray | None]:
    """The name of an array, and its numbers, None where it has others than real ones."""
    parts = _elements(content, is_padded=True)
    flags, shape, name = (next(parts, None) for _ in range(3))
    if flags is None or shape is None or name is None or len(flags.content) != 8 or shape.kind != 5:
        raise DataSetError("it has an array without flags, shape or name")
    word = int.from_bytes(flags.content[:4], "little")
    label = bytes(name.content).decode("latin-1")
    dtype = CLASSES.get(word & 0xFF)
    if dtype is None or word & COMPLEX:
        return label, None
    numbers = next(parts, None)
    if numbers is None or numbers.kind not in NUMBERS:
        raise DataSetError(f"it has no numbers for '{label}'")
    sizes = tuple(int.from_bytes(shape.content[i : i + 4], "little") for i in range(0, len(shape.content), 4))
    stored = np.dtype(NUMBERS[numbers.kind])
    if math.prod(sizes) * stored.itemsize != len(numbers.content) or len(sizes) > 8:
        raise DataSetError(f"'{label}' in it has the shape {sizes}, and {len(numbers.content):,} bytes of numbers")
    values = np.frombuffer(numbers.content, stored)
    # Numbers that are stored as another type are whole and small; those that are not cannot be told apart from damage.
    with np.errstate(invalid="ignore"):
        return label, values.astype(dtype, copy=False).reshape(sizes, order="F")
