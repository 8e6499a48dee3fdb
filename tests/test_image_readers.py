"""The readers of image files: what was written comes back; what is damaged or hostile is refused in one sentence."""

from __future__ import annotations

import io
import lzma
import struct
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from image_files import cifar_records, gzipped, idx, npy, npz, semeion, tar_gz, zipped
from tripwire import armed

from laaf_cli.images.data import packing, read_npz
from laaf_cli.images.data.cifar import read_cifar
from laaf_cli.images.data.idx import read_idx, read_idx_images
from laaf_cli.images.data.packing import unpacked
from laaf_cli.images.data.semeion import (
    read_permutation,
    read_semeion,
    read_test_digits,
    read_training_digits,
)
from laaf_cli.images.data.svhn import read_svhn
from laaf_cli.images.errors import DataSetError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 4, 3), np.uint8)
COLOUR = RNG.integers(0, 256, (6, 3, 32, 32), np.uint8)
ROWS = COLOUR.reshape(6, 3072)
LABELS = np.array([3, 0, 9, 1, 4, 7], np.uint8)
BITS = RNG.integers(0, 2, (7, 16, 16), np.uint8)
BIT_LABELS = np.array([0, 1, 2, 9, 4, 5, 6])


def mat(*, packed: bool = True, **arrays: object) -> bytes:
    """A file of SVHN with these arrays in place of the right ones; None leaves one out."""
    stream = io.BytesIO()
    right = {"X": COLOUR.transpose(2, 3, 1, 0), "y": np.where(LABELS, LABELS, 10)[:, None]}
    present = {name: array for name, array in (right | arrays).items() if array is not None}
    scipy.io.savemat(stream, present, do_compression=packed)
    return stream.getvalue()


PACKED = {
    "gzip": (gzipped, {"": 1000}),
    "xz": (lzma.compress, {"": 1000}),
    "tar.gz": (lambda content: tar_gz({"a/x": b"other", "a/b.bin": content}), {"a/b.bin": 1000}),
    "zip": (lambda content: zipped({"a/x": b"other", "a/b.bin": content}), {"a/b.bin": 1000}),
}
CONTENT = RNG.integers(0, 8, 1000, np.uint8).tobytes()


# --- what was written comes back


def test_idx() -> None:
    images = read_idx_images(idx(GREY), idx(LABELS[:5]))
    assert images.pixels.shape == (5, 1, 4, 3)
    assert np.array_equal(images.pixels[:, 0], GREY)
    assert np.array_equal(images.labels, LABELS[:5])
    assert images.pixels.flags.writeable
    assert images.labels.dtype == np.int64


def test_semeion_and_its_split() -> None:
    text, order = semeion(BITS, BIT_LABELS), np.array([6, 2, 0, 1, 3, 5, 4])
    digits = read_semeion(text)
    assert np.array_equal(digits.pixels[:, 0], BITS * 255)
    assert np.array_equal(digits.labels, BIT_LABELS)
    train, test = (
        read(text, npy(order), n_train=4) for read in (read_training_digits, read_test_digits)
    )
    assert np.array_equal(train.labels, BIT_LABELS[[6, 2, 0, 1]])
    assert np.array_equal(test.pixels[:, 0], BITS[[3, 5, 4]] * 255)


def test_cifar_records() -> None:
    images = read_cifar(cifar_records(ROWS, LABELS), 10)
    assert np.array_equal(images.pixels, COLOUR)
    assert np.array_equal(images.labels, LABELS)
    fine = LABELS * 10
    images = read_cifar(cifar_records(ROWS, LABELS, fine), 100)
    assert np.array_equal(images.pixels, COLOUR)
    assert np.array_equal(images.labels, fine)


@pytest.mark.parametrize("packed", [False, True])
def test_svhn(packed: bool) -> None:
    images = read_svhn(mat(packed=packed))
    assert np.array_equal(images.pixels, COLOUR)
    assert np.array_equal(images.labels, LABELS)


@pytest.mark.parametrize("packing", PACKED)
def test_packed_files(packing: str) -> None:
    pack, wanted = PACKED[packing]
    assert unpacked(packing, pack(CONTENT), wanted) == dict.fromkeys(wanted, CONTENT)


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_npz(tmp_path: Path, channels: int | None) -> None:
    x = RNG.integers(0, 256, (6, 5, 4) if channels is None else (6, 5, 4, channels), np.uint8)
    path = tmp_path / "own.npz"
    path.write_bytes(
        npz(
            x_train=x[:4],
            y_train=np.array([[1], [0], [2], [1]]),
            x_test=x[4:],
            y_test=np.array([2, 0], np.uint8),
        )
    )
    data = read_npz(path)
    assert data.n_classes == 3
    assert data.train.shape == (channels or 1, 5, 4)
    assert np.array_equal(
        data.test.pixels, x[4:, None] if channels is None else x[4:].transpose(0, 3, 1, 2)
    )
    assert np.array_equal(data.train.labels, [1, 0, 2, 1])


