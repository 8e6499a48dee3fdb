"""Trains the study of the paper, and writes docs/reproduction.md and its pictures from the run files.

    python docs/reproduction.py                 trains what is missing, then writes the page
    python docs/reproduction.py --jobs 16       more runs at a time than one; each has one thread
    python docs/reproduction.py --only NAME     trains one block of the study
    python docs/reproduction.py --page          trains nothing
    python docs/reproduction.py --check         exits with 1 where the page is not what the runs say

It may be stopped at any time and goes on from there. Runs lie in FOLDER/runs as `laaf reproduce` and `laaf sweep` name
them, and FOLDER/commit names the commit that trained them: another one with other training code trains nothing there.
"""

from __future__ import annotations

import argparse
import subprocess
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from laaf_cli.files.atomic import replacing
from laaf_cli.images.errors import MissingDataError
from laaf_cli.images.plan import make_image_plan
from laaf_cli.paper import ARTEFACTS, Column
from laaf_cli.paper.claims import JUDGEMENTS, Claim, Judgement, image_claims, judge
from laaf_cli.paper.columns import (
    FIXED,
    FOUR,
    GAAF,
    LLAAF,
    LLAAF_RECOVERY,
    NLAAF,
    NLAAF_RECOVERY,
    SEVEN,
    TABLE1,
)
from laaf_cli.paper.equation_artefact import EquationArtefact
from laaf_cli.paper.images.figure import draw_training_loss
from laaf_cli.paper.images.results import EARLY, FINAL, TEST_ERROR, ImageResult
from laaf_cli.paper.page import READING, planned_seeds
from laaf_cli.paper.results import EquationResult
from laaf_cli.report.comparison_table import error_text, number_text
from laaf_cli.report.statistics import PairedComparison, compare_pairs, holm, spread
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Override, bundled
from laaf_cli.sweeps import (
    Alternative,
    LocalProcesses,
    Outcome,
    PlannedRun,
    RunState,
    plan_runs,
    sweep,
)

DOCS = Path(__file__).resolve().parent
PAGE, IMAGES = DOCS / "reproduction.md", DOCS / "images"
FOLDER = DOCS.parent / "runs" / "reproduction"
BURGERS, STEP = "paper/burgers", "paper/discontinuous"
FIRST, SECOND = range(20), range(20, 40)

TRAINING_CODE = (
    *(f"laaf_cli/{name}" for name in ("derivatives", "network", "problem", "training", "images")),
    "problems/paper",
)
"""What decides the numbers of a run."""

