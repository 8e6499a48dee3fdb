"""The text of Semeion, 256 pixels and a one-hot label a line, split by the permutation of the
paper's authors.
"""

from __future__ import annotations

import numpy as np

from laaf_cli.files.untrusted.npy import read_npy
from laaf_cli.files.untrusted.stored_array import StoredArrayError
from laaf_cli.images.data.images import Images, labelled
from laaf_cli.images.errors import DataSetError

SIDE = 16
N_CLASSES = 10
N_TRAIN = 1000
"""How many entries of the authors' permutation are training digits; the others are their test
digits.
"""

MAX_BYTES = 100_000_000


def read_semeion(text: bytes) -> Images:
    """All digits, a pixel being 0 or 255, in the order of the file.

    Raises DataSetError where a line does not hold 256 zeros and ones and then ten of which just one
    is a one.
    """
    if len(text) > MAX_BYTES:
        raise DataSetError(f"it is larger than {MAX_BYTES:,} bytes")
    n_columns = SIDE * SIDE + N_CLASSES
    rows = [line.split() for line in text.splitlines()]
    for number, row in enumerate(rows, 1):
        if len(row) != n_columns:
            raise DataSetError(
                f"line {number} has {len(row)} numbers, and {n_columns} were expected"
            )
    bits = {word: _bit(word) for word in set().union(*rows)}
    table = np.array([[bits[word] for word in row] for row in rows], np.int8).reshape(-1, n_columns)
    wrong = np.flatnonzero((table < 0).any(axis=1) | (table[:, SIDE * SIDE :].sum(axis=1) != 1))
    if len(wrong):
        raise DataSetError(
            f"line {wrong[0] + 1} is not 256 zeros and ones and then ten numbers with a single one"
        )
    pixels = table[:, : SIDE * SIDE].astype(np.uint8) * np.uint8(255)
    return labelled(
        pixels.reshape(-1, 1, SIDE, SIDE), table[:, SIDE * SIDE :].argmax(axis=1), N_CLASSES
    )


def _bit(word: bytes) -> int:
    """0 or 1, however it is written, and −1 for anything else."""
    try:
        number = float(word)
    except ValueError:
        return -1
    return int(number) if number in (0, 1) else -1


def read_permutation(content: bytes) -> np.ndarray:
    """A permutation of 0..n−1 [n]; raises DataSetError where the array in the file is not one."""
    try:
        permutation = read_npy(content)
    except StoredArrayError as error:
        raise DataSetError(str(error)) from None
    if (
        permutation.ndim != 1
        or permutation.dtype.kind not in "iu"
        or not np.array_equal(np.sort(permutation), np.arange(permutation.size))
    ):
        raise DataSetError("its numbers are not 0 to n − 1, each once")
    return permutation.astype(np.int64)


def read_training_digits(text: bytes, permutation: bytes, n_train: int = N_TRAIN) -> Images:
    """The digits that the first entries of the permutation name, in its order."""
    return _permuted(text, permutation, slice(None, n_train))


def read_test_digits(text: bytes, permutation: bytes, n_train: int = N_TRAIN) -> Images:
    """The digits that the other entries of the permutation name, in its order."""
    return _permuted(text, permutation, slice(n_train, None))


def _permuted(text: bytes, permutation: bytes, which: slice) -> Images:
    digits, order = read_semeion(text), read_permutation(permutation)
    if len(digits) != len(order):
        raise DataSetError(
            f"there are {len(digits):,} digits, and the permutation is one of {len(order):,}"
        )
    return digits.at(order[which])
