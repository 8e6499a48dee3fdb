"""`laaf watch`: the page follows checkpoints, reads alone, and reloads no more at the end."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import pytest
from conftest import Laaf

from laaf_cli.report.page.document import Still

GOLDEN = Path(__file__).parent / "golden"
RUN = GOLDEN / "run-format-7.h5"
RELOADS = 'data-reload="3"'


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time of a page."""
    monkeypatch.setattr(Still, "address", "data:,")


def test_the_page_follows_checkpoints_until_ctrl_c(
    tmp_path: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, page = tmp_path / "runs", tmp_path / "watch.html"
    folder.mkdir()
    seen: list[str] = []
    first = folder / "a.h5.checkpoint"

    def sleep(seconds: float) -> None:
        """What happens between two looks."""
        assert seconds == 3
        seen.append(page.read_text(encoding="utf-8") if page.exists() else "")
        if len(seen) == 1:
            shutil.copy(RUN, first)
        elif len(seen) == 2:
            page.unlink()
        elif len(seen) == 3:
            shutil.copy(GOLDEN / "run-format-6.h5", folder / "b.h5")
        else:
            monkeypatch.setattr(Still, "address", property(press_again))
            raise KeyboardInterrupt

    def press_again(_picture: Still) -> str:
        signal.raise_signal(signal.SIGINT)
        return "data:,"

    monkeypatch.setattr("time.sleep", sleep)
    done = laaf("watch", folder, "--output", page, "--every", 3)
    assert done.code == 0, done.err
    assert seen[0] == seen[2] == "", "nothing is there, and nothing has changed"
    assert RELOADS in seen[1]
    assert "runs compared" in seen[3]
    last = page.read_text(encoding="utf-8")
    assert RELOADS not in last
    assert "runs compared" in last
    assert re.findall("there is no checkpoint yet|written: ", done.err) == [
        "there is no checkpoint yet",
        "written: ",
    ]
    assert first.read_bytes() == RUN.read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["a.h5.checkpoint", "b.h5"]


def test_a_damaged_run_is_waited_for(
    tmp_path: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, page = tmp_path / "run.h5", tmp_path / "watch.html"
    run.write_bytes(RUN.read_bytes()[:1000])

    def sleep(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    done = laaf("watch", run, "--output", page)
    assert done.code == 0
    assert "run.h5 cannot be read as HDF5" in done.err
    assert not page.exists()
