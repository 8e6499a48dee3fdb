"""Writes docs/performance.md from what the benchmarks of tests/benchmarks/ found.

    python docs/performance.py FOLDER

FOLDER holds the JSON files that the benchmarks write with --output; a section whose file is not there is left out. The
figure is drawn by accuracy_time.py itself. The commands are those that the page shows.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from laaf_cli.files.atomic import replacing

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "performance.md"
FIGURE = "images/performance-accuracy.png"


@dataclass(frozen=True)
class Found:
    """What one benchmark wrote: tables by name, facts by name, its command line, and the machine it ran on."""

    tables: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, str]
    command: str
    machine: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Found:
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(found["tables"], found["facts"], found["command"], found["machine"])

    def table(self, name: str) -> str:
        """A table as Markdown."""
        table = self.tables[name]
        return _markdown(table["headers"], table["rows"])

    def rows(self, name: str) -> list[list[str]]:
        return list(self.tables[name]["rows"])


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def step_time(found: Found) -> Iterator[str]:
    yield (
        "One loss and its gradient of Burgers' equation, or of the problem named; 6×20 tanh, 10000 points of the equation, "
        "the same weights, points and precision for all. DeepXDE runs on PyTorch in a process of its own; timed is its `Model.train_step` without "
        "the update. laaf lets its allocator keep memory, so DeepXDE races a second time with that. Medians."
    )
    for name in found.tables:
        yield f"**{name}**, threads: {found.machine['threads']}"
        rows = [[rival, ms, ratio] for rival, ms, _, ratio in found.rows(name)]
        yield _markdown(("rival", "ms", "times the fastest"), rows)
        yield (
            f"Losses agree to {found.facts[f'{name}: losses apart by']} (relative), gradients to "
            f"{found.facts[f'{name}: gradients apart by']}."
        )


def accuracy(found: Found) -> Iterator[str]:
    yield (
        "Relative L2 error against Hopf-Cole on 256 × 100 points, ν = 0.01/π, evaluated outside the clock, "
        f"{found.machine['threads']} threads. Seeds: {found.facts['seeds']}."
    )
    yield (
        "Recipes are compared as much as programs. *laaf, Adam*: the paper's set-up, 6×20, N-LAAF with slope recovery, "
        "10000 + 400 points, float32. *laaf, Adam and Broyden*: `burgers-accurate`, 3×32, 4000 then 14000 points that "
        "follow the residual, exact conditions, float64. *DeepXDE*: its own Burgers example taken to t = 1, 3×20 tanh, "
        "2540 + 80 + 160 points, 15000 iterations of Adam with 1e-3, then L-BFGS until it ends."
    )
    if (DOCS / FIGURE).exists():
        yield f"![Error against seconds of training: seeds thin, medians thick, DeepXDE grey]({FIGURE})"
    yield "Median error, with smallest and largest over several seeds:"
    yield found.table("error")


def other_problems(found: Found) -> Iterator[str]:
    yield (
        "Bundled problems with their references. *Adam*: one run for each length, its learning rate falling to its end. "
        "*Adam, then Broyden*: the same network in float64, one run looked at twice. Seeds: "
        f"{found.facts['seeds']}. Median error:"
    )
    yield found.table("problems")


SCALING = ("points", "network", "engine", "ms", "of torch.mm", "peak MB")
"""The columns of the tables of growth that are shown."""


def scaling(found: Found) -> Iterator[str]:
    yield (
        "One loss and gradient. *Of torch.mm*: arithmetic (2 × 3 × Σ streams × points × Σ fan_in·fan_out flop, without "
        "activations) per second, relative to a product of two 1024² matrices measured in turns: "
        f"{found.facts['torch.mm in GFLOP/s']} GFLOP/s. *Peak MB*: resident memory of one step above that of the "
        "imports and the plan."
    )
    for table in found.tables.values():
        places = [table["headers"].index(name) for name in SCALING]
        rows = [[row[place] for place in places] for row in table["rows"]]
        if rows:
            yield f"{table['caption']}:"
            yield _markdown(SCALING, rows)
    if (left := found.facts.get("left out for want of time")) is not None:
        yield f"Left out for want of time: {left}."


def many_runs(found: Found) -> Iterator[str]:
    yield (
        "Iterations per second of Burgers' equation with Adam, summed over the runs and divided by those of one run "
        "after another with all threads. *Side by side*: `laaf sweep --jobs`, a process for each core. *Batch*: the "
        "weights of several networks stacked, one Taylor step for all."
    )
    best: dict[str, dict[bool, float]] = {}
    for points, way, *_, ratio in found.rows("rates"):
        if not way.startswith("one after another"):
            known = best.setdefault(points, {})
            batched = "batch" in way
            known[batched] = max(known.get(batched, 0.0), float(ratio))
    rows = [
        (points, f"{ratios[True]:.2f}", f"{ratios[False]:.2f}" if False in ratios else "-")
        for points, ratios in best.items()
    ]
    yield _markdown(("points", "best batch", "side by side"), rows)


IMAGES = "Training images per second of `laaf classify`, beside a plain loop in PyTorch over the same network."


def image_training(found: Found) -> Iterator[str]:
    yield IMAGES
    for name, table in found.tables.items():
        yield f"{table['caption']}:"
        yield found.table(name)


@dataclass(frozen=True)
class Section:
    """A row of the page: the file it is made from, its heading, and its paragraphs."""

    file: str
    title: str
    paragraphs: Callable[[Found], Iterator[str]]


SECTIONS = (
    Section("step_time.json", "One step", step_time),
    Section("accuracy.json", "Error against time", accuracy),
    Section("problems.json", "Other problems", other_problems),
    Section("scaling.json", "Growth with points and width", scaling),
    Section("scaling-float64.json", "The same in float64", scaling),
    Section("many_runs.json", "Many runs at once", many_runs),
    Section("image_training.json", "Images", image_training),
)


def head(found: Mapping[str, Found]) -> Iterator[str]:
    machine = next(iter(found.values())).machine
    yield "# Performance"
    yield (
        "laaf beside other programs on one machine. Rivals take turns, so that other load falls on all of them: trust "
        "ratios further than seconds."
    )
    yield "; ".join(f"{name} {value}" for name, value in machine.items()) + "."
    commands = [each.command for each in found.values()]
    yield "Made by (DeepXDE comes with the extra `benchmark`):"
    yield "\n".join(
        [
            "```sh",
            "pip install -e '.[benchmark]'",
            *commands,
            "python docs/performance.py {folder}",
            "```",
        ]
    )
    if any("--from" in command for command in commands):
        yield "`--from` names a folder of trainings by the same script."
    if any("--quick" in command for command in commands):
        yield "With `--quick` few rounds were taken: rough figures."


def elsewhere(machine: Mapping[str, str], own: Mapping[str, str]) -> Iterator[str]:
    """What differs from the machine at the head of the page."""
    differing = [f"{name} {value}" for name, value in own.items() if machine.get(name) != value]
    if differing:
        yield f"Measured with {', '.join(differing)}."


def page(folder: Path) -> str:
    found = {
        section.file: Found.read(folder / section.file)
        for section in SECTIONS
        if (folder / section.file).exists()
    }
    if not found:
        raise SystemExit(
            f"{folder} holds none of {', '.join(section.file for section in SECTIONS)}"
        )
    machine = next(iter(found.values())).machine
    paragraphs = [text.replace("{folder}", folder.as_posix()) for text in head(found)]
    for section in SECTIONS:
        if section.file not in found:
            print(
                f"left out, for want of {folder / section.file}: {section.title}", file=sys.stderr
            )
            continue
        own = found[section.file]
        paragraphs += [
            f"## {section.title}",
            *elsewhere(machine, own.machine),
            *section.paragraphs(own),
        ]
    return "\n\n".join(map(wrapped, paragraphs)) + "\n"


def wrapped(paragraph: str) -> str:
    """Prose in lines of the width of the other pages; tables, pictures, headings and commands as they are."""
    if paragraph.startswith(("|", "!", "#", "```")):
        return paragraph
    return textwrap.fill(paragraph, 120, break_long_words=False, break_on_hyphens=False)


def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise SystemExit(__doc__)
    with replacing(PAGE) as part:
        part.write_text(page(Path(arguments[0])), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
