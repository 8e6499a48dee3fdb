"""A reference from a file: fields on a grid, interpolated where the points asked for are not of
the grid.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem import Problem
from laaf_cli.problem.tables import Rows, Table, TableError, read_table
from laaf_cli.references.reference import Reference, ReferenceRefusedError, ReferenceValues

MIN_VALUES = 8
"""The fewest values of a coordinate between which the table is interpolated."""


class Tabulated(Reference):
    """Splines through a table; their error is the difference to coarser ones.

    The error of the table itself cannot be seen from it: a file is as good as what made it.
    """

    def __init__(
        self,
        problem: Problem,
        path: Path,
        names: Mapping[str, str],
        columns: Sequence[str] | None = None,
    ) -> None:
        try:
            coordinates = problem.domain.coordinates
            table = read_table(path, coordinates, problem.unknowns, names, columns)
        except TableError as error:
            raise ReferenceRefusedError(str(error)) from None
        if isinstance(table, Rows):
            raise ReferenceRefusedError(
                f"the rows of {path} do not fill a grid, and a reference must"
            )
        for name, axis in zip(problem.domain.coordinates, table.axes, strict=True):
            if len(axis) < 2:
                raise ReferenceRefusedError(f"'{name}' in {path} has a single value")
        self.table = table
        values = [*table.axes, *table.fields.values()]
        joined = b"".join(np.ascontiguousarray(array).tobytes() for array in values)
        self.fingerprint = hashlib.sha256(joined).hexdigest()[:16]
        self.coordinates = problem.domain.coordinates
        sizes = " x ".join(str(len(axis)) for axis in table.axes)
        self.method = (
            f"{path.name} ({self.fingerprint}), {sizes} values, splines between them; error: of "
            "interpolation, by a coarser one (that of the file itself is not known)"
        )

    def evaluate(self, points: Array) -> ReferenceValues:
        start = time.perf_counter()
        for i, (name, axis) in enumerate(zip(self.coordinates, self.table.axes, strict=True)):
            slack = 1e-9 * (axis[-1] - axis[0])
            low, high = points[:, i].min(), points[:, i].max()
            if low < axis[0] - slack or high > axis[-1] + slack:
                raise ReferenceRefusedError(
                    f"the table covers {name} from {axis[0]:g} to {axis[-1]:g}, and values are "
                    f"needed from {low:g} to {high:g}"
                )
        axes = self.table.axes
        inside = np.clip(points, [axis[0] for axis in axes], [axis[-1] for axis in axes])
        fields = {name: _interpolate(self.table, name, inside) for name in self.table.fields}
        estimates = {name: self._estimate(name, inside) for name in fields}
        return ReferenceValues(fields, estimates, time.perf_counter() - start)

    def _estimate(self, name: str, points: Array) -> float:
        """The change when every second value is left out, both ends kept; rounding where nothing
        is interpolated.
        """
        values = self.table.fields[name]
        between = [not self._on_axis(i, points[:, i]) for i in range(len(self.table.axes))]
        if not any(between):
            return float(np.finfo(float).eps * np.max(np.abs(values)))
        every_second = []
        for i, axis in enumerate(self.table.axes):
            if between[i] and len(axis) < MIN_VALUES:
                raise ReferenceRefusedError(
                    f"the table has {len(axis)} values of {self.coordinates[i]}, and values "
                    "between them are needed; "
                    f"with fewer than {MIN_VALUES} their error could not be measured"
                )
            every = range(0, len(axis), 2) if between[i] else range(len(axis))
            every_second.append(np.unique([*every, len(axis) - 1]))
        axes = tuple(axis[which] for axis, which in zip(self.table.axes, every_second, strict=True))
        coarse = Table(axes, {name: values[np.ix_(*every_second)]})
        change = _interpolate(coarse, name, points) - _interpolate(self.table, name, points)
        return float(np.max(np.abs(change)))

    def _on_axis(self, i: int, values: Array) -> bool:
        """Whether all values of a coordinate are values of the table's axis, within rounding."""
        axis = self.table.axes[i]
        distance = np.min(np.abs(np.unique(values)[:, None] - axis), axis=1)
        return bool(np.all(distance <= 1e-12 * (axis[-1] - axis[0])))


def _interpolate(table: Table, name: str, points: Array) -> Array:
    """A tensor-product spline, cubic where an axis has values enough.

    Not RegularGridInterpolator: its cubic splines come from an iterative solver that stops at 1e-5.
    """
    from scipy.interpolate import NdBSpline, make_interp_spline

    coefficients, knots, degrees = table.fields[name], [], []
    for i, axis in enumerate(table.axes):
        degree = min(3, len(axis) - 1)
        spline = make_interp_spline(axis, coefficients, k=degree, axis=i)
        # make_interp_spline moves the axis that it works on to the front.
        coefficients = np.moveaxis(spline.c, 0, i)
        knots.append(spline.t)
        degrees.append(spline.k)
    return np.asarray(
        NdBSpline(tuple(knots), coefficients, k=tuple(degrees))(points), dtype=np.float64
    )
