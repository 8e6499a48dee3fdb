"""HDF5 read with suspicion: nothing outside the file is followed, nothing unreasonable is
allocated.

An HDF5 file may hold links to other files, datasets whose bytes lie in other files, shapes of
terabytes that were never written, chunks that unpack to more or less than they should, and types
that are Python objects. None of them belongs into a run file.
"""

from __future__ import annotations

import math
import mmap
import os
import re
import textwrap
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5s, h5t, h5z

from laaf_cli.arrays import Array
from laaf_cli.errors import RunFileError
from laaf_cli.runfile.layout import Attribute
from laaf_cli.runfile.seal import is_intact, is_sealed
from laaf_cli.text import printable

MAX_BYTES = 2_000_000_000
"""The largest dataset that is read."""

MAX_PACKED_BYTES = 400_000_000
"""The largest that is read where it is packed: the file itself may be small, then."""

MAX_PACKING = 1100
"""gzip packs at most 1032 to 1; a dataset that claims more was never written."""

MAX_MEMBERS = 10_000
"""The most names that a group may have."""

MAX_ATTRIBUTE = 100_000
"""The most characters of a text that is an attribute."""

MAX_FILE_BYTES = 10_000_000_000
"""The largest file; every byte of it is looked at."""

MAX_TEXTS = 100_000
"""The most texts that the heaps of a file may hold."""

_NUMBERS = (
    h5t.STD_I64LE,
    h5t.STD_I64BE,
    h5t.IEEE_F32LE,
    h5t.IEEE_F32BE,
    h5t.IEEE_F64LE,
    h5t.IEEE_F64BE,
)

_PIPELINES = {
    (h5z.FILTER_DEFLATE,),
    (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE),
    (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE, h5z.FILTER_FLETCHER32),
}
"""How chunks may be packed. Any other filter makes HDF5 look for a plugin, outside the file."""

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


