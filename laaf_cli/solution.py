"""The solution that a network stands for: its unknowns and their derivatives at points, in float64."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from laaf_cli.derivatives import MakeEngine
from laaf_cli.expression import NUMPY, Field, evaluate, fields
from laaf_cli.network import Mlp, Period
from laaf_cli.problem import Domain, Trial
from laaf_cli.problem.domain import Array

_POINTS_AT_A_TIME = 20_000


@dataclass(frozen=True)
class Solution:
    """A network in float64, the engine of its derivatives, and the form of the solution."""

    network: Mlp
    make_engine: MakeEngine
    trial: Trial

    @classmethod
    def of(cls, network: Mlp, make_engine: MakeEngine, trial: Trial) -> Solution:
        """The solution of a network of any precision, which is not changed."""
        return cls(copy.deepcopy(network).double(), make_engine, trial)

    def unknowns(self, names: tuple[str, ...], points: Array) -> dict[str, Array]:
        """Unknowns [n_points] at points [n_points, d]."""
        zero = (0,) * points.shape[1]
        return self.evaluate({name: Field(name, zero) for name in names}, points)

    def needed(self, wanted: Iterable[Field]) -> frozenset[Field]:
        """The outputs of the network and their derivatives that unknowns and derivatives are made of.

        Raises ExpressionError where the form of the solution has no such derivative.
        """
        return frozenset().union(*(fields(self.trial.tree(field)) for field in wanted))

    @torch.no_grad()
    def evaluate(
        self, wanted: Mapping[str, Field], points: Array, points_at_a_time: int = _POINTS_AT_A_TIME
    ) -> dict[str, Array]:
        """Unknowns and derivatives [n_points] at points [n_points, d], by the names given."""
        trees = {name: self.trial.tree(field) for name, field in wanted.items()}
        engine = self.make_engine(self.network, self.trial.outputs, self.needed(wanted.values()))
        found = {name: np.empty(len(points)) for name in wanted}
        for start in range(0, len(points), points_at_a_time):
            block = points[start : start + points_at_a_time]
            outputs = engine.evaluate(engine.prepare(torch.from_numpy(block).to(self.network.device)))
            values = {field: output.cpu().numpy() for field, output in outputs.items()}
            columns = dict(zip(self.trial.coordinates, block.T, strict=True))
            for name, tree in trees.items():
                # A transform may have no finite value at the edge of the domain, as a derivative of sqrt(x)*net.
                with np.errstate(all="ignore"):
                    found[name][start : start + len(block)] = evaluate(tree, columns, values, NUMPY)
        return found


def make_periods(trial: Trial, domain: Domain) -> dict[int, Period]:
    """The periodic inputs of a network, by axis."""
    return {axis: Period(domain.lower[axis], domain.upper[axis], count) for axis, count in trial.harmonics.items()}
