"""Files fetched from their publishers: whole and with the right checksum, or not at all."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from laaf_cli.images.data.folder import shown_path
from laaf_cli.images.data.published import PublishedFile
from laaf_cli.images.errors import DataSetError

Progress = Callable[[str, int, int], None]
"""Called with a file that is being fetched: its name, the bytes that have come, and those that it
has.
"""

CHUNK = 65_536
TIMEOUT_S = (10, 30)
"""How long a server may take to answer at all, and how long it may pause."""


class _TooLongError(Exception):
    """A server sends more than the file has."""


class _Bar:
    """What pooch takes for a progress bar: passes the bytes on, and ends a transfer that does
    not.
    """

    def __init__(self, file: PublishedFile, progress: Progress | None) -> None:
        self._file, self._progress = file, progress
        self._n_done = 0
        self.total = 0

    def update(self, n_bytes: int) -> None:
        size = self._file.size or 0
        self._n_done += n_bytes
        # pooch counts whole chunks, the last one too.
        if self._n_done >= size + CHUNK:
            raise _TooLongError
        # It ends with the length that the server gave, which may be none.
        if self._progress is not None and n_bytes:
            self._progress(self._file.name, min(self._n_done, size), size)

    def reset(self) -> None:
        self._n_done = 0

    def close(self) -> None:
        """Nothing is held."""


def fetch(file: PublishedFile, folder: Path, progress: Progress | None = None) -> None:
    """Puts the file into the folder; from the first of its URLs that gives it.

    It is written aside, and takes its place when its checksum is right; nothing else stays, however
    this ends. Raises DataSetError where no URL gives it, with what went wrong at each, or the
    folder cannot be written.
    """
    failures = []
    new: list[Path] = []
    try:
        new += [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as aside:
            for url in file.urls:
                failure = _fetched(url, file, Path(aside), progress)
                if not failure:
                    (Path(aside) / file.name).replace(folder / file.name)
                    return
                failures.append(f"{urlsplit(url).hostname} {failure}")
    except OSError as error:
        raise DataSetError(
            f"{shown_path(folder)} cannot be written: {error.strerror or error}"
        ) from None
    finally:
        for path in new:
            # Goes where it has stayed empty.
            with contextlib.suppress(OSError):
                path.rmdir()
    raise DataSetError(f"{file.name}: {'; '.join(failures)}")


def _fetched(url: str, file: PublishedFile, folder: Path, progress: Progress | None) -> str:
    """Fetches a file; empty where it is there, else what the server did wrong. Raises OSError
    for the disk's faults.
    """
    import pooch
    from requests import exceptions

    # pooch speaks to the terminal, which is not ours to use.
    pooch.get_logger().setLevel(logging.ERROR)
    bar = _Bar(file, progress)
    # What a server packs for the way would be unpacked on arrival, and a file that is packed with
    # it.
    get = pooch.HTTPDownloader(
        bar, CHUNK, timeout=TIMEOUT_S, headers={"Accept-Encoding": "identity"}
    )
    try:
        pooch.retrieve(url, file.checksum, file.name, folder, downloader=get)
    except exceptions.HTTPError as error:
        return f"answers: {error.args[0].partition(' for url')[0]}"
    except exceptions.Timeout:
        return "does not answer"
    except exceptions.ChunkedEncodingError:
        return "broke the transfer off"
    except exceptions.ConnectionError:
        return "cannot be reached"
    except exceptions.RequestException as error:
        return f"gives an answer that makes no sense ({type(error).__name__})"
    except (_TooLongError, ValueError):
        return "gives another file, of other size or checksum"
    return ""
