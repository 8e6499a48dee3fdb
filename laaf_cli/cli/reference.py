"""`laaf reference`: the independent solution of a spec alone, without any network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import complete, console, options, place_options
from laaf_cli.files import export
from laaf_cli.text import listed

if TYPE_CHECKING:
    from laaf_cli.problem import Domain, SamplePoints
    from laaf_cli.references import Reference, ReferenceValues
    from laaf_cli.runs.plan import Plan
    from laaf_cli.spec import Override, Text


def reference(
    spec: options.SpecArgument,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            "-m",
            metavar="KIND",
            help="Another reference than the spec's: "
            "spectral, finite-elements, hopf-cole, exact or file.",
            autocompletion=complete.one_of(*complete.REFERENCES),
            show_default=False,
        ),
    ] = None,
    grid: place_options.GridOption = None,
    points: place_options.PointsOption = None,
    output: place_options.OutputOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it is there.")
    ] = False,
    max_error: Annotated[
        float | None,
        typer.Option(
            "--max-error",
            min=0,
            metavar="X",
            help="Exit with 6 where its own error estimate is above this.",
        ),
    ] = None,
    assignments: options.SetOption = None,
    allow_python: options.AllowPythonOption = False,
    no_cache: options.NoCacheOption = False,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Solve a spec classically and write the solution with its own error estimate; nothing is
    trained.

    Example:  laaf reference burgers --grid x=501,t=@0.5 --output slice.csv
    """
    from laaf_cli.errors import BoundExceededError, UsageError
    from laaf_cli.spec import Override, bundled

    if grid and points is not None:
        raise UsageError("--grid and --points both say where; give one of them")
    if output == Path("-"):
        output = None
    text = bundled.find(spec)
    overrides = [Override.from_assignment(text, "--set ") for text in assignments or ()]
    if method is not None:
        overrides.append(_method(text, method))

    from laaf_cli.runs.plan import make_plan

    plan = make_plan(text, overrides, allow_python=allow_python, cache=not no_cache)
    if plan.reference is None:
        why = (
            f"there is no reference: {plan.no_reference}"
            if plan.no_reference
            else "the spec asks for no reference"
        )
        raise UsageError(f"{why}; --method names one")
    if output is not None:
        export.check_output(output, plan.problem.domain.coordinates, overwrite=overwrite)
    places = _places(plan, grid or [], points, quiet=quiet)
    if not quiet:
        console.print_message(f"{plan.spec.title or plan.name}: {plan.reference.method}")
    values = _solve(plan.reference, plan.problem.domain, places, quiet=quiet)
    sampled = export.SampledFields(
        places,
        {name: field.reshape(places.shape) for name, field in values.fields.items()},
        _attributes(plan, values),
    )
    if output is not None:
        export.write_fields(output, sampled)
    if output is not None or json:
        _report(plan, values, output, json=json)
    else:
        for piece in export.csv_text(sampled):
            console.print_text(piece)
        if not quiet:
            errors = [f"{error:.1e}" for error in values.error_estimates.values()]
            if len(errors) > 1:
                errors = [f"{e} of {name}" for name, e in zip(values.fields, errors, strict=True)]
            console.print_message(f"error estimate {listed(errors)}, in {values.wall_time_s:.2f} s")
    if max_error is not None and not values.error_estimate <= max_error:
        raise BoundExceededError(
            f"the error estimate {values.error_estimate:.3e} is above the bound {max_error:g}"
        )


def _method(text: Text, name: str) -> Override:
    """The change that asks for another reference, and leaves what the spec says of it."""
    from laaf_cli.spec import Override
    from laaf_cli.spec.source import read_yaml

    section = read_yaml(text).child("reference")
    says_more = section is not None and isinstance(section.data, dict) and name in section.data
    return Override(("reference", "kind") if says_more else ("reference",), name, "--method ")


def _places(plan: Plan, grid: list[str], points: str | None, *, quiet: bool) -> SamplePoints:
    from laaf_cli.cli.sample_points import choose_places

    axes = dict(zip(plan.problem.domain.coordinates, plan.problem.grid, strict=True))
    return choose_places(
        plan.problem.domain, axes, grid, points, len(plan.problem.unknowns), quiet=quiet
    )


def _solve(
    reference: Reference, domain: Domain, places: SamplePoints, *, quiet: bool
) -> ReferenceValues:
    from laaf_cli.errors import UsageError
    from laaf_cli.references import Watch
    from laaf_cli.terminal.progress import make_reference_progress

    for (name, values), lower, upper in zip(
        places.coordinates.items(), domain.lower, domain.upper, strict=True
    ):
        rounding = 1e-12 * (upper - lower)
        if values.min() < lower - rounding or values.max() > upper + rounding:
            raise UsageError(
                f"the reference covers {name} in [{lower:g}, {upper:g}], and values outside "
                "were asked for"
            )
    with make_reference_progress(quiet=quiet) as report:
        reference.prepare(Watch(report=report))
        return reference.evaluate(places.block(0, places.n_points))


def _report(plan: Plan, values: ReferenceValues, output: Path | None, *, json: bool) -> None:
    import numpy as np

    from laaf_cli.cli.outputs import ReferenceRecord
    from laaf_cli.terminal.plain_table import PlainTable

    record = ReferenceRecord(
        problem=plan.name,
        method=plan.reference.method if plan.reference is not None else "",
        error_estimate=values.error_estimate,
        error_estimates=dict(values.error_estimates),
        wall_time_s=values.wall_time_s,
        path=None if output is None else str(output),
    )
    if json:
        console.print_json(record.as_json())
        return
    table = PlainTable("reference", plan.spec.title or plan.name)
    table.add_texts("method", record.method)
    for name, error in record.error_estimates.items():
        of = f" of {name}" if len(record.error_estimates) > 1 else ""
        largest = np.nanmax(np.abs(values.fields[name]), initial=0.0)  # NaN outside of a shape
        relative = f", {error / largest:.1e} of the largest value" if largest > 0 else ""
        table.add_texts(f"error estimate{of}", f"{error:.1e}{relative}")
    table.add_texts("seconds", f"{record.wall_time_s:.2f}")
    table.add_texts("written", str(record.path))
    console.print_results([table])


def _attributes(plan: Plan, values: ReferenceValues) -> dict[str, str]:
    from laaf_cli import __version__

    return {
        "title": plan.spec.title or plan.name,
        "source": f"laaf {__version__}",
        "problem": plan.name,
        "problem_hash": plan.hashes.problem,
        "method": plan.reference.method if plan.reference is not None else "",
        "error_estimate": f"{values.error_estimate:.3e}",
    } | {f"error_estimate_{name}": f"{e:.3e}" for name, e in values.error_estimates.items()}
