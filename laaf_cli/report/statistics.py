"""What errors over seeds support: quartiles, paired ratios with an interval, a test, and one plain
sentence.

A failed run counts as an infinite error: leaving it out would reward a method for failing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special, stats

from laaf_cli.arrays import Array

CONFIDENCE = 0.95
LEVEL = 0.05
"""p below which there is a difference."""
POWER, RATIO = 0.8, 1.5
"""What seeds are planned for: that a ratio of errors so large is seen so often."""

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
    """Lower end of the interval of that median."""
    high: float = math.nan
    """Upper end of the interval of that median."""
    coverage: float = math.nan
    """How often such an interval holds the true median; below 95 % with fewer than 6 pairs."""
    p: float = math.nan
    """The p-value of the Wilcoxon signed-rank test of the log ratios, two-sided."""
    adjusted: float = math.nan
    """p after Holm (1979), for all comparisons of the family."""
    family: int = 1
    """How many comparisons are made together."""

    @property
    def is_tie(self) -> bool:
        """Whether every pair has equal, finite errors."""
        return self.n_pairs > 0 and self.n_equal == self.n_pairs

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `tie`, or `open` where the data do not decide."""
        if self.is_tie:
            return "tie"
        if not self.adjusted < LEVEL:
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
            f", {100 * self.coverage:.3g} % interval {_number(self.low)} to {_number(self.high)}"
        )
        test = f", p = {self.adjusted:.2g})" if not math.isnan(self.adjusted) else ")"
        facts = f"the error of {name} is {verdict_text}{interval}{test}"
        match self.verdict:
            case "better":
                return f"{name} is better than {baseline}: {facts}."
            case "worse":
                return f"{name} is worse than {baseline}: {facts}."
        needed = pairs_needed(self.family)
        why = "that does not show that they are equal"
        if self.n_pairs < needed:
            why = f"{self.n_pairs} pairs cannot show a difference at 5 %, {needed} can"
            why += f" with {self.family} comparisons" * (self.family > 1)
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
    low, high, coverage = median_interval(logs)
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
        coverage=coverage,
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


def median_interval(sample: Array) -> tuple[float, float, float]:
    """The interval between two order statistics that holds the median of any continuous
    distribution, and how often it does: 1 − 2 P(Bin(n, ½) < k) between the k-th smallest and the
    k-th largest (David & Nagaraja 2003, section 7.1).

    The narrowest with 95 %, or all of the sample where none has that much, as below 6 values.
    """
    n, ordered = len(sample), np.sort(sample)
    k = max(1, int(stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5)))
    coverage = 1 - 2 * float(stats.binom.cdf(k - 1, n, 0.5))
    return float(ordered[k - 1]), float(ordered[n - k]), max(0.0, coverage)


def pairs_needed(n_comparisons: int = 1) -> int:
    """The fewest pairs with which the signed-rank test can show a difference among so many
    comparisons: its smallest p is 2/2ⁿ, and Holm multiplies the smallest of all by their number.
    """
    n = 1
    while n_comparisons * 2 / 2**n >= LEVEL:
        n += 1
    return n


def seeds_needed(deviation: float, n_comparisons: int = 1, ratio: float = RATIO) -> int:
    """The pairs with which the signed-rank test sees a ratio of errors with a power of 80 %, at 5 %
    after Bonferroni for so many comparisons.

    n = π/3 [(z_{1−α/2} + z_{power}) σ / ln ratio]² + z_{1−α/2}²/2: that of the t test (Guenther
    1981) with the efficiency 3/π of the ranks under a normal distribution (Lehmann 1975, section
    4.3).

    Args:
        deviation: σ, the standard deviation of the log ratios of a pair.
        ratio: above 1.
    """
    z = float(special.ndtri(1 - LEVEL / (2 * n_comparisons)))
    signal = math.log(ratio) / deviation
    by_power = math.pi / 3 * ((z + float(special.ndtri(POWER))) / signal) ** 2 + z**2 / 2
    return max(pairs_needed(n_comparisons), math.ceil(by_power))


def log_deviation(errors: Sequence[float]) -> float:
    """The standard deviation of the logarithm of errors, from their quartiles, which failed runs
    beyond them do not move; NaN with fewer than two or where a quarter failed.
    """
    found = spread(errors)
    if len(errors) < 2 or not 0 < found.lower <= found.upper < math.inf:
        return math.nan
    return math.log(found.upper / found.lower) / (2 * float(special.ndtri(0.75)))


def signed_rank_p(sample: Array) -> float:
    """Two-sided p of the Wilcoxon signed-rank test that a sample is symmetric about 0, by SciPy;
    NaN if all are 0.
    """
    if len(sample) < 2 or not np.any(sample):
        return math.nan
    return float(stats.wilcoxon(sample, zero_method="pratt").pvalue)


def equivalence_p(
    errors: Mapping[int, float], baseline: Mapping[int, float], factor: float
) -> float:
    """p of two one-sided signed-rank tests that the median ratio of pairs lies within 1/factor to
    factor (Schuirmann 1987); NaN with fewer than two pairs.
    """
    both = [(errors[seed], baseline[seed]) for seed in errors.keys() & baseline.keys()]
    logs = np.array([_log_ratio(*pair) for pair in both if not any(map(math.isnan, pair))])
    if len(logs) < 2:
        return math.nan
    below = stats.wilcoxon(logs - math.log(factor), alternative="less").pvalue
    above = stats.wilcoxon(logs + math.log(factor), alternative="greater").pvalue
    return float(max(below, above))


def rank_sum_p(errors: Mapping[int, float], baseline: Mapping[int, float]) -> float:
    """Two-sided p of the Mann-Whitney test of unpaired errors, by SciPy; NaN where a side has none.

    It takes failed runs, of infinite error, as the largest.
    """
    ours, theirs = ([e for e in of.values() if not math.isnan(e)] for of in (errors, baseline))
    return float(stats.mannwhitneyu(ours, theirs).pvalue) if ours and theirs else math.nan


def adjusted_ps(ps: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, after Holm 1979, Scand. J. Statist. 6, 65–70; NaN is no
    test.
    """
    order = sorted((i for i, p in enumerate(ps) if not math.isnan(p)), key=lambda i: ps[i])
    adjusted = [math.nan] * len(ps)
    least = 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * ps[i]))
        adjusted[i] = least
    return adjusted


def holm(comparisons: Sequence[PairedComparison]) -> list[PairedComparison]:
    """The comparisons as a family: p is adjusted for their number."""
    ps = [comparison.p for comparison in comparisons]
    family = max(1, sum(not math.isnan(p) for p in ps))
    return [
        replace(comparison, adjusted=p, family=family)
        for comparison, p in zip(comparisons, adjusted_ps(ps), strict=True)
    ]
