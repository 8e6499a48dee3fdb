"""`laaf sweep`: activations × n × recovery × settings × seeds, on this machine or a Dask
cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from laaf_cli.cli import console, many_runs, options
from laaf_cli.network.slope_kinds import SLOPE_KINDS, is_fixed

if TYPE_CHECKING:
    from laaf_cli.images.data import Progress as DownloadProgress
    from laaf_cli.runs.settings import Settings
    from laaf_cli.spec import Override, Text
    from laaf_cli.sweeps import Alternative, MakePlan, Outcome

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
            help="Train finished runs anew as well.",
            rich_help_panel=many_runs.RUNNING,
        ),
    ] = False,
    jobs: many_runs.JobsOption = None,
    scheduler: many_runs.SchedulerOption = None,
    allow_python: options.AllowPythonOption = False,
    data_dir: options.DataDirOption = None,
    download: options.DownloadOption = True,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Train many runs of one spec, compare them, and leave one run file each; finished runs are not
    trained again.

    Example:  laaf sweep burgers --activation fixed,gaaf,llaaf,nlaaf --seeds 5
    """
    from laaf_cli.errors import UsageError
    from laaf_cli.images.settings import ImageSettings
    from laaf_cli.runs.settings import EquationSettings
    from laaf_cli.spec import bundled, task_of_spec

    text = bundled.find(spec)
    of_images = task_of_spec(text) == "images"
    if of_images and iterations is not None:
        raise UsageError("images are trained on for --epochs, not --iterations")
    if not of_images and epochs is not None:
        raise UsageError("an equation is trained for --iterations, not --epochs")
    form: type[Settings] = ImageSettings if of_images else EquationSettings
    length: dict[str, Any] = {"epochs": epochs} if of_images else {"iterations": iterations}
    varied = _Varied(
        activation=activation,
        n=n,
        recovery=recovery,
        assignments=assignments or [],
        lengths=options.typed(form, **length).overrides(text),
        learning_rate=learning_rate,
        dtype=dtype,
        device=device,
    )
    axes = list(_axes(text, form, varied))
    from laaf_cli.sweeps import plan_runs
    from laaf_cli.terminal.progress import make_download_progress

    with make_download_progress(quiet=quiet) as progress:
        make = (
            _image_planner(text, data_dir, download=download, progress=progress)
            if of_images
            else _planner(text, allow_python)
        )
        runs = plan_runs(make, axes, many_runs.seed_list(seeds), directory)
    outcomes = many_runs.train(
        runs, jobs=jobs, scheduler=scheduler, overwrite=overwrite, quiet=quiet
    )
    report(outcomes, quiet=quiet, json=json)


def _planner(text: Text, allow_python: bool) -> MakePlan:
    """Plans the runs of an equation."""
    from laaf_cli.runs.plan import make_plan

    return partial(make_plan, text, allow_python=allow_python)


def _image_planner(
    text: Text, data_dir: Path | None, *, download: bool, progress: DownloadProgress
) -> MakePlan:
    """Plans runs over images, which are read once for all of them that are of one data set."""
    from laaf_cli.images.plan import ImagePlan, make_image_plan

    known: dict[str, ImagePlan] = {}

    def make(overrides: Sequence[Override]) -> ImagePlan:
        plan = make_image_plan(
            text,
            overrides,
            folder=data_dir,
            download=download,
            progress=progress,
            known={name: other.data for name, other in known.items()},
        )
        known[plan.spec.images] = plan
        return plan

    return make


@dataclass(frozen=True, kw_only=True)
class _Varied:
    """What the command line varies. lengths: what says how long is trained."""

    activation: str | None
    n: str | None
    recovery: str | None
    assignments: Sequence[str]
    lengths: Sequence[Override]
    learning_rate: str | None
    dtype: options.Dtype | None
    device: options.Device | None


def _axes(text: Text, form: type[Settings], varied: _Varied) -> Iterator[list[Alternative]]:
    """What `--set` and the options vary, in the order in which they are put into the spec."""
    from laaf_cli.spec import Override
    from laaf_cli.sweeps import Alternative

    assignments = varied.assignments
    by_path: dict[object, list[Alternative]] = {}
    for assignment in assignments:
        override = Override.from_assignment(assignment, "--set ")
        # Names say kind, n and seed anyway.
        said = override.path in (("slopes", "kind"), ("slopes", "n"), ("seed",))
        by_path.setdefault(override.path, []).append(
            Alternative((override,)) if said else Alternative.of(override)
        )
    yield from by_path.values()

    def labelled(chosen: Settings) -> Alternative:
        (override,) = chosen.overrides(text)
        return Alternative.of(override)

    yield from ([Alternative.of(override)] for override in varied.lengths)
    if varied.learning_rate is not None:
        rates = many_runs.number_list(varied.learning_rate, "--learning-rate")
        yield [labelled(options.typed(form, learning_rate=rate)) for rate in rates]
    if varied.dtype is not None:
        yield [labelled(options.typed(form, dtype=varied.dtype))]
    yield [Alternative(tuple(options.typed(form, device=varied.device).overrides(text)))]
    kinds = _choices(varied.activation, "--activation", list(SLOPE_KINDS))
    scales = many_runs.number_list(varied.n, "--n") if varied.n is not None else [None]
    switches = [
        None if word is None else word == "on"
        for word in _choices(varied.recovery, "--slope-recovery", ["on", "off"])
    ]
    methods = []
    for kind in kinds:
        for scale in scales:
            for switch in switches:
                chosen = options.typed(
                    form,
                    assignments,
                    slopes=kind,
                    n=scale,
                    slope_recovery=None if is_fixed(kind) else switch,
                )
                methods.append(Alternative(tuple(chosen.overrides(text)[len(assignments) :])))
    yield methods


def _choices(given: str | None, option: str, known: Sequence[str]) -> list[str | None]:
    """The words of a list with commas; one None where the option is not given."""
    from laaf_cli.errors import UsageError
    from laaf_cli.text import did_you_mean, listed

    if given is None:
        return [None]
    words = [word.strip() for word in given.split(",")]
    for word in words:
        if word not in known:
            hint = did_you_mean(word, known) or f"Choices: {listed(known)}."
            raise UsageError(f"{option} does not know '{word}'\n{hint}")
    return list(dict.fromkeys(words))


def report(outcomes: Sequence[Outcome], *, quiet: bool, json: bool) -> None:
    """The comparison of what was trained, and what failed; raises the error that the sweep ends
    in, if any.
    """
    from laaf_cli.cli.tables import comparison_tables
    from laaf_cli.report.comparison import compare
    from laaf_cli.report.comparison_record import comparison_record
    from laaf_cli.report.run_summary import RunSummary
    from laaf_cli.sweeps import State

    written = [outcome.run.path for outcome in outcomes if outcome.state is not State.FAILED]
    if written:
        comparison = compare([RunSummary.read(path) for path in written], mixed=True)
        if json:
            not_trained = {str(o.run.path): o.detail for o in outcomes if o.state is State.FAILED}
            console.print_json(comparison_record(comparison, not_trained=not_trained).as_json())
        else:
            console.print_results(comparison_tables(comparison, console.results().width))
        if not quiet:
            for flag in comparison.flags:
                console.print_warning(flag)
    error = many_runs.failures(outcomes)
    if error is not None:
        raise error
