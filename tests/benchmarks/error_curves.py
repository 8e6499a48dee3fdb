"""Error against seconds of training: curves of runs, what is read off them, and their picture."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from findings import Table
from matplotlib.figure import Figure

from laaf_cli.errors import RunFileError
from laaf_cli.files.atomic import replacing
from laaf_cli.report.figures.canvas import legend_below, lines_of, make_figure, printed
from laaf_cli.report.methods import REFERENCE_COLOR
from laaf_cli.report.statistics import spread
from laaf_cli.runfile import RunFile

COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of the methods of laaf in the order of their names, after Okabe & Ito."""

_NAMED = re.compile(r"(?P<method>.+)-s(?P<seed>\d+)")


@dataclass(frozen=True)
class ErrorCurve:
    """The relative L2 error of one training where it was looked at.

    seconds: of training, from 0, increasing. errors: the same number of them, finite. ended: the method came to its
    own end, so that the error stays as it is from there on; else it was cut off.
    """

    method: str
    seed: int
    seconds: tuple[float, ...]
    errors: tuple[float, ...]
    ended: bool

    def at(self, seconds: float) -> float:
        """The error after these seconds, its logarithm interpolated; NaN where the curve was cut off before."""
        if seconds > self.seconds[-1]:
            return self.errors[-1] if self.ended else math.nan
        return float(np.exp(np.interp(seconds, self.seconds, np.log(self.errors))))

    def reaches(self, error: float) -> float:
        """The seconds at which the error first is as small as this, by the same interpolation; infinite if never."""
        for i, found in enumerate(self.errors):
            if found <= error:
                if i == 0:
                    return self.seconds[0]
                before = self.errors[i - 1]
                part = math.log(before / error) / math.log(before / found)
                return self.seconds[i - 1] + part * (self.seconds[i] - self.seconds[i - 1])
        return math.inf

    def write(self, path: Path) -> None:
        with replacing(path) as part:
            part.write_text(json.dumps(asdict(self)), encoding="utf-8")


def read_curve(path: Path) -> ErrorCurve:
    """The curve of a run file, or of a file that `ErrorCurve.write` wrote; METHOD-sSEED is the name of either."""
    if path.suffix == ".json":
        found = json.loads(path.read_text(encoding="utf-8"))
        return ErrorCurve(
            **found | {"seconds": tuple(found["seconds"]), "errors": tuple(found["errors"])}
        )
    named = _NAMED.fullmatch(path.stem)
    with RunFile(path) as run:
        columns = run.history().columns
        seed, ended = int(run.attributes["seed"]), run.attributes["stop_reason"] != "max-seconds"
    known = np.isfinite(columns["relative_l2"])
    if not known.any():
        raise RunFileError(f"{path} has no errors in its history: its problem has no reference")
    seconds, errors = columns["wall_time_s"][known].tolist(), columns["relative_l2"][known].tolist()
    method = named["method"] if named else path.stem
    return ErrorCurve(method, seed, tuple(seconds), tuple(errors), ended)


def by_method(curves: Sequence[ErrorCurve]) -> dict[str, list[ErrorCurve]]:
    """Curves of one method together, laaf first, in the order of names and seeds."""
    ordered = sorted(curves, key=lambda curve: (_is_rival(curve.method), curve.method, curve.seed))
    return {
        method: [c for c in ordered if c.method == method]
        for method in dict.fromkeys(c.method for c in ordered)
    }


def _is_rival(method: str) -> bool:
    return method.startswith("DeepXDE")


def error_table(methods: Mapping[str, Sequence[ErrorCurve]], times: Sequence[float]) -> Table:
    """The error after given seconds: the median over seeds, and the least and the greatest."""
    rows = [
        (
            f"{time:g} s",
            *(told_errors([curve.at(time) for curve in curves]) for curves in methods.values()),
        )
        for time in times
    ]
    return Table("relative L2 error after seconds of training", ("after", *methods), rows)


def told_errors(values: Sequence[float]) -> str:
    """The median, and the least and the greatest where there are several; a dash where one is not known."""
    if any(math.isnan(value) for value in values):
        return "-"
    if len(values) == 1:
        return f"{values[0]:.1e}"
    return f"{spread(values).median:.1e} ({min(values):.1e} to {max(values):.1e})"


def time_table(methods: Mapping[str, Sequence[ErrorCurve]], levels: Sequence[float]) -> Table:
    """The seconds until an error is reached: the median over seeds, least, greatest, and how many seeds reach it.

    A dash stands where half of the seeds or more do not. Levels that nobody reaches are left out.
    """
    every = [curve for curves in methods.values() for curve in curves]
    reached = [
        level for level in levels if any(math.isfinite(curve.reaches(level)) for curve in every)
    ]
    rows = [
        (
            f"{level:.0e}",
            *(_seconds([curve.reaches(level) for curve in curves]) for curves in methods.values()),
        )
        for level in reached or levels[:1]
    ]
    return Table("seconds of training to a relative L2 error", ("error", *methods), rows)


def _seconds(values: Sequence[float]) -> str:
    reached = [value for value in values if math.isfinite(value)]
    if not reached:
        return "never"
    median = spread(values).median
    told = f"{median:.0f} s" if math.isfinite(median) else "-"
    return (
        f"{told} ({min(reached):.0f} to {max(reached):.0f}; {len(reached)} of {len(values)} seeds)"
    )


@printed()
def error_figure(methods: Mapping[str, Sequence[ErrorCurve]], title: str) -> Figure:
    """Error against seconds, both logarithmic: seeds thin, their median thick; what is not laaf grey."""
    figure = make_figure(title, 3.4, 5.4)
    axes = figure.subplots()
    colors = dict(
        zip((m for m in methods if not _is_rival(m)), COLORS * len(methods), strict=False)
    )
    dashes = dict(
        zip(
            (m for m in methods if _is_rival(m)),
            ("solid", "dashed", "dotted") * len(methods),
            strict=False,
        )
    )
    first = min(curve.seconds[1] for curves in methods.values() for curve in curves)
    for method, curves in methods.items():
        color, line = colors.get(method, REFERENCE_COLOR), dashes.get(method, "solid")
        for curve in curves:
            axes.plot(
                curve.seconds[1:],
                curve.errors[1:],
                color=color,
                linestyle=line,
                linewidth=0.5,
                alpha=0.6,
            )
        end = min(curve.seconds[-1] for curve in curves)
        common = np.geomspace(min(curve.seconds[1] for curve in curves), end, 300)
        median = [spread([curve.at(t) for curve in curves]).median for t in common]
        axes.plot(common, median, color=color, linestyle=line, linewidth=2, label=method)
    axes.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="relative L2 error")
    axes.set_xlim(left=max(first, 0.5))
    axes.grid(which="major", linewidth=0.3)
    legend_below(figure, lines_of([axes]))
    return figure
