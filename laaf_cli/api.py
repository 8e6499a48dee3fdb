"""The front door: what the command line and a notebook call.

Arguments become a `Spec`, a `Spec` a plan, a plan a `Run`. A `Run` is a run file, at its place or,
before it is saved, in a temporary folder: whatever is known of it is read from there.
"""

from __future__ import annotations

import html
import os
import shutil
import sys
import warnings
import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from laaf_cli import processes
from laaf_cli.arrays import Array
from laaf_cli.errors import LaafError as LaafError
from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.errors import SpecError as SpecError
from laaf_cli.files.atomic import replacing
from laaf_cli.metrics import relative_l2
from laaf_cli.network.slope_kinds import is_fixed
from laaf_cli.problem import SamplePoints
from laaf_cli.problem.one_line import keys_of_line, typed
from laaf_cli.processes import meeting
from laaf_cli.report import comparison as comparisons
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.comparison_table import text_tables
from laaf_cli.runfile import GridFields, RunFile
from laaf_cli.runs import session
from laaf_cli.runs.inspection import Inspection, inspect
from laaf_cli.runs.interrupt import StopFlag
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.progress import Callback, Progress
from laaf_cli.runs.resume.past import AnyPastRun
from laaf_cli.runs.resume.resumption import EquationResumeOptions
from laaf_cli.runs.resume.resumption import resume as plan_resumption
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.runs.settings import EquationSettings
from laaf_cli.runs.solution import TrainedNetwork, restore
from laaf_cli.spec import Override, Text, bundled
from laaf_cli.spec.objects import as_yaml, text_of
from laaf_cli.sweeps import Alternative, Part, plan_runs, train_runs
from laaf_cli.terminal.messages import messages
from laaf_cli.terminal.progress import make_progress
from laaf_cli.text import listed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LaafWarning(UserWarning):
    """A reason to doubt a result, or something that went wrong and did not end the training."""


class Spec:
    """A problem and how it is solved, made without YAML.

    The keys, their short forms and their checks are those of a YAML file; faults name keys instead
    of lines.

    Args:
        name: of the problem, for file names; from the title where it is empty.
        keys: `coordinates`, `unknowns`, `equations`, `conditions` and all others of a spec.
    """

    def __init__(self, *, name: str = "", **keys: Any) -> None:
        self.keys = keys
        self.text = text_of(keys, name)

    @classmethod
    def from_line(
        cls,
        equation: str,
        *,
        on: str | Sequence[str],
        conditions: str | Sequence[str] = (),
        let: str | Sequence[str] = (),
        name: str = "equation",
        **keys: Any,
    ) -> Spec:
        """The spec of what is said in a line, as the command line takes it.

        Args:
            equation: one or several, with commas between: `u_t = nu*u_xx`.
            on: the coordinates and their bounds: `x=0..1, t=0..1`.
            conditions: as `u(t=0) = sin(pi*x), u(boundary) = 0`; `u(x=0) = u(x=1)` is periodic.
            let: constants and their values: `nu=0.01/pi`.
            name: of the problem, for file names.
            keys: any other keys of a spec, as `training`.

        Raises:
            SpecError: what is said cannot be read.
        """

        def given(name: str, values: str | Sequence[str]) -> list[Text]:
            return [typed("arguments", f"{name}=", value) for value in _several(values)]

        typed_keys = keys_of_line(
            typed("arguments", "", equation),
            on=given("on", on),
            conditions=given("conditions", conditions),
            let=given("let", let),
        )
        return cls(name=name, **{**typed_keys, **keys})

    def __repr__(self) -> str:
        return self.text.content


SpecLike = str | os.PathLike[str] | Mapping[str, Any] | Spec
"""A bundled name, the path of a YAML file, the keys of a spec, or a `Spec`."""


