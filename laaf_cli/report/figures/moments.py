"""The fields in space at single times, with the reference there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.errors import UsageError
from laaf_cli.report.figures.run_data import TIME, RunData
from laaf_cli.runfile.record import GridFields

MAX_TIMES, DEFAULT_TIMES = 6, 4


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The fields [n_1, …] over the axes of space at a time; time is None where the problem has
    none.

    references is empty where the run has no reference.
    """

    time: float | None
    axes: tuple[Array, ...]
    fields: Mapping[str, Array]
    references: Mapping[str, Array]

    @property
    def label(self) -> str:
        """The time, as a title says it; empty where the problem has none."""
        return "" if self.time is None else f"{TIME} = {self.time:.4g}"


def moments(run: RunData, times: Sequence[float] | None = None) -> tuple[Snapshot, ...]:
    """The moments of a run: at the times given, or at those of its spec (at most four of them,
    evenly picked).

    A time that the spec asked for is drawn exactly; any other at the nearest time of the grid,
    which the moment names.

    Raises:
        UsageError: for times of a problem that has none, outside its range, or too many.
    """
    if run.time is None:
        if times is not None:
            raise UsageError(f"{run.path} has no time, so it is not drawn at single times")
        return (_moment(run, run.solution, run.reference, None, None),)
    if times is None and run.slices is not None:
        exact = run.slices.axes[TIME]
        picked = np.linspace(0, len(exact) - 1, min(DEFAULT_TIMES, len(exact)))
        times = [float(exact[i]) for i in picked.round().astype(int)]
    elif times is None:
        axis = run.solution.axes[TIME]
        times = [float(axis[0] + share * (axis[-1] - axis[0])) for share in (0.25, 0.5, 0.75)]
    by_time = {moment.time: moment for moment in (_at(run, time) for time in times)}
    if len(by_time) > MAX_TIMES:
        raise UsageError(
            f"{len(by_time)} times are too many for one figure; pick at most {MAX_TIMES}"
        )
    return tuple(by_time.values())


def _at(run: RunData, time: float) -> Snapshot:
    axis = run.solution.axes[TIME]
    if not axis[0] <= time <= axis[-1]:
        raise UsageError(
            f"the time {time:g} is outside of {run.path}, which goes from {axis[0]:g} to "
            f"{axis[-1]:g}"
        )
    if run.slices is not None:
        for i, exact in enumerate(run.slices.axes[TIME]):
            if math.isclose(exact, time, rel_tol=1e-12, abs_tol=1e-12 * (axis[-1] - axis[0])):
                return _moment(run, run.slices, run.slices, i, float(exact))
    i = int(np.argmin(np.abs(axis - time)))
    return _moment(run, run.solution, run.reference, i, float(axis[i]))


def _moment(
    run: RunData,
    solution: GridFields,
    reference: GridFields | None,
    i: int | None,
    time: float | None,
) -> Snapshot:
    """The fields at an index of time; the reference of slices is named `u_reference`."""
    index = ... if i is None else (..., i)
    suffix = "_reference" if reference is solution else ""
    return Snapshot(
        time=time,
        axes=tuple(solution.axes[name] for name in run.space),
        fields={name: solution.fields[name][index] for name in run.spec.unknowns},
        references={
            name: reference.fields[name + suffix][index]
            for name in run.spec.unknowns
            if reference is not None and name + suffix in reference.fields
        },
    )
