"""What figures need of a run of images, and such runs grouped by their method over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.runfile.record import ImageHistory, ImageMistakes
from laaf_cli.images.spec import ImageSpec
from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.report import labels
from laaf_cli.report.figures.run_data import FigureData

LINES: tuple[Any, ...] = (
    "solid",
    "dashed",
    "dotted",
    "dashdot",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (8, 3)),
)
"""The lines of methods of one colour, in their order; of more than six methods the first comes
again.
"""


@dataclass(frozen=True, kw_only=True)
class ImageRunData(FigureData):
    """A run of images as figures draw it."""

    spec: ImageSpec
    settings: Mapping[str, Any]
    history: ImageHistory
    classes: tuple[str, ...]
    confusion: Array
    """[n_classes, n_classes], test images by true and found class."""
    mistakes: ImageMistakes | None = None

    @classmethod
    def read(cls, path: Path) -> ImageRunData:
        """Raises RunFileError where the run file cannot be read."""
        with ImageRunFile(path) as run:
            return cls(
                path=path,
                spec=run.spec,
                settings=run.settings,
                attributes=run.attributes,
                history=run.history(),
                classes=tuple(run.classes()),
                confusion=run.confusion(),
                mistakes=run.mistakes(),
            )


@dataclass(frozen=True, kw_only=True)
class ImageGroup:
    """The runs of one method, one per seed or more."""

    label: str
    color: str
    line: Any
    """The line style, as matplotlib takes it."""
    runs: tuple[ImageRunData, ...]

    @property
    def epochs(self) -> Array:
        """The epochs that all of its runs have a record of, [n_epochs]."""
        common = self.runs[0].history.epochs
        for run in self.runs[1:]:
            common = np.intersect1d(common, run.history.epochs)
        return common

    def values(self, name: str) -> Array:
        """A column of the history of each run, or what it has of each layer's slopes, [n_runs,
        n_epochs, …].
        """
        epochs = self.epochs
        return np.stack(
            [
                {**run.history.columns, **run.history.slopes}[name][
                    np.isin(run.history.epochs, epochs)
                ]
                for run in self.runs
            ]
        )


def by_method(runs: Sequence[ImageRunData]) -> list[ImageGroup]:
    """Runs of one data set by method: fixed slopes first, then as in the paper; each with a line
    of its own.
    """
    kinds = list(SLOPE_KINDS)
    ordered = sorted(
        runs, key=lambda run: (kinds.index(run.spec.slopes.kind), run.spec.slopes.n, run.spec.seed)
    )
    groups: dict[str, list[ImageRunData]] = {}
    for run in ordered:
        groups.setdefault(run.attributes["method_hash"], []).append(run)
    firsts = [group[0] for group in groups.values()]
    names = labels.distinguished(
        [run.style.label for run in firsts],
        [run.settings for run in firsts],
        labels.METHOD,
        [run.attributes["method_hash"][:6] for run in firsts],
    )
    return [
        ImageGroup(label=name, color=group[0].style.color, line=line, runs=tuple(group))
        for name, line, group in zip(names, _lines(firsts, names), groups.values(), strict=True)
    ]


def _lines(runs: Sequence[ImageRunData], names: Sequence[str]) -> list[Any]:
    """What methods have besides the kind of their slopes has one line in all colours, n = 1 the
    solid one.
    """
    kinds = [run.spec.slopes.row for run in runs]
    rests = [name.removeprefix(kind.label) for kind, name in zip(kinds, names, strict=True)]
    lines = []
    for kind, rest in zip(kinds, rests, strict=True):
        alike = {
            other_rest
            for other, other_rest in zip(kinds, rests, strict=True)
            if other.is_adaptive == kind.is_adaptive
        }
        variants = sorted(alike, key=lambda words: (words.count(","), words))
        lines.append(LINES[variants.index(rest) % len(LINES)])
    return lines
