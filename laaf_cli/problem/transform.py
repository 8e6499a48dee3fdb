"""The form of the solution in a spec (`transform`, `periodic`), and which conditions it meets by
itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    ExpressionError,
    ExpressionFault,
    Field,
    Node,
    Scope,
    Symbol,
    evaluate,
    fields,
    functions,
    nodes,
    parse,
    resolve,
    rounding_bound,
    symbols,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.problem.ansatz import Ansatz
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.problem import Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import PeriodicPair, PointSet
from laaf_cli.problem.samplers import RANDOM
from laaf_cli.text import did_you_mean, listed

N_POINTS = 1000
"""Points of a condition at which the form of the solution is checked."""

MAX_WORK = 2_000_000
"""Operations times points after which no further condition is checked, for each draw: a second for
all draws.
"""

SIZES = (1.0,) * 24 + (100.0,) * 24
"""Sizes of the random outputs, one for each draw."""

AT_ONCE = 8
"""Draws that are evaluated together."""

ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""Residuals below this fraction of their bound of rounding are rounding: functions of libraries are
off by a few units.
"""

DOUBT = 1e-10
"""Residuals below this fraction of it do not prove that a form breaks a condition: as the
quadrature of an integral.
"""


def output_names(unknowns: Sequence[str]) -> tuple[str, ...]:
    """What a transform calls the outputs of the network: `net`, or `net_u`, `net_v` where there
    are several.
    """
    return ("net",) if len(unknowns) == 1 else tuple(f"net_{unknown}" for unknown in unknowns)


def read_ansatz(reader: Reader) -> Ansatz:
    """The form of the solution; without a transform each unknown is an output itself."""
    domain, unknowns = reader.domain, reader.scope.unknowns
    harmonics = {
        domain.coordinates.index(name): count
        for name, count in reader.spec.periodic.items()
        if name in domain.coordinates
    }
    plain = Ansatz(coordinates=domain.coordinates, outputs=unknowns, trees={}, harmonics=harmonics)
    if not reader.spec.forms:
        return plain
    names = output_names(unknowns)
    scope = replace(reader.scope, unknowns=names, fields={})
    trees: dict[str, Node] = {}
    for unknown, text in reader.spec.forms.items():
        path = ("transform", unknown)
        if unknown not in unknowns:
            reader.not_unknown(path, unknown)
            continue
        within = f"the transform of '{unknown}'"
        tree = reader.attempt(path, within, partial(in_outputs, text, unknowns, scope))
        if tree is None:
            continue
        if not fields(tree):
            hint = f"Outputs: {listed(names)}."
            reader.fault(
                path,
                f"{within} contains no output of the network, so nothing is left to learn",
                hint,
            )
        elif reader.is_of_coordinates(
            path, tree, within, "A transform contains coordinates, constants and outputs."
        ):
            trees[unknown] = tree
    rest = {
        unknown: Field(name, (0,) * domain.dimension)
        for unknown, name in zip(unknowns, names, strict=True)
        if unknown not in reader.spec.forms
    }
    return Ansatz(
        coordinates=domain.coordinates, outputs=names, trees=trees | rest, harmonics=harmonics
    )


def in_outputs(text: str, unknowns: Sequence[str], scope: Scope) -> Node:
    """The resolved tree of a transform.

    Raises:
        ExpressionError: also where an unknown is used for its output.
    """
    tree, hint = parse(text), f"It is made from outputs of the network: {listed(scope.unknowns)}."
    wrong = []
    for node in nodes(tree):
        if not isinstance(node, Symbol):
            continue
        if node.name in unknowns:
            wrong.append(ExpressionFault(f"'{node.name}' is an unknown itself", node.span, hint))
        elif (
            node.name in ("net", *(f"net_{unknown}" for unknown in unknowns))
            and node.name not in scope.unknowns
        ):
            wrong.append(
                ExpressionFault(f"'{node.name}' is not an output of the network", node.span, hint)
            )
    if wrong:
        raise ExpressionError(wrong)
    return resolve(tree, scope)


def read_periodic(reader: Reader, domain: Domain) -> Domain:
    """The domain with its periodic axes.

    Where a condition says that an axis is periodic, its faces and the condition stay: it is met by
    the inputs, and found out like any other.
    """
    axes = []
    stated = {condition.periodic for condition in reader.spec.conditions.values()}
    for name in reader.spec.periodic:
        if name not in domain.coordinates:
            hint = (
                did_you_mean(name, domain.coordinates)
                or f"Coordinates: {listed(domain.coordinates)}."
            )
            reader.fault(("periodic", name), f"'{name}' is not a coordinate", hint, True)
        elif name not in stated:
            axes.append(domain.coordinates.index(name))
    return replace(domain, periodic=tuple(sorted(axes)))


