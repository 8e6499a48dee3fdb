"""A reference that has values inside of a shape alone."""

from __future__ import annotations

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.problem import Domain
from laaf_cli.references.reference import Reference, ReferenceValues, Watch

N_CHECKED = 16


class OnShape(Reference):
    """Another reference, asked at the points inside of the shape of a domain; NaN at all others."""

    def __init__(self, inner: Reference, domain: Domain) -> None:
        self.inner, self.domain = inner, domain
        self.method, self.takes_long = inner.method, inner.takes_long
        self.fingerprint = inner.fingerprint

    def check(self, domain: Domain) -> None:
        if self.takes_long:
            self.inner.check(domain)
        else:
            self.inner.evaluate(domain.scattered(N_CHECKED, np.random.default_rng(0)))

    def prepare(self, watch: Watch) -> None:
        self.inner.prepare(watch)

    def evaluate(self, points: Array) -> ReferenceValues:
        inside = self.domain.inside(points)
        values = self.inner.evaluate(points[inside])
        fields = {name: np.full(len(points), np.nan) for name in values.fields}
        for name, field in values.fields.items():
            fields[name][inside] = field
        return ReferenceValues(fields, values.error_estimates, values.wall_time_s)
