"""Tabulated fields in files: NPZ, HDF5, MATLAB 5 and CSV → named arrays, without unpickling
anything.
"""

from __future__ import annotations

import csv
import stat
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.files.untrusted import matlab
from laaf_cli.files.untrusted.csv_columns import (
    MAX_LISTED,
    CsvError,
    MissingColumnError,
    read_columns,
)
from laaf_cli.files.untrusted.npz import NumpyArchive
from laaf_cli.files.untrusted.stored_array import (
    MAX_NUMBERS,
    DamagedFileError,
    StoredArray,
    StoredArrayError,
    check_size,
)
from laaf_cli.problem.domain import grid_points
from laaf_cli.text import any_of, did_you_mean, listed, printable

MAX_BYTES = 2_000_000_000
MAX_COMPARED = 1000
"""The most names of a file that are looked at for a similar one."""


class TableError(Exception):
    """A data file cannot be used; the text says why, in the user's terms.

    Args:
        name: that of the column that is missing.
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
    """Fields at scattered points: points [n, d], each field [n]; the line [n] in the file of each,
    from 1, where the file is a text.
    """

    points: Array
    fields: Mapping[str, Array]
    lines: Array | None = None

    def place(self, row: int) -> str:
        """Where a row is in the file, for people."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"


def read_table(
    path: Path,
    coordinates: Iterable[str],
    unknowns: Iterable[str],
    names: Mapping[str, str],
    columns: Sequence[str] | None = None,
) -> Table | Rows:
    """The coordinates and unknowns of a file; `names` maps ours to those in the file where they
    differ, `columns` names the columns of a CSV without a header.

    A file holds either one vector per coordinate and one array per unknown (its axes in the order
    of the coordinates, or in whatever order the lengths imply), or columns of equal length. Columns
    that fill a grid become a grid.

    Raises:
        TableError: for a file that is missing, of another format, too large, lacks a name, holds
            other things than finite real numbers, or whose shapes do not fit.
    """
    table = _read_fields(path, coordinates, unknowns, names, columns)
    return _as_grid(table) if isinstance(table, Rows) else table


def read_rows(
    path: Path,
    coordinates: Iterable[str],
    unknowns: Iterable[str],
    names: Mapping[str, str],
    columns: Sequence[str] | None = None,
) -> Rows:
    """What `read_table` reads as scattered points; columns in the order of their rows."""
    return as_rows(_read_fields(path, coordinates, unknowns, names, columns))


def as_rows(table: Table | Rows) -> Rows:
    """The same values as scattered points."""
    if isinstance(table, Rows):
        return table
    fields = {name: value.ravel() for name, value in table.fields.items()}
    return Rows(grid_points(table.axes), fields)


def _read_fields(
    path: Path,
    coordinates: Iterable[str],
    unknowns: Iterable[str],
    names: Mapping[str, str],
    columns: Sequence[str] | None,
) -> Table | Rows:
    coordinates, unknowns = tuple(coordinates), tuple(unknowns)
    wanted = {name: names.get(name, name) for name in (*coordinates, *unknowns)}
    arrays, lines = _read(path, wanted, columns)
    vectors = [np.atleast_1d(arrays[name].squeeze()) for name in coordinates]
    for name, vector in zip(coordinates, vectors, strict=True):
        if vector.ndim != 1:
            raise TableError(
                f"'{name}' in {path} has shape {arrays[name].shape}; a coordinate is a vector"
            )
    values = {name: np.atleast_1d(arrays[name].squeeze()) for name in unknowns}
    sizes = {len(vector) for vector in vectors}
    if all(value.ndim == 1 and {len(value)} == sizes for value in values.values()):
        return Rows(np.stack(vectors, axis=1), values, lines)
    fields = {name: _oriented(path, name, arrays[name], vectors) for name in unknowns}
    orders = [np.argsort(vector) for vector in vectors]
    axes = tuple(vector[order] for vector, order in zip(vectors, orders, strict=True))
    if any(np.any(np.diff(axis) == 0) for axis in axes):
        raise TableError("a coordinate of the grid holds one value twice")
    return Table(axes, {name: value[np.ix_(*orders)] for name, value in fields.items()})


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


