"""Spec and expressions → a problem: a domain, unknowns, and terms that must vanish at points."""

from laaf_cli.problem.build import build
from laaf_cli.problem.constant_network import constant_loss
from laaf_cli.problem.domain import Domain, Face, grid_points
from laaf_cli.problem.places import Places
from laaf_cli.problem.problem import OBSERVED, Interior, Observed, OnFaces, PointSet, Problem, Region, Term
from laaf_cli.problem.samplers import SAMPLERS

__all__ = [
    "OBSERVED",
    "SAMPLERS",
    "Domain",
    "Face",
    "Interior",
    "Observed",
    "OnFaces",
    "Places",
    "PointSet",
    "Problem",
    "Region",
    "Term",
    "build",
    "constant_loss",
    "grid_points",
]