class GuardedFile:
    """An open HDF5 file of a stranger. Raises RunFileError for whatever is wrong with it.

    A file with a seal is compared with it before HDF5 sees the file; `is_sealed` tells whether it
    has one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, Any] = {}
        self._sound: dict[str, h5py.Dataset] = {}
        try:
            if not path.exists():
                raise refusal(f"there is no file {path}")
            if path.is_dir():
                raise refusal(f"{path} is a folder; a run file is one of the *.h5 in it")
            if not path.is_file():  # opening a pipe would wait for ever
                raise refusal(f"{path} is not an ordinary file, and a run file is")
            self._file = self._opened()
        except (OSError, ValueError) as error:
            raise refusal(
                f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}"
            ) from None

    def _opened(self) -> h5py.File:
        """The file as HDF5 opens it, which is the very file whose seal was looked at."""
        while True:
            with self.path.open("rb") as raw:
                self._n_bytes = os.fstat(raw.fileno()).st_size
                if not self._n_bytes:
                    raise refusal(f"{self.path} is empty")
                if self._n_bytes > MAX_FILE_BYTES:
                    raise refusal(
                        f"{self.path} has {self._n_bytes:,} bytes; at most {MAX_FILE_BYTES:,} "
                        "are read"
                    )
                self.is_sealed = is_sealed(raw)
                if self.is_sealed and not is_intact(raw):
                    raise refusal(
                        f"{self.path} is damaged: its content does not match the checksum that "
                        "it was sealed with; "
                        "take a copy of it, or run its spec again"
                    )
                try:
                    file = h5py.File(self.path, "r")
                    if os.path.samestat(os.fstat(raw.fileno()), os.fstat(file.id.get_vfd_handle())):
                        return file
                    file.close()  # a newer file has taken its place meanwhile
                except _HDF5_ERRORS as error:
                    raise refusal(f"{self.path} cannot be read as HDF5: {_reason(error)}") from None

    def __enter__(self) -> GuardedFile:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def has_attribute(self, name: str, group: str = "/") -> bool:
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
        """A text, a number, or a whole number within the bounds of the layout."""
        where = f"attribute {name}" + ("" if group == "/" else f" of {group}")
        with self._told(where):
            attributes = self._group(group).attrs
            if name not in attributes:
                raise refusal(f"{self.path} lacks the {where}")
            stored = attributes.get_id(name)
            # Asked before reading, for the value may be of any size, and of any Python type.
            if stored.get_space().get_simple_extent_type() != h5s.SCALAR or not _is_of(
                stored, expected.kind
            ):
                raise refusal(f"the {where} in {self.path} is no {_KINDS[expected.kind]}")
            if expected.kind is str and not self._has_sound_heaps:
                raise refusal(f"{self.path} is damaged: its attributes of text cannot be read")
            value: Any = expected.kind(attributes[name])
            if expected.kind is str:
                # h5py gives bytes that are no text as surrogates, which nothing can print
                value.encode()
                if len(value) > MAX_ATTRIBUTE:
                    raise refusal(
                        f"the {where} in {self.path} is longer than {MAX_ATTRIBUTE:,} characters"
                    )
            if expected.kind is int and value < expected.least:
                raise refusal(f"the {where} in {self.path} is {value}, which is no count")
            if expected.most is not None and value > expected.most:
                raise refusal(
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
                raise refusal(f"{path} in {self.path} has {len(group):,} members; it is not read")
            found = list(group)
            if not all(isinstance(name, str) for name in found):
                raise refusal(f"{path} in {self.path} has a member whose name is no text")
            return found

    def has(self, path: str) -> bool:
        """Whether the path leads to something inside this very file."""
        with self._told(path):
            return self._member(path.strip("/")) is not None

    def _member(self, path: str) -> Any:
        """What a path leads to inside this very file, None where there is nothing; each step is
        taken once.
        """
        if path not in self._found:
            above, _, name = path.rpartition("/")
            group = self._member(above) if above else self._file
            if not isinstance(group, h5py.Group) or name not in group:
                return None
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise refusal(f"{path} in {self.path} is a link, and those are not followed")
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
            most = MAX_PACKED_BYTES if dataset.chunks else MAX_BYTES
            if (nbytes := _claimed(dataset)) > most:
                raise refusal(
                    f"{path} in {self.path} has {nbytes:,} bytes; at most {most:,} are read"
                )
            values = self._unpacked(path, dataset) if dataset.chunks else np.asarray(dataset[()])
            return values.astype(values.dtype.newbyteorder("="), copy=False)

    def _group(self, path: str) -> h5py.Group:
        if path == "/":
            return self._file
        group = self._member(path.strip("/"))
        if not isinstance(group, h5py.Group):
            raise refusal(f"{self.path} has no group {path}")
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
                raise refusal(f"{self.path} has no dataset {path}")
            # First of all, for HDF5 may open the other file to tell the shape.
            how = dataset.id.get_create_plist()
            if how.get_external_count() or how.get_layout() == h5d.VIRTUAL:
                raise refusal(
                    f"{path} in {self.path} lies in another file, and those are not opened"
                )
            # Asked of HDF5, for making a NumPy type of a type that is nested thousands deep takes
            # gigabytes.
            if dataset.id.get_space().get_simple_extent_type() == h5s.NULL or not _is_plain(
                dataset.id.get_type()
            ):
                raise refusal(f"{path} in {self.path} holds neither plain numbers nor text")
            if dataset.chunks and _pipeline(dataset) not in _PIPELINES:
                raise refusal(f"{path} in {self.path} is not packed as run files are")
            claimed, stored = _claimed(dataset), min(dataset.id.get_storage_size(), self._n_bytes)
            if claimed > (MAX_PACKING * stored if dataset.chunks else stored):
                raise refusal(
                    f"{path} in {self.path} claims {claimed:,} bytes and holds {stored:,}; it "
                    "is not read"
                )
            self._sound[path] = dataset
            return dataset

    def _unpacked(self, path: str, dataset: h5py.Dataset) -> Array:
        """A dataset in chunks.

        HDF5 itself unpacks a chunk to whatever size comes out, reads past its end where that is too
        short, and takes kilobytes of memory for each chunk that is not even there.
        """
        shape, size = dataset.shape, dataset.chunks
        stored: list[Any] = []
        dataset.id.chunk_iter(stored.append)
        places = {chunk.chunk_offset for chunk in stored}
        if (
            any(c > n for c, n in zip(size, shape, strict=True))
            or not len(stored)
            == len(places)
            == math.prod(-(-n // c) for n, c in zip(shape, size, strict=True))
            or any(
                o % c or o >= n
                for place in places
                for o, c, n in zip(place, size, shape, strict=True)
            )
            or any(chunk.filter_mask or chunk.size > self._n_bytes for chunk in stored)
        ):
            raise refusal(f"{path} in {self.path} is damaged: its chunks do not make up the whole")
        whole = np.empty(shape, dataset.dtype)
        for place in places:
            _mask, packed = dataset.id.read_direct_chunk(place)
            chunk = _inflated(
                packed, size, dataset.dtype, is_shuffled=_pipeline(dataset)[0] == h5z.FILTER_SHUFFLE
            )
            target = whole[tuple(slice(o, o + c) for o, c in zip(place, size, strict=True))]
            target[...] = chunk[
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
            raise refusal(f"{what} in {self.path} does not fit into memory") from None
        except (*_HDF5_ERRORS, zlib.error) as error:
            raise refusal(f"{what} in {self.path} is damaged: {_reason(error)}") from None


_KINDS: dict[type, str] = {str: "text", int: "whole number", float: "number"}
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


def _is_plain(stored: Any) -> bool:
    """Whether the type of a dataset is one of those that run files are made of: numbers, or text
    of fixed length.
    """
    if stored.get_class() == h5t.STRING:
        return not stored.is_variable_str()
    return any(stored.equal(number) for number in _NUMBERS)


def _pipeline(dataset: h5py.Dataset) -> tuple[int, ...]:
    how = dataset.id.get_create_plist()
    return tuple(how.get_filter(i)[0] for i in range(how.get_nfilters()))


def _claimed(dataset: h5py.Dataset) -> int:
    """The bytes that a dataset would take; NumPy's own product may overflow."""
    return math.prod(dataset.shape) * int(dataset.dtype.itemsize)


def _inflated(
    packed: bytes, shape: tuple[int, ...], dtype: np.dtype[Any], *, is_shuffled: bool
) -> Array:
    """One chunk; its zlib stream holds a checksum. Raises ValueError where it does not fill the
    chunk exactly.
    """
    nbytes = math.prod(shape) * dtype.itemsize
    stream = zlib.decompressobj()
    content = stream.decompress(packed, nbytes + 1)
    if len(content) != nbytes or not stream.eof:
        raise ValueError(
            f"a chunk of {nbytes:,} bytes is packed in {len(packed):,} that do not make it up"
        )
    if is_shuffled:
        content = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
    return np.frombuffer(content, dtype).reshape(shape)


def refusal(text: str) -> RunFileError:
    """The error with this sentence; names of files and in files may hold anything."""
    return RunFileError(printable(text))


def _reason(error: Exception) -> str:
    """What HDF5 says, without its account of what it was asked to do."""
    text = " ".join(str(error).split()) or type(error).__name__
    inner = re.fullmatch(r"\W*(?:Unable to|Can't|Failed to) [^()]*\((.*)\)\W*", text)
    return textwrap.shorten(inner[1] if inner else text, 150, placeholder=" …")
