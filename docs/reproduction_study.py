"""The study of the paper: its runs in blocks, their training, and what is there of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from laaf_cli.images.errors import MissingDataError
from laaf_cli.images.plan import make_image_plan
from laaf_cli.paper import ARTEFACTS, Column
from laaf_cli.paper.claims import Claim
from laaf_cli.paper.columns import (
    FIXED,
    FOUR,
    GAAF,
    LLAAF,
    LLAAF_RECOVERY,
    NLAAF,
    NLAAF_RECOVERY,
    SEVEN,
)
from laaf_cli.paper.equation_artefact import EquationArtefact
from laaf_cli.paper.images.results import ImageResult
from laaf_cli.paper.results import EquationResult
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


OTHER_RATES = ("4e-4", "1.6e-3", "3.2e-3", "6.4e-3")
RATES = [replace(FIXED, learning_rate=rate) for rate in OTHER_RATES]

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
        name="learning rates of adaptive slopes", problem=BURGERS,
        columns=[replace(column, learning_rate=rate) for column in ADAPTIVE for rate in OTHER_RATES],
    ),
    Block(
        name="20000 iterations", problem=BURGERS, columns=SEVEN,
        settings=("training.0.iterations=20000",),
    ),
)  # fmt: skip
"""In the order of what they are worth."""

NOT_IN_THE_STUDY = (
    ("every method at its best learning rate, 20000 iterations", "laaf sweep paper/burgers --slopes fixed,gaaf,llaaf,nlaaf --slope-recovery on,off --learning-rate 4e-4,8e-4,1.6e-3,3.2e-3,6.4e-3 --iterations 20000 --seeds 20"),
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