def check_derivable(reader: Reader, ansatz: Ansatz, terms: Sequence[Term]) -> bool:
    """Whether every derivative that the terms need exists after the transform; notes a fault
    where one does not.
    """
    reader.place = ("transform",)
    for term in terms:
        for field in term.fields:
            try:
                ansatz.tree(field)
            except ExpressionError as error:
                fault = error.faults[0]
                what = (
                    f"with this transform, the {term.kind} '{term.name}' cannot be derived: "
                    f"{fault.what}"
                )
                reader.fault(("transform", field.unknown), what, fault.hint)
                return False
        try:
            term.in_outputs(ansatz)
        except ExpressionError as error:
            fault = error.faults[0]
            what = (
                f"with this transform, the {term.kind} '{term.name}' cannot be written out: "
                f"{fault.what}"
            )
            reader.fault(("transform",), what, fault.hint, True)
            return False
    return True


def check_periodicity(reader: Reader, ansatz: Ansatz) -> None:
    """Notes a transform that has two values at the seam of a periodic axis, whatever the
    network's outputs there.
    """
    domain = reader.domain
    for axis in domain.periodic:
        for unknown in reader.spec.forms:
            if jump := jump_at_seam(domain, axis, ansatz.trees[unknown]):
                name = domain.coordinates[axis]
                low, high = domain.lower[axis], domain.upper[axis]
                what = (
                    f"the transform of '{unknown}' is not periodic in '{name}': between {name} = "
                    f"{low:g} and {name} = {high:g} it jumps by up to {jump:.2g}"
                )
                hint = (
                    f"Write '{name}' in functions of this period, as "
                    f"sin(2*pi*{name}/{high - low:g})."
                )
                reader.fault(("transform", unknown), what, hint)


