"""Packed files, unpacked in memory to the size that they should have and no further."""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping

from laaf_cli.images.errors import DataSetError

MAX_MEMBERS = 1000
"""The most members of an archive that are looked at."""

XZ_MEMORY = 100_000_000
"""What the strongest setting of xz takes to unpack, and some more."""

_SLACK = 20_000_000
"""What an archive may hold besides the members that are wanted, in bytes."""

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
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)

Unpack = Callable[[bytes, Mapping[str, int]], dict[str, bytes]]
"""Takes packed bytes and the most bytes of each member that is wanted, and gives these; one
without a name is ''.
"""


def unpacked(packing: str, content: bytes, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """The wanted members, each of at most its size.

    Raises DataSetError where one is missing or larger, and where the file is damaged or continues
    after its end.
    """
    try:
        members = PACKINGS[packing](content, wanted)
    except _DAMAGED as error:
        raise DataSetError(f"it cannot be unpacked as {packing}: {error}") from None
    for name, size in wanted.items():
        what = f"'{name}' in it" if name else "it"
        if name not in members:
            raise DataSetError(f"it has no '{name}'")
        if len(members[name]) > size:
            raise DataSetError(f"{what} has more than the {size:,} bytes that were expected")
    return members


def _plain(content: bytes, wanted: Mapping[str, int]) -> dict[str, bytes]:
    return dict.fromkeys(wanted, content)


def _gzip(content: bytes, wanted: Mapping[str, int]) -> dict[str, bytes]:
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    (size,) = wanted.values()
    member = stream.decompress(content, size + 1)
    if len(member) <= size:
        _check_end(stream.eof, len(stream.unused_data))
    return {"": member}


def _xz(content: bytes, wanted: Mapping[str, int]) -> dict[str, bytes]:
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
    (size,) = wanted.values()
    member = stream.decompress(content, size + 1)
    if len(member) <= size:
        _check_end(stream.eof, len(stream.unused_data) if stream.eof else 0)
    return {"": member}


def _check_end(is_whole: bool, n_left: int) -> None:
    if not is_whole:
        raise DataSetError("it ends in the middle")
    if n_left:
        raise DataSetError(f"{n_left:,} bytes follow after its end")


class _Limited(io.RawIOBase):
    """The first bytes of a stream; to ask for more is an error."""

    def __init__(self, stream: io.BufferedIOBase, n_left: int) -> None:
        self._stream, self._n_left = stream, n_left

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._n_left:
            raise DataSetError("it unpacks to more than was expected")
        chunk = self._stream.read(size)
        self._n_left -= len(chunk)
        return chunk


def _tar(content: bytes, wanted: Mapping[str, int]) -> dict[str, bytes]:
    import gzip

    contents = {}
    limit = sum(wanted.values()) * 2 + _SLACK
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        archive = tarfile.open(fileobj=_Limited(stream, limit), mode="r|")  # noqa: SIM115
        for number, member in enumerate(archive):
            if number == MAX_MEMBERS:
                raise DataSetError(f"it has more than {MAX_MEMBERS:,} members")
            if member.name not in wanted:
                continue
            file = archive.extractfile(member) if member.isreg() else None
            if file is None:
                raise DataSetError(f"'{member.name}' in it is not a file")
            contents[member.name] = file.read(wanted[member.name] + 1)
            if len(contents) == len(wanted):
                break
    return contents


def _zip(content: bytes, wanted: Mapping[str, int]) -> dict[str, bytes]:
    contents = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name in wanted:
                with archive.open(name) as member:
                    contents[name] = member.read(wanted[name] + 1)
    return contents


PACKINGS: dict[str, Unpack] = {
    "plain": _plain,
    "gzip": _gzip,
    "xz": _xz,
    "tar.gz": _tar,
    "zip": _zip,
}
