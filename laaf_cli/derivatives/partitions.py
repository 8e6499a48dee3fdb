"""The combinatorics of the chain rule for derivatives of any order and any number of variables.

Faà di Bruno in the form of Hardy (2006), eq. 5: ∂^α σ(z) = Σ_π σ^(|π|)(z) Π_{B∈π} ∂^B z over the
partitions π of the multiset of variables that α names.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from laaf_cli.multi_index import Orders


@dataclass(frozen=True)
class Product:
    """count × Π_B ∂^B z, the blocks B given as indices of streams."""

    count: int
    blocks: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """count × ∂^γ σ′(z) for the derivative with respect to ∂^β z."""

    count: int
    inner: int
    """β, as an index of streams."""
    outer: int
    """γ, as an index of streams."""


def products(alpha: Orders, streams: Sequence[Orders]) -> dict[int, list[Product]]:
    """The products of ∂^α σ(z) with two blocks or more, by their number of blocks.

    Args:
        streams: the multi-indices that are carried; every α' ≤ α must be among them.
    """
    axes = [axis for axis, order in enumerate(alpha) for _ in range(order)]
    counts: Counter[tuple[int, ...]] = Counter()
    for partition in _set_partitions(len(axes)):
        blocks = []
        for block in partition:
            orders = [0] * len(alpha)
            for position in block:
                orders[axes[position]] += 1
            blocks.append(streams.index(tuple(orders)))
        counts[tuple(sorted(blocks))] += 1
    by_size: dict[int, list[Product]] = {}
    for blocks_, count in sorted(counts.items()):
        if len(blocks_) >= 2:
            by_size.setdefault(len(blocks_), []).append(Product(count, blocks_))
    return by_size


def splits(alpha: Orders, streams: Sequence[Orders]) -> list[Split]:
    """The derivatives of ∂^α σ(z) with respect to ∂^β z for 0 < β < α: C(α, β) ∂^(α − β) σ′(z),
    as if the chain rule were written for the two streams alone.

    Args:
        streams: the multi-indices that are carried; every β must be among them.
    """
    splits = []
    for inner in product(*(range(order + 1) for order in alpha)):
        outer = tuple(a - b for a, b in zip(alpha, inner, strict=True))
        if any(inner) and any(outer):
            count = math.prod(map(math.comb, alpha, inner))
            splits.append(Split(count, streams.index(inner), streams.index(outer)))
    return splits


def _set_partitions(n: int) -> Iterator[list[list[int]]]:
    """All partitions of {0, …, n−1} into blocks."""
    if n == 0:
        yield []
        return
    last = n - 1
    for partition in _set_partitions(last):
        for i, block in enumerate(partition):
            yield [*partition[:i], [*block, last], *partition[i + 1 :]]
        yield [*partition, [last]]
