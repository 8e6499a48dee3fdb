"""The seal of run files: what it says, what it finds, and what other readers of HDF5 make of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from conftest import Laaf
from fuzz.run_files import GOLDEN, read_everything

from laaf_cli.errors import ChangedRunWarning, RunFileError
from laaf_cli.runfile import AnyRunFile, RunFile
from laaf_cli.runfile.seal import SIZE, seal

WHOLE = GOLDEN.read_bytes()
DAMAGED = (
    "{} is damaged: its content does not match the checksum that it was sealed with; take a copy of it, "
    "or run its spec again"
)
CHANGED = "{} has no checksum: it was modified, or not written by laaf; run its spec again"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "run.h5").write_bytes(WHOLE)
    return tmp_path / "run.h5"


def refused(path: Path) -> str:
    """What is said where only a file that is as it was written will do."""
    with pytest.raises(RunFileError) as caught:
        AnyRunFile(path, must_be_sealed=True)
    return str(caught.value)


def test_seal_can_be_checked_by_hand() -> None:
    """`head -n 1 FILE` and `tail -c +513 FILE | sha256sum` show the same number."""
    line, _, rest = WHOLE[:SIZE].partition(b"\n")
    digest = hashlib.sha256(WHOLE[SIZE:]).hexdigest()
    assert line.decode() == f"laaf run file; SHA-256 of all that follows these 512 bytes: {digest}"
    assert rest == bytes(len(rest))


def test_every_byte_of_the_seal_counts(path: Path) -> None:
    for at in range(SIZE):
        content = bytearray(WHOLE)
        content[at] ^= 1 << at % 8
        path.write_bytes(content)
        assert refused(path) == DAMAGED.format(path), at


def place_of(name: str) -> int:
    """Where in the file a dataset that is not packed lies."""
    with h5py.File(GOLDEN) as file:
        values, start = file[name][()].tobytes(), WHOLE.index(file[name][()].tobytes())
    assert WHOLE.count(values) == 1
    return start


PLACES: dict[str, Callable[[], int]] = {
    "the seventh digit of a weight": lambda: place_of("network/layer_1/weight") + 1,
    "the solution": lambda: place_of("solution/u") + 6,
    "the settings": lambda: WHOLE.index(b"nlaaf"),
    "a text among the attributes": lambda: WHOLE.index(b"golden"),
    "room that holds nothing": lambda: WHOLE.index(bytes(1000), SIZE) + 500,
    "the last byte": lambda: len(WHOLE) - 1,
}


@pytest.mark.parametrize("place", PLACES)
def test_one_bit_is_noticed(path: Path, place: str) -> None:
    content = bytearray(WHOLE)
    content[PLACES[place]()] ^= 1
    path.write_bytes(content)
    assert refused(path) == DAMAGED.format(path)


@pytest.mark.parametrize(
    "n", [61, 511, 512, 519, 520, 4096, len(WHOLE) // 2, len(WHOLE.rstrip(b"\0")) - 1]
)
def test_what_a_power_cut_leaves(path: Path, n: int) -> None:
    """A file that ends early, and one of full length whose end was never written."""
    path.write_bytes(WHOLE[:n])
    assert refused(path) == DAMAGED.format(path)
    path.write_bytes(WHOLE[:n].ljust(len(WHOLE), b"\0"))
    assert refused(path) == DAMAGED.format(path)


def test_a_changed_file_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["solution/u"][0] = 0
    assert refused(path) == DAMAGED.format(path)
    seal(path)
    read_everything(path)


def test_looking_at_a_file_with_h5py_leaves_its_seal(path: Path) -> None:
    with h5py.File(path) as file:
        file.visititems(lambda _name, item: item[()] if isinstance(item, h5py.Dataset) else None)
    assert path.read_bytes() == WHOLE


@pytest.mark.parametrize("size", [0, SIZE, 2 * SIZE])
def test_a_copy_that_bears_no_seal_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "copy.h5"
    with h5py.File(path, "w", userblock_size=size) as file, h5py.File(GOLDEN) as golden:
        file.attrs.update(golden.attrs)
        for name in golden:
            golden.copy(name, file)
    if size:
        with path.open("r+b") as raw:
            raw.write(b"#!/bin/sh\n")
    assert refused(path) == (DAMAGED if size == SIZE else CHANGED).format(path)


def test_a_file_that_is_replaced_while_it_is_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that HDF5 reads is the one whose checksum was right."""
    other = path.with_name("other.h5")
    other.write_bytes(WHOLE[:-1] + bytes([WHOLE[-1] ^ 1]))
    opened = h5py.File

    def open_late(name: Path, mode: str) -> h5py.File:
        if other.exists():
            other.replace(path)
        return opened(name, mode)

    monkeypatch.setattr("laaf_cli.files.untrusted.hdf5.h5py.File", open_late)
    with pytest.raises(RunFileError, match="is damaged: its content does not match"):
        RunFile(path, must_be_sealed=True)


