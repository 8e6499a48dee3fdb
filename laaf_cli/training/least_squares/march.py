"""Windows of time one after another: how long they are, and when they are given up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum

MAX_HALVINGS, MANY_HALVINGS, MAX_FUTILE, BETTER = 30, {1: 30}, {1: 10}, 0.3
"""How often a window is halved; how often while nothing is solved in it, by the number of
coordinates, 6 for more than one, where windows take longer; how often without a residual this much
smaller, 3 for more than one.
"""

EARLY, LENIENCE = 0.5, 2.0
"""The share of the seconds after which the first window is late; by how much others may become
longer.
"""

MISSED = 3.0
"""The multiple of the residual of windows that missed the goal that is good enough for others."""

LONGER = ((1e-3, 4), (0.1, 2))
"""By how much the next window is longer, by the share of the goal that this one came below."""

SHORT = 3
"""How much shorter than those before windows become before their neurons are thought unfit."""

LOST = 1e-2
"""A relative residual in a window that spoils those after it."""


GIVEN = ("first", "last", "goal", "dimension", "n_windows")


class Move(Enum):
    """What follows a window in which the neurons came to some residual."""

    HALVE = "half of it is tried"
    USE_MORE = "more neurons are tried"
    GIVE_UP = "there are no windows any more"
    GO_ON = "it is kept, and the next one begins"


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
    start: float = math.nan
    """Where the present window begins."""
    end: float = math.nan
    """Where the present window ends."""
    whole: float = math.inf
    """The residual over the whole time, infinite before it was tried."""
    worst: float = 0.0
    """The largest residual of the windows that are done."""
    before: float = math.inf
    """The residual of a window twice as long."""
    n_futile: int = 0
    """Halvings that did not make the residual much smaller."""
    n_halvings: int = 0
    longest: float = 0.0
    """The longest window for which these neurons sufficed."""
    share: float = 0.0
    """The share of the seconds that is used up."""
    begun: float = 0.0
    """The share of the seconds at which windows began."""
    first_end: float = math.nan
    """Where the first window ended, `first` where it has not."""
    first_share: float = 0.0
    """The share of the time spent when the first window ended, `first` where it has not."""

    def __post_init__(self) -> None:
        self.use_whole()
        if self.n_windows is not None:
            self.end = self.first + self.length / self.n_windows
        self.longest, self.first_end = self.length, self.first

    @property
    def length(self) -> float:
        return self.end - self.start

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
        return self.end >= self.last

    @property
    def aim(self) -> float:
        """The residual that is good enough in a window: what others came to, where they missed the
        goal.
        """
        return self.goal if self.worst <= self.goal else MISSED * self.worst

    @property
    def is_short(self) -> bool:
        """Whether half of this window is much shorter than those that the neurons have done for."""
        return self.length / 2 < self.longest / SHORT

    def is_late(self, share: float) -> bool:
        """Whether windows as long as those so far do not come to the end in the seconds.

        Args:
            share: of those that are over.
        """
        self.share = share
        if not self.can_halve or self.whole == math.inf:
            return False
        if self.first_end == self.first:
            return share - self.begun > EARLY
        # The first window takes the longest, for slopes are searched in it.
        since = share - self.first_share
        if since < EARLY / 4:
            return False
        pace = (self.start - self.first_end) / since
        return self.start + LENIENCE * pace * (1 - share) < self.last

    def use_whole(self) -> None:
        """Goes back to the whole time."""
        self.start, self.end, self.worst = self.first, self.last, 0.0

    def give_up(self) -> None:
        """Goes back to the whole time, for good."""
        self.n_windows = 1
        self.use_whole()

    def begin(self, residual: float) -> None:
        """Begins with half of the time, over the whole of which the residual is this."""
        self.whole = self.before = residual
        self.begun = self.share
        self.end = self.start + self.length / 2

    def judge(self, residual: float, *, has_more: bool) -> Move:
        """What follows a window with this residual.

        Args:
            has_more: whether there are neurons that were not used in it.
        """
        if not self.can_halve or residual <= self.aim or self.n_halvings == MAX_HALVINGS:
            return Move.GO_ON
        many = MANY_HALVINGS.get(self.dimension, 6)
        may_come = residual > LOST and self.n_halvings < many
        is_of_use = residual < BETTER * self.before or may_come
        self.n_futile = 0 if is_of_use else self.n_futile + 1
        # Half a window costs less than more neurons, and a fraction of it more.
        most = 1 if has_more else MAX_FUTILE.get(self.dimension, 3)
        is_first = self.start == self.first
        if self.n_futile < most and (is_first or not (self.is_short and has_more)):
            return Move.HALVE
        if has_more:
            self.n_futile, self.before, self.longest = 0, math.inf, 0.0
            return Move.USE_MORE
        is_spoiled = residual > min(self.whole, LOST)
        return Move.GIVE_UP if is_first or is_spoiled else Move.GO_ON

    def halve(self, residual: float) -> None:
        """Tries half of a window, which came to this residual."""
        self.n_halvings, self.before = self.n_halvings + 1, residual
        if self.is_short:
            self.longest = self.length / 2
        self.end = self.start + self.length / 2

    def go_on(self, residual: float) -> None:
        """Keeps a window, which came to this residual, and begins the next one, if there is one."""
        growth = 1
        if self.can_halve and residual <= self.aim:
            growth = next((by for share, by in LONGER if residual < share * self.aim), 1)
        elif self.can_halve:
            growth = 2**self.n_futile  # for halving was of no use
        length = growth * self.length
        self.worst, self.longest = max(self.worst, residual), max(self.longest, length)
        self.n_futile, self.n_halvings, self.before = 0, 0, math.inf
        if self.is_over:
            return
        if self.start == self.first:
            self.first_end, self.first_share = self.end, self.share
        self.start, end = self.end, self.end + length
        self.end = end if self.last - end > 1e-9 * length else self.last

    def numbers(self) -> dict[str, float]:
        """All that changes, as a checkpoint keeps it."""
        changing = {name: float(value) for name, value in asdict(self).items() if name not in GIVEN}
        return {**changing, "is_uncut": float(self.is_uncut)}

    def load(self, numbers: Mapping[str, float]) -> None:
        """Goes on from what `numbers` gave."""
        for name, value in numbers.items():
            if name == "is_uncut":
                self.n_windows = 1 if value else self.n_windows
            else:
                setattr(self, name, type(getattr(self, name))(value))
