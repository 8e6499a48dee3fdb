"""The least loss of a constant network, which Theorem 2.1 compares the start of a training with."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from laaf_cli.expression import NUMPY, evaluate
from laaf_cli.problem.domain import Array
from laaf_cli.problem.problem import PointSet, Problem


def constant_loss(problem: Problem, points: Mapping[str, PointSet]) -> float:
    """min over c of J_c(0): the loss, without slope recovery, of the network u = c (arXiv 1909.12228, Thm. 2.1).

    A nonlinear least-squares problem in one number per unknown, solved from c = 0, 1 and −1. NaN where the
    residuals are finite at none of them, as for log(u) with c ≤ 0.
    """
    from scipy.optimize import least_squares

    def residuals(c: Array) -> Array:
        parts = []
        for term in problem.terms:
            given = points[term.name]
            symbols = dict(zip(problem.domain.coordinates, given.points.T, strict=True)) | dict(given.symbols)
            values = {
                field: c[problem.unknowns.index(field.unknown)] if sum(field.orders) == 0 else 0.0
                for field in term.fields
            }
            factor = np.sqrt(term.weight / len(given))
            parts += [
                factor * np.broadcast_to(evaluate(residual, symbols, values, NUMPY), len(given))
                for residual in term.residuals
            ]
        return np.concatenate(parts)

    starts = (np.full(len(problem.unknowns), start) for start in (0.0, 1.0, -1.0))
    with np.errstate(all="ignore"):
        usable = [start for start in starts if np.all(np.isfinite(residuals(start)))]
        return min((2 * float(least_squares(residuals, start).cost) for start in usable), default=math.nan)
