"""The output layer of a network by least squares, its hidden neurons drawn at random."""

from laaf_cli.training.least_squares.points import default_features, default_points, has_windows
from laaf_cli.training.least_squares.second_solution import second_solution
from laaf_cli.training.least_squares.stepper import LeastSquares

__all__ = ["LeastSquares", "default_features", "default_points", "has_windows", "second_solution"]
