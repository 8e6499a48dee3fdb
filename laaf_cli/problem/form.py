"""The form of the solution in a spec (`transform`, `periodic`), and which conditions it meets by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from laaf_cli.errors import did_you_mean, listed
from laaf_cli.expression import (
    NUMPY,
    ExpressionError,
    Field,
    Node,
    evaluate,
    fields,
    functions,
    parse,
    resolve,
    symbols,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.problem.domain import Array, Domain
from laaf_cli.problem.problem import Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.trial import Trial

TOLERANCE = 1e-10
"""Residuals below this are rounding."""


def output_names(unknowns: Sequence[str]) -> tuple[str, ...]:
    """What a transform calls the outputs of the network: `net`, or `net_u`, `net_v` where there are several."""
    return ("net",) if len(unknowns) == 1 else tuple(f"net_{unknown}" for unknown in unknowns)


def read_form(reader: Reader) -> Trial:
    """The form of the solution; without a transform each unknown is an output itself."""
    domain, unknowns = reader.domain, reader.scope.unknowns
    harmonics = {
        domain.coordinates.index(name): count
        for name, count in reader.spec.periodic.items()
        if name in domain.coordinates
    }
    plain = Trial(domain.coordinates, unknowns, {}, harmonics)
    if not reader.spec.transform:
        return plain
    names = output_names(unknowns)
    scope = replace(reader.known, unknowns=names, functions={})
    trees: dict[str, Node] = {}
    for unknown, text in reader.spec.transform.items():
        path = ("transform", unknown)
        if unknown not in unknowns:
            reader.not_unknown(path, unknown)
            continue
        within = f"the transform of '{unknown}'"
        tree = reader.attempt(path, within, lambda text=text: resolve(parse(text), scope))  # type: ignore[misc]
        if tree is None:
            continue
        if not fields(tree):
            hint = f"Outputs: {listed(names)}."
            reader.fault(path, f"{within} contains no output of the network, so nothing is left to learn", hint)
        elif reader.is_of_coordinates(path, tree, within):
            trees[unknown] = tree
    rest = {
        unknown: Field(name, (0,) * domain.dimension)
        for unknown, name in zip(unknowns, names, strict=True)
        if unknown not in reader.spec.transform
    }
    return Trial(domain.coordinates, names, trees | rest, harmonics)


def read_periodic(reader: Reader, domain: Domain) -> Domain:
    """The domain with its periodic axes."""
    axes = []
    for name in reader.spec.periodic:
        if name not in domain.coordinates:
            hint = did_you_mean(name, domain.coordinates) or f"Coordinates: {listed(domain.coordinates)}."
            reader.fault(("periodic", name), f"'{name}' is not a coordinate", hint, True)
        else:
            axes.append(domain.coordinates.index(name))
    return replace(domain, periodic=tuple(sorted(axes)))


def check_derivable(reader: Reader, trial: Trial, terms: Sequence[Term]) -> bool:
    """Whether every derivative that the terms need exists after the transform; notes a fault where one does not."""
    for term in terms:
        for field in term.fields:
            try:
                trial.tree(field)
            except ExpressionError as error:
                fault = error.faults[0]
                what = f"with this transform, the {term.kind} '{term.name}' cannot be derived: {fault.what}"
                reader.fault(("transform", field.unknown), what, fault.hint)
                return False
    return True


def met_conditions(reader: Reader, trial: Trial, terms: Sequence[Term]) -> frozenset[str]:
    """The conditions that every function of the form meets.

    The outputs and all their derivatives are drawn at random at points of the condition: what vanishes for any
    values of them vanishes identically. A condition that none of them can meet somewhere is a fault.
    """
    met = set()
    for term in terms if trial.trees else ():
        if term.kind != "condition":
            continue
        draws = _residuals_for_random_outputs(reader.domain, trial, term)
        if draws is None:
            continue
        worst = float(np.max(np.abs(draws)))
        beyond_reach = (np.ptp(draws, axis=0) <= TOLERANCE) & (np.abs(draws[0]) > TOLERANCE)
        if worst <= TOLERANCE:
            met.add(term.name)
        elif beyond_reach.any():
            off = float(np.max(np.abs(draws[0][beyond_reach])))
            what = f"the transform breaks the condition '{term.name}': it is off by {off:.2g}, whatever the network"
            path = ("transform", min(reader.spec.transform))
            reader.fault(path, what, "Change the transform so that it can meet the condition.")
    return frozenset(met)


def _residuals_for_random_outputs(domain: Domain, trial: Trial, term: Term) -> Array | None:
    """The residuals [2, n_trees, n_residuals] for two draws of the outputs; None where they cannot be told."""
    random = np.random.default_rng(0)
    given = term.region.draw(domain, random)
    columns = dict(zip(domain.coordinates, given.points.T, strict=True)) | dict(given.symbols)
    trees = term.in_outputs(trial).residuals
    if any(symbols(tree) - columns.keys() or functions(tree) - TABLE.keys() for tree in trees):
        return None
    needed = sorted(frozenset().union(*(fields(tree) for tree in trees)), key=lambda f: (f.unknown, f.orders))
    draws = []
    for _ in range(2):
        outputs = {field: random.uniform(-1.5, 1.5, len(given)) for field in needed}
        with np.errstate(all="ignore"):
            found = [np.broadcast_to(evaluate(tree, columns, outputs, NUMPY), len(given)) for tree in trees]
        draws.append(np.array(found, dtype=np.float64))
    combined = np.array(draws)
    if given.combination is not None:
        combined = combined.reshape(2, len(trees), -1, len(given.combination)) @ given.combination
    return combined if np.isfinite(combined).all() else None
