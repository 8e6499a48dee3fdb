"""Untrusted HDF5 files: nothing outside the file is followed, nothing unreasonable is allocated.

An HDF5 file may hold links to other files, datasets whose bytes lie in other files, shapes of
terabytes that were never written, chunks that unpack to more or less than they should, and types
that are Python objects.
"""

from __future__ import annotations

import math
import mmap
import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import h5py
import numpy as np
from h5py import h5d, h5s, h5t, h5z

from laaf_cli.arrays import Array
from laaf_cli.files.untrusted.stored_array import MAX_PACKING, DamagedFileError, inflated
from laaf_cli.text import printable

MAX_BYTES = 2_000_000_000
"""The largest dataset that is read."""

MAX_MEMBERS = 10_000
"""The most names that a group may have."""

MAX_ATTRIBUTE = 100_000
"""The most characters of a text that is an attribute."""

MAX_FILE_BYTES = 10_000_000_000
"""The largest file; every byte of it is looked at."""

MAX_TEXTS = 100_000
"""The most texts that the heaps of a file may hold."""

NUMBERS = (
    *(h5t.STD_I8LE, h5t.STD_I16LE, h5t.STD_I32LE, h5t.STD_I64LE),
    *(h5t.STD_I8BE, h5t.STD_I16BE, h5t.STD_I32BE, h5t.STD_I64BE),
    *(h5t.STD_U8LE, h5t.STD_U16LE, h5t.STD_U32LE, h5t.STD_U64LE),
    *(h5t.STD_U8BE, h5t.STD_U16BE, h5t.STD_U32BE, h5t.STD_U64BE),
    *(h5t.IEEE_F16LE, h5t.IEEE_F32LE, h5t.IEEE_F64LE),
    *(h5t.IEEE_F16BE, h5t.IEEE_F32BE, h5t.IEEE_F64BE),
)
"""The types of numbers that NumPy has as well, bit for bit."""

FILTERS = {h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE, h5z.FILTER_FLETCHER32}
"""What chunks may go through. Any other filter makes HDF5 look for a plugin, outside the file, or,
as LZF, cannot be held to the size of a chunk.
"""

# All that h5py makes of the errors of HDF5 (its `_errors.pyx`), and what NumPy says to sizes that
# cannot be.
_HDF5_ERRORS = (
    OSError,
    LookupError,
    RuntimeError,
    ValueError,
    TypeError,
    ArithmeticError,
    MemoryError,
)


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """An attribute of a file or a group: the type of its value, what it means, bounds of an
    integer, and whether files of older laafs may lack it.
    """

    kind: type[str] | type[int] | type[float]
    meaning: str
    least: int = 0
    most: int | None = None
    optional: bool = False


