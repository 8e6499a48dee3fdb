"""The minimum loss of a constant network, which Theorem 2.1 compares the start of a training
with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, evaluate, nodes
from laaf_cli.problem.problem import Problem
from laaf_cli.problem.regions import PointSet

MAX_OPERATIONS = 1000
"""Of all residuals: some seconds of least squares, at the usual numbers of points."""


def constant_loss(problem: Problem, points: Mapping[str, PointSet]) -> float:
    """min over c of J_c(0): the loss, without slope recovery, of the network u = c (arXiv
    1909.12228, Thm. 2.1).

    A nonlinear least-squares problem in one number per output of the network, solved from c = 0, 1
    and −1, with learned constants where they start. A start from which infinite derivatives are
    met, as those of sqrt(u), counts with its own loss. NaN where the residuals are finite at none
    of them, as for log(u) with c ≤ 0, where they call Python functions, and where they have more
    than MAX_OPERATIONS.
    """
    from scipy.optimize import least_squares

    trees = [tree for term in problem.trained_terms for tree in term.residuals]
    if problem.functions or sum(1 for tree in trees for _ in nodes(tree)) > MAX_OPERATIONS:
        return math.nan
    outputs, starts_of = (
        problem.ansatz.outputs,
        {name: learned.start for name, learned in problem.learned.items()},
    )

    def residuals(c: Array) -> Array:
        parts = []
        for term in problem.trained_terms:
            point_set = points[term.name]
            columns = dict(zip(problem.domain.coordinates, point_set.points.T, strict=True))
            symbols = columns | dict(point_set.symbols) | starts_of
            values = {
                field: c[outputs.index(field.unknown)] if sum(field.orders) == 0 else 0.0
                for field in term.fields
            }
            for tree in term.residuals:
                residual = np.broadcast_to(evaluate(tree, symbols, values, NUMPY), len(point_set))
                if point_set.combination is not None:
                    residual = (
                        residual.reshape(-1, len(point_set.combination)) @ point_set.combination
                    )
                rows = (
                    term.weight
                    if point_set.row_weights is None
                    else term.weight * point_set.row_weights
                )
                parts.append(np.sqrt(rows / point_set.n_residuals) * residual)
        return np.concatenate(parts)

    def least(start: Array) -> float:
        try:
            return 2 * float(least_squares(residuals, start).cost)
        except ValueError:  # SciPy's, of a Jacobian that is not finite
            return float(np.sum(residuals(start) ** 2))

    starts = (np.full(len(outputs), start) for start in (0.0, 1.0, -1.0))
    with np.errstate(all="ignore"):
        usable = [start for start in starts if np.all(np.isfinite(residuals(start)))]
        return min(map(least, usable), default=math.nan)
