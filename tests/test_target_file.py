"""Files that are written: by one process at a time, whole or not at all, and nothing left of processes that were killed."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from laaf_cli.errors import UsageError
from laaf_cli.files.atomic import replacing
from laaf_cli.files.lock import claimed
from laaf_cli.files.target import FileKind, check_target
from laaf_cli.report.page.write import PAGE
from laaf_cli.runfile.seal import RUN_FILE

HOLD = """
import sys
from pathlib import Path
from laaf_cli.files.lock import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

WRITE = """
import sys
from pathlib import Path
from laaf_cli.files.atomic import replacing
with replacing(Path(sys.argv[1])) as part:
    part.write_text("half")
    print("written", flush=True)
    sys.stdin.read()
"""

RACE = """
import sys
from pathlib import Path
from laaf_cli.errors import UsageError
from laaf_cli.files.lock import claimed
target, inside, times = Path(sys.argv[1]), Path(sys.argv[2]), 0
print("there", flush=True)
sys.stdin.readline()
while times < 1000:
    try:
        with claimed(target):
            inside.touch(exist_ok=False)
            times += 1
            inside.unlink()
    except UsageError:
        pass
print(times)
"""


@contextmanager
def process(program: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that does something with a path and has come so far that it says so; killed at the end."""
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline()
            yield started
        finally:
            started.kill()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught, claimed(path):
        pass
    return str(caught.value)


# Claims


def test_the_second_process_reports_which_path_is_held(path: Path) -> None:
    with process(HOLD, path) as first:
        expected = (
            f"{path} is being written by another process; wait until it has ended, or name "
            "another path with `output`"
        )
        assert refused(path) == expected
        with claimed(path.with_name("other.h5")):
            pass
        first.communicate("")
    assert names(path.parent) == set(), "the lock is gone"
    with claimed(path):
        assert names(path.parent) == {".run.h5.lock"}
    assert names(path.parent) == set()


def test_a_claim_ends_with_a_process_that_is_killed(path: Path) -> None:
    with process(HOLD, path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert names(path.parent) == {".run.h5.lock"}
    with claimed(path):
        assert "is being written by another process" in refused(path)
    assert names(path.parent) == set()


def test_a_claim_ends_with_an_error(path: Path) -> None:
    with pytest.raises(KeyError), claimed(path):
        raise KeyError
    assert names(path.parent) == set()


def test_a_path_by_another_name_is_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = path.with_name("link.h5")
    link.symlink_to(path)
    monkeypatch.chdir(path.parent)
    with claimed(Path("run.h5")):
        assert refused(link).startswith(f"{link} is being written by another process")


def test_never_two_at_once(path: Path, tmp_path: Path) -> None:
    """The lock is removed and made anew thousands of times, by three processes that begin together."""
    command = [sys.executable, "-c", RACE, str(path), str(tmp_path / "inside")]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=300)[0] for process in running] == ["1000\n"] * 3
    assert [process.returncode for process in running] == [0, 0, 0]
    assert names(tmp_path) == set()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_done_without(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def without(_handle: int, _how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", without)
    (path.parent / ".run.h5-01234567.part").touch()
    with claimed(path), claimed(path):
        pass
    assert ".run.h5-01234567.part" in names(path.parent), "it may be that of a process that runs"


def test_a_place_that_cannot_be_written(path: Path) -> None:
    path.write_text("a file where the folder should be")
    assert refused(path / "run.h5") in {
        f"{path}/run.h5 cannot be written: {os.strerror(number)}"
        for number in (errno.EEXIST, errno.ENOTDIR)
    }


def test_a_link_in_the_place_of_the_lock_leads_nowhere(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("precious")
    path.with_name(".run.h5.lock").symlink_to(other)
    assert refused(path).startswith(f"{path} cannot be written: ")
    assert other.read_text() == "precious"


def test_the_lock_of_others_is_left(path: Path) -> None:
    """Somebody has removed ours by hand, and another process has made a new one."""
    with claimed(path):
        path.with_name(".run.h5.lock").unlink()
        with process(HOLD, path) as other:
            assert "another process" in refused(path)
            os.kill(other.pid, signal.SIGKILL)
            other.wait()
    assert names(path.parent) == {".run.h5.lock"}


# What killed processes leave


@pytest.mark.parametrize("name", ["run.h5", "ü n [x]*.h5", "r" * 190, "r" * 250 + ".h5"])
@pytest.mark.parametrize("ending", ["", ".checkpoint", ".checkpoint.previous"])
def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path, name: str, ending: str) -> None:
    with process(WRITE, tmp_path / (name + ending)) as writer:
        assert len(names(tmp_path)) == 1
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    (left,) = names(tmp_path)
    with claimed(tmp_path / "other.h5"):
        assert left in names(tmp_path)
    with claimed(tmp_path / name):
        assert left not in names(tmp_path)
    assert names(tmp_path) == set()


def test_files_of_others_are_left(path: Path) -> None:
    foreign = {
        "run.h5",
        "run.h5.checkpoint",
        "run.h5-01234567.part",
        ".run.h5",
        ".run.h5.part",
        ".run.h5-0123456.part",
        ".run.h5-012345678.part",
        ".run.h5-0123456g.part",
        ".run.h5-01234567.part.h5",
        ".run.h5-01234567.part-01234567.part",
        ".run.h5.checkpoint.old-01234567.part",
        ".run_h5-01234567.part",
        ".run.h52-01234567.part",
        ".my-run.h5-01234567.part",
        ".laaf-01234567.part",
        ".-01234567.part",
    }
    for name in foreign:
        (path.parent / name).touch()
    (path.parent / ".run.h5-76543210.part").mkdir()
    (path.parent / ".run.h5-76543211.part").touch()
    with claimed(path):
        pass
    assert names(path.parent) == foreign | {".run.h5-76543210.part"}


# Nothing but what is of the same kind is replaced


@pytest.mark.parametrize("kind", [RUN_FILE, PAGE])
@pytest.mark.parametrize("head", [b"title: mine\n", b"\x89HDF\r\n\x1a\n"])
def test_a_file_of_another_kind_is_left(path: Path, kind: FileKind, head: bytes) -> None:
    path.write_bytes(head)
    expected = f"{path} is there and not {kind.name}, so it is not replaced; name another path"
    with pytest.raises(UsageError, match=f"^{re.escape(expected)}$"):
        check_target(path, overwrite=True, kind=kind)
    path.write_bytes(b"\0" + kind.mark + head)
    check_target(path, overwrite=True, kind=kind)
    path.write_bytes(b"")
    check_target(path, overwrite=True, kind=kind)


# Whole or not at all


def test_the_folder_is_flushed_once_the_file_is_in_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the rename could otherwise bring the old name back."""
    flushed: list[str] = []

    def flush(handle: int) -> None:
        what = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        flushed.append(f"{what}, {'there' if path.exists() else 'not there'}")
        if what == "folder":
            raise OSError(
                errno.EINVAL, "Invalid argument"
            )  # as some file systems say, which does not matter

    monkeypatch.setattr(os, "fsync", flush)
    with replacing(path) as part:
        part.write_text("new")
    assert flushed == ["file, not there", "folder, there"]
    assert path.read_text() == "new"


def test_files_are_ordinary_ones(path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing(path) as part:
            part.write_text("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_nothing_is_left_of_a_failure(path: Path) -> None:
    path.write_text("old")
    with pytest.raises(NotADirectoryError), replacing(path) as part:
        (part / "below").write_text("half")
    assert path.read_text() == "old"
    assert names(path.parent) == {"run.h5"}


def test_a_file_takes_its_own_place(path: Path) -> None:
    """Renaming a link to a file to another link to it does nothing."""
    path.write_text("old")
    with replacing(path) as part:
        part.unlink()
        os.link(path, part)
    assert path.read_text() == "old"
    assert names(path.parent) == {"run.h5"}
