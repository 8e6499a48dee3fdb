"""Tabulated fields in files: NPZ, HDF5, MATLAB 5 and CSV → named arrays, without unpickling
anything.
"""

from __future__ import annotations

import csv
import stat
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.files.untrusted import matlab
from laaf_cli.files.untrusted.npz import NumpyArchive
from laaf_cli.files.untrusted.stored_array import (
    MAX_NUMBERS,
    DamagedFileError,
    StoredArray,
    StoredArrayError,
    check_size,
)
from laaf_cli.problem.domain import grid_points
from laaf_cli.text import did_you_mean, listed, printable

MAX_BYTES = 2_000_000_000
MAX_LINE = 1_000_000
MAX_LISTED = 20
"""The most names of a file that a message lists."""
MAX_COMPARED = 1000
"""The most names of a file that are looked at for a similar one."""


class TableError(Exception):
    """A data file cannot be used; the text says why, in the user's terms. name: that of the
    column that is missing.
    """

    def __init__(self, why: str, name: str | None = None) -> None:
        super().__init__(printable(why))
        self.name = name


@dataclass(frozen=True)
class Table:
    """Fields on a rectilinear grid: one axis [n_i] per coordinate, each field of shape [n_1, …,
    n_d].
    """

    axes: tuple[Array, ...]
    fields: Mapping[str, Array]


@dataclass(frozen=True)
class Rows:
    """Fields at scattered points: points [n, d], each field [n]."""

    points: Array
    fields: Mapping[str, Array]


def read_table(
    path: Path, coordinates: Iterable[str], unknowns: Iterable[str], names: Mapping[str, str]
) -> Table | Rows:
    """The coordinates and unknowns of a file; `names` maps ours to those in the file where they
    differ.

    A file holds either one vector per coordinate and one array per unknown (its axes in the order
    of the coordinates, or in whatever order the lengths tell), or columns of equal length. Columns
    that fill a grid become a grid.

    Raises TableError for a file that is missing, of another format, too large, lacks a name, holds
    other things than finite real numbers, or whose shapes do not fit.
    """
    arrays = _read(path, {name: names.get(name, name) for name in (*coordinates, *unknowns)})
    coordinates, unknowns = tuple(coordinates), tuple(unknowns)
    vectors = [np.atleast_1d(arrays[name].squeeze()) for name in coordinates]
    for name, vector in zip(coordinates, vectors, strict=True):
        if vector.ndim != 1:
            raise TableError(
                f"'{name}' in {path} has shape {arrays[name].shape}; a coordinate is a vector"
            )
    values = {name: np.atleast_1d(arrays[name].squeeze()) for name in unknowns}
    sizes = {len(vector) for vector in vectors}
    if all(value.ndim == 1 and {len(value)} == sizes for value in values.values()):
        return _as_grid(Rows(np.stack(vectors, axis=1), values))
    fields = {name: _oriented(path, name, arrays[name], vectors) for name in unknowns}
    orders = [np.argsort(vector) for vector in vectors]
    axes = tuple(vector[order] for vector, order in zip(vectors, orders, strict=True))
    if any(np.any(np.diff(axis) == 0) for axis in axes):
        raise TableError("a coordinate of the grid holds one value twice")
    return Table(axes, {name: value[np.ix_(*orders)] for name, value in fields.items()})


def as_rows(table: Table | Rows) -> Rows:
    """The same values as scattered points."""
    if isinstance(table, Rows):
        return table
    fields = {name: value.ravel() for name, value in table.fields.items()}
    return Rows(grid_points(table.axes), fields)


def _as_grid(rows: Rows) -> Table | Rows:
    axes = tuple(np.unique(rows.points[:, i]) for i in range(rows.points.shape[1]))
    sizes = tuple(len(axis) for axis in axes)
    if np.prod([float(size) for size in sizes]) != len(rows.points):
        return rows
    places = [np.searchsorted(axis, rows.points[:, i]) for i, axis in enumerate(axes)]
    index = np.ravel_multi_index(tuple(places), sizes)
    if len(np.unique(index)) != len(index):
        return rows
    order = np.argsort(index)
    return Table(axes, {name: value[order].reshape(sizes) for name, value in rows.fields.items()})


def _oriented(path: Path, name: str, value: Array, vectors: list[Array]) -> Array:
    sizes = [len(vector) for vector in vectors]
    if list(value.shape) == sizes:
        return value
    wide = [size for size in sizes if size > 1]
    if value.size == np.prod(sizes) and list(value.squeeze().shape) == wide:
        return value.reshape(sizes)
    if sorted(value.shape) == sorted(sizes) and len(set(sizes)) == len(sizes):
        return value.transpose([value.shape.index(size) for size in sizes])
    raise TableError(
        f"'{name}' in {path} has shape {value.shape}, and its coordinates have {tuple(sizes)} "
        "values"
    )


