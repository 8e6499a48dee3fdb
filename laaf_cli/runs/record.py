"""What solving an equation leaves behind: the record that is written and the summary that is
printed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
import torch
from pydantic import computed_field

from laaf_cli.arrays import Array
from laaf_cli.metrics import absolute_errors, is_zero, max_error, relative_l2
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import NORMAL, OBSERVED
from laaf_cli.references import ReferenceValues
from laaf_cli.runfile import (
    Checkpoint,
    ErrorAtTimes,
    GridFields,
    History,
    NetworkParameters,
    PhaseSummary,
    RunRecord,
)
from laaf_cli.runfile.diagnostics import doubts
from laaf_cli.runfile.learned_constants import EstimatedConstant, found_constants
from laaf_cli.runs.finished import FinishedRun, RunResult, shared_attributes, shared_facts
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.provenance import spec_source
from laaf_cli.runs.solution import NetworkSolution
from laaf_cli.training import TrainingResult, TrainingState


@dataclass(frozen=True)
class SlopeRange:
    """The slopes of a hidden layer at the end, as n·a."""

    mean: float
    """Their mean."""
    min: float
    """The minimum."""
    max: float
    """The maximum."""


@dataclass(frozen=True, kw_only=True)
class SolveResult(RunResult):
    """What is reported at the end of a run; errors are None without a reference."""

    task: ClassVar[str] = "equation"

    phases: list[PhaseSummary]
    """The phases that were begun."""
    total: float
    """The whole loss at the end, weights and slope recovery included."""
    terms: dict[str, float]
    """The terms of the loss at the end, without their weights; `slope_recovery` is S(a)."""
    weights: dict[str, float]
    """What multiplies each term of the loss at the end."""
    validation: dict[str, float]
    """Equations and conditions at held-out points after the training, without weights."""
    constants: dict[str, EstimatedConstant]
    """The learned constants, by name."""
    slopes: list[SlopeRange]
    """The slopes of each hidden layer at the end."""
    slopes_absorbed_at: int
    """The iteration before which slopes became part of the weights, for a quasi-Newton phase; −1
    where not.
    """
    relative_l2: dict[str, float] | None
    """The relative L2 error on the evaluation grid, by unknown."""
    max_error: dict[str, float] | None
    """The largest absolute error on the evaluation grid, by unknown."""
    times: list[float]
    """The times at which the error is reported separately."""
    at_times: dict[str, list[float]] | None
    """The relative L2 error over space at each of these times, by unknown; None without space."""
    absolute: list[str]
    """A sentence for each error that is absolute, since the reference is zero."""
    estimate: float | None
    """Of the relative error; None where it is unknown."""
    estimated_by: str
    """What it is taken from: `residuals` at held-out points, or what `a second solution` with other
    neurons differs by.
    """
    reference: str
    """How the reference was computed, or `none`."""
    reference_error: float | None
    """The reference's own estimate of its largest absolute error."""
    reference_errors: dict[str, float] | None
    """The same by unknown, each in its own unit."""
    reference_time_s: float | None
    """Seconds that the reference took."""
    no_reference: str
    """Why there is no reference where none was found, else empty."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seconds_per_1000(self) -> float:
        """Seconds of training per 1000 iterations, not finite where there was none."""
        return 1000 * self.wall_time_s / self.iterations if self.iterations else math.nan

    @property
    def error(self) -> float:
        """The largest relative L2 error among the unknowns, NaN without a reference."""
        return max(self.relative_l2.values()) if self.relative_l2 else math.nan

    @property
    def error_or_estimate(self) -> float:
        known = self.error if self.relative_l2 else self.estimate
        return math.inf if known is None or math.isnan(known) else known

    @property
    def estimated_from(self) -> str:
        return "" if self.relative_l2 else self.estimated_by

    @property
    def why_unknown(self) -> str:
        return (
            self.no_reference or "the spec names no reference" if self.relative_l2 is None else ""
        )


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A time at which the solution is kept separately: points [n, d] over space, the axes of the
    grid that they are on, and the reference there, if any.
    """

    time: float
    axes: tuple[Array, ...]
    points: Array
    reference: Mapping[str, Array] | None


