"""What a check reports of a plan: points and weights drawn, the loss evaluated once, nothing
trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from laaf_cli.multi_index import derivative_name
from laaf_cli.problem import constant_loss
from laaf_cli.references import UNWATCHED, Watch
from laaf_cli.runs.plan import Plan
from laaf_cli.training import Objective


@dataclass(frozen=True, kw_only=True)
class TermReport:
    """A term before training: what it needs, how many points it has, its value at step 0."""

    name: str
    """The name of the equation or condition, or `data`."""
    kind: str
    """`equation`, `condition` or `data`."""
    derivatives: tuple[str, ...]
    """The unknowns and derivatives that it needs."""
    region: str
    """Where it holds."""
    n_points: int
    """The number of its collocation points."""
    weight: float
    """What multiplies it in the loss at step 0."""
    value: float | None
    """Its value at step 0, without the weight; None where the form of the solution meets the
    condition.
    """


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a check says."""

    terms: tuple[TermReport, ...]
    n_parameters: int
    n_slopes: int
    recovery: float | None
    start_loss: float
    """J̃(Θ₀), slope recovery included."""
    constant_bound: float
    """min_c J_c(0) + W_a S(0), infinite where S(0) is. Theorem 2.1 of arXiv 1909.12228 asks that
    `start_loss` be below it.
    """
    theorem_applies: bool
    """Whether Theorem 2.1 speaks of this method: L-LAAF and N-LAAF with slope recovery."""
    not_finite: tuple[str, ...]
    """Sentences on the terms that are not finite at step 0, and where."""

    @property
    def theorem_holds(self) -> bool | None:
        """Whether the start condition holds; None where the theorem does not apply, or one of both
        losses is NaN.
        """
        losses = self.start_loss, self.constant_bound
        is_known = self.theorem_applies and not any(map(math.isnan, losses))
        return self.start_loss < self.constant_bound if is_known else None


def inspect(plan: Plan, watch: Watch = UNWATCHED) -> Inspection:
    """Draws points and weights, evaluates the loss once, trains nothing.

    Args:
        watch: of the reference, which is solved where it gives the data.
    """
    if plan.reference is not None and plan.takes_data_from_reference:
        plan.reference.prepare(watch)
    points = plan.draw_points()
    network = plan.make_network()
    objective = plan.make_objective(network, points)
    loss = objective.evaluate()
    values = dict(zip(loss.names, loss.values.tolist(), strict=True))
    terms = tuple(
        TermReport(
            name=term.name,
            kind=term.kind,
            derivatives=tuple(
                derivative_name(field.unknown, field.orders, plan.problem.domain.coordinates)
                for field in sorted(
                    term.fields, key=lambda f: (f.unknown, sum(f.orders), [-o for o in f.orders])
                )
            ),
            region=term.region.describe(plan.problem.domain),
            n_points=len(points[term.name]) if term.name in points else 0,
            weight=term.weight,
            value=values.get(term.name),
        )
        for term in plan.problem.terms
    )
    bound = constant_loss(plan.problem, points)
    recovery = plan.recovery
    if recovery is not None:
        bound += recovery.weight * recovery.at_zero(len(network.slopes.values))
    n_parameters, n_slopes = network.count()
    return Inspection(
        terms=terms,
        n_parameters=n_parameters,
        n_slopes=n_slopes,
        recovery=values.get("slope_recovery"),
        start_loss=loss.total.item(),
        constant_bound=bound,
        theorem_applies=recovery is not None and not plan.spec.slopes.row.is_shared,
        not_finite=tuple(_not_finite(plan, objective)),
    )


def _not_finite(plan: Plan, objective: Objective) -> Iterator[str]:
    """A sentence for each term that is not finite at step 0."""
    coordinates = plan.problem.domain.coordinates
    for name, bad in objective.not_finite().items():
        term = objective.terms[name]
        what = "the data are" if term.kind == "data" else f"the {term.kind} '{name}' is"
        place, points = "", objective.points[name].points
        if len(points) == len(bad):  # an integral has one residual for many points
            first = points[int(np.argmax(bad))]
            at = zip(coordinates, first, strict=True)
            place = " at " + ", ".join(f"{x} = {value:.3g}" for x, value in at)
        yield (
            f"with the untrained network {what} not finite{place} ({bad.sum()} of {len(bad)} "
            "residuals), and such a loss cannot be trained; change the formula, for example "
            "sqrt(u) to sqrt(abs(u))"
        )
