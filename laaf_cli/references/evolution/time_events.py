"""Which steps in time miss nothing that the formulas hold, whatever the solution does.

A step knows its equations at few times only. It ends where a formula in t changes its branch, and
it is short where a formula in t has a pulse between these times. The formulas are sampled at many
times for that, closer and closer to where a part of them is zero, as the centre of a pulse of any
width is the zero of its argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Call, Node, branch_breaks, evaluate, fields, symbols, turns
from laaf_cli.expression.analyse import nodes
from laaf_cli.expression.functions import COMPARISONS
from laaf_cli.references.evolution.form import EvolutionForm
from laaf_cli.references.evolution.radau_tableau import N_STAGES, radau_tableau
from laaf_cli.references.evolution.schedule import FREE, Schedule
from laaf_cli.references.probes import POLYNOMIAL, some
from laaf_cli.references.reference import ReferenceRefusedError

MOST_STOPS = 1000
MOST_TURNS = 20  # of one formula that an unknown is in, or that are looked at very closely
N_PLACES = 61  # in space
N_BETWEEN = 24  # times of a piece besides those of all
MOST_HALVINGS, MOST_PIECES = 36, 1500
RESOLVED = 1e-6  # of the largest value of a formula
LONGEST = 4.0  # times the length of a piece on which a formula is a polynomial: a step there


class TimeEvents:
    """What the equations and conditions of a form hold in t alone or in t and space."""

    def __init__(self, form: EvolutionForm) -> None:
        """Raises ReferenceRefusedError where the branches change too often."""
        self.form, self.name = form, form.coordinates[form.time_axis]
        self.trees = (*form.equations, *form.at_lower, *form.at_upper, *form.pairs)
        self.known: dict[tuple[Node, str], frozenset[float]] = {}
        breaks = branch_breaks(self.trees, self.name, form.start, form.end)
        if len(breaks) > MOST_STOPS:
            raise ReferenceRefusedError(
                f"the equations change their branch at {len(breaks)} times, and the spectral "
                f"solution in time follows {MOST_STOPS} at most"
            )
        self.breaks = _apart(breaks, form)
        # What acts through functions of the solution, only a step can see.
        with_fields = {
            turn
            for tree in self.trees
            for node in nodes(tree)
            if isinstance(node, Call) and node.function not in POLYNOMIAL and fields(node)
            for turn in self._turns(node, self.name, MOST_TURNS)
        }
        ends = with_fields if len(with_fields) <= MOST_STOPS else set()
        self.stops = _apart([*breaks, *ends], form)

    def schedule(self, n_times: int) -> Schedule:
        """Where steps must end and be short, so that no formula changes unseen.

        Args:
            n_times: at which every formula is sampled; other numbers miss other things.
        """
        if not any(self.name in symbols(tree) for tree in self.trees):
            return replace(FREE, forcing=self._largest(np.array([self.form.start])))
        # Every formula in t alone or in t and space, the parts of others among them.
        parts = dict.fromkeys(
            node
            for tree in self.trees
            for node in nodes(tree)
            if isinstance(node, Call)
            and not (node.function in COMPARISONS or fields(node))
            and self.name in symbols(node)
        )
        pieces = [piece for part in parts for piece in self._pieces(part, n_times)]
        starts, lengths, longest = np.reshape(pieces, (len(pieces), 3)).T
        found = {turn for tree in self.trees for turn in self._turns(tree, self.name)}
        return Schedule(
            stops=self.stops,
            starts=starts,
            ends=starts + lengths,
            longest=longest,
            forcing=self._largest(self._times(found, n_times)),
        )

    def _turns(self, tree: Node, coordinate: str, most: int = MOST_STOPS) -> frozenset[float]:
        """The turns of parts in one coordinate alone, some of those that turn more often."""
        axis = self.form.coordinates.index(coordinate)
        ends = self.form.lower[axis], self.form.upper[axis]
        result: frozenset[float] = frozenset()
        for node in nodes(tree):
            is_condition = isinstance(node, Call) and node.function in COMPARISONS
            if is_condition or symbols(node) != {coordinate} or fields(node):
                continue
            if (node, coordinate) not in self.known:
                self.known[node, coordinate] = frozenset(turns(node, coordinate, *ends))
            result |= frozenset(some(self.known[node, coordinate], most))
        return result

    def _times(self, found: Iterable[float], n_times: int) -> Array:
        """Equally spaced ones, and closer and closer ones on both sides of some."""
        form, places = self.form, list(found)
        step = 1 if len(places) <= MOST_TURNS else 3
        offsets = (form.end - form.start) * 2.0 ** -np.arange(1, MOST_HALVINGS, step)
        close = [np.concatenate([turn - offsets, [turn], turn + offsets]) for turn in places]
        times = np.concatenate([np.linspace(form.start, form.end, n_times), *close])
        return np.unique(times[(times >= form.start) & (times <= form.end)])

    def _places(self, trees: Iterable[Node]) -> Array:
        form = self.form
        if form.space_axis is None:
            return np.zeros(1)
        space = form.coordinates[form.space_axis]
        found = {turn for tree in trees for turn in self._turns(tree, space, MOST_TURNS)}
        even = np.linspace(form.lower[form.space_axis], form.upper[form.space_axis], N_PLACES)
        return np.unique(np.concatenate([even, list(found)]))

    def _largest(self, times: Array) -> float:
        """The largest residual of a solution that is zero."""
        form, axis = self.form, self.form.space_axis
        ends = (
            [np.zeros(1)] * 2
            if axis is None
            else [np.array([end]) for end in (form.lower[axis], form.upper[axis])]
        )
        sites = (
            (form.equations, self._places(form.equations)),
            (form.at_lower, ends[0]),
            (form.at_upper, ends[1]),
        )
        values = [_values(form, tree, times, places) for trees, places in sites for tree in trees]
        return max(float(np.max(np.abs(value))) for value in values)

    def _pieces(self, part: Node, n_times: int) -> list[tuple[float, float, float]]:
        """Start, length and longest step of the pieces of time that ask for shorter steps than
        others.

        Pieces are halved until their polynomial meets the formula; a step that is not much longer
        than such a piece misses nothing there, wherever its own times lie.
        """
        form = self.form
        has_space = symbols(part) != {self.name}
        places = self._places([part]) if has_space else np.zeros(1)
        most = MOST_TURNS if has_space else MOST_STOPS
        found = self._turns(part, self.name, most)
        samples = self._times(found, n_times // 8 if has_space else n_times)
        known = _values(form, part, samples, places)
        tolerance = RESOLVED * float(np.max(np.abs(known)))
        edges = np.concatenate([[form.start], self.breaks, [form.end]])
        starts, lengths = edges[:-1], np.diff(edges)
        result: list[tuple[float, float, float]] = []
        for depth in range(MOST_HALVINGS):
            missed = _missed(form, part, places, (starts, lengths), (samples, known))
            is_open = missed > tolerance
            is_last = np.count_nonzero(is_open) > MOST_PIECES
            is_final = np.ones(len(starts), bool) if is_last else ~is_open
            if depth > 0:
                longest = LONGEST * lengths[is_final]
                result += [*zip(starts[is_final], lengths[is_final], longest, strict=True)]
            if is_last or not np.any(is_open):
                break
            half = lengths[is_open] / 2
            starts = np.concatenate([starts[is_open], starts[is_open] + half])
            lengths = np.tile(half, 2)
        return result


def _apart(stops: Iterable[float], form: EvolutionForm) -> Array:
    """Ascending, without those that rounding cannot distinguish."""
    result: list[float] = []
    for stop in sorted(stops):
        if stop - (result[-1] if result else form.start) > 1e-12 * (form.end - form.start):
            result.append(stop)
    return np.array(result)


def _values(form: EvolutionForm, tree: Node, times: Array, places: Array) -> Array:
    """A tree with all unknowns zero, [n_times, n_places]; what is not finite counts as zero."""
    values: dict[str, Array | float] = {form.coordinates[form.time_axis]: times[:, None]}
    if form.space_axis is not None:
        space = form.coordinates[form.space_axis]
        values |= {space: places[None, :], f"normal {space}": 1.0}
    with np.errstate(all="ignore"):
        result = evaluate(tree, values, {field: np.zeros((1, 1)) for field in fields(tree)}, NUMPY)
    shape = (len(times), len(places))
    return np.nan_to_num(
        np.broadcast_to(np.asarray(result, np.float64), shape), nan=0.0, posinf=0.0, neginf=0.0
    )


def _missed(
    form: EvolutionForm,
    part: Node,
    places: Array,
    pieces: tuple[Array, Array],
    samples: tuple[Array, Array],
) -> Array:
    """How far the polynomials of pieces are from a formula, [n_pieces]."""
    starts, lengths = pieces
    unit = np.append(0.0, radau_tableau(N_STAGES, 1).nodes)
    to_series = np.linalg.inv(legendre.legvander(2 * unit - 1, N_STAGES))
    at_nodes = _inside(starts, lengths, unit)
    values = _values(form, part, at_nodes.ravel(), places).reshape(*at_nodes.shape, -1)
    series = np.einsum("ck,nkp->ncp", to_series, values)
    between = _inside(starts, lengths, (np.arange(N_BETWEEN) + 0.5) / N_BETWEEN)
    owners = np.repeat(np.arange(len(starts)), N_BETWEEN)
    missed = np.zeros(len(starts))
    _compare(missed, owners, (between - starts[:, None]).ravel() / lengths[owners], series,
             _values(form, part, between.ravel(), places))  # fmt: skip
    order = np.argsort(starts)
    of_sample = order[
        np.clip(np.searchsorted(starts[order], samples[0], side="right") - 1, 0, None)
    ]
    units = (samples[0] - starts[of_sample]) / lengths[of_sample]
    # At the ends themselves another branch may hold.
    inside = np.flatnonzero((units > 1e-9) & (units < 1 - 1e-9))
    _compare(missed, of_sample[inside], units[inside], series, samples[1][inside])
    return missed


def _compare(
    missed: Array, owners: NDArray[np.intp], units: Array, series: Array, values: Array
) -> None:
    """Raises what is missed [n_pieces] to the largest difference of values [n, n_places] and the
    series there.
    """
    basis = legendre.legvander(2 * units - 1, series.shape[1] - 1)
    difference = values.copy()
    for degree in range(series.shape[1]):
        difference -= basis[:, degree, None] * series[owners, degree]
    np.maximum.at(missed, owners, np.max(np.abs(difference), axis=1))


def _inside(starts: Array, lengths: Array, unit: Array) -> Array:
    """Times [n_pieces, n], those at an end moved by rounding into their piece."""
    return starts[:, None] + lengths[:, None] * np.clip(unit, 1e-10, 1 - 1e-10)