# --- what is damaged

READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "idx": (lambda content: read_idx(content, 3), idx(GREY)),
    "permutation": (read_permutation, npy(np.arange(6))),
    "semeion": (read_semeion, semeion(BITS[:1], BIT_LABELS[:1])),
    "mat": (
        read_svhn,
        mat(
            X=COLOUR[:1, :, :2, :2].transpose(2, 3, 1, 0), y=np.array([[3]], np.uint8), packed=False
        ),
    ),
    "packed mat": (
        read_svhn,
        mat(X=COLOUR[:1, :, :2, :2].transpose(2, 3, 1, 0), y=np.array([[3]], np.uint8)),
    ),
    **{
        f"{packing} file": (
            lambda content, packing=packing, wanted=wanted: unpacked(packing, content, wanted),
            pack(CONTENT),
        )
        for packing, (pack, wanted) in PACKED.items()
    },
}

BLANKS = 3
"""How many bytes at the end of Semeion's text are blanks and line ends."""


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_ends_early_is_refused(name: str) -> None:
    """At every byte; only an archive may end after what is wanted from it."""
    read, content = READERS[name]
    for end in range(len(content) - (BLANKS if name == "semeion" else 0)):
        try:
            got = read(content[:end])
        except DataSetError:
            continue
        assert (name, got) == ("tar.gz file", {"a/b.bin": CONTENT})
        assert end > len(content) / 2


# An archive may hold more than is wanted.
@pytest.mark.parametrize("name", sorted(READERS.keys() - {"zip file", "tar.gz file"}))
def test_a_file_with_more_after_its_end_is_refused(name: str) -> None:
    read, content = READERS[name]
    with pytest.raises(DataSetError):
        read(content + b"\x07")


