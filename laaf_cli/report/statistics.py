"""What errors over seeds support: quartiles, paired ratios with an interval, a test, and one plain
sentence.

A failed run counts as an infinite error: leaving it out would reward a method for failing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from laaf_cli.arrays import Array

CONFIDENCE = 0.95
N_RESAMPLES = 9999
MIN_PAIRS = 6
"""With fewer pairs the signed-rank test cannot fall below 5 %: its smallest value is 2/2ⁿ."""

_FAR = 1e3
"""A log ratio beyond all that occur, for pairs of which one run failed: infinities cannot be
averaged.
"""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median, quartiles and minimum of a sample; NaN where the sample is empty or any value is
    unknown.
    """

    median: float
    lower: float
    upper: float
    best: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of a sample that may hold infinities; quantiles by linear interpolation, as
    NumPy's default.
    """
    if not values or any(math.isnan(value) for value in values):
        return Spread(median=math.nan, lower=math.nan, upper=math.nan, best=math.nan)
    ordered = sorted(values)
    return Spread(
        median=_quantile(ordered, 0.5),
        lower=_quantile(ordered, 0.25),
        upper=_quantile(ordered, 0.75),
        best=ordered[0],
    )


def _quantile(ordered: Sequence[float], q: float) -> float:
    position = q * (len(ordered) - 1)
    low, high = ordered[math.floor(position)], ordered[math.ceil(position)]
    part = position - math.floor(position)
    # Between a number and infinity there is nothing to interpolate.
    if part == 0 or low == high:
        return low
    return math.inf if math.isinf(high) else low + part * (high - low)


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """A method against a baseline over the seeds that both have."""

    n_pairs: int
    n_equal: int = 0
    """Pairs with equal errors, which those of two failed runs are not."""
    n_both_failed: int = 0
    """Pairs in which both failed."""
    n_failed: int = 0
    """Pairs in which only this method failed."""
    n_baseline_failed: int = 0
    """Pairs in which only the baseline failed."""
    ratio: float = math.nan
    """Median over pairs of error / baseline's error; below 1 the method is better."""
    low: float = math.nan
    """Lower end of the bootstrap interval of that median."""
    high: float = math.nan
    """Upper end of the bootstrap interval of that median."""
    p: float = math.nan
    """The p-value of the Wilcoxon signed-rank test of the log ratios, two-sided."""
    adjusted: float = math.nan
    """p after Holm (1979), for all methods compared with this baseline."""

    @property
    def is_tie(self) -> bool:
        """Whether every pair has equal, finite errors."""
        return self.n_pairs > 0 and self.n_equal == self.n_pairs

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `tie`, or `open` where the data do not decide."""
        if self.is_tie:
            return "tie"
        if self.n_pairs < MIN_PAIRS or not self.adjusted < 1 - CONFIDENCE:
            return "open"
        return "better" if self.high < 1 else "worse" if self.low > 1 else "open"

    def sentence(self, name: str, baseline: str) -> str:
        """What the pairs do and do not support, in one sentence."""
        if self.n_pairs == 0:
            return f"{name} and {baseline} have no seed in common: no pairs to compare."
        if self.is_tie:
            return (
                f"No difference between {name} and {baseline}: {_pairs(self.n_pairs)} with "
                "equal errors."
            )
        if self.n_both_failed == self.n_pairs:
            return (
                f"{name} and {baseline} both failed with every seed: nothing can be said of "
                "their errors."
            )
        verdict_text = (
            f"{_number(self.ratio)} times that of {baseline} (median of "
            f"{_pairs(self.n_pairs)}{self._failures()}"
        )
        if self.n_pairs == 1:
            return f"The error of {name} is {verdict_text}); one seed says nothing about others."
        interval = (
            f", {100 * CONFIDENCE:.0f} % interval {_number(self.low)} to {_number(self.high)}"
        )
        test = f", p = {self.adjusted:.2g})" if not math.isnan(self.adjusted) else ")"
        facts = f"the error of {name} is {verdict_text}{interval}{test}"
        match self.verdict:
            case "better":
                return f"{name} is better than {baseline}: {facts}."
            case "worse":
                return f"{name} is worse than {baseline}: {facts}."
        why = (
            f"{self.n_pairs} pairs cannot show a difference at 5 %, {MIN_PAIRS} can"
            if self.n_pairs < MIN_PAIRS
            else "that does not show that they are equal"
        )
        return f"The data do not distinguish {name} from {baseline}: {facts}; {why}."

    def _failures(self) -> str:
        counts = (self.n_failed, self.n_baseline_failed, self.n_both_failed)
        if not any(counts):
            return ""
        return (
            f"; only the first failed in {counts[0]}, only the second in {counts[1]}, both "
            f"in {counts[2]}"
        )


def _pairs(n: int) -> str:
    return f"{n} paired seed{'' if n == 1 else 's'}"


def _number(value: float) -> str:
    return "inf" if math.isinf(value) else f"{value:.3g}"


def compare_pairs(errors: Mapping[int, float], baseline: Mapping[int, float]) -> PairedComparison:
    """The comparison over the seeds that both have; errors by seed, infinite where a run failed,
    NaN where unknown.
    """
    seeds = sorted(errors.keys() & baseline.keys())
    pairs = [(errors[seed], baseline[seed]) for seed in seeds]
    pairs = [pair for pair in pairs if not any(map(math.isnan, pair))]
    if not pairs:
        return PairedComparison(n_pairs=0)
    logs = np.array([_log_ratio(*pair) for pair in pairs])
    failed = [(math.isinf(error), math.isinf(other)) for error, other in pairs]
    low, high = bootstrap_interval(logs)
    p = signed_rank_p(logs)
    return PairedComparison(
        n_pairs=len(pairs),
        n_equal=sum(error == other and not math.isinf(error) for error, other in pairs),
        n_both_failed=failed.count((True, True)),
        n_failed=failed.count((True, False)),
        n_baseline_failed=failed.count((False, True)),
        ratio=_from_log(float(np.median(logs))),
        low=_from_log(low),
        high=_from_log(high),
        p=p,
        adjusted=p,
    )


def _log_ratio(error: float, baseline: float) -> float:
    if error == baseline:
        return 0.0
    if math.isinf(error) or baseline == 0:
        return _FAR
    if math.isinf(baseline) or error == 0:
        return -_FAR
    return math.log(error / baseline)


def _from_log(value: float) -> float:
    return math.inf if value > _FAR / 4 else 0.0 if value < -_FAR / 4 else math.exp(value)


def bootstrap_interval(sample: Array) -> tuple[float, float]:
    """The percentile bootstrap interval of the median (Efron & Tibshirani 1993, section 13.3),
    by SciPy, seed 0.
    """
    if len(sample) < 2 or np.all(sample == sample[0]):
        return float(sample[0]), float(sample[0])
    result = stats.bootstrap(
        (sample,),
        np.median,
        confidence_level=CONFIDENCE,
        n_resamples=N_RESAMPLES,
        method="percentile",
        vectorized=True,
        axis=-1,
        rng=np.random.default_rng(0),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def signed_rank_p(sample: Array) -> float:
    """Two-sided p of the Wilcoxon signed-rank test that a sample is symmetric about 0, by SciPy;
    NaN if all are 0.
    """
    if len(sample) < 2 or not np.any(sample):
        return math.nan
    return float(stats.wilcoxon(sample, zero_method="pratt").pvalue)


def holm(comparisons: Sequence[PairedComparison]) -> list[PairedComparison]:
    """The comparisons with p adjusted for their number, after Holm 1979, Scand. J. Statist. 6,
    65–70.
    """
    known = [i for i, comparison in enumerate(comparisons) if not math.isnan(comparison.p)]
    order = sorted(known, key=lambda i: comparisons[i].p)
    adjusted = list(comparisons)
    least = 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * comparisons[i].p))
        adjusted[i] = replace(comparisons[i], adjusted=least)
    return adjusted
