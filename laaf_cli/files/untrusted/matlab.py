"""Arrays of numbers in MATLAB 5 files, and nothing else that these may hold.

An element is a type, a size and its bytes; an array is an element of elements: flags, shape, name
and numbers. SciPy's reader takes a damaged file's word for the size of things and may end the
program over it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO, Literal

import numpy as np

from laaf_cli.files.untrusted.stored_array import (
    MAX_AXES,
    DamagedFileError,
    StoredArray,
    StoredArrayError,
    inflated,
)

HEADER_BYTES = 128
_TAG_BYTES = 8

ByteOrder = Literal["little", "big"]
BYTE_ORDERS: dict[bytes, ByteOrder] = {b"\x00\x01IM": "little", b"\x01\x00MI": "big"}
"""Version 5 and the order of bytes, as they are at the end of the header."""

VERSIONS_7_3 = (b"\x00\x02IM", b"\x02\x00MI")

INT32, UINT32, MATRIX, COMPRESSED = 5, 6, 14, 15
OPAQUE = 17
"""The class of objects, which have no shape."""

COMPLEX = 0x0800

NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
"""The types of elements that hold numbers."""

CLASSES = {
    6: "f8",
    7: "f4",
    8: "i1",
    9: "u1",
    10: "i2",
    11: "u2",
    12: "i4",
    13: "u4",
    14: "i8",
    15: "u8",
}
"""The classes of arrays of numbers; a file may store these as a smaller type that holds them."""

MAX_ARRAYS = 100_000
"""The most arrays of a file; each takes a look."""

_HEAD_BYTES = 4096
"""Within how many bytes of an array its flags, shape and name are."""


@dataclass(frozen=True)
class _Part:
    """An element within an array. start, end: of its bytes, from the beginning of the array."""

    kind: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class _MatlabArray(StoredArray):
    """position, n_stored: of its bytes in the file, which unpack to an array of `n_unpacked`
    behind its tag.
    """

    stream: IO[bytes]
    byte_order: ByteOrder
    position: int
    n_stored: int
    is_packed: bool
    n_unpacked: int
    numbers: _Part | None

    def read(self) -> np.ndarray:
        part = self.numbers
        stored = np.dtype(NUMBERS.get(part.kind, "V") if part else "V").newbyteorder(
            self.byte_order
        )
        if part is None or not _holds(self.dtype, stored):
            raise StoredArrayError(f"'{self.name}' has no numbers of its type")
        n_bytes = part.end - part.start
        # Numbers are filled up to a multiple of eight bytes, and nothing follows them.
        if (
            self.size * stored.itemsize != n_bytes
            or not 0 <= self.n_unpacked - part.end < _TAG_BYTES
        ):
            raise StoredArrayError(
                f"'{self.name}' has the shape {self.shape}, and {n_bytes:,} bytes of numbers"
            )
        content = _bytes_at(self.stream, self.position, self.n_stored)
        if self.is_packed:
            content = inflated(content, _TAG_BYTES + self.n_unpacked)
        offset = part.start + (_TAG_BYTES if self.is_packed else 0)
        values = np.frombuffer(content, stored, self.size, offset)
        return values.astype(self.dtype, copy=False).reshape(self.shape, order="F")


def _holds(dtype: np.dtype, stored: np.dtype) -> bool:
    """Whether an array of this class may be stored so: MATLAB packs integers into up to
    four bytes.
    """
    if dtype.kind == "f" and stored.kind in "iu":
        return stored.itemsize <= 4
    return dtype.kind in "fiu" and stored.kind in "fiu" and np.can_cast(stored, dtype)


def arrays_of(stream: IO[bytes]) -> dict[str, StoredArray]:
    """The arrays of a file by name, whatever they hold; raises DamagedFileError for another or a
    damaged format.
    """
    n_bytes = stream.seek(0, io.SEEK_END)
    byte_order = _byte_order(stream)
    arrays: dict[str, StoredArray] = {}
    position = HEADER_BYTES
    for _ in range(MAX_ARRAYS + 1):
        if position == n_bytes:
            return arrays
        tag = _bytes_at(stream, position, _TAG_BYTES)
        kind, size = (int.from_bytes(tag[i : i + 4], byte_order) for i in (0, 4))
        position += _TAG_BYTES
        if position + size > n_bytes:
            raise DamagedFileError("it ends in the middle")
        if kind not in (MATRIX, COMPRESSED):
            raise DamagedFileError(f"it has an element of type {kind} where an array should be")
        array = _looked_at(stream, byte_order, position, size, is_packed=kind == COMPRESSED)
        arrays[array.name] = array
        position += size
    raise DamagedFileError(f"it has more than {MAX_ARRAYS:,} arrays")


def _byte_order(stream: IO[bytes]) -> ByteOrder:
    stream.seek(0)
    version = stream.read(HEADER_BYTES)[HEADER_BYTES - 4 :]
    if version in VERSIONS_7_3:
        raise DamagedFileError(
            "it is of MATLAB 7.3, which is HDF5; with the option -v7 MATLAB saves what is read"
        )
    if version not in BYTE_ORDERS:
        raise DamagedFileError("it is not a MATLAB 5 file")
    return BYTE_ORDERS[version]


def _looked_at(
    stream: IO[bytes], byte_order: ByteOrder, position: int, n_stored: int, *, is_packed: bool
) -> _MatlabArray:
    # What cannot be packed becomes a little longer.
    head = _bytes_at(stream, position, min(n_stored, 2 * _HEAD_BYTES if is_packed else _HEAD_BYTES))
    n_unpacked = n_stored
    if is_packed:
        head = inflated(head, _HEAD_BYTES, is_whole=False)
        kind, n_unpacked = (int.from_bytes(head[i : i + 4], byte_order) for i in (0, 4))
        head = head[_TAG_BYTES:]
        if kind != MATRIX:
            raise DamagedFileError(
                f"it has a packed element of type {kind} where an array should be"
            )
    name, shape, dtype, numbers = _described(head, byte_order)
    return _MatlabArray(
        name=name,
        shape=shape,
        dtype=dtype,
        stream=stream,
        byte_order=byte_order,
        position=position,
        n_stored=n_stored,
        is_packed=is_packed,
        n_unpacked=n_unpacked,
        numbers=numbers,
    )


def _described(
    head: bytes, byte_order: ByteOrder
) -> tuple[str, tuple[int, ...], np.dtype, _Part | None]:
    """Name, shape, type and the place of the numbers of an array that begins so."""
    flags = _part(head, 0, byte_order)
    word = int.from_bytes(head[flags.start : flags.start + 4], byte_order)
    shape = _part(head, _after(flags), byte_order)
    name = shape if word & 0xFF == OPAQUE else _part(head, _after(shape), byte_order)
    label = head[name.start : name.end].decode("latin-1")
    is_sound = (flags.kind, flags.end - flags.start) == (UINT32, 8) and name.end <= len(head)
    code = CLASSES.get(word & 0xFF)
    if is_sound and code is None:
        return label, (), np.dtype("V"), None
    n_axes, rest = divmod(shape.end - shape.start, 4)
    if not is_sound or shape.kind not in (INT32, UINT32) or rest or n_axes > MAX_AXES:
        raise DamagedFileError("it has an array without flags, shape or name")
    sizes = tuple(
        int.from_bytes(head[i : i + 4], byte_order) for i in range(shape.start, shape.end, 4)
    )
    if word & COMPLEX:
        return label, sizes, np.dtype("c16"), None
    at = _after(name)
    return (
        label,
        sizes,
        np.dtype(code),
        _part(head, at, byte_order) if at + _TAG_BYTES <= len(head) else None,
    )


def _part(head: bytes, at: int, byte_order: ByteOrder) -> _Part:
    if at + _TAG_BYTES > len(head):
        raise DamagedFileError("it has an array without flags, shape or name")
    first, size = (int.from_bytes(head[i : i + 4], byte_order) for i in (at, at + 4))
    # A small element has its size in the upper half of its type, and its bytes within the eight of
    # a tag.
    if first >> 16:
        if first >> 16 > 4:
            raise DamagedFileError(f"it has a small element of {first >> 16:,} bytes")
        return _Part(first & 0xFFFF, at + 4, at + 4 + (first >> 16))
    return _Part(first, at + _TAG_BYTES, at + _TAG_BYTES + size)


def _after(part: _Part) -> int:
    """Where the next element begins: at a multiple of eight bytes."""
    return -(-part.end // 8) * 8


def _bytes_at(stream: IO[bytes], position: int, size: int) -> bytes:
    stream.seek(position)
    content = stream.read(size)
    if len(content) != size:
        raise DamagedFileError("it ends in the middle")
    return content
