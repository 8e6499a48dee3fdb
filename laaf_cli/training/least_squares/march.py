"""Windows of time one after another: how long they are, and when they are given up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum

OVERLAP = 0.15
"""By which fraction windows are solved longer than they are kept: the derivatives that the next one
begins with are the most uncertain at the end.
"""

MAX_HALVINGS, MANY_HALVINGS, MAX_FUTILE = 30, {1: 30}, {1: 10}
"""How often a window is halved; how often while nothing is solved in it, by the number of
coordinates, 6 for more than one, where windows take longer; how often without a residual much
smaller, 3 for more than one.
"""

MUCH_BETTER, BETTER = 0.15, 0.3
"""The fraction of a residual that half a window must come to; the same where there are no more
neurons.
"""

EARLY, AGAIN = 1 / 6, 1 / 8
"""The fraction of the seconds after which the first window is late, and after which others may be.
"""

LOOSER, LOOSEST, GROWTH = 10.0, 1e3, 2.0
"""By how much the goal is looser where windows are late, and at most; by how much windows may
become longer before they are given up.
"""

MISSED = 3.0
"""The multiple of the residual of windows that missed the goal that is good enough for others."""

LONGER, LONGER_ALONE = ((1e-3, 4), (0.1, 2)), ((1e-5, 4), (1e-3, 2))
"""By how much the next window is longer, by the fraction of the goal that this one came below; the
same where time is the only coordinate and windows cost little.
"""

SHORT = 3
"""How much shorter than those before windows become before their neurons are thought unfit."""

FAR = 1e4
"""The multiple of the goal from which a quarter of a window is tried, and not half of it."""

LOST = 1e-2
"""A relative residual in a window that spoils those after it."""

CLEAR, MOST_AT_FIRST = 0.1, 5e-3
"""The fraction of the residual over the whole time, and the residual, that the first window must
come below to be kept although it misses the goal, as where data at the start do not fit the faces.
"""


GIVEN = ("first", "last", "goal", "dimension", "n_windows", "enough")


class Move(Enum):
    """What follows a window in which the neurons came to some residual."""

    HALVE = "half of it is tried"
    USE_MORE = "more neurons are tried"
    GIVE_UP = "no windows are left"
    GO_ON = "it is kept, and the next one begins"


def reach(start: float, end: float, last: float) -> float:
    """The time up to which a window is solved that is kept up to its end, the last time at most."""
    return min(end + OVERLAP * (end - start), last)


@dataclass(kw_only=True)
class March:
    """A march from `first` to `last`, in the units of time of the problem."""

    first: float
    last: float
    goal: float
    """The relative residual that windows are to reach."""
    dimension: int
    """The number of coordinates."""
    n_windows: int | None
    """The number of equal windows; None for as many as it takes."""
    enough: float = 1.0
    """The multiple of the goal that is aimed at from the first window on, if space is one of the
    coordinates.
    """
    start: float = math.nan
    """Where the present window begins."""
    end: float = math.nan
    """Where the present window ends."""
    whole: float = math.inf
    """The residual over the whole time, infinite before it was tried."""
    worst: float = 0.0
    """The largest residual of the windows that are done."""
    missed: float = 0.0
    """The largest residual of those of them that missed the goal, but for the first."""
    before: float = math.inf
    """The residual of a window twice as long."""
    n_futile: int = 0
    """Halvings of this window without a much smaller residual."""
    leniency: float = 1.0
    """The multiple of the goal that is aimed at."""
    n_halvings: int = 0
    """Halvings of this window."""
    longest: float = 0.0
    """The longest window that these neurons have done for."""
    failed: float = math.inf
    """The length of the last window that was halved, doubled with each window since."""
    share: float = 0.0
    """The fraction of the seconds that is over."""
    length_before: float = 0.0
    """That of the last window that is done."""
    n_done: int = 0
    """Windows that are done after the first, or since the goal was loosened."""
    first_share: float = 0.0
    """The fraction of the seconds when the first of them began."""

    def __post_init__(self) -> None:
        self.use_whole()
        if self.n_windows is not None:
            self.end = self.first + self.length / self.n_windows
        self.longest = self.length

    @property
    def length(self) -> float:
        """The length of the present window, in the units of time of the problem."""
        return self.end - self.start

    @property
    def reach(self) -> float:
        """The time up to which the present window is solved; as far as it is kept where their
        number is given.
        """
        return reach(self.start, self.end, self.last) if self.can_halve else self.end

    @property
    def is_whole(self) -> bool:
        """Whether the present window is the whole time."""
        return (self.start, self.end) == (self.first, self.last)

    @property
    def is_uncut(self) -> bool:
        """Whether there are no windows, or none any more."""
        return self.n_windows == 1

    @property
    def can_halve(self) -> bool:
        """Whether windows may be as long as it takes."""
        return self.n_windows is None

    @property
    def is_over(self) -> bool:
        """Whether the present window ends where the march does."""
        return self.end >= self.last

    @property
    def loosened_goal(self) -> float:
        """The relative residual that windows are to reach, times the leniency so far."""
        return self.leniency * self.goal

    @property
    def aim(self) -> float:
        """The residual that is good enough in a window: what others came to, where they missed the
        goal.
        """
        return max(self.loosened_goal, MISSED * self.missed)

    @property
    def is_short(self) -> bool:
        """Whether half of this window is much shorter than those that the neurons have done for."""
        return self.length / 2 < self.longest / SHORT

    def keep_pace(self, share: float, most: float = 1.0) -> bool:
        """Loosens the goal where windows as long as those so far do not come to the end in the
        seconds.

        Args:
            share: the fraction of the seconds that is over.
            most: the one at which overtime ends.

        Returns:
            False where they do not, nor in overtime, although the goal is as loose as it may
            become. Where time is
            the only coordinate it is always True, for nothing else comes further there.
        """
        self.share = share
        if not self.can_halve or self.whole == math.inf or self._is_on_time(most):
            return True
        if self.leniency < LOOSEST:
            self.leniency *= LOOSER
            self.n_done, self.first_share = 0, share
            return True
        return self.dimension == 1

    def _is_on_time(self, most: float) -> bool:
        """Whether windows as long as the present one may come to the end in the seconds."""
        if not self.n_done:
            return self.share - self.first_share <= EARLY
        # The first window takes the longest, for slopes are searched in it.
        since = self.share - self.first_share
        n_left = (self.last - self.start) / max(self.length, self.length_before)
        left = 1 - self.share
        if self.leniency >= LOOSEST:  # windows do not become longer any more after their seconds
            left = max(GROWTH * left, most - self.share)
        return since < AGAIN or since / self.n_done * n_left <= left

    def use_whole(self) -> None:
        """Goes back to the whole time."""
        self.start, self.end, self.worst, self.missed = self.first, self.last, 0.0, 0.0

    def give_up(self) -> None:
        """Goes back to the whole time, for good."""
        self.n_windows, self.leniency = 1, 1.0
        self.use_whole()

    def begin(self, residual: float) -> None:
        """Begins with half of the time, over the whole of which the residual is this."""
        self.whole = self.before = residual
        self.first_share = self.share
        self.end = self.start + self.length / 2
        if self.dimension > 1:
            self.leniency = self.enough

    def judge(self, residual: float, *, has_more: bool) -> Move:
        """What follows a window with this residual.

        Args:
            has_more: whether there are neurons that were not used in it.
        """
        is_first = self.start == self.first
        limit = min(CLEAR * self.whole, MOST_AT_FIRST) if is_first else min(self.whole, LOST)
        if not self.can_halve or residual <= self.aim:
            return Move.GO_ON
        if self.n_halvings == MAX_HALVINGS:
            return Move.GIVE_UP if is_first and residual > limit else Move.GO_ON
        many = MANY_HALVINGS.get(self.dimension, 6)
        may_come = residual > LOST and self.n_halvings < many
        better = MUCH_BETTER if has_more else BETTER
        is_of_use = residual < better * self.before or may_come
        self.n_futile = 0 if is_of_use else self.n_futile + 1
        # Half a window costs less than more neurons, and a fraction of it more.
        most = 1 if has_more else MAX_FUTILE.get(self.dimension, 3)
        if self.n_futile < most and (is_first or not (self.is_short and has_more)):
            return Move.HALVE
        if has_more:
            self.n_futile, self.before, self.longest, self.failed = 0, math.inf, 0.0, math.inf
            return Move.USE_MORE
        return Move.GIVE_UP if residual > limit else Move.GO_ON

    def halve(self, residual: float) -> None:
        """Tries half of a window, or a quarter, which came to this residual."""
        self.n_halvings, self.before, self.failed = self.n_halvings + 1, residual, self.length
        length = self.length / (4 if residual > FAR * self.aim else 2)
        if self.is_short:
            self.longest = length
        self.end = self.start + length

    def go_on(self, residual: float) -> None:
        """Keeps a window, which came to this residual, and begins the next one, if there is one."""
        length = self.length
        if self.can_halve and residual <= self.aim:
            longer = LONGER_ALONE if self.dimension == 1 else LONGER
            growth = next((by for share, by in longer if residual < share * self.aim), 1)
            length = min(growth * length, max(length, self.failed / 2))
        elif self.can_halve:
            length *= 2**self.n_futile  # for halving was of no use
        self.failed *= 2
        is_first = self.start == self.first
        self.longest = max(0.0 if is_first else self.longest, self.length)
        self.worst = max(self.worst, residual)
        if residual > self.loosened_goal and not is_first:
            self.missed = max(self.missed, residual)
        self.n_futile, self.n_halvings, self.before = 0, 0, math.inf
        if self.is_over:
            return
        self.length_before = self.length
        if is_first:
            self.first_share = self.share
        else:
            self.n_done += 1
        self.start, end = self.end, self.end + length
        self.end = end if self.last - end > 1e-9 * length else self.last

    def numbers(self) -> dict[str, float]:
        """All that changes, as a checkpoint keeps it."""
        changing = {name: float(value) for name, value in asdict(self).items() if name not in GIVEN}
        return {**changing, "is_uncut": float(self.is_uncut)}

    def load(self, numbers: Mapping[str, float]) -> None:
        """Resumes from what `numbers` gave."""
        for name, value in numbers.items():
            if name == "is_uncut":
                self.n_windows = 1 if value else self.n_windows
            else:
                setattr(self, name, type(getattr(self, name))(value))
