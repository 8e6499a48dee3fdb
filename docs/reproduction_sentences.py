"""Conclusions of the study of Burgers' equation in sentences, each made from the verdict of its comparison."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from reproduction_results import (
    Chosen,
    Pairs,
    Results,
    against_fixed,
    against_tuned,
    forms,
    papers_claims,
    recovery,
    scales,
    spread_factors,
)

from laaf_cli.paper import Column
from laaf_cli.paper.columns import TABLE1
from laaf_cli.report.comparison_table import interval_text
from laaf_cli.report.statistics import MIN_PAIRS, PairedComparison, compare_pairs

VERDICTS = {
    "better": ("a smaller error", "has", "have"),
    "worse": ("a greater error", "has", "have"),
    "tie": ("the same error", "has", "have"),
    "open": ("not to be told apart", "is", "are"),
}
"""Verdict of a comparison → what is said of a method, and the verb for one and for several."""


def baseline_of(one: Results) -> Chosen | None:
    """Fixed slopes at the best of their learning rates."""
    return Chosen.among(one.errors, one.fixed)


def interval(pair: PairedComparison) -> str:
    return interval_text(pair.low, pair.high)


def on_claims(one: Results) -> Iterator[str]:
    """The paper's own comparisons, those against one method in one sentence."""
    by_other: dict[str, dict[str, PairedComparison]] = {}
    for judged in papers_claims(one):
        better, worse = judged.claim.better, judged.claim.worse
        other = "themselves without slope recovery" if worse.kind == better.kind else _named(worse)
        by_other.setdefault(other, {})[better.label] = judged.pairs
    for other, pairs in by_other.items():
        yield f"With the paper's settings, against {other}: {_each(pairs, one.n_seeds)}."


def _named(column: Column) -> str:
    return column.label if column.kind.is_adaptive else "fixed slopes"


def _each(pairs: Mapping[str, PairedComparison], n_seeds: int) -> str:
    """Every method with its ratio, those of one verdict together."""
    by_verdict: dict[str, list[str]] = {}
    for name, pair in pairs.items():
        few = f", {pair.n_pairs} pairs" if pair.n_pairs < n_seeds else ""
        by_verdict.setdefault(pair.verdict, []).append(
            f"{name} ({pair.ratio:.3g} times, {interval(pair)}{few})"
        )
    return "; ".join(
        f"{said} for {_and(by_verdict[verdict])}"
        for verdict, (said, *_) in VERDICTS.items()
        if verdict in by_verdict
    )


def on_fixed(one: Results, paper_rate: float) -> Iterator[str]:
    """Adaptive slopes against fixed ones over all n and forms, at the paper's learning rate and at the chosen one."""
    pairs = against_fixed(one)
    if pairs:
        yield f"Against fixed slopes at the learning rate {paper_rate:g}: {_counted(pairs, 'adaptive methods')}."
    baseline = baseline_of(one)
    if baseline is None or len(baseline.considered) < 2:
        return
    rates = [f"{float(column.learning_rate or paper_rate):g}" for column in baseline.considered]
    even, odd = (f"{float(column.learning_rate or paper_rate):g}" for column in baseline.choices)
    chosen = (
        f"{even}, as either half of the seeds says"
        if even == odd
        else f"{even} or {odd}, by the half of the seeds"
    )
    tuned = {
        column: pair
        for column, pair in against_tuned(one, baseline).items()
        if column.kind.is_adaptive
    }
    yield (
        f"Against fixed slopes at the best of the learning rates {_and(rates)} ({chosen}): "
        f"{_counted(tuned, 'adaptive methods')}."
    )
    best = Chosen.among(one.errors, one.adaptive)
    if best is not None and len(best.considered) > 1:
        pair = compare_pairs(best.errors, baseline.errors)
        told = " or ".join(dict.fromkeys(column.label for column in best.choices))
        yield (
            f"The best of {len(best.considered)} adaptive methods, chosen in the same way ({told}), against that "
            f"baseline: {pair.ratio:.3g} times its error ({interval(pair)}, {pair.n_pairs} pairs, p = {pair.p:.2g}), "
            f"{_SETTLED[pair.verdict]}."
        )


