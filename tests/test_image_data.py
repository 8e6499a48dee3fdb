"""Image data sets under a folder: files in every form and place, each checked, and parts of a set."""

from __future__ import annotations

import lzma
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from image_files import cifar_records, gzipped, idx, npy, npz, semeion, sha256, tar_gz, zipped

from laaf_cli.errors import ExitCode
from laaf_cli.images.data import DATASETS, DataSet, ImageData, default_data_dir, load_images
from laaf_cli.images.data.cifar_sets import make_part
from laaf_cli.images.data.idx import read_idx_images
from laaf_cli.images.data.mnist_sets import make_data_set
from laaf_cli.images.data.published import DataSetPart, Form, Piece, PublishedFile, checksum_of
from laaf_cli.images.data.semeion import read_test_digits, read_training_digits
from laaf_cli.images.errors import DataSetError, MissingDataError

RNG = np.random.default_rng(1)
N_TRAIN, N_TEST = 12, 6


def _idx_contents(seed: int) -> dict[str, bytes]:
    rng = np.random.default_rng(seed)
    return {
        f"{part}-{what}-ubyte": idx(rng.integers(0, high, shape, np.uint8))
        for part, n in (("train", N_TRAIN), ("t10k", N_TEST))
        for what, high, shape in (("images-idx3", 256, (n, 28, 28)), ("labels-idx1", 10, (n,)))
    }


IDX = {name: _idx_contents(seed) for seed, name in enumerate(("mnist", "kmnist"))}


def _small_idx_set(name: str, folder: str) -> DataSet:
    rows = tuple(
        (file, len(gzipped(content)), sha256(gzipped(content)), len(content), sha256(content))
        for file, content in IDX[name].items()
    )
    row = make_data_set(
        name, name.upper(), DATASETS[name].classes, rows, ("http://127.0.0.1:9/",), folder, "none"
    )
    return replace(
        row, train=(replace(row.train[0], n=N_TRAIN),), test=(replace(row.test[0], n=N_TEST),)
    )


BATCH = 20
PIXELS = {
    name: RNG.integers(0, 256, (BATCH, 3072), np.uint8)
    for name in ("data_batch_1", "data_batch_2", "test_batch")
}
LABELS = {name: RNG.permutation(np.repeat(np.arange(10), 2)) for name in PIXELS}
RECORDS = {name: cifar_records(PIXELS[name], LABELS[name]) for name in PIXELS}
BINARY = tar_gz({f"cifar-10-batches-bin/{name}.bin": content for name, content in RECORDS.items()})


def _file(
    name: str, content: bytes, algorithm: str = "sha256", urls: tuple[str, ...] = ()
) -> PublishedFile:
    return PublishedFile(
        name=name, size=len(content), checksum=checksum_of(content, algorithm), urls=urls
    )


def _small_cifar() -> DataSet:
    archive = Form(
        file=_file("cifar-10-binary.tar.gz", BINARY, urls=("http://127.0.0.1:9/b",)),
        packing="tar.gz",
        member="cifar-10-batches-bin",
    )
    parts = tuple(
        make_part(name, BATCH, checksum_of(RECORDS[name], "sha1"), archive, 10) for name in PIXELS
    )
    return replace(DATASETS["cifar-10"], train=parts[:2], test=parts[2:])


DIGITS = semeion(RNG.integers(0, 2, (8, 256)), np.arange(8))
ORDER = npy(np.array([7, 1, 0, 2, 3, 5, 4, 6]))
MEMBER = "Deep_Learning_Benchmark/dataset/semeion/random_index.npy"
AUTHORS = zipped({MEMBER: ORDER, "Deep_Learning_Benchmark/main.py": b"pass"})