def _read(
    path: Path, wanted: Mapping[str, str], columns: Sequence[str] | None
) -> tuple[dict[str, Array], Array | None]:
    """The arrays of a file under our names, and the lines of their rows where it is a text."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise TableError(f"{path} is not one of {listed(FORMATS)}")
    if columns is not None and suffix not in TEXTS:
        raise TableError(
            f"{path} names its arrays itself; 'columns' names those of {any_of(TEXTS)} files"
        )
    _check_file(path)
    names = list(wanted.values())
    lines = None
    try:
        if suffix in TEXTS:
            by_name, lines = _read_csv(path, names, columns or ())
        else:
            by_name = ARRAYS[suffix](path, names)
    except TableError:
        raise
    except (DamagedFileError, *_DAMAGED) as error:
        why = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise TableError(f"{path} cannot be read as {suffix[1:]}: {why}") from None
    except StoredArrayError as error:
        raise TableError(f"{path}: {error}") from None
    arrays = {}
    for ours, theirs in wanted.items():
        values = by_name[theirs]
        if values.dtype.kind not in "fiu":
            raise TableError(f"'{theirs}' in {path} does not hold real numbers")
        if values.size == 0:
            raise TableError(f"'{theirs}' in {path} is empty")
        if values.size > MAX_NUMBERS:
            raise TableError(f"'{theirs}' in {path} has more than {MAX_NUMBERS:,} numbers")
        arrays[ours] = values.astype(np.float64)
        n_wrong = np.count_nonzero(~np.isfinite(arrays[ours]))
        if n_wrong:
            raise TableError(
                f"'{theirs}' in {path} holds values that are not finite ({n_wrong:,} of "
                f"{values.size:,})"
            )
    return arrays, lines


def _check_file(path: Path) -> None:
    """Raises TableError for what is not a file that can be read here."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise TableError(_not_there(path)) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise TableError(f"{path} cannot be read: {why}") from None
    # A pipe or a device may never end, or never begin.
    if not stat.S_ISREG(status.st_mode):
        raise TableError(f"{path} is not a regular file")
    if status.st_size > MAX_BYTES:
        raise TableError(f"{path} is larger than {MAX_BYTES:,} bytes")


def _not_there(path: Path) -> str:
    """That there is no such file, and the file beside it with a similar name."""
    if not path.parent.is_dir():
        return f"there is no file {path}: there is no folder {path.parent}"
    with suppress(OSError):
        beside = (file.name for file in path.parent.iterdir() if file.suffix.lower() in FORMATS)
        if hint := did_you_mean(path.name, islice(beside, MAX_COMPARED)):
            return f"there is no file {path}. {hint}"
    return f"there is no file {path}"


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
        arrays = {}
        for name in names:
            if not file.has(name):
                raise _lacking(path, name, file.names("/"))
            check_size(name, file.shape(name))
            arrays[name] = file.array(name)
        return arrays


def _read_csv(
    path: Path, names: list[str], header: Sequence[str]
) -> tuple[dict[str, Array], Array]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            read = read_columns(file, str(path), names, header, MAX_NUMBERS)
    except MissingColumnError as error:
        if error.header:
            raise _lacking(path, error.name, error.header) from None
        few = listed(error.first_row[:MAX_LISTED])
        columns = names if len(names) == len(error.first_row) else [*names, "…"]
        raise TableError(
            f"{path} has no header: its first row is {few}. Name its columns in their order, as "
            f"in columns: [{listed(columns)}].",
            error.name,
        ) from None
    except CsvError as error:
        raise TableError(str(error)) from None
    return dict(zip(names, read.values.T, strict=True)), read.lines


ARRAYS: dict[str, Callable[[Path, list[str]], dict[str, np.ndarray]]] = {
    ".npz": lambda path, names: _read_stored(path, names, NumpyArchive),
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".mat": lambda path, names: _read_stored(path, names, matlab.arrays_of),
}
"""How files of named arrays are read, by their ending."""

TEXTS = (".csv", ".tsv", ".txt", ".dat")
"""The endings of texts in which a line is a row."""

FORMATS = (*ARRAYS, *TEXTS)