def finish(
    plan: Plan,
    network: Mlp,
    result: TrainingResult,
    grid: Array,
    reference: ReferenceValues | None,
    slices: list[Slice],
) -> FinishedRun[SolveResult]:
    """Puts together what a training leaves behind.

    Args:
        grid: the points of the evaluation grid in the domain [n, d], the last coordinate fastest.
        reference: the values there.
        slices: the separate times.
    """
    problem = plan.problem
    axes = dict(zip(problem.domain.coordinates, problem.grid, strict=True))
    trained = NetworkSolution.of(network, plan.make_engine, problem.ansatz)
    solution = trained.unknowns(problem.unknowns, grid)
    errors = (
        {name: solution[name] - reference.fields[name] for name in solution} if reference else None
    )
    l2 = (
        {name: relative_l2(solution[name], reference.fields[name]) for name in solution}
        if reference
        else None
    )
    largest = (
        {name: max_error(solution[name], reference.fields[name]) for name in solution}
        if reference
        else None
    )
    at_slices = [trained.unknowns(problem.unknowns, slice_.points) for slice_ in slices]
    at_times = _error_at_times(slices, at_slices) if problem.domain.dimension > 1 else None

    def on_grid(fields: Mapping[str, Array], **attributes: str | float) -> GridFields:
        return GridFields(
            axes,
            {name: problem.laid_out(value, problem.grid) for name, value in fields.items()},
            attributes,
        )

    method = plan.reference.method if plan.reference else "none"
    history = _history(result)
    summary = _summary(
        plan, network, result, history, l2, largest, at_times, slices, reference, method
    )
    record = RunRecord(
        attributes=shared_attributes(plan, summary, result)
        | {
            "derivatives": plan.engine_name,
            "engine": "; ".join([plan.engine_use, *result.captures]),
            "slopes_absorbed_at": summary.slopes_absorbed_at,
            "relative_l2": summary.error,
            "max_error": max(summary.max_error.values()) if summary.max_error else math.nan,
            "no_reference": summary.no_reference,
            "goal": plan.goal,
            "estimate": math.nan if summary.estimate is None else summary.estimate,
            "estimated_by": summary.estimated_by,
        },
        spec=spec_source(plan.text, plan.overrides),
        settings=json.dumps(plan.settings(), indent=2, allow_nan=False),
        functions=next((function.source for function in problem.functions.values()), None),
        solution=on_grid(solution),
        reference=on_grid(
            reference.fields,
            method=method,
            error_estimate=reference.error_estimate,
            wall_time_s=reference.wall_time_s,
            **{f"error_estimate_{name}": e for name, e in reference.error_estimates.items()},
        )
        if reference
        else None,
        error=on_grid(
            errors,
            **{f"relative_l2_{name}": value for name, value in l2.items()},
            **{f"max_error_{name}": value for name, value in largest.items()},
        )
        if errors and l2 and largest
        else None,
        slices=_on_slices(plan, slices, at_slices),
        error_at_times=at_times,
        history=history,
        phases=summary.phases,
        events=summary.events,
        network=_parameters(plan, network),
        validation=result.validation,
        intervals=_intervals(result),
        checkpoint=_checkpoint(plan, result.state),
    )
    return FinishedRun(record, summary)


def _checkpoint(plan: Plan, state: TrainingState) -> Checkpoint:
    adaptive = state.adaptive

    def columns(prefix: str) -> dict[str, dict[str, Array]]:
        """The symbols of this prefix, by term."""
        by_term = {
            term: {
                name.removeprefix(prefix): v
                for name, v in point_set.symbols.items()
                if name.startswith(prefix)
            }
            for term, point_set in adaptive.points.items()
        }
        return {term: values for term, values in by_term.items() if values}

    return Checkpoint(
        points={name: point_set.points for name, point_set in adaptive.points.items()},
        observed=columns(OBSERVED),
        normals=columns(NORMAL),
        held_weights={
            name: value.detach().cpu().numpy()
            for name, value in (adaptive.held_weights or {}).items()
        },
        factors=adaptive.factors,
        constants=state.constants,
        optimizer=state.optimizer,
        attributes={
            "iteration": state.iteration,
            "phase": state.phase,
            "optimizer": plan.phases[state.phase].optimizer,
            "done": state.done,
            "adapted": state.adapted,
            "n_interior": -1 if adaptive.n_interior is None else adaptive.n_interior,
            "holds_weights": int(adaptive.held_weights is not None),
            "n_retries": state.n_retries,
            "retries": state.retries,
            "rate_factor": state.rate_factor,
            "phase_start_s": state.phase_start_s,
            "recorded_s": state.recorded_s,
            "monitored_s": state.monitored_s,
        },
    )


def _on_slices(
    plan: Plan, slices: list[Slice], solutions: list[dict[str, Array]]
) -> GridFields | None:
    """Solution and reference at the single times, on the axes of the grid with these times for
    time.
    """
    axis = plan.problem.domain.time_axis
    if axis is None or not slices:
        return None
    axes = dict(zip(plan.problem.domain.coordinates, plan.problem.grid, strict=True))

    def joined(parts: list[Array]) -> Array:
        return np.concatenate(
            [
                plan.problem.laid_out(part, slice_.axes)
                for slice_, part in zip(slices, parts, strict=True)
            ],
            axis=axis,
        )

    fields = {
        name: joined([values[name] for values in solutions]) for name in plan.problem.unknowns
    }
    for name in plan.problem.unknowns:
        references = [slice_.reference[name] for slice_ in slices if slice_.reference is not None]
        if references:
            fields[f"{name}_reference"] = joined(references)
    return GridFields(axes | {"t": np.array([slice_.time for slice_ in slices])}, fields)


