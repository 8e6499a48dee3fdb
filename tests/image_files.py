"""Small files of images in the publishers' own formats, written independently of what reads them."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping

import numpy as np


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def tar_gz(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    return zipped({f"{name}.npy": npy(array) for name, array in arrays.items()})


def semeion(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    """The text, as at the UCI repository: four decimals, blanks at the ends of lines, DOS line ends."""
    one_hot = np.eye(10, dtype=int)[labels]
    lines = [
        " ".join([*(f"{bit:.4f}" for bit in bits), *map(str, hot)]) + " \r\n"
        for bits, hot in zip(pixels.reshape(len(labels), 256), one_hot, strict=True)
    ]
    return "".join(lines).encode()


def cifar_records(pixels: np.ndarray, *labels: np.ndarray) -> bytes:
    """pixels: uint8 [n, 3072]. labels: [n] each, in the order of the record."""
    return b"".join(
        bytes(int(column[i]) for column in labels) + pixels[i].tobytes() for i in range(len(pixels))
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
