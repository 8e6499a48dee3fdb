"""The residuals at points that training has not seen: whether they are as small there as where
they were trained.
"""

from __future__ import annotations

import math
from dataclasses import replace

from laaf_cli.problem import PointSet, Problem
from laaf_cli.problem.rejection import NoPointsError
from laaf_cli.training.objective import Objective


def validate(objective: Objective, n_points: int, seed: int) -> dict[str, float]:
    """The mean squares of equations and conditions at held-out points, without weights.

    Observed values cannot be drawn again: their terms are left out, as is one that is not finite;
    all are where a part of the domain turns out too small to draw points in.

    Args:
        n_points: in the interior; conditions get as many as in training.
        seed: of the streams of their own that they are drawn from.
    """
    try:
        points = fresh_points(objective.problem, n_points, seed)
    except NoPointsError:
        return {}
    return {
        name: value
        for name, value in objective.mean_squares(points).items()
        if math.isfinite(value)
    }


def fresh_points(problem: Problem, n_points: int, seed: int) -> dict[str, PointSet]:
    """Points of the equations and of the conditions that are drawn, by term, independent of
    those of training.
    """
    terms = tuple(
        replace(term, region=region)
        for term in problem.terms
        if term.kind != "data" and (region := term.region.redrawn(n_points)) is not None
    )
    return replace(problem, terms=terms).draw_points(seed, "validation")
