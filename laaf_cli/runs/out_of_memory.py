"""Memory that runs out: how it is told from other failures, and the error that says what would
lower it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.errors import OutOfMemoryError

_SENTENCES = (
    "can't allocate memory",
    "cannot allocate memory",
    "unable to allocate",
    "memory allocation failed",
    "out of memory",
    "not enough memory",
    "bad_alloc",
    "alloc_failed",
    "array is too big",
    "maximum allowed dimension exceeded",
    "maximum allowed size exceeded",
    "storage size calculation overflowed",
)
"""What NumPy, torch on both devices, HDF5, the C library and the loader of libraries say, in
small letters.
"""

_KINDS = (RuntimeError, OSError, ValueError, ImportError)

_ASKED = re.compile(
    (
        r"(?:tried to allocate|unable to allocate) ([\d.]+) "
        r"?(bytes|[KMGT]iB)"
    ),
    re.IGNORECASE,
)
_UNITS = {"bytes": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}

NOTEWORTHY = 0.25
"""The share of the largest consumer from which on another is named beside it."""


@dataclass(frozen=True)
class Consumer:
    """Something that takes memory: its bytes by estimate, and the settings that lower them, as a
    clause.
    """

    what: str
    n_bytes: int
    remedy: str


@contextmanager
def within_memory(
    doing: str | Callable[[], str], consumers: Callable[[], Sequence[Consumer]] = tuple
) -> Iterator[None]:
    """Raises OutOfMemoryError in place of whatever is raised where memory ends, all else as it is.

    doing: what was being done, as it follows "while". consumers: what probably takes the most; both
    are asked for in that case alone.
    """
    try:
        yield
    except (MemoryError, *_KINDS) as error:
        if not has_run_out(error):
            raise
        what = doing if isinstance(doing, str) else doing()
        raise OutOfMemoryError(_explained(error, what, consumers())) from None


def has_run_out(error: Exception) -> bool:
    """Whether it is memory that was lacking: only `MemoryError` is of a type of its own."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, _KINDS) and any(sentence in text for sentence in _SENTENCES)


def _explained(error: Exception, doing: str, consumers: Sequence[Consumer]) -> str:
    asked = _ASKED.search(str(error))
    on_gpu = "CUDA" in str(error)
    more = (
        (f", which asked for {in_bytes(float(asked[1]) * _UNITS[asked[2].lower()])} more")
        if asked
        else ""
    )
    headline = f"{'the memory of the GPU' if on_gpu else 'memory'} ran out while {doing}{more}"
    elsewhere = ["--device cpu trains in the memory of the machine."] if on_gpu else []
    return "\n".join([headline, *largest(consumers), *elsewhere])


def largest(consumers: Sequence[Consumer]) -> list[str]:
    """A line on each that takes much, the most first."""
    most = max((consumer.n_bytes for consumer in consumers), default=0)
    return [
        f"By estimate {in_bytes(consumer.n_bytes)} go to {consumer.what}. {consumer.remedy}."
        for consumer in sorted(consumers, key=lambda each: -each.n_bytes)
        if consumer.n_bytes >= NOTEWORTHY * most
    ]


def shortage(what: str, consumers: Sequence[Consumer]) -> str:
    """That something will hardly fit into the memory that is free, and what lowers it; empty
    where it will.
    """
    n_bytes, free = sum(consumer.n_bytes for consumer in consumers), free_bytes()
    if n_bytes <= free:
        return ""
    return "\n".join(
        [
            (f"{what} takes about {in_bytes(n_bytes)} of memory, and {in_bytes(free)} are free"),
            *largest(consumers),
        ]
    )


def free_bytes() -> float:
    """What this process may still take of the memory of the machine, infinite where it does not
    tell.

    Linux gives out more than it has, and ends the process that then uses it: no error comes of it.
    """
    return min(_free_on_machine(), _free_in_group())


def _free_on_machine() -> float:
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * float(line.split()[1])
    return math.inf


def _free_in_group() -> float:
    """Of what a container or a batch system allows; memory that caches files can be had back."""
    group = Path("/sys/fs/cgroup")
    try:
        most = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
        statistics = dict(
            line.split()
            for line in (group / "memory.stat").read_text(encoding="ascii").splitlines()
        )
        return (
            math.inf
            if most == "max"
            else int(most) - used + int(statistics.get("inactive_file", 0))
        )
    except (OSError, ValueError):
        return math.inf


def in_bytes(n_bytes: float) -> str:
    """A number of bytes as a person reads it."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes / 1e3:.3g} kB"
