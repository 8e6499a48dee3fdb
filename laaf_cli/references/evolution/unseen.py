"""Whether a solution in time has stepped over what the equations hold near some value of an
unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, evaluate, fields, partial
from laaf_cli.references.evolution.form import EvolutionForm
from laaf_cli.references.evolution.solve import EvolutionSolution
from laaf_cli.references.probes import crossings, is_linear, is_narrow_across, peaks, probes

Known = dict[Field, Array]
"""Fields at points, [n] each."""

N_ALONG = 2001
N_LINES = 7
# the residual, relative to the largest rate, that may be what two accuracies show; the rate below
# which it may be rounding; the longest delay
_SEEN, _SLOW, _LONGEST = 1e-5, 1e-6, 1e9
_MISSED = 0.03  # the residual of a linear equation, relative to its terms, that was stepped over


def missed(solution: EvolutionSolution) -> float:
    """By how much the unknowns would change, as a fraction of their largest values, if what the
    residual is near such places were put right.

    The residual, over its derivative by the highest derivative in time, is a rate; what it does on
    the way past a place is its integral.
    """
    form = solution.form
    trees = [
        tree
        for tree in form.equations
        if not is_linear(tree) or is_narrow_across(tree, form.coordinates)
    ]
    if not trees:
        return 0.0
    plain = [form.field(j, 0, 0) for j in range(len(form.unknowns))]
    held = sorted(
        {*plain, *(field for tree in form.equations for field in fields(tree))},
        key=lambda field: (field.unknown, field.orders),
    )
    spread, through_peaks = (
        [(line, axis, solution.fields(line, held)) for line, axis in lines]
        for lines in (_lines(form, _spread(form)), _lines(form, _peaks(form, trees)))
    )
    sizes = {
        field.unknown: max(float(np.max(np.abs(known[field]))) for *_, known in spread) or 1.0
        for field in plain
    }
    near = [_near(solution, trees, held, *line) for line in (*spread, *through_peaks)]
    changes = [
        _change(form, tree, points, known, axis, largest) / sizes[_rated(form, tree).unknown]
        for tree, largest in ((tree, _largest(form, tree, near)) for tree in trees)
        for axis, points, known in near
    ]
    return max(changes)


def _near(
    solution: EvolutionSolution,
    trees: Sequence[Node],
    held: Sequence[Field],
    line: Array,
    axis: int,
    known: Known,
) -> tuple[int, Array, Known]:
    """The axis of a line, points [n, d] near where parts of formulas turn on it, and the fields
    there.
    """
    form, points = solution.form, line
    # The second time the places are known to the square of the distance of the points.
    for _ in range(2):
        columns = dict(zip(form.coordinates, points.T, strict=True))
        places = crossings(trees, columns, known, points[:, axis])
        close = probes(places, form.lower[axis], form.upper[axis], 2)
        points = np.tile(line[0], (len(close), 1))
        points[:, axis] = close
        known = solution.fields(points, held)
    return axis, points, known


def _largest(form: EvolutionForm, tree: Node, near: Sequence[tuple[int, Array, Known]]) -> float:
    """The largest rate at these points; of a linear equation also that which is asked of zero."""
    rates = [known[_rated(form, tree)] for *_, known in near]
    if is_linear(tree):
        zero = {f: np.zeros(1) for f in fields(tree)}
        rates += [_rate(form, tree, points, zero) for _, points, _ in near]
    return max(float(np.max(np.abs(rate), initial=0.0)) for rate in rates)


def _change(
    form: EvolutionForm, tree: Node, points: Array, known: Known, axis: int, largest: float
) -> float:
    """By how much an unknown would change along points of a line if a residual were put right.

    Args:
        largest: rate anywhere.
    """
    field, along = _rated(form, tree), points[:, axis]
    # Of a linear equation what was stepped over is left as it is, and of what was not, little.
    least = _MISSED * largest if is_linear(tree) else _SEEN * np.max(np.abs(known[field]))
    rate = _rate(form, tree, points, known)
    rate = np.where(np.abs(rate) > least, rate, 0.0)
    span, is_time = form.end - form.start, axis == form.time_axis
    if is_time and form.time_order(field) == 1 and not is_linear(tree):
        rate = rate * _delay(known[field], rate, largest)
    share = 1.0 if is_time else span / (form.upper[axis] - form.lower[axis])
    above_first = max(form.time_order(field) - 1, 0)
    return float(span**above_first * share * np.trapezoid(np.abs(rate), along))


def _delay(found: Array, off: Array, largest: float) -> Array:
    """How much longer the way takes at the rate that the equations ask for than at the one found,
    where they differ by more than rounding, and at least 1.
    """
    asked, size = np.abs(found - off), np.abs(found)
    differs = (np.abs(off) > 0.1 * size) & (size > _SLOW * largest)
    longer = np.divide(size, asked, out=np.full_like(size, np.inf), where=asked > 0)
    return np.where(differs, np.clip(longer, 1.0, _LONGEST), 1.0)


def _rated(form: EvolutionForm, tree: Node) -> Field:
    """The highest derivative in time."""
    return max(fields(tree), key=lambda f: (form.time_order(f), -form.space_order(f)))


def _rate(form: EvolutionForm, tree: Node, points: Array, known: Known) -> Array:
    """The residual as a rate of the highest derivative in time, [n]."""
    slope_tree = partial(tree, _rated(form, tree))
    columns = dict(zip(form.coordinates, points.T, strict=True))
    with np.errstate(all="ignore"):
        residual = np.broadcast_to(evaluate(tree, columns, known, NUMPY), len(points))
        slope = np.broadcast_to(evaluate(slope_tree, columns, known, NUMPY), len(points))
        return np.nan_to_num(residual / slope, nan=0.0, posinf=0.0, neginf=0.0)


def _spread(form: EvolutionForm) -> Array:
    """Points all over, at irrational places, [n, d]."""
    lower, upper = np.array(form.lower), np.array(form.upper)
    shares = (np.arange(N_LINES if len(lower) > 1 else 1) + 0.37) / N_LINES
    return lower + shares[:, None] * (upper - lower)


def _peaks(form: EvolutionForm, trees: Iterable[Node]) -> Array:
    """Where formulas in time and space have peaks, [n, d]."""
    ends = zip(form.lower, form.upper, strict=True)
    return peaks(trees, dict(zip(form.coordinates, ends, strict=True)))


def _lines(form: EvolutionForm, through: Array) -> Iterator[tuple[Array, int]]:
    """Points [n, d] along each coordinate, through some, with the axis."""
    unit = (np.arange(N_ALONG) + 0.5) / N_ALONG
    for axis, start in product(range(len(form.coordinates)), through):
        line = np.tile(start, (N_ALONG, 1))
        line[:, axis] = form.lower[axis] + unit * (form.upper[axis] - form.lower[axis])
        yield line, axis
