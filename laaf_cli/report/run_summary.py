"""What comparing needs of a run: a few numbers of its file, no field and no history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from laaf_cli.report.learned_constants import FoundConstant, found_constants
from laaf_cli.report.losses import SLOPE_RECOVERY, loss_without_recovery
from laaf_cli.runfile import RunFile
from laaf_cli.spec import RunSpec, printable

SUCCESSES = ("completed", "max-seconds")
"""Stop reasons of runs that trained as they were told to; any other is a failure."""


@dataclass(frozen=True)
class RunSummary:
    """One run in a comparison.

    relative_l2: NaN without a reference. loss: the whole loss without slope recovery. recovery: S(a), NaN where
    it is not part of the loss. largest_scale: the greatest n·a. problem_hash, method_hash: equal for runs of
    equal problems and methods. settings: the resolved settings. constants: learned ones.
    """

    path: Path
    problem: str
    problem_hash: str
    method_hash: str
    spec: RunSpec
    settings: dict[str, Any]
    seed: int
    stop_reason: str
    stop_detail: str
    relative_l2: float
    loss: float
    recovery: float
    largest_scale: float
    constants: Mapping[str, FoundConstant]
    iterations: int
    wall_time_s: float
    n_parameters: int
    n_slopes: int
    n_points: int
    dtype: str
    device: str
    reference: str
    laaf_version: str

    @classmethod
    def read(cls, path: Path) -> RunSummary:
        """The summary of a run file; raises RunFileError where it cannot be read."""
        with RunFile(path) as run:
            facts, spec, terms = run.attributes, run.spec, run.final_terms()
            slopes, constants = run.slopes(), run.constants()
            del terms["total"]
            reference = run.group_attributes("reference")["method"] if run.has("reference") else "none"
            return cls(
                path=path,
                problem=printable(facts["problem"]),
                problem_hash=facts["problem_hash"],
                method_hash=facts["method_hash"],
                spec=spec,
                settings=run.settings,
                seed=facts["seed"],
                stop_reason=facts["stop_reason"],
                stop_detail=printable(facts["stop_detail"]),
                relative_l2=facts["relative_l2"],
                loss=loss_without_recovery(spec, terms),
                recovery=terms.get(SLOPE_RECOVERY, math.nan),
                largest_scale=max((float(spec.slopes.n * a.max()) for a in slopes), default=1.0),
                constants=found_constants(spec, run.iterations(), constants) if constants else {},
                iterations=facts["iterations"],
                wall_time_s=facts["wall_time_s"],
                n_parameters=facts["n_parameters"],
                n_slopes=facts["n_slopes"],
                n_points=sum(run.n_points().values()),
                dtype=facts["dtype"],
                device=printable(facts["device"]),
                reference=printable(reference.split(";")[0]) + _grid(spec),
                laaf_version=printable(facts["laaf_version"]),
            )

    @property
    def failed(self) -> bool:
        """Whether the training diverged or was interrupted."""
        return self.stop_reason not in SUCCESSES

    @property
    def error(self) -> float:
        """The relative L2 error as it counts in a comparison: infinite where the run failed."""
        return math.inf if self.failed else self.relative_l2


def _grid(spec: RunSpec) -> str:
    return " on " + "×".join(f"{size}" for size in spec.evaluation.grid.values()) if spec.evaluation.grid else ""
