"""A data set as its publisher gives it away: files with sizes and checksums, and the ways in
which they may lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from laaf_cli.images.data.images import Images


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file with what is known of it."""

    name: str
    size: int | None = None
    """In bytes, None where it is not known beforehand."""
    checksum: str = ""
    """`sha256:…`, `sha1:…` or `md5:…`; empty where a file is packed by whoever keeps it."""
    urls: tuple[str, ...] = ()
    """Where it is to be had, the best first."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way in which a piece of a data set may lie on the disk."""

    file: PublishedFile
    packing: str = "plain"
    """A row of `PACKINGS`."""
    member: str = ""
    """Its name inside an archive."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Bytes that a reader takes, with every form in which they may be found, the preferred first.

    size, checksum: of these bytes.
    """

    name: str
    size: int
    checksum: str
    forms: tuple[Form, ...]

    @property
    def fetched(self) -> PublishedFile:
        """The file that is fetched where it is missing."""
        return next(form.file for form in self.forms if form.file.urls)


@dataclass(frozen=True, kw_only=True)
class DataSetPart:
    """Images that are read together: `read` takes the bytes of the pieces, in their order, and
    gives `n` images.
    """

    name: str
    n: int
    pieces: tuple[Piece, ...]
    read: Callable[..., Images]


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A row of the table of data sets."""

    name: str
    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    """Channels, height and width."""
    train: tuple[DataSetPart, ...]
    test: tuple[DataSetPart, ...]
    folders: tuple[str, ...]
    """Those in which other programs keep the files."""
    terms: str
    """Who published it, and on what terms."""

    @property
    def parts(self) -> tuple[DataSetPart, ...]:
        """The parts for training and for testing."""
        return (*self.train, *self.test)

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """Every file that has a checksum, in whatever form."""
        forms = (form for part in self.parts for piece in part.pieces for form in piece.forms)
        return tuple(dict.fromkeys(form.file for form in forms if form.file.checksum))


def has_checksum(content: bytes, checksum: str) -> bool:
    """Whether the bytes have that checksum, `algorithm:hex`."""
    return checksum_of(content, checksum.partition(":")[0]) == checksum


def checksum_of(content: bytes, algorithm: str) -> str:
    """The checksum of the bytes as `algorithm:hex`."""
    # These are the checksums that were published; they guard against mishaps where no better one is
    # known.
    return f"{algorithm}:{hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()}"
