"""The one form of tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from laaf_cli.text import printable

GAP = 3
"""Between two columns."""

LEAST = 12
"""Words longer than this, as paths, may be broken where there is little room; numbers never are."""


class PlainTable(Table):
    """A table of texts as they are: titles and names come from files, and what they hold is
    shown, not obeyed.

    Where a terminal is too narrow, lines break between words; where that is not enough, the
    table continues below with its first column again.
    """

    def __init__(self, *headings: str) -> None:
        super().__init__(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        self.texts: list[tuple[str, ...]] = [tuple(map(printable, headings))]
        for heading in self.texts[0]:
            self.add_column(Text(heading), overflow="fold")

    def add_texts(self, *cells: str) -> None:
        """A row."""
        self.texts.append(tuple(map(printable, cells)))
        self.add_row(*map(Text, self.texts[-1]))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        columns = list(zip(*self.texts, strict=True))
        whole = [max(map(cell_len, column)) for column in columns]
        least = [
            size if self.columns[i].no_wrap else _least(columns[i]) for i, size in enumerate(whole)
        ]
        if _width(whole) <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        parts = _parts(least, options.max_width)
        for part in parts:
            table = PlainTable(*(self.texts[0][i] for i in part))
            for row in self.texts[1:]:
                table.add_texts(*(row[i] for i in part))
            widths = _shrunk([whole[i] for i in part], [least[i] for i in part], options.max_width)
            for column, width in zip(table.columns, widths, strict=True):
                column.width = width
            if part is parts[-1]:
                table.caption = self.caption
            yield from Table.__rich_console__(table, console, options)
            if part is not parts[-1]:
                yield Text()


def _width(sizes: Sequence[int]) -> int:
    return sum(sizes) + GAP * (len(sizes) - 1)


def _least(cells: Sequence[str]) -> int:
    """The width in which no number of a column is broken, and no word that is not long."""
    words = [word for cell in cells for word in cell.split()]
    return max(
        (cell_len(word) if _is_number(word) else min(cell_len(word), LEAST) for word in words),
        default=1,
    )


def _is_number(word: str) -> bool:
    try:
        float(word.strip("[](),;:%").replace(",", ""))
    except ValueError:
        return False
    return True


def _parts(least: Sequence[int], width: int) -> list[list[int]]:
    """The columns of each part of a table: the first, and as many of the others as fit."""
    parts = [[0]]
    for i in range(1, len(least)):
        if len(parts[-1]) > 1 and _width([least[j] for j in (*parts[-1], i)]) > width:
            parts.append([0])
        parts[-1].append(i)
    return parts


def _shrunk(whole: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """Widths of columns that fit: the widest gives way first, none below its minimum."""
    sizes = list(whole)
    while _width(sizes) > width:
        widest = max(range(len(sizes)), key=lambda i: (sizes[i] > least[i], sizes[i]))
        if sizes[widest] <= least[widest]:
            break
        sizes[widest] -= 1
    return sizes
