"""The runs of a sweep: the product of its axes, each run with a file of its own."""

from __future__ import annotations

import itertools
import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.plan import Plan, make_plan
from laaf_cli.reference import Reference
from laaf_cli.resumption import UNFINISHED
from laaf_cli.runfile import RunFile
from laaf_cli.spec import Override, RunSpec, Text

MAX_RUNS = 10_000

MAX_LABEL = 60
"""The most characters that a setting adds to a file name."""


@dataclass(frozen=True)
class Alternative:
    """One value on an axis of the sweep: what it changes in the spec, and what file names say of it, if anything."""

    overrides: tuple[Override, ...] = ()
    label: str = ""

    @classmethod
    def of(cls, override: Override) -> Alternative:
        """A setting whose file name says so: `learning_rate=1e-3`.

        What a file name cannot hold is replaced, and a checksum of the whole keeps two such values apart.
        """
        text = override.text.strip()
        words = override.path[2:] if override.path[:2] == ("training", 0) else override.path
        plain = f"{'.'.join(map(str, words))}={re.sub(r'[^A-Za-z0-9.+-]+', '_', text).strip('_')}"
        exact = plain.endswith(f"={text}") and len(plain) <= MAX_LABEL
        return cls((override,), plain if exact else f"{plain[:MAX_LABEL]}-{zlib.crc32(text.encode()):08x}")


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep and the file that it goes into."""

    plan: Plan
    path: Path

    @property
    def method(self) -> str:
        """The file's name without the seed: one text for all seeds of a method."""
        return self.path.stem.rpartition("-s")[0]

    def is_finished(self) -> bool:
        """Whether the file holds this very run already.

        Raises RunFileError where it holds something else.
        """
        if not self.path.exists():
            return False
        with RunFile(self.path) as run:
            facts = run.attributes
            method = run.group_attributes("reference")["method"] if run.has("reference") else ""
            stored = (facts["problem_hash"], facts["method_hash"], _told(run.spec, method))
            if stored != _identity(self.plan) or facts["seed"] != self.plan.spec.seed:
                raise RunFileError(f"{self.path} is there already and holds a run with other settings")
            return facts["stop_reason"] not in UNFINISHED  # one that diverged would diverge again


def _identity(plan: Plan) -> tuple[str, str, str]:
    """What makes a run, apart from its seed and device; n and slope recovery are nothing to fixed slopes."""
    return *plan.hashes(), _told(plan.spec, plan.reference.method if plan.reference is not None else "")


def _told(spec: RunSpec, method: str) -> str:
    """What is told of the solution, and by what it is measured; method: that of the reference, which names its file."""
    told = spec.model_dump_json(include={"reference", "evaluation"})
    return told + method if spec.reference.kind == "file" else told


def plan_runs(
    text: Text,
    axes: Sequence[Sequence[Alternative]],
    seeds: Sequence[int],
    folder: Path,
    *,
    derivatives: str = "auto",
    max_seconds: float | None = None,
    allow_python: bool = False,
) -> list[PlannedRun]:
    """The runs of the product of all axes with all seeds, seed by seed, each run once.

    Every plan is made here, so that whatever is wrong with one of them is told before the first is trained.

    Raises SpecError for faults of the spec or of an alternative, UsageError for too many runs, and for runs that
    only a length of file names keeps from being told apart.
    """
    n_runs = math.prod(len(axis) for axis in axes) * len(seeds)
    if n_runs > MAX_RUNS:
        raise UsageError(f"this sweep would have {n_runs:,} runs; the limit is {MAX_RUNS:,}")
    references: dict[tuple[str, str], Reference | None] = {}
    methods: dict[tuple[str, str, str], tuple[Plan, str]] = {}
    for choice in itertools.product(*axes):
        overrides = [override for alternative in choice for override in alternative.overrides]
        plan = make_plan(text, overrides, derivatives=derivatives, max_seconds=max_seconds, allow_python=allow_python)
        label = "-".join(alternative.label for alternative in choice if alternative.label)
        # Runs of one problem share its reference, so that it need be solved only once.
        key = (plan.hashes()[0], _identity(plan)[2])
        plan = replace(plan, reference=references.setdefault(key, plan.reference))
        # The first of equal methods stands for all.
        methods.setdefault(_identity(plan), (plan, label))
    runs: dict[Path, PlannedRun] = {}
    for seed in seeds:
        for plan, label in methods.values():
            seeded = plan.seeded(seed)
            run = PlannedRun(seeded, folder / _file_name(seeded, label))
            if run.path in runs:
                raise UsageError(f"two runs of this sweep would go into one file, {run.path}")
            runs[run.path] = run
    return list(runs.values())


def _file_name(plan: Plan, label: str) -> str:
    name = plan.default_output.stem
    stem, _, seed = name.rpartition("-s")
    return f"{stem}-{label}-s{seed}.h5" if label else f"{name}.h5"
