"""Spec and expressions → a problem: a domain, unknowns, and terms that must vanish at points."""

from laaf_cli.problem.ansatz import Ansatz
from laaf_cli.problem.balances import Balance
from laaf_cli.problem.build import SAMPLER_CHOICES, build, build_form, shape_of
from laaf_cli.problem.carried import carried_kinks, on_jumps
from laaf_cli.problem.constant_network import constant_loss
from laaf_cli.problem.corners import face_conditions, without_two_values
from laaf_cli.problem.domain import Domain, Face, grid_points
from laaf_cli.problem.fluxes import flux_tree, where_fluxes_jump, without_fluxes
from laaf_cli.problem.interfaces import Across, with_interfaces
from laaf_cli.problem.jumps import bends
from laaf_cli.problem.problem import LearnedConstant, Problem, Term
from laaf_cli.problem.python_function import PythonFunction, python_functions
from laaf_cli.problem.regions import (
    NORMAL,
    OBSERVED,
    AtPlace,
    Drawn,
    Extent,
    IntegralOver,
    Interior,
    Observed,
    OnFaces,
    PeriodicPair,
    PointSet,
    Region,
    Sampled,
)
from laaf_cli.problem.sample_points import SamplePoints, on_triangles
from laaf_cli.problem.samplers import SAMPLERS
from laaf_cli.problem.similarity import similarity_variables
from laaf_cli.problem.time_direction import reversed_in_time, runs_back