def solve(
    spec: SpecLike,
    *,
    slopes: str | None = None,
    n: float | None = None,
    slope_recovery: bool | None = None,
    iterations: int | None = None,
    learning_rate: float | None = None,
    max_seconds: float | None = None,
    goal: float | None = None,
    seed: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
    derivatives: str = "auto",
    set: Mapping[str, Any] | None = None,
    allow_python: bool = False,
    cache: bool = True,
    retries: int = 0,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    callback: Callback | None = None,
    progress: bool | None = None,
    timeout: float = 300,
) -> Run:
    """Trains a network on a problem and checks it against its reference.

    Ctrl-C, or the stop button of a notebook, ends the training after the present iteration and
    returns what was reached. Processes that `torchrun` or Slurm started together train together;
    all get the run, and the first writes it.

    Args:
        spec: the problem.
        slopes: kind of the trainable slopes, `fixed`, `gaaf`, `llaaf` or `nlaaf`.
        n: scale n of the slopes, at least 1.
        slope_recovery: whether the slope recovery term is part of the loss.
        iterations: iterations of the one training phase.
        learning_rate: learning rate of the one training phase that takes one.
        max_seconds: bound on the seconds of the run, those of the reference among them.
        goal: the relative error at which the training ends, estimated without a reference.
        seed: the seed of everything random.
        device: `auto`, `cpu` or `cuda`.
        dtype: `float32` or `float64`.
        derivatives: what computes the derivatives: `auto`, `fused`, `taylor` or `nested`.
        set: any other keys of the spec, by dotted path, as `{"network.hidden": [50, 50]}`.
        allow_python: whether the Python file that the spec names may be run.
        cache: whether a reference that was computed before is taken, and this one kept.
        retries: how often a training that diverges goes back to its last good state.
        output: path of the run file; None keeps the run until it is saved.
        overwrite: whether a file there is replaced.
        callback: called with every `Progress` of the training.
        progress: whether a progress bar is shown; None shows it on terminals and in notebooks.
        timeout: seconds to wait for the other processes.

    Raises:
        SpecError: the spec is wrong; the error has every fault.
        UsageError: a setting does not fit, the output cannot be written, or processes do not meet.
        LostProcessError: another process was killed.
    """
    plan = _plan(
        spec,
        slopes=slopes,
        n=n,
        slope_recovery=slope_recovery,
        iterations=iterations,
        learning_rate=learning_rate,
        max_seconds=max_seconds,
        goal=goal,
        seed=seed,
        device=device,
        dtype=dtype,
        derivatives=derivatives,
        set=set,
        allow_python=allow_python,
        cache=cache,
    )
    alone = meeting.place() is None
    for sentence in (*plan.warnings, *(inspect(plan).not_finite if alone else ())):
        _warn(sentence)
    with meeting.together(timeout):
        folder, target = _target(output, plan.default_output.name)
        with session.claim(target, overwrite=overwrite, plan=plan) as past:
            _train(plan, target, past=past, retries=retries, callback=callback, progress=progress)
        return _run(target, folder)


def load(path: str | os.PathLike[str]) -> Run:
    """The run of a run file, or of the checkpoint of an unfinished training.

    Raises:
        RunFileError: the file cannot be read.
    """
    run = Run(Path(path))
    run.attributes  # noqa: B018 - raises where it is no run file
    return run


def check(spec: SpecLike, **settings: Any) -> Inspection:
    """Checks a spec without training: its terms, points, parameters, and the loss at step 0.

    Args:
        spec: the problem.
        settings: those of `solve` that change the spec.

    Raises:
        SpecError: the spec is wrong; the error has every fault.
    """
    plan = _plan(spec, **settings)
    inspection = inspect(plan)
    for sentence in (*plan.warnings, *inspection.not_finite):
        _warn(sentence)
    return inspection


def reference(
    spec: SpecLike,
    *,
    method: str | None = None,
    set: Mapping[str, Any] | None = None,
    allow_python: bool = False,
    cache: bool = True,
    **coordinates: Any,
) -> xr.Dataset:
    """Solves a problem classically, without any network.

    Args:
        spec: the problem.
        method: another reference than that of the spec: `spectral`, `hopf-cole`, `exact`, `file`.
        set: keys of the spec to change, by dotted path.
        allow_python: whether the Python file that the spec names may be run.
        cache: whether values that were computed before are taken, and these kept.
        coordinates: values of a coordinate [n_i]; those of the evaluation grid where not given.

    Returns:
        The unknowns over all coordinates; its attributes are `method`, `error_estimate` (the
        reference's own, absolute), `error_estimate_u` of an unknown `u`, and `wall_time_s`.

    Raises:
        UsageError: there is no reference, or a coordinate is unknown.
        ReferenceRefusedError: the reference does not apply.
    """
    changes = dict(set or {}) | ({} if method is None else {"reference": method})
    plan = _plan(spec, set=changes, allow_python=allow_python, cache=cache)
    if plan.reference is None:
        raise UsageError(
            f"there is no reference: {plan.no_reference or 'the spec sets `reference: none`'}"
        )
    axes = dict(zip(plan.problem.domain.coordinates, plan.problem.grid, strict=True))
    _check_coordinates(coordinates, axes)
    axes |= {name: np.atleast_1d(np.asarray(v, float)) for name, v in coordinates.items()}
    places = SamplePoints(
        {name: axes[name] for name in plan.problem.domain.coordinates}, is_grid=True
    )
    values = plan.reference.evaluate(places.block(0, places.n_points))
    fields = {name: field.reshape(places.shape) for name, field in values.fields.items()}
    attributes: dict[str, str | float] = {
        "method": plan.reference.method,
        "error_estimate": values.error_estimate,
        "wall_time_s": values.wall_time_s,
        **{f"error_estimate_{name}": error for name, error in values.error_estimates.items()},
    }
    return _dataset(GridFields(places.coordinates, fields, attributes))