_SETTLED = {
    "better": "an improvement",
    "worse": "which is worse",
    "tie": "the same",
    "open": "which does not tell them apart",
}


def _counted(pairs: Pairs, what: str) -> str:
    """How many methods are better, worse and undecided, with the range of the ratios of each."""
    said = []
    for verdict, (text, singular, plural) in VERDICTS.items():
        ratios = [pair.ratio for pair in pairs.values() if pair.verdict == verdict]
        if ratios:
            least, greatest = f"{min(ratios):.3g}", f"{max(ratios):.3g}"
            span = least if least == greatest else f"{least} to {greatest}"
            said.append(
                f"{len(ratios)} {singular if len(ratios) == 1 else plural} {text} ({span} times)"
            )
        elif verdict in ("better", "worse"):
            said.append(f"none has {text}")
    return f"of {len(pairs)} {what} {_and(said)}"


def on_recovery(one: Results) -> Iterator[str]:
    """Slope recovery against none, by its form."""
    pairs = recovery(one)
    for form in dict.fromkeys(column.form for column in pairs):
        own = {column: pair for column, pair in pairs.items() if column.form == form}
        yield f"Slope recovery with the {form} in S(a), against none: {_counted(own, 'methods')}."


def on_forms(one: Results) -> Iterator[str]:
    pairs = forms(one)
    if pairs:
        yield f"The sum in S(a) in place of the mean: {_counted(pairs, 'methods')}."


def on_scales(one: Results) -> Iterator[str]:
    pairs = scales(one)
    if pairs:
        yield f"A greater n without slope recovery, against the least: {_counted(pairs, 'methods')}."


def on_slopes(one: Results) -> Iterator[str]:
    """How far the slopes grow, with slope recovery and without."""
    groups: dict[str, Callable[[Column], bool]] = {
        "without slope recovery": lambda column: not column.recovery,
        "with the mean": lambda column: column.form == "mean",
        "with the sum": lambda column: column.form == "sum",
    }
    grown = {
        name: [scale_of(one, [column]) for column in one.adaptive if inside(column)]
        for name, inside in groups.items()
    }
    told = [
        f"{min(v):.3g} to {max(v):.3g} {name}"
        for name, v in grown.items()
        if v and not any(map(math.isnan, v))
    ]
    if told:
        yield f"The greatest n·a ends, in the median over the seeds of each method, at {_and(told)}."


def scale_of(one: Results, columns: Sequence[Column]) -> float:
    values = [
        run.scale
        for column in columns
        for run in one.found[column].values()
        if math.isfinite(run.scale)
    ]
    return float(np.median(values)) if values else math.nan


def on_spread(results: Sequence[Results]) -> Iterator[str]:
    """How much the seed alone does, and what longer training does."""
    for one in results:
        factors = list(spread_factors(one))
        if factors:
            factor = max(TABLE1.errors.values()) / min(TABLE1.errors.values())
            yield (
                f"**What the seed does.** After {one.iterations} iterations the greatest error of one method over "
                f"{one.n_seeds} seeds is {min(factors):.3g} to {max(factors):.3g} times its least; all errors that the "
                f"paper prints, of single runs, lie within a factor of {factor:.3g}."
            )
            break
    for before, after in itertools.pairwise(results):
        ratios = [
            float(np.median(common))
            for column in after.errors
            if column in before.errors
            and len(common := _gains(before.errors[column], after.errors[column])) >= MIN_PAIRS
        ]
        if ratios:
            yield (
                f"**Longer training.** {after.iterations} instead of {before.iterations} iterations divide the error "
                f"of a method by {min(ratios):.3g} to {max(ratios):.3g} (medians over seeds, {len(ratios)} methods)."
            )


def _gains(before: Mapping[int, float], after: Mapping[int, float]) -> list[float]:
    both = [(before[seed], after[seed]) for seed in after if seed in before]
    return [one / other for one, other in both if math.isfinite(one) and math.isfinite(other)]


def _and(words: Sequence[str]) -> str:
    """Words with commas between and `and` before the last."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
