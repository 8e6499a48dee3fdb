"""A closed form that the spec states, evaluated in float64."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Backend, Node, evaluate, rounding_bound
from laaf_cli.problem import Problem
from laaf_cli.references.reference import (
    Reference,
    ReferenceRefusedError,
    ReferenceValues,
    zero_if_rounding,
)

EXTENDED = Backend(module=np, array=np.longdouble, special=NUMPY.special)


class ClosedForm(Reference):
    """u(x) as an expression in the coordinates; its error is that of its own rounding."""

    method = (
        "closed form of the spec; error: difference to extended precision, and rounding "
        "of the value"
    )

    def __init__(self, problem: Problem) -> None:
        if problem.closed_form is None:
            raise ReferenceRefusedError("the spec states no closed form")
        self.trees = problem.closed_form
        self.coordinates = problem.domain.coordinates

    def evaluate(self, points: Array) -> ReferenceValues:
        start = time.perf_counter()
        fields, estimates = {}, {}
        with np.errstate(all="ignore"):
            for name, tree in self.trees.items():
                value = self._value(tree, points, NUMPY, np.float64)
                if not np.all(np.isfinite(value)):
                    first = points[~np.isfinite(value)][0].tolist()
                    place = dict(zip(self.coordinates, first, strict=True))
                    raise ReferenceRefusedError(
                        f"the closed form of '{name}' is not finite at {place}"
                    )
                columns = dict(zip(self.coordinates, points.T, strict=True))
                bound = np.finfo(float).eps * rounding_bound(tree, columns, {})
                fields[name] = zero_if_rounding(value.astype(np.float64), bound)
                change = np.abs(value - self._value(tree, points, EXTENDED, np.longdouble))
                rounding = np.finfo(float).eps * np.max(np.abs(value))
                estimates[name] = float(np.max(change) + rounding)
        return ReferenceValues(fields, estimates, time.perf_counter() - start)

    def _value(
        self, tree: Node, points: Array, backend: Backend, dtype: type[np.floating[Any]]
    ) -> NDArray[Any]:
        columns = dict(zip(self.coordinates, points.T.astype(dtype), strict=True))
        return np.broadcast_to(evaluate(tree, columns, {}, backend), len(points))