def sweep(
    spec: SpecLike,
    *,
    slopes: str | Sequence[str | None] | None = None,
    n: float | Sequence[float | None] | None = None,
    slope_recovery: bool | Sequence[bool | None] | None = None,
    seeds: int | Iterable[int] = 5,
    set: Mapping[str, Any] | None = None,
    directory: str | os.PathLike[str] = "runs",
    jobs: int | None = None,
    part: str | None = None,
    overwrite: bool = False,
    allow_python: bool = False,
) -> list[Run]:
    """Trains every combination of the values given, and leaves one run file each; finished runs
    are not trained again.

    A script that calls this on Windows or macOS does so below `if __name__ == "__main__":`.

    Args:
        spec: the problem.
        slopes: one kind of slopes or several.
        n: one scale n or several.
        slope_recovery: with or without the term, or both.
        seeds: how many from 0, or which.
        set: keys of the spec to change in all runs, by dotted path.
        directory: folder of the run files.
        jobs: runs at a time; one per processor if not given.
        part: which part of the runs alone is trained, such as `3/20`; not given: all.
        overwrite: whether finished runs are trained again.
        allow_python: whether the Python file that the spec names may be run.

    Returns:
        The runs that have a file, seed by seed. Failures are reported in a `LaafWarning`.
    """
    text = _text(spec)
    methods = [
        Alternative(
            tuple(
                EquationSettings(
                    slopes=kind,
                    n=scale,
                    slope_recovery=None if is_fixed(kind) else recovery,
                    assignments=_assignments(set),
                ).overrides(text)
            )
        )
        for kind, scale, recovery in product(
            _several(slopes), _several(n), _several(slope_recovery)
        )
    ]

    def plan(overrides: Sequence[Override]) -> Plan:
        return make_plan(text, overrides, allow_python=allow_python)

    chosen = list(range(seeds) if isinstance(seeds, int) else seeds)
    runs = plan_runs(plan, [methods], chosen, Path(directory))
    if part is None:
        meeting.check_alone("a sweep", "Start one, or give each a `part`.")
    else:
        runs = Part.of(part).among(runs)
    with StopFlag(lambda: _warn("stopping; unfinished runs are lost")) as stop:
        outcomes = train_runs(runs, jobs=jobs, overwrite=overwrite, should_stop=stop.is_set)
    for outcome in outcomes:
        if outcome.detail:
            _warn(f"{outcome.run.path}: {outcome.detail}")
    return [Run(outcome.run.path) for outcome in outcomes if outcome.run.path.exists()]


def compare(
    runs: Iterable[Run | str | os.PathLike[str]],
    *,
    baseline: Run | str | os.PathLike[str] | None = None,
    sort: str = "error",
    mixed: bool = False,
) -> Comparison:
    """Compares runs over seeds: errors with their spread, failures, and what the data support.

    Args:
        runs: runs, or paths of run files.
        baseline: what the others are compared with over paired seeds: a kind of slopes, a method of
            the table, or a run.
        sort: `error`, `name`, `loss` or `time`.
        mixed: whether one table may hold runs of several problems.

    Raises:
        RunFileError: a file cannot be read.
        UsageError: runs of several problems, or no such baseline.
    """
    summaries = [ComparisonEntry.read(_path(run)) for run in runs]
    label = baseline if isinstance(baseline, str) and not Path(baseline).is_file() else None
    if baseline is not None and label is None:
        path = _path(baseline)
        if path.resolve() not in {summary.path.resolve() for summary in summaries}:
            summaries.append(ComparisonEntry.read(path))
        label = comparisons.baseline_label(summaries, path)
    return Comparison(comparisons.compare(summaries, baseline=label, sort=sort, mixed=mixed))


