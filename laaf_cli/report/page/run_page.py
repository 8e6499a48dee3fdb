"""The page of a run of an equation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from laaf_cli.expression import mathml
from laaf_cli.metrics import number_or_word
from laaf_cli.report import figures
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.report.page import plots
from laaf_cli.report.page.document import (
    PageTable,
    Plots,
    Repeat,
    ReportPage,
    Section,
    Still,
    Verdict,
)
from laaf_cli.report.run_report import RunReport
from laaf_cli.runfile import RunFile
from laaf_cli.spec import ConditionSpec, RunSpec

SOLVED = 1e-2
"""A larger relative error is one that a reader sees in a figure."""

ENDED = {
    "diverged": "the training diverged",
    "interrupted": "the training was interrupted",
    "running": "the training is not finished, and this is its last checkpoint",
}
"""Stop reasons of runs that are not what was asked for."""


def make_page(path: Path, repeat: Repeat) -> ReportPage:
    """The page of a run file; raises RunFileError where it cannot be read."""
    report, run = RunReport.read(path), RunData.read(path)
    with RunFile(path) as file:
        repeated = repeat("solve", file)
    return ReportPage(
        title=run.title,
        subtitle=report.settings.source,
        verdict=make_verdict(report),
        sections=[
            _problem(report.settings),
            _solution(run),
            _error(report),
            _training(report, run),
            *_constants(report, run),
            *_slopes(report, run),
            _recipe(report),
            Section(heading="Spec", code=report.spec_text),
            origin(report.path, report.attributes, repeated),
        ],
    )


def make_verdict(report: RunReport) -> Verdict:
    """How wrong the answer is, by what, and what may help."""
    facts, error = report.attributes, report.relative_l2
    ended = ENDED.get(facts["stop_reason"], "")
    advice = [*filter(None, [facts["stop_detail"]]), *report.warnings]
    found = list(_found(report))
    aim = report.goal_text[:1].upper() + report.goal_text[1:]
    if error is None or report.reference is None:
        why = facts["no_reference"] or "the spec names no reference"
        residuals = ", ".join(f"'{k}' {v:.1e}" for k, v in report.validation.items())
        held_out = f"Mean squares at held-out points: {residuals}." if residuals else ""
        headline = f"Not solved: {ended}" if ended else aim or "How wrong this is, is not known"
        texts = [f"There is no reference: {why}.", *found, *filter(None, [held_out]), *advice]
        state = "bad" if ended else "open"
        if aim and not ended and not math.isnan(facts["estimate"]):
            state = _state(facts["estimate"], facts["goal"])
        return Verdict(state=state, headline=headline, texts=texts)
    own = ", ".join(
        f"{report.reference.get(f'error_estimate_{name}', report.reference['error_estimate']):.1e}"
        f" for {name}"
        for name in report.errors or {}
    )
    told = report.reference
    by = (
        f"Relative L2 error on the grid, by a reference that no network has seen: "
        f"{told['method'].split(';')[0]}. Its own error, in the unit of the unknown: {own}."
    )
    shown = number_or_word(error, ".1e")
    if ended:
        return Verdict(
            state="bad", headline=f"Not solved: {ended}; error {shown}", texts=[*found, by, *advice]
        )
    is_chosen = any(event.what.startswith("came by") for event in report.events)
    remedy = (
        "More seconds may help." if is_chosen else
        "Train longer, or leave the key 'training' out of the spec: it is chosen then, least "
        "squares first."
    )  # fmt: skip
    if error <= SOLVED:
        state = _state(error, facts["goal"])
        texts = [*found, by, *advice, *([remedy] if state == "open" else [])]
        return Verdict(state=state, headline=aim or f"Solved to {shown}", texts=texts)
    share = f"{error:.0%}" if error < 10 else number_or_word(error, ".1e")
    texts = [*filter(None, [aim and f"{aim}."]), *found, by, *advice, remedy]
    return Verdict(state="bad", headline=f"Not solved: wrong by {share}", texts=texts)


def _found(report: RunReport) -> Iterator[str]:
    """What each learned constant came to."""
    for name, constant in report.constants.items():
        truth = "" if constant.truth is None else f"; its truth is {constant.truth:.6g}"
        if constant.relative_error is not None:
            truth += f", so the relative error is {constant.relative_error:.1e}"
        yield f"Found: {name} = {constant.value:.6g}{truth}."


def _state(error: float, goal: float) -> str:
    """What a relative error is called, by its goal, 0 for none; a goal that is missed by a little
    leaves it open.
    """
    if error > SOLVED:
        return "bad"
    return "good" if error <= (goal or SOLVED) else "open"


def _problem(spec: RunSpec) -> Section:
    def math(text: str) -> Markup:
        return Markup(mathml(text, spec.unknowns, list(spec.coordinates)))  # noqa: S704 - it escapes

    formulas = [(name, math(text)) for name, text in spec.equations.items()]
    formulas += [(name, _condition(condition, math)) for name, condition in spec.conditions.items()]
    domain = Markup(", ").join(
        Markup("{} ∈ [{}, {}]").format(math(name), math(str(low)), math(str(high)))
        for name, (low, high) in spec.coordinates.items()
    )
    formulas.append(("domain", domain))
    shapes = {"shape": spec.shape} if spec.shape else {}
    for name, shape in {**shapes, **spec.parts}.items():
        formulas.append((name, Markup("<code>{}</code>").format(shape)))
    formulas += [("with", math(f"{name} = {value}")) for name, value in spec.constants.items()]
    formulas += [("learned", math(name)) for name in spec.learn]
    formulas += [(f"form of {name}", math(f"{name} = {form}")) for name, form in spec.forms.items()]
    if (data := spec.data) is not None:
        targets = [math(f"{name} = {value}") for name, value in (data.target or {}).items()]
        words = Markup(", ").join(targets) if targets else data.file or "values of the reference"
        noise = f", with noise of {data.noise:.3g}" if data.noise else ""
        formulas.append(("data", Markup("{}{}").format(words, noise)))
    return Section(heading="Problem", formulas=formulas)


def _condition(condition: ConditionSpec, math: Any) -> Markup:
    """Its equations, and where they hold; in words where it is an integral or of a file."""
    places = [*(condition.where or []), *(f"{k} = {v}" for k, v in (condition.at or {}).items())]
    if condition.integral is not None or condition.equation is None:
        return Markup("{}").format(condition.sentence)
    shown = Markup(", ").join(map(math, condition.equation))
    if condition.periodic is not None:
        return Markup("{}, periodic in {}").format(shown, math(condition.periodic))
    if condition.data is not None:
        return Markup("{} from {}").format(shown, condition.data)
    where = Markup(", ").join(
        Markup("the {}").format(place) if place == "boundary" else math(place) for place in places
    )
    only = Markup(", where {}").format(math(condition.only)) if condition.only else ""
    return Markup("{} at {}{}").format(shown, where, only)


def _solution(run: RunData) -> Section:
    if why := figures.KINDS["solution"].obstacle(run):
        return Section(heading="Solution", texts=[f"It is not drawn: {why}."])
    by_unknown: dict[str, dict[str, Any]] = {}
    for name, plot in plots.field_plots(run):
        by_unknown.setdefault(name.split()[0], {})[name] = plot
    return Section(
        heading="Solution",
        times=plots.moments_of(run),
        groups=[Plots(drawn, choice=name) for name, drawn in by_unknown.items()],
        pictures=list(
            _pictures(run, solution="The solution", error="The size of its error, on a log scale")
        ),
    )


def _pictures(run: RunData, **kinds: str) -> Iterator[Still]:
    """The figures of these kinds that the run has; the texts say what they show."""
    for kind, shows in kinds.items():
        if not figures.KINDS[kind].obstacle(run):
            (drawing,) = figures.draw([run], [kind])
            yield Still(drawing.figure, f"{shows}: {run.title}")


def _error(report: RunReport) -> Section:
    if report.errors is None:
        why = report.attributes["no_reference"] or "the spec names no reference"
        return Section(heading="Error", texts=[f"It is not known: {why}."])
    rows: list[list[str]] = [
        ["relative L2"],
        ["largest"],
        ["largest at"],
        ["half of its square lies in"],
    ]
    for place in report.errors.values():
        rows[0].append(number_or_word(place.relative_l2, ".3e"))
        rows[1].append(number_or_word(place.largest, ".3e"))
        rows[2].append(", ".join(f"{name} = {value:.4g}" for name, value in place.at.items()))
        sides = [f"{name} in [{a:.4g}, {b:.4g}]" for name, (a, b) in place.half_box.items()]
        rows[3].append(f"{place.half_share:.2%} of the grid: {', '.join(sides)}")
    for i, time in enumerate(report.times):
        at = (report.error_at_times or {}).values()
        rows.append([f"relative L2 at t = {time:g}", *(number_or_word(e[i], ".3e") for e in at)])
    return Section(
        heading="Error", texts=report.absolute, tables=[PageTable(["of", *report.errors], rows)]
    )


def _training(report: RunReport, run: RunData) -> Section:
    rows = [
        [
            name,
            f"{report.weights[name]:.4g}",
            f"{term.start:.3e}",
            f"{term.end:.3e}",
            f"{report.validation[name]:.3e}" if name in report.validation else "–",
        ]
        for name, term in report.terms.items()
    ]
    rows.append(["total", "", f"{report.total.start:.3e}", f"{report.total.end:.3e}", ""])
    headings = ["loss term", "weight", "at the start", "at the end", "at held-out points"]
    return Section(
        heading="Loss",
        groups=[Plots(dict(plots.history_plots(run)))],
        pictures=list(_pictures(run, loss="The loss by term, and the error")),
        tables=[PageTable(headings, rows)],
    )


def _constants(report: RunReport, run: RunData) -> Iterator[Section]:
    if not report.constants:
        return
    rows = []
    for name, constant in report.constants.items():
        ends = " to ".join(f"{end:.5g}" for end in constant.interval or ())
        truth, error = constant.truth, constant.relative_error
        rows.append(
            [
                name,
                f"{constant.start:g}",
                f"{constant.value:.6g} ± {constant.spread:.1g}",
                ends or constant.no_interval or "–",
                "–" if truth is None else f"{truth:g}",
                "–" if error is None else f"{error:.2e}",
            ]
        )
    headings = ["constant", "start", "found", "95 % interval", "truth", "relative error"]
    yield Section(
        heading="Learned constants",
        groups=[Plots(dict(plots.constant_plots(run)))],
        pictures=list(_pictures(run, constants="The learned constants while training")),
        tables=[PageTable(headings, rows)],
    )


def _slopes(report: RunReport, run: RunData) -> Iterator[Section]:
    if not report.slopes:
        return
    rows = [
        [
            f"layer {k}",
            *(f"{value:.4f}" for value in (layer.mean, layer.deviation, layer.min, layer.max)),
            ", ".join(f"{i + 1} ({values[-1, i]:.3g})" for i in plots.grown(values)),
        ]
        for k, (layer, values) in enumerate(zip(report.slopes, run.history.slopes, strict=True), 1)
    ]
    headings = ["n·a", "mean", "deviation", "minimum", "maximum", "neurons that grew most"]
    yield Section(
        heading="Slopes",
        groups=[Plots({"slopes": plots.slopes_plot(run)})],
        pictures=list(_pictures(run, slopes="The slopes of each layer while training")),
        tables=[PageTable(headings, rows)],
    )


def _recipe(report: RunReport) -> Section:
    spec, facts = report.settings, report.attributes
    hidden = " × ".join(map(str, spec.network.hidden))
    points = ", ".join(f"{name} {count}" for name, count in report.n_points.items())
    rows = [
        ["method", report.method],
        ["network", f"{hidden}, {spec.network.activation}, {spec.network.initializer}"],
        ["parameters + slopes", f"{facts['n_parameters']} + {facts['n_slopes']}"],
        ["points", points],
        ["seed, precision", f"{facts['seed']}, {facts['dtype']}"],
        ["ended", f"{facts['stop_reason']} after {facts['iterations']} iterations"],
    ]
    phases = [
        [phase.optimizer, str(phase.iterations), phase.end, phase.detail or "–"]
        for phase in report.phases
    ]
    return Section(
        heading="Recipe",
        texts=[event.what for event in report.events],
        tables=[
            PageTable(["what", ""], rows),
            PageTable(["phase", "iterations", "ended", "why"], phases),
        ],
    )


def origin(path: str, facts: Mapping[str, Any], repeated: str) -> Section:
    """What made a run file, from its attributes, and what repeats it."""
    packages = ("torch", "numpy", "scipy", "h5py")
    versions = ", ".join(f"{name} {facts[f'{name}_version']}" for name in packages)
    rows = [
        ["run file", path],
        ["written", facts["created"].replace("T", " ")],
        ["by", f"laaf {facts['laaf_version']}, Python {facts['python_version']}, {versions}"],
        ["on", f"{facts['device']} ({facts['device_name']}), {facts['threads']} threads"],
        *([["derivatives", facts["engine"]]] if "engine" in facts else []),
        ["seconds of training", f"{facts['wall_time_s']:.1f}"],
    ]
    return Section(heading="Repeat it", code=repeated, tables=[PageTable(["what", ""], rows)])
