"""Many texts, one after another: how many were accepted, which was the slowest, and which broke a promise."""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Generic, TypeVar

from tripwire import TrippedError

Case = TypeVar("Case")

SLOW_S = 1.0
"""Processor time that no text may take."""

HUNG_S = 60
"""Time after which a text that does not end is broken off."""


class HungError(BaseException):
    """A text took longer than HUNG_S."""


@dataclass
class Tally(Generic[Case]):
    """What came of the texts so far. slowest: seconds and case; faults: what broke a promise, with its case."""

    n_accepted: int = 0
    n_refused: int = 0
    seconds: float = 0.0
    slowest: tuple[float, Case | None] = (0.0, None)
    faults: list[tuple[str, Case]] = field(default_factory=list)


def examine_all(
    cases: Iterator[Case],
    examine: Callable[[Case], bool],
    told: Callable[[int], None],
    *,
    slow_s: float = SLOW_S,
) -> Tally[Case]:
    """Examines every case; examine: whether it was accepted, with an exception for each broken promise.

    slow_s: the processor time beyond which a case has broken one.
    """
    tally: Tally[Case] = Tally()
    for i, case in enumerate(cases):
        start = time.process_time()
        try:
            with _broken_off():
                if examine(case):
                    tally.n_accepted += 1
                else:
                    tally.n_refused += 1
        except (Exception, TrippedError, HungError, RecursionError) as error:  # noqa: BLE001 - all of them are told
            place = traceback.extract_tb(error.__traceback__)[-1]
            tally.faults.append(
                (
                    f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})",
                    case,
                )
            )
        seconds = time.process_time() - start
        tally.seconds += seconds
        if seconds > tally.slowest[0]:
            tally.slowest = (seconds, case)
        if seconds > slow_s:
            tally.faults.append((f"{seconds:.2f} s of processor time", case))
        told(i)
    return tally


@contextmanager
def _broken_off() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise HungError(f"longer than {HUNG_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HUNG_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main(
    what: str,
    n: int,
    draw: Callable[[Random], Case],
    examine: Callable[[Case], bool],
    write: Callable[[Case], str],
) -> int:
    """The script: draws cases from a seed, tells what came of them; 1 where a promise was broken.

    write: a case as the text that is shown and kept.
    """
    parser = argparse.ArgumentParser(description=f"Fuzzing of {what}.")
    parser.add_argument("--n", type=int, default=n, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of all of them")
    parser.add_argument(
        "--first", type=int, default=0, help="the number of the first, to repeat one"
    )
    parser.add_argument(
        "--keep", type=Path, default=Path(f"fuzz-{what}"), help="the folder for those that fail"
    )
    options = parser.parse_args()
    warnings.simplefilter("error")

    def told(i: int) -> None:
        if sys.stderr.isatty() and i % 100 == 0:
            print(f"\r{i:,}", end="", file=sys.stderr)

    # Each case has a stream of its own, so that any of them can be had again by its number alone.
    numbers = range(options.first, options.first + options.n)
    cases = (draw(Random(f"{options.seed} {i}")) for i in numbers)  # noqa: S311 - not for secrets
    tally = examine_all(cases, examine, told)
    print(f"{what}: {options.n:,}, seed {options.seed}")
    print(
        f"accepted: {tally.n_accepted:,}, refused: {tally.n_refused:,}, broken promises: {len(tally.faults):,}"
    )
    print(f"processor time: {tally.seconds:.0f} s, slowest: {tally.slowest[0]:.3f} s")
    if tally.slowest[1] is not None:
        print(f"slowest text: {write(tally.slowest[1])!r:.2000}")
    for k, (fault, case) in enumerate(tally.faults):
        options.keep.mkdir(parents=True, exist_ok=True)
        path = options.keep / f"{k}.txt"
        path.write_text(write(case), encoding="utf-8", errors="surrogatepass")
        print(f"\n{fault}\n{write(case)!r:.500}\nkept in {path}")
    return 1 if tally.faults else 0
