"""HDF5 read with suspicion: nothing outside the file is followed, nothing unreasonable is allocated.

An HDF5 file may hold links to other files, datasets whose bytes lie in other files, shapes of terabytes that
were never written, and types that are Python objects. None of them belongs into a run file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from laaf_cli.errors import RunFileError
from laaf_cli.runfile.layout import Attribute
from laaf_cli.runfile.record import Array

MAX_BYTES = 2_000_000_000
"""The largest dataset that is read."""

MAX_PACKING = 1100
"""gzip packs at most 1032 to 1; a dataset that claims more was never written."""

MAX_UNPACKED = 100_000
"""Datasets of fewer bytes may be as sparse as they like."""

_PLAIN = "biufS"
_FILTERS = {None, "gzip"}


class GuardedFile:
    """An open HDF5 file of a stranger. Raises RunFileError for whatever is wrong with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not path.exists():
                raise RunFileError(f"there is no file {path}")
            if not path.is_file():  # opening a pipe would wait for ever
                raise RunFileError(f"{path} is not an ordinary file, and a run file is")
            self._file = h5py.File(path, "r")
        except (OSError, ValueError) as error:
            raise RunFileError(f"{path} cannot be read as HDF5: {_first_line(error)}") from None

    def __enter__(self) -> GuardedFile:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def has_attribute(self, name: str, group: str = "/") -> bool:
        with self._told(f"attribute {name}"):
            return name in self._group(group).attrs

    def read_attributes(self, expected: Mapping[str, Attribute], group: str = "/") -> dict[str, Any]:
        """The attributes of a group that `expected` names, as plain values of the expected types."""
        return {name: self.attribute(name, attribute, group) for name, attribute in expected.items()}

    def attribute(self, name: str, expected: Attribute, group: str = "/") -> Any:
        where = f"attribute {name}" + ("" if group == "/" else f" of {group}")
        with self._told(where):
            attributes = self._group(group).attrs
            if name not in attributes:
                raise RunFileError(f"{self.path} lacks the {where}")
            kind = attributes.get_id(name)
            # Asked before reading, for the value may be of any size.
            is_text = h5py.check_string_dtype(kind.dtype) is not None
            if kind.shape != () or is_text != (expected.kind is str):
                raise RunFileError(f"the {where} in {self.path} is no {_KINDS[expected.kind]}")
            value = attributes[name]
        fits = isinstance(value, _ACCEPTED[expected.kind])
        if not fits or isinstance(value, np.bool_):
            raise RunFileError(f"the {where} in {self.path} is no {_KINDS[expected.kind]}")
        return value if expected.kind is str else expected.kind(value)

    def names(self, path: str) -> list[str]:
        """The names in a group, none where it is not there."""
        with self._told(path):
            return list(self._group(path)) if self.has(path) else []

    def has(self, path: str) -> bool:
        """Whether the path leads to something inside this very file."""
        with self._told(path):
            here: Any = self._file
            for step in path.strip("/").split("/"):
                if not isinstance(here, h5py.Group) or step not in here:
                    return False
                if not isinstance(here.get(step, getlink=True), h5py.HardLink):
                    raise RunFileError(f"{path} in {self.path} is a link, and those are not followed")
                here = here[step]
            return True

    def shape(self, path: str) -> tuple[int, ...]:
        """The shape of a dataset, without reading it."""
        return tuple(self._dataset(path).shape)

    def array(self, path: str) -> Array:
        """A whole dataset; a scalar text becomes an array of shape ()."""
        dataset = self._dataset(path)
        with self._told(path):
            return np.asarray(dataset[()])

    def last(self, path: str) -> Any:
        """The last row of a dataset: all that is read of it."""
        dataset = self._dataset(path)
        if not dataset.shape or not dataset.shape[0]:
            raise RunFileError(f"{path} in {self.path} has no rows")
        with self._told(path):
            return dataset[-1]

    def _group(self, path: str) -> h5py.Group:
        if path == "/":
            return self._file
        if not self.has(path) or not isinstance(self._file[path], h5py.Group):
            raise RunFileError(f"{self.path} has no group {path}")
        return self._file[path]

    def _dataset(self, path: str) -> h5py.Dataset:
        """A dataset that may be read: plain numbers or text, inside the file, no larger than what was stored."""
        with self._told(path):
            if not self.has(path) or not isinstance(self._file[path], h5py.Dataset):
                raise RunFileError(f"{self.path} has no dataset {path}")
            dataset = self._file[path]
            if dataset.external or dataset.is_virtual:
                raise RunFileError(f"{path} in {self.path} lies in another file, and those are not opened")
            if dataset.shape is None or dataset.dtype.kind not in _PLAIN or dataset.dtype.subdtype:
                raise RunFileError(f"{path} in {self.path} holds neither plain numbers nor text")
            if dataset.compression not in _FILTERS:
                raise RunFileError(f"{path} in {self.path} is packed by {dataset.compression}, which no run file is")
            stored = dataset.id.get_storage_size()
            if dataset.nbytes > MAX_BYTES or dataset.nbytes > MAX_PACKING * stored + MAX_UNPACKED:
                raise RunFileError(
                    f"{path} in {self.path} claims {dataset.nbytes:,} bytes and holds {stored:,}; it is not read"
                )
            return dataset

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Whatever HDF5 finds wrong inside becomes a RunFileError that names the place."""
        try:
            yield
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise RunFileError(f"{what} in {self.path} is damaged: {_first_line(error)}") from None


_KINDS: dict[type, str] = {str: "text", int: "whole number", float: "number"}
_ACCEPTED: dict[type, tuple[type, ...]] = {
    str: (str,),
    int: (np.integer,),
    float: (np.floating, np.integer),
}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