def jump_at_seam(domain: Domain, axis: int, tree: Node) -> float:
    """By how much a tree in coordinates, fields and learned constants differs at most between
    opposite points of the faces of an axis, where its fields have the same values; 0 within
    rounding.
    """
    random = np.random.default_rng(0)
    points = PeriodicPair(axis=axis, n_points=N_POINTS, sampler=RANDOM).draw(domain, random).points
    # Without another coordinate there is one pair, which is taken with many outputs.
    points = np.tile(points, (2 * N_POINTS // len(points), 1))
    columns = dict(zip(domain.coordinates, points.T, strict=True))
    columns |= {
        name: np.full(len(points), random.uniform(0.5, 1.5))
        for name in sorted(symbols(tree) - columns.keys())
    }
    outputs = {field: np.repeat(random.uniform(-1.5, 1.5, N_POINTS), 2) for field in fields(tree)}
    with np.errstate(all="ignore"):
        values = np.broadcast_to(evaluate(tree, columns, outputs, NUMPY), len(points)).reshape(
            -1, 2
        )
        bounds = np.broadcast_to(rounding_bound(tree, columns, outputs), len(points))
        jump = float(np.max(np.abs(values[:, 1] - values[:, 0])))
    rounding = ROUNDING * float(np.max(bounds, where=np.isfinite(bounds), initial=0.0))
    return jump if jump > max(DOUBT * float(np.max(np.abs(values))), rounding) else 0.0


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a form of the solution does to a condition."""

    term: Term
    satisfied: frozenset[int]
    """The indices of the residuals that vanish for every function of the form."""
    off: float
    """By how much another one is off whatever the network; 0 where it can be met."""


def satisfied_conditions(
    reader: Reader, ansatz: Ansatz, terms: Sequence[Term]
) -> dict[str, frozenset[int]]:
    """The residuals that vanish for every function of the form, by condition and place in it.

    A condition that none of them can meet somewhere is a fault of the form that a user writes,
    unless it is that of measured values, which need not fit.
    """
    satisfied: dict[str, frozenset[int]] = {}
    for proof in proofs(reader.domain, ansatz, terms):
        satisfied[proof.term.name] = proof.satisfied
        if proof.off and reader.left is None:
            spoken_of = {field.unknown for field in proof.term.fields}
            named = [unknown for unknown in reader.spec.forms if unknown in spoken_of]
            path, breaks = ("transform", *named[:1]), "the transform breaks"
            hint = "Change the transform so that it can meet the condition."
            if not reader.spec.forms:
                path, breaks = ("periodic",), "the periodic inputs break"
                hint = "Take the coordinate out of 'periodic', or this condition out of the spec."
            what = (
                f"{breaks} the condition '{proof.term.name}': it is off by {proof.off:.2g}, "
                "whatever the network"
            )
            reader.fault(path, what, hint)
    return satisfied


def proofs(domain: Domain, ansatz: Ansatz, terms: Sequence[Term]) -> Iterator[Proof]:
    """What the form of the solution does to each condition, as far as that can be decided.

    The outputs and all their derivatives are drawn at random at points of the condition: what
    vanishes for any values of them vanishes identically. Conditions beyond the first MAX_WORK
    operations are left out.
    """
    work = 0
    for term in terms:
        is_circle = term.region.paired_axis in ansatz.harmonics
        point_set = None
        if term.kind == "condition" and (ansatz.trees or is_circle):
            point_set = _some_points(domain, term)
        if point_set is None:
            continue
        residuals = term.in_outputs(ansatz).residuals
        work += len(point_set) * sum(sum(1 for _ in nodes(tree)) for tree in residuals)
        if work > MAX_WORK:
            break
        drawn = _residuals_for_random_outputs(domain, residuals, point_set, 2 if is_circle else 1)
        if drawn is None:
            continue
        draws, bounds = drawn
        # Without a bound nothing is rounding: only what is 0 then vanishes.
        rounding = np.where(np.isfinite(bounds), ROUNDING * bounds, 0.0)
        is_free = np.ptp(draws, axis=0) > np.max(rounding, axis=0)
        vanishes = (np.abs(draws) <= rounding).all(axis=(0, 2))
        off = 0.0
        if (
            not vanishes.all()
            and (beyond_reach := ~is_free & (np.abs(draws) > DOUBT * bounds).all(axis=0)).any()
        ):
            off = float(np.max(np.abs(draws[0][beyond_reach])))
        yield Proof(term=term, satisfied=frozenset(np.flatnonzero(vanishes).tolist()), off=off)


def _residuals_for_random_outputs(
    domain: Domain, trees: Sequence[Node], point_set: PointSet, n_equal: int
) -> tuple[Array, Array] | None:
    """The residuals [n_draws, n_trees, n_residuals] for draws of the outputs, and bounds of their
    rounding.

    The bounds are in units of the relative precision. None where they are unknown: of measured
    values, with learned constants or Python functions, if not finite.

    Args:
        n_equal: points in a row at which the outputs have the same values, as at both ends of a
            circle.
    """
    random = np.random.default_rng(0)
    columns = dict(zip(domain.coordinates, point_set.points.T, strict=True)) | dict(
        point_set.symbols
    )
    if any(symbols(tree) - columns.keys() or functions(tree) - TABLE.keys() for tree in trees):
        return None
    needed = sorted(
        frozenset().union(*(fields(tree) for tree in trees)), key=lambda f: (f.unknown, f.orders)
    )
    factors = np.ones(1) if point_set.combination is None else point_set.combination
    draws, bounds = np.empty((2, len(SIZES), len(trees), point_set.n_residuals))
    for k in range(0, len(SIZES), AT_ONCE):
        size = np.array(SIZES[k : k + AT_ONCE])[:, None]
        shape = (AT_ONCE, len(point_set) // n_equal)
        outputs = {
            field: np.repeat(size * random.uniform(-1.5, 1.5, shape), n_equal, axis=1)
            for field in needed
        }
        shape = (AT_ONCE, len(point_set))
        with np.errstate(all="ignore"):
            for i, tree in enumerate(trees):
                value = np.broadcast_to(evaluate(tree, columns, outputs, NUMPY), shape)
                bound = np.broadcast_to(rounding_bound(tree, columns, outputs), shape)
                drawn = slice(k, k + AT_ONCE), i
                draws[drawn] = value.reshape(AT_ONCE, -1, len(factors)) @ factors
                bounds[drawn] = bound.reshape(AT_ONCE, -1, len(factors)) @ np.abs(factors)
    # Of large outputs some functions are infinite; a form that vanishes does so for all that are
    # not.
    usable = [
        size == 1 or bool(np.isfinite(draw).all()) for size, draw in zip(SIZES, draws, strict=True)
    ]
    return (draws[usable], bounds[usable]) if np.isfinite(draws[usable]).all() else None


def _some_points(domain: Domain, term: Term) -> PointSet | None:
    """Points of a condition that are not those of the training, for a grid may hit the zeros of
    a factor.
    """
    n_points = min(N_POINTS, max(1, 20 * N_POINTS // term.region.points_per_residual))
    region = term.region.with_points(n_points, RANDOM)
    if region is None:
        return None
    point_set = region.draw(domain, np.random.default_rng(1))
    if point_set.combination is not None or len(point_set) >= N_POINTS:
        return point_set
    # As few as a face that is a point has, they are taken several times: each time with other
    # outputs.
    rows = np.arange(N_POINTS) % len(point_set)
    return PointSet(
        points=point_set.points[rows],
        symbols={name: values[rows] for name, values in point_set.symbols.items()},
    )
