"""What `--json` prints, by command, as records."""

from __future__ import annotations

from dataclasses import dataclass

from laaf_cli.json_record import JsonRecord
from laaf_cli.network.slope_kinds import parameter_ratio
from laaf_cli.report.comparison_record import ComparisonRecord
from laaf_cli.runs.inspection import Inspection, TermReport
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.task import TASKS, loaded
from laaf_cli.spec import RunSpec


@dataclass(frozen=True, kw_only=True)
class CheckRecord(JsonRecord):
    """What `laaf check` reports."""

    problem: str
    """The name of the spec's file without its ending."""
    warnings: list[str]
    """What the problem seems to lack, and why it has no reference."""
    settings: RunSpec
    """The spec with the command line put in and every default written out."""
    derivatives: str
    """The engine of the derivatives that was asked for: `auto`, `fused`, `taylor` or `nested`."""
    engine: str
    """The engine that computes them, and why it is not the kernel where it is not."""
    left: dict[str, str] | None
    """With `transform: auto`, why conditions are left to training, by name; null where the
    transform is not derived.
    """
    terms: tuple[TermReport, ...]
    """The terms of the loss, and conditions that the form of the solution meets."""
    n_parameters: int
    """The number of weights and biases."""
    n_slopes: int
    """The number of trainable slopes."""
    parameter_ratio: float
    """P of section 2.2: parameters with slopes over those without, output biases not counted."""
    recovery: float | None
    """S(a) at step 0; null where it is not part of the loss."""
    start_loss: float
    """The whole loss at step 0, slope recovery included."""
    constant_bound: float
    """The minimum loss of a constant network, with its slope recovery term; null where it is not
    finite.
    """
    theorem_holds: bool | None
    """Whether the first is below the second, as Theorem 2.1 of arXiv 1909.12228 asks; null where
    it cannot be decided, or the method is not L-LAAF or N-LAAF with slope recovery.
    """

    @classmethod
    def of(cls, plan: Plan, inspection: Inspection) -> CheckRecord:
        """The record of a plan that was checked."""
        return cls(
            problem=plan.name,
            warnings=[*plan.warnings, *inspection.not_finite],
            settings=plan.spec,
            derivatives=plan.engine_name,
            engine=plan.engine_use,
            left=None if plan.problem.left is None else dict(plan.problem.left),
            terms=inspection.terms,
            n_parameters=inspection.n_parameters,
            n_slopes=inspection.n_slopes,
            parameter_ratio=parameter_ratio(
                inspection.n_parameters, inspection.n_slopes, len(plan.spec.unknowns)
            ),
            recovery=inspection.recovery,
            start_loss=inspection.start_loss,
            constant_bound=inspection.constant_bound,
            theorem_holds=inspection.theorem_holds,
        )


@dataclass(frozen=True, kw_only=True)
class ReferenceRecord(JsonRecord):
    """What `laaf reference` reports."""

    problem: str
    """The name of the spec's file without its ending."""
    method: str
    """How the reference was computed and how its error is estimated."""
    error_estimate: float
    """The estimate of its largest absolute error."""
    error_estimates: dict[str, float]
    """The same by unknown, each in its own unit."""
    wall_time_s: float
    """Seconds that computing it took."""
    path: str | None
    """The file that was written; null where none was."""


def records() -> dict[str, tuple[type[JsonRecord], ...]]:
    """The record that each command prints, or those of which it prints one; `docs/generate.py`
    writes a schema for each.
    """
    results = {row.command.strip("`()"): (loaded(row.result),) for row in TASKS.values()}
    return results | {
        "check": (CheckRecord,),
        "compare": (ComparisonRecord,),
        "reference": (ReferenceRecord,),
        "resume": tuple(loaded(row.result) for row in TASKS.values()),
        "show": tuple(loaded(row.report) for row in TASKS.values()),
        "sweep": (ComparisonRecord,),
    }
