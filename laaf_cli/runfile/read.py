"""Reading a run file: only what is asked for, and never more than a sane file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from laaf_cli.errors import RunFileError
from laaf_cli.runfile.layout import FORMAT_VERSION


class RunFile:
    """An open run file; use it in a `with`.

    Raises RunFileError for a path that is missing, is not HDF5, was not written by laaf, is damaged, or has
    a newer format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise RunFileError(f"there is no file {path}")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise RunFileError(f"{path} cannot be read as HDF5: {_first_line(error)}") from None
        version = self._file.attrs.get("format_version")
        if version is None:
            self._file.close()
            raise RunFileError(f"{path} was not written by laaf: it has no format_version")
        if int(version) > FORMAT_VERSION:
            self._file.close()
            raise RunFileError(f"{path} has format {version}; this laaf reads up to {FORMAT_VERSION}")

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the file."""
        return dict(self._file.attrs)

    def array(self, path: str) -> Any:
        """A dataset as an array; raises RunFileError where it is not there or damaged."""
        link = self._file.get(path, getlink=True) if path in self._file else None
        if not isinstance(link, h5py.HardLink) or not isinstance(self._file[path], h5py.Dataset):
            raise RunFileError(f"{self.path} has no dataset {path}")
        try:
            return self._file[path][()]
        except OSError as error:
            raise RunFileError(f"{path} in {self.path} is damaged: {_first_line(error)}") from None

    def text(self, path: str) -> str:
        """A text dataset."""
        return bytes(self.array(path)).decode()

    def names(self, path: str) -> list[str]:
        """The names in a group, none where it is not there."""
        return list(self._file[path]) if path in self._file and isinstance(self._file[path], h5py.Group) else []


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
