"""The referee for equations whose conditions in time are given at the end."""

from __future__ import annotations

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem import Domain, Problem, reversed_in_time
from laaf_cli.references.evolution.evolution import Evolution
from laaf_cli.references.reference import Reference, ReferenceValues, Watch


class Backward(Reference):
    """The evolution of the problem with its time turned round, at the times turned round."""

    takes_long = True

    def __init__(self, problem: Problem) -> None:
        """Raises ReferenceRefusedError, naming what does not fit, for a problem of another form."""
        self.evolution = Evolution(reversed_in_time(problem))
        form = self.evolution.form
        self.axis, self.start, self.end = form.time_axis, form.start, form.end
        method, _, error = self.evolution.method.partition(";")
        self.method = f"{method}, back from t = {self.end:g};{error}"

    def check(self, domain: Domain) -> None:
        self.evolution.check(domain)

    def prepare(self, watch: Watch) -> None:
        self.evolution.prepare(watch)

    def evaluate(self, points: Array) -> ReferenceValues:
        turned = points.copy()
        turned[:, self.axis] = np.clip(
            self.start + (self.end - points[:, self.axis]), self.start, self.end
        )
        return self.evolution.evaluate(turned)
