"""Arrays of numbers in HDF5 files of strangers: nothing outside the file is opened, nothing
unreasonable allocated.

A dataset may lie in another file, claim terabytes that were never written, ask for a filter that is
loaded from elsewhere, and hold chunks that unpack to more than they should.
"""

from __future__ import annotations

import math
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from laaf_cli.files.untrusted.stored_array import StoredArrayError, check_size

if TYPE_CHECKING:
    import h5py

MAX_MEMBERS = 1000
"""The most names of a file that are looked at for a hint."""


def members(file: h5py.File) -> list[str]:
    """Names in a file that lead to something inside it, the first of very many."""
    import h5py

    first = islice(file, MAX_MEMBERS)
    return [name for name in first if isinstance(file.get(name, getlink=True), h5py.HardLink)]


def find(file: h5py.File, name: str) -> h5py.Dataset | None:
    """The dataset of that name, a path with slashes, each step of it inside the file; None where
    there is none.
    """
    import h5py

    here: Any = file
    for step in name.strip("/").split("/"):
        if not isinstance(here, h5py.Group) or step not in here:
            return None
        if not isinstance(here.get(step, getlink=True), h5py.HardLink):
            return None
        here = here[step]
    return here if isinstance(here, h5py.Dataset) else None


def read(dataset: h5py.Dataset, name: str) -> np.ndarray:
    """All its numbers; raises StoredArrayError, and what h5py does for damaged files."""
    from h5py import h5d, h5s, h5t

    how = dataset.id.get_create_plist()
    # First of all, for HDF5 may open the other file to tell the shape.
    if how.get_external_count() or how.get_layout() == h5d.VIRTUAL:
        raise StoredArrayError(f"'{name}' lies in another file, and those are not opened")
    is_empty = dataset.id.get_space().get_simple_extent_type() == h5s.NULL
    if is_empty or dataset.id.get_type().get_class() not in (h5t.INTEGER, h5t.FLOAT):
        raise StoredArrayError(f"'{name}' does not hold real numbers")
    check_size(name, dataset.shape)
    if dataset.chunks:
        _check_chunks(dataset, name)
    elif math.prod(dataset.shape) * dataset.dtype.itemsize > dataset.id.get_storage_size():
        raise StoredArrayError(f"'{name}' claims numbers that were never written")
    values: np.ndarray = dataset[()]
    return values


def _check_chunks(dataset: h5py.Dataset, name: str) -> None:
    """HDF5 unpacks a chunk to whatever comes out, and takes kilobytes for each that is not even
    there.
    """
    from h5py import h5z

    how = dataset.id.get_create_plist()
    filters = {how.get_filter(i)[0] for i in range(how.get_nfilters())}
    # Any other makes HDF5 look for a plugin, outside the file.
    if not filters <= {
        h5z.FILTER_DEFLATE,
        h5z.FILTER_SHUFFLE,
        h5z.FILTER_FLETCHER32,
        h5z.FILTER_LZF,
    }:
        raise StoredArrayError(
            f"'{name}' is packed by a filter other than gzip, lzf, shuffle and fletcher32"
        )
    stored: list[Any] = []
    dataset.id.chunk_iter(stored.append)
    if len(stored) != math.prod(
        -(-n // c) for n, c in zip(dataset.shape, dataset.chunks, strict=True)
    ):
        raise StoredArrayError(f"'{name}' claims numbers that were never written")
    n_bytes = math.prod(dataset.chunks) * dataset.dtype.itemsize
    for chunk in stored:
        # What cannot be packed is stored with a little more around it.
        is_sound = chunk.size <= n_bytes + n_bytes // 8 + 1024
        if is_sound and h5z.FILTER_DEFLATE in filters and not chunk.filter_mask:
            _mask, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
            is_sound = len(zlib.decompressobj().decompress(packed, n_bytes + 1)) == n_bytes
        if not is_sound:
            raise StoredArrayError(f"'{name}' has chunks that do not unpack to their size")
