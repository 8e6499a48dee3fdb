"""Small files of images in the publishers' own formats, written independently of what reads them."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Mapping

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


def _text(text: bytes) -> bytes:
    return (
        b"U" + bytes([len(text)]) + text
        if len(text) < 256
        else b"T" + struct.pack("<i", len(text)) + text
    )


def _int(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    return (
        b"M" + struct.pack("<H", value) if 0 <= value < 65_536 else b"J" + struct.pack("<i", value)
    )


def python2_array(array: np.ndarray) -> bytes:
    """How Python 2 pickles an array of bytes: a call of `_reconstruct`, and a state."""
    rows, columns = array.shape
    dtype = (
        b"cnumpy\ndtype\nq\x80" + _text(b"u1") + b"K\x00K\x01\x87q\x81Rq\x82(K\x03" + _text(b"|")
    )
    dtype += b"NNN" + _int(-1) + _int(-1) + b"K\x00tb"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x83cnumpy\nndarray\nq\x84K\x00\x85"
        + _text(b"b")
        + b"\x87Rq\x85("
        b"K\x01"
        + _int(rows)
        + _int(columns)
        + b"\x86"
        + dtype
        + b"\x89"
        + _text(array.tobytes())
        + b"tb"
    )


def python2_pickle(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A dict as Python 2 pickles it in protocol 2. items: each key, and the instructions that make its value."""
    body = b"".join(
        _text(key) + b"q" + bytes([number]) + value for number, (key, value) in enumerate(items, 2)
    )
    return b"\x80\x02}q\x01(" + body + b"u."


def python2_labels(labels: Iterable[int]) -> bytes:
    return b"](" + b"".join(_int(int(label)) for label in labels) + b"e"


def cifar_pickle(pixels: np.ndarray, **labels: np.ndarray) -> bytes:
    """A batch of the Python version: a description, the labels, the pixels and the names of the images."""
    names = b"](" + b"".join(
        _text(b"image_%06d.png" % i) + b"r" + struct.pack("<i", 1000 + i)
        for i in range(len(pixels))
    )
    return python2_pickle(
        [
            (b"batch_label", _text(b"training batch 1 of 5")),
            *((name.encode(), python2_labels(values)) for name, values in labels.items()),
            (b"data", python2_array(pixels)),
            (b"filenames", names + b"e"),
        ]
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
