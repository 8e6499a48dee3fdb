"""Trains the study of Burgers' equation in docs/reproduction.md and writes that part of the page.

    python docs/reproduction.py              trains what is missing, then writes the page
    python docs/reproduction.py --jobs 16    more runs at a time than two; each has one thread
    python docs/reproduction.py --page       trains nothing; the page is written from the runs that are there

It may be stopped at any time and goes on from there: run files stand in runs/reproduction/runs/, as `laaf reproduce
table1 --directory runs/reproduction` would leave them, and appear only when a run is finished. The runs of the paper's
length come first, seed by seed; then the long ones, block by block of what the claims need, seed by seed in each.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import reproduction_page as page
from reproduction_results import FORMS, Planned, read

from laaf_cli.files.atomic import replacing
from laaf_cli.paper import ARTEFACTS, Column, Request, Variant
from laaf_cli.paper.columns import FIXED, GAAF, LLAAF, LLAAF_RECOVERY, NLAAF, NLAAF_RECOVERY
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.statistics import spread
from laaf_cli.sweeps import LocalProcesses, Outcome, PlannedRun, RunState, sweep

DOCS = Path(__file__).resolve().parent
PAGE, IMAGES = DOCS / "reproduction.md", DOCS / "images"
FOLDER = DOCS.parent / "runs" / "reproduction"

N_SEEDS = 20
PAPER_LENGTH, LONG = 2000, 20000
LENGTHS = (PAPER_LENGTH, LONG)
RATES = ("8e-4", "1.6e-3", "3.2e-3", "6.4e-3")
SCALES = ("1", "5", "10")


def at_10(column: Column, form: str | None = None) -> Column:
    """An adaptive method of the paper with its n, and a form of slope recovery."""
    return replace(column, n="10", form=form)


BLOCKS = (
    (FIXED, at_10(LLAAF), at_10(LLAAF_RECOVERY, "mean")),
    (at_10(NLAAF), at_10(NLAAF_RECOVERY, "mean")),
    (at_10(GAAF), *(replace(FIXED, learning_rate=rate) for rate in RATES[1:])),
    (at_10(LLAAF_RECOVERY, "sum"), at_10(NLAAF_RECOVERY, "sum")),
)
"""The order of the long runs: later blocks answer lesser questions. The first has the best learning rate as well."""


def plan(folder: Path) -> Planned:
    """Every run of the study."""
    lengths = {
        length: Request(
            variant=Variant(recovery_forms=FORMS, scales=SCALES, iterations=length),
            seeds=tuple(range(N_SEEDS)),
            folder=folder,
            fixed_rates=RATES,
        )
        for length in LENGTHS
    }
    return {
        length: ARTEFACTS["table1"].plan(request)[length] for length, request in lengths.items()
    }


def train(study: Planned, jobs: int) -> None:
    """Trains what is missing, in the order of what it is worth."""
    short, long = study[PAPER_LENGTH], study[LONG]
    # A long run tells what the short one would.
    missing = [
        run
        for column, runs in short.items()
        for run, longer in _pairs(runs, long[column])
        if not longer
    ]
    run_all(by_seed(missing), jobs)
    blocks = [[*BLOCKS[0], best_fixed(short)], *BLOCKS[1:], list(long)]
    ordered = {
        run.path: run
        for block in blocks
        for run in by_seed([r for column in block for r in long[column]])
    }
    run_all(list(ordered.values()), jobs)


def _pairs(
    short: Sequence[PlannedRun], long: Sequence[PlannedRun]
) -> list[tuple[PlannedRun, bool]]:
    return [(run, longer.path.exists()) for run, longer in zip(short, long, strict=True)]


def by_seed(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    return sorted(runs, key=lambda run: run.plan.spec.seed)


def best_fixed(runs: Mapping[Column, Sequence[PlannedRun]]) -> Column:
    """The fixed baseline whose learning rate has the least median error; the paper's where no run is there."""
    medians = {}
    for column, planned in runs.items():
        errors = [ComparisonEntry.read(run.path).error for run in planned if run.path.exists()]
        if not column.kind.is_adaptive and errors:
            medians[column] = spread(errors).median
    return min(medians, key=lambda column: medians[column], default=FIXED)


def run_all(runs: Sequence[PlannedRun], jobs: int) -> None:
    """Trains runs in this order and tells of each when it ends."""
    n_ended = 0

    def tell(outcome: Outcome) -> None:
        nonlocal n_ended
        if outcome.state in (RunState.WAITING, RunState.RUNNING):
            return
        n_ended += 1
        if outcome.state is not RunState.KEPT:
            said = outcome.detail or f"{outcome.error:.2e} in {outcome.wall_time_s:.1f} s"
            print(f"[{n_ended}/{len(runs)}] {outcome.run.path.stem}: {said}", flush=True)

    if runs:
        runs[0].path.parent.mkdir(parents=True, exist_ok=True)
        with LocalProcesses(jobs) as executor:
            sweep(runs, executor, threads=1, on_change=tell)


COMMANDS = (
    "python docs/reproduction.py    # trains what is missing, and writes this section",
    "",
    "# The same runs by the command line:",
    f"laaf reproduce table1 --seeds {N_SEEDS} --n {','.join(SCALES)} --recovery-form {','.join(FORMS)} \\",
    f"    --fixed-learning-rates {','.join(RATES)} --iterations {LONG}    # and without --iterations",
)
"""What makes the study."""


def write(planned: Planned, path: Path, images: Path) -> None:
    """Puts the study into the page: what stands between `<!-- study: NAME -->` and `<!-- end study -->`."""
    results = read(planned)
    if not any(one.found for one in results):
        raise SystemExit("there is no run of the study")
    spec = next(iter(planned[PAPER_LENGTH].values()))[0].plan.spec
    parts = {
        "short": page.short(results, spec.training[0].learning_rate),
        "burgers": page.burgers(results, spec, COMMANDS),
        "took": page.took(results),
    }
    text = path.read_text(encoding="utf-8")
    for name, part in parts.items():
        begin, end = f"<!-- study: {name} -->\n", "<!-- end study -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"{path} has no place for {name}: {begin.strip()} and {end}")
        text = f"{before}{begin}\n{part}\n\n{end}{after}"
    page.draw(results, images)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="runs at a time")
    parser.add_argument("--page", action="store_true", help="train nothing")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, metavar="DIR", help="where the runs are"
    )
    arguments = parser.parse_args()
    study = plan(arguments.folder)
    if not arguments.page:
        train(study, arguments.jobs)
    write(study, PAGE, IMAGES)


if __name__ == "__main__":
    main()
