"""`laaf reproduce`: a table or figure of the paper, from the runs it needs."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import complete, console, many_runs, options
from laaf_cli.cli.shell_words import flags

if TYPE_CHECKING:
    from laaf_cli.paper import Request

_VARIANTS = "Variants of the set-up"


def reproduce(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="table1, figure2 … figure11; lists them if not given.",
            autocompletion=complete.one_of(*complete.ARTEFACTS),
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds",
            metavar="N|LIST",
            help=(
                "How many seeds from 0, or which: 5-9, or 0,3,7; not given: 20, figure6 1, "
                "of images 3."
            ),
            show_default=False,
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations",
            "-i",
            min=1,
            metavar="N",
            help="Iterations instead of the paper's; few to try it out.",
        ),
    ] = None,
    recovery_form: Annotated[
        str | None,
        typer.Option(
            "--recovery-form",
            metavar="LIST",
            help=(
                "mean over layers as in the formula, sum as in the authors' script, or "
                "mean,sum for both."
            ),
            rich_help_panel=_VARIANTS,
            show_default=False,
        ),
    ] = None,
    n: Annotated[
        str | None,
        typer.Option(
            "--n",
            metavar="LIST",
            help=(
                "Scales n of adaptive slopes, each with every method: 1,5,10; of images 1,2 "
                "if not given."
            ),
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
    datasets: Annotated[
        str | None,
        typer.Option(
            "--datasets",
            metavar="LIST",
            help="Data sets that must be there: semeion,mnist; not given: all that are there.",
            rich_help_panel=options.DATA,
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            "-e",
            min=1,
            metavar="N",
            help="Passes over the training images instead of the paper's; few to try it out.",
            rich_help_panel=options.DATA,
            show_default=False,
        ),
    ] = None,
    data_dir: options.DataDirOption = None,
    directory: Annotated[
        Path,
        typer.Option("--directory", "-d", metavar="DIR", help="Where figures, pages and runs go."),
    ] = Path("reproduction"),
    jobs: many_runs.JobsOption = None,
    scheduler: many_runs.SchedulerOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Reproduce a table or figure of the paper: train the runs that are missing, draw it, write its
    page.

    Example:  laaf reproduce table1 --seeds 20 --fixed-learning-rates 4e-4,1.6e-3,3.2e-3
    """
    from laaf_cli.errors import UsageError
    from laaf_cli.paper import ARTEFACTS, Request, Variant
    from laaf_cli.processes.meeting import check_alone
    from laaf_cli.text import did_you_mean, listed

    if name is None:
        from laaf_cli.terminal.plain_table import PlainTable

        table = PlainTable("name", "shows")
        for artefact in ARTEFACTS.values():
            table.add_texts(artefact.name, artefact.title.partition(": ")[2])
        console.print_results([table])
        return
    if name not in ARTEFACTS:
        raise UsageError(
            f"there is no '{name}' to "
            f"reproduce\n{did_you_mean(name, ARTEFACTS) or listed(ARTEFACTS)}"
        )
    artefact = ARTEFACTS[name]
    forms = _words(recovery_form)
    if not set(forms) <= {"mean", "sum"}:
        raise UsageError(f"--recovery-form is mean, sum or mean,sum, not '{recovery_form}'")
    scales, rates = _words(n), _words(fixed_learning_rates)
    many_runs.number_list(",".join(scales) or "1", "--n")
    many_runs.number_list(",".join(rates) or "1", "--fixed-learning-rates")
    request = Request(
        variant=Variant(
            recovery_forms=forms,
            scales=scales,
            data_points=data_points,
            initializer=initializer,
            iterations=iterations,
        ),
        seeds=tuple(many_runs.seed_list(seeds if seeds is not None else str(artefact.n_seeds))),
        folder=directory,
        fixed_rates=rates,
        more={"datasets": _words(datasets), "epochs": epochs, "data_dir": data_dir},
    )
    check_alone("a reproduction", "Start one.")
    request = replace(request, command=command_line(name, request))
    planned = artefact.plan(request)
    if not quiet:
        for sentence in artefact.warnings(planned, request):
            console.print_warning(sentence)
    # What is there when it is stopped has every method.
    runs = sorted(artefact.runs(planned), key=lambda run: run.plan.spec.seed)
    outcomes = many_runs.train(runs, jobs=jobs, scheduler=scheduler, quiet=quiet)
    written = artefact.write(planned, request)
    console.print_text(written[0].read_text(encoding="utf-8"))
    if not quiet:
        for path in written:
            console.print_message(f"written: {path}")
    error = many_runs.failures(outcomes)
    if error is not None:
        raise error


def command_line(name: str, request: Request) -> str:
    """The command line that asks for this again."""
    seeds = request.seeds
    counted = seeds == tuple(range(len(seeds)))
    which = str(len(seeds)) if counted else ",".join(map(str, seeds))
    words = ["laaf", "reproduce", name, "--seeds", which]
    for setting, value in request.settings.items():
        words += [flags()[setting], shlex.quote(value)]
    return " ".join(words)


def _words(text: str | None) -> tuple[str, ...]:
    """The words of a list with commas, each once."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(","))) if text else ()
