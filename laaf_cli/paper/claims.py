"""What the paper claims of its methods, and what paired seeds say about each claim."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from laaf_cli.paper.columns import FIXED, GAAF, LLAAF, LLAAF_RECOVERY, NLAAF, NLAAF_RECOVERY, Column
from laaf_cli.report.statistics import MIN_PAIRS, PairedComparison, compare_pairs, holm

Errors = Mapping[Column, Mapping[int, float]]
"""Relative L2 errors by method and seed, infinite where a run failed."""


@dataclass(frozen=True)
class Claim:
    """That one method has a smaller error than another."""

    text: str
    better: Column
    worse: Column

    def among(self, columns: Collection[Column]) -> list[Claim]:
        """The claim for each n and form of slope recovery that its two methods were run with, as
        the text then says.
        """
        claims = []
        for better in columns:
            if replace(better, n=None, form=None) != self.better:
                continue
            settings = [f"n = {float(better.n):g}"] if better.n else []
            settings += [better.form] if better.form else []
            text = self.text + (f" ({', '.join(settings)})" if settings else "")
            worse = replace(self.worse, n=better.n if self.worse.kind.is_adaptive else None)
            claims += [Claim(text, better, worse)] if worse in columns else []
        return claims


CLAIMS = (
    Claim("a global adaptive slope improves on fixed slopes", GAAF, FIXED),
    Claim("layer-wise slopes improve on fixed slopes", LLAAF, FIXED),
    Claim("neuron-wise slopes improve on fixed slopes", NLAAF, FIXED),
    Claim("layer-wise slopes improve on a global one", LLAAF, GAAF),
    Claim("neuron-wise slopes improve on a global one", NLAAF, GAAF),
    Claim("slope recovery improves layer-wise slopes", LLAAF_RECOVERY, LLAAF),
    Claim("slope recovery improves neuron-wise slopes", NLAAF_RECOVERY, NLAAF),
    Claim("layer-wise slopes with recovery improve on fixed slopes", LLAAF_RECOVERY, FIXED),
    Claim("neuron-wise slopes with recovery improve on fixed slopes", NLAAF_RECOVERY, FIXED),
)

JUDGEMENTS = {
    "better": "holds",
    "worse": "does not hold: the contrary does",
    "tie": "no difference",
    "open": "cannot be decided",
}


@dataclass(frozen=True)
class Judgement:
    """A claim and the pairs that speak to it; p is adjusted for all claims judged together."""

    claim: Claim
    pairs: PairedComparison

    @property
    def verdict(self) -> str:
        """`tie` needs as many pairs as a difference does."""
        return JUDGEMENTS["open" if self.pairs.n_pairs < MIN_PAIRS else self.pairs.verdict]


def judge(errors: Errors) -> list[Judgement]:
    """Every claim whose two methods were run, judged by the errors of the seeds that both have."""
    known = [instance for claim in CLAIMS for instance in claim.among(errors)]
    pairs = holm([compare_pairs(errors[claim.better], errors[claim.worse]) for claim in known])
    return [Judgement(claim, pair) for claim, pair in zip(known, pairs, strict=True)]
