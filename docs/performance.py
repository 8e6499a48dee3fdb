"""Writes docs/performance.md from what the benchmarks of tests/benchmarks/ found.

    python docs/performance.py FOLDER

FOLDER holds the JSON files that the benchmarks write with --output; a section whose file is not there is left out. The
figure is drawn by accuracy_time.py itself. The commands are those that the page shows.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
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
        lines = [table["headers"], ["---"] * len(table["headers"]), *table["rows"]]
        return "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )

    def rows(self, name: str) -> list[list[str]]:
        return list(self.tables[name]["rows"])


def step_time(found: Found) -> Iterator[str]:
    yield (
        "One loss and its gradient on Burgers' equation and, of higher order, those of Korteweg and de Vries "
        "(`u_xxx`), of a beam (`u_xxxx`) and of a plate (the biharmonic operator): 6×20 tanh, 10000 points of the "
        "equation, the same weights, points and precision for all, who take turns. The engines of laaf are those of "
        "`--derivatives`. DeepXDE runs on PyTorch, in a process of its own; what is timed is its own "
        "`Model.train_step`, without the update of the parameters. laaf tells the allocator of its process to keep "
        "memory, so DeepXDE races a second time with that. Medians and quartiles."
    )
    for name in found.tables:
        yield f"**{name}**, threads: {found.machine['threads']}"
        yield found.table(name)
        yield ratio_sentence(found, name) + (
            f"Before the race the losses were compared ({found.facts[f'{name}: loss']}, apart by at most "
            f"{found.facts[f'{name}: losses apart by']} relative) and the gradients "
            f"({found.facts[f'{name}: gradients apart by']})."
        )


def ratio_sentence(found: Found, race: str) -> str:
    """How much faster the fastest engine of laaf is than every other rival."""
    times = {row[0]: float(found.facts[f"{race}: {row[0]} in ms"]) for row in found.rows(race)}
    best = min((name for name in times if name.startswith("laaf")), key=times.__getitem__)
    told = [
        f"{time / times[best]:.1f} times as fast as *{name}*"
        for name, time in times.items()
        if name != best
    ]
    return f"*{best}* is {'; '.join(told)}. " if told else ""


def accuracy(found: Found) -> Iterator[str]:
    yield (
        "Relative L2 error against Hopf-Cole on 256 × 100 points, ν = 0.01/π, evaluated outside the clock; every "
        f"training alone on the machine, with {found.machine['threads']} threads. Seeds: {found.facts['seeds']}."
    )
    yield (
        "The curves compare recipes as much as programs. *laaf, Adam* is the bundled `burgers`, the set-up of the "
        "paper: 6×20 with N-LAAF slopes and slope recovery, 10000 + 400 points, conditions in the loss, float32. "
        "*laaf, Adam and Broyden* is the bundled `burgers-accurate`: 3×32, 4000 and then 14000 points that follow "
        "the residual, conditions met exactly by a transform, self-scaled Broyden, float64. DeepXDE trains its own"
        " Burgers example: 3×20 tanh, 2540 + 80 + 160 points, conditions in the loss, Adam 15000 iterations with "
        "1e-3, then L-BFGS, which ends by itself; where it has ended, its last error stands. Its example ends at t"
        " = 0.99 and is taken to 1 here; its L-BFGS is looked at every thousand iterations, all else every 25."
    )
    if (DOCS / FIGURE).exists():
        yield f"![Error against seconds of training: seeds thin, medians thick, DeepXDE grey]({FIGURE})"
    yield "Median error, with the least and the greatest where there are several seeds:"
    yield found.table("error")
    yield "Median seconds until an error is reached, with the least and the greatest of the seeds that reach it:"
    yield found.table("time")
    ends = {
        name.removeprefix("best of "): fact
        for name, fact in found.facts.items()
        if name.startswith("best of ")
    }
    yield (
        "The least error of any seed at any time: "
        + "; ".join(f"{name} {fact}" for name, fact in ends.items())
        + "."
    )


def other_problems(found: Found) -> Iterator[str]:
    yield (
        "Bundled problems with their references. *Adam*: as bundled, with as many iterations as fit into the time, so "
        "that the learning rate falls to its end; one run for each length. *Adam, then Broyden*: the same network in "
        "float64, Adam and then self-scaled Broyden, one run looked at after both times. Seeds: "
        f"{found.facts['seeds']}. Median error, with the least and the greatest where there are several seeds:"
    )
    yield found.table("problems")


def scaling(found: Found) -> Iterator[str]:
    yield (
        "The arithmetic that a step needs, in flop, is 2 × 3 × Σ streams × points × Σ fan_in·fan_out: a "
        "multiplication and an addition, one matrix product forward and two backward, for each of the streams u, "
        "u_x, u_t, u_xx at points of the equation and u at points of conditions. Activations and their derivatives "
        "are not counted. The fused kernel computes its forward pass a second time on the way back, with u_t − ν u_xx "
        "as one stream; the work that it does stands in brackets. *Of torch.mm* is the rate over that of a product of "
        "two 1024² matrices in the same precision with the same threads, measured in turns with the step: "
        f"{found.facts['torch.mm in GFLOP/s']} GFLOP/s. *Peak MB* is the largest resident set of a process of its own "
        "that takes one step, above what it held after importing torch and laaf and making the plan. Engines that "
        "would not fit into memory are left out."
    )
    for name, table in found.tables.items():
        if not table["rows"]:
            continue
        yield f"{table['caption']}:"
        yield found.table(name)
    if (left := found.facts.get("left out for want of time")) is not None:
        yield f"Left out for want of time: {left}."


def many_runs(found: Found) -> Iterator[str]:
    yield (
        "Whether it pays to train seeds as one batch: iterations per second of Burgers' equation with Adam, summed "
        "over the runs. *One after another* gives one run all threads; *side by side* is what `laaf sweep --jobs` "
        "does with a process for each core; *as one batch* stacks the weights of several networks and takes one "
        "Taylor step for all, in torch as the engine `taylor` does."
    )
    yield found.table("rates")
    best: dict[str, dict[bool, float]] = {}
    for points, way, *_, ratio in found.rows("rates"):
        if not way.startswith("one after another"):
            known = best.setdefault(points, {})
            batched = "batch" in way
            known[batched] = max(known.get(batched, 0.0), float(ratio))
    yield (
        "Iterations per second over those of one after another: "
        + (
            "; ".join(
                f"with {points} points {ratios[True]:.2f} for the best batch"
                + (f" and {ratios[False]:.2f} side by side" if False in ratios else "")
                for points, ratios in best.items()
            )
        )
        + "."
    )
    if all(ratios[True] <= max(1.0, ratios.get(False, 0.0)) for ratios in best.values()):
        yield "No batch is worth it on this machine; `laaf sweep` trains runs side by side."


IMAGES = (
    "Training images per second of `laaf classify`, beside a plain loop in PyTorch over the same network. laaf keeps "
    "all images in memory as bytes, puts each batch together when it is needed, and starts no worker processes."
)


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
    Section("scaling.json", "Growth with points, width and depth", scaling),
    Section("scaling-float64.json", "The same in float64", scaling),
    Section("many_runs.json", "Many runs at once", many_runs),
    Section("image_training.json", "Images", image_training),
)


def head(found: Mapping[str, Found]) -> Iterator[str]:
    machine = next(iter(found.values())).machine
    yield "# Performance"
    yield (
        "How fast laaf is, beside what else there is, on one machine. Rivals race side by side and take turns, so that "
        "what else the machine does falls on all of them: trust the ratios further than the seconds."
    )
    yield "\n".join(
        [
            "| machine | |",
            "| --- | --- |",
            *(f"| {name} | {value} |" for name, value in machine.items()),
        ]
    )
    if any(dict(each.machine) != dict(machine) for each in found.values()):
        yield "Some parts were measured elsewhere or otherwise; they say so."
    commands = [each.command for each in found.values()]
    yield "These commands made the page. DeepXDE comes with the extra `benchmark`; every script has `--help`."
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
        yield "`--from` names a folder of trainings that the same script has made without it."
    if any("--quick" in command for command in commands):
        yield "Where a command says `--quick`, few rounds were taken: its figures are rough."


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
