"""Progress on stderr: a bar where it can be redrawn, plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

import pytest
from conftest import Laaf

from laaf_cli.runs.progress import Progress
from laaf_cli.terminal import progress
from laaf_cli.terminal.progress import (
    counted,
    make_download_progress,
    make_progress,
    make_reference_progress,
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Stderr from here on; called in the test itself, for pytest sets its own after the fixtures."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    return stream


def event(iteration: int, n_iterations: int = 100) -> Progress:
    return Progress(
        iteration=iteration,
        n_iterations=n_iterations,
        wall_time_s=iteration / 10,
        loss=1 / (iteration + 1),
        error=math.nan,
        message=f"loss {1 / (iteration + 1):.2e}",
    )


def test_plain_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with make_progress(100) as progress:
        for iteration in range(101):
            progress(event(iteration))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[0] == "iteration 0/100  0.0 s  loss 1.00e+00"
    assert lines[5] == "iteration 50/100  5.0 s, 5 s remaining  loss 1.96e-02"
    assert lines[-1] == "iteration 100/100  10.0 s  loss 9.90e-03"


def test_a_terminal_gets_a_bar_and_keeps_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    with make_progress(100) as progress:
        progress(event(40))
    drawn = stream.getvalue()
    assert "40/100" in drawn
    assert "loss 2.44e-02" in drawn
    assert "iteration 40/100" not in drawn
    assert drawn.endswith("\x1b[1A\x1b[2K")  # moved up, and erased


def test_the_bar_of_a_training_does_not_obey_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    with make_progress(100) as progress:
        progress(
            Progress(
                iteration=1,
                n_iterations=100,
                wall_time_s=0.1,
                loss=1.0,
                error=math.nan,
                message="[red]not markup[/]",
            )
        )
    assert "[red]not markup[/]" in stream.getvalue()


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    with (
        make_progress(100, quiet=True) as progress,
        make_download_progress(quiet=True) as download,
        counted(3, "counting", quiet=True) as advance,
    ):
        progress(event(100))
        download("a.zip", 10, 20)
        advance()
    assert stream.getvalue() == ""


def test_downloads_are_printed_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    with make_download_progress() as progress:
        for n_done in (1_000_000, 2_000_000):
            progress("a.zip", n_done, 2_000_000)
            progress("b.zip", n_done, 0)
    assert capsys.readouterr().err == "fetching a.zip, 2.0 MB\nfetching b.zip, unknown size\n"


def test_downloads_get_a_bar_each_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    with make_download_progress() as progress:
        progress("a.zip", 1_000_000, 2_000_000)
    assert "1.0/2.0 MB" in stream.getvalue()
    assert "a.zip" in stream.getvalue()


def test_steps_are_counted_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    with counted(2, "reading run files", quiet=False) as advance:
        advance()
    assert "reading run files" in stream.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with counted(2, "reading run files", quiet=False) as advance:
        advance()
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_how_far_a_reference_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line now and then where nothing can be redrawn."""
    with make_reference_progress() as report:
        report("16 modes")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    with make_reference_progress() as report:
        report("32 [modes]")
    assert capsys.readouterr().err == "32 [modes]\n"
    with make_reference_progress(quiet=True) as report:
        report("64 modes")
    assert capsys.readouterr().err == ""
    stream = terminal(monkeypatch)
    with make_reference_progress() as report:
        report("128 [modes]")
    assert "128 [modes]" in stream.getvalue()


MEASURED = """
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {balance: u_xx = -sin(3*x)}
conditions: {walls: {where: boundary, equation: u = 0}}
data: {reference: true, points: 5}
network: {hidden: [4]}
points: {interior: 20}
"""


def test_a_check_shows_the_reference_that_gives_its_data(
    laaf: Laaf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    spec = tmp_path / "measured.yaml"
    spec.write_text(MEASURED)
    line = "16 modes along each coordinate\n"
    assert line in laaf("check", spec).err
    assert line not in laaf("check", spec, "--set", "data.points=6", "--quiet").err
