"""What figures need of a run: read once, with the time as the last axis of every field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from laaf_cli.errors import RunFileError
from laaf_cli.metrics import is_zero
from laaf_cli.report.methods import MethodStyle, method_style
from laaf_cli.runfile import RunFile
from laaf_cli.runfile.record import GridFields, History, Observations
from laaf_cli.spec import AnySpec, RunSpec

TIME = "t"

NEAR_TIME = 0.01
"""Observations within this fraction of the range of time are drawn in a slice."""


@dataclass(frozen=True, kw_only=True)
class FigureData:
    """What figures need of a run of any task."""

    path: Path
    spec: AnySpec
    attributes: Mapping[str, Any]

    @property
    def style(self) -> MethodStyle:
        """The name, colour and line style of the method."""
        return method_style(self.spec)

    @property
    def label(self) -> str:
        """The method and the seed."""
        return f"{self.style.label}, seed {self.spec.seed}"

    @property
    def title(self) -> str:
        """The title of the spec, or the name of its file."""
        return str(self.attributes["title"] or self.attributes["problem"])


@dataclass(frozen=True, kw_only=True)
class RunData(FigureData):
    """A run as figures draw it. Fields are [n_1, …, n_d], space in the order of the spec and then
    the time.

    reference and error are None where the run has no reference; slices hold the solution `u` and,
    with a reference, `u_reference` at exactly the times of the spec, and are None without time.
    """

    spec: RunSpec
    solution: GridFields
    reference: GridFields | None
    error: GridFields | None
    slices: GridFields | None
    history: History
    intervals: Mapping[str, Any]
    """The intervals of learned constants, as the run file has them."""
    observations: Mapping[str, Observations]

    @classmethod
    def read(cls, path: Path) -> RunData:
        """Raises RunFileError where the run file cannot be read."""
        with RunFile(path) as run:
            solution, reference, error, slices = (
                _grid(run, group) for group in ("solution", "reference", "error", "slices")
            )
            if solution is None:
                raise RunFileError(f"{path} has no group solution")
            if (reference is None) != (error is None):
                raise RunFileError(f"{path} has only one of the groups reference and error")
            is_bare = slices is not None and set(slices.fields) == set(run.spec.unknowns)
            if slices is not None and (reference is None) != is_bare:
                raise RunFileError(
                    f"slices in {path} do not hold a reference where the run has one"
                )
            return cls(
                path=path,
                spec=run.spec,
                attributes=run.attributes,
                solution=solution,
                reference=reference,
                error=error,
                slices=slices,
                history=run.history(),
                intervals=run.intervals(),
                observations=run.observations(),
            )

    @property
    def time(self) -> str | None:
        """The name of the time; None without, or where there is no space: then `t` is drawn like
        a coordinate.
        """
        return TIME if TIME in self.spec.coordinates and len(self.spec.coordinates) > 1 else None

    @property
    def space(self) -> tuple[str, ...]:
        """The names of the coordinates other than the time."""
        return tuple(name for name in self.spec.coordinates if name != self.time)

    @property
    def slopes_absorbed_at(self) -> int | None:
        """The iteration before which the slopes became part of the weights; None where they did
        not.
        """
        iteration = int(self.attributes["slopes_absorbed_at"])
        return iteration if iteration >= 0 else None

    @property
    def phase_starts(self) -> list[int]:
        """The iterations before which another phase began."""
        iterations, phases = (self.history.columns[name] for name in ("iteration", "phase"))
        return [int(iterations[i + 1]) for i in np.flatnonzero(np.diff(phases))]

    def observed(self, unknown: str, time: float | None = None) -> Observations | None:
        """What was observed of an unknown, at points of space and then time; at a time only what is
        within a hundredth of the range of time. None where there is nothing.
        """
        observations = self.observations.get(unknown)
        if observations is None:
            return None
        order = [list(self.spec.coordinates).index(name) for name in self.space]
        points, values = observations.points[:, order], observations.values
        if self.time is not None:
            times = observations.points[:, list(self.spec.coordinates).index(self.time)]
            axis = self.solution.axes[self.time]
            points = np.column_stack([points, times])
            if time is not None:
                here = np.abs(times - time) <= NEAR_TIME * (axis[-1] - axis[0])
                points, values = points[here], values[here]
        return Observations(points, values) if len(values) else None

    def error_words(self, unknown: str) -> str:
        """The error of an unknown on the grid, as `, relative L2 error 0.01`; empty without a
        reference.
        """
        if self.error is None or self.reference is None:
            return ""
        error = float(self.error.attributes[f"relative_l2_{unknown}"])
        what = "absolute error" if is_zero(self.reference.fields[unknown]) else "relative L2 error"
        return f", {what} {error:.3g}"


def _grid(run: RunFile, group: str) -> GridFields | None:
    grid = run.grid(group)
    if grid is None:
        return None
    for name, values in grid.axes.items():
        # Slices may be in any order of time.
        if not np.isfinite(values).all() or (group != "slices" and not (np.diff(values) > 0).all()):
            raise RunFileError(
                f"{group}/{name} in {run.path} does not increase, as a coordinate does"
            )
    if TIME not in grid.axes:
        return grid
    position = list(grid.axes).index(TIME)
    axes = {name: values for name, values in grid.axes.items() if name != TIME}
    axes[TIME] = grid.axes[TIME]
    fields = {name: np.moveaxis(values, position, -1) for name, values in grid.fields.items()}
    return GridFields(axes, fields, grid.attributes)