def _small_semeion() -> DataSet:
    order = _file("random_index.npy", ORDER)
    digits = _file("semeion.data", DIGITS, urls=("http://127.0.0.1:9/s",))
    forms = (
        Form(file=order),
        Form(
            file=_file("Deep_Learning_Benchmark.zip", AUTHORS, urls=("http://127.0.0.1:9/z",)),
            packing="zip",
            member=MEMBER,
        ),
    )
    pieces = (
        Piece(
            name=digits.name, size=len(DIGITS), checksum=digits.checksum, forms=(Form(file=digits),)
        ),
        Piece(name=order.name, size=len(ORDER), checksum=order.checksum, forms=forms),
    )
    parts = (
        DataSetPart(
            name="training digits",
            n=5,
            pieces=pieces,
            read=partial(read_training_digits, n_train=5),
        ),
        DataSetPart(
            name="test digits", n=3, pieces=pieces, read=partial(read_test_digits, n_train=5)
        ),
    )
    return replace(DATASETS["semeion"], train=parts[:1], test=parts[1:])


@pytest.fixture(autouse=True)
def _small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    small = (
        _small_idx_set("mnist", "MNIST/raw"),
        _small_idx_set("kmnist", "KMNIST/raw"),
        _small_cifar(),
        _small_semeion(),
    )
    for row in small:
        monkeypatch.setitem(DATASETS, row.name, row)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def load(name: str, folder: Path) -> ImageData:
    return load_images(name, folder, download=False)


def mnist_files(prefix: str, *, packed: bool = True, name: str = "mnist") -> dict[str, bytes]:
    return {
        f"{prefix}{file}{'.gz' if packed else ''}": gzipped(content) if packed else content
        for file, content in IDX[name].items()
    }


# --- forms and places


@pytest.mark.parametrize("prefix", ["mnist/", "", "MNIST/raw/", "mnist/MNIST/raw/"])
@pytest.mark.parametrize("packed", [True, False])
def test_the_mnist_family_in_every_place(tmp_path: Path, prefix: str, packed: bool) -> None:
    data = load("mnist", put(tmp_path, mnist_files(prefix, packed=packed)))
    train = read_idx_images(*list(IDX["mnist"].values())[:2])
    assert np.array_equal(data.train.pixels, train.pixels)
    assert np.array_equal(data.train.labels, train.labels)
    assert len(data.test) == N_TEST
    written = mnist_files("", packed=packed)
    assert data.files == {name: sha256(content) for name, content in written.items()}


CIFAR_FORMS = {
    "records": {f"cifar-10/{name}.bin": content for name, content in RECORDS.items()},
    "records in a folder of their own": {
        f"cifar-10-batches-bin/{name}.bin": content for name, content in RECORDS.items()
    },
    "xz": {f"cifar-10/{name}.bin.xz": lzma.compress(content) for name, content in RECORDS.items()},
    "gzip": {f"{name}.bin.gz": gzipped(content) for name, content in RECORDS.items()},
    "the binary archive": {"cifar-10/cifar-10-binary.tar.gz": BINARY},
    "some of each": {
        "data_batch_1.bin": RECORDS["data_batch_1"],
        "cifar-10/cifar-10-batches-bin/data_batch_2.bin": RECORDS["data_batch_2"],
        "cifar-10/cifar-10-binary.tar.gz": BINARY,
    },
}


@pytest.mark.parametrize("form", CIFAR_FORMS)
def test_cifar_is_the_same_in_every_form(tmp_path: Path, form: str) -> None:
    data = load("cifar-10", put(tmp_path, CIFAR_FORMS[form]))
    assert np.array_equal(
        data.train.pixels.reshape(-1, 3072),
        np.concatenate([PIXELS["data_batch_1"], PIXELS["data_batch_2"]]),
    )
    assert np.array_equal(data.test.labels, LABELS["test_batch"])
    (tmp_path / "other").mkdir()
    assert (
        data.fingerprint
        == load("cifar-10", put(tmp_path / "other", CIFAR_FORMS["records"])).fingerprint
    )


def test_a_fingerprint_tells_pixels_labels_and_split_apart() -> None:
    row, part = DATASETS["cifar-10"], DATASETS["cifar-10"].test[0]
    images = part.read(RECORDS["test_batch"])
    other = part.read(cifar_records(PIXELS["test_batch"], np.roll(LABELS["test_batch"], 1)))
    half = images.at(np.arange(10))
    prints = {
        ImageData(train=train, test=test, classes=row.classes, files={}).fingerprint
        for train, test in (
            (images, half),
            (half, images),
            (other, half),
            (images, images),
            (half, half),
        )
    }
    assert len(prints) == 5


