"""A race: rivals take turns in one process, so that what else the machine does falls on all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

WARM_UP = 3
"""Rounds that are not counted: the first ones fill caches and let torch choose its kernels."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one turn: the median and the quartiles over the rounds."""

    median_s: float
    lower_s: float
    upper_s: float

    @classmethod
    def of(cls, seconds: list[float]) -> Timing:
        if len(seconds) == 1:
            return cls(seconds[0], seconds[0], seconds[0])
        lower, median, upper = statistics.quantiles(seconds, n=4, method="inclusive")
        return cls(median, lower, upper)


def timed(turn: Callable[[], object]) -> Callable[[], float]:
    """A turn that tells its seconds."""

    def seconds() -> float:
        began = time.perf_counter()
        turn()
        return time.perf_counter() - began

    return seconds


def _turn(rival: Callable[[], float]) -> float:
    """The second of two in a row, as in a training: during the first the threads of the rival before still spin."""
    rival()
    return rival()


def race(
    rivals: Mapping[str, Callable[[], float]],
    rounds: int,
    *,
    max_seconds: float,
    warm_up: int = WARM_UP,
) -> dict[str, Timing]:
    """Lets every rival take one turn in each round, in an order that moves on by one place from round to round.

    rivals: turns that tell their seconds. Ends after the round in which `max_seconds` have passed; at least one round is
    counted.
    """
    names = list(rivals)
    found: dict[str, list[float]] = {name: [] for name in names}
    end = time.perf_counter() + max_seconds
    for round_ in range(warm_up + rounds):
        first = round_ % len(names)
        seconds = {name: _turn(rivals[name]) for name in names[first:] + names[:first]}
        late = time.perf_counter() > end
        if round_ >= warm_up or late:
            for name in names:
                found[name].append(seconds[name])
        if late:
            break
    return {name: Timing.of(values) for name, values in found.items()}
