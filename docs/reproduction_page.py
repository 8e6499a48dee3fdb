"""The study of Burgers' equation as Markdown: every number and every conclusion comes from the results."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from reproduction_results import (
    Results,
    against_fixed,
    against_tuned,
    forms,
    papers_claims,
    recovery,
    scales,
)
from reproduction_sentences import (
    baseline_of,
    interval,
    on_claims,
    on_fixed,
    on_forms,
    on_recovery,
    on_scales,
    on_slopes,
    on_spread,
    scale_of,
)

from laaf_cli.paper import Column
from laaf_cli.paper.claims import CLAIMS
from laaf_cli.paper.columns import TABLE1
from laaf_cli.report.comparison_table import TextTable, error_text, number_text, pair_texts
from laaf_cli.report.figures.canvas import make_figure, printed
from laaf_cli.report.figures.save import save
from laaf_cli.report.statistics import MIN_PAIRS, PairedComparison, spread
from laaf_cli.spec import RunSpec

PICTURE = "reproduction-table1-errors.png"
WIDTH = 120

JUDGED = f"""### How it is judged

Ratios are medians over pairs of runs with one seed, with the 95 % bootstrap interval of that median; below 1 the first
method is better. A run that diverged counts as an infinite error. p is that of the Wilcoxon signed-rank test of the
log ratios, after Holm within a family. The families: the {len(CLAIMS)} claims of the paper; all adaptive methods
against fixed slopes at the paper's learning rate; all methods against the chosen baseline; slope recovery against
none; greater n against the least; the sum in S(a) against the mean. Each number of iterations has families of its own.
A difference is told where p is below 0.05 and the interval leaves out 1; its ratio is **bold**. With fewer than
{MIN_PAIRS} pairs it never could be, and such comparisons are left out.

*The chosen baseline* is fixed slopes at the best of their learning rates. Even seeds choose the rate for the odd seeds,
by the least median error, and odd seeds for the even ones, so that no run is judged by a choice that it had a part in.
"""


def short(results: Sequence[Results], rate: float) -> str:
    """The conclusions in short, for each number of iterations, then those over all; rate: the paper's."""
    bullets: list[str] = []
    for one in results:
        told = [*on_claims(one), *on_fixed(one, rate), *on_recovery(one)]
        bullets += [f"- **Burgers' equation, {one.iterations} iterations**:"] if told else []
        bullets += [_wrapped(sentence, "  - ") for sentence in told]
    return "\n".join([*bullets, *(_wrapped(sentence, "- ") for sentence in on_spread(results))])


