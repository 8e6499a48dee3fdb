"""The runs of a sweep: the product of its axes, each run with a file of its own."""

from __future__ import annotations

import itertools
import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.references import Reference
from laaf_cli.runs.lifecycle import Identity, identity, stored_run
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.planned import AnyPlan
from laaf_cli.runs.resume.past import UNFINISHED
from laaf_cli.spec import Override

MAX_RUNS = 10_000

MAX_LABEL = 60
"""The most characters that a setting adds to a file name."""


@dataclass(frozen=True)
class Alternative:
    """One value on an axis of the sweep: what it changes in the spec, and what file names say of
    it, if anything.
    """

    overrides: tuple[Override, ...] = ()
    label: str = ""

    @classmethod
    def of(cls, override: Override) -> Alternative:
        """A setting whose file name says so: `learning_rate=1e-3`.

        What a file name cannot hold is replaced, and a checksum of the whole keeps two such values
        distinct.
        """
        text = override.text.strip()
        words = override.path[2:] if override.path[:2] == ("training", 0) else override.path
        plain = f"{'.'.join(map(str, words))}={re.sub(r'[^A-Za-z0-9.+-]+', '_', text).strip('_')}"
        exact = plain.endswith(f"={text}") and len(plain) <= MAX_LABEL
        return cls(
            (override,), plain if exact else f"{plain[:MAX_LABEL]}-{zlib.crc32(text.encode()):08x}"
        )


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep and the file that it goes into."""

    plan: AnyPlan
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
        stored = stored_run(self.path)
        if stored.identity != identity(self.plan):
            raise RunFileError(f"{self.path} already exists and holds a run with other settings")
        return stored.stop_reason not in UNFINISHED  # one that diverged would diverge again


MakePlan = Callable[[Sequence[Override]], AnyPlan]
"""Plans a run from what the command line puts into its spec."""


def plan_runs(
    make: MakePlan, axes: Sequence[Sequence[Alternative]], seeds: Sequence[int], folder: Path
) -> list[PlannedRun]:
    """The runs of the product of all axes with all seeds, seed by seed, each run once.

    Every plan is made here, so that whatever is wrong with one of them is reported before the first
    is trained.

    Raises SpecError for faults of the spec or of an alternative, UsageError for too many runs, and
    for runs that file names of limited length do not distinguish.
    """
    n_runs = math.prod(len(axis) for axis in axes) * len(seeds)
    if n_runs > MAX_RUNS:
        raise UsageError(f"this sweep would have {n_runs:,} runs; the limit is {MAX_RUNS:,}")
    references: dict[tuple[str, str, str], Reference | None] = {}
    methods: dict[Identity, tuple[AnyPlan, str]] = {}
    for choice in itertools.product(*axes):
        plan = make([override for alternative in choice for override in alternative.overrides])
        label = "-".join(alternative.label for alternative in choice if alternative.label)
        method = replace(identity(plan), seed=0)
        if isinstance(plan, Plan):
            # Runs of one problem share its reference, so that it need be solved only once.
            method_text = plan.reference.method if plan.reference else ""
            key = method.problem_hash, plan.spec.reference.model_dump_json(), method_text
            plan = replace(plan, reference=references.setdefault(key, plan.reference))
        # The first of equal methods represents all.
        methods.setdefault(method, (plan, label))
    runs: dict[Path, PlannedRun] = {}
    for seed in seeds:
        for plan, label in methods.values():
            seeded = plan.seeded(seed)
            stem, _, words = seeded.default_output.stem.rpartition("-s")
            name = f"{stem}{f'-{label}' * bool(label)}-s{words}.h5"
            run = PlannedRun(seeded, folder / name)
            if run.path in runs:
                raise UsageError(f"two runs of this sweep would go into one file, {run.path}")
            runs[run.path] = run
    return list(runs.values())


@dataclass(frozen=True)
class Part:
    """One of several parts of a sweep, from 1, that need nothing of one another: every so many-th
    run.
    """

    number: int
    n_parts: int

    @classmethod
    def of(cls, text: str) -> Part:
        """`3/20`.

        Raises:
            UsageError: for anything else.
        """
        number, _, n_parts = text.partition("/")
        if number.isdecimal() and n_parts.isdecimal() and 1 <= int(number) <= int(n_parts):
            return cls(int(number), int(n_parts))
        raise UsageError(f"`part` takes a part of a sweep, such as 3/20, not '{text}'")

    def among(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """The runs of this part.

        Raises:
            UsageError: it has none.
        """
        chosen = list(runs[self.number - 1 :: self.n_parts])
        if not chosen:
            raise UsageError(
                f"part {self.number} of {self.n_parts} has no run: the sweep has {len(runs)} in all"
            )
        return chosen
