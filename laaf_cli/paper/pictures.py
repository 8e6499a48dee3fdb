"""The pictures of the reports: run files in, one file out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.report import figures
from laaf_cli.report.comparison import compare
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.comparison_figure import draw_comparison
from laaf_cli.report.figures import RunData


@dataclass(frozen=True)
class Picture:
    """A picture: its name in file names, whether it shows all seeds or the first, and what draws
    runs into a file.
    """

    name: str
    all_seeds: bool
    draw: Callable[[Sequence[Path], Path], None]


def _of_kind(kind: str) -> Picture:
    def draw(runs: Sequence[Path], output: Path) -> None:
        (drawing,) = figures.draw([RunData.read(path) for path in runs], [kind])
        figures.save(drawing.figure, output)

    return Picture(kind, False, draw)


def _errors(runs: Sequence[Path], output: Path) -> None:
    draw_comparison(compare([ComparisonEntry.read(path) for path in runs]), output)


ERRORS = (Picture("errors", True, _errors),)
SOLUTION = tuple(_of_kind(kind) for kind in ("solution", "frequency", "error"))
SLOPES = (_of_kind("slopes"),)
LOSS = (_of_kind("loss"),)
