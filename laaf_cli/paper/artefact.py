"""What every table and figure of the paper can do: name its runs, and show them once they are
trained.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from laaf_cli.errors import UsageError
from laaf_cli.paper.request import Request
from laaf_cli.sweeps import PlannedRun
from laaf_cli.text import listed

Planned = TypeVar("Planned")
"""The runs of an artefact, in the order in which it shows them."""


@dataclass(frozen=True)
class Artefact(ABC, Generic[Planned]):
    """A table or figure of the paper."""

    subject: ClassVar[str]
    """What its runs are."""
    takes: ClassVar[tuple[str, ...]]
    """The settings of a request that mean something for it."""

    name: str
    title: str
    n_seeds: int
    """Over how many seeds it is reproduced where nothing else is said."""

    def plan(self, request: Request) -> Planned:
        """All runs that it needs.

        Raises UsageError for settings that mean nothing here, or that do not go together, SpecError
        for values that the spec refuses, and what planning runs of the task raises.
        """
        for name in request.settings:
            if name not in self.takes:
                takes = listed(f"`{name}`" for name in self.takes)
                raise UsageError(
                    f"{self.name} is of {self.subject}, and `{name}` does not apply to it\n"
                    f"Its options: {takes}."
                )
        return self._plan(request)

    @abstractmethod
    def _plan(self, request: Request) -> Planned: ...

    @abstractmethod
    def runs(self, planned: Planned) -> list[PlannedRun]:
        """The planned runs, one after the other."""

    @abstractmethod
    def warnings(self, planned: Planned, request: Request) -> Iterable[str]:
        """A sentence for everything that the paper shows and these runs do not, and where they are
        too few to decide anything.
        """

    @abstractmethod
    def write(self, planned: Planned, request: Request) -> list[Path]:
        """Draws its figures and writes its page, from the runs that are there.

        Returns the files written, the page first; raises UsageError where one cannot be.
        """
