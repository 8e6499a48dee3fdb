"""What an iteration costs on several processes: a model, fitted in `docs/scaling.md`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from laaf_cli.derivatives import FUSED
from laaf_cli.multi_index import lower_set
from laaf_cli.problem import Term
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.plan_faults import n_parameters
from laaf_cli.training.lowering import lower

N_TERMS = 9
"""Numbers beside the gradient, about."""

PRODUCTS = 4
"""Products of matrices by which the kernel evaluates a layer and its gradient."""

FLOP_PER_S = {"float32": 5.0e10, "float64": 2.5e10}
"""Of one core, as in `docs/scaling.md`."""


@dataclass(frozen=True)
class Link:
    """What messages between two processes take."""

    latency_s: float
    bytes_per_s: float
    besides_s: float = 0.0
    """What an iteration of several processes takes besides messages, whatever is sent."""


LOOPBACK = Link(6.6e-5, 9.4e8, 8.6e-3)
"""Between processes of one machine by Gloo, as in `docs/scaling.md`."""


def sum_s(n_parameters: int, n: int, link: Link) -> float:
    """Seconds of the sum of an iteration over n processes, in a ring: 2 (n − 1) messages,
    2 (n − 1)/n of the bytes (Patarasuk & Yuan 2009, J. Parallel Distrib. Comput. 69).
    """
    n_bytes = 8 * (n_parameters + N_TERMS)
    messages = 2 * (n - 1) * (link.latency_s + n_bytes / n / link.bytes_per_s)
    return messages + (link.besides_s if n > 1 else 0.0)


def iteration_s(alone_s: float, compute_s: float, n_parameters: int, n: int, link: Link) -> float:
    """Seconds of an iteration on n processes.

    Args:
        alone_s: what each does for itself.
        compute_s: what they divide.
    """
    return alone_s + compute_s / n + sum_s(n_parameters, n, link)


def compute_s(plan: Plan) -> float:
    """Seconds that the points of an iteration take on one core, by their arithmetic."""
    weights = sum(a * b for a, b in _layers(plan))
    points = sum(streams * n_points for streams, n_points in _points(plan))
    return 2 * PRODUCTS * weights * points / FLOP_PER_S[plan.spec.dtype]


def hint(plan: Plan) -> str:
    """That more processes only cost time, and from how many points on they save some;
    empty where they do, and where it is not known.
    """
    if not plan.engine_use.startswith(FUSED):
        return ""
    saved = compute_s(plan) / 2
    cost = sum_s(n_parameters(plan.spec, plan.problem, 0), 2, LOOPBACK)
    if saved >= cost:
        return ""
    n_points = sum(n for _, n in _points(plan))
    digits = 10 ** math.floor(math.log10(n_points * cost / saved))
    least = math.ceil(n_points * cost / saved / digits) * digits
    return (
        f"only cost time at {n_points:,} points: with this network a second one pays from about "
        f"{least:,} on"
    )


def _layers(plan: Plan) -> Iterator[tuple[int, int]]:
    widths = [
        plan.problem.domain.dimension,
        *plan.spec.network.hidden,
        len(plan.problem.ansatz.outputs),
    ]
    return pairwise(widths)


def _points(plan: Plan) -> Iterator[tuple[int, int]]:
    """The streams and the number of points of terms that share theirs."""
    equations = [term for term in plan.problem.trained_terms if term.kind == "equation"]
    others = [[term] for term in plan.problem.trained_terms if term.kind != "equation"]
    for terms in filter(None, [equations, *others]):
        yield _streams(plan, terms), terms[0].region.n_points


def _streams(plan: Plan, terms: Sequence[Term]) -> int:
    lowered = lower(terms, plan.problem.learned)
    needed = [field.orders for field in lowered.fields]
    needed += [below for operator in lowered.operators for below in operator.below]
    needed.append((0,) * plan.problem.domain.dimension)
    return len(lower_set(needed)) + len(lowered.coefficients)