class GuardedFile:
    """An open, untrusted HDF5 file; use it in a `with`.

    Raises `error` with one sentence for whatever is wrong with the file. what: a file of this kind
    in sentences. numbers: the types of numbers that are read. max_packed_bytes: the largest dataset
    that is read where it is packed; the file itself may be small, then.
    """

    what: ClassVar[str] = "an HDF5 file"
    numbers: ClassVar[tuple[Any, ...]] = NUMBERS
    max_packed_bytes: ClassVar[int] = MAX_BYTES

    def __init__(self, path: Path, error: type[Exception]) -> None:
        self.path = path
        self._error = error
        self._found: dict[str, Any] = {}
        self._sound: dict[str, h5py.Dataset] = {}
        try:
            if not path.exists():
                raise self.refusal(f"there is no file {path}")
            if path.is_dir():
                raise self.refusal(f"{path} is a folder; {self.what} is one of the *.h5 in it")
            if not path.is_file():  # opening a pipe would wait for ever
                raise self.refusal(f"{path} is not an ordinary file, and {self.what} is")
            self._file = self._opened()
        except (OSError, ValueError) as error_of_system:
            why = getattr(error_of_system, "strerror", None) or error_of_system
            raise self.refusal(f"{path} cannot be opened: {why}") from None

    def refusal(self, text: str) -> Exception:
        """The error with this sentence; names of files and in files may hold anything."""
        return self._error(printable(text))

    def inspect(self, raw: BufferedReader) -> None:
        """Looks at the bytes of the file before HDF5 does."""

    def _opened(self) -> h5py.File:
        """The file as HDF5 opens it, which is the very file that was inspected."""
        while True:
            with self.path.open("rb") as raw:
                self.n_bytes = os.fstat(raw.fileno()).st_size
                if not self.n_bytes:
                    raise self.refusal(f"{self.path} is empty")
                if self.n_bytes > MAX_FILE_BYTES:
                    raise self.refusal(
                        f"{self.path} has {self.n_bytes:,} bytes; at most {MAX_FILE_BYTES:,} "
                        "are read"
                    )
                self.inspect(raw)
                try:
                    file = h5py.File(self.path, "r")
                    if os.path.samestat(os.fstat(raw.fileno()), os.fstat(file.id.get_vfd_handle())):
                        return file
                    file.close()  # a newer file has taken its place meanwhile
                except _HDF5_ERRORS as error:
                    raise self.refusal(
                        f"{self.path} cannot be read as HDF5: {_reason(error)}"
                    ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file, as the end of a `with` does."""
        self._file.close()

    def has_attribute(self, name: str, group: str = "/") -> bool:
        """Whether a group has an attribute of this name."""
        with self._told(f"attribute {name}"):
            return name in self._group(group).attrs

    def read_attributes(
        self, expected: Mapping[str, Attribute], group: str = "/"
    ) -> dict[str, Any]:
        """The attributes of a group that `expected` names, as plain values of the expected
        types.
        """
        return {
            name: self.attribute(name, attribute, group) for name, attribute in expected.items()
        }

    def attribute(self, name: str, expected: Attribute, group: str = "/") -> Any:
        """A text, a number, or an integer within the bounds of the layout."""
        where = f"attribute {name}" + ("" if group == "/" else f" of {group}")
        with self._told(where):
            attributes = self._group(group).attrs
            if name not in attributes:
                raise self.refusal(f"{self.path} lacks the {where}")
            stored = attributes.get_id(name)
            # Asked before reading, for the value may be of any size, and of any Python type.
            if stored.get_space().get_simple_extent_type() != h5s.SCALAR or not _is_of(
                stored, expected.kind
            ):
                raise self.refusal(f"the {where} in {self.path} is not {_KINDS[expected.kind]}")
            if expected.kind is str and not self._has_sound_heaps:
                raise self.refusal(f"{self.path} is damaged: its attributes of text cannot be read")
            value: Any = expected.kind(attributes[name])
            if expected.kind is str:
                # h5py gives bytes that are no text as surrogates, which nothing can print
                value.encode()
                if len(value) > MAX_ATTRIBUTE:
                    raise self.refusal(
                        f"the {where} in {self.path} is longer than {MAX_ATTRIBUTE:,} characters"
                    )
            if expected.kind is int and value < expected.least:
                raise self.refusal(f"the {where} in {self.path} is {value}, which is not a count")
            if expected.most is not None and value > expected.most:
                raise self.refusal(
                    f"the {where} in {self.path} is {value}; at most {expected.most} has a meaning"
                )
            return value

    def names(self, path: str) -> list[str]:
        """The names in a group, none where it is not there."""
        with self._told(path):
            if not self.has(path):
                return []
            group = self._group(path)
            if len(group) > MAX_MEMBERS:
                raise self.refusal(
                    f"{path} in {self.path} has {len(group):,} members; it is not read"
                )
            names = list(group)
            if not all(isinstance(name, str) for name in names):
                raise self.refusal(f"{path} in {self.path} has a member whose name is not text")
            return names

    def has(self, path: str) -> bool:
        """Whether the path leads to something inside this very file."""
        with self._told(path):
            return self._member(path.strip("/")) is not None

    def _member(self, path: str) -> Any:
        """What a path leads to inside this very file, None where there is nothing; each step is
        taken once.
        """
        if not path:
            return self._file
        if path not in self._found:
            above, _, name = path.rpartition("/")
            group = self._member(above)
            if not isinstance(group, h5py.Group) or name not in group:
                return None
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise self.refusal(f"{path} in {self.path} is a link, and those are not followed")
            self._found[path] = group[name]
        return self._found[path]

    def shape(self, path: str) -> tuple[int, ...]:
        """The shape of a dataset, without reading it."""
        return tuple(self._dataset(path).shape)

    def array(self, path: str) -> Array:
        """A whole dataset, in the byte order of this machine; a scalar text becomes an array of
        shape ().
        """
        dataset = self._dataset(path)
        with self._told(path):
            most = self.max_packed_bytes if dataset.chunks else MAX_BYTES
            if (n_bytes := _claimed(dataset)) > most:
                raise self.refusal(
                    f"{path} in {self.path} has {n_bytes:,} bytes; at most {most:,} are read"
                )
            values = self._unpacked(path, dataset) if dataset.chunks else np.asarray(dataset[()])
            return values.astype(values.dtype.newbyteorder("="), copy=False)

    def _group(self, path: str) -> h5py.Group:
        if path == "/":
            return self._file
        group = self._member(path.strip("/"))
        if not isinstance(group, h5py.Group):
            raise self.refusal(f"{self.path} has no group {path}")
        return group

    def _dataset(self, path: str) -> h5py.Dataset:
        """A dataset that may be read: plain numbers or text, inside the file, no larger than
        what was stored.
        """
        if path in self._sound:
            return self._sound[path]
        with self._told(path):
            dataset = self._member(path.strip("/"))
            if not isinstance(dataset, h5py.Dataset):
                raise self.refusal(f"{self.path} has no dataset {path}")
            # First of all: HDF5 may open the other file to learn the shape.
            how = dataset.id.get_create_plist()
            if how.get_external_count() or how.get_layout() == h5d.VIRTUAL:
                raise self.refusal(
                    f"{path} in {self.path} lies in another file, and those are not opened"
                )
            # Asked of HDF5, for making a NumPy type of a type that is nested thousands deep takes
            # gigabytes.
            stored = dataset.id.get_type()
            is_text = stored.get_class() == h5t.STRING and not stored.is_variable_str()
            if dataset.id.get_space().get_simple_extent_type() == h5s.NULL or not (
                is_text or any(stored.equal(number) for number in self.numbers)
            ):
                raise self.refusal(f"{path} in {self.path} holds neither plain numbers nor text")
            filters = _filters(dataset)
            if set(filters) - FILTERS or len(set(filters)) < len(filters):
                raise self.refusal(f"{path} in {self.path} is packed otherwise than by gzip")
            claimed, held = _claimed(dataset), min(dataset.id.get_storage_size(), self.n_bytes)
            if claimed > (MAX_PACKING * held if h5z.FILTER_DEFLATE in filters else held):
                raise self.refusal(
                    f"{path} in {self.path} claims {claimed:,} bytes and holds {held:,}; it "
                    "is not read"
                )
            self._sound[path] = dataset
            return dataset

    def _unpacked(self, path: str, dataset: h5py.Dataset) -> Array:
        """A dataset in chunks.

        HDF5 itself unpacks a chunk to whatever size comes out, reads past its end where that is too
        short, and takes kilobytes of memory for each chunk that is not even there.
        """
        shape, size, filters = dataset.shape, dataset.chunks, _filters(dataset)
        n_bytes = math.prod(size) * dataset.dtype.itemsize
        is_deflated = h5z.FILTER_DEFLATE in filters
        before = filters[: filters.index(h5z.FILTER_DEFLATE)] if is_deflated else filters
        n_plain = n_bytes + 4 * (h5z.FILTER_FLETCHER32 in before)  # with its checksum
        stored: list[Any] = []
        dataset.id.chunk_iter(stored.append)
        places = {chunk.chunk_offset for chunk in stored}
        if (
            not len(stored)
            == len(places)
            == math.prod(-(-n // c) for n, c in zip(shape, size, strict=True))
            or any(
                o % c or o >= n
                for place in places
                for o, c, n in zip(place, size, shape, strict=True)
            )
            or any(
                chunk.filter_mask
                or chunk.size > self.n_bytes
                or not (is_deflated or chunk.size == n_plain)
                for chunk in stored
            )
        ):
            raise self.refusal(
                f"{path} in {self.path} is damaged: its chunks do not make up the whole"
            )
        if not is_deflated:  # no chunk can be other than its size, and HDF5 compares checksums
            return np.asarray(dataset[()])
        whole = np.empty(shape, dataset.dtype)
        for place in places:
            _mask, content = dataset.id.read_direct_chunk(place)
            for filter_number in reversed(filters):
                if filter_number == h5z.FILTER_DEFLATE:
                    content = inflated(content, n_plain)
                elif filter_number == h5z.FILTER_FLETCHER32:
                    content = content[:-4]
                else:
                    content = (
                        np.frombuffer(content, np.uint8).reshape(dataset.dtype.itemsize, -1).T
                    ).tobytes()
            target = whole[tuple(slice(o, o + c) for o, c in zip(place, size, strict=True))]
            target[...] = np.frombuffer(content, dataset.dtype).reshape(size)[
                tuple(slice(n) for n in target.shape)
            ]  # what hangs over the edge is cut
        return whole

    @cached_property
    def _has_sound_heaps(self) -> bool:
        """Whether the heaps that hold the texts of attributes can be walked to their ends.

        HDF5 2.0 walks for ever in a heap with a piece of no size (`H5HG__cache_heap_deserialize`),
        and nothing interrupts it. Each heap begins with a signature, version and length; each piece
        in it with a number (0 for free room), and a size, which for free room counts these 16 bytes
        as well.
        """
        signature, n_steps = b"GCOL\x01\0\0\0", 0
        if self._file.id.get_create_plist().get_sizes() != (8, 8):
            return False
        with (
            self.path.open("rb") as raw,
            mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            start = content.find(signature)
            while start >= 0:
                at, end = (
                    start + 16,
                    start + int.from_bytes(content[start + 8 : start + 16], "little"),
                )
                while at + 16 <= end:
                    number, size = (
                        int.from_bytes(content[at + i : at + j], "little")
                        for i, j in ((0, 2), (8, 16))
                    )
                    need = 16 + -(-size // 8) * 8 if number else size
                    at, n_steps = at + need, n_steps + 1
                    if not need or at > min(end, len(content)) or n_steps > MAX_TEXTS:
                        return False
                start = content.find(signature, start + 1)
        return True

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Whatever HDF5 finds wrong inside becomes a RunFileError that names the place."""
        try:
            yield
        except MemoryError:
            raise self.refusal(f"{what} in {self.path} does not fit into memory") from None
        except (*_HDF5_ERRORS, DamagedFileError) as error:
            raise self.refusal(f"{what} in {self.path} is damaged: {_reason(error)}") from None


_KINDS: dict[type, str] = {str: "text", int: "an integer", float: "a number"}
_CLASSES: dict[type, tuple[int, ...]] = {
    str: (h5t.STRING,),
    int: (h5t.INTEGER,),
    float: (h5t.FLOAT, h5t.INTEGER),
}


def _is_of(attribute: Any, kind: type) -> bool:
    """Whether an attribute holds a value of this kind; texts are of variable length, as h5py
    writes them.
    """
    stored = attribute.get_type()
    return stored.get_class() in _CLASSES[kind] and (kind is not str or stored.is_variable_str())


def _filters(dataset: h5py.Dataset) -> tuple[int, ...]:
    """What the chunks of a dataset went through, the first step first."""
    how = dataset.id.get_create_plist()
    return tuple(how.get_filter(i)[0] for i in range(how.get_nfilters()))


def _claimed(dataset: h5py.Dataset) -> int:
    """The bytes that a dataset takes in whole chunks; NumPy's own product may overflow."""
    chunks = dataset.chunks or (1,) * len(dataset.shape)
    sizes = (-(-n // c) * c for n, c in zip(dataset.shape, chunks, strict=True))
    return math.prod(sizes) * int(dataset.dtype.itemsize)


def _reason(error: Exception) -> str:
    """What HDF5 says, without its account of what it was asked to do."""
    text = " ".join(str(error).split()) or type(error).__name__
    inner = re.fullmatch(r"\W*(?:Unable to|Can't|Failed to) [^()]*\((.*)\)\W*", text)
    return textwrap.shorten(inner[1] if inner else text, 150, placeholder=" …")