@pytest.mark.parametrize("name", READERS)
def test_a_flipped_byte_is_refused_or_gives_images_still(name: str) -> None:
    """Nothing but DataSetError leaves a reader, whatever byte is wrong; checksums tell the rest."""
    read, content = READERS[name]
    refused = 0
    for position in range(0, len(content), max(1, len(content) // 400)):
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(content)
            changed[position] ^= flip
            try:
                read(bytes(changed))
            except DataSetError as error:
                refused += 1
                assert str(error)
    assert refused


FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "idx of another number of axes": (
        lambda: read_idx(idx(GREY), 1),
        r"it begins with 00 00 08 03, and 00 00 08 01 was expected: it is not IDX",
    ),
    "idx that claims more": (
        lambda: read_idx(struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3) + b"0", 3),
        r"it has 17 bytes, and its header says 4,294,967,295 x ",
    ),
    "fewer labels than images": (
        lambda: read_idx_images(idx(GREY), idx(LABELS[:4])),
        "there are 5 images and 4 labels",
    ),
    "a label that is too large": (
        lambda: read_idx_images(idx(GREY), idx(LABELS[:5]), 9),
        "the label of image 2 is 9; the classes are numbered 0 to 8",
    ),
    "no images": (lambda: read_idx_images(idx(GREY[:0]), idx(LABELS[:0])), "there are no images"),
    "no records": (lambda: read_cifar(b"", 10), "there are no images"),
    "a broken record": (
        lambda: read_cifar(bytes(3074), 10),
        r"it has 3,074 bytes, not a multiple of the 3,073 of a record",
    ),
    "a wrong label": (
        lambda: read_cifar(b"\x0a" + bytes(3072), 10),
        "the label of image 0 is 10; the classes are numbered 0 to 9",
    ),
    "a wrong coarse label": (
        lambda: read_cifar(b"\x14\x00" + bytes(3072), 100),
        "the label of image 0 is 20; the classes are numbered 0 to 19",
    ),
    "complex digits": (
        lambda: read_svhn(mat(y=np.ones((6, 1)) * 1j)),
        "it has no array of real numbers 'y'",
    ),
    "too few pixels of a digit": (
        lambda: read_semeion(semeion(BITS, BIT_LABELS).replace(b"1.0000 ", b"", 1)),
        "line 1 has 265 numbers, and 266 were expected",
    ),
    "a grey digit": (
        lambda: read_semeion(semeion(BITS, BIT_LABELS).replace(b"1.0000", b"0.5000", 1)),
        "line 1 is not 256 zeros and ones",
    ),
    "a digit of words": (
        lambda: read_semeion(semeion(BITS, BIT_LABELS).replace(b"1.0000", b"one", 1)),
        "line 1 is not 256 zeros and ones",
    ),
    "a digit of two classes": (
        lambda: read_semeion(semeion(BITS, BIT_LABELS)[:-6] + b"1 1 \r\n"),
        "line 7 is not 256 zeros and ones and then ten numbers with a single one",
    ),
    "no digits": (lambda: read_semeion(b""), "there are no images"),
    "no permutation": (
        lambda: read_permutation(npy(np.array([0, 2, 2]))),
        "its numbers are not 0 to n − 1, each once",
    ),
    "a permutation of others": (
        lambda: read_training_digits(semeion(BITS, BIT_LABELS), npy(np.arange(6))),
        "there are 7 digits, and the permutation is one of 6",
    ),
    "a permutation of objects": (
        lambda: read_permutation(npy(np.array([{}]))),
        "it does not hold numbers",
    ),
    "a permutation of reals": (
        lambda: read_permutation(npy(np.arange(3.0))),
        "its numbers are not 0 to n − 1",
    ),
    "no X": (lambda: read_svhn(mat(X=None)), "it has no array of real numbers 'X'"),
    "X in a cell": (
        lambda: read_svhn(mat(X=np.array([[1, 2], "a"], object))),
        "it has no array of real numbers 'X'",
    ),
    "X of reals": (
        lambda: read_svhn(mat(X=np.zeros((2, 2, 3, 1)))),
        r"'X' in it is float64 \(2, 2, 3, 1\); bytes of height x width x 3 x n were expected",
    ),
    "a digit 0 in y": (
        lambda: read_svhn(mat(y=np.zeros((6, 1), np.uint8))),
        "'y' in it holds others than the numbers 1 to 10, of which 10 means 0",
    ),
    "a digit 11 in y": (
        lambda: read_svhn(mat(y=np.full((6, 1), 11.0))),
        "'y' in it holds others than the numbers 1 to 10",
    ),
    "too few digits in y": (
        lambda: read_svhn(mat(y=np.ones((5, 1)))),
        "there are 6 images and 5 labels",
    ),
    "not MATLAB": (
        lambda: read_svhn(b"\x89HDF\r\n\x1a\n" + bytes(500)),
        "it is not a MATLAB 5 file",
    ),
    "an archive without the member": (
        lambda: unpacked("tar.gz", tar_gz({"x": b""}), {"y": 5}),
        "it has no 'y'",
    ),
    "a zip without the member": (
        lambda: unpacked("zip", zipped({"x": b""}), {"y": 5}),
        "it has no 'y'",
    ),
    "a member that is too large": (
        lambda: unpacked("tar.gz", tar_gz({"y": bytes(6)}), {"y": 5}),
        "'y' in it has more than the 5 bytes that were expected",
    ),
    "gzip with more after it": (
        lambda: unpacked("gzip", gzipped(b"a") + b"bc", {"": 5}),
        "2 bytes follow after its end",
    ),
    "gzip twice": (
        lambda: unpacked("gzip", gzipped(b"a") * 2, {"": 5}),
        "21 bytes follow after its end",
    ),
    "xz that is none": (
        lambda: unpacked("xz", gzipped(b"a"), {"": 5}),
        "it cannot be unpacked as xz",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_said_in_a_sentence(name: str) -> None:
    read, message = FAULTS[name]
    with pytest.raises(DataSetError, match=message):
        read()


def test_a_link_in_an_archive_is_not_followed() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        info = tarfile.TarInfo("y")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(DataSetError, match="'y' in it is not a file"):
        unpacked("tar.gz", stream.getvalue(), {"y": 5000})


# --- bombs


def _many_members() -> bytes:
    return tar_gz({str(i): b"" for i in range(packing.MAX_MEMBERS + 1)})


def _long_name() -> bytes:
    """A tar whose header says that a name of 100 megabytes follows."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 10**8
    return gzipped(header.tobuf(tarfile.GNU_FORMAT) + bytes(10**8))


def _zip_that_lies() -> bytes:
    content = zipped({"y": bytes(10**8)})
    return content.replace(struct.pack("<I", 10**8), struct.pack("<I", 5))


MORE = "more than the 1,000 bytes that were expected"
BOMBS: dict[str, Callable[[], tuple[str, bytes, dict[str, int], str]]] = {
    "gzip": lambda: ("gzip", gzipped(bytes(10**8)), {"": 1000}, MORE),
    "xz": lambda: ("xz", lzma.compress(bytes(10**8), preset=0), {"": 1000}, MORE),
    "zip": lambda: ("zip", zipped({"y": bytes(10**8)}), {"y": 1000}, MORE),
    "zip that lies": lambda: ("zip", _zip_that_lies(), {"y": 5}, "it cannot be unpacked as zip"),
    "tar": lambda: ("tar.gz", tar_gz({"y": bytes(10**8)}), {"y": 1000}, MORE),
    "tar with a long name": lambda: (
        "tar.gz",
        _long_name(),
        {"y": 1000},
        "it unpacks to more than was expected",
    ),
    "tar of very many": lambda: (
        "tar.gz",
        _many_members(),
        {"y": 1000},
        "it has more than 1,000 members",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_not_go_off(name: str) -> None:
    kind, content, wanted, message = BOMBS[name]()
    tracemalloc.start()
    try:
        with pytest.raises(DataSetError, match=message):
            unpacked(kind, content, wanted)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000 + 30_000_000 * (
            name == "tar with a long name"
        )
    finally:
        tracemalloc.stop()


def test_a_bomb_in_matlab_does_not_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("laaf_cli.images.data.svhn.MAX_BYTES", 10_000)
    with pytest.raises(DataSetError, match="it unpacks to more than 10,000 bytes"):
        read_svhn(mat())


# --- a data set of one's own

X, Y = np.zeros((3, 4, 4), np.uint8), np.arange(3)
OWN = {
    "no test labels": ({"y_test": None}, "it has no 'y_test'. Did you mean 'x_test'?"),
    "pixels of reals": (
        {"x_train": X / 1.0},
        r"'x_train' in it is float64 of shape \(3, 4, 4\); uint8 of shape",
    ),
    "pixels of numbers": (
        {"x_train": X.astype(int)},
        r"'x_train' in it is int64 of shape \(3, 4, 4\); uint8 of shape",
    ),
    "two channels": (
        {"x_test": np.zeros((3, 4, 4, 2), np.uint8)},
        r"'x_test' in it is uint8 of shape \(3, 4, 4, 2\)",
    ),
    "labels in columns": (
        {"y_train": np.eye(3, dtype=int)},
        r"'y_train' in it is int64 of shape \(3, 3\); integers of shape \[n\]",
    ),
    "labels yes and no": (
        {"y_train": np.array([True, False, True])},
        r"'y_train' in it is bool of shape \(3,\)",
    ),
    "fewer labels": (
        {"y_train": Y[:2]},
        "'x_train' and 'y_train' in it: there are 3 images and 2 labels",
    ),
    "a negative label": ({"y_train": Y - 1}, "the label of image 0 is -1"),
    "a gap": (
        {"y_train": np.array([0, 2, 2])},
        "class 1 has no training image; the classes are numbered from 0, without gaps",
    ),
    "a huge label": (
        {"y_train": np.array([0, 1, 2**63], np.uint64)},
        "the label of image 2 is 9223372036854775808; the classes are numbered 0 to 999",
    ),
    "an unknown class": (
        {"y_test": Y + 1},
        "'x_test' and 'y_test' in it: the label of image 2 is 3; the classes are numbered 0 to 2",
    ),
    "another size": (
        {"x_test": np.zeros((3, 5, 5), np.uint8)},
        r"its training images have shape \(1, 4, 4\), and its test images \(1, 5, 5\)",
    ),
    "objects": ({"x_train": np.array([{}, {}, {}])}, "'x_train' does not hold numbers"),
    "labels of words": (
        {"y_train": np.array(["cat", "dog", "eel"])},
        "'y_train' does not hold numbers",
    ),
    "labels of reals": (
        {"y_test": Y / 1.0},
        r"'y_test' in it is float64 of shape \(3,\); integers of shape",
    ),
    "nothing": ({"x_train": X[:0], "y_train": Y[:0]}, "there are no images"),
}


@pytest.mark.parametrize("name", OWN)
def test_faults_of_an_npz(tmp_path: Path, name: str) -> None:
    changed, message = OWN[name]
    path = tmp_path / "own.npz"
    arrays = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y} | changed
    path.write_bytes(npz(**{key: value for key, value in arrays.items() if value is not None}))
    with armed({str(path)}) as seen, pytest.raises(DataSetError, match=message) as caught:
        read_npz(path)
    assert not seen
    assert str(caught.value).startswith(str(path))


def test_an_npz_that_is_none(tmp_path: Path) -> None:
    for name, content, message in (
        ("text.npz", b"hello", "it is not a NumPy archive: File is not a zip file"),
        ("other.npz", npz(images=X), "it has no 'x_train'. It has: images."),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataSetError, match=message):
            read_npz(tmp_path / name)
    with pytest.raises(DataSetError, match="gone.npz cannot be read: No such file"):
        read_npz(tmp_path / "gone.npz")
    with pytest.raises(DataSetError, match="is not a regular file"):
        read_npz(tmp_path)


def test_an_npz_bomb_does_not_go_off(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    claim = npy(np.zeros(100, np.uint8)).replace(
        b"(100,), }" + b" " * 8, b"(1" + b"0" * 10 + b",), }"
    )
    path.write_bytes(
        zipped({f"{name}.npy": claim for name in ("x_train", "y_train", "x_test", "y_test")})
    )
    with pytest.raises(DataSetError, match="its arrays unpack to more than 2,000,000,000 bytes"):
        read_npz(path)
