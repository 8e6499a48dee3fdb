"""The spectral reference: the solver that the form of a problem asks for."""

from __future__ import annotations

from laaf_cli.problem import Problem, runs_back
from laaf_cli.references.evolution.backward import Backward
from laaf_cli.references.evolution.evolution import Evolution
from laaf_cli.references.reference import Reference, ReferenceRefusedError
from laaf_cli.references.stationary.boundary_value import BoundaryValue


def make_spectral(problem: Problem) -> Reference:
    """An evolution where the problem has time, from the end where its conditions are given there;
    else a boundary-value problem.

    Raises:
        ReferenceRefusedError: in the user's terms, for a problem that neither solver takes.
    """
    if problem.domain.shape is not None:
        raise ReferenceRefusedError("a spectral reference is for boxes, and the domain is a shape")
    if problem.domain.time_axis is None:
        return BoundaryValue(problem)
    return Backward(problem) if runs_back(problem.domain, problem.terms) else Evolution(problem)