def _wrapped(text: str, bullet: str = "") -> str:
    """The text in lines; none begins with a plus, which would make it a bullet."""
    joined = "\u00a0+ "
    lines = textwrap.fill(
        text.replace(" + ", joined),
        WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(joined[0], " ")


def burgers(results: Sequence[Results], spec: RunSpec, commands: Sequence[str]) -> str:
    """The section on Table 1."""
    parts = [
        "## Table 1: Burgers' equation",
        _wrapped(_set_up(spec, results)),
        "```sh\n" + "\n".join(commands) + "\n```",
    ]
    parts += [_wrapped(_there(one)) for one in results]
    shown = "The error of every run by method: a dot for each seed, a cross if one failed, a bar at the median"
    parts.append(f"![{shown}](images/{PICTURE})")
    parts.append(JUDGED)
    for one in results:
        if one.found:
            parts += _after(one, spec)
    return "\n\n".join(part.strip() for part in parts)


def took(results: Sequence[Results]) -> str:
    """What the training took, and on what."""
    lines = []
    for one in results:
        seconds = [
            run.seconds
            for runs in one.found.values()
            for run in runs.values()
            if math.isfinite(run.seconds)
        ]
        if seconds:
            found = spread(seconds)
            lines.append(
                f"{one.iterations} iterations took a run {found.median:.3g} s in the median (quartiles "
                f"{found.lower:.3g} to {found.upper:.3g} s), and all {len(seconds)} runs {sum(seconds) / 3600:.2g} h."
            )
    made = sorted(
        {run.made for one in results for runs in one.found.values() for run in runs.values()}
    )
    made_with = "Made with " + "; ".join(made) + ". The machine had other work to do besides."
    return _wrapped(" ".join(["Table 1, one thread for each run:", *lines, made_with]))


def _set_up(spec: RunSpec, results: Sequence[Results]) -> str:
    layers = spec.network.hidden
    data = " and ".join(
        f"{condition.points} ({name})" for name, condition in spec.conditions.items()
    )
    columns = results[0].columns
    rates = ", ".join(
        f"{_rate(column, spec):g}" for column in columns if not column.kind.is_adaptive
    )
    scales = ", ".join(dict.fromkeys(column.n for column in columns if column.n is not None))
    return (
        f"The set-up of section 3.2: {len(layers)} hidden layers of {layers[0]} neurons, {spec.network.activation}, "
        f"{spec.points.interior} collocation points, data points {data}, Adam with {spec.training[0].learning_rate:g}, "
        f"{spec.dtype}. The fixed activation has the learning rates {rates}; the adaptive methods have the first of "
        f"them and n = {scales}, each without slope recovery, with the mean over layers in S(a) as in the formula, and "
        "with the sum as in the authors' script (GAAF has one slope, and both are the same). Runs with one seed share "
        "their points and initial weights. The error is the relative L2 error against Hopf-Cole on "
        f"{' × '.join(str(size) for size in (spec.evaluation.grid or {}).values())} points."
    )


def _rate(column: Column, spec: RunSpec) -> float:
    return float(column.learning_rate or spec.training[0].learning_rate)


def _there(one: Results) -> str:
    """Which of the runs are there, and which are not."""
    n_all = len(one.columns) * one.n_seeds
    if one.n_runs == n_all:
        return f"{one.iterations} iterations: all {n_all} runs, {one.n_seeds} seeds of {len(one.columns)} methods."
    by_count: dict[int, list[str]] = {}
    for column in one.columns:
        by_count.setdefault(len(one.found.get(column, ())), []).append(column.label)
    told = [
        f"{count} of {one.n_seeds} seeds of {'; '.join(labels)}"
        for count, labels in sorted(by_count.items(), reverse=True)
        if count
    ]
    none = f" No run of {'; '.join(by_count[0])}." if 0 in by_count else ""
    return (
        f"**{one.iterations} iterations: {one.n_runs} of {n_all} runs**, for lack of processor time. There are "
        f"{', and '.join(told) if told else 'none'}.{none}"
    )


def _after(one: Results, spec: RunSpec) -> Iterator[str]:
    """The section on one number of iterations."""
    yield f"### After {one.iterations} iterations"
    yield _errors(one, spec.training[0].iterations)
    claims = papers_claims(one)
    if claims:
        rows = [(judged.claim.text, *pair_texts(judged.pairs), judged.verdict) for judged in claims]
        yield "What becomes of the paper's claims, at its n = 10 and its form of slope recovery:"
        yield _table(("claim", "ratio of errors", "95 % interval", "p", "verdict"), rows)
    baseline = baseline_of(one)
    families = {
        "against fixed": against_fixed(one),
        "against the chosen baseline": against_tuned(one, baseline),
        "against the same without recovery": recovery(one),
        "against the least n": scales(one),
        "sum against mean": forms(one),
    }
    shown = {name: pairs for name, pairs in families.items() if pairs}
    methods = [column for column in one.found if any(column in pairs for pairs in shown.values())]
    if methods:
        yield "Every method, with the ratio of errors and its interval:"
        yield _table(
            ("method", *shown),
            [
                (column.label, *(_cell(pairs.get(column), one.n_seeds) for pairs in shown.values()))
                for column in methods
            ],
        )
    rate = spec.training[0].learning_rate
    told = [
        *on_claims(one),
        *on_fixed(one, rate),
        *on_recovery(one),
        *on_forms(one),
        *on_scales(one),
        *on_slopes(one),
    ]
    yield "What this says:"
    yield "\n".join(_wrapped(sentence, "- ") for sentence in told)


def _errors(one: Results, paper_length: int) -> str:
    is_papers = one.iterations == paper_length
    rows = []
    for column, runs in one.found.items():
        errors = [run.error for run in runs.values()]
        found = spread(errors)
        rows.append(
            (
                column.label,
                *([error_text(TABLE1.errors.get(column.published, math.nan))] if is_papers else []),
                str(len(errors)),
                str(sum(map(math.isinf, errors))),
                error_text(found.median),
                f"{error_text(found.lower)} to {error_text(found.upper)}",
                error_text(found.best),
                error_text(max(errors)),
                number_text(scale_of(one, [column]), ".3g"),
            )
        )
    headings = (
        "method",
        *(["published"] if is_papers else []),
        "runs",
        "failed",
        "median",
        "quartiles",
        "least",
        "greatest",
        "n·a",
    )
    note = (
        "*Published* is the number of the paper, a single run without a spread. "
        if is_papers
        else ""
    )
    note += "*n·a* is that of the steepest neuron, in the median over the seeds."
    return f"{_table(headings, rows)}\n\n{note}"


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return TextTable(headings, tuple(rows)).markdown().strip()


def _cell(pair: PairedComparison | None, n_seeds: int) -> str:
    if pair is None:
        return ""
    ratio = number_text(pair.ratio, ".3g")
    few = f", {pair.n_pairs} pairs" if pair.n_pairs < n_seeds else ""
    return f"{f'**{ratio}**' if pair.verdict in ('better', 'worse') else ratio} ({interval(pair)}{few})"


@printed()
def draw(results: Sequence[Results], folder: Path) -> None:
    """The error of every run, a line for each method, a panel for each number of iterations."""
    shown = [one for one in results if one.found]
    columns = [column for column in shown[0].columns if any(column in one.found for one in shown)]
    figure = make_figure("", 0.19 * len(columns) + 0.3)
    panels = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
    for axes, one in zip(panels, shown, strict=True):
        for place, column in enumerate(columns):
            _draw_line(
                axes, place, column, [run.error for run in one.found.get(column, {}).values()]
            )
        axes.set(xscale="log", xlabel="relative L2 error", title=f"{one.iterations} iterations")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(_plain_number))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="x", color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
    panels[0].set_yticks(range(len(columns)), [column.label for column in columns])
    panels[0].set_ylim(len(columns) - 0.4, -0.6)
    save(figure, folder / PICTURE)


def _plain_number(value: float, _position: int) -> str:
    return f"{value:g}"


def _draw_line(axes: Axes, place: int, column: Column, errors: Sequence[float]) -> None:
    color = column.kind.color
    known = [error for error in errors if math.isfinite(error)]
    axes.plot(
        known, [place] * len(known), "o", color=color, markersize=3, alpha=0.5, markeredgewidth=0
    )
    if errors and math.isfinite(median := spread(errors).median):
        axes.plot([median, median], [place - 0.35, place + 0.35], color=color, linewidth=2)
    if len(known) < len(errors):
        right = axes.get_yaxis_transform()
        axes.plot([0.98], [place], "x", color=color, markersize=5, transform=right)
