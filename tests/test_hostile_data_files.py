"""Data files of strangers: read or refused in one sentence; nothing outside the file is opened, no bomb goes off."""

from __future__ import annotations

import resource
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from syrupy.assertion import SnapshotAssertion

from laaf_cli.problem.tables import Rows, TableError, read_table

X = np.linspace(0, 1, 8)


def hdf5(put: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    """Writes a file whose coordinates are right and whose `u` is what `put` makes of it; `other.h5` lies beside it."""

    def make(path: Path) -> None:
        with h5py.File(path.with_name("other.h5"), "w") as other:
            other["u"] = X
        path.with_name("secret").write_bytes(X.tobytes())
        with h5py.File(path, "w") as file:
            file["x"] = X
            file["t"] = X
            put(file)

    return make


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((8,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "u", (8,))
    file.create_virtual_dataset("u", layout)


def bomb(file: h5py.File) -> None:
    """A chunk of 64 bytes that unpacks to half a gigabyte."""
    dataset = file.create_dataset("u", (8,), "f8", chunks=(8,), compression="gzip")
    dataset.id.write_direct_chunk((0,), zlib.compress(b"\0" * 500_000_000, 1))


def plugin(file: h5py.File) -> None:
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk((8,))
    how.set_filter(32004, h5py.h5z.FLAG_OPTIONAL, (1,))
    h5py.h5d.create(file.id, b"u", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((8,)), how)


def link(name: str, target: object) -> Callable[[h5py.File], None]:
    def put(file: h5py.File) -> None:
        file[name] = target

    return put


def dataset(*arguments: object, **options: object) -> Callable[[h5py.File], object]:
    return lambda file: file.create_dataset("u", *arguments, **options)


HDF5 = {
    "values in another file": dataset((8,), "f8", external=[("secret", 0, 64)]),
    "a view of another file": virtual,
    "a link to another file": link("u", h5py.ExternalLink("other.h5", "u")),
    "a link to a name": link("u", h5py.SoftLink("/x")),
    "terabytes never written": dataset((10**12,), "f8"),
    "megabytes never written": dataset((10**7,), "f8"),
    "chunks never written": dataset((10**8,), "f8", chunks=(1,)),
    "bytes that become gigabytes": dataset((10**9,), "i1", chunks=(10**6,), compression="gzip"),
    "a chunk that is a bomb": bomb,
    "a filter from elsewhere": plugin,
    "texts": dataset((8,), h5py.string_dtype()),
    "texts of one length": dataset((8,), "S3", data=[b"abc"] * 8),
    "LZF": dataset(data=X, compression="lzf"),
    "very many members": lambda file: [file.create_group(f"g{i}") for i in range(5000)],
    "nothing": dataset(dtype="f8"),
}  # fmt: skip


@pytest.mark.parametrize("put", HDF5.values(), ids=HDF5)
def test_hdf5(
    put: Callable[[h5py.File], object], tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    path = tmp_path / "a.h5"
    hdf5(put)(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(path).replace(str(path), "FILE") == snapshot
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


def refusal(path: Path, **names: str) -> str:
    with pytest.raises(TableError) as caught:
        read_table(path, ["x", "t"], ["u"], names)
    return str(caught.value)


def test_no_step_of_a_path_leads_out_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    hdf5(link("elsewhere", h5py.ExternalLink("other.h5", "/")))(path)
    assert f"elsewhere in {path} is a link" in refusal(path, u="elsewhere/u")


PACKED = (
    {},
    {"chunks": (3,)},
    {"compression": "gzip", "shuffle": True, "fletcher32": True},
    {"shuffle": True},
    {"fletcher32": True},
    {"compression": "gzip", "chunks": (16,), "maxshape": (None,)},
    {"dtype": ">f8", "compression": "gzip", "shuffle": True},
)


@pytest.mark.parametrize("how", PACKED)
def test_hdf5_as_others_write_it(how: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    values = np.random.default_rng(0).random(8)
    hdf5(lambda file: file.create_dataset("group/u", data=values, **how))(path)
    read = read_table(path, ["x", "t"], ["u"], {"u": "group/u"})
    assert isinstance(read, Rows)
    assert read.fields["u"].tolist() == values.tolist()


def cell(path: Path) -> None:
    """Cells in each other: reading them takes a step of the C stack for each."""
    inner: np.ndarray = X
    for _ in range(100):
        outer = np.empty((1, 1), dtype=object)
        outer[0, 0] = inner
        inner = outer
    scipy.io.savemat(path, {"x": X, "t": X, "u": inner})


def claimed(path: Path) -> None:
    """An array of MATLAB whose shape says 2^30 numbers."""
    scipy.io.savemat(path, {"x": X, "t": X, "u": X})
    content = bytearray(path.read_bytes())
    at = content.rfind((8).to_bytes(4, "little"), 0, content.rfind(b"u\0\0\0"))
    content[at : at + 4] = (2**30).to_bytes(4, "little")
    path.write_bytes(content)


def archived(path: Path, begin: bytes, megabytes: int) -> None:
    """An archive whose coordinates are right, and whose `u` begins so and goes on with zeros."""
    stored = BytesIO()
    np.save(stored, X)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in "xt":
            archive.writestr(f"{name}.npy", stored.getvalue())
        with archive.open("u.npy", "w") as u:
            u.write(begin)
            for _ in range(megabytes):
                u.write(bytes(10**6))


def header(n_numbers: int, kind: str = "|i1") -> bytes:
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": kind, "fortran_order": False, "shape": (n_numbers,)}
    )
    return stream.getvalue()


def many(path: Path) -> None:
    """The directory of an archive, whose every entry Python makes an object of."""
    entry = (
        struct.pack(
            "<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
        )
        + b"u"
    )
    directory = entry * 250_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 0, 0)
    path.write_bytes(directory + end)


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10_000_000_000)


OTHERS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "cells of MATLAB": ("a.mat", cell, "'u' in {} does not hold real numbers"),
    "a shape of MATLAB": ("a.mat", claimed, "{}: 'u' has 1,073,741,824 numbers; at most 250,000,000 are read"),
    "an archive that is a bomb": ("a.npz", lambda p: archived(p, header(3 * 10**8), 300), "{}: 'u' has 300,000,000 numbers; at most 250,000,000 are read"),
    "an archive longer than it says": ("a.npz", lambda p: archived(p, header(8), 100), "{}: 'u' has a header that says (8,) numbers of 1 bytes, and 100,000,000 bytes follow"),
    "a shape of NumPy": ("a.npz", lambda p: archived(p, header(10**12), 0), "{}: 'u' has 1,000,000,000,000 numbers; at most 250,000,000 are read"),
    "arrays that are too large together": ("a.npz", lambda p: archived(p, header(25 * 10**7, "<f8"), 0), "what is read of {} unpacks to more than 2,000,000,000 bytes"),
    "a header that goes on": ("a.npz", lambda p: archived(p, b"\x93NUMPY\x02\0\xff\xff\xff\x7f", 100), "{}: 'u' has a header that does not describe an array"),
    "a directory of very many": ("a.npz", many, "{} cannot be read as npz: its directory has more than 10,000,000 bytes"),
    "ten gigabytes": ("a.csv", large, "{} is larger than 2,000,000,000 bytes"),
    "one endless line": ("a.csv", lambda p: p.write_bytes(b"\0" * 1_000_001), "line 1 of {} has more than 1,000,000 characters"),
    "a million columns": ("a.csv", lambda p: p.write_text(",".join(map(str, range(10**6)))), "line 1 of {} has more than 1,000,000 characters"),
    "many columns": ("a.csv", lambda p: p.write_text(",".join(f"c{i}" for i in range(10**5))), "c19 and more. The key 'names'"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "make", "why"), OTHERS.values(), ids=OTHERS)
def test_other_formats(name: str, make: Callable[[Path], object], why: str, tmp_path: Path) -> None:
    path = tmp_path / name
    make(path)
    tracemalloc.start()
    try:
        shown = refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    assert why.format(path) in shown
    assert len(shown) < 500 + len(str(path))
