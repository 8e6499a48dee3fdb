"""A closed form that the spec states, evaluated in float64."""

from __future__ import annotations

import time

import numpy as np

from laaf_cli.expression import NUMPY, evaluate
from laaf_cli.problem import Problem
from laaf_cli.problem.domain import Array
from laaf_cli.reference.reference import Reference, ReferenceRefusedError, ReferenceValues


class ClosedForm(Reference):
    """u(x) as an expression in the coordinates; its error is that of rounding the input and the result."""

    method = "closed form of the spec; error: change under one rounding of each coordinate, and of the value"

    def __init__(self, problem: Problem) -> None:
        if problem.closed_form is None:
            raise ReferenceRefusedError("the spec states no closed form")
        self.trees = problem.closed_form
        self.coordinates = problem.domain.coordinates

    def evaluate(self, points: Array) -> ReferenceValues:
        start = time.perf_counter()
        with np.errstate(all="ignore"):
            fields = self._fields(points)
            for name, value in fields.items():
                if not np.all(np.isfinite(value)):
                    place = dict(zip(self.coordinates, points[~np.isfinite(value)][0].tolist(), strict=True))
                    raise ReferenceRefusedError(f"the closed form of '{name}' is not finite at {place}")
            # A jump that one rounding crosses says nothing of the points around it: the median bounds it out.
            moved = self._fields(points * (1 + np.finfo(float).eps))
        estimate = max(
            float(np.quantile(np.abs(moved[name] - value), 0.99) + np.finfo(float).eps * np.max(np.abs(value)))
            for name, value in fields.items()
        )
        return ReferenceValues(fields, estimate, time.perf_counter() - start)

    def _fields(self, points: Array) -> dict[str, Array]:
        columns = dict(zip(self.coordinates, points.T, strict=True))
        return {
            name: np.broadcast_to(evaluate(tree, columns, {}, NUMPY), len(points)).astype(np.float64)
            for name, tree in self.trees.items()
        }