Results = Mapping[Column, Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Runs of the study that are trained together, and the words that tables have for them."""

    name: str
    problem: str
    columns: Sequence[Column]
    seeds: Sequence[int] = FIRST
    settings: tuple[str, ...] = ()
    """Changes of the spec that file names say."""
    of_method: tuple[tuple[str, str], ...] = ()
    """Changes of the spec with what file names say of them, after those of the method."""
    is_image: bool = False
    words: str = ""

    def plan(self, folder: Path) -> dict[Column, list[PlannedRun]]:
        """The runs by method; none where a data set is not there."""
        settings = [Alternative.of(Override.from_assignment(text)) for text in self.settings]
        make: Callable[..., Any] = partial(make_plan, bundled.find(self.problem))
        if self.is_image:
            images = bundled.find(self.problem, "images")
            make = partial(make_image_plan, images, folder=None, download=False, known={})
            settings = [replace(one, label="") for one in settings]
        planned = {}
        for column in self.columns:
            own = column.alternative()
            labels = [own.label, *(label for _text, label in self.of_method)]
            changes = [Override.from_assignment(text) for text, _label in self.of_method]
            own = Alternative((*own.overrides, *changes), "-".join(filter(None, labels)))
            axes = [*([one] for one in settings), [own]]
            planned[column] = plan_runs(make, axes, self.seeds, folder / "runs")
        return planned


ADAPTIVE = SEVEN[1:]
WITH_RECOVERY = (LLAAF_RECOVERY, NLAAF_RECOVERY)
IMAGE_COLUMNS = (
    FIXED,
    *(replace(column, n=n) for column in (*FOUR[1:], GAAF, LLAAF, NLAAF) for n in ("1", "2")),
)


def at(columns: Sequence[Column], **changes: str) -> list[Column]:
    """The methods with other settings."""
    return [replace(column, **changes) for column in columns]  # type: ignore[arg-type]


def weighted(weight: str) -> Block:
    """Slope recovery with another weight."""
    of_method = ((f"slopes.recovery.weight={weight}", f"weight={weight}"),)
    name = f"weight {weight}"
    return Block(name=name, problem=BURGERS, columns=WITH_RECOVERY, of_method=of_method, words=name)


RATES = [replace(FIXED, learning_rate=rate) for rate in ("4e-4", "1.6e-3", "3.2e-3", "6.4e-3")]

STUDY = (
    Block(name="table 1", problem=BURGERS, columns=SEVEN),
    Block(name="figure 10", problem="semeion", columns=IMAGE_COLUMNS, seeds=range(10), is_image=True),
    Block(name="table 1, other seeds", problem=BURGERS, columns=SEVEN, seeds=SECOND),
    Block(name="section 3.1", problem=STEP, columns=SEVEN),
    Block(name="learning rates", problem=BURGERS, columns=RATES),
    Block(name="n = 1", problem=BURGERS, columns=at(ADAPTIVE, n="1")),
    Block(name="n = 5", problem=BURGERS, columns=at(ADAPTIVE, n="5")),
    # The sum over six layers is the mean with a sixth of its weight.
    Block(name="sum form", problem=BURGERS, columns=at(WITH_RECOVERY, form="sum")),
    weighted("0.1"),
    Block(
        name="figure 11", problem="semeion", columns=IMAGE_COLUMNS, seeds=range(3), is_image=True,
        settings=("augment=true",),
    ),
    Block(
        name="20000 iterations", problem=BURGERS, columns=SEVEN,
        settings=("training.0.iterations=20000",),
    ),
)  # fmt: skip
"""In the order of what they are worth."""

NOT_IN_THE_STUDY = (
    ("every method at its best learning rate", "laaf sweep paper/burgers --slopes fixed,gaaf,llaaf,nlaaf --slope-recovery on,off --learning-rate 8e-4,1.6e-3,3.2e-3,6.4e-3 --seeds 20"),
    ("MNIST, KMNIST, Fashion-MNIST", "laaf reproduce figure10 --datasets mnist,kmnist,fashion-mnist"),
    ("the same, augmented", "laaf reproduce figure11 --datasets mnist,kmnist,fashion-mnist"),
    ("CIFAR-10, CIFAR-100, SVHN", "laaf reproduce figure10 --datasets cifar-10,cifar-100,svhn"),
)  # fmt: skip
"""What the paper has, or a reader asks, and the command that trains it."""


def train(blocks: Sequence[Block], folder: Path, jobs: int) -> None:
    """Trains what is missing, seed by seed in each block."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    commit = folder / "commit"
    if not commit.exists():
        commit.write_text(_git("rev-parse", "HEAD"))
    elif has_changed(commit.read_text().strip()):
        raise SystemExit(f"{folder} was trained by other training code; give another --folder")
    for block in blocks:
        try:
            runs = [run for of in block.plan(folder).values() for run in of]
        except MissingDataError as error:
            print(f"{block.name} is left out: {error}")
            continue
        runs.sort(key=lambda run: run.plan.spec.seed)
        print(f"{block.name}: {len(runs)} runs", flush=True)
        with LocalProcesses(jobs) as executor:
            sweep(runs, executor, threads=1, keeps=True, on_change=_tell)


def _tell(outcome: Outcome) -> None:
    if outcome.state not in (RunState.WAITING, RunState.RUNNING, RunState.KEPT):
        said = outcome.detail or f"{outcome.error:.2e} in {outcome.wall_time_s:.1f} s"
        print(f"{outcome.run.path.stem}: {said}", flush=True)


def has_changed(commit: str) -> bool:
    """Whether the training code is not that of a commit."""
    return bool(_git("diff", "--stat", commit, "--", *TRAINING_CODE))


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return done.stdout.strip()


@dataclass(frozen=True)
class Study:
    """What there is of the study, by block and method, and how much of it there should be."""

    found: Mapping[str, Results]
    sizes: Mapping[str, int]
    commit: str
    changed: bool
    paths: Mapping[str, Mapping[Column, Sequence[Path]]] = field(default_factory=dict)

    def runs(self, *names: str) -> dict[Column, list[Any]]:
        """The runs of some blocks together."""
        together: dict[Column, list[Any]] = {}
        for name in names:
            for column, runs in self.found.get(name, {}).items():
                together.setdefault(column, []).extend(runs)
        return together


def read(folder: Path) -> Study:
    """The runs that are there."""
    found: dict[str, Results] = {}
    paths: dict[str, Mapping[Column, Sequence[Path]]] = {}
    sizes = {}
    for block in STUDY:
        try:
            planned = block.plan(folder)
        except MissingDataError:
            planned = {}
        result = ImageResult if block.is_image else EquationResult
        there = {
            column: [run.path for run in runs if run.path.exists()]
            for column, runs in planned.items()
        }
        paths[block.name] = {column: of for column, of in there.items() if of}
        found[block.name] = {
            column: [result.read(path) for path in of] for column, of in paths[block.name].items()
        }
        sizes[block.name] = len(block.columns) * len(block.seeds)
    commit = (folder / "commit").read_text().strip() if (folder / "commit").exists() else ""
    return Study(found, sizes, commit, bool(commit) and has_changed(commit), paths)


def claims_of(problem: str) -> list[Claim]:
    """What the paper claims of a problem, over all its figures."""
    return [
        claim
        for artefact in ARTEFACTS.values()
        if isinstance(artefact, EquationArtefact) and artefact.problem == problem
        for claim in artefact.claims(artefact.iterations)
    ]


# The page

SHORT = {
    JUDGEMENTS["better"]: "holds",
    JUDGEMENTS["worse"]: "contrary",
    JUDGEMENTS["tie"]: "equal",
    JUDGEMENTS["open"]: "open",
}
"""Verdicts in one word."""

PICTURES = {
    f"figure{k}": block
    for block, numbers in (("section 3.1", (2, 3, 4)), ("table 1", (5, 6, 7, 8, 9)))
    for k in numbers
}


def page(study: Study) -> str:
    """The whole page."""
    first, second = study.runs("table 1"), study.runs("table 1, other seeds")
    both = study.runs("table 1", "table 1, other seeds")
    burgers = claims_of(BURGERS)
    judged, again, of_all = (judge(runs, burgers) for runs in (first, second, both))
    step = judge(study.runs("section 3.1"), claims_of(STEP))
    image = judge(study.runs("figure 10"), image_claims(EARLY, FINAL, TEST_ERROR))
    parts = [
        INTRODUCTION,
        "## The claims",
        "\n".join(f"- {line}" for line in summary(judged, again, step, image)),
        f"{READING} *Open*: cannot be decided; *contrary*: the contrary holds.",
        "### Burgers' equation",
        table(
            ("claim", "pairs", "seeds 0–19", "interval", "p", "unpaired", "verdict", "seeds 20–39", "verdict", "all", "verdict"),
            claim_rows(judged, again, of_all),
        ),
        planned_seeds(first, 9),
        "### The discontinuous function",
        "By iteration, ratio and verdict; 2,100 and 8,100 are the records nearest to the journal's 2,000 and 8,000.",
        table(*by_moment(step)),
    ]  # fmt: skip
    if image:
        parts += ["### Semeion, 50 epochs", table(("claim", "pairs", "ratio", "interval", "p", "verdict"), image_rows(image))]  # fmt: skip
    parts += ["## Table 1", *table_1(both), *varied(study)]
    parts += ["## The figures", "Seed 0.", *figures()]
    parts += ["## What it took", took(study), OTHERWISE]
    parts += ["## Not trained here", table(("what", "runs", "command"), missing(study))]
    return "\n\n".join(wrapped(part.strip()) for part in parts if part) + "\n"


def wrapped(text: str) -> str:
    """A paragraph in lines; anything else as it is."""
    is_text = text[:1] not in "|#!-`" and "\n" not in text
    return textwrap.fill(text, 120, break_on_hyphens=False) if is_text else text


INTRODUCTION = """# Reproducing the paper

`laaf reproduce` makes Table 1 and Figures 2 to 11 of [arXiv 1909.12228](https://arxiv.org/abs/1909.12228): it trains
the runs that are missing, draws the picture and judges what the paper claims there. This page is written by
`python docs/reproduction.py` from run files, verdicts included.

```sh
laaf reproduce table1 --fixed-learning-rates 4e-4,1.6e-3,3.2e-3,6.4e-3
laaf reproduce figure2                        # figure3 and figure4: no further training
laaf reproduce figure10 --datasets semeion    # figure11 with augmentation
```
"""

OTHERWISE = """The set-up is that of the text. `--initializer normal-0.1 --data-points 301 --recovery-form sum`, with raw
inputs, is the authors' script of section 3.1; none of Burgers' equation with this method is public. Figures 10 and 11 are 7
and 8 in the journal; `laaf classify --reading code` reads section 4 as the authors' code does. Their seeds give other
numbers in TensorFlow."""


def summary(
    judged: Sequence[Judgement],
    again: Sequence[Judgement],
    step: Sequence[Judgement],
    image: Sequence[Judgement],
) -> Iterator[str]:
    """How many claims hold."""
    named = (
        ("Burgers' equation", judged),
        ("the discontinuous function", step),
        ("Semeion", image),
    )
    for name, some in named:
        if some:
            counts = dict.fromkeys(SHORT.values(), 0)
            for one in some:
                counts[SHORT[one.verdict]] += 1
            yield (
                f"Of {len(some)} claims on {name}, {counts['holds']} hold, {counts['contrary']} are contrary to what is "
                f"found, {counts['open'] + counts['equal']} cannot be decided."
            )
    other = {one.claim.text: one for one in again if one.pairs.n_pairs}
    both = [
        (one.verdict, other[one.claim.text].verdict) for one in judged if one.claim.text in other
    ]
    if both:
        agree = sum(a == b for a, b in both)
        opposed = sum({a, b} == {JUDGEMENTS["better"], JUDGEMENTS["worse"]} for a, b in both)
        yield (
            f"On other seeds {agree} of {len(both)} verdicts on Burgers' equation are the same, and {opposed} are opposite."
        )
    apart = [one for one in judged if one.unpaired == one.unpaired]
    if apart:
        alike = sum((one.pairs.adjusted < 0.05) == (one.unpaired < 0.05) for one in apart)
        yield f"The unpaired test agrees with that of the pairs on {alike} of {len(apart)} claims."


def claim_rows(
    judged: Sequence[Judgement], again: Sequence[Judgement], of_all: Sequence[Judgement]
) -> Iterator[tuple[str, ...]]:
    others = {one.claim.text: one for one in again}
    together = {one.claim.text: one for one in of_all}
    for one in judged:
        beside = [text for some in (others, together) for text in _short(some.get(one.claim.text))]
        yield (
            one.claim.text, str(one.pairs.n_pairs), number_text(one.pairs.ratio, ".3g"),
            interval(one.pairs), number_text(one.pairs.adjusted, ".2g"), number_text(one.unpaired, ".2g"),
            SHORT[one.verdict], *beside,
        )  # fmt: skip


def _short(judgement: Judgement | None) -> tuple[str, str]:
    if judgement is None or not judgement.pairs.n_pairs:
        return "-", "-"
    return number_text(judgement.pairs.ratio, ".3g"), SHORT[judgement.verdict]


def image_rows(judged: Sequence[Judgement]) -> Iterator[tuple[str, ...]]:
    for one in judged:
        pairs = one.pairs
        yield (
            one.claim.text, str(pairs.n_pairs), number_text(pairs.ratio, ".2g"), interval(pairs),
            number_text(pairs.adjusted, ".2g"), SHORT[one.verdict],
        )  # fmt: skip


def by_moment(judged: Sequence[Judgement]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Claims that are made at several iterations in one row."""
    moments: dict[str, None] = {}
    rows: dict[str, dict[str, str]] = {}
    for one in judged:
        words = one.claim.smaller[1].name.split()
        moment = words[words.index("after") + 1] if "after" in words else "end"
        text = one.claim.text.removesuffix(f" after {moment}")
        moments[moment] = None
        cell = f"{number_text(one.pairs.ratio, '.3g')} {SHORT[one.verdict]}"
        rows.setdefault(text, {})[moment] = cell
    n_pairs = max((one.pairs.n_pairs for one in judged), default=0)
    headings = (f"claim, {n_pairs} pairs", *moments)
    return headings, [(text, *(of.get(m, "") for m in moments)) for text, of in rows.items()]


def interval(pair: PairedComparison) -> str:
    """The interval and its coverage in one word."""
    if pair.n_pairs < 2:
        return "-"
    return f"{pair.low:.3g}–{pair.high:.3g}(*{100 * pair.coverage:.0f}%*)"


def table_1(runs: Results) -> Iterator[str]:
    """The errors of every method."""
    yield "Relative L2 error after 2000 iterations; *published*: of single runs."
    rows = []
    for column in SEVEN:
        if column in runs:
            errors = [run.entry.error for run in runs[column]]
            found = spread(errors)
            scales = [run.entry.largest_scale for run in runs[column]]
            rows.append(
                (
                    column.label, error_text(TABLE1.errors.get(column, float("nan"))), str(len(errors)),
                    error_text(found.median), f"{error_text(found.lower)}–{error_text(found.upper)}",
                    f"{error_text(found.best)}–{error_text(max(errors))}", f"{median(scales):.3g}",
                )
            )  # fmt: skip
    headings = ("method", "published", "runs", "median", "quartiles", "range", "n·a up to (median)")
    yield table(headings, rows)


def varied(study: Study) -> Iterator[str]:
    """What other settings do to a method, against the same seeds in the paper's setting."""
    base = study.runs("table 1")
    named: list[tuple[str, Sequence[Any], Sequence[Any]]] = []
    for block in STUDY:
        is_variation = block.problem == BURGERS and block.seeds == FIRST and block.name != "table 1"
        if is_variation and not block.settings:
            for column, runs in study.runs(block.name).items():
                plain = replace(column, n=None, form=None, learning_rate=None)
                label = ", ".join(filter(None, (column.label, block.words)))
                named.append((label, runs, base.get(plain, ())))
    pairs = holm(
        [
            compare_pairs(*({run.seed: run.entry.error for run in side} for side in (runs, plain)))
            for _label, runs, plain in named
        ]
    )
    verdicts = {"better": "better", "worse": "worse", "tie": "equal", "open": "open"}
    rows = [
        (
            label, str(pair.n_pairs), error_text(spread([run.entry.error for run in runs]).median),
            number_text(pair.ratio, ".3g"), interval(pair), number_text(pair.adjusted, ".2g"),
            verdicts[pair.verdict],
        )
        for (label, runs, _plain), pair in zip(named, pairs, strict=True)
    ]  # fmt: skip
    if rows:
        yield (
            "Other settings against the paper's (n = 10, weight 1, mean, 8e-4) with the same method and seeds; p after Holm "
            "for all of them. The sum form is weight 1/6 of the mean."
        )
        yield table(("setting", "pairs", "median", "ratio", "interval", "p", "verdict"), rows)


def figures() -> Iterator[str]:
    """The pictures that are there, in the order of the paper."""
    for name in (*PICTURES, "figure10", "figure11"):
        if picture(name).exists():
            title = ARTEFACTS[name].title
            yield f"![{title}](images/{picture(name).name})"


def picture(name: str) -> Path:
    return IMAGES / f"reproduction-{name}.png"


def draw(study: Study) -> None:
    """Draws the pictures of what is there; those of nothing go."""
    for name, block in PICTURES.items():
        artefact = ARTEFACTS[name]
        shown = [
            (column, paths[column][0])
            for paths in [study.paths[block]]
            for column in artefact.columns
            if column in paths
        ]
        if shown:
            artefact.draw(artefact.title, shown, picture(name))
        else:
            picture(name).unlink(missing_ok=True)
    for name in ("figure10", "figure11"):
        runs = study.runs(name.replace("figure", "figure "))
        shown = {c: of for c, of in runs.items() if c.recovery or c == FIXED}
        if not (
            shown and draw_training_loss(ARTEFACTS[name].title, {"semeion": shown}, picture(name))
        ):
            picture(name).unlink(missing_ok=True)


def took(study: Study) -> str:
    """What the training took, on what, by which code."""
    lines = []
    made: dict[str, None] = {}
    for block in STUDY:
        runs = [run for of in study.found[block.name].values() for run in of]
        if not runs:
            continue
        seconds = [(run if block.is_image else run.entry).wall_time_s for run in runs]
        lines.append((block.name, f"{len(runs)}/{study.sizes[block.name]}", f"{median(seconds):.0f}", f"{sum(seconds) / 3600:.2f}"))  # fmt: skip
        for run in runs:
            if not block.is_image:
                facts = run.facts
                made[
                    f"{facts['engine']}, {facts['device']}, {facts['dtype']}, {facts['threads']} thread, laaf "
                    f"{facts['laaf_version']}, PyTorch {facts['torch_version']}"
                ] = None
    text = table(("block", "runs", "seconds a run", "hours"), lines)
    code = f"All of commit {study.commit[:12]}" if study.commit else "Of a commit that is not known"
    today = "; the training code has changed since" if study.changed else ""
    return f"{text}\n\n{code}{today}. Engine: {'; '.join(made)}. The machine had other work to do besides, and its seconds say little of costs."


def missing(study: Study) -> Iterator[tuple[str, ...]]:
    for block in STUDY:
        n_found = sum(map(len, study.found[block.name].values()))
        if n_found < study.sizes[block.name]:
            command = f'`python docs/reproduction.py --only "{block.name}"`'
            yield block.name, str(study.sizes[block.name] - n_found), command
    for what, command in NOT_IN_THE_STUDY:
        yield what, "", f"`{command}`"


def table(
    headings: Sequence[str], rows: Sequence[tuple[str, ...]] | Iterator[tuple[str, ...]]
) -> str:
    """A table in Markdown, close set."""
    lines = [tuple(headings), ("---",) * len(headings), *rows]
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time")
    parser.add_argument("--only", metavar="NAME", help="train one block and write no page")
    parser.add_argument("--page", action="store_true", help="train nothing")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help="of the runs")
    asked = parser.parse_args(arguments)
    blocks = [block for block in STUDY if asked.only in (None, block.name)]
    if not blocks:
        names = ", ".join(block.name for block in STUDY)
        raise SystemExit(f"there is no block '{asked.only}' in the study: {names}")
    if not (asked.page or asked.check):
        train(blocks, asked.folder, asked.jobs)
    if asked.only:
        return
    study = read(asked.folder)
    if not any(study.found.values()):
        raise SystemExit(f"there is no run of the study in {asked.folder}")
    if asked.check:
        if page(study) != PAGE.read_text(encoding="utf-8"):
            raise SystemExit(f"{PAGE} is not what the runs in {asked.folder} say")
        return
    draw(study)
    with replacing(PAGE) as aside:
        aside.write_text(page(study), encoding="utf-8")


if __name__ == "__main__":
    main()