def _error_at_times(slices: list[Slice], solutions: list[dict[str, Array]]) -> ErrorAtTimes | None:
    errors: dict[str, list[float]] = {}
    for slice_, values in zip(slices, solutions, strict=True):
        for name, reference in (slice_.reference or {}).items():
            errors.setdefault(name, []).append(relative_l2(values[name], reference))
    if not errors:
        return None
    times = np.array([slice_.time for slice_ in slices])
    return ErrorAtTimes(times, {name: np.array(values) for name, values in errors.items()})


def _summary(
    plan: Plan,
    network: Mlp,
    result: TrainingResult,
    history: History,
    l2: dict[str, float] | None,
    largest: dict[str, float] | None,
    at_times: ErrorAtTimes | None,
    slices: list[Slice],
    reference: ReferenceValues | None,
    method: str,
) -> SolveResult:
    final = result.final
    return SolveResult(
        **shared_facts(
            plan,
            network.count(),
            result,
            stop_detail=result.detail,
            iterations=result.iterations,
            wall_time_s=result.wall_time_s,
        ),
        phases=[
            PhaseSummary(
                optimizer=phase.optimizer,
                iterations=phase.iterations,
                end=phase.end.value,
                detail=phase.detail,
            )
            for phase in result.phases
        ],
        total=final.total,
        terms=final.terms,
        weights=final.weights,
        validation=result.validation,
        constants=found_constants(
            plan.spec, history.columns["iteration"], history.constants, _intervals(result)
        ),
        slopes=[SlopeRange(float(s.mean()), float(s.min()), float(s.max())) for s in final.scales],
        slopes_absorbed_at=result.slopes_absorbed_at,
        relative_l2=l2,
        max_error=largest,
        times=list(plan.problem.times) if at_times else [],
        at_times={name: values.tolist() for name, values in at_times.relative_l2.items()}
        if at_times
        else None,
        absolute=absolute_errors(
            reference.fields if reference else {},
            [(slice_.time, slice_.reference or {}) for slice_ in slices if at_times],
        ),
        reference=method,
        reference_error=reference.error_estimate if reference else None,
        reference_errors=dict(reference.error_estimates) if reference else None,
        estimate=None if math.isnan(result.estimate) else result.estimate,
        estimated_by=result.estimated_by,
        reference_time_s=reference.wall_time_s if reference else None,
        no_reference=plan.no_reference,
        warnings=doubts(
            plan.spec,
            history.terms,
            result.validation,
            {
                name: error
                for name, error in (l2 or {}).items()
                if reference and not is_zero(reference.fields[name])
            },
        ),
    )


def _intervals(result: TrainingResult) -> dict[str, str | float]:
    return {
        f"{part}_{name}": value
        for name, interval in result.intervals.items()
        for part, value in asdict(interval).items()
    }


def _history(result: TrainingResult) -> History:
    records = result.records
    return History(
        columns={
            "iteration": np.array([r.iteration for r in records]),
            "phase": np.array([r.phase for r in records]),
            "wall_time_s": np.array([r.wall_time_s for r in records]),
            "learning_rate": np.array([r.learning_rate for r in records]),
            "total": np.array([r.total for r in records]),
            "relative_l2": np.array([r.relative_l2 for r in records]),
        },
        terms={name: np.array([r.terms[name] for r in records]) for name in records[0].terms},
        weights={name: np.array([r.weights[name] for r in records]) for name in records[0].terms},
        slopes=tuple(map(_stacked, zip(*(r.scales for r in records), strict=True))),
        constants={
            name: np.array([r.constants[name] for r in records]) for name in records[0].constants
        },
    )


def _stacked(layer: Sequence[Array]) -> Array:
    """The slopes of the neurons that a layer has at the end [n_records, n_slopes], NaN before there
    was one.
    """
    rows = np.full((len(layer), len(layer[-1])), math.nan)
    for row, values in zip(rows, layer, strict=True):
        row[: len(values)] = values[: len(row)]
    return rows


def _parameters(plan: Plan, network: Mlp) -> NetworkParameters:
    def arrays(parameters: torch.nn.ParameterList) -> tuple[np.ndarray, ...]:
        return tuple(parameter.detach().cpu().numpy() for parameter in parameters)

    slopes = arrays(network.slopes.values)
    if plan.spec.slopes.row.is_shared:
        slopes = slopes * network.n_hidden
    return NetworkParameters(
        weights=arrays(network.weights),
        biases=arrays(network.biases),
        slopes=slopes,
        attributes={
            "activation": plan.spec.network.activation,
            "kind": plan.spec.slopes.kind,
            "n": plan.spec.slopes.n,
            "inputs": plan.spec.network.inputs,
            "slopes_absorbed": int(network.slopes.absorbed),
        },
        past=tuple(_parameters(plan, window) for window in network.networks[:-1]),
        ends=tuple(network.ends),
    )
