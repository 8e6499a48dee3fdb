"""`laaf sweep`: activations × n × recovery × settings × seeds, on this machine or a Dask
cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from laaf_cli.cli import complete, console, many_runs, one_run, options
from laaf_cli.network.slope_kinds import SLOPE_KINDS, is_fixed

if TYPE_CHECKING:
    from laaf_cli.runs.settings import Settings
    from laaf_cli.spec import Override, Text
    from laaf_cli.sweeps import Alternative, Outcome

_AXES = "Axes"


def sweep(
    spec: options.SpecArgument,
    activation: Annotated[
        str | None,
        typer.Option(
            "--activation",
            "--slopes",
            "-a",
            metavar="KINDS",
            help=f"Kinds with commas between: {','.join(SLOPE_KINDS)}.",
            autocompletion=complete.slope_kinds,
            rich_help_panel=_AXES,
            show_default=False,
        ),
    ] = None,
    n: Annotated[
        str | None,
        typer.Option(
            "--n",
            metavar="LIST",
            help="Scales n: 1,5,10.",
            rich_help_panel=_AXES,
            show_default=False,
        ),
    ] = None,
    recovery: Annotated[
        str | None,
        typer.Option(
            "--slope-recovery",
            metavar="LIST",
            help="on, off, or on,off for both.",
            autocompletion=complete.one_of("on", "off", "on,off"),
            rich_help_panel=_AXES,
            show_default=False,
        ),
    ] = None,
    seeds: many_runs.SeedsOption = "5",
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change anything in the spec; the same path given again makes an axis.",
            autocompletion=complete.settings,
            rich_help_panel=_AXES,
            show_default=False,
        ),
    ] = None,
    iterations: options.IterationsOption = None,
    epochs: options.EpochsOption = None,
    learning_rate: Annotated[
        str | None,
        typer.Option(
            "--learning-rate",
            metavar="LIST",
            help="The (first) learning rates.",
            rich_help_panel=_AXES,
            show_default=False,
        ),
    ] = None,
    device: options.DeviceOption = None,
    dtype: options.DtypeOption = None,
    directory: Annotated[
        Path,
        typer.Option(
            "--directory",
            "-d",
            metavar="DIR",
            help="Where the run files go.",
            rich_help_panel=many_runs.RUNNING,
        ),
    ] = Path("runs"),
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Train finished runs again as well.",
            rich_help_panel=many_runs.RUNNING,
        ),
    ] = False,
    jobs: many_runs.JobsOption = None,
    scheduler: many_runs.SchedulerOption = None,
    part: many_runs.PartOption = None,
    allow_python: options.AllowPythonOption = False,
    no_cache: options.NoCacheOption = False,
    data_dir: options.DataDirOption = None,
    download: options.DownloadOption = True,
    page: options.ReportOption = None,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Train many runs of one spec, compare them, and leave one run file each; finished runs are not
    trained again.

    Example:  laaf sweep burgers --slopes fixed,gaaf,llaaf,nlaaf --seeds 5
    """
    arguments = locals()
    from laaf_cli.errors import UsageError
    from laaf_cli.processes.meeting import check_alone
    from laaf_cli.runs.lifecycle import PlanOptions, lifecycle
    from laaf_cli.runs.task import TASKS
    from laaf_cli.spec import bundled, task_of_spec
    from laaf_cli.sweeps import Part, plan_runs
    from laaf_cli.terminal.progress import make_download_progress

    one_run.check_page(page)
    chosen = None if part is None else Part.of(part)
    if chosen is None:
        check_alone("a sweep", "Start one, or give each a `part`.")
    text = bundled.find(spec)
    task = TASKS[task_of_spec(text)]
    for other in TASKS.values():
        if other.length != task.length and arguments[other.length] is not None:
            raise UsageError(f"{task.trained_for} --{task.length}, not --{other.length}")
    life = lifecycle(task.name)
    axes = list(_axes(text, life.settings, task.length, arguments))
    with make_download_progress(quiet=quiet) as progress:
        planning = PlanOptions(
            allow_python=allow_python,
            cache=not no_cache,
            data_dir=data_dir,
            download=download,
            progress=progress,
        )
        runs = plan_runs(life.planner(text, planning), axes, many_runs.seed_list(seeds), directory)
    if chosen is not None:
        runs = chosen.among(runs)
    outcomes = many_runs.train(
        runs, jobs=jobs, scheduler=scheduler, overwrite=overwrite, quiet=quiet
    )
    report(outcomes, page=page, quiet=quiet, json=json)


