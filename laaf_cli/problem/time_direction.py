"""Which way a problem runs in time: from values at the start, or back from values at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from laaf_cli.expression import Call, Field, Node, Number, Symbol, fields, substitute
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.problem import Problem, Term


def runs_back(domain: Domain, terms: Sequence[Term], unknown: str | None = None) -> bool:
    """Whether conditions on an unknown, or on any, are given at the end of time and none at the
    start, as those of prices before expiry and of adjoint equations.
    """
    return time_ends(domain, terms, unknown) == {True}


def time_ends(domain: Domain, terms: Sequence[Term], unknown: str | None = None) -> set[bool]:
    """The ends of time, True for the last, at which conditions on an unknown, or on any, are
    given.
    """
    return {
        face.upper
        for term in terms
        for face in term.region.whole_faces(domain)
        if face.axis == domain.time_axis
        and any(unknown in (None, field.unknown) for field in term.fields)
    }


def reversed_in_time(problem: Problem) -> Problem:
    """The problem with t + t' = start + end for its time t'; a derivative of odd order in time
    changes its sign.
    """
    domain, time = problem.domain, problem.domain.time_axis
    if time is None:
        return problem
    mirrored = Call("-", (Number(domain.lower[time] + domain.upper[time]), Symbol("t")))

    def reverse(tree: Node) -> Node:
        meanings: dict[Field | Symbol, Node] = {
            field: Call("neg", (field,)) for field in fields(tree) if field.orders[time] % 2
        }
        return substitute(tree, {Symbol("t"): mirrored, **meanings})

    balances = tuple(balance.changed(reverse) for balance in problem.balances)
    terms = tuple(
        replace(
            term,
            residuals=tuple(map(reverse, term.residuals)),
            region=term.region.mirrored(time, domain),
        )
        for term in problem.terms
    )
    return replace(problem, terms=terms, balances=balances)
