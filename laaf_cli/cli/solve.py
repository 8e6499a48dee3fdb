"""`laaf solve`: train, compare with the reference, write the run file, report how wrong the answer
is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from laaf_cli.cli import console, one_run, options


def solve(
    spec: options.EquationArgument,
    on: options.OnOption = None,
    conditions: options.WithOption = None,
    let: options.LetOption = None,
    save: options.SaveOption = None,
    slopes: options.ActivationOption = None,
    n: options.ScaleOption = None,
    slope_recovery: options.RecoveryOption = None,
    iterations: options.IterationsOption = None,
    learning_rate: options.LearningRateOption = None,
    max_seconds: options.MaxSecondsOption = None,
    goal: options.GoalOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
    dtype: options.DtypeOption = None,
    derivatives: options.DerivativesOption = options.Derivatives.AUTO,
    assignments: options.SetOption = None,
    allow_python: options.AllowPythonOption = False,
    no_cache: options.NoCacheOption = False,
    processes: options.ProcessesOption = None,
    timeout: options.TimeoutOption = 300,
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
    overwrite: options.OverwriteOption = False,
    retries: options.RetriesOption = 0,
    max_error: options.MaxErrorOption = None,
    report: options.ReportOption = None,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Train a network on a problem, check it against its reference and write one run file.

    Example:  laaf solve burgers --slopes nlaaf --n 10
    """
    arguments = locals()
    with one_run.in_processes(processes, timeout) as is_first:
        quiet = quiet or not is_first
        from laaf_cli.runs import session
        from laaf_cli.runs.plan import make_plan
        from laaf_cli.runs.settings import EquationSettings

        text = options.spec_text(spec, on=on, conditions=conditions, let=let, save=save)
        overrides = options.typed(EquationSettings, arguments).overrides(text)
        session.check_bounds(max_seconds=max_seconds, max_error=max_error, goal=goal)
        plan = make_plan(
            text,
            overrides,
            derivatives=derivatives.value,
            max_seconds=max_seconds,
            goal=goal,
            allow_python=allow_python,
            cache=not no_cache,
        )
        if is_first:
            options.keep_spec(save, text)
        one_run.check_max_error(plan, max_error)
        target = output or plan.default_output
        one_run.check_page(report)
        with session.claim(target, overwrite=overwrite, plan=plan) as past:
            if not quiet:
                widths = "x".join(map(str, plan.spec.network.hidden))
                what = f"{widths} {plan.spec.network.activation}"
                if plan.recipe:
                    what = f"{plan.recipe}{' first' if plan.others else ''}, {what}"
                one_run.announce(plan, what, warnings=plan.warnings)
                if plan.reference is not None and plan.reference.takes_long:
                    console.print_message("solving the equations first, for reference")
            finished = one_run.train(plan, target, past=past, retries=retries, quiet=quiet)
        if not is_first:
            return
        one_run.write_page(finished, report, quiet=quiet)
        one_run.report(
            finished, max_error, quiet=quiet, json=json, goal=plan.goal, is_asked=goal is not None
        )
