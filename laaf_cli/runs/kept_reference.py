"""Values of references, kept in the cache of the user, so that no problem is solved twice."""

from __future__ import annotations

import hashlib
import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from laaf_cli import references
from laaf_cli.arrays import Array
from laaf_cli.files.atomic import replacing
from laaf_cli.problem import Domain
from laaf_cli.references import UNWATCHED, Reference, ReferenceValues, Watch

CACHE_DIR = "LAAF_CACHE_DIR"
"""Names the folder of what may be computed again; empty where nothing is kept."""

MOST_BYTES = 500_000_000
"""Beyond which the oldest values are removed."""


def cache_folder() -> Path | None:
    """Where references are kept; None where `$LAAF_CACHE_DIR` is empty."""
    if (folder := os.environ.get(CACHE_DIR)) is not None:
        return Path(folder) / "references" if folder else None
    import pooch

    return Path(pooch.os_cache("laaf")) / "references"


class KeptReference(Reference):
    """A reference whose values at points are read where they have been computed before.

    The values also depend on the code that computes them, and on the points. A worker gets those
    that are known here.

    Args:
        problem_hash: of the statement of the problem.
    """

    takes_long = True

    def __init__(self, inner: Reference, problem_hash: str, folder: Path) -> None:
        self.inner, self.folder = inner, folder
        self.method, self.fingerprint = inner.method, inner.fingerprint
        self.key = f"{problem_hash} {inner.fingerprint} {inner.method} {_code()}"
        self.watch = UNWATCHED
        self.known: dict[str, ReferenceValues] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Who watches stays behind when a worker gets the reference."""
        return self.__dict__ | {"watch": UNWATCHED}

    def check(self, domain: Domain) -> None:
        self.inner.check(domain)

    def prepare(self, watch: Watch) -> None:
        """Keeps the watch: whether anything is to be solved depends on the points."""
        self.watch = watch

    def evaluate(self, points: Array) -> ReferenceValues:
        began = time.perf_counter()
        whole = hashlib.sha256(self.key.encode() + np.ascontiguousarray(points).tobytes())
        digest = whole.hexdigest()[:40]
        path = self.folder / f"{digest}.npz"
        known = self.known.get(digest) or _read(path, len(points))
        if known is None:
            self.inner.prepare(self.watch)
            values = self.inner.evaluate(points)
            seconds = time.perf_counter() - began
            known = ReferenceValues(values.fields, values.error_estimates, seconds)
            _write(path, known)
        self.known[digest] = known
        return known


def _read(path: Path, n_points: int) -> ReferenceValues | None:
    """Kept values; None where nothing can be read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            facts = json.loads(str(archive["facts"]))
            fields = {name: archive[f"field {name}"] for name in facts["unknowns"]}
            if any(field.shape != (n_points,) or field.dtype != float for field in fields.values()):
                return None
            errors = {name: float(facts["errors"][name]) for name in fields}
            return ReferenceValues(fields, errors, float(facts["seconds"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        return None


def _write(path: Path, values: ReferenceValues) -> None:
    """Keeps values, as far as the disk allows."""
    facts = {
        "unknowns": list(values.fields),
        "errors": values.error_estimates,
        "seconds": values.wall_time_s,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            arrays = {f"field {name}": field for name, field in values.fields.items()}
            np.savez(file, allow_pickle=False, facts=np.array(json.dumps(facts)), **arrays)
        _make_room(path.parent)
    except OSError:
        return


def _make_room(folder: Path) -> None:
    """Removes the oldest files beyond MOST_BYTES."""
    files = []
    for path in folder.glob("*.npz"):
        try:
            facts = path.stat()
        except FileNotFoundError:  # another process has removed it
            continue
        files.append((facts.st_mtime, facts.st_size, path))
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > MOST_BYTES:
            path.unlink(missing_ok=True)


@cache
def _code() -> str:
    """The checksum of what computes references."""
    folder = Path(references.__path__[0])
    texts = b"".join(path.read_bytes() for path in sorted(folder.rglob("*.py")))
    return hashlib.sha256(texts).hexdigest()[:16]
