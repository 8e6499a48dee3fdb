"""The tables of the commands, from the values they show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from laaf_cli.metrics import number_or_word
from laaf_cli.network.slope_kinds import parameter_ratio
from laaf_cli.spec.objects import as_yaml
from laaf_cli.terminal.plain_table import PlainTable
from laaf_cli.text import printable

if TYPE_CHECKING:
    from laaf_cli.report.comparison import MethodComparison
    from laaf_cli.runfile.learned_constants import EstimatedConstant
    from laaf_cli.runs.inspection import Inspection
    from laaf_cli.runs.plan import Plan
    from laaf_cli.runs.record import SolveResult


def summary_tables(summary: SolveResult) -> Iterator[PlainTable]:
    """The closing tables of a run: errors, learned constants, loss and slopes, cost."""
    yield _errors(summary)
    if summary.constants:
        yield constants_table(summary.constants)
    yield _losses(summary)
    slopes = PlainTable("slopes n·a", "mean", "minimum", "maximum")
    for k, layer in enumerate(summary.slopes, start=1):
        numbers = (layer.mean, layer.min, layer.max)
        slopes.add_texts(f"layer {k}", *(f"{value:.4f}" for value in numbers))
    if summary.n_slopes:
        yield slopes
    cost = PlainTable("training", "")
    cost.add_texts("iterations", str(summary.iterations))
    cost.add_texts("stopped", summary.stop_reason)
    for i, phase in enumerate(summary.phases):
        if phase.detail:
            detail = f"after {phase.iterations} iterations: {phase.detail}"
            cost.add_texts(f"phase {i} {phase.end}", detail)
    if summary.slopes_absorbed_at >= 0:
        cost.add_texts("slopes", absorbed_text(summary.slopes_absorbed_at))
    cost.add_texts("seconds", f"{summary.wall_time_s:.1f}")
    per_1000 = summary.seconds_per_1000
    shown = "-" if math.isnan(per_1000) else f"{per_1000:.1f}"
    cost.add_texts("seconds per 1000 iterations", shown)
    cost.add_texts("parameters + slopes", f"{summary.n_parameters} + {summary.n_slopes}")
    cost.add_texts("run file", summary.path)
    yield cost


def counts_text(n_parameters: int, n_slopes: int, n_unknowns: int) -> str:
    """The numbers of parameters and slopes, and the ratio P of section 2.2 of the paper."""
    ratio = parameter_ratio(n_parameters, n_slopes, n_unknowns)
    return f"{n_parameters} + {n_slopes}, P = {ratio:.4f}"


def absorbed_text(iteration: int) -> str:
    """What became of slopes that are part of the weights."""
    return f"part of the weights since iteration {iteration}, and as they were then"


def _errors(summary: SolveResult) -> PlainTable:
    if summary.relative_l2 is None or summary.max_error is None:
        table = PlainTable("error", "")
        table.add_texts("relative L2", why_unknown(summary.no_reference))
        if summary.estimate is not None:
            table.add_texts("estimate of it", f"{summary.estimate:.1e}, by {summary.estimated_by}")
        return table
    table = PlainTable("error", *summary.relative_l2)
    relative, largest = summary.relative_l2.values(), summary.max_error.values()
    table.add_texts("relative L2", *(number_or_word(value, ".6e") for value in relative))
    table.add_texts("largest", *(number_or_word(value, ".3e") for value in largest))
    if summary.at_times is not None:
        for i, time in enumerate(summary.times):
            at = [number_or_word(errors[i], ".3e") for errors in summary.at_times.values()]
            table.add_texts(f"relative L2 at t = {time:g}", *at)
    empty = [""] * (len(summary.relative_l2) - 1)
    table.add_texts("reference", summary.reference.split(";")[0], *empty)
    estimates = [f"{error:.1e}" for error in (summary.reference_errors or {}).values()]
    estimates[0] += f", in {summary.reference_time_s:.2f} s"
    table.add_texts("reference's own error", *estimates)
    caption_absolute(table, summary.absolute)
    return table


def caption_absolute(table: PlainTable, sentences: Sequence[str]) -> None:
    """Says below a table of errors which of them are absolute."""
    if sentences:
        table.caption = Text(printable("; ".join(sentences)))


def why_unknown(no_reference: str) -> str:
    """What is printed in place of an error that is not known.

    Args:
        no_reference: why none was found, if one was sought.
    """
    return f"unknown: {no_reference or 'the spec names no reference'}"


def _losses(summary: SolveResult) -> PlainTable:
    """The loss terms, with their weights where one is not 1, and at held-out points where they are
    known.
    """
    weighted = has_weights(summary.weights)
    fresh = bool(summary.validation)
    table = PlainTable("loss term", *["weight"] * weighted, "value", *["held-out points"] * fresh)
    for name, value in summary.terms.items():
        weight = [f"{summary.weights[name]:.4g}"] * weighted
        validation = [value_or_dash(summary.validation.get(name))] * fresh
        table.add_texts(name, *weight, f"{value:.3e}", *validation)
    table.add_texts("total", *[""] * weighted, f"{summary.total:.3e}", *[""] * fresh)
    return table


def has_weights(weights: Mapping[str, float]) -> bool:
    """Whether the weights of loss terms are worth a column."""
    return any(weight != 1 for weight in weights.values())


def value_or_dash(value: float | None) -> str:
    """A number to four digits; `-` for None."""
    return "-" if value is None else f"{value:.3e}"


def constants_table(constants: Mapping[str, EstimatedConstant]) -> PlainTable:
    """Learned constants: where they started, what was found, and how far that is from the truth."""
    from laaf_cli.runfile.learned_constants import SPREAD_OVER

    known = any(constant.truth is not None for constant in constants.values())
    looked = any(constant.interval or constant.no_interval for constant in constants.values())
    headings = ["learned constant", "start", "bounds", "found", *["95 % interval"] * looked]
    table = PlainTable(*headings, *["truth", "relative error"] * known)
    for name, constant in constants.items():
        value = found_text(constant.value, constant.spread)
        cells = [f"{constant.start:g}", _bounds(constant), value]
        if looked:
            cells += [interval_text(constant.interval) or constant.no_interval]
        if known:
            error = constant.relative_error
            cells += ["-" if constant.truth is None else f"{constant.truth:g}"]
            cells += ["-" if error is None else f"{error:.2e}"]
        table.add_texts(name, *cells)
    table.caption = Text("\n".join([f"±: {SPREAD_OVER}", *[INTERVAL_OF] * looked]))
    return table


INTERVAL_OF = "95 % interval: what noise in the data leaves open, if the equations hold exactly"


def interval_text(ends: Sequence[float] | None) -> str:
    """`0.09713 to 0.10198`, to a hundredth of the width; empty for None."""
    if ends is None:
        return ""
    lower, upper = ends
    size, width = max(abs(lower), abs(upper)), upper - lower
    if not 0 < width < math.inf:
        return f"{lower:g} to {upper:g}"
    digits = min(15, max(3, math.floor(math.log10(size)) - math.floor(math.log10(width)) + 3))
    return f"{lower:.{digits}g} to {upper:.{digits}g}"


def found_text(value: float, spread: float) -> str:
    """A value to the digit that its spread leaves, and one more, as `0.0998 ± 0.0004`; at most
    nine digits.
    """
    if not (math.isfinite(value) and math.isfinite(spread)):
        return f"{value:g} ± {spread:g}"
    size = math.floor(math.log10(abs(value))) if value else 0
    digits = 9 if spread == 0 else min(9, max(3, size - math.floor(math.log10(spread)) + 2))
    return f"{value:.{digits}g} ± {spread:.1g}"


def _bounds(constant: EstimatedConstant) -> str:
    if math.isinf(constant.lower) and math.isinf(constant.upper):
        return "none"
    if math.isinf(constant.upper):
        return f"above {constant.lower:g}"
    if math.isinf(constant.lower):
        return f"below {constant.upper:g}"
    return f"{constant.lower:g} to {constant.upper:g}"


def _derived(plan: Plan) -> PlainTable:
    """What `transform: auto` expands to, as it is written in a spec, and what it leaves."""
    derived = {"transform": plan.spec.forms, "periodic": plan.spec.periodic}
    table = PlainTable("transform: auto", "expands to")
    for key, value in derived.items():
        if value:
            table.add_texts(key, as_yaml(value))
    for name, why in (plan.problem.left or {}).items():
        table.add_texts(name, f"left to training: {why}")
    return table


def inspection_tables(plan: Plan, inspection: Inspection) -> Iterator[Table]:
    """What `laaf check` shows."""
    from laaf_cli.runs import scaling

    terms = PlainTable("loss term", "needs", "points", "where", "weight", "at step 0")
    for term in inspection.terms:
        row = (term.name, ", ".join(term.derivatives))
        if term.value is None:
            terms.add_texts(*row, "", term.region, "", "met exactly")
        else:
            numbers = (f"{term.weight:g}", f"{term.value:.3e}")
            terms.add_texts(*row, str(term.n_points), term.region, *numbers)
    if inspection.recovery is not None and plan.recovery is not None:
        numbers = (f"{plan.recovery.weight:g}", f"{inspection.recovery:.3e}")
        terms.add_texts("slope_recovery", "", "", "", *numbers)
    yield terms
    if plan.problem.left is not None:
        yield _derived(plan)
    facts = PlainTable("problem", plan.spec.title or plan.name)
    domain = plan.problem.domain
    for name, low, high in zip(domain.coordinates, domain.lower, domain.upper, strict=True):
        facts.add_texts(name, f"[{low:g}, {high:g}]")
    if (shape := domain.shape) is not None:
        facts.add_texts("shape", f"{shape.text}, {shape.quantity} {shape.measure:.6g}")
    for equation in plan.problem.fluxes.values():
        facts.add_texts(
            "added unknown", f"{equation}, a flux that jumps where it is differentiated"
        )
    hidden = " x ".join(map(str, plan.spec.network.hidden))
    bends = "".join(
        f", {'bends' if p else 'jumps'} at {name} = {place:g}" + (f" (order {p})" if p > 1 else "")
        for name, place, p, v in plan.spec.network.bends
        if not v
    )
    carried = Counter(
        ("bends" if p else "jumps", name) for name, _, p, v in plan.spec.network.bends if v
    )
    bends += "".join(f", {what} carried along {name} ({n})" for (what, name), n in carried.items())
    starts = dict.fromkeys((name, x, t) for name, x, _, _, t in plan.spec.network.spreading)
    spreading = "".join(
        f", spreads from {name} = {place:g}" + ("" if start is None else f" at t = {start:g}")
        for name, place, start in starts
    )
    facts.add_texts("network", f"{hidden}, {plan.spec.network.activation}{bends}{spreading}")
    facts.add_texts("slopes", f"{plan.spec.slopes.kind}, n = {plan.spec.slopes.n:g}")
    counts = (inspection.n_parameters, inspection.n_slopes, len(plan.spec.unknowns))
    facts.add_texts("parameters + slopes", counts_text(*counts))
    for i, phase in enumerate(plan.spec.training):
        batch = f", batches of {phase.batch}" if phase.batch else ""
        batch += f", {phase.interior} points of the equations" if phase.interior else ""
        rate = ""
        if phase.learning_rate:
            rate = f", learning rate {phase.learning_rate:g}, {phase.schedule.kind}"
        amount = f"{phase.iterations} iterations"
        if phase.features:
            amount = f"up to {phase.features} neurons in the last hidden layer"
        text = f"{phase.optimizer}, {amount}{rate}{batch}"
        facts.add_texts(f"phase {i}", text)
    if plan.recipe:
        names = ", then ".join([plan.recipe, *(other.recipe for other in plan.others)])
        facts.add_texts("training chosen", "; ".join([names, *plan.not_tried]))
        bound = f", after {plan.max_seconds:g} s at most" if plan.max_seconds else ""
        facts.add_texts("ends", f"at a relative error of {plan.goal:g}{bound}")
    facts.add_texts("derivatives", plan.engine_use)
    if hint := scaling.hint(plan):
        facts.add_texts("more processes", hint)
    facts.add_texts("reference", plan.reference.method.split(";")[0] if plan.reference else "none")
    facts.add_texts("loss at the start", f"{inspection.start_loss:.6g}")
    facts.add_texts("minimum loss of a constant + S(0)", f"{inspection.constant_bound:.6g}")
    verdicts = {True: "holds", False: "does not hold", None: "cannot be decided"}
    verdict = verdicts[inspection.theorem_holds]
    if not inspection.theorem_applies:
        verdict = "does not apply: it is of L-LAAF and N-LAAF with slope recovery"
    facts.add_texts("start condition of Theorem 2.1", verdict)
    yield facts


def comparison_tables(comparison: MethodComparison, width: int) -> Iterator[Table | Text]:
    """What `laaf compare` shows: the tables, as much as fits into `width` characters, and what
    they support.
    """
    from laaf_cli.report.comparison_table import text_tables

    for whole in text_tables(comparison):
        texts = whole.fitted(width)
        table = PlainTable(*texts.headings)
        for column in table.columns[1:]:
            column.no_wrap = True
        for row in texts.rows:
            table.add_texts(*row)
        yield table
    if comparison.sentences:
        yield Text("\n".join(comparison.sentences))
