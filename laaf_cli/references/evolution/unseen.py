"""Whether a solution in time has stepped over what the equations hold near some value of an
unknown.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, evaluate, fields, partial
from laaf_cli.references.evolution.form import EvolutionForm
from laaf_cli.references.evolution.solve import EvolutionSolution
from laaf_cli.references.probes import crossings, probes

N_ALONG = 2001
N_LINES = 7


def missed(solution: EvolutionSolution) -> float:
    """By how much the unknowns would change, as a fraction of their largest values, if what the
    residual is near such places were put right.

    The residual, over its derivative by the highest derivative in time, is a rate; what it does on
    the way past a place is its integral.
    """
    form = solution.form
    trees = [tree for tree in form.equations if _is_nonlinear(tree)]
    if not trees:
        return 0.0
    plain = [form.field(j, 0, 0) for j in range(len(form.unknowns))]
    held = sorted(
        {*plain, *(field for tree in form.equations for field in fields(tree))},
        key=lambda field: (field.unknown, field.orders),
    )
    lines = [(line, axis, solution.fields(line, held)) for line, axis in _lines(form)]
    sizes = {
        field.unknown: max(float(np.max(np.abs(known[field]))) for *_, known in lines) or 1.0
        for field in plain
    }
    largest, span = 0.0, form.end - form.start
    for line, axis, known in lines:
        along, columns = line[:, axis], dict(zip(form.coordinates, line.T, strict=True))
        places = crossings(trees, columns, known, along)
        if not len(places):
            continue
        lower, upper = form.lower[axis], form.upper[axis]
        close = probes(places, lower, upper, 2)
        points = np.tile(line[0], (len(close), 1))
        points[:, axis] = close
        near = solution.fields(points, held)
        share = 1.0 if axis == form.time_axis else span / (upper - lower)
        for tree in trees:
            rate, field = _rate(form, tree, points, near)
            above_first = max(form.time_order(field) - 1, 0)
            change = span**above_first * share * np.trapezoid(np.abs(rate), close)
            largest = max(largest, float(change) / sizes[field.unknown])
    return largest


def _is_nonlinear(tree: Node) -> bool:
    return any(fields(partial(tree, field)) for field in fields(tree))


def _rate(
    form: EvolutionForm, tree: Node, points: Array, known: dict[Field, Array]
) -> tuple[Array, Field]:
    """The residual as a rate of the highest derivative in time, [n], and that derivative."""
    field = max(fields(tree), key=lambda f: (form.time_order(f), -form.space_order(f)))
    columns = dict(zip(form.coordinates, points.T, strict=True))
    with np.errstate(all="ignore"):
        residual = np.broadcast_to(evaluate(tree, columns, known, NUMPY), len(points))
        slope = np.broadcast_to(evaluate(partial(tree, field), columns, known, NUMPY), len(points))
        return np.nan_to_num(residual / slope, nan=0.0, posinf=0.0, neginf=0.0), field


def _lines(form: EvolutionForm) -> Iterator[tuple[Array, int]]:
    """Points [n, d] along time at some places, and along space at some times, with the axis."""
    spread = (np.arange(N_LINES) + 0.37) / N_LINES
    for axis in range(len(form.coordinates)):
        others = [i for i in range(len(form.coordinates)) if i != axis]
        unit = (np.arange(N_ALONG) + 0.5) / N_ALONG
        for share in spread if others else spread[:1]:
            line = np.empty((N_ALONG, len(form.coordinates)))
            line[:, axis] = form.lower[axis] + unit * (form.upper[axis] - form.lower[axis])
            for i in others:
                line[:, i] = form.lower[i] + share * (form.upper[i] - form.lower[i])
            yield line, axis
