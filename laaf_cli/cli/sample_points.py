"""Where fields are computed: what `--grid` and `--points` say, as places."""

from __future__ import annotations

import csv
import io
import math
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.cli import console
from laaf_cli.cli.place_options import GRID_FORMS
from laaf_cli.errors import UsageError
from laaf_cli.expression import ExpressionError, Number, Scope, parse, resolve
from laaf_cli.files.untrusted.csv_columns import CsvError, MissingColumnError, read_columns
from laaf_cli.problem import SamplePoints, on_triangles
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.text import did_you_mean, listed, printable, shown

MAX_VALUES = 50_000_000
"""Values of fields that one command computes; 400 MB."""

_COUNT = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class _Range:
    """Equidistant values, both ends included; one value where the count is 1."""

    lower: float
    upper: float
    count: int

    def values(self) -> Array:
        return np.linspace(self.lower, self.upper, self.count)


def choose_places(
    domain: Domain,
    axes: Mapping[str, Array],
    grid: Sequence[str],
    points: str | None,
    n_fields: int,
    *,
    quiet: bool,
    in_cells: bool = False,
) -> SamplePoints:
    """The points of a CSV, or the grid that is described; the grid of `axes` where neither is
    given, or triangles as fine where there is a shape in the plane and cells are wanted.

    Raises UsageError for what `on_grid` and `read_points` do, and for too many values.
    """
    if points is not None:
        file = read_points(points, domain.coordinates)
        check_size({"rows": file.places.n_points}, n_fields)
        if file.unused and not quiet:
            console.print_message(f"columns that are not used: {printable(', '.join(file.unused))}")
        return file.places
    places = on_grid(grid, domain, axes, n_fields)
    shape = domain.shape
    if in_cells and isinstance(shape, PlaneShape):
        names = {domain.coordinates[axis] for axis in shape.axes}
        if not names & {
            piece.partition("=")[0].strip() for text in grid for piece in text.split(",")
        }:
            return on_triangles(shape, places.coordinates)
    return places


def check_size(sizes: Mapping[str, int], n_fields: int) -> None:
    """Raises UsageError for more values than one command computes, before anything is allocated."""
    n_points = math.prod(sizes.values())
    if n_points * n_fields > MAX_VALUES:
        by_name = " × ".join(f"{size:,} ({name})" for name, size in sizes.items())
        raise UsageError(
            f"{by_name} points and {n_fields} field{'s'[: n_fields > 1]} are "
            f"{n_points * n_fields:,} values; at most {MAX_VALUES:,} are computed at once\n"
            "Fewer points, or one part of the domain after another."
        )


def on_grid(
    texts: Iterable[str], domain: Domain, axes: Mapping[str, Array], n_fields: int
) -> SamplePoints:
    """The grid that `--grid` describes; a coordinate that is not named has the values of `axes`.

    Raises UsageError for a piece that has none of the forms, for a name that is not a coordinate or
    appears twice, and for a grid that is too large.
    """
    ranges: dict[str, _Range] = {}
    for piece in (piece.strip() for text in texts for piece in text.split(",")):
        name, equals, value = (part.strip() for part in piece.partition("="))
        if not (name and equals and value):
            raise UsageError(f"--grid: {shown(piece)} does not have the form of x=101\n{_forms()}")
        if name not in domain.coordinates:
            known = domain.coordinates
            hint = did_you_mean(name, known) or f"Coordinates: {listed(known)}."
            raise UsageError(f"--grid: {shown(name)} is not a coordinate. {hint}")
        if name in ranges:
            raise UsageError(f"--grid names '{name}' twice")
        axis = domain.coordinates.index(name)
        ranges[name] = _range(piece, name, value, (domain.lower[axis], domain.upper[axis]))
    sizes = {
        name: ranges[name].count if name in ranges else len(axes[name])
        for name in domain.coordinates
    }
    check_size(sizes, n_fields)
    values = {name: ranges[name].values() if name in ranges else axes[name] for name in sizes}
    return SamplePoints(values, is_grid=True)


