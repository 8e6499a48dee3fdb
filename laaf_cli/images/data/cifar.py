"""The records of CIFAR-10 and CIFAR-100: label bytes, then 1024 red, 1024 green and 1024 blue
bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from laaf_cli.errors import DataSetError
from laaf_cli.images.data.images import Images, check_labels, labelled
from laaf_cli.images.data.pickled import read_pickle

SIDE = 32
N_PIXELS = 3 * SIDE * SIDE
N_COARSE = 20
"""CIFAR-100 also has coarse classes, whose label stands first in a record."""


def read_cifar(content: bytes, n_classes: int) -> Images:
    """The images of the binary version, with the label of CIFAR-10 or the fine label of CIFAR-100.

    Raises DataSetError where the bytes are not whole records, or a label is not one of a class.
    """
    n_labels = 2 if n_classes == 100 else 1
    n_record = n_labels + N_PIXELS
    if len(content) % n_record:
        raise DataSetError(
            f"it has {len(content):,} bytes, which is no multiple of the {n_record:,} of a record"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, n_record)
    pixels = records[:, n_labels:].reshape(-1, 3, SIDE, SIDE)
    if n_labels == 2:
        check_labels(records[:, 0], N_COARSE)
    return labelled(pixels, records[:, n_labels - 1], n_classes)


def records_from_pickle(content: bytes, names: tuple[str, ...]) -> bytes:
    """The records of the binary version from a file of the Python version.

    names: the keys of the labels, in the order in which they stand in a record.
    Raises DataSetError for a file that holds something else.
    """
    batch = read_pickle(content)
    if not isinstance(batch, dict):
        raise DataSetError("it does not hold a dict")
    pixels = _value(batch, "data")
    if not isinstance(pixels, np.ndarray) or pixels.shape[1:] != (N_PIXELS,):
        raise DataSetError(f"its 'data' is not an array of rows of {N_PIXELS:,} bytes")
    columns = [_labels(_value(batch, name), name, len(pixels)) for name in names]
    return np.concatenate([*columns, pixels], axis=1).tobytes()


def _labels(values: Any, name: str, n: int) -> np.ndarray:
    if not isinstance(values, list) or len(values) != n:
        raise DataSetError(
            f"its '{name}' are not a list of {n:,} labels, as many as there are images"
        )
    if not all(type(value) is int and 0 <= value < 256 for value in values):
        raise DataSetError(f"its '{name}' are not all numbers from 0 to 255")
    return np.array(values, np.uint8)[:, None]


def _value(batch: dict[Any, Any], name: str) -> Any:
    # Python 2 wrote texts as bytes.
    value = batch.get(name.encode(), batch.get(name))
    if value is None:
        raise DataSetError(f"it has no '{name}'")
    return value
