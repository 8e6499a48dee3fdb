"""The spectral reference: which solver a problem asks for."""

from __future__ import annotations

from laaf_cli.problem import Problem
from laaf_cli.reference.reference import Reference, ReferenceRefusedError


def make_spectral(problem: Problem) -> Reference:
    """An evolution where the problem has time, else a boundary-value problem; raises ReferenceRefusedError."""
    raise ReferenceRefusedError(f"there is no solver for its form, with {problem.domain.dimension} coordinates")
