"""The files of a data set under a folder: found in whatever form they lie there, read once, and
checked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from laaf_cli.images.data.packing import unpacked
from laaf_cli.images.data.published import DataSet, Piece, PublishedFile, checksum_of, has_checksum
from laaf_cli.images.errors import DataSetError
from laaf_cli.text import printable

DATA_DIR = "LAAF_DATA_DIR"
"""The environment variable that names the folder of the data sets."""

_PACKED_SLACK = 1_000_000
"""By how many bytes a packed file may be larger than what is in it."""


def default_data_dir() -> Path:
    """The folder that LAAF_DATA_DIR names, else the cache of this user."""
    named = os.environ.get(DATA_DIR)
    if named:
        return Path(named)
    import pooch

    return Path(pooch.os_cache("laaf"))


class FilesOfDataSet:
    """What there is of a data set under a folder; every file is read at most once, and what is
    checked is used.

    A file lies in `folder/NAME`, in `folder` itself, or where other programs put it. others: the
    other data sets, for some have files of the same names. sha256: of each file that was read, by
    name.
    """

    def __init__(self, dataset: DataSet, folder: Path, others: Mapping[str, DataSet]) -> None:
        self.dataset, self.folder = dataset, folder
        self.own_folder = folder / dataset.name
        self.sha256: dict[str, str] = {}
        self._foreign = {
            file for name, row in others.items() if name != dataset.name for file in row.files
        }
        self._members: dict[Path, dict[str, bytes] | None] = {}

    def content(self, piece: Piece) -> bytes | None:
        """The bytes of a piece, None where it is there in no form.

        Raises DataSetError for a file that is not what it should be.
        """
        for form in piece.forms:
            for path in self._places(form.file.name):
                members = self._read(path, form.file)
                if members is None:
                    continue
                content = members[form.member]
                if len(content) != piece.size:
                    why = f"it has {len(content):,} bytes of {piece.name}, and {piece.size:,}"
                    raise _other_file(path, piece.name, f"{why} were expected")
                # One from a file without a checksum of its own.
                if not form.file.checksum and not has_checksum(content, piece.checksum):
                    why = f"of what is in it, {_checksums(content, piece.checksum)}"
                    raise _other_file(path, piece.name, why)
                return content
        return None

    def _places(self, name: str) -> Iterator[Path]:
        folders = (
            self.own_folder,
            self.folder,
            *(self.folder / other for other in self.dataset.folders),
        )
        for folder in (*folders, *(self.own_folder / other for other in self.dataset.folders)):
            path = folder / name
            try:
                # A directory may have the name of a file, as `train` does.
                is_there = path.exists() and not path.is_dir()
            except OSError as error:
                raise DataSetError(
                    f"{shown_path(path)} cannot be read: {error.strerror or error}"
                ) from None
            if is_there:
                yield path

    def _read(self, path: Path, file: PublishedFile) -> dict[str, bytes] | None:
        """The members of a file that are wanted, or None where it belongs to another data set."""
        if path not in self._members:
            forms = [
                (form, piece)
                for part in self.dataset.parts
                for piece in part.pieces
                for form in piece.forms
                if form.file == file
            ]
            wanted = {form.member: piece.size for form, piece in forms}
            namesakes = [
                other
                for other in self._foreign
                if other.name == file.name and path.parent == self.folder
            ]
            limit = max(
                other.size or sum(wanted.values()) + _PACKED_SLACK for other in (file, *namesakes)
            )
            content = bytes_of(path, limit)
            if any(
                has_checksum(content, other.checksum)
                for other in namesakes
                if other.size == len(content)
            ):
                self._members[path] = None
                return None
            _check(path, content, file, limit)
            try:
                self._members[path] = unpacked(forms[0][0].packing, content, wanted)
            except DataSetError as error:
                raise DataSetError(f"{shown_path(path)}: {error}") from None
            self.sha256[file.name] = checksum_of(content, "sha256").partition(":")[2]
        return self._members[path]


def shown_path(path: Path) -> str:
    """A path in a message."""
    return printable(str(path))


def bytes_of(path: Path, limit: int) -> bytes:
    """At most one byte more than `limit`, because what is larger is not what it should be."""
    try:
        # A pipe or a device may never end, or never begin.
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataSetError(f"{shown_path(path)} is not a regular file")
        with path.open("rb") as stream:
            # No more than the file has: reading takes the memory for all that it is asked for.
            return stream.read(min(limit, os.fstat(stream.fileno()).st_size) + 1)
    except OSError as error:
        raise DataSetError(
            f"{shown_path(path)} cannot be read: {error.strerror or error}"
        ) from None


def _check(path: Path, content: bytes, file: PublishedFile, limit: int) -> None:
    """Raises DataSetError where the bytes are not those that were published."""
    if file.size is not None and len(content) != file.size:
        size = f"{path.stat().st_size:,}"
        raise _other_file(path, file.name, f"it has {size} bytes, and {file.size:,} were expected")
    if len(content) > limit:
        raise _other_file(path, file.name, f"it is larger than {limit:,} bytes")
    if file.checksum and not has_checksum(content, file.checksum):
        raise _other_file(path, file.name, _checksums(content, file.checksum))


def _checksums(content: bytes, expected: str) -> str:
    algorithm = expected.partition(":")[0]
    checksum = checksum_of(content, algorithm)
    return (
        f"the {algorithm} is {checksum.partition(':')[2]}, and {expected.partition(':')[2]} "
        "was expected"
    )


def _other_file(path: Path, name: str, why: str) -> DataSetError:
    return DataSetError(
        f"{shown_path(path)} is not {name} as published: {why}. "
        "Remove it, and it is fetched again, or put the published file in its place."
    )
