"""What comparing needs of a run: a few numbers of its file and no history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from laaf_cli.metrics import Measure, absolute_errors
from laaf_cli.runfile import AnyRunFile, RunFile, task_of
from laaf_cli.runfile.learned_constants import EstimatedConstant, found_constants
from laaf_cli.runfile.losses import SLOPE_RECOVERY, loss_without_recovery
from laaf_cli.runs.task import TASKS, loaded
from laaf_cli.spec import AnySpec
from laaf_cli.text import printable

SUCCESSES = ("completed", "max-seconds")
"""Stop reasons of runs that trained as they were asked to; any other is a failure."""

RUNNING = "running"
"""That of a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class ComparisonEntry:
    """One run in a comparison."""

    path: Path
    problem: str
    problem_hash: str
    """Equal for runs of equal problems."""
    method_hash: str
    """Equal for runs of equal methods."""
    spec: AnySpec
    settings: dict[str, Any]
    """The resolved settings."""
    seed: int
    stop_reason: str
    stop_detail: str
    measure: Measure
    """What the error of the run is."""
    final_error: float
    """The error at the end, NaN without a reference."""
    measured: str
    """What the error is measured with, equal for runs that share a group."""
    loss: float
    """The loss without slope recovery."""
    recovery: float
    """S(a), NaN where it is not part of the loss."""
    largest_scale: float
    """The largest n·a."""
    constants: Mapping[str, EstimatedConstant]
    """The learned constants."""
    iterations: int
    wall_time_s: float
    n_parameters: int
    n_slopes: int
    n_points: int
    """The number of points that are trained on."""
    dtype: str
    device: str
    reference: str
    laaf_version: str
    absolute: tuple[str, ...] = ()
    """Sentences on errors that are absolute."""
    is_watched: bool = False
    """Whether the error so far counts where the training is running."""

    @property
    def is_running(self) -> bool:
        """Whether it is the checkpoint of a training that is watched."""
        return self.is_watched and self.stop_reason == RUNNING

    @classmethod
    def read(cls, path: Path, *, must_be_sealed: bool = False) -> ComparisonEntry:
        """The summary of a run file of any task.

        Raises:
            RunFileError: it cannot be read.
        """
        task = task_of(path, must_be_sealed=must_be_sealed)
        entry: ComparisonEntry = loaded(TASKS[task].summary)(path)
        return entry

    @property
    def failed(self) -> bool:
        """Whether the training diverged, was interrupted, or left a checkpoint alone."""
        return self.stop_reason not in SUCCESSES and not self.is_running

    @property
    def error(self) -> float:
        """The error as it counts in a comparison: infinite where the run failed."""
        return math.inf if self.failed else self.final_error


def of_equation(path: Path) -> ComparisonEntry:
    """That of a run of an equation."""
    with RunFile(path) as run:
        facts, spec, terms = run.attributes, run.spec, run.final_terms()
        slopes, constants = run.slopes(), run.constants()
        del terms["total"]
        reference = run.grid("reference")
        method = str(reference.attributes["method"]) if reference is not None else "none"
        grid = "×".join(map(str, spec.evaluation.grid.values()))
        return ComparisonEntry(
            **shared(run),
            spec=spec,
            settings=run.settings,
            final_error=facts["relative_l2"],
            measured=spec.model_dump_json(include={"reference", "evaluation"}),
            loss=loss_without_recovery(spec, terms),
            recovery=terms.get(SLOPE_RECOVERY, math.nan),
            largest_scale=max((float(spec.slopes.n * a.max()) for a in slopes), default=1.0),
            constants=found_constants(spec, run.iterations(), constants, run.intervals())
            if constants
            else {},
            n_points=sum(run.n_points().values()),
            reference=printable(method.split(";")[0]) + (f" on {grid}" if grid else ""),
            absolute=tuple(absolute_errors(reference.fields)) if reference is not None else (),
        )


def shared(run: AnyRunFile) -> dict[str, Any]:
    """What the files of all tasks hold in one place."""
    facts = run.attributes
    same = (
        "problem_hash",
        "method_hash",
        "seed",
        "stop_reason",
        "iterations",
        "wall_time_s",
        "n_parameters",
    )
    texts = ("problem", "stop_detail", "device", "laaf_version")
    return {
        "path": run.path,
        "measure": TASKS[run.task].measure,
        **{name: facts[name] for name in (*same, "n_slopes", "dtype")},
        **{name: printable(facts[name]) for name in texts},
    }
