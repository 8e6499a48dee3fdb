"""What the paper claims of its methods, and what seeds say about each claim."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from laaf_cli.paper.columns import (
    FIXED,
    GAAF,
    GAAF_RECOVERY,
    LLAAF,
    LLAAF_RECOVERY,
    NLAAF,
    NLAAF_RECOVERY,
    PAPER_ORDER,
    Column,
)
from laaf_cli.paper.results import SCALE, SECONDS, Quantity, error_after, error_at, loss_after
from laaf_cli.report.statistics import (
    LEVEL,
    PairedComparison,
    adjusted_ps,
    compare_pairs,
    equivalence_p,
    holm,
    pairs_needed,
    rank_sum_p,
)

COMPARABLE = 1.25
"""Costs are comparable where they differ by less than this factor."""

Runs = Mapping[Column, Sequence[Any]]
"""Results of runs by method, each with its seed."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """That a number of one method is smaller than a number of another, or of itself."""

    family: str
    """What is claimed of several methods; p is adjusted for all claims of a family."""
    text: str
    smaller: tuple[Column, Quantity]
    larger: tuple[Column, Quantity]
    within: float = 1.0
    """Above 1, the claim is that both are equal within this factor."""

    def among(self, columns: Collection[Column]) -> list[Claim]:
        """The claim for each n and form of slope recovery that its two methods were run with, as
        the text then says.
        """
        claims = []
        own = self.smaller[0] if self.smaller[0].kind.is_adaptive else self.larger[0]
        for column in columns:
            if replace(column, n=None, form=None) != own:
                continue
            settings = [f"n = {float(column.n):g}"] if column.n else []
            settings += [column.form] if column.form else []
            sides = [
                (_alike(side, column), quantity) for side, quantity in (self.smaller, self.larger)
            ]
            if all(side in columns for side, _quantity in sides):
                text = self.text + (f" ({', '.join(settings)})" if settings else "")
                claims.append(replace(self, text=text, smaller=sides[0], larger=sides[1]))
        return claims


def _alike(side: Column, column: Column) -> Column:
    """A side of a claim with the n and form of slope recovery of a method."""
    adaptive = side.kind.is_adaptive
    form = column.form if side.recovery and not side.kind.is_shared else None
    return replace(side, n=column.n, form=form) if adaptive else side


def error_claims(iterations: int) -> list[Claim]:
    """Table 1 and figures 2 and 6: what improves on what."""
    sides = (
        ("a global adaptive slope improves on fixed slopes", GAAF, FIXED),
        ("layer-wise slopes improve on fixed slopes", LLAAF, FIXED),
        ("neuron-wise slopes improve on fixed slopes", NLAAF, FIXED),
        ("layer-wise slopes improve on a global one", LLAAF, GAAF),
        ("neuron-wise slopes improve on a global one", NLAAF, GAAF),
        ("slope recovery improves layer-wise slopes", LLAAF_RECOVERY, LLAAF),
        ("slope recovery improves neuron-wise slopes", NLAAF_RECOVERY, NLAAF),
        ("layer-wise slopes with recovery improve on fixed slopes", LLAAF_RECOVERY, FIXED),
        ("neuron-wise slopes with recovery improve on fixed slopes", NLAAF_RECOVERY, FIXED),
    )
    of = error_after(iterations)
    return [
        Claim(family=f"error after {iterations}", text=text, smaller=(a, of), larger=(b, of))
        for text, a, b in sides
    ]


def loss_claims(moments: Sequence[int]) -> list[Claim]:
    """Figures 4 and 7: the loss falls faster with adaptive slopes."""
    return [
        Claim(
            family="loss falls faster",
            text=f"{column.label}: less loss than fixed after {moment}",
            smaller=(column, loss_after(moment)),
            larger=(FIXED, loss_after(moment)),
        )
        for moment in moments
        for column in PAPER_ORDER[1:]
    ]


def slope_claims(*pairs: tuple[Column, Column]) -> list[Claim]:
    """Figures 3, 8 and 9: slopes grow more with slope recovery."""
    return [
        Claim(
            family="slopes grow more",
            text=f"{column.label}: n·a grows more than without",
            smaller=(without, SCALE),
            larger=(column, SCALE),
        )
        for without, column in pairs
    ]


def time_claims(last: float, others: Sequence[float]) -> list[Claim]:
    """Figure 5: one time converges last."""
    return [
        Claim(
            family=f"t = {last:g} converges last",
            text=f"{column.label}: the largest error is at t = {last:g}",
            smaller=(column, error_at(*others)),
            larger=(column, error_at(last)),
        )
        for column in PAPER_ORDER
    ]


def cost_claims() -> list[Claim]:
    """Section 2.2: the costs are comparable."""
    return [
        Claim(
            family="comparable cost",
            text=f"{column.label}: seconds as fixed, within {COMPARABLE:g} times",
            smaller=(column, SECONDS),
            larger=(FIXED, SECONDS),
            within=COMPARABLE,
        )
        for column in PAPER_ORDER[1:]
    ]


def image_claims(early: Quantity, final: Quantity, error: Quantity) -> list[Claim]:
    """Section 4: the loss falls faster early, layer-wise slopes beat a global one, slope recovery
    beats none.
    """
    adaptive = (GAAF_RECOVERY, LLAAF_RECOVERY, NLAAF_RECOVERY)
    sides = [
        *((f"{one.label}: less loss than fixed early", one, FIXED, early) for one in adaptive),
        *((f"{one.label}: less loss than fixed at the end", one, FIXED, final) for one in adaptive),
        ("L-LAAF + recovery: less loss than GAAF", LLAAF_RECOVERY, GAAF_RECOVERY, final),
        ("L-LAAF: less loss with slope recovery", LLAAF_RECOVERY, LLAAF, final),
        ("N-LAAF: less loss with slope recovery", NLAAF_RECOVERY, NLAAF, final),
        *((f"{one.label}: less test error than fixed", one, FIXED, error) for one in adaptive),
    ]
    return [
        Claim(family=of.name, text=text, smaller=(a, of), larger=(b, of))
        for text, a, b, of in sides
    ]


JUDGEMENTS = {
    "better": "holds",
    "worse": "the contrary holds",
    "tie": "no difference",
    "open": "cannot be decided",
}


@dataclass(frozen=True)
class Judgement:
    """A claim and what speaks to it; p-values are adjusted for the family of the claim."""

    claim: Claim
    pairs: PairedComparison
    unpaired: float
    """p of the unpaired test, NaN where the claim compares a method with itself."""

    @property
    def verdict(self) -> str:
        """A difference takes p below 5 % and an interval without 1; equality within a factor p
        below 5 % and an interval inside.
        """
        pairs, within = self.pairs, self.claim.within
        if pairs.n_pairs < pairs_needed(pairs.family):
            return JUDGEMENTS["open"]
        if within == 1:
            return JUDGEMENTS[pairs.verdict]
        if pairs.adjusted < LEVEL and 1 / within < pairs.low and pairs.high < within:
            return JUDGEMENTS["better"]
        return JUDGEMENTS["worse" if pairs.low > within or pairs.high < 1 / within else "open"]


def judge(runs: Runs, claims: Sequence[Claim]) -> list[Judgement]:
    """Every claim whose methods were run, by the seeds that both sides have; family by family."""
    known = [instance for claim in claims for instance in claim.among(runs)]
    judged: list[Judgement] = []
    for family in dict.fromkeys(claim.family for claim in known):
        members = [claim for claim in known if claim.family == family]
        pairs, unpaired = [], []
        for claim in members:
            smaller, larger = (_values(runs, *side) for side in (claim.smaller, claim.larger))
            pair = compare_pairs(smaller, larger)
            if claim.within > 1:
                p = equivalence_p(smaller, larger, claim.within)
                pair = replace(pair, p=p, adjusted=p)
            pairs.append(pair)
            apart = claim.smaller[0] != claim.larger[0] and claim.within == 1
            unpaired.append(rank_sum_p(smaller, larger) if apart else math.nan)
        judged += map(Judgement, members, holm(pairs), adjusted_ps(unpaired))
    return judged


def too_few(claims: Sequence[Claim], columns: Collection[Column], n_seeds: int) -> str:
    """That so many seeds can decide none of the claims of a family among these methods; empty where
    they can.
    """
    known = [instance.family for claim in claims for instance in claim.among(columns)]
    size = max(map(known.count, known), default=0)
    if not known or n_seeds >= (needed := pairs_needed(size)):
        return ""
    return (
        f"{n_seeds} seeds can decide none of {size} claims judged together; `seeds` of at least "
        f"{needed} can"
    )


def _values(runs: Runs, column: Column, quantity: Quantity) -> dict[int, float]:
    return {run.seed: quantity.of(run) for run in runs[column]}
