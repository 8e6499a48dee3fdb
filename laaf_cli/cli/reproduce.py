"""`laaf reproduce`: a table or figure of the paper, from the runs it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from laaf_cli.cli import console, many_runs, options

_VARIANTS = "Variants of the set-up"


def reproduce(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="table1, figure2 … figure9; lists them if not given.", show_default=False),
    ] = None,
    seeds: many_runs.SeedsOption = "5",
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations", "-i", min=1, metavar="N", help="Iterations instead of the paper's; few to try it out."
        ),
    ] = None,
    recovery_form: Annotated[
        str | None,
        typer.Option(
            "--recovery-form",
            metavar="LIST",
            help="mean over layers as in the formula, sum as in the authors' script, or mean,sum for both.",
            rich_help_panel=_VARIANTS,
            show_default=False,
        ),
    ] = None,
    n: Annotated[
        str | None,
        typer.Option(
            "--n",
            metavar="LIST",
            help="Scales n of adaptive slopes, each with every method: 1,5,10.",
            rich_help_panel=_VARIANTS,
            show_default=False,
        ),
    ] = None,
    data_points: Annotated[
        int | None,
        typer.Option(
            "--data-points",
            min=2,
            metavar="N",
            help="Initial and boundary points together (Burgers), or points of the regression.",
            rich_help_panel=_VARIANTS,
            show_default=False,
        ),
    ] = None,
    initializer: Annotated[
        str | None,
        typer.Option(
            "--initializer",
            metavar="NAME",
            help="Initial weights, as glorot-normal-truncated of the authors' script.",
            rich_help_panel=_VARIANTS,
            show_default=False,
        ),
    ] = None,
    fixed_learning_rates: Annotated[
        str | None,
        typer.Option(
            "--fixed-learning-rates",
            metavar="LIST",
            help="Train the fixed baseline with these learning rates too: 4e-4,1.6e-3.",
            rich_help_panel=_VARIANTS,
            show_default=False,
        ),
    ] = None,
    directory: Annotated[
        Path, typer.Option("--directory", "-d", metavar="DIR", help="Where figures, pages and runs go.")
    ] = Path("reproduction"),
    jobs: many_runs.JobsOption = None,
    scheduler: many_runs.SchedulerOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Reproduce a table or figure of the paper: train the runs that are missing, draw it, write its page.

    Example:  laaf reproduce table1 --seeds 5 --fixed-learning-rates 4e-4,1.6e-3,3.2e-3
    """
    from laaf_cli.errors import UsageError, did_you_mean, listed
    from laaf_cli.paper import ARTEFACTS, Request, Variant

    if name is None:
        from laaf_cli.cli.tables import plain_table

        table = plain_table("name", "shows")
        for artefact in ARTEFACTS.values():
            table.add_texts(artefact.name, artefact.title.partition(": ")[2])
        console.print_results([table])
        return
    if name not in ARTEFACTS:
        raise UsageError(f"there is no '{name}' to reproduce\n{did_you_mean(name, ARTEFACTS) or listed(ARTEFACTS)}")
    forms = _words(recovery_form)
    if not set(forms) <= {"mean", "sum"}:
        raise UsageError(f"--recovery-form is mean, sum or mean,sum, not '{recovery_form}'")
    scales, rates = _words(n), _words(fixed_learning_rates)
    many_runs.number_list(",".join(scales) or "1", "--n")
    many_runs.number_list(",".join(rates) or "1", "--fixed-learning-rates")
    variant = Variant(forms, scales, data_points, initializer, iterations)
    request = Request(variant, tuple(many_runs.seed_list(seeds)), directory, rates)
    artefact = ARTEFACTS[name]
    planned = artefact.plan(request)
    runs = [run for by_column in planned.values() for column in by_column.values() for run in column]
    runs.sort(key=lambda run: run.plan.spec.seed)  # what is there when it is stopped has every method
    outcomes = many_runs.train(runs, jobs=jobs, scheduler=scheduler, quiet=quiet)
    written = artefact.write(planned, request)
    console.print_text(written[0].read_text(encoding="utf-8"))
    if not quiet:
        for path in written:
            console.print_message(f"written: {path}")
    error = many_runs.failures(outcomes)
    if error is not None:
        raise error


def _words(given: str | None) -> tuple[str, ...]:
    """The words of a list with commas, each once."""
    return tuple(dict.fromkeys(word.strip() for word in given.split(","))) if given else ()
