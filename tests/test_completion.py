"""The shell completes names, files, options and their values; help shows no types of Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Laaf

from laaf_cli.cli import complete
from laaf_cli.cli.app import COMMANDS
from laaf_cli.images.cli import options as image_options
from laaf_cli.images.models.table import MODELS
from laaf_cli.paper.artefacts import ARTEFACTS
from laaf_cli.references import AUTO, REFERENCES
from laaf_cli.report.figures import figures_of
from laaf_cli.runs.task import TASKS
from laaf_cli.spec import bundled

PROGRAM = """
import sys
sys.argv = ["laaf"]
from laaf_cli.__main__ import main
try:
    main()
finally:
    assert not {"torch", "matplotlib"} & set(sys.modules), "a key waits no seconds"
"""


def completed(line: str, folder: Path) -> list[str]:
    """What bash is offered for the last word of a command line."""
    words = line.split(" ")
    environment = os.environ | {
        "_LAAF_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


OFFERED = {
    "laaf s": ["solve", "show", "sweep"],
    "laaf solve oscil": ["oscillator"],
    "laaf solve m": ["mine.yaml"],
    "laaf check ru": ["runs/deep/"],
    "laaf plot ru": ["runs/a.h5", "runs/b.h5", "runs/deep/"],
    "laaf plot runs/a.h5 --kind solution,l": ["solution,loss"],
    "laaf solve burgers --dev": ["--device"],
    "laaf solve burgers --device c": ["cpu", "cuda"],
    "laaf solve burgers --activation l": ["llaaf"],
    "laaf solve burgers --set network.h": ["network.hidden="],
    "laaf sweep burgers --set training.0.l": ["training.0.learning_rate="],
    "laaf sweep burgers --activation gaaf,g": [],
    "laaf classify semei": ["semeion"],
    "laaf reproduce table": ["table1"],
    "laaf reference burgers --method h": ["hopf-cole"],
    "laaf problems semei": ["semeion"],
}


@pytest.mark.parametrize(("line", "offered"), OFFERED.items(), ids=OFFERED)
def test_what_is_offered(line: str, offered: list[str], tmp_path: Path) -> None:
    (tmp_path / "runs" / "deep").mkdir(parents=True)
    for name in ("mine.yaml", "measured.csv", "runs/a.h5", "runs/b.h5", "runs/a.png", "runs/.c.h5"):
        (tmp_path / name).touch()
    assert completed(line, tmp_path) == offered


def test_a_spec_is_bundled_or_a_file(tmp_path: Path) -> None:
    assert completed("laaf solve ", tmp_path) == sorted(bundled.names())


def test_the_copies_are_those_of_the_tables() -> None:
    kinds = dict.fromkeys(kind for task in TASKS for kind in figures_of(task).kinds)
    assert tuple(kinds) == complete.KINDS
    assert (AUTO, *REFERENCES) == complete.REFERENCES
    assert set(complete.ARTEFACTS) == set(ARTEFACTS)
    assert set(image_options.MODELS) == set(MODELS)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_shows_no_types(name: str, laaf: Laaf) -> None:
    text = laaf(*name.split(), "--help").out
    assert re.findall(r"<\w|\{\w", text) == []
    assert "--help" in text


def test_help_offers_completion(laaf: Laaf) -> None:
    assert "--install-completion" in laaf("--help").out
