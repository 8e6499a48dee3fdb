"""`laaf check`: everything that can be known before training."""

from __future__ import annotations

from typing import Annotated

import typer

from laaf_cli.cli import complete, console, one_run, options


def check(
    spec: Annotated[
        str | None,
        typer.Argument(
            metavar="SPEC",
            help=options.SPEC_OR_EQUATION,
            autocompletion=complete.specs,
            show_default=False,
        ),
    ] = None,
    on: options.OnOption = None,
    conditions: options.WithOption = None,
    let: options.LetOption = None,
    save: options.SaveOption = None,
    slopes: options.ActivationOption = None,
    n: options.ScaleOption = None,
    slope_recovery: options.RecoveryOption = None,
    iterations: options.IterationsOption = None,
    learning_rate: options.LearningRateOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
    dtype: options.DtypeOption = None,
    derivatives: options.DerivativesOption = options.Derivatives.AUTO,
    assignments: options.SetOption = None,
    allow_python: options.AllowPythonOption = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema", help="Print the JSON Schema of specs, for editors; takes no SPEC."
        ),
    ] = False,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Check a spec without training: its terms, points, parameters, and the loss at step 0.

    Example:  laaf check my.yaml --set network.hidden=[50,50]
    """
    arguments = locals()
    from laaf_cli.errors import UsageError, within_memory
    from laaf_cli.references import Watch
    from laaf_cli.runs.settings import EquationSettings
    from laaf_cli.terminal.progress import make_reference_progress

    if (spec is None) is not schema:
        raise UsageError("laaf check takes a SPEC, or --schema alone")
    if spec is None:
        from laaf_cli.cli.spec_schema import spec_schema

        console.print_json(spec_schema())
        return
    text = options.spec_text(spec, on=on, conditions=conditions, let=let, save=save)
    overrides = options.typed(EquationSettings, arguments).overrides(text)

    from laaf_cli.runs.inspection import inspect
    from laaf_cli.runs.memory import advice, of_run
    from laaf_cli.runs.plan import make_plan

    plan = make_plan(text, overrides, derivatives=derivatives.value, allow_python=allow_python)
    options.keep_spec(save, text)
    if not quiet:
        for warning in (*plan.warnings, *one_run.memory_warnings(plan)):
            console.print_warning(warning)
    with (
        within_memory("evaluating the loss once", lambda: advice(of_run(plan))),
        make_reference_progress(quiet=quiet) as report,
    ):
        inspection = inspect(plan, Watch(report=report))
    if not quiet:
        for warning in inspection.not_finite:
            console.print_warning(warning)
    if json:
        from laaf_cli.cli.outputs import CheckRecord

        console.print_json(CheckRecord.of(plan, inspection).as_json())
        return
    from laaf_cli.cli.tables import inspection_tables

    console.print_results(inspection_tables(plan, inspection))