def _axes(
    text: Text, form: type[Settings], length: str, arguments: Mapping[str, Any]
) -> Iterator[list[Alternative]]:
    """What `--set` and the options vary, in the order in which they are put into the spec.

    Args:
        length: the option that says how long is trained.
        arguments: those of the command.
    """
    from laaf_cli.spec import Override
    from laaf_cli.sweeps import Alternative

    assignments = arguments["assignments"] or []
    by_path: dict[object, list[Alternative]] = {}
    for assignment in assignments:
        override = Override.from_assignment(assignment, "--set ")
        # Names say kind, n and seed anyway.
        said = override.path in (("slopes", "kind"), ("slopes", "n"), ("seed",))
        by_path.setdefault(override.path, []).append(
            Alternative((override,)) if said else Alternative.of(override)
        )
    yield from by_path.values()

    def overrides(**chosen: Any) -> list[Override]:
        return options.typed(form, chosen).overrides(text)

    def labelled(name: str, values: Sequence[Any]) -> Iterator[list[Alternative]]:
        if arguments[name] is not None:
            yield [Alternative.of(*overrides(**{name: value})) for value in values]

    yield from labelled(length, [arguments[length]])
    if arguments["learning_rate"] is not None:
        rates = many_runs.number_list(arguments["learning_rate"], "--learning-rate")
        yield from labelled("learning_rate", rates)
    yield from labelled("dtype", [arguments["dtype"]])
    yield [Alternative(tuple(overrides(device=arguments["device"])))]
    kinds = _choices(arguments["activation"], "--activation", list(SLOPE_KINDS))
    scales = many_runs.number_list(arguments["n"], "--n") if arguments["n"] is not None else [None]
    switches = [
        None if word is None else word == "on"
        for word in _choices(arguments["recovery"], "--slope-recovery", ["on", "off"])
    ]
    methods = []
    for kind in kinds:
        for scale in scales:
            for switch in switches:
                chosen = overrides(
                    assignments=assignments,
                    slopes=kind,
                    n=scale,
                    slope_recovery=None if is_fixed(kind) else switch,
                )
                methods.append(Alternative(tuple(chosen[len(assignments) :])))
    yield methods


def _choices(text: str | None, option: str, known: Sequence[str]) -> list[str | None]:
    """The words of a list with commas; one None where the option is not given."""
    from laaf_cli.errors import UsageError
    from laaf_cli.text import did_you_mean, listed

    if text is None:
        return [None]
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in known:
            hint = did_you_mean(word, known) or f"Choices: {listed(known)}."
            raise UsageError(f"{option} does not know '{word}'\n{hint}")
    return list(dict.fromkeys(words))


def report(
    outcomes: Sequence[Outcome], *, page: Path | None = None, quiet: bool, json: bool
) -> None:
    """The comparison of what was trained, also as a page, and what failed; raises the error that
    the sweep ends in, if any.
    """
    from laaf_cli.cli.report import write
    from laaf_cli.cli.tables import comparison_tables
    from laaf_cli.report.comparison import compare
    from laaf_cli.report.comparison_entry import ComparisonEntry
    from laaf_cli.report.comparison_record import comparison_record
    from laaf_cli.sweeps import RunState

    written = [outcome.run.path for outcome in outcomes if outcome.state is not RunState.FAILED]
    if written:
        comparison = compare([ComparisonEntry.read(path) for path in written], mixed=True)
        not_trained = {str(o.run.path): o.detail for o in outcomes if o.state is RunState.FAILED}
        if page is not None:
            write(written, page, quiet=quiet, not_trained=not_trained)
        if json:
            console.print_json(comparison_record(comparison, not_trained=not_trained).as_json())
        else:
            console.print_results(comparison_tables(comparison, console.results().width))
        if not quiet:
            for flag in comparison.flags:
                console.print_warning(flag)
    error = many_runs.failures(outcomes)
    if error is not None:
        raise error