class Comparison:
    """Methods compared over seeds; printed, or shown in a notebook, it is a table with sentences.

    Attributes:
        result: groups of runs and pairs of methods, with all their numbers.
    """

    def __init__(self, result: comparisons.MethodComparison) -> None:
        self.result = result

    @property
    def sentences(self) -> list[str]:
        """What the data support, in words."""
        return [*self.result.sentences, *(f"Note: {flag}." for flag in self.result.flags)]

    def __repr__(self) -> str:
        return "\n".join([*(t.markdown() for t in text_tables(self.result)), *self.sentences])

    def _repr_html_(self) -> str:
        tables = [
            _html_table([table.headings, *table.rows], has_header=True)
            for table in text_tables(self.result)
        ]
        return "".join([*tables, *(f"<p>{html.escape(text)}</p>" for text in self.sentences)])


class Run:
    """A run of an equation: solution, reference, error, histories, and the network anywhere.

    Attributes:
        path: of its run file.
    """

    def __init__(self, path: Path, folder: str | None = None) -> None:
        self.path = path
        self.is_saved = folder is None
        """Whether the run file outlives this object."""
        if folder is not None:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the run file: title, seed, versions, stop reason, seconds."""
        with RunFile(self.path) as file:
            return dict(file.attributes)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The resolved spec, with every default written out."""
        with RunFile(self.path) as file:
            return file.settings

    @cached_property
    def solution(self) -> xr.Dataset:
        """The unknowns on the evaluation grid."""
        grid = self._grid("solution")
        if grid is None:
            raise RunFileError(f"{self.path} holds no solution")
        return grid

    @cached_property
    def reference(self) -> xr.Dataset | None:
        """The reference on the same grid, with its method and own error estimate as attributes;
        None without one.
        """
        return self._grid("reference")

    @cached_property
    def error(self) -> xr.Dataset | None:
        """Solution less reference; None without a reference."""
        return self._grid("error")

    @cached_property
    def relative_l2(self) -> dict[str, float] | None:
        """Relative L2 error of each unknown on the evaluation grid; None without a reference.

        Where the reference of an unknown is zero, its root mean square error.
        """
        if self.reference is None:
            return None
        return {
            str(name): relative_l2(self.solution[name].values, self.reference[name].values)
            for name in self.reference
        }

    @cached_property
    def history(self) -> xr.Dataset:
        """Losses, learning rate, seconds and error over `iteration`.

        `terms` [iteration, term] are the loss terms without their weights, `weights` those;
        `constants` [iteration, constant] the learned constants.
        """
        with RunFile(self.path) as file:
            history = file.history()
        columns = dict(history.columns)
        iteration = columns.pop("iteration")
        data: dict[str, Any] = {name: ("iteration", values) for name, values in columns.items()}
        for name, dimension in (("terms", "term"), ("weights", "term"), ("constants", "constant")):
            table: Mapping[str, Array] = getattr(history, name)
            if table:
                data[name] = (("iteration", dimension), np.stack(list(table.values()), axis=1))
        names = {"term": list(history.terms), "constant": list(history.constants)}
        return xr.Dataset(
            data, {"iteration": iteration} | {key: words for key, words in names.items() if words}
        )

    @cached_property
    def slopes(self) -> xr.Dataset:
        """n·a over `iteration`: `layer_k` [iteration, neuron_k], without neurons where the slope
        is shared.
        """
        with RunFile(self.path) as file:
            history = file.history()
        layers = {}
        for k, values in enumerate(history.slopes, start=1):
            is_shared = values.shape[1] == 1
            dimensions = ("iteration",) if is_shared else ("iteration", f"neuron_{k}")
            layers[f"layer_{k}"] = (dimensions, values[:, 0] if is_shared else values)
        return xr.Dataset(layers, {"iteration": history.columns["iteration"]})

    def __call__(self, field: str, /, **coordinates: Any) -> Array:
        """An unknown or a derivative of it anywhere, computed by the trained network.

        Args:
            field: `u`, `u_x`, `u_xt`, …, up to order 4.
            coordinates: every coordinate of the problem, as numbers or arrays that broadcast.

        Returns:
            The values, float64, of the shape that the coordinates broadcast to.

        Raises:
            UsageError: the field is unknown, or a coordinate is missing or unknown.
        """
        network = self._network
        _check_coordinates(coordinates, network.axes)
        if missing := [name for name in network.axes if name not in coordinates]:
            raise UsageError(f"values of {listed(missing)} are missing")
        arrays = np.broadcast_arrays(
            *(np.asarray(coordinates[name], dtype=np.float64) for name in network.axes)
        )
        columns = {name: a.ravel() for name, a in zip(network.axes, arrays, strict=True)}
        places = SamplePoints(columns, is_grid=False)
        for sentence in network.extrapolation(places):
            _warn(sentence)
        return network.evaluate(places, {field: network.field(field)})[field].reshape(
            arrays[0].shape
        )

    def plot(
        self,
        kind: str = "solution",
        *,
        times: Sequence[float] | None = None,
        unknown: str | None = None,
    ) -> Figure:
        """A figure of the run.

        Args:
            kind: `solution`, `frequency`, `error`, `loss`, `constants` or `slopes`.
            times: of the slices; those of the spec where not given.
            unknown: one to draw alone.

        Raises:
            UsageError, RunFileError: there is no such figure of this run.
        """
        from laaf_cli.report import figures

        [drawing] = figures.draw([figures.RunData.read(self.path)], [kind], times, unknown)
        return drawing.figure

    def report(self, path: str | os.PathLike[str] = "report.html") -> Path:
        """Writes a page that shows the run, one HTML file that needs nothing else; returns its
        path.

        Raises:
            UsageError: it cannot be written.
        """
        from laaf_cli.report.page import write_page

        write_page([self.path], Path(path))
        return Path(path)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Run:
        """Writes the run file to a path; returns the run there.

        Raises:
            UsageError: it cannot be written, or exists already.
        """
        target = Path(path)
        with session.claim(target, overwrite=overwrite), replacing(target) as part:
            shutil.copyfile(self.path, part)
        return Run(target)

    def resume(
        self,
        *,
        iterations: int | None = None,
        max_seconds: float | None = None,
        retries: int = 0,
        device: str | None = None,
        dtype: str | None = None,
        stored_spec: bool = False,
        allow_python: bool = False,
        output: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        callback: Callback | None = None,
        progress: bool | None = None,
        timeout: float = 300,
    ) -> Run:
        """Resumes the run as if it had never stopped, or trains it further.

        Args:
            iterations: more of the last phase than was planned.
            max_seconds: bound on the seconds of further training.
            retries: after divergence, from now on.
            device: another device than before.
            dtype: another precision than before.
            stored_spec: whether the spec as the run holds it counts, though its file has changed.
            allow_python: whether the Python file that the spec names may be run.
            output: path of the new run file; None keeps the run until it is saved.
            overwrite: whether a file there is replaced.
            callback: called with every `Progress` of the training.
            progress: whether a progress bar is shown.
            timeout: seconds to wait for the other processes.

        Raises:
            UsageError: there is nothing left to do.
            SpecError: the spec has changed since.
        """
        session.check_bounds(max_seconds=max_seconds)
        options = EquationResumeOptions(
            iterations=iterations,
            max_seconds=max_seconds,
            device=device,
            dtype=dtype,
            retries=retries,
            stored_spec=stored_spec,
            allow_python=allow_python,
        )
        with meeting.together(timeout):
            folder, target = _target(output, self.path.name)
            with session.take_up(
                self.path, output=target, overwrite=overwrite, warn=_warn
            ) as taken_up:
                if not isinstance(taken_up.past, PastRun):
                    raise UsageError(f"{self.path} is not a run of an equation")
                resumption = plan_resumption(taken_up.past, options)
                for sentence in resumption.inexact:
                    _warn(f"not bit for bit as without the break: {sentence}")
                _train(
                    resumption.plan,
                    target,
                    past=resumption.past,
                    retries=resumption.retries,
                    callback=callback,
                    progress=progress,
                )
            return _run(target, folder)

    def _grid(self, group: str) -> xr.Dataset | None:
        with RunFile(self.path) as file:
            grid = file.grid(group)
        return None if grid is None else _dataset(grid)

    @cached_property
    def _network(self) -> TrainedNetwork:
        with RunFile(self.path) as file:
            return restore(file)

    def _facts(self) -> dict[str, str]:
        facts, slopes = self.attributes, self.settings["slopes"]
        errors = self.relative_l2 or {}
        where = str(self.path) if self.is_saved else "not saved"
        return {
            "problem": facts["title"] or facts["problem"],
            "relative L2 error": ", ".join(f"{name} {error:.3e}" for name, error in errors.items())
            or "not known",
            "reference": self.reference.attrs["method"] if self.reference is not None else "none",
            "slopes": f"{slopes['kind']}, n = {slopes['n']:g}",
            "seed": str(facts["seed"]),
            "training": f"{facts['stop_reason']} after {facts['iterations']} iterations, "
            f"{facts['wall_time_s']:.1f} s",
            "run file": where,
        }

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._facts().items())

    def _repr_html_(self) -> str:
        return _html_table(list(self._facts().items()), has_header=False)


