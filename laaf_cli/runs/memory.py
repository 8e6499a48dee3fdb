"""What a run takes of the memory, by estimate: points, the network and its derivatives there,
matrices, the grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from laaf_cli.derivatives import AUTO as FASTEST
from laaf_cli.derivatives import FUSED, obstacle
from laaf_cli.multi_index import lower_set
from laaf_cli.problem import Term
from laaf_cli.runs.out_of_memory import Consumer, shortage
from laaf_cli.runs.plan import Plan
from laaf_cli.training import OPTIMIZERS
from laaf_cli.training.inverse_hessian import MEMORY
from laaf_cli.training.reading import read

DOUBLE = 8
"""Bytes of a number in float64."""


def of_points(plan: Plan) -> list[Consumer]:
    """Drawing the points: coordinates in float64, some three copies of them at the most."""
    return [
        Consumer(
            f"{terms[0].region.n_points:,} points of {_named(terms)}",
            4 * DOUBLE * plan.problem.domain.dimension * terms[0].region.n_points,
            f"A smaller {_points_key(terms)} lowers it",
        )
        for terms in _groups(plan)
    ]


def of_loss(plan: Plan, phase: int = 0) -> list[Consumer]:
    """One evaluation of the loss, in this phase of the training."""
    return [*of_points(plan), *(_of_terms(plan, phase, terms) for terms in _groups(plan))]


def of_phase(plan: Plan, phase: int) -> list[Consumer]:
    """A phase of the training, with what it evaluates and keeps meanwhile."""
    return [*_of_optimizer(plan, phase), *of_loss(plan, phase), *of_grid(plan)]


def of_grid(plan: Plan) -> list[Consumer]:
    """The solution on the evaluation grid: coordinates, unknowns, references and errors."""
    axes = dict(
        zip(plan.problem.domain.coordinates, (len(axis) for axis in plan.problem.grid), strict=True)
    )
    n_points = math.prod(axes.values())
    n_columns = 2 * len(axes) + 4 * len(plan.problem.unknowns)
    sizes = " × ".join(f"{n:,}" for n in axes.values())
    return [
        Consumer(
            f"the evaluation grid, {sizes} points",
            DOUBLE * n_columns * n_points,
            "A smaller evaluation.grid lowers it",
        )
    ]


def warning(plan: Plan) -> str:
    """That training will hardly fit into the memory that is free, and what lowers it; empty where
    it will.

    On a GPU nothing is said, for there the lack of memory is told as it comes.
    """
    if plan.device.type != "cpu":
        return ""
    phases = enumerate(plan.spec.training)
    told = (shortage(f"phase {i} ({phase.optimizer})", of_phase(plan, i)) for i, phase in phases)
    return next(filter(None, told), "")


def of_reference(plan: Plan) -> list[Consumer]:
    """The reference at the points of the grid; what a solver of equations takes besides, nobody
    knows beforehand.
    """
    [grid] = of_grid(plan)
    remedy = (
        "A smaller evaluation.grid lowers it, and reference: none does without, but then "
        "nothing is known of the error"
    )
    return [Consumer(f"the reference on {grid.what}", grid.n_bytes, remedy)]


def n_parameters(plan: Plan) -> int:
    """Weights and biases of the network."""
    harmonics = plan.problem.trial.harmonics
    n_inputs = sum(2 * harmonics.get(axis, 0) or 1 for axis in range(plan.problem.domain.dimension))
    widths = [n_inputs, *plan.spec.network.hidden, len(plan.problem.trial.outputs)]
    return sum((before + 1) * width for before, width in pairwise(widths))


def _of_optimizer(plan: Plan, phase: int) -> Iterator[Consumer]:
    """What an optimizer keeps, the network among it, and the copy of all that goes into a
    checkpoint.
    """
    name, n = plan.spec.training[phase].optimizer, n_parameters(plan)
    fewer = "fewer neurons in network.hidden lower it"
    if OPTIMIZERS[name].max_parameters is not None:
        yield Consumer(
            (
                f"the inverse Hessian of '{name}', {n:,} × {n:,} numbers of {DOUBLE} bytes, and a "
                "checkpoint of it"
            ),
            DOUBLE * n * n * 2,
            f"training.{phase}.optimizer: lbfgs does without it, and {fewer}",
        )
    elif name == "lbfgs":
        yield Consumer(
            f"the last {MEMORY} steps of '{name}', {n:,} numbers each, and a checkpoint of them",
            DOUBLE * n * 4 * MEMORY,
            f"training.{phase}.optimizer: adam does without them, and {fewer}",
        )
    else:
        yield Consumer(
            f"the network, {n:,} parameters with gradients and moments, and a checkpoint of them",
            8 * _itemsize(plan) * n,
            f"{fewer.capitalize()}",
        )


def _of_terms(plan: Plan, phase: int, terms: list[Term]) -> Consumer:
    """Values and derivatives of every layer at the points of terms that share them, as the backward
    pass needs them.

    The kernel works on a block of points at a time, and keeps inputs and outputs alone.
    """
    reading = read(terms, plan.problem.learned)
    fields = [field.orders for field in reading.fields]
    n_streams = len(
        lower_set(
            [*fields, *(orders for operator in reading.operators for orders in operator.orders)]
        )
    )
    order = max((term.order for term in terms), default=0)
    hidden, n_outputs = plan.spec.network.hidden, len(plan.problem.trial.outputs)
    n_points = plan.spec.training[phase].batch or _n_points(plan, phase, terms)
    at_ends = n_streams * (plan.problem.domain.dimension + 4 * n_outputs)
    if plan.engine_name in (FASTEST, FUSED) and not _obstacle(plan, order):
        what, n_numbers = "inputs and outputs", at_ends
    else:
        # Of each layer its streams before and after the activation, and the derivatives of the
        # activation.
        what = f"the layers and their {n_streams} derivatives" if n_streams > 1 else "the layers"
        n_numbers = (
            at_ends + sum(hidden) * (2 * n_streams + order + 1) + 4 * n_streams * max(hidden)
        )
    size = _itemsize(plan)
    return Consumer(
        (
            f"{what} at {n_points:,} points of {_named(terms)}, {n_numbers:,} numbers of {size} "
            "bytes for each"
        ),
        size * n_numbers * n_points,
        _fewer_points(plan, phase, terms, order),
    )


def _fewer_points(plan: Plan, phase: int, terms: list[Term], order: int) -> str:
    ways = [f"a smaller {_points_key(terms)}"]
    if "batch" in OPTIMIZERS[plan.spec.training[phase].optimizer].keys:
        ways.insert(0, f"training.{phase}.batch, some of the points at each iteration")
    if plan.engine_name not in (FASTEST, FUSED) and not _obstacle(plan, order):
        ways.insert(0, f"--derivatives {FUSED}")
    if plan.spec.dtype == "float64":
        ways.append("dtype: float32")
    return f"It is lowered by {'; '.join(ways)}; or fewer neurons in network.hidden"


def _groups(plan: Plan) -> list[list[Term]]:
    """The trained terms by the points that they share: all equations, and each of the others."""
    equations = [term for term in plan.problem.trained_terms if term.kind == "equation"]
    others = [[term] for term in plan.problem.trained_terms if term.kind != "equation"]
    return [equations, *others] if equations else others


def _n_points(plan: Plan, phase: int, terms: list[Term]) -> int:
    if terms[0].kind != "equation":
        return terms[0].region.n_points
    given = [each.interior for each in plan.spec.training[: phase + 1] if each.interior is not None]
    return given[-1] if given else terms[0].region.n_points


def _points_key(terms: list[Term]) -> str:
    """The key of the spec that says how many points there are."""
    if terms[0].kind == "equation":
        return "points.interior"
    return "data.points" if terms[0].kind == "data" else f"conditions.{terms[0].name}.points"


def _named(terms: list[Term]) -> str:
    return "the equations" if terms[0].kind == "equation" else f"'{terms[0].name}'"


def _obstacle(plan: Plan, order: int) -> str:
    return obstacle(plan.device.type, plan.spec.network.activation, order)


def _itemsize(plan: Plan) -> int:
    return plan.dtype.itemsize
