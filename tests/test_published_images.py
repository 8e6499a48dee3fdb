"""The table of image data sets, and the published files themselves where LAAF_DATA_DIR names a folder with them."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import numpy as np
import pytest

import laaf_cli.images.data
from laaf_cli.images.data import DATASETS, ImageData, load_images
from laaf_cli.images.errors import MissingDataError

# --- the table and the package


def test_the_table_is_whole() -> None:
    for name, row in DATASETS.items():
        assert row.name == name
        assert len(set(row.classes)) == len(row.classes)
        assert row.terms.endswith(".")
        for part in row.parts:
            for piece in part.pieces:
                assert piece.fetched.size
                assert piece.fetched.checksum.startswith("sha256:")
                assert all(
                    url.startswith("http") and url.endswith(piece.fetched.name)
                    for url in piece.fetched.urls
                )
        for file in row.files:
            algorithm, _, digits = file.checksum.partition(":")
            assert len(digits) == {"sha256": 64, "sha1": 40, "md5": 32}[algorithm]
    assert [len(row.classes) for row in DATASETS.values()] == [10, 10, 10, 10, 10, 100, 10]
    assert [sum(part.n for part in row.train) for row in DATASETS.values()] == [
        1000,
        60_000,
        60_000,
        60_000,
        50_000,
        50_000,
        73_257,
    ]
    assert [sum(part.n for part in row.test) for row in DATASETS.values()] == [
        593,
        10_000,
        10_000,
        10_000,
        10_000,
        10_000,
        26_032,
    ]


PACKAGE = Path(laaf_cli.images.data.__file__).parent


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_data_are_read_without_torch_and_without_pickle(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.partition(".")[0] for name in names} & {"torch", "pickle", "scipy", "h5py"}
        assert not (isinstance(node, ast.keyword) and node.arg == "allow_pickle")


# --- the real files

REAL = os.environ.get("LAAF_DATA_DIR", "")


def real(name: str) -> ImageData:
    if not REAL or not (Path(REAL) / name).is_dir():
        pytest.skip(f"LAAF_DATA_DIR names no folder with {name}")
    return load_images(name, Path(REAL), download=False)


FIRST = {"mnist": [5, 0, 4, 1, 9], "kmnist": [8, 7, 0, 1, 4], "fashion-mnist": [9, 0, 0, 3, 0]}


@pytest.mark.parametrize("name", FIRST)
def test_the_real_mnist_family(name: str) -> None:
    data = real(name)
    assert data.train.pixels.shape == (60_000, 1, 28, 28)
    assert data.test.pixels.shape == (10_000, 1, 28, 28)
    assert list(data.train.labels[:5]) == FIRST[name]
    if name != "mnist":
        assert list(np.bincount(data.train.labels)) == [6000] * 10
        assert list(np.bincount(data.test.labels)) == [1000] * 10


def test_the_real_semeion() -> None:
    data = real("semeion")
    assert data.train.pixels.shape == (1000, 1, 16, 16)
    assert data.test.pixels.shape == (593, 1, 16, 16)
    assert set(np.unique(data.train.pixels)) == {0, 255}
    both = np.bincount(data.train.labels) + np.bincount(data.test.labels)
    assert list(both) == [161, 162, 159, 159, 161, 159, 161, 158, 155, 158]


@pytest.mark.parametrize("name", ["cifar-10", "cifar-100"])
def test_the_real_cifar(name: str) -> None:
    """Whole, or refused with the names of what is missing."""
    if not REAL or not (Path(REAL) / name).is_dir():
        pytest.skip(f"LAAF_DATA_DIR names no folder with {name}")
    missing = [
        piece.name
        for part in DATASETS[name].parts
        for piece in part.pieces
        if not list(Path(REAL).glob(f"{name}/{piece.name}*"))
    ]
    if missing and not list(Path(REAL).glob(f"{name}/*.tar.gz")):
        with pytest.raises(MissingDataError) as caught:
            load_images(name, Path(REAL), download=False)
        assert all(piece in str(caught.value) for piece in missing)
        return
    data = load_images(name, Path(REAL), download=False)
    n_classes = len(DATASETS[name].classes)
    assert list(np.bincount(data.test.labels)) == [10_000 // n_classes] * n_classes
    assert list(np.bincount(data.train.labels)) == [50_000 // n_classes] * n_classes
