"""Arrays in files of MATLAB and NumPy: SciPy and NumPy read them to the same, and a wrong byte ends nothing."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from image_files import npy, npz

from laaf_cli.files.untrusted import matlab
from laaf_cli.files.untrusted.matlab import arrays_of
from laaf_cli.files.untrusted.npy import read_npy
from laaf_cli.files.untrusted.npz import NumpyArchive
from laaf_cli.files.untrusted.stored_array import DamagedFileError, StoredArrayError
from laaf_cli.problem.tables import TableError, read_table

RNG = np.random.default_rng(0)
TYPES = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"]
SHAPES = [(1, 6), (6, 1), (2, 3), (1, 1), (0, 0), (3, 0), (2, 1, 3), (3, 4, 5, 2)]


def mat(arrays: dict[str, object], *, packed: bool = False) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, arrays, do_compression=packed)
    return stream.getvalue()


def element(order: str, kind: int, content: bytes) -> bytes:
    """An element of MATLAB; one of up to four bytes is written in the short form."""
    if 0 < len(content) <= 4:
        return struct.pack(f"{order}I", len(content) << 16 | kind) + content.ljust(4, b"\0")
    return struct.pack(f"{order}2I", kind, len(content)) + content + bytes(-len(content) % 8)


def written(
    order: str, name: bytes, code: int, kind: int, values: np.ndarray, *, flag: int = 0
) -> bytes:
    """A file of MATLAB 5 in either order of bytes. code, kind: the class of the array, the type it is stored as."""
    array = element(order, 6, struct.pack(f"{order}2I", code | flag, 0))
    array += element(order, 5, struct.pack(f"{order}{values.ndim}i", *values.shape))
    array += element(order, 1, name)
    array += element(order, kind, values.astype(values.dtype.newbyteorder(order)).tobytes("F"))
    end = struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    return (
        b"MATLAB 5.0 MAT-file".ljust(124) + end + struct.pack(f"{order}2I", 14, len(array)) + array
    )


def check_as_scipy_does(content: bytes, n_arrays: int) -> None:
    expected = scipy.io.loadmat(io.BytesIO(content))
    found = arrays_of(io.BytesIO(content))
    assert len(found) == n_arrays
    for name, stored in found.items():
        read = stored.read()
        assert (read.shape, read.dtype) == (stored.shape, stored.dtype)
        assert read.shape == expected[name].shape
        assert np.array_equal(read, expected[name])


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_reads_as_scipy_does(packed: bool) -> None:
    arrays = {
        f"{kind}_{i}".replace("?", "b"): (RNG.random(shape) * 100).astype(kind)
        for kind in TYPES
        for i, shape in enumerate(SHAPES)
    }
    check_as_scipy_does(mat(arrays, packed=packed), len(TYPES) * len(SHAPES))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("code", "kind", "dtype"), [(6, 9, "f8"), (6, 2, "u1"), (6, 5, "i4"), (7, 3, "i2"), (12, 5, "i4"), (12, 2, "u1"), (9, 2, "u1"), (14, 12, "i8")])  # fmt: skip
def test_matlab_in_either_order_of_bytes_and_packed_into_smaller_types(
    order: str, code: int, kind: int, dtype: str
) -> None:
    for shape in ((2, 3), (1, 1), (1, 4)):
        check_as_scipy_does(
            written(
                order,
                b"a_name",
                code,
                kind,
                np.arange(6)[: np.prod(shape)].reshape(shape).astype(dtype),
            ),
            1,
        )
    check_as_scipy_does(written(order, b"u", code, kind, np.ones((2, 2), dtype), flag=0x200), 1)


FILES_OF_SCIPY = Path(scipy.io.matlab.__file__).parent / "tests" / "data"


@pytest.mark.skipif(not FILES_OF_SCIPY.is_dir(), reason="this SciPy comes without its tests")
def test_files_that_matlab_wrote() -> None:
    read = 0
    for path in sorted(FILES_OF_SCIPY.glob("test*_[567].*.mat")):
        with path.open("rb") as stream:
            try:
                found = arrays_of(stream)
            except DamagedFileError as error:
                assert "7.3" in str(error)
                continue
            for name, stored in found.items():
                if stored.dtype.kind in "fiu":
                    assert np.array_equal(stored.read(), scipy.io.loadmat(path)[name])
                    read += 1
    assert read > 10


def test_what_is_no_array_of_numbers_is_reported_and_does_not_hide_the_others() -> None:
    cell = np.empty((1, 1), object)
    cell[0, 0] = np.arange(3)
    others = {
        "cell": cell,
        "struct": {"a": 1.0},
        "text": "abc",
        "complex": np.array([1j]),
        "sparse": scipy.sparse.eye(2),
    }
    found = arrays_of(io.BytesIO(mat({**others, "u": np.arange(3)})))
    assert {name: stored.dtype.kind for name, stored in found.items()} == dict.fromkeys(
        others, "V"
    ) | {"complex": "c", "u": "i"}
    for name in others:
        with pytest.raises(StoredArrayError, match=f"'{name}' has no numbers of its type"):
            found[name].read()


def test_an_object_of_matlab_has_a_name_and_no_shape() -> None:
    array = (
        element("<", 6, struct.pack("<2I", 17, 0))
        + element("<", 1, b"an_object")
        + element("<", 1, b"MCOS")
    )
    content = mat({"u": np.arange(3)}) + struct.pack("<2I", 14, len(array)) + array
    found = arrays_of(io.BytesIO(content))
    assert found["an_object"].dtype.kind == "V"
    assert found["u"].read().tolist() == [[0, 1, 2]]


def test_only_what_is_read_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = []
    inflate = matlab.inflated

    def counted(packed: bytes, n_bytes: int, *, is_whole: bool = True) -> bytes:
        if is_whole:
            unpacked.append(n_bytes)
        return inflate(packed, n_bytes, is_whole=is_whole)

    monkeypatch.setattr(matlab, "inflated", counted)
    found = arrays_of(io.BytesIO(mat({"large": np.zeros(10**6), "u": np.arange(3.0)}, packed=True)))
    assert (found["large"].n_bytes, found["u"].read().tolist()) == (8_000_000, [[0, 1, 2]])
    assert unpacked == [8 + 16 + 16 + 8 + 8 + 24]


MATLAB_FAULTS = {
    "version 4": (
        struct.pack("<5I", 0, 1, 1, 0, 2) + b"u\0" + bytes(8),
        "it is not a MATLAB 5 file",
    ),
    "version 7.3": (
        b"MATLAB 7.3".ljust(124) + b"\0\2IM",
        "it is of MATLAB 7.3, which is HDF5; with the option -v7 ",
    ),
    "nothing": (b"", "it is not a MATLAB 5 file"),
    "a number where an array should be": (
        mat({}) + struct.pack("<2Id", 9, 8, 1.0),
        "it has an element of type 9 where an array should be",
    ),
    "an array of nothing": (
        mat({}) + struct.pack("<2I", 14, 0),
        "it has an array without flags, shape or name",
    ),
    "more axes than NumPy has": (
        written("<", b"u", 6, 9, np.zeros((1,) * 40)),
        "it has an array without flags, shape or name",
    ),
    "more numbers than its shape": (
        written("<", b"u", 6, 9, np.arange(4.0)).replace(
            struct.pack("<I", 4), struct.pack("<I", 3)
        ),
        r"'u' has the shape \(3,\), and 32 bytes of numbers",
    ),
    "numbers of no type, which ends the program where SciPy reads them": (
        written("<", b"u", 6, 0xF6, np.arange(4.0)),
        "'u' has no numbers of its type",
    ),
    "reals as integers": (
        written("<", b"u", 12, 9, np.arange(4.0)),
        "'u' has no numbers of its type",
    ),
    "integers that reals do not hold": (
        written("<", b"u", 6, 12, np.arange(4)),
        "'u' has no numbers of its type",
    ),
    "more behind its numbers": (
        written("<", b"u", 6, 9, np.arange(4.0)).replace(
            struct.pack("<2I", 14, 72), struct.pack("<2I", 14, 80)
        )
        + bytes(8),
        r"'u' has the shape \(4,\), and 32 bytes of numbers",
    ),
}


@pytest.mark.parametrize(("content", "why"), MATLAB_FAULTS.values(), ids=MATLAB_FAULTS)
def test_faults_of_matlab(content: bytes, why: str) -> None:
    with pytest.raises(StoredArrayError, match=why):
        arrays_of(io.BytesIO(content))["u"].read()


def test_very_many_arrays_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    content = mat({"u": 1, "v": 2, "w": 3})
    monkeypatch.setattr(matlab, "MAX_ARRAYS", 3)
    assert len(arrays_of(io.BytesIO(content))) == 3
    monkeypatch.setattr(matlab, "MAX_ARRAYS", 2)
    with pytest.raises(DamagedFileError, match="it has more than 2 arrays"):
        arrays_of(io.BytesIO(content))


X, U = np.linspace(0, 1, 4), np.arange(4.0)


@pytest.mark.parametrize("form", ["mat", "packed mat", "npz", "packed npz"])
def test_a_flipped_byte_of_a_table_is_refused_or_changes_one_number(
    form: str, tmp_path: Path
) -> None:
    """Every byte in turn: some of these end the program where SciPy reads them. Checksums guard all but a plain MATLAB."""
    path = tmp_path / f"a.{form[-3:]}"
    arrays = {"x": X, "u": U}
    if form.endswith("mat"):
        path.write_bytes(mat(arrays, packed=form != "mat"))
    else:
        (np.savez if form == "npz" else np.savez_compressed)(path, **arrays)
    content = path.read_bytes()
    starts = [content.find(array.tobytes()) for array in (X, U)]
    numbers = {i for start in starts for i in range(start, start + X.nbytes)}
    refused = 0
    for position in range(len(content)):
        for flip in (0x01, 0xFF):
            changed = bytearray(content)
            changed[position] ^= flip
            path.write_bytes(changed)
            try:
                table = read_table(path, ["x"], ["u"], {})
            except TableError:
                refused += 1
                continue
            assert (form == "mat" and position in numbers) or np.array_equal(table.fields["u"], U)
    assert refused > len(content) / 2


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6),
        np.arange(6, dtype=">u2").reshape(2, 3),
        np.asfortranarray(RNG.random((3, 4))),
        np.zeros((0, 3), bool),
        np.float32(2.5),
        np.arange(3, dtype="f2"),
        np.arange(3, dtype="g"),
        np.array([1j]),
    ],
)
def test_npy(array: np.ndarray) -> None:
    for version in ((1, 0), (2, 0), (3, 0)):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, np.asanyarray(array), version=version)
        read = read_npy(stream.getvalue())
        assert (read.shape, read.dtype) == (array.shape, array.dtype)
        assert np.array_equal(read, array)


def headed(header: str, content: bytes = bytes(16)) -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + content


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2L,), }   \n",
        "{'shape':(2,),'fortran_order':False,'descr':'<f8'}",
        "{ 'descr' : '<f8' , 'fortran_order' : True, 'shape' : ( 2 , ) }\n",
    ],
)
def test_headers_as_others_write_them(header: str) -> None:
    assert np.array_equal(read_npy(headed(header, U[:2].tobytes())), U[:2])


NO_HEADER = "it has a header that does not describe an array"
NPY_FAULTS = {
    "objects": (npy(np.array([{}])), "it does not hold numbers"),
    "texts": (npy(np.array(["a"])), "it does not hold numbers"),
    "records": (npy(np.zeros(2, [("a", "f8"), ("b", "i4")])), "it does not hold numbers"),
    "times": (npy(np.zeros(2, "M8[ns]")), "it does not hold numbers"),
    "no NumPy": (b"hello, world", "it is not an array in NumPy's format"),
    "nothing": (b"", "it is not an array in NumPy's format"),
    "version 4": (npy(U).replace(b"NUMPY\1", b"NUMPY\4"), "it is not an array in NumPy's format"),
    "a claim": (
        npy(np.arange(10)).replace(b"(10,), }" + b" " * 9, b"(1" + b"0" * 10 + b",), }"),
        r"it has a header that says \(10000000000,\) numbers of 8 bytes, and 80 bytes follow",
    ),
    "an end in the header": (npy(U)[:40], NO_HEADER),
    "a program": (
        headed("{'descr': '<f8', 'fortran_order': False, 'shape': (exit(),)}"),
        NO_HEADER,
    ),
    "a program besides": (
        headed("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), exit(): 1}"),
        NO_HEADER,
    ),
    "a key too few": (headed("{'descr': '<f8', 'shape': (2,)}"), NO_HEADER),
    "a type that is none": (
        headed("{'descr': '<f7', 'fortran_order': False, 'shape': (2,)}"),
        NO_HEADER,
    ),
    "a type of no letter": (
        headed("{'descr': 'zzz', 'fortran_order': False, 'shape': (2,)}"),
        NO_HEADER,
    ),
    "values that change places": (
        headed("{'descr': (2,), 'fortran_order': '<f8', 'shape': False}"),
        NO_HEADER,
    ),
    "more axes than NumPy has": (
        headed(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({'1, ' * 99})}}", bytes(8)),
        NO_HEADER,
    ),
}


@pytest.mark.parametrize(("content", "why"), NPY_FAULTS.values(), ids=NPY_FAULTS)
def test_faults_of_npy(content: bytes, why: str) -> None:
    with pytest.raises(StoredArrayError, match=why):
        read_npy(content)


def test_an_archive_is_looked_at_where_it_is_asked() -> None:
    stream = io.BytesIO(npz(u=U, words=np.array(["a"])))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("notes.txt", "hello")
        archive.writestr("slow.npy", npy(U), zipfile.ZIP_LZMA)
    found = NumpyArchive(stream)
    assert list(found) == ["u", "words", "notes.txt", "slow"]
    assert (found["u"].shape, found["u"].dtype, found["u"].n_bytes) == ((4,), np.float64, 32)
    assert np.array_equal(found["u"].read(), U)
    assert found["words"].dtype.kind == "U"
    with pytest.raises(StoredArrayError, match="'notes.txt' is not an array in NumPy's format"):
        found["notes.txt"]
    with pytest.raises(StoredArrayError, match="'slow' is packed by a method other than deflate"):
        found["slow"]
    with pytest.raises(DamagedFileError, match="it is not a NumPy archive: File is not a zip file"):
        NumpyArchive(io.BytesIO(b"hello"))
