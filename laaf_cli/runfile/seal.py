"""The seal of a run file: a line of text before all of HDF5 that holds the checksum of all of it.

It is in the user block, 512 bytes that HDF5 leaves to whoever writes the file. A seal shows
damage, which comes by chance, and additions, which are made on purpose; it is not a signature,
because whoever can write a file can seal it.
"""

from __future__ import annotations

import hashlib
from io import BufferedIOBase
from pathlib import Path

from laaf_cli.files.target import FileKind

SIZE = 512
"""The bytes of the user block, the fewest that HDF5 makes."""

_WORDS = f"laaf run file; SHA-256 of all that follows these {SIZE} bytes: ".encode()

RUN_FILE = FileKind("a run file of laaf", _WORDS)

_HDF5 = b"\x89HDF\r\n\x1a\n"


def seal(path: Path) -> None:
    """Seals a file that begins with a user block and that HDF5 has closed."""
    with path.open("r+b") as file:
        block = _block(file)
        file.seek(0)
        file.write(block)


def seal_content(content: memoryview) -> None:
    """Seals the content of such a file, in memory."""
    content[:SIZE] = _line(hashlib.sha256(content[SIZE:]).hexdigest())


def has_seal(file: BufferedIOBase) -> bool:
    """Whether a file begins with a seal, or with what has been one: HDF5 begins where a seal
    would end.
    """
    file.seek(0)
    head = file.read(SIZE + len(_HDF5))
    return head.startswith(_WORDS) or head[SIZE:] == _HDF5


def is_intact(file: BufferedIOBase) -> bool:
    """Whether a file has the seal that all that follows it requires, byte for byte."""
    file.seek(0)
    return file.read(SIZE) == _block(file)


def _block(file: BufferedIOBase) -> bytes:
    file.seek(SIZE)
    return _line(hashlib.file_digest(file, "sha256").hexdigest())


def _line(digest: str) -> bytes:
    return (_WORDS + digest.encode() + b"\n").ljust(SIZE, b"\0")
