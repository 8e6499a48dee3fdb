"""A problem as the solver sees it: a domain, unknowns, and terms that must vanish at points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import Field, Node, Number, Symbol, fields, substitute
from laaf_cli.problem.ansatz import Ansatz
from laaf_cli.problem.balances import Balance
from laaf_cli.problem.domain import Domain, grid_points
from laaf_cli.problem.python_function import PythonFunction
from laaf_cli.problem.regions import PointSet, Region
from laaf_cli.seeds import random_stream


@dataclass(frozen=True, kw_only=True)
class Term:
    """A term of the loss: weight × the mean over points of the squared residuals, summed over
    residuals.
    """

    name: str
    kind: str
    """"One of "equation", "condition" and "data"."""
    residuals: tuple[Node, ...]
    """Trees in the coordinates, the unknowns and their derivatives; each is to be 0 in the region.
    """
    region: Region
    weight: float

    @property
    def stream(self) -> str:
        """The name of the random stream of its points."""
        return "interior" if self.kind == "equation" else f"{self.kind} {self.name}"

    @cached_property
    def fields(self) -> frozenset[Field]:
        """The unknowns and derivatives that the residuals need."""
        return frozenset().union(*(fields(residual) for residual in self.residuals))

    @property
    def unknowns(self) -> list[str]:
        """The names of the unknowns that the residuals need, sorted."""
        return sorted({field.unknown for field in self.fields})

    @property
    def order(self) -> int:
        """The highest total order of a derivative."""
        return max((sum(field.orders) for field in self.fields), default=0)

    def order_along(self, axis: int, unknown: str | None = None) -> int:
        """The highest order of a derivative along an axis, of one unknown or of any."""
        return max((f.orders[axis] for f in self.fields if unknown in (None, f.unknown)), default=0)

    def in_outputs(self, ansatz: Ansatz) -> Term:
        """The term with its unknowns as expressions in the outputs of a network."""
        meanings: dict[Field | Symbol, Node] = {
            f: ansatz.tree(f) for f in self.fields if f.unknown in ansatz.trees
        }
        if not meanings:
            return self
        return replace(
            self, residuals=tuple(substitute(residual, meanings) for residual in self.residuals)
        )


@dataclass(frozen=True, kw_only=True)
class LearnedConstant:
    """A constant that training finds: where it starts, between which bounds it stays, its true
    value if known.
    """

    start: float
    lower: float = -math.inf
    upper: float = math.inf
    truth: float | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is to be solved: functions on the domain, by unknown, that make all terms vanish."""

    title: str
    domain: Domain
    unknowns: tuple[str, ...]
    terms: tuple[Term, ...]
    """The statement of the problem, in the unknowns."""
    closed_form: Mapping[str, Node] | None
    """The exact solution by unknown, where the spec states one."""
    grid: tuple[Array, ...]
    """The values of each coordinate at which the solution is written and compared."""
    times: tuple[float, ...]
    """Where the error is reported on its own; empty without time."""
    ansatz: Ansatz
    """The form of the solution, from the outputs of a network."""
    satisfied_by_ansatz: frozenset[str] = frozenset()
    """Names of the conditions that every function of this form meets."""
    residuals_satisfied_by_ansatz: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """By condition, the indices of those of its residuals that the form meets."""
    learned: Mapping[str, LearnedConstant] = field(default_factory=dict)
    """By name; a symbol in the trees."""
    functions: Mapping[str, PythonFunction] = field(default_factory=dict)
    """Of Python, by name."""
    left: Mapping[str, str] | None = None
    """By condition, why it is left to training, where the form was derived from the conditions;
    None where it was not.
    """
    fluxes: Mapping[str, str] = field(default_factory=dict)
    """By name, the equations of unknowns that were added because what they replace jumps where
    it is differentiated.
    """
    balances: tuple[Balance, ...] = ()
    """The equations in divergence form, as the spec writes them."""
    warnings: tuple[str, ...] = ()
    """Sentences on what the problem seems to lack."""

    def points_on(self, axes: tuple[Array, ...]) -> Array:
        """The points [n, d] of a grid that are in the domain; the last coordinate runs fastest."""
        points = grid_points(axes)
        return points if self.domain.shape is None else points[self.domain.inside(points)]

    def laid_out(self, values: Array, axes: tuple[Array, ...]) -> Array:
        """Values at the points of a grid that are in the domain → on the grid, NaN outside."""
        sizes = tuple(map(len, axes))
        if self.domain.shape is None:
            return values.reshape(sizes)
        laid = np.full(math.prod(sizes), np.nan)
        laid[self.domain.inside(grid_points(axes))] = values
        return laid.reshape(sizes)

    @property
    def order(self) -> int:
        """The highest order of a derivative of the network's outputs."""
        return max(term.order for term in self.trained_terms)

    @cached_property
    def trained_terms(self) -> tuple[Term, ...]:
        """The terms that the form of the solution leaves to training, in the network's outputs."""
        return tuple(
            term.in_outputs(self.ansatz)
            for term in self.terms
            if term.name not in self.satisfied_by_ansatz
        )

    def at_truth(self) -> Problem:
        """The problem with the true values of its learned constants in their places.

        Raises:
            KeyError: with the name, where the truth of one is not known.
        """
        values: dict[Field | Symbol, Node] = {}
        for name, constant in self.learned.items():
            if constant.truth is None:
                raise KeyError(name)
            values[Symbol(name)] = Number(constant.truth)
        terms = tuple(
            replace(
                term, residuals=tuple(substitute(residual, values) for residual in term.residuals)
            )
            for term in self.terms
        )
        balances = tuple(
            balance.changed(lambda tree: substitute(tree, values)) for balance in self.balances
        )
        return replace(self, terms=terms, balances=balances, learned={})

    def draw_points(self, seed: int, purpose: str = "points") -> dict[str, PointSet]:
        """The points of every trained term, each from its own stream of the seed; equations share
        theirs.

        Args:
            purpose: the first word of the streams' names, so that points for another purpose are
                independent of these.
        """
        drawn: dict[str, PointSet] = {}
        points = {}
        for term in self.trained_terms:
            if term.stream not in drawn:
                random = random_stream(seed, purpose, term.stream)
                drawn[term.stream] = term.region.draw(self.domain, random)
            points[term.name] = drawn[term.stream]
        return points
