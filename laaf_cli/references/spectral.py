"""The spectral reference: the solver that the form of a problem asks for."""

from __future__ import annotations

from laaf_cli.problem import Problem
from laaf_cli.references.evolution.evolution import Evolution
from laaf_cli.references.reference import Reference
from laaf_cli.references.stationary.boundary_value import BoundaryValue


def make_spectral(problem: Problem) -> Reference:
    """An evolution where the problem has time, else a boundary-value problem.

    Raises ReferenceRefusedError, in the user's terms, for a problem that neither solver takes.
    """
    return Evolution(problem) if problem.domain.time_axis is not None else BoundaryValue(problem)