@pytest.mark.parametrize(
    "order", [{"semeion/random_index.npy": ORDER}, {"Deep_Learning_Benchmark.zip": AUTHORS}]
)
def test_semeion_is_split_as_its_users_did(tmp_path: Path, order: dict[str, bytes]) -> None:
    data = load("semeion", put(tmp_path, {"semeion/semeion.data": DIGITS} | order))
    assert list(data.train.labels) == [7, 1, 0, 2, 3]
    assert list(data.test.labels) == [5, 4, 6]
    assert set(data.files) == {"semeion.data", *(name.rpartition("/")[2] for name in order)}


def test_files_of_another_set_in_the_same_folder_are_left_alone(tmp_path: Path) -> None:
    """MNIST and its successors have files of the same names."""
    for packed in (True, False):
        put(tmp_path, mnist_files("", packed=packed, name="kmnist"))
        assert load("kmnist", tmp_path).files
        with pytest.raises(DataSetError, match="MNIST is not all in"):
            load("mnist", tmp_path)
    assert load("mnist", put(tmp_path, mnist_files("mnist/"))).files
    put(tmp_path, mnist_files("mnist/", name="kmnist"))
    with pytest.raises(
        DataSetError,
        match="mnist/train-images-idx3-ubyte.gz is not train-images-idx3-ubyte.gz as published",
    ):
        load("mnist", tmp_path)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    x, y = np.zeros((3, 4, 4), np.uint8), np.arange(3)
    path = put(tmp_path, {"Own.NPZ": npz(x_train=x, y_train=y, x_test=x, y_test=y)}) / "Own.NPZ"
    assert load_images(path).classes == load_images(str(path)).classes == ("0", "1", "2")
    assert load_images(path).files == {"Own.NPZ": sha256(path.read_bytes())}


# --- parts of a set

BATCHES = [f"{name}.bin" for name in PIXELS]


@pytest.mark.parametrize("there", [[], BATCHES[:1], BATCHES[1:], BATCHES[:2], BATCHES[2:]])
def test_a_part_is_refused_with_what_is_missing_and_where_it_is_to_be_had(
    tmp_path: Path, there: list[str]
) -> None:
    put(tmp_path, {f"cifar-10/{name}": RECORDS[name[:-4]] for name in there})
    with pytest.raises(MissingDataError) as caught:
        load("cifar-10", tmp_path)
    lacking = [name for name in BATCHES if name not in there]
    names = f"{', '.join(lacking)} {'are' if len(lacking) > 1 else 'is'}"
    assert str(caught.value) == (
        f"CIFAR-10 is not all in {tmp_path}: {names} missing, and nothing is fetched.\n"
        "Download\n"
        f"  cifar-10-binary.tar.gz ({len(BINARY):,} bytes) from http://127.0.0.1:9/b\n"
        f"and put it into {tmp_path}/cifar-10; or name a folder with it by `data_dir='DIR'`."
    )
    assert caught.value.exit_code == ExitCode.USAGE


# --- files that are not what they should be


def flipped(content: bytes) -> bytes:
    return content[:-20] + bytes([content[-20] ^ 1]) + content[-19:]


