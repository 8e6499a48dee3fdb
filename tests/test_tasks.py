"""The table of tasks: every part that a row names is there, and one task is run without another."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from laaf_cli.runs.task import TASKS, Task, loaded, task_of_keys

SOLVE = """
import sys
sys.argv = ["laaf", "solve", "heat", "--iterations", "2", "--output", sys.argv[1], "--quiet"]
from laaf_cli.cli.app import app
try:
    app()
except SystemExit as end:
    assert not end.code, end.code
print(*(name for name in sys.modules if name.startswith("laaf_cli.images")))
"""


def paths(task: Task) -> list[str]:
    values = [getattr(task, field.name) for field in fields(task)]
    return [value for value in values if isinstance(value, str) and value.startswith("laaf_cli.")]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_part_of_a_row_is_there(task: Task) -> None:
    assert len(paths(task)) == 10
    assert all(loaded(path) is not None for path in paths(task))


def test_a_spec_is_of_the_first_task_whose_keys_it_has() -> None:
    assert task_of_keys({"images": "mnist"}).name == "images"
    assert task_of_keys({"images": "mnist", "unknowns": ["u"]}).name == "equation"
    assert task_of_keys({}).name == "equation"


def test_an_equation_is_solved_without_the_images(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", SOLVE, str(tmp_path / "run.h5")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.splitlines()[-1] == ""
    assert (tmp_path / "run.h5").is_file()