def _text(spec: SpecLike) -> Text:
    if isinstance(spec, Spec):
        return spec.text
    return text_of(spec) if isinstance(spec, Mapping) else bundled.find(os.fspath(spec))


def _assignments(changes: Mapping[str, Any] | None) -> tuple[Override, ...]:
    return tuple(
        Override.from_assignment(f"{path}={as_yaml(value)}")
        for path, value in (changes or {}).items()
    )


def _plan(
    spec: SpecLike,
    *,
    max_seconds: float | None = None,
    goal: float | None = None,
    derivatives: str = "auto",
    allow_python: bool = False,
    cache: bool = True,
    set: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Plan:
    session.check_bounds(max_seconds=max_seconds, goal=goal)
    text = _text(spec)
    chosen = EquationSettings(**settings, assignments=_assignments(set))
    return make_plan(
        text,
        chosen.overrides(text),
        derivatives=derivatives,
        max_seconds=max_seconds,
        goal=goal,
        allow_python=allow_python,
        cache=cache,
    )


def _target(output: str | os.PathLike[str] | None, name: str) -> tuple[str | None, Path]:
    """Where a run goes; without an output a folder that lasts as long as it is used."""
    if output is not None:
        return None, Path(output)
    folder = mkdtemp(prefix="laaf-")
    return folder, Path(folder) / name


def _run(target: Path, folder: str | None) -> Run:
    """The run that the first process has written; without an output the others get a copy."""
    written = processes.from_first(lambda: b"" if folder is None else target.read_bytes())
    if folder is not None and not processes.is_first():
        target.write_bytes(written)
    return Run(target, folder)


def _train(
    plan: Plan,
    target: Path,
    *,
    past: AnyPastRun | None = None,
    retries: int,
    callback: Callback | None,
    progress: bool | None,
) -> None:
    """Trains to a file that is claimed, with what callers see of it."""
    if progress is None:
        progress = sys.stderr.isatty() or messages().is_jupyter
    with make_progress(
        plan.known_iterations, quiet=not (progress and processes.is_first())
    ) as show:

        def on_progress(now: Progress) -> None:
            show(now)
            if callback is not None:
                callback(now)

        finished = session.train(
            plan,
            target,
            past=past,
            retries=retries,
            on_progress=on_progress,
            warn=_warn,
            on_stop=_warn,
        )
    for sentence in finished.summary.warnings:
        _warn(sentence)
    if finished.summary.stop_reason == "diverged":
        _warn(f"training diverged: {finished.summary.stop_detail}")


def _warn(sentence: str) -> None:
    """A Python warning at the line outside of laaf that led here, of the first process."""
    if not processes.is_first():
        return
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("laaf_cli"):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(sentence, LaafWarning, stacklevel=level)


def _check_coordinates(names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            raise UsageError(f"'{name}' is not a coordinate of this problem: {listed(known)}")


def _dataset(grid: GridFields) -> xr.Dataset:
    names = tuple(grid.axes)
    fields = {name: (names, values) for name, values in grid.fields.items()}
    return xr.Dataset(fields, dict(grid.axes), dict(grid.attributes))


def _several(values: Any) -> list[Any]:
    is_one = values is None or isinstance(values, str | bool | int | float)
    return [values] if is_one else list(values)


def _path(run: Run | str | os.PathLike[str]) -> Path:
    return run.path if isinstance(run, Run) else Path(run)


def _html_table(rows: Sequence[Sequence[str]], *, has_header: bool) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = [line(row, "th" if has_header and i == 0 else "td") for i, row in enumerate(rows)]
    return f"<table>{''.join(body)}</table>"
