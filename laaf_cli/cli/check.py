"""`laaf check`: everything that can be known before training."""

from __future__ import annotations

from dataclasses import asdict

from laaf_cli.cli import console, options


def check(
    spec: options.SpecArgument,
    activation: options.ActivationOption = None,
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
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Check a spec without training: its terms, points, parameters, and the loss at step 0.

    Example:  laaf check my.yaml --set network.hidden=[50,50]
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

    from laaf_cli.plan import inspect, make_plan

    plan = make_plan(text, overrides, derivatives=derivatives.value, allow_python=allow_python)
    inspection = inspect(plan)
    if not quiet:
        for warning in plan.warnings:
            console.print_warning(warning)
    if json:
        facts = {
            "problem": plan.name,
            "warnings": list(plan.warnings),
            "settings": plan.settings(),
            "engine": plan.engine_use,
        }
        console.print_json(facts | asdict(inspection) | {"theorem_holds": inspection.theorem_holds})
        return
    from laaf_cli.cli.tables import inspection_tables

    console.print_results(inspection_tables(plan, inspection))