# What the formats' readers raise for damaged files; anything else is a fault of ours and passes on.
_DAMAGED = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, IndexError, NotImplementedError),
    *(RuntimeError, MemoryError, zlib.error, csv.Error),
)


def _read(path: Path, wanted: Mapping[str, str]) -> dict[str, Array]:
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        raise TableError(f"{path} is none of {listed(FORMATS)}")
    try:
        status = path.stat()
    except FileNotFoundError:
        raise TableError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise TableError(f"{path} cannot be read: {why}") from None
    # A pipe or a device may never end, or never begin.
    if not stat.S_ISREG(status.st_mode):
        raise TableError(f"{path} is not a regular file")
    if status.st_size > MAX_BYTES:
        raise TableError(f"{path} is larger than {MAX_BYTES:,} bytes")
    try:
        found = reader(path, list(wanted.values()))
    except TableError:
        raise
    except (DamagedFileError, *_DAMAGED) as error:
        why = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise TableError(f"{path} cannot be read as {path.suffix.lower()[1:]}: {why}") from None
    except StoredArrayError as error:
        raise TableError(f"{path}: {error}") from None
    arrays = {}
    for ours, theirs in wanted.items():
        values = found[theirs]
        if values.dtype.kind not in "fiu":
            raise TableError(f"'{theirs}' in {path} does not hold real numbers")
        if values.size == 0:
            raise TableError(f"'{theirs}' in {path} is empty")
        if values.size > MAX_NUMBERS:
            raise TableError(f"'{theirs}' in {path} has more than {MAX_NUMBERS:,} numbers")
        arrays[ours] = values.astype(np.float64)
        if not np.all(np.isfinite(arrays[ours])):
            raise TableError(f"'{theirs}' in {path} holds values that are not finite")
    return arrays


def _lacking(path: Path, name: str, present: Iterable[str]) -> TableError:
    present = list(present)
    more = " and more" if len(present) > MAX_LISTED else ""
    hint = did_you_mean(name, present[:MAX_COMPARED])
    hint = hint or f"It has: {listed(present[:MAX_LISTED])}{more}."
    return TableError(
        f"{path} has no '{name}'. {hint} The key 'names' maps a name to that in the file.", name
    )


def _read_stored(
    path: Path, names: list[str], arrays_of: Callable[[BinaryIO], Mapping[str, StoredArray]]
) -> dict[str, np.ndarray]:
    with path.open("rb") as stream:
        present = arrays_of(stream)
        for name in names:
            if name not in present:
                raise _lacking(path, name, present)
        chosen = {name: present[name] for name in names}
        for name, stored in chosen.items():
            if stored.dtype.kind == "O":
                raise TableError(f"{path} holds Python objects, which are not read")
            if stored.dtype.kind not in "fiu":
                raise TableError(f"'{name}' in {path} does not hold real numbers")
            check_size(name, stored.shape)
        if sum(stored.n_bytes for stored in chosen.values()) > MAX_BYTES:
            raise TableError(f"what is read of {path} unpacks to more than {MAX_BYTES:,} bytes")
        return {name: stored.read() for name, stored in chosen.items()}


def _read_hdf5(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    from laaf_cli.files.untrusted.hdf5 import GuardedFile

    with GuardedFile(path, TableError) as file:
        found = {}
        for name in names:
            if not file.has(name):
                raise _lacking(path, name, file.names("/"))
            check_size(name, file.shape(name))
            found[name] = file.array(name)
        return found


def _read_csv(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(_lines(path, file))
        header = [column.strip() for column in next(lines, [])]
        for name in names:
            if name not in header:
                raise _lacking(path, name, header)
        columns = [header.index(name) for name in names]
        numbers = array("d")
        for line in lines:
            if not line:
                continue
            try:
                numbers.extend([float(line[column]) for column in columns])
            except (ValueError, IndexError):
                raise TableError(
                    f"line {lines.line_num} of {path} does not hold a number in every column"
                ) from None
            if len(numbers) > MAX_NUMBERS:
                raise TableError(f"{path} has more than {MAX_NUMBERS:,} numbers")
    if not numbers:
        raise TableError(f"{path} has no rows")
    return dict(zip(names, np.asarray(numbers).reshape(-1, len(names)).T, strict=True))


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of a text, none of them endless."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise TableError(f"{path} has a line of more than {MAX_LINE:,} characters")
        yield line


FORMATS: dict[str, Callable[[Path, list[str]], dict[str, np.ndarray]]] = {
    ".npz": lambda path, names: _read_stored(path, names, NumpyArchive),
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".mat": lambda path, names: _read_stored(path, names, matlab.arrays_of),
    ".csv": _read_csv,
}
