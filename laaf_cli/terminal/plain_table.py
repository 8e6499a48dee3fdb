"""The one form of tables on a terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from laaf_cli.text import printable


class PlainTable(Table):
    """A table of texts as they are: titles and names come from files, and what they hold is
    shown, not obeyed.
    """

    def __init__(self, *headings: str) -> None:
        super().__init__(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for heading in headings:
            self.add_column(Text(printable(heading)), overflow="fold")

    def add_texts(self, *cells: str) -> None:
        """A row."""
        self.add_row(*(Text(printable(cell)) for cell in cells))
