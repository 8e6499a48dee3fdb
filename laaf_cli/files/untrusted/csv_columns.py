"""Columns of numbers in a CSV, however it is written.

Values are separated by commas, semicolons, tabs or spaces. The header is the first line, or a
comment above the first row as `numpy.savetxt` writes it, or no header. A comment begins with
`#`, a line of comment also with `%`.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TextIO

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.text import listed, shown

MAX_LINE = 1_000_000
MAX_LISTED = 20
"""The most names of a file that a message lists."""
MAX_COMMENTS = 20
"""How many comments above the first row are looked at for a header."""

_SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas", " ": "spaces"}
"""In the order in which they are looked for."""

_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+([eE][-+]?[0-9]+)?")


class CsvError(Exception):
    """A CSV cannot be used; the text says where, what was found and what was expected."""


class MissingColumnError(CsvError):
    """No column has the name that is asked for.

    header: the names in the file; empty where it has none. first_row: the first row in that case.
    """

    def __init__(self, name: str, header: Sequence[str], first_row: Sequence[str]) -> None:
        super().__init__(f"there is no column '{name}'")
        self.name, self.header, self.first_row = name, header, first_row


@dataclass(frozen=True)
class CsvColumns:
    """values [n_rows, n_columns] of the columns asked for, the line [n_rows] of each row, from 1,
    and the names of all columns.
    """

    values: Array
    lines: Array
    header: tuple[str, ...]


def read_columns(
    file: TextIO, source: str, names: Sequence[str], header: Sequence[str], max_numbers: int
) -> CsvColumns:
    """The columns of a CSV that have the given names.

    Args:
        source: what messages call the file.
        header: the names of all columns of a file that has no header; empty where the file is to
            name them.

    Raises:
        MissingColumnError: no column has one of the names.
        CsvError: a row is longer or shorter than the header, a value is not a finite number, or the
            file has no rows or more than `max_numbers` numbers.
    """
    lines = _Lines(file, source)
    first = next((line for line in lines if line.strip()), "")
    separator = _separator(first)
    cells = _split(first, separator)
    if not cells:
        raise CsvError(f"{source} is empty")
    is_header = not set(names).isdisjoint(cells) or not any(map(_looks_like_number, cells))
    if header and is_header:
        raise CsvError(
            f"line {lines.number} of {source}: found a header ({_few(cells)}), expected numbers, "
            "because the names of the columns are given"
        )
    if is_header:
        header = cells
    elif not header:
        header = lines.header_above(names, len(cells))
    for name in names:
        if name not in header:
            raise MissingColumnError(name, header, cells)
        if header.count(name) > 1:
            raise CsvError(f"{source} has {header.count(name)} columns '{name}'")
    begun = () if is_header else (first,)
    return _read_rows(lines, chain(begun, lines), separator, names, tuple(header), max_numbers)


class _Lines(Iterator[str]):
    """The lines of a text without comments; `number` is that of the last line, from 1."""

    def __init__(self, file: TextIO, source: str) -> None:
        self.file, self.source = file, source
        self.number = 0
        self.comments: deque[str] = deque(maxlen=MAX_COMMENTS)

    def __next__(self) -> str:
        while line := self.file.readline(MAX_LINE + 1):
            self.number += 1
            if len(line) > MAX_LINE:
                raise CsvError(
                    f"line {self.number} of {self.source} has more than {MAX_LINE:,} characters"
                )
            if line.lstrip().startswith(("#", "%")):
                self.comments.append(line.strip().lstrip("#% "))
                continue
            before, mark, _ = line.partition("#")
            # Within quotes the mark is a character like any other.
            return before if mark and '"' not in before else line
        raise StopIteration

    def header_above(self, names: Sequence[str], n_columns: int) -> Sequence[str]:
        """The last comment that names columns: as many, one of them asked for, or all that are.

        Empty where no comment does.
        """
        for comment in reversed(self.comments):
            cells = _split(comment, _separator(comment))
            is_header = len(cells) == n_columns and not set(names).isdisjoint(cells)
            if is_header or set(names) <= set(cells):
                return cells
        return ()


def _read_rows(
    lines: _Lines,
    rest: Iterable[str],
    separator: str,
    names: Sequence[str],
    header: tuple[str, ...],
    max_numbers: int,
) -> CsvColumns:
    columns = [header.index(name) for name in names]
    numbers, of_rows = array("d"), array("q")
    for cells in _rows(rest, separator):
        if not "".join(cells).strip():
            continue
        if len(cells) != len(header):
            raise _other_length(lines, separator, cells, header)
        try:
            numbers.extend([float(cells[column]) for column in columns])
        except ValueError:
            raise _not_a_number(lines, cells, columns, header) from None
        of_rows.append(lines.number)
        if len(numbers) > max_numbers:
            raise CsvError(f"{lines.source} has more than {max_numbers:,} numbers")
    if not of_rows:
        raise CsvError(f"{lines.source} has no rows")
    values = np.asarray(numbers).reshape(-1, len(columns))
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, i = wrong[0]
        raise CsvError(
            f"line {of_rows[row]} of {lines.source}, column {columns[i] + 1} ('{names[i]}'): found "
            f"{values[row, i]}, expected a finite number"
        )
    return CsvColumns(values, np.asarray(of_rows), header)


def _rows(lines: Iterable[str], separator: str) -> Iterable[list[str]]:
    if separator == " ":
        return map(str.split, lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def _split(line: str, separator: str) -> list[str]:
    return [cell.strip().strip('"') for cell in next(iter(_rows([line], separator)), [])]


def _separator(line: str) -> str:
    """What separates the values of a line: the first of those in it that leaves numbers, else the
    first of those in it.
    """
    bare = re.sub('"[^"]*"', "", line.strip())
    separators = [separator for separator in _SEPARATORS if separator in bare] or [" "]
    leaves_numbers = (s for s in separators if all(map(_looks_like_number, _split(line, s))))
    return next(leaves_numbers, separators[0])


def _looks_like_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return _DECIMAL_COMMA.fullmatch(cell) is not None
    return True


def _few(names: Sequence[str]) -> str:
    return listed(names[:MAX_LISTED]) + ("…" if len(names) > MAX_LISTED else "")


def _other_length(
    lines: _Lines, separator: str, cells: Sequence[str], header: Sequence[str]
) -> CsvError:
    hint = ""
    if separator == "," and len(cells) > len(header):
        hint = ". If its commas are decimal commas, write points, as in 0.5"
    plural = "" if len(cells) == 1 else "s"
    return CsvError(
        f"line {lines.number} of {lines.source}: found {len(cells)} value{plural}, expected "
        f"{len(header)} with {_SEPARATORS[separator]} between them ({_few(header)}){hint}"
    )


def _not_a_number(
    lines: _Lines, cells: Sequence[str], columns: Sequence[int], header: Sequence[str]
) -> CsvError:
    for column in columns:
        cell = cells[column].strip()
        try:
            float(cell)
        except ValueError:
            break
    shown_cell, hint = shown(cell) if cell else "nothing", ""
    if not cell:
        hint = ". Leave out rows without a value"
    elif _DECIMAL_COMMA.fullmatch(cell):
        hint = f". It has a decimal comma: write {cell.replace(',', '.')}"
    return CsvError(
        f"line {lines.number} of {lines.source}, column {column + 1} ('{header[column]}'): found "
        f"{shown_cell}, expected a number{hint}"
    )
