"""NumPy's archives: named arrays in a ZIP file, looked at one by one and unpacked to their size
and no further.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, cast

import numpy as np

from laaf_cli.files.untrusted import npy
from laaf_cli.files.untrusted.stored_array import (
    MAX_PACKING,
    DamagedFileError,
    StoredArray,
    StoredArrayError,
)

MAX_DIRECTORY = 10_000_000
"""The most bytes of the directory of an archive, which Python's module turns into hundreds of
bytes for each member.
"""

_DAMAGED = (
    *(
        OSError,
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
    ),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


@dataclass(frozen=True, kw_only=True)
class _Member(StoredArray):
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def read(self) -> np.ndarray:
        with _said_as_damage(), self.archive.open(self.info) as stream:
            return npy.read(stream, self.info.file_size, f"'{self.name}'")


class NumpyArchive(Mapping[str, StoredArray]):
    """The arrays of an archive by name; each is looked at when it is asked for.

    Raises DamagedFileError where the stream is no sound ZIP file, and StoredArrayError for a member
    that is no array.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        with _said_as_damage():
            self._archive = zipfile.ZipFile(cast("IO[bytes]", _Pieces(stream)))
        self._members = {
            info.filename.removesuffix(".npy"): info for info in self._archive.infolist()
        }

    def __getitem__(self, name: str) -> StoredArray:
        info = self._members[name]
        # Python's module unpacks whole blocks of the others, which may become large.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise StoredArrayError(f"'{name}' is packed by a method other than deflate")
        # A lie then: what is claimed could fill the memory.
        if info.file_size > MAX_PACKING * info.compress_size:
            raise StoredArrayError(
                f"'{name}' claims {info.file_size:,} bytes, which it does not hold"
            )
        with _said_as_damage(), self._archive.open(info) as stream:
            shape, dtype = npy.look(stream, f"'{name}'")
        return _Member(name=name, shape=shape, dtype=dtype, archive=self._archive, info=info)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


class _Pieces:
    """A stream that is read in pieces, the directory of an archive being the largest of them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(MAX_DIRECTORY + 1 if size < 0 else min(size, MAX_DIRECTORY + 1))
        if len(piece) > MAX_DIRECTORY:
            raise DamagedFileError(f"its directory has more than {MAX_DIRECTORY:,} bytes")
        return piece


@contextmanager
def _said_as_damage() -> Iterator[None]:
    """Turns what Python's module raises for a damaged archive into DamagedFileError."""
    try:
        yield
    except _DAMAGED as error:
        raise DamagedFileError(f"it is not a NumPy archive: {error}") from None
