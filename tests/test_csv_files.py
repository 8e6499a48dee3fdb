"""CSV files of measurements: every dialect is read as it was written, or refused with the place of the fault."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from laaf_cli.files.untrusted.csv_columns import CsvError, MissingColumnError, read_columns
from laaf_cli.problem.tables import Rows, TableError, read_rows, read_table

NAMES = ["x", "t", "u"]


def read(text: str, *header: str) -> np.ndarray:
    """The columns x, t and u of a CSV."""
    return read_columns(io.StringIO(text, newline=""), "a.csv", NAMES, header, 1000).values


ROWS = [[0.0, 0.5, 1.0], [0.25, -1e-3, 2.0]]

DIALECTS = {
    "commas": "x,t,u\n0,0.5,1\n0.25,-1e-3,2\n",
    "commas and spaces": "x, t, u\n0, 0.5, 1\n0.25, -1e-3, 2\n",
    "semicolons": "x;t;u\n0;0.5;1\n0.25;-1e-3;2\n",
    "tabs": "x\tt\tu\n0\t0.5\t1\n0.25\t-1e-3\t2\n",
    "spaces": "x t u\n0 0.5 1\n0.25 -1e-3 2\n",
    "columns of one width": "   x      t    u\n   0    0.5    1\n0.25  -1e-3    2\n",
    "numpy.savetxt": "# x t u\n0 0.5 1\n0.25 -1e-3 2\n",
    "a header of numpy.savetxt with other separators": "# x, t, u\n0 0.5 1\n0.25 -1e-3 2\n",
    "quotes": '"x","t","u"\n"0","0.5","1"\n"0.25","-1e-3","2"\n',
    "quotes around a separator": 'x,t,"u; v",u\n0,0.5,a,1\n0.25,-1e-3,"b, c",2\n',
    "another order and a column of words": "name,u,t,x\nfirst,1,0.5,0\nsecond,2,-1e-3,0.25\n",
    "comments": "# measured in May\n\n% by us\nx,t,u\n0,0.5,1  # the first\n# none\n0.25,-1e-3,2\n",
    "a comment below the header": "# x t u\n# m s K K\n0 0.5 1\n0.25 -1e-3 2\n",
    "lines of Windows": "x,t,u\r\n0,0.5,1\r\n0.25,-1e-3,2\r\n",
    "empty lines at the end": "x,t,u\n0,0.5,1\n0.25,-1e-3,2\n\n,,\n",
    "no line end": "x,t,u\n0,0.5,1\n0.25,-1e-3,2",
}  # fmt: skip


@pytest.mark.parametrize("text", DIALECTS.values(), ids=DIALECTS)
def test_dialects(text: str) -> None:
    assert read(text).tolist() == ROWS


@pytest.mark.parametrize("separator", [",", "; ", "\t", "  "])
def test_no_header(separator: str) -> None:
    text = "".join(f"{separator.join(map(str, row))}\n" for row in ROWS)
    assert read(text, "x", "t", "u").tolist() == ROWS
    with pytest.raises(MissingColumnError) as caught:
        read(text)
    assert caught.value.header == ()
    assert caught.value.first_row == ["0.0", "0.5", "1.0"]


FAULTS = {
    "a word": "x,t,u\n0,0,1\n\n0,1,many\n",
    "nothing": "x;t;u\n0;;1\n",
    "not a number": "x t u\n0 0 1\n# x\n0 0 nan\n",
    "a short row": "x\tt\tu\n0\t0\n",
    "a long row": "x;t;u\n0;0;1;2\n",
    "decimal commas between commas": "x,t,u\n0,5,0,5,1,5\n",
    "decimal commas between semicolons": "x;t;u\n0,5;0;1\n",
    "decimal commas between spaces": "# x t u\n0,5 0,5 1\n",
    "a comment that names fewer columns": "# x,t,u\n0,5,0,1\n",
    "a name twice": "x,t,u,u\n0,0,1,2\n",
    "no rows": "x,t,u\n# 1,2,3\n",
    "comments alone": "# x,t,u\n\n",
    "very many numbers": "x,t,u\n" + "0,0,0\n" * 400,
}  # fmt: skip


@pytest.mark.parametrize("text", FAULTS.values(), ids=FAULTS)
def test_faults(text: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(CsvError) as caught:
        read(text)
    assert str(caught.value) == snapshot


def test_names_of_a_file_that_has_names(snapshot: SnapshotAssertion) -> None:
    with pytest.raises(CsvError) as caught:
        read("x,t,u\n0,0,1\n", "t", "x", "u")
    assert str(caught.value) == snapshot


numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.sampled_from(["T [K]", "a,b", "x;t", "two words", "#1", 'quoted "so"', "", "µ"])


@given(
    rows=st.lists(st.tuples(numbers, numbers, numbers, words), min_size=1, max_size=5),
    order=st.permutations(range(4)),
    separator=st.sampled_from([",", ";", "\t", " ", ", ", " ; ", "   "]),
    heading=st.sampled_from(["plain", "comment", "missing"]),
    number=st.sampled_from([repr, "{:.17e}".format, lambda value: repr(value).replace(".", ",")]),
    with_words=st.booleans(),
    gaps=st.lists(st.sampled_from(["\n", "# remark\n", "% remark, too\n"]), max_size=2),
    mark=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)  # fmt: skip
def test_what_is_written_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows, order, separator, heading, number, with_words, gaps, mark, end
) -> None:  # fmt: skip
    kept = [i for i in order if i < 3 or with_words]
    marks = f'"{separator.strip()}' if separator.strip() else '" \t'

    def cell(value: str) -> str:
        quoted = value.replace('"', '""')
        return f'"{quoted}"' if any(c in value for c in f"{marks},;#") else value

    def line(cells: list[str]) -> str:
        return separator.join(cells[i] for i in kept) + "\n"

    header = line([*NAMES, "note"])
    lines = {"plain": header, "comment": f"# {header}", "missing": ""}[heading] + "".join(gaps)
    lines += "".join(line([*map(number, row[:3]), cell(row[3])]) for row in rows)
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(lines.replace("\n", end).encode("utf-8-sig" if mark else "utf-8"))
    columns = [[*NAMES, "note"][i] for i in kept] if heading == "missing" else None
    try:
        found = read_rows(path, ("x", "t"), ("u",), {}, columns)
    except TableError as error:
        has_commas = any("," in number(value) for row in rows for value in row[:3])
        has_words_between_spaces = with_words and not separator.strip(" ")
        assert has_commas or has_words_between_spaces, error
        return
    read_back = np.column_stack([found.points, found.fields["u"]])
    assert read_back.tolist() == [list(row[:3]) for row in rows]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_no_header_asks_for_the_names_of_the_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "0 0.5 1 7\n0.25 0.5 2 8\n")
    with pytest.raises(TableError) as caught:
        read_table(path, ("x", "t"), ("u",), {"u": "T"})
    assert str(caught.value) == (
        f"{path} has no header: its first row is 0, 0.5, 1, 7. Name its columns in their order, as in "
        "columns: [x, t, T, …]."
    )
    table = read_rows(path, ("x", "t"), ("u",), {"u": "T"}, ["x", "t", "T", "w"])
    assert table.fields["u"].tolist() == [1, 2]


def test_only_texts_take_names_of_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(2), t=np.zeros(2), u=np.zeros(2))
    with pytest.raises(TableError, match="'columns' names those of .csv, .tsv, .txt or .dat files"):
        read_table(tmp_path / "a.npz", ("x", "t"), ("u",), {}, ["x", "t", "u"])


def test_rows_keep_their_order_and_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "x,u\n1,10\n# none\n0,20\n")
    rows = read_rows(path, ("x",), ("u",), {})
    assert isinstance(rows, Rows)
    assert rows.points[:, 0].tolist() == [1, 0]
    assert [rows.place(0), rows.place(1)] == ["line 2", "line 4"]


def test_a_missing_file(tmp_path: Path) -> None:
    write(tmp_path, "measurements.csv", "")
    write(tmp_path, "measurement.yaml", "")
    for name, why in (
        ("measurement.csv", "there is no file {}. Did you mean 'measurements.csv'?"),
        ("other.csv", "there is no file {}"),
        ("none/measurements.csv", f"there is no file {{}}: there is no folder {tmp_path / 'none'}"),
    ):
        with pytest.raises(TableError) as caught:
            read_table(tmp_path / name, ("x",), ("u",), {})
        assert str(caught.value) == why.format(tmp_path / name)
