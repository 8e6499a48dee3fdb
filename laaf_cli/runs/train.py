"""Plan → trained network → finished run: the only place where training and run file meet."""

from __future__ import annotations

import ctypes
import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from laaf_cli import processes
from laaf_cli.arrays import Array
from laaf_cli.errors import SpecError, within_memory
from laaf_cli.metrics import max_error, relative_l2
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import Problem, on_jumps, where_fluxes_jump, without_two_values
from laaf_cli.references import Reference, ReferenceRefusedError, ReferenceValues, Watch
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.progress import Callback, Progress
from laaf_cli.runs.record import Slice, SolveResult, finish
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.runs.solution import NetworkSolution
from laaf_cli.training import (
    Checkpoints,
    Clock,
    Event,
    IterationRecord,
    Objective,
    StopReason,
    Trainer,
    TrainingResult,
    intervals,
    relative_residual,
    second_solution,
    validate,
)

N_ESTIMATED = 2000
"""Points at which the error is estimated where it is not known."""

UNSOLVED = 1e-2
"""The relative residual from which on two solutions may be wrong alike."""

SECOND_SOLUTION = "a second solution"

UNSURE = 2.0
"""The multiple of a reference's own error, which is an estimate, up to which it hides others."""

HIDDEN = "the reference's own error is larger than what it finds"