WRONG: dict[str, tuple[str, dict[str, bytes], str, Callable[[], str]]] = {
    "half a file": (
        "mnist",
        mnist_files("mnist/"),
        "mnist/train-images-idx3-ubyte.gz",
        lambda: "it has {half} bytes, and {size} were expected",
    ),
    "a flipped byte": (
        "mnist",
        mnist_files("mnist/"),
        "mnist/t10k-labels-idx1-ubyte.gz",
        lambda: "the sha256 is {found}, and {expected} was expected",
    ),
    "a flipped byte of records": (
        "cifar-10",
        CIFAR_FORMS["records"],
        "cifar-10/data_batch_2.bin",
        lambda: "the sha1 is ",
    ),
    "a flipped byte of an archive": (
        "cifar-10",
        CIFAR_FORMS["the binary archive"],
        "cifar-10/cifar-10-binary.tar.gz",
        lambda: "the sha256 is ",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_named_and_left_alone(tmp_path: Path, name: str) -> None:
    dataset, files, wrong, message = WRONG[name]
    put(tmp_path, files)
    right = files[wrong]
    content = right[: len(right) // 2] if name == "half a file" else flipped(right)
    (tmp_path / wrong).write_bytes(content)
    facts = {
        "half": f"{len(content):,}",
        "size": f"{len(right):,}",
        "found": sha256(content),
        "expected": sha256(right),
    }
    for download in (False, True):
        with pytest.raises(DataSetError) as caught:
            load_images(dataset, tmp_path, download=download)
        assert str(caught.value).startswith(
            f"{tmp_path / wrong} is not {Path(wrong).name} as published: {message().format(**facts)}"
        )
        assert str(caught.value).endswith(
            "Remove it, and it is fetched again, or put the published file in its place."
        )
    assert (tmp_path / wrong).read_bytes() == content


@pytest.mark.parametrize("pack", [gzipped, lzma.compress])
def test_what_anyone_packed_is_checked_by_what_is_in_it(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    suffix = "gz" if pack is gzipped else "xz"
    path = tmp_path / f"data_batch_1.bin.{suffix}"
    for content, message in (
        (
            pack(flipped(RECORDS["data_batch_1"])),
            r"is not data_batch_1.bin as published: of what is in it, the sha1 is ",
        ),
        (
            pack(RECORDS["data_batch_1"] + b"x"),
            r": it has more than the 61,460 bytes that were expected",
        ),
        (
            pack(RECORDS["data_batch_1"][:-1]),
            r"it has 61,459 bytes of data_batch_1.bin, and 61,460 were expected",
        ),
        (pack(RECORDS["data_batch_1"])[:-1], r": it ends in the middle"),
        (pack(RECORDS["data_batch_1"]) + b"abc", r": 3 bytes follow after its end"),
        (bytes(2_000_000), r"it is larger than 1,061,460 bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataSetError, match=message) as caught:
            load("cifar-10", tmp_path)
        assert str(path) in str(caught.value)


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train-images-idx3-ubyte.gz")
    with pytest.raises(DataSetError, match="train-images-idx3-ubyte.gz is not a regular file"):
        load("mnist", tmp_path)


def test_a_file_is_no_folder_of_data_sets(tmp_path: Path) -> None:
    path = put(tmp_path, {"semeion.data": DIGITS}) / "semeion.data"
    with pytest.raises(DataSetError) as caught:
        load("semeion", path)
    assert (
        str(caught.value)
        == f"{path} is not a folder, and data sets lie in one; `data_dir='DIR'` names it"
    )


def test_a_path_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="cannot be read: File name too long"):
        load("mnist", tmp_path / ("x" * 5000))


def test_directories_with_the_names_of_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").mkdir()
    assert load("cifar-10", put(tmp_path, CIFAR_FORMS["records in a folder of their own"])).files


def test_a_set_with_other_numbers_of_images_is_refused(tmp_path: Path) -> None:
    row = DATASETS["mnist"]
    DATASETS["mnist"] = replace(row, train=(replace(row.train[0], n=11),))
    with pytest.raises(
        DataSetError, match=r"MNIST, train: there are 12 images of shape \(1, 28, 28\), and 11"
    ):
        load("mnist", put(tmp_path, mnist_files("")))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cifar10", "Did you mean 'cifar-10'?"),
        ("fashionmnist", "Did you mean 'fashion-mnist'?"),
        ("FashionMNIST", "Did you mean 'fashion-mnist'?"),
        ("MNIST", "Did you mean 'mnist'?"),
        (
            "imagenet",
            "There are: semeion, mnist, kmnist, fashion-mnist, cifar-10, cifar-100, svhn; a set of one's own is an .npz file.",
        ),
    ],
)
def test_a_name_that_is_not_in_the_table(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(DataSetError) as caught:
        load_images(name, tmp_path)
    assert str(caught.value) == f"there is no data set '{name}'. {hint}"


def test_the_folder_of_the_data_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAAF_DATA_DIR", str(tmp_path))
    assert default_data_dir() == tmp_path
    put(tmp_path, mnist_files("mnist/"))
    assert load_images("mnist", download=False).files
    monkeypatch.delenv("LAAF_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_data_dir().name == "laaf"
