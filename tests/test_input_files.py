"""Paths that are no spec: the program says so at once, in one sentence, with its exit code, and never hangs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from laaf_process import LaafProcess
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import ExitCode


def check(path: str, folder: Path, command: str = "check") -> tuple[int, str]:
    """Exit code and standard error of `laaf check`, run in a folder of its own."""
    process = LaafProcess(folder, command, path)
    code = process.ended()
    assert (folder / "out").read_bytes() == b""
    return code, process.said()


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100_000_000)


def aliases(path: Path) -> None:
    """Nine levels of aliases, each of ten: a billion words, were they followed."""
    levels = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for above, name in zip("abcdefgh", "bcdefghi", strict=True):
        levels.append(f"{name}: &{name} [{', '.join([f'*{above}'] * 10)}]")
    path.write_text("\n".join(levels))


MADE: dict[str, tuple[str, Callable[[Path], object], int, str]] = {
    "a directory": ("folder", Path.mkdir, 2, "folder is a directory; a spec is a YAML file"),
    "a pipe": ("pipe", os.mkfifo, 2, "pipe is not a regular file; a spec is a YAML file"),
    "a link to a device": (
        "zero.yaml",
        lambda path: path.symlink_to("/dev/zero"),
        2,
        "zero.yaml is not a regular file; a spec is a YAML file",
    ),
    "a link to nothing": (
        "nowhere.yaml",
        lambda path: path.symlink_to("nothing.yaml"),
        2,
        "there is no file nowhere.yaml",
    ),
    "a hundred megabytes": (
        "big.yaml",
        sparse,
        3,
        "big.yaml has 100,000,000 bytes; a spec has at most 50,000",
    ),
    "an image": (
        "image.png",
        lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"),
        3,
        "image.png is not a text file: byte 0 is not UTF-8",
    ),
    "another encoding": (
        "latin.yaml",
        lambda path: path.write_bytes("title: café\n".encode("latin-1")),
        3,
        "latin.yaml is not a text file: byte 10 is not UTF-8",
    ),
    "two bytes a character": (
        "wide.yaml",
        lambda path: path.write_text("seed: 1\n", encoding="utf-16-le"),
        3,
        "wide.yaml:1:2: the character '\\x00' is not allowed in a YAML file\n   1 | s\ufffde\ufffde\ufffdd\ufffd:\ufffd \ufffd1\ufffd\n     |  ^",
    ),
    "an empty file": (
        "empty.yaml",
        Path.touch,
        3,
        "empty.yaml is empty\nlaaf problems burgers > my.yaml starts a new spec.",
    ),
    "a bomb of aliases": (
        "bomb.yaml",
        aliases,
        3,
        "bomb.yaml:1:4: anchors and aliases (& and *) are not read\n"
        "   1 | a: &a [x, x, x, x, x, x, x, x, x, x]\n     |    ^^\nWrite the value out.",
    ),
    "a bomb of brackets": (
        "nest.yaml",
        lambda path: path.write_text("[" * 40_000),
        3,
        f"nest.yaml:1:13: nested more than 12 levels deep\n   1 | {'[' * 100}\n     | {' ' * 12}^",
    ),
    "a byte order mark and a wrong value": (
        "mark.yaml",
        lambda path: path.write_text(
            "coordinates: {x: [0, 1]}\nunknowns: [u]\nseed: x\n", encoding="utf-8-sig"
        ),
        3,
        "mark.yaml:3:7: 'seed' must be an integer, got 'x'\n   3 | seed: x\n     |       ^",
    ),
}


@pytest.mark.parametrize(("name", "make", "code", "message"), MADE.values(), ids=MADE)
def test_what_is_no_spec(
    name: str, make: Callable[[Path], object], code: int, message: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    assert check(name, tmp_path) == (code, f"error: {message}\n")


NOT_THERE = {
    "a path": "there/is/none.yaml",
    "a file": "none.yaml",
    "near a bundled problem": "burger",
    "near nothing": "zzz",
    "an empty name": "",
}


@pytest.mark.parametrize("path", NOT_THERE.values(), ids=NOT_THERE)
def test_what_is_not_there(path: str, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    code, error = check(path, tmp_path)
    assert code == ExitCode.USAGE
    assert error == snapshot


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/stdin"])
def test_devices_are_refused_unread(path: str, tmp_path: Path) -> None:
    if not Path(path).exists():
        pytest.skip(f"this machine has no {path}")
    expected = f"error: {path} is not a regular file; a spec is a YAML file\n"
    assert check(path, tmp_path) == (ExitCode.USAGE, expected)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").touch(mode=0)
    assert check("secret.yaml", tmp_path) == (
        ExitCode.USAGE,
        "error: secret.yaml cannot be read: Permission denied\n",
    )


def test_solve_refuses_as_check_does(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    expected = "error: pipe is not a regular file; a spec is a YAML file\n"
    assert check("pipe", tmp_path, "solve") == (ExitCode.USAGE, expected)


def test_a_link_to_a_spec_is_a_spec(tmp_path: Path) -> None:
    (tmp_path / "faulty.yaml").write_text("[a, b]: 1\n")
    (tmp_path / "link.yaml").symlink_to("faulty.yaml")
    assert check("link.yaml", tmp_path) == (
        ExitCode.SPEC,
        "error: link.yaml:1:1: a key is a word, not a list or a mapping\n   1 | [a, b]: 1\n     | ^\n",
    )
