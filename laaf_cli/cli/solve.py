"""`laaf solve`: train, compare with the reference, write the run file, tell how wrong the answer is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import console, options

if TYPE_CHECKING:
    from laaf_cli.finished_run import FinishedRun
    from laaf_cli.plan import Plan


def solve(
    spec: options.SpecArgument,
    activation: options.ActivationOption = None,
    n: options.ScaleOption = None,
    slope_recovery: options.RecoveryOption = None,
    iterations: options.IterationsOption = None,
    learning_rate: options.LearningRateOption = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            "--max-seconds", min=0, metavar="X", help="End after these seconds of training.", rich_help_panel="Training"
        ),
    ] = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
    dtype: options.DtypeOption = None,
    derivatives: options.DerivativesOption = options.Derivatives.AUTO,
    assignments: options.SetOption = None,
    allow_python: options.AllowPythonOption = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="The run file; not given: runs/PROBLEM-KIND-nN-sSEED.h5.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run file if it is there.")] = False,
    max_error: Annotated[
        float | None,
        typer.Option("--max-error", min=0, metavar="X", help="Exit with 6 above this relative L2 error."),
    ] = None,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Train a network on a problem, check it against its reference and write one run file.

    Example:  laaf solve burgers --activation nlaaf --n 10
    """
    from laaf_cli import bundled

    text = bundled.find(spec)
    chosen = options.SpecOptions(
        activation,
        n,
        slope_recovery,
        iterations,
        learning_rate,
        seed,
        device,
        dtype,
        tuple(assignments or ()),
    )
    overrides = chosen.overrides(text)

    from laaf_cli.errors import UsageError
    from laaf_cli.plan import make_plan
    from laaf_cli.target_file import check_target

    for name, bound in (("--max-seconds", max_seconds), ("--max-error", max_error)):
        if bound is not None and not math.isfinite(bound):
            raise UsageError(f"{name} takes a finite number, not {bound}")
    plan = make_plan(text, overrides, derivatives=derivatives.value, max_seconds=max_seconds, allow_python=allow_python)
    if max_error is not None and plan.reference is None:
        why = plan.no_reference or "the spec asks for none"
        raise UsageError(f"--max-error needs a reference, and there is none: {why}")
    target = output or plan.default_output
    check_target(target, overwrite=overwrite)
    if not quiet:
        _announce(plan)
    finished = _train(plan, target, quiet=quiet)
    _report(finished, quiet=quiet, json=json)
    _raise_for(finished, max_error)


def _announce(plan: Plan) -> None:
    spec = plan.spec
    slopes = "fixed" if spec.slopes.kind == "fixed" else f"{spec.slopes.kind}, n = {spec.slopes.n:g}"
    recovery = ", slope recovery" if plan.recovery else ""
    widths = "x".join(map(str, spec.network.hidden))
    console.print_message(
        f"{spec.title or plan.name}: {widths} {spec.network.activation}, {slopes}{recovery}, seed {spec.seed}, "
        f"{spec.dtype}, {plan.device.type}"
    )
    for warning in plan.warnings:
        console.print_warning(warning)
    if plan.reference is not None and plan.reference.takes_long:
        console.print_message("solving the equations by the spectral method first, for reference")


def _train(plan: Plan, target: Path, *, quiet: bool) -> FinishedRun:
    """Trains and writes; a signal that comes while the file is written does not keep it from being written."""
    from laaf_cli.cli.interrupt import StopFlag
    from laaf_cli.cli.progress import make_progress
    from laaf_cli.run import execute

    total = sum(phase.iterations for phase in plan.phases)
    with StopFlag() as stop:
        with make_progress(total, quiet=quiet) as progress:
            finished = execute(plan, on_record=progress.update, should_stop=stop.is_set)
        return finished.save(target)


def _report(finished: FinishedRun, *, quiet: bool, json: bool) -> None:
    from laaf_cli.cli.tables import summary_tables

    if json:
        console.print_json(finished.summary.as_json())
    else:
        console.print_results(summary_tables(finished.summary))
    # Not even --quiet keeps these: an answer that may be wrong must not pass in silence.
    for warning in finished.summary.warnings:
        console.print_warning(warning)
    if not quiet and not json:
        console.print_message(f"written: {finished.summary.path}")


def _raise_for(finished: FinishedRun, max_error: float | None) -> None:
    """The errors that a finished run may end in; its file is written all the same."""
    from laaf_cli.errors import BoundExceededError, DivergedError, InterruptedRunError

    summary = finished.summary
    if summary.stop_reason == "diverged":
        raise DivergedError(
            f"training diverged: {summary.stop_detail}\n"
            f"The last good state, of iteration {summary.iterations}, is in {summary.path}\n"
            "A smaller --learning-rate or --dtype float64 may help."
        )
    if summary.stop_reason == "interrupted":
        raise InterruptedRunError(f"interrupted at iteration {summary.iterations}; the run is in {summary.path}")
    if max_error is not None and summary.relative_l2 is None:
        raise BoundExceededError(f"no error is known to be below {max_error:g}: {summary.no_reference}")
    if max_error is not None and not summary.worst_relative_l2 <= max_error:
        raise BoundExceededError(f"relative L2 error {summary.worst_relative_l2:.3e} is above the bound {max_error:g}")
