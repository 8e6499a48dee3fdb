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
    "better": "is smaller than that of {other} for {names}",
    "worse": "is greater than that of {other} for {names}",
    "tie": "equals that of {other} for {names}",
    "open": "cannot be told from that of {other} for {names}",
}
"""Verdict of a comparison → what is said of the error."""


def baseline_of(one: Results) -> Chosen | None:
    return Chosen.among(one.errors, one.fixed)


def interval(pair: PairedComparison) -> str:
    return interval_text(pair.low, pair.high)


def on_claims(one: Results) -> Iterator[str]:
    """The paper's own comparisons, those against one method in one sentence."""
    by_other: dict[str, dict[str, PairedComparison]] = {}
    for judged in papers_claims(one):
        better, worse = judged.claim.better, judged.claim.worse
        other = "the same without it" if worse.kind == better.kind else _with_name(worse)
        by_other.setdefault(other, {})[better.label] = judged.pairs
    for other, pairs in by_other.items():
        yield f"At the paper's n and learning rate {_grouped(pairs, other, one.n_seeds)}."


def _with_name(column: Column) -> str:
    return "fixed slopes" if column.kind == "fixed" else column.label


def _grouped(pairs: Mapping[str, PairedComparison], other: str, n_seeds: int) -> str:
    """What is said of the error of several methods, those of one verdict together."""
    by_verdict: dict[str, list[str]] = {}
    for name, pair in pairs.items():
        few = f", {pair.n_pairs} pairs" if pair.n_pairs < n_seeds else ""
        by_verdict.setdefault(pair.verdict, []).append(f"{name} ({pair.ratio:.3g} times, {interval(pair)}{few})")
    said = [
        form.format(other=other if i == 0 else "it", names=_and(by_verdict[verdict]))
        for i, (verdict, form) in enumerate((v, f) for v, f in VERDICTS.items() if v in by_verdict)
    ]
    return "the error " + "; it ".join(said).replace("that of it", "that")


def on_fixed(one: Results) -> Iterator[str]:
    """Adaptive slopes against fixed ones over all n and forms, at the paper's learning rate and at the chosen one."""
    pairs = against_fixed(one)
    if pairs:
        yield f"Against fixed slopes at the paper's learning rate {_counted(pairs, 'adaptive methods')}."
    baseline = baseline_of(one)
    if baseline is None or len(baseline.considered) < 2:
        return
    tuned = against_tuned(one, baseline)
    yield (
        f"Of {len(baseline.considered)} learning rates fixed slopes are best with {baseline.told}; "
        f"against that baseline {_counted({c: p for c, p in tuned.items() if c.kind != 'fixed'}, 'adaptive methods')}."
    )
    best = Chosen.among(one.errors, one.adaptive)
    if best is not None and len(best.considered) > 1:
        pair = compare_pairs(best.errors, baseline.errors)
        yield (
            f"The best adaptive method, chosen likewise among {len(best.considered)} ({best.told}), has "
            f"{pair.ratio:.3g} times the error of that baseline ({interval(pair)}, {pair.n_pairs} pairs, "
            f"p = {pair.p:.2g}), which {_SETTLED[pair.verdict]}."
        )


_SETTLED = {
    "better": "is an improvement",
    "worse": "is worse",
    "tie": "is the same",
    "open": "does not tell them apart",
}


def _counted(pairs: Pairs, what: str) -> str:
    """How many methods are better, worse and undecided."""
    counts = {verdict: sum(pair.verdict == verdict for pair in pairs.values()) for verdict in VERDICTS}
    said = [f"{counts['better']} are better", f"{counts['worse']} are worse"]
    said += [f"{counts[verdict]} {text}" for verdict, text in _UNDECIDED.items() if counts[verdict]]
    return f"{_and([f'of {len(pairs)} {what} {said[0]}', *said[1:]])}{_range(pairs)}"


_UNDECIDED = {"tie": "are the same", "open": "cannot be told apart from it"}


def _range(pairs: Pairs) -> str:
    """The least and greatest ratio of those that are told apart."""
    ratios = [pair.ratio for pair in pairs.values() if pair.verdict in ("better", "worse")]
    return f" (ratios {min(ratios):.3g} to {max(ratios):.3g} where told)" if ratios else ""


def on_recovery(one: Results) -> Iterator[str]:
    """Slope recovery by its form: what it does to the error, and the sum against the mean."""
    pairs = recovery(one)
    for form in dict.fromkeys(column.form for column in pairs):
        own = {column: pair for column, pair in pairs.items() if column.form == form}
        yield f"Slope recovery with the {form} in S(a), against none: {_counted(own, 'methods')}."
    summed = forms(one)
    if summed:
        yield f"The sum in place of the mean: {_counted(summed, 'methods')}."


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
        name: [scale_of(one, [column]) for column in one.adaptive if inside(column)] for name, inside in groups.items()
    }
    told = [f"{min(v):.3g} to {max(v):.3g} {name}" for name, v in grown.items() if v and not any(map(math.isnan, v))]
    if told:
        yield f"The greatest n·a ends, in the median over the seeds of each method, at {_and(told)}."


def scale_of(one: Results, columns: Sequence[Column]) -> float:
    values = [run.scale for column in columns for run in one.found[column].values() if math.isfinite(run.scale)]
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
