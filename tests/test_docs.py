"""The documentation holds: generated parts are fresh, links resolve, specs are right, commands and programs run."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pytest
from laaf_process import Program, run_apart

from laaf_cli.cli.app import COMMANDS
from laaf_cli.images.data import DATASETS, ImageData, Images
from laaf_cli.images.plan import make_image_plan
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Text, task_of_spec
from laaf_cli.spec.source import read_yaml

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n+)?^```(?P<language>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NUMBER = re.compile(r"[-+]?\d[\d.]*(?:e[-+]?\d+)?")
HISTOGRAM = re.compile(r"\|[ ▁▂▃▄▅▆▇█]+\|")
USES = re.compile(r"<!-- uses: (?P<file>\S+) of (?P<page>\S+) -->")
ITERATIONS = re.compile(r"(?<=iterations)(: |=| )\d+")
SEEDS = re.compile(r"(?<=--seeds) \d+")

NOT_RUN = ("pip", "git", "python", ".venv", "cd", "gh")
"""Commands that a page shows and no test runs."""

SHORTENED = ("README.md", "comparing.md", "images.md", "problem.md", "runs.md")
"""Pages whose trainings are cut to a few iterations and seeds: in the specs that they save and in their commands."""

A_FEW_ITERATIONS, A_FEW_SEEDS = 20, 2

DATA_DIR = os.environ.get("LAAF_DATA_DIR", "")
"""The folder of the data sets, which commands that name one are run with; without it they are not, for no test fetches."""

AS_MANY_SECONDS = 600


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line it begins on, and the file it is to be saved as."""

    page: Path
    line: int
    language: str
    body: str
    file: str | None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_whole_spec(self) -> bool:
        return self.language == "yaml" and self.body.startswith(("title:", "coordinates:"))

    @property
    def is_of_images(self) -> bool:
        return task_of_spec(Text(self.place, self.body)) == "images"


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page, text.count("\n", 0, m.start("language")) + 1, m["language"], m["body"], m["file"]
        )
        for m in FENCE.finditer(text)
    ]


def name(page: Path) -> str:
    return page.name


RUNNABLE = [
    page for page in PAGES if any(block.language in ("console", "python") for block in blocks(page))
]
SPECS = [block for page in PAGES for block in blocks(page) if block.is_whole_spec]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location(
        "laaf_docs_generate", ROOT / "docs" / "generate.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_generated_blocks_are_fresh(generate: ModuleType) -> None:
    assert generate.stale_blocks() == [], "run python docs/generate.py"


def test_every_generated_block_is_on_a_page(generate: ModuleType) -> None:
    marked = {
        found
        for page in PAGES
        for found in re.findall("<!-- generated: ([a-z-]+) -->", page.read_text("utf-8"))
    }
    assert marked == set(generate.BLOCKS)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_resolve(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    broken = [link for link in links if not _resolves(page, link)]
    assert broken == []


def _resolves(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists() or not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("block", SPECS, ids=lambda block: block.place)
def test_whole_specs_make_a_plan(block: Block) -> None:
    text = Text(f"{block.place}.yaml", block.body)
    if not block.is_of_images:
        make_plan(text)
        return
    images = Images(np.zeros((2, 1, 28, 28), np.uint8), np.arange(2))
    named = read_yaml(text).plain()["images"]
    make_image_plan(
        text,
        known={named: ImageData(train=images, test=images, classes=("a", "b"), files={})},
        download=False,
    )


@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_commands_and_programs_run(page: Path, tmp_path: Path) -> None:
    """In order, in one folder, and what a command prints has the lines that the page shows, whatever the numbers."""
    folder = tmp_path
    for used in USES.finditer(page.read_text(encoding="utf-8")):
        (block,) = [
            block for block in blocks(page.parent / used["page"]) if block.file == used["file"]
        ][-1:]
        (folder / used["file"]).write_text(_shortened(page, block.body), encoding="utf-8")
    session: list[Block] = []
    for block in [*blocks(page), None]:
        if block is not None and block.language == "python" and block.file is None:
            session.append(block)
            continue
        if session and (block is None or block.file is not None or block.language == "console"):
            # Python that no command and no file interrupts is one session.
            program = Program("\n".join(each.body for each in session))
            _run(program, session[0], folder)
            session.clear()
        if block is not None and block.file is not None:
            (folder / block.file).write_text(_shortened(page, block.body), encoding="utf-8")
        elif block is not None and block.language == "console":
            _run_console(block, folder)


def _run_console(block: Block, folder: Path) -> None:
    before, *sessions = re.split(r"^\$ ", block.body, flags=re.MULTILINE)
    assert before == "", f"{block.place}: a console block begins with a prompt"
    for session in sessions:
        command, _, shown = session.partition("\n")
        program = command.split()[0]
        if program in NOT_RUN or program.startswith(NOT_RUN):
            continue
        assert program == "laaf", f"{block.place}: {command} is neither run nor among {NOT_RUN}"
        if not DATA_DIR and re.search(rf"\b({'|'.join(DATASETS)})\b", command):
            continue
        command = _shortened(block.page, command)
        printed = _run(command, block, folder)
        missing = _missing_lines(shown, printed)
        assert not missing, f"{block.place}: $ {command} does not print {missing!r}, but\n{printed}"


def _shortened(page: Path, text: str) -> str:
    """A spec or a command line with fewer iterations and seeds, where the page is one whose trainings are cut."""
    if page.name not in SHORTENED:
        return text
    short = SEEDS.sub(f" {A_FEW_SEEDS}", ITERATIONS.sub(rf"\g<1>{A_FEW_ITERATIONS}", text))
    if text.startswith(
        "laaf solve burgers"
    ):  # a bundled problem says its number of iterations itself
        return f"{short} --iterations {A_FEW_ITERATIONS}"
    # Starting a process takes longer than these trainings.
    return f"{short} --jobs 1" if text.startswith("laaf sweep") else short


SHELL = re.compile("[|<>&;$`]")
"""What a command line has that is more than words."""


def _run(command: str | Program, block: Block, folder: Path) -> str:
    """What a command line or a program prints."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "HOME": str(folder),
        "PYTHONUTF8": "1",
        # Threads that wait for each other on a busy machine are slower than one.
        "OMP_NUM_THREADS": "1",
        # Looking for the fonts of the machine takes seconds, and each page has a home of its own.
        "MPLCONFIGDIR": mpl.get_cachedir(),
        "LAAF_DATA_DIR": DATA_DIR,
        "LAAF_CACHE_DIR": os.environ["LAAF_CACHE_DIR"],
    }
    if isinstance(command, str) and SHELL.search(command):
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=AS_MANY_SECONDS,
            check=False,
        )
        code: int | None = done.returncode
        out, err = done.stdout, done.stderr
    else:
        code, out, err = run_apart(folder, environment, command, AS_MANY_SECONDS)
    assert code == 0, f"{block.place}: {command}\n{out}{err}"
    return out


def _missing_lines(shown: str, printed: str) -> list[str]:
    """The lines shown that do not stand among those printed, in this order; `...` means any lines."""
    remaining = iter(_masked(printed))
    return [line for line in _masked(shown) if line != "..." and line not in remaining]


def _masked(text: str) -> list[str]:
    """Lines without what differs between runs: numbers, histograms, spaces and rules."""
    lines = (
        " ".join(NUMBER.sub("#", HISTOGRAM.sub("|#|", line)).split()) for line in text.splitlines()
    )
    return [line for line in lines if line.strip("─ ")]


def test_every_command_is_on_the_commands_page() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## `laaf {name}`" not in text] == []
