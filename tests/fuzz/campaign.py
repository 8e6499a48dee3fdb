"""Many texts, one after another: how many were accepted, which was the slowest, and which broke a promise."""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Generic, TypeVar

from tripwire import TrippedError

Case = TypeVar("Case")

SLOW_S = 1.0
"""Processor time that no text may take."""

MOST_SHOWN = 20
"""Broken promises that are told with their texts; all are kept."""

PART = 100
"""Cases that a process takes at a time."""

HUNG_S = 60
"""Time after which a text that does not end is broken off."""


class HungError(BaseException):
    """A text took longer than HUNG_S."""


@dataclass
class Tally(Generic[Case]):
    """What came of the texts so far.

    slowest: seconds and case; endings: of those accepted, by word; faults: what broke a promise, with its case.
    """

    n_accepted: int = 0
    n_refused: int = 0
    seconds: float = 0.0
    slowest: tuple[float, Case | None] = (0.0, None)
    endings: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, Case]] = field(default_factory=list)

    def add(self, other: Tally[Case]) -> None:
        self.n_accepted += other.n_accepted
        self.n_refused += other.n_refused
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest, key=lambda each: each[0])
        self.endings += other.endings
        self.faults += other.faults


def examine_all(
    cases: Iterator[Case],
    examine: Callable[[Case], bool | str],
    told: Callable[[int], None],
    *,
    slow_s: float = SLOW_S,
) -> Tally[Case]:
    """Examines every case; examine: whether it was accepted, or with which ending, and an exception for a broken promise.

    slow_s: the processor time beyond which a case has broken one.
    """
    tally: Tally[Case] = Tally()
    for i, case in enumerate(cases):
        start = time.process_time()
        try:
            with _broken_off():
                ending = examine(case)
                if ending:
                    tally.n_accepted += 1
                    tally.endings += Counter([ending] if isinstance(ending, str) else [])
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


@dataclass(frozen=True, kw_only=True)
class Campaign(Generic[Case]):
    """Cases by number, and what is asked of them.

    write: a case as the text that is shown and kept. begin: what each process does first.
    """

    what: str
    n: int
    draw: Callable[[Random], Case]
    examine: Callable[[Case], bool | str]
    write: Callable[[Case], str]
    slow_s: float = SLOW_S
    begin: Callable[[], None] = lambda: None

    def tally(self, seed: int, numbers: range, told: Callable[[int], None]) -> Tally[Case]:
        # Each case has a stream of its own, so that any of them can be had again by its number alone.
        cases = (self.draw(Random(f"{seed} {i}")) for i in numbers)  # noqa: S311 - not for secrets
        return examine_all(cases, self.examine, told, slow_s=self.slow_s)


def _quiet(_: int) -> None:
    pass


def _start(campaign: Campaign[Any]) -> None:
    warnings.simplefilter("error")
    campaign.begin()


def main(campaign: Campaign[Case]) -> int:
    """The script: draws cases from a seed, tells what came of them; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=f"Fuzzing of {campaign.what}.")
    parser.add_argument("--n", type=int, default=campaign.n, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of all of them")
    parser.add_argument(
        "--first", type=int, default=0, help="the number of the first, to repeat one"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path(f"fuzz-{campaign.what}"),
        help="the folder for those that fail",
    )
    options = parser.parse_args()

    def told(i: int) -> None:
        if sys.stderr.isatty() and i % 100 == 0:
            print(f"\r{i:,}", end="", file=sys.stderr)

    numbers = range(options.first, options.first + options.n)
    if options.jobs == 1:
        _start(campaign)
        tally = campaign.tally(options.seed, numbers, told)
    else:
        tally = Tally()
        parts = [numbers[i : i + PART] for i in range(0, len(numbers), PART)]
        with ProcessPoolExecutor(
            options.jobs, get_context("spawn"), initializer=_start, initargs=(campaign,)
        ) as pool:
            for part in pool.map(partial(campaign.tally, options.seed, told=_quiet), parts):
                tally.add(part)
    print(f"{campaign.what}: {options.n:,}, seed {options.seed}, from {options.first}")
    print(
        f"accepted: {tally.n_accepted:,}, refused: {tally.n_refused:,}, broken promises: {len(tally.faults):,}"
    )
    for ending, n in tally.endings.most_common():
        print(f"  {n:7,} {ending}")
    print(f"processor time: {tally.seconds:.0f} s, slowest: {tally.slowest[0]:.3f} s")
    if tally.slowest[1] is not None:
        print(f"slowest text: {campaign.write(tally.slowest[1])!r:.2000}")
    for k, (fault, case) in enumerate(tally.faults):
        options.keep.mkdir(parents=True, exist_ok=True)
        path = options.keep / f"{k}.txt"
        path.write_text(campaign.write(case), encoding="utf-8", errors="surrogatepass")
        if k < MOST_SHOWN:
            print(f"\n{fault}\n{campaign.write(case)!r:.500}\nkept in {path}")
    for fault, n in Counter(fault for fault, _ in tally.faults).most_common():
        print(f"{n:7,} {fault}")
    return 1 if tally.faults else 0
