"""Tables fit a terminal, and no number is broken on the way."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from laaf_cli.terminal.plain_table import PlainTable


def printed(table: PlainTable, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def errors(n: int) -> PlainTable:
    table = PlainTable("error", *(f"u{i}" for i in range(n)))
    table.add_texts("relative L2 at t = 0.25", *(f"{1.23456789 * 10**-i:.6e}" for i in range(n)))
    table.add_texts("reference", "collocation in space, Radau's method in time", *[""] * (n - 1))
    table.caption = "a caption"
    return table


def test_what_fits_is_one_table() -> None:
    assert printed(errors(1), 80) == [
        "error                     u0",
        "──────────────────────────────────────────────────────────────────────",
        "relative L2 at t = 0.25   1.234568e+00",
        "reference                 collocation in space, Radau's method in time",
        "                              a caption",
    ]


def test_what_does_not_fit_continues_below() -> None:
    lines = printed(errors(6), 40)
    assert max(map(len, lines)) <= 40
    heads = [line.split() for line in lines if line.startswith("error")]
    assert [name for head in heads for name in head[1:]] == [f"u{i}" for i in range(6)]
    assert lines[-1].strip() == "a caption"
    assert sum("caption" in line for line in lines) == 1


numbers = st.floats(allow_nan=False, allow_infinity=False).map("{:.6e}".format)
words = st.text("abcdefgh ", max_size=30)


@given(
    st.integers(1, 8).flatmap(
        lambda n: st.lists(
            st.lists(st.one_of(numbers, words), min_size=n, max_size=n), min_size=1, max_size=4
        )
    ),
    st.integers(40, 100),
)
def test_no_number_is_broken(rows: list[list[str]], width: int) -> None:
    table = PlainTable("what it is", *(f"column {i}" for i in range(len(rows[0]))))
    for i, row in enumerate(rows):
        table.add_texts(f"row {i}", *row)
    lines = printed(table, width)
    assert max(map(len, lines)) <= width
    found = " ".join(lines).split()
    assert all(
        word in found for row in rows for cell in row for word in cell.split() if "." in word
    )
