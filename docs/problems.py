"""Solves every bundled problem and writes docs/problems.md with its pictures.

    python docs/problems.py                    solves what is not solved yet, then writes the page
    python docs/problems.py burgers heat       solves only these; the page is written from all that are solved
    python docs/problems.py --page             solves nothing

One problem at a time, on two processors. Run files stand in runs/problems/; one whose settings are still those
of the problem is not trained again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.errors import RunFileError
from laaf_cli.files.atomic import replacing
from laaf_cli.report.figures import RunData, draw
from laaf_cli.report.figures.save import save
from laaf_cli.runfile import RunFile
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.spec import Override, bundled
from laaf_cli.sweeps import LocalProcesses, Outcome, PlannedRun, RunState, sweep

DOCS = Path(__file__).resolve().parent
PAGE, IMAGES = DOCS / "problems.md", DOCS / "images" / "problems"
RUNS = DOCS.parent / "runs" / "problems"
DPI = 120

HEAD = """# The bundled problems

`laaf problems NAME > my.yaml` starts a new spec from one of them, `laaf solve NAME` solves it. Training is
[chosen](accuracy.md). The table shows one run of each with seed 0 and `--max-seconds 60` on two processor cores,
without a GPU: the relative L2 error against the reference (of several unknowns the largest), the seconds of the
training that was kept, and how it was obtained. `burgers-accurate` is a spec with settings of its own ([Performance](performance.md)); the set-ups
of the paper are `paper/burgers` and `paper/discontinuous` ([Reproducing the paper](reproduction.md)), those of a benchmark
in [PINNacle](pinnacle.md).

"""


SECONDS, THREADS = 60.0, 2


@dataclass(frozen=True)
class Entry:
    """A row of the page: a bundled problem, or one with changes."""

    problem: str
    assignments: tuple[str, ...] = ()
    note: str = ""
    seconds: float = SECONDS

    @property
    def name(self) -> str:
        return self.problem + (
            f"-{self.note.replace(' ', '-').replace('%', '')}" if self.note else ""
        )

    @property
    def path(self) -> Path:
        return RUNS / f"{self.name}.h5"

    def plan(self) -> Plan:
        overrides = [Override.from_assignment(a) for a in self.assignments]
        return make_plan(bundled.find(self.problem), overrides, max_seconds=self.seconds)


def is_bare(name: str) -> bool:
    """Whether a bundled spec leaves its training to laaf."""
    return bool(make_plan(bundled.find(name)).recipe)


ENTRIES = [
    entry
    for name in bundled.names()
    if "/" not in name and is_bare(name)
    for entry in (
        Entry(name),
        *(
            [Entry(name, ("data.noise=0.025",), "2.5% noise")]
            if name.startswith("inverse-")
            else []
        ),
    )
]


def solve(entries: list[Entry]) -> None:
    """Trains what is not trained yet and keeps the run files."""

    def tell(outcome: Outcome) -> None:
        if outcome.state is RunState.FINISHED:
            print(
                f"{outcome.run.path.stem}: {outcome.error:.2e} in {outcome.wall_time_s:.1f} s",
                flush=True,
            )
        elif outcome.detail:
            print(f"{outcome.run.path.stem}: {outcome.detail}", flush=True)

    runs = [PlannedRun(entry.plan(), entry.path) for entry in entries]
    for run in runs:
        run.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            run.is_finished()
        except RunFileError:  # of other settings, or of an older format
            run.path.unlink()
    with LocalProcesses(1) as executor:
        sweep(runs, executor, threads=THREADS, on_change=tell)


def page(entries: list[Entry]) -> str:
    """The page, from the run files."""
    lines = [HEAD]
    lines += [
        "| problem | relative L2 | seconds | method | reference | its own error |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    sections = []
    for entry in entries:
        with RunFile(entry.path) as run:
            facts, spec = run.attributes, run.spec
            referee = run.group_attributes("reference")
            terms = "; ".join(learned(run))
            optimizers = [phase.optimizer for phase in run.phases()]
        title = spec.title + (f", {entry.note}" if entry.note else "")
        name = entry.problem + (f" {entry.note}" if entry.note else "")
        lines.append(
            f"| [{name}](#{anchor(title)}) | {facts['relative_l2']:.1e} | {facts['wall_time_s']:.0f} | "
            f"{', '.join(dict.fromkeys(optimizers))} | {spec.reference.kind} | {referee['error_estimate']:.0e} |"
        )
        flags = "".join(f" --set {assignment}" for assignment in entry.assignments)
        sections += [
            f"## {title}\n",
            f"`laaf solve {entry.problem}{flags}`\n",
            *([f"Learned: {terms}.\n"] if terms else []),
            f"![{name}](images/problems/{entry.name}.png)\n",
        ]
    return "\n".join([*lines, "", *sections])


def anchor(title: str) -> str:
    """What a heading is called in links."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def learned(run: RunFile) -> Iterator[str]:
    """Sentences on the constants that were learned."""
    for name, values in run.history().constants.items():
        truth = run.spec.learn[name].truth
        told = f"{name} = {values[-1]:.5g}"
        yield (
            told
            if truth is None
            else f"{told}, true value {truth:.5g}, off by {abs(values[-1] / truth - 1):.2%}"
        )


def picture(entry: Entry) -> None:
    """The solution of a run file, as docs show it."""
    drawing = draw([RunData.read(entry.path)], ["solution"])[0]
    save(drawing.figure, IMAGES / f"{entry.name}.png", DPI)


def main(arguments: list[str]) -> None:
    names = [argument for argument in arguments if not argument.startswith("-")]
    IMAGES.mkdir(parents=True, exist_ok=True)
    if "--page" not in arguments:
        solve([entry for entry in ENTRIES if not names or entry.problem in names])
    solved = [entry for entry in ENTRIES if entry.path.exists()]
    for entry in solved:
        picture(entry)
    with replacing(PAGE) as part:
        part.write_text(page(solved), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