# Files that somebody has changed on purpose


def annotated(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["note"] = "the run of Tuesday"


def repacked(path: Path) -> None:
    """As h5repack does: a new file without the seal, its data packed otherwise."""
    other = path.with_name("other.h5")
    with h5py.File(path) as file, h5py.File(other, "w") as new:
        new.attrs.update(file.attrs)
        for name in file:
            file.copy(name, new)
        del new["solution/u"]
        new.create_dataset("solution/u", data=file["solution/u"][()], chunks=(2, 3), shuffle=True)
    other.replace(path)


CHANGES = {"annotated": annotated, "repacked": repacked}


@pytest.fixture(params=CHANGES)
def changed(path: Path, request: pytest.FixtureRequest) -> Path:
    CHANGES[request.param](path)
    return path


def test_a_changed_file_is_read_with_a_warning(changed: Path) -> None:
    with pytest.warns(ChangedRunWarning) as told:
        run = RunFile(changed)
    with run, RunFile(GOLDEN) as golden:
        assert (run.is_sealed, golden.is_sealed) == (False, True)
        assert run.attributes == golden.attributes
        assert run.array("solution/u").tolist() == golden.array("solution/u").tolist()
    assert [str(one.message) for one in told] == [
        f"{changed} was changed after it was written; its numbers are read as they are"
    ]


READING = {
    "show": ["show"],
    "show --spec": ["show", "--spec"],
    "evaluate": ["evaluate", "--grid", "x=3"],
    "compare": ["compare"],
}


@pytest.mark.parametrize("command", READING)
def test_commands_that_read_warn_in_their_first_line(
    laaf: Laaf, changed: Path, command: str
) -> None:
    whole = laaf(*READING[command], GOLDEN)
    told = laaf(*READING[command], changed)
    assert (told.code, told.out.replace("run.h5", "")) == (0, whole.out.replace(GOLDEN.name, ""))
    warning = (
        f"warning: {changed} was changed after it was written; its numbers are read as they are"
    )
    assert told.err.splitlines()[0] == warning
    assert told.err.count("was changed after") == 1
    assert "was changed after" not in whole.err


def test_a_figure_of_a_changed_file(laaf: Laaf, changed: Path) -> None:
    picture = changed.with_name("a.png")
    told = laaf("plot", changed, "--output", picture, "--kind", "loss", "--dpi", 20)
    assert told.code == 0
    assert told.err.startswith(f"warning: {changed} was changed after it was written")
    assert picture.exists()


@pytest.mark.parametrize(
    "gate",
    [
        lambda path: ["resume", path, "--iterations", 5],
        lambda path: ["compare", path, "--max-error", 100],
        lambda path: ["compare", path, "--against", GOLDEN],
        lambda path: ["compare", GOLDEN, "--against", path],
    ],
)
def test_what_must_be_sure_of_its_numbers_refuses(
    laaf: Laaf, changed: Path, gate: Callable[[Path], list[object]]
) -> None:
    told = laaf(*gate(changed))
    assert told.code == 4
    assert "was changed after" not in told.err
    assert (
        f"error: {changed} is damaged: " in told.err
        or f"error: {changed} has no checksum" in told.err
    )
