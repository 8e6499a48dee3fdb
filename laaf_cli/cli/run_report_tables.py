"""The tables of `laaf show`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from laaf_cli.cli.tables import (
    absorbed_text,
    caption_absolute,
    constants_table,
    counts_text,
    has_weights,
    summary_tables,
    value_or_dash,
    why_unknown,
)
from laaf_cli.cli.task_tables import TaskTables
from laaf_cli.metrics import number_or_word
from laaf_cli.report.run_report import RunReport
from laaf_cli.spec.models import NO_BALANCE
from laaf_cli.terminal.plain_table import PlainTable

_BARS = " ▁▂▃▄▅▆▇█"
_PLAIN_BARS = " .:-=+*#@"
"""For terminals that know no block characters."""


def report_tables(report: RunReport) -> Iterator[PlainTable]:
    """What was solved, how, how wrong, where; losses, slopes, versions."""
    yield _problem(report)
    yield _method(report)
    yield _errors(report)
    if report.constants:
        yield constants_table(report.constants)
    yield _losses(report)
    if report.slopes:
        yield _slopes(report)
    yield versions_table(report.attributes)


def _problem(report: RunReport) -> PlainTable:
    spec = report.settings
    table = PlainTable("problem", spec.title or report.attributes["problem"])
    if spec.source:
        table.add_texts("source", spec.source)
    for name, (low, high) in spec.coordinates.items():
        table.add_texts(name, f"[{low}, {high}]")
    if spec.shape is not None:
        table.add_texts("shape", spec.shape)
    for name, value in spec.constants.items():
        table.add_texts(name, value)
    for name in spec.learn:
        table.add_texts(name, "learned")
    if spec.functions is not None:
        table.add_texts("functions", spec.functions)
    for name, form in spec.forms.items():
        table.add_texts(f"{name} of the network", form)
    for name, equation in spec.equations.items():
        table.add_texts(name, equation)
    for name, condition in spec.conditions.items():
        table.add_texts(name, condition.sentence)
    if (data := spec.data) is not None:
        targets = ", ".join(f"{name} = {value}" for name, value in (data.target or {}).items())
        noise = f", {data.noise:.3g} noise" if data.noise else ""
        table.add_texts("data", (data.file or targets or "of the reference") + noise)
    return table


def _method(report: RunReport) -> PlainTable:
    spec, facts = report.settings, report.attributes
    table = PlainTable("method", report.method)
    recovery = spec.slopes.used_recovery
    if recovery is not None:
        text = f"weight {recovery.weight:g}, {recovery.form}, {recovery.operator}"
        table.add_texts("slope recovery", text)
    hidden = "x".join(map(str, spec.network.hidden))
    periodic = f", periodic in {', '.join(spec.periodic)}" if spec.periodic else ""
    inputs = f"{spec.network.initializer}, {spec.network.inputs} inputs{periodic}"
    table.add_texts("network", f"{hidden} {spec.network.activation}, {inputs}")
    parameters = counts_text(facts["n_parameters"], facts["n_slopes"], len(spec.unknowns))
    table.add_texts("parameters + slopes", parameters)
    counts = [f"{name} {count}" for name, count in report.n_points.items()]
    table.add_texts("points", ", ".join(counts))
    renewal = spec.points.resample
    if renewal is not None:
        table.add_texts("points renewed", f"every {renewal.every} iterations, {renewal.method}")
    if spec.weights.balance.method != NO_BALANCE:
        table.add_texts("weights balanced", spec.weights.balance.method)
    for i, phase in enumerate(spec.training):
        rate = f", learning rate {phase.learning_rate:g}" if phase.learning_rate else ""
        batch = f", batches of {phase.batch}" if phase.batch else ""
        batch += f", {phase.interior} points of the equations" if phase.interior else ""
        law = "" if phase.schedule.kind == "constant" else f", {phase.schedule.kind}"
        text = f"{phase.optimizer}, {phase.iterations} iterations{rate}{law}{batch}"
        table.add_texts(f"phase {i}", text)
    if facts["slopes_absorbed_at"] >= 0:
        table.add_texts("slopes", absorbed_text(facts["slopes_absorbed_at"]))
    table.add_texts("seed, precision", f"{facts['seed']}, {facts['dtype']}")
    for event in report.events:
        table.add_texts(f"before iteration {event.iteration}", event.what)
    table.add_texts("ended", ended_text(facts, f"{facts['iterations']} iterations"))
    if report.goal_text:
        table.add_texts("goal", report.goal_text)
    return table


def _errors(report: RunReport) -> PlainTable:
    if report.errors is None:
        table = PlainTable("error", "")
        table.add_texts("relative L2", why_unknown(report.attributes["no_reference"]))
        return table
    places = report.errors
    table = PlainTable("error", *places)
    relative = (place.relative_l2 for place in places.values())
    table.add_texts("relative L2", *(number_or_word(value, ".6e") for value in relative))
    largest = (place.largest for place in places.values())
    table.add_texts("largest", *(number_or_word(value, ".3e") for value in largest))
    points, boxes = [], []
    for place in places.values():
        points.append(", ".join(f"{name} = {value:.4g}" for name, value in place.at.items()))
        sides = [f"{name} in [{a:.4g}, {b:.4g}]" for name, (a, b) in place.half_box.items()]
        boxes.append(f"{place.half_share:.2%} of the grid: {', '.join(sides)}")
    table.add_texts("largest at", *points)
    table.add_texts("half of its square in", *boxes)
    for i, time in enumerate(report.times):
        at = (report.error_at_times or {}).values()
        cells = (number_or_word(values[i], ".3e") for values in at)
        table.add_texts(f"relative L2 at t = {time:g}", *cells)
    if report.reference is not None:
        reference, empty = report.reference, [""] * (len(places) - 1)
        table.add_texts("reference", reference["method"].split(";")[0], *empty)
        known = (
            reference.get(f"error_estimate_{name}", reference["error_estimate"]) for name in places
        )
        estimates = [f"{error:.1e}" for error in known]
        estimates[0] += f", in {reference['wall_time_s']:.2f} s"
        table.add_texts("reference's own error", *estimates)
    caption_absolute(table, report.absolute)
    return table


def _losses(report: RunReport) -> PlainTable:
    weighted, fresh = has_weights(report.weights), bool(report.validation)
    headings = ["at the start", "at the end", "ratio"]
    table = PlainTable("loss term", *["weight"] * weighted, *headings, *["held-out points"] * fresh)
    rows = [
        *report.terms.items(),
        ("total without S", report.loss_without_recovery),
        ("total", report.total),
    ]
    for name, term in rows:
        is_term = name in report.terms
        weight = [f"{report.weights[name]:.4g}" if is_term else ""] * weighted
        ratio = term.end / term.start if term.start else math.nan
        shown = "-" if math.isnan(ratio) else f"{ratio:.2g}"
        course = [f"{term.start:.3e}", f"{term.end:.3e}", shown]
        validation = [value_or_dash(report.validation.get(name)) if is_term else ""] * fresh
        table.add_texts(name, *weight, *course, *validation)
    return table


def _slopes(report: RunReport) -> PlainTable:
    low = min(layer.min for layer in report.slopes)
    high = max(layer.max for layer in report.slopes)
    table = PlainTable(
        "slopes n·a", "mean", "deviation", "minimum", "maximum", f"{low:.3g} to {high:.3g}"
    )
    for k, layer in enumerate(report.slopes, start=1):
        numbers = (layer.mean, layer.deviation, layer.min, layer.max)
        texts = [f"{number:.4f}" for number in numbers]
        table.add_texts(f"layer {k}", *texts, _histogram(layer.counts))
    return table


def _histogram(counts: Sequence[int]) -> str:
    """One character per bin, as high as its count; a bin that is not empty shows."""
    try:
        _BARS.encode(sys.stdout.encoding or "ascii")
        bars = _BARS
    except UnicodeEncodeError:
        bars = _PLAIN_BARS
    most = max(counts, default=1)
    return "|" + "".join(bars[math.ceil(count / most * (len(bars) - 1))] for count in counts) + "|"


def versions_table(facts: Mapping[str, Any]) -> PlainTable:
    """What wrote a run file, from its attributes."""
    table = PlainTable("written", facts["created"])
    table.add_texts("by", f"laaf {facts['laaf_version']}, Python {facts['python_version']}")
    packages = ("torch", "numpy", "scipy", "h5py")
    table.add_texts("with", ", ".join(f"{name} {facts[f'{name}_version']}" for name in packages))
    n_processes = facts["processes"]
    each = f" in each of {n_processes} processes" if n_processes > 1 else ""
    device = f"{facts['device']} ({facts['device_name']})"
    table.add_texts("on", f"{device}, {facts['threads']} threads{each}")
    if "engine" in facts:
        table.add_texts("derivatives", facts["engine"])
    table.add_texts("problem, method", f"{facts['problem_hash'][:12]}, {facts['method_hash'][:12]}")
    return table


def ended_text(facts: Mapping[str, Any], after: str) -> str:
    """Why a training ended, from the attributes of its run file.

    Args:
        after: how far it had come.
    """
    reason = facts["stop_reason"]
    if reason == "running":
        reason = "a checkpoint of an unfinished run,"
    ended = f"{reason} after {after}, {facts['wall_time_s']:.1f} s"
    return f"{ended}; {facts['stop_detail']}" if facts["stop_detail"] else ended


TABLES = TaskTables(
    bundled={"source": lambda _name, plain: str(plain.get("source", ""))},
    of_result=summary_tables,
    of_report=report_tables,
)
"""Those of equations."""