def _range(piece: str, name: str, text: str, bounds: tuple[float, float]) -> _Range:
    """One piece of `--grid`: `101`, `-1:1:101` or `@0.5`."""
    if text.startswith("@"):
        value = _number(piece, text[1:])
        return _Range(value, value, 1)
    *ends, count = (part.strip() for part in text.split(":"))
    # Who writes t=0.5 or t=1 most likely means that one time.
    meant = _forms()
    if not ends and _is_number(count):
        meant = f"For the single value {name} = {count} write {name}=@{count}"
    if len(ends) not in (0, 2) or not _COUNT.fullmatch(count):
        raise UsageError(f"--grid: {shown(piece)} needs a number of points, an integer\n{meant}")
    if int(count) < 2:
        raise UsageError(
            f"--grid: {shown(piece)} asks for {int(count)}; a range has 2 points at least\n{meant}"
        )
    lower, upper = (_number(piece, ends[0]), _number(piece, ends[1])) if ends else bounds
    if not math.isfinite(upper - lower):
        raise UsageError(f"--grid: {shown(piece)} is wider than numbers reach")
    if not lower < upper:
        raise UsageError(
            f"--grid: the lower end of {shown(piece)}, {lower:g}, is not below the upper, {upper:g}"
        )
    return _Range(lower, upper, int(count))


def _number(piece: str, text: str) -> float:
    """The value of a constant expression, as bounds in a spec may be."""
    try:
        tree = resolve(parse(text), Scope())
    except ExpressionError as error:
        fault = error.faults[0]
        raise UsageError(
            f"--grid: {shown(text)} in {shown(piece)} is not a number: {fault.what}"
        ) from None
    if not isinstance(tree, Number):
        raise UsageError(f"--grid: {shown(text)} in {shown(piece)} is not a number")
    return tree.value


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _forms() -> str:
    width = max(map(len, GRID_FORMS))
    lines = (f"  {form:<{width}}  {meaning}" for form, meaning in GRID_FORMS.items())
    return "\n".join(["--grid takes pieces with commas between:", *lines])


@dataclass(frozen=True)
class PointsFile:
    """The points of a CSV in the order of its rows, and the columns that are not coordinates."""

    places: SamplePoints
    unused: tuple[str, ...]


def read_points(name: str, coordinates: Sequence[str]) -> PointsFile:
    """The points of a CSV whose header names the coordinates, in any order; `-` is stdin.

    Raises UsageError, with the number of the line, for what cannot be read, lacks a column, is
    empty, or holds other things than finite numbers.
    """
    source = "stdin" if name == "-" else printable(name)
    try:
        with _opened(name, source) as file:
            return _read(file, source, coordinates)
    except UnicodeDecodeError:
        raise UsageError(f"{source} is not text in UTF-8; --points takes a CSV file") from None
    except csv.Error as error:
        raise UsageError(f"{source} cannot be read as CSV: {error}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{source} cannot be read: {why}") from None


@contextmanager
def _opened(name: str, source: str) -> Iterator[TextIO]:
    if name == "-":
        text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
        try:
            yield text
        finally:
            text.detach()
        return
    path = Path(name)
    if not path.exists():
        raise UsageError(f"there is no file {source}")
    mode = path.stat().st_mode
    # A device such as /dev/zero never ends a line; a pipe is what a shell makes of <(…).
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        kind = "a directory" if stat.S_ISDIR(mode) else "not a file"
        raise UsageError(f"{source} is {kind}; --points takes a CSV file, or - for stdin")
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield file


def _read(file: TextIO, source: str, coordinates: Sequence[str]) -> PointsFile:
    try:
        read = read_columns(file, source, coordinates, (), MAX_VALUES)
    except MissingColumnError as error:
        first_line = shown(", ".join(error.header or error.first_row), 200)
        what = "header" if error.header else "first row"
        raise UsageError(
            f"{source} has no column '{error.name}'; its {what} is {first_line}\n"
            f"The first line names the coordinates, for example: {','.join(coordinates)}"
        ) from None
    except CsvError as error:
        raise UsageError(str(error)) from None
    places = {
        name: np.ascontiguousarray(values)
        for name, values in zip(coordinates, read.values.T, strict=True)
    }
    unused = tuple(name for name in read.header if name and name not in coordinates)
    return PointsFile(SamplePoints(places, is_grid=False), unused)
