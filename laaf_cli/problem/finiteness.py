"""Conditions and equations that have no finite value at points where they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    Call,
    Field,
    Node,
    Number,
    Symbol,
    evaluate,
    fields,
    functions,
    hoist,
    nodes,
    symbols,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.problem.problem import Problem, Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import PointSet
from laaf_cli.problem.rejection import NoPointsError
from laaf_cli.seeds import random_stream

SIZES = (0.1, 1.0, 100.0)
RANGES = ((-1.0, 1.0), (0.1, 1.0), (-1.0, -0.1))
"""Sizes of the random unknowns, each with signs at random, all positive and all negative."""

MAX_POINTS = 1_000_000
"""Terms with more points are not checked; their faults appear when the training begins."""

MAX_NODES = 30_000
"""Operations of all terms after which no further term is: a second."""

_HINTS = {
    "equation": "Change the formula, or the bounds of the domain.",
    "condition": "Change the formula, or let 'only' leave such points out.",
}


def check_finite(reader: Reader, problem: Problem) -> None:
    """Notes a fault at each trained term that is not finite at some of its points, whatever the
    unknowns, because a part of it without unknowns is not, or divides by 0; only the first where
    the transform brings that about.
    """
    learned = problem.learned
    stated = {term.name: term for term in problem.terms}
    work = 0
    for term in problem.trained_terms:
        work += sum(1 for tree in term.residuals for _ in nodes(tree))
        if work > MAX_NODES:
            return
        known = [_known_parts(tree, learned) for tree in term.residuals]
        if not any(known) or term.region.n_points > MAX_POINTS:
            continue
        try:
            random = random_stream(reader.spec.seed, "points", term.stream)
            point_set = term.region.draw(problem.domain, random)
        except NoPointsError:
            continue
        if not (bad := _never_finite(problem, term, known, point_set)).any():
            continue
        stated_parts = [_known_parts(tree, learned) for tree in stated[term.name].residuals]
        is_transform = not _never_finite(problem, stated[term.name], stated_parts, point_set).any()
        _note(reader, term, point_set.points[bad], len(point_set), is_transform=is_transform)
        if is_transform:
            return


def _known_parts(tree: Node, learned: Collection[str]) -> list[Node]:
    """The largest parts without unknowns and learned constants, and the inverse of each that
    divides.
    """
    if functions(tree) - TABLE.keys():
        return []
    hoisted, parts = hoist(tree, "part", learned)
    divisors = {
        divisor.name
        for node in nodes(hoisted)
        if isinstance(node, Call) and node.function == "/"
        if isinstance(divisor := node.arguments[1], Symbol)
    }
    known: list[Node] = []
    for name, part in parts.items():
        if isinstance(part, Call):
            known.append(part)
        if name in divisors:
            known.append(Call("/", (Number(1.0), part)))
    return known


def _never_finite(
    problem: Problem, term: Term, known: Sequence[Sequence[Node]], point_set: PointSet
) -> NDArray[np.bool_]:
    """At which points a residual is finite for no unknowns because a known part of it is not
    finite, [n_points].
    """
    n, random = len(point_set), np.random.default_rng(0)
    values: dict[str, Array | float] = {
        name: constant.start for name, constant in problem.learned.items()
    }
    values |= zip(problem.domain.coordinates, point_set.points.T, strict=True)
    values |= point_set.symbols

    def is_bad(tree: Node, unknowns: Mapping[Field, Array]) -> NDArray[np.bool_]:
        return ~np.isfinite(np.broadcast_to(evaluate(tree, values, unknowns, NUMPY), n))

    never_finite = np.zeros(n, dtype=bool)
    for tree, parts in zip(term.residuals, known, strict=True):
        if not parts or symbols(tree) - values.keys():
            continue
        needed = sorted(fields(tree), key=lambda field: (field.unknown, field.orders))
        with np.errstate(all="ignore"):
            bad = np.any([is_bad(part, {}) for part in parts], axis=0)
            for size, (lower, upper) in product(SIZES, RANGES) if bad.any() else ():
                bad &= is_bad(tree, {f: size * random.uniform(lower, upper, n) for f in needed})
        never_finite |= bad
    return never_finite


def _note(reader: Reader, term: Term, points: Array, n_points: int, *, is_transform: bool) -> None:
    what = "the data are" if term.kind == "data" else f"{term.kind} '{term.name}' is"
    place = ", ".join(
        f"{name} = {value:.3g}"
        for name, value in zip(reader.domain.coordinates, points[0], strict=True)
    )
    what += f" not finite at {place} ({len(points)} of {n_points} points)"
    if is_transform:
        hint = "Change it, or the bounds of the domain."
        reader.fault(("transform",), f"with this transform, {what}", hint, True)
    else:
        reader.fault((f"{term.kind}s", term.name), what, _HINTS[term.kind], True)
