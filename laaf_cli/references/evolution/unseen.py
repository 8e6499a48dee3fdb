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
from laaf_cli.references.probes import crossings, is_linear, probes

N_ALONG = 2001
N_LINES = 7
# the residual, relative to the largest rate, that may be what two accuracies show; the rate below
# which it may be rounding; the longest delay
_SEEN, _SLOW, _LONGEST = 1e-5, 1e-6, 1e9


def missed(solution: EvolutionSolution) -> float:
    """By how much the unknowns would change, as a fraction of their largest values, if what the
    residual is near such places were put right.

    The residual, over its derivative by the highest derivative in time, is a rate; what it does on
    the way past a place is its integral.
    """
    form = solution.form
    trees = [tree for tree in form.equations if not is_linear(tree)]
    if not trees:
        return 0.0
    plain = [form.field(j, 0, 0) for j in range(len(form.unknowns))]
    held = sorted(
        {*plain, *(field for tree in form.equations for field in fields(tree))},
        key=lambda field: (field.unknown, field.orders),
    )
    lines = [(line, axis, solution.fields(line, held)) for line, axis in _lines(form)]
    largest_of = {
        field: max(float(np.max(np.abs(known[field]), initial=0.0)) for *_, known in lines)
        for field in held
    }
    sizes = {field.unknown: largest_of[field] or 1.0 for field in plain}
    largest, span = 0.0, form.end - form.start
    for line, axis, known in lines:
        points = line
        # The second time the places are known to the square of the distance of the points.
        for _ in range(2):
            columns = dict(zip(form.coordinates, points.T, strict=True))
            places = crossings(trees, columns, known, points[:, axis])
            close = probes(places, form.lower[axis], form.upper[axis], 2)
            points = np.tile(line[0], (len(close), 1))
            points[:, axis] = close
            known = solution.fields(points, held)
        is_time = axis == form.time_axis
        share = 1.0 if is_time else span / (form.upper[axis] - form.lower[axis])
        for tree in trees:
            rate, field = _rate(form, tree, points, known)
            if not np.any(np.abs(rate) > _SEEN * largest_of[field]):
                continue
            if is_time and form.time_order(field) == 1:
                rate = rate * _delay(known[field], rate)
            above_first = max(form.time_order(field) - 1, 0)
            change = span**above_first * share * np.trapezoid(np.abs(rate), close)
            largest = max(largest, float(change) / sizes[field.unknown])
    return largest


def _delay(found: Array, off: Array) -> Array:
    """How much longer the way takes at the rate that the equations ask for than at the one found,
    where they differ by more than rounding, and at least 1.
    """
    asked, size = np.abs(found - off), np.abs(found)
    differs = (np.abs(off) > 0.1 * size) & (size > _SLOW * np.max(size))
    longer = np.divide(size, asked, out=np.full_like(size, np.inf), where=asked > 0)
    return np.where(differs, np.clip(longer, 1.0, _LONGEST), 1.0)


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