def execute(
    plan: Plan,
    *,
    past: PastRun | None = None,
    retries: int = 0,
    on_progress: Callback | None = None,
    on_checkpoint: Callable[[FinishedRun[SolveResult]], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> FinishedRun[SolveResult]:
    """Trains as planned. Training that diverges or is interrupted ends in a finished run too.

    Where the plan has others, they are tried in turn until one is good enough, or the seconds are
    over, and what is returned is the best.

    Args:
        past: a run to resume from, as if it had never stopped.
        retries: how often training that diverges goes back to its last good state, with a smaller
            step.
        on_checkpoint: called with the run as it would be if it ended now, as often as the spec
            says; None keeps nothing.

    Raises:
        ReferenceRefusedError: the reference that the spec names, or takes data from, cannot be
            computed.
        RunFileError: the past run does not fit the plan.
    """
    prepare_torch()
    clock = Clock()
    attempts: list[_Attempt] = []
    grid = plan.problem.points_on(plan.problem.grid)
    plan, reference, slices = processes.from_first(
        lambda: _referenced(plan, grid, on_progress, should_stop)
    )
    refused = list(plan.not_tried)
    for candidate in _in_turn(plan, refused):
        left = None
        if plan.max_seconds is not None:
            left = plan.max_seconds - clock.now()
            if attempts and left <= 0:
                break
            left = max(0.0, left)
        attempts.append(
            _train_one(
                candidate,
                reference,
                grid,
                slices,
                max_seconds=left,
                past=past,
                retries=retries,
                on_progress=on_progress,
                on_checkpoint=on_checkpoint,
                should_stop=should_stop,
            )
        )
        if attempts[-1].error <= plan.goal or attempts[-1].was_stopped:
            break
    best = min(attempts, key=lambda attempt: attempt.rank)
    events = []
    if plan.recipe:
        came = ", ".join(f"{attempt.recipe} to {attempt.error:.1e}" for attempt in attempts)
        what = "; ".join([f"came by {came}", *refused, f"kept: {best.recipe}"])
        events.append(Event(0, what))
    return best.finish(events, attempts[-1].was_stopped and best is not attempts[-1])


def _in_turn(plan: Plan, refused: list[str]) -> Iterator[Plan]:
    """A plan and its others, each made when it is asked for; adds to refused why one is not."""
    yield plan
    for other in plan.others:
        try:
            made = other.make()
        except SpecError as error:
            refused.append(f"{other.recipe} is not tried: {error.faults[0].what}")
        else:
            yield replace(
                made,
                recipe=other.recipe,
                goal=plan.goal,
                reference=plan.reference,
                no_reference=plan.no_reference,
                method=plan.method,
            )


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """A training that has ended: its error, or the estimate of it where there is no reference, and
    what makes the finished run, with events more, and whether all was interrupted.
    """

    recipe: str
    error: float
    was_stopped: bool
    finish: Callable[[Sequence[Event], bool], FinishedRun[SolveResult]]

    @property
    def rank(self) -> float:
        return math.inf if math.isnan(self.error) else self.error


def _train_one(
    plan: Plan,
    reference: ReferenceValues | None,
    grid: Array,
    slices: list[Slice],
    *,
    max_seconds: float | None,
    past: PastRun | None,
    retries: int,
    on_progress: Callback | None,
    on_checkpoint: Callable[[FinishedRun[SolveResult]], None] | None,
    should_stop: Callable[[], bool],
) -> _Attempt:
    """Trains a plan, without the others.

    Args:
        max_seconds: of this training.
    """
    network = plan.make_network()
    if past is not None:
        past.load(network, plan.problem.domain)
    points = plan.draw_points()
    objective = plan.make_objective(network, points)
    monitor = None
    if reference is not None:
        fields = reference.fields

        def error(current: Mlp) -> float:
            unknowns = _unknowns(plan, current, grid)
            return max(relative_l2(unknowns[name], fields[name]) for name in fields)

        def monitor(current: Mlp) -> float:
            return processes.from_first(lambda: error(current))

    def finished(result: TrainingResult) -> FinishedRun[SolveResult]:
        return finish(plan, network, result, grid, reference, slices)

    checkpoints: Checkpoints[TrainingResult] | None = None
    if on_checkpoint is not None and plan.spec.checkpoint is not None:

        def keep(result: TrainingResult) -> None:
            if processes.is_first():
                on_checkpoint(finished(result))

        checkpoints = Checkpoints(keep=keep, every_s=plan.spec.checkpoint.every_s)
    trainer = Trainer(
        objective,
        plan.phases,
        monitor=monitor,
        on_record=_reporter(plan.n_iterations, on_progress) if on_progress else lambda _: None,
        should_stop=should_stop,
        max_seconds=max_seconds,
        checkpoints=checkpoints,
        retries=retries,
        goal=plan.goal,
    )

    if past is not None:
        past.resume(trainer, points)
    result = trainer.train()
    if result.divergence is None:
        noise = (plan.spec.data and plan.spec.data.noise) or 0.0
        result = replace(
            result,
            validation=validate(objective, plan.spec.points.validation, plan.spec.seed),
            intervals=processes.from_first(lambda: intervals(objective, noise))
            if plan.spec.learn
            else {},
        )
    if plan.goal and result.divergence is None:
        if reference is None:
            result = _estimated(plan, objective, result, grid)
        elif _is_hidden(plan, network, grid, reference):
            told = _estimated(plan, objective, result, grid)
            if told.estimated_by == SECOND_SOLUTION and told.estimate <= plan.goal:
                result, reference = told, None
                plan = replace(plan, reference=None, no_reference=HIDDEN)
                slices = slices_of(plan)
    known = result.estimate
    if result.divergence is not None:
        known = math.inf
    elif monitor is not None and reference is not None:
        known = monitor(network)

    def finish_with(events: Sequence[Event], was_stopped: bool) -> FinishedRun[SolveResult]:
        reason = StopReason.INTERRUPTED if was_stopped else result.stop_reason
        all_events = (*events, *result.events)
        return finished(replace(result, events=all_events, stop_reason=reason))

    return _Attempt(
        recipe=plan.recipe,
        error=known,
        was_stopped=result.stop_reason is StopReason.INTERRUPTED,
        finish=finish_with,
    )


def _referenced(
    plan: Plan, grid: Array, on_progress: Callback | None, should_stop: Callable[[], bool]
) -> tuple[Plan, ReferenceValues | None, list[Slice]]:
    """The plan with its reference computed, the values on the grid, and the separate times."""
    plan, reference = with_reference(plan, grid, on_progress, should_stop)
    return plan, reference, slices_of(plan)


def _unknowns(plan: Plan, network: Mlp, grid: Array) -> dict[str, Array]:
    """Those of a network at points [n, d], [n] each."""
    solution = NetworkSolution.of(network, plan.make_engine, plan.problem.ansatz)
    return solution.unknowns(plan.problem.unknowns, grid)


def _is_hidden(plan: Plan, network: Mlp, grid: Array, reference: ReferenceValues) -> bool:
    """Whether the goal is missed, and by no more than the reference's own error in every unknown
    that misses it.
    """
    found = _unknowns(plan, network, grid)
    missed = [
        name
        for name, known in reference.fields.items()
        if relative_l2(found[name], known) > plan.goal
    ]
    return bool(missed) and all(
        max_error(found[name], reference.fields[name]) <= UNSURE * reference.error_estimates[name]
        for name in missed
    )


def _estimated(
    plan: Plan, objective: Objective, result: TrainingResult, grid: Array
) -> TrainingResult:
    """With an estimate of the error: what a second solution by least squares differs by, which
    residuals bound where nothing is solved; of other methods residuals alone.
    """
    residual = result.estimate
    if math.isnan(residual):
        return replace(result, estimate=relative_residual(objective, N_ESTIMATED))
    overlaps = plan.phases[0].windows is None
    second = None
    if math.isfinite(residual):
        second = second_solution(objective, residual, overlaps=overlaps)
    if second is None:
        return result
    problem = plan.problem
    known, other = (
        _unknowns(plan, network, grid) for network in (objective.network, second.network)
    )
    known = _single_valued(problem, grid, known)
    difference = max(
        relative_l2(other[name], known[name])
        if name not in second.of_zero
        else max_error(other[name], known[name]) / second.of_zero[name]
        for name in known
    )
    if residual > UNSOLVED and any(term.kind == "data" for term in problem.terms):
        residual = relative_residual(objective, N_ESTIMATED, of_data=False)
    estimate = max(difference, residual) if residual > UNSOLVED else difference
    return replace(result, estimate=estimate, estimated_by=SECOND_SOLUTION)


@within_memory("computing the reference")
def with_reference(
    plan: Plan,
    grid: Array,
    on_progress: Callback | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Plan, ReferenceValues | None]:
    """The reference on the grid; without one, the plan that says why, where nobody has asked for
    it.

    Raises KeyboardInterrupt where it should stop, since nothing is worth saving yet.
    """
    if plan.reference is None:
        return plan, None

    def report(text: str) -> None:
        if should_stop():
            raise KeyboardInterrupt
        if on_progress is not None:
            on_progress(
                Progress(
                    iteration=0,
                    n_iterations=plan.n_iterations,
                    wall_time_s=0.0,
                    loss=math.nan,
                    error=math.nan,
                    message=f"reference: {text}",
                )
            )

    try:
        deadline = time.perf_counter() + plan.reference_seconds
        plan.reference.prepare(Watch(deadline=deadline, report=report))
        return plan, _known(plan, plan.reference, grid)
    except ReferenceRefusedError as error:
        if not plan.can_do_without_reference:
            raise
        return replace(plan, reference=None, no_reference=str(error)), None


def _known(plan: Plan, reference: Reference, points: Array) -> ReferenceValues:
    """The reference at points [n, d], NaN where the problem gives two values."""
    values = reference.evaluate(points)
    return replace(values, fields=_single_valued(plan.problem, points, values.fields))


def _single_valued(
    problem: Problem, points: Array, values: Mapping[str, Array]
) -> dict[str, Array]:
    """Values of unknowns at points [n, d], NaN where the solution jumps."""
    known = without_two_values(problem.domain, problem.terms, points, values)
    is_jump, no_flux = on_jumps(problem, points), where_fluxes_jump(problem, points)
    return {
        name: np.where(is_jump | (no_flux & (name in problem.fluxes)), np.nan, of_name)
        for name, of_name in known.items()
    }


def slices_of(plan: Plan) -> list[Slice]:
    """The points of each time asked for, and the reference there where there is one; none
    without time.
    """
    problem, axis = plan.problem, plan.problem.domain.time_axis
    if axis is None:
        return []
    slices = []
    for moment in problem.times:
        axes = tuple(
            np.array([moment]) if i == axis else values for i, values in enumerate(problem.grid)
        )
        points = problem.points_on(axes)
        known = _known(plan, plan.reference, points).fields if plan.reference else None
        slices.append(Slice(time=moment, axes=axes, points=points, reference=known))
    return slices


def _reporter(n_iterations: int, on_progress: Callback) -> Callable[[IterationRecord], None]:
    """Reports records: the last known error, learned constants, the loss and its terms."""
    error = math.nan

    def report(record: IterationRecord) -> None:
        nonlocal error
        error = error if math.isnan(record.relative_l2) else record.relative_l2
        known = "" if math.isnan(error) else f"relative L2 {error:.2e}  "
        constants = "".join(f"{name} {value:.4g}  " for name, value in record.constants.items())
        terms = "  ".join(f"{name} {value:.1e}" for name, value in record.terms.items())
        on_progress(
            Progress(
                iteration=record.iteration,
                n_iterations=n_iterations,
                wall_time_s=record.wall_time_s,
                loss=record.total,
                error=error,
                message=f"{known}{constants}loss {record.total:.2e}  ({terms})",
            )
        )

    return report


def prepare_torch() -> None:
    """Sets what training needs of torch and of the allocator, for the whole process."""
    torch.set_float32_matmul_precision("highest")  # no TF32
    torch.backends.cudnn.allow_tf32 = False  # nor in convolutions, where it is the default
    # so that a run can be repeated, and resumed, bit for bit
    torch.backends.cudnn.deterministic = True
    if platform.libc_ver()[0] == "glibc":
        # glibc hands freed layers back to the kernel after every step and faults them in again in
        # the next: half of the time of a step (36 ms against 20 for Burgers, 6×20). Keep them
        # instead.
        m_trim_threshold, m_mmap_threshold = -1, -3
        libc = ctypes.CDLL(None)
        libc.mallopt(m_mmap_threshold, 1 << 30)
        libc.mallopt(m_trim_threshold, 2**31 - 1)
