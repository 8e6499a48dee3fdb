"""Jumps under a derivative: `D(k*u_x, x)` where k jumps along x holds on both sides, and across
only where it is the flux k*u_x that is continuous.

Such a flux becomes an unknown q of its own, q = k*u_x, and the equation speaks of D(q, x): a system
of first order (div-curl least squares; Bochev & Gunzburger, Least-Squares Finite Element Methods,
2009, chapter 5), in which no derivative of a jump is left.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    Call,
    ExpressionError,
    Node,
    Scope,
    Symbol,
    addends,
    branch_breaks,
    differentiate,
    evaluate,
    fields,
    functions,
    nodes,
    parse,
    parse_equation,
    resolve,
    switches,
    symbols,
)
from laaf_cli.multi_index import MAX_ORDER
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.problem import Problem
from laaf_cli.spec import RunSpec

N_LINES = 500
"""Lines along which jumps are looked for where a break is not that of one coordinate."""

N_HALVINGS = 60

MAX_WORK = 10_000
"""Operations that may be computed on all lines to look for the jumps of one expression: a tenth
of a second.
"""

CONTINUOUS = 1e-9
"""A smaller jump, relative to the size of the expression, is ignored."""

STEPS = ("where", "abs", "sign", "floor", "min", "max")
"""Functions of which a value or a derivative jumps."""


@dataclass(frozen=True, kw_only=True)
class LostJump:
    """What a `D` or `laplacian` differentiates across a jump."""

    function: str
    """The function that jumps."""
    calls: tuple[tuple[float, Call], ...]
    """The calls whose arguments add up to one flux, as they were parsed, with their signs in the
    equation.
    """
    is_flux: bool
    """Whether it holds an unknown, and may be continuous."""

    @property
    def along(self) -> tuple[str, tuple[Node, ...]]:
        """How it is differentiated: the name of the call, and the coordinates."""
        call = self.calls[0][1]
        return call.function, call.arguments[1:]


def lost_jumps(tree: Node, scope: Scope, domain: Domain) -> list[LostJump]:
    """The outermost derivatives that `D` or `laplacian` takes across jumps, in order.

    Those that are added up and differentiated alike are one, for only the sum of their fluxes is
    continuous.

    Args:
        tree: as it was parsed, with its `D` and `laplacian`; it must resolve in the scope.
    """
    jumps: dict[Any, LostJump] = {}
    sums = {id(call): sign for sign, call in addends(tree)}
    derived: dict[int, Node] = {}
    if functions(tree) & {"D", "laplacian"}:
        resolve(tree, scope, derived)
    for call in _derivatives(tree):
        along = _along(call, scope)
        inner = derived[id(call)]
        function = jumping(inner, along, scope, domain)
        if not function:
            continue
        sign = sums.get(id(call))
        key = id(call) if sign is None else (call.function, *call.arguments[1:])
        before = jumps[key].calls if key in jumps else ()
        is_flux = bool(fields(inner)) or (key in jumps and jumps[key].is_flux)
        calls = (*before, (sign or 1.0, call))
        jumps[key] = LostJump(function=function, calls=calls, is_flux=is_flux)
    return list(jumps.values())


def with_fluxes(spec: RunSpec, scope: Scope, domain: Domain) -> tuple[RunSpec, dict[str, str]]:
    """The spec in which what is differentiated across jumps is an unknown of its own, and the
    equation of each such flux by its name; the spec itself where nothing is.

    Fluxes are called `flux`, or `flux1`, `flux2`, ….
    """
    fluxes: dict[str, str] = {}
    equations = dict(spec.equations)
    taken = {*scope.words, *equations, *spec.conditions}
    names = (free for free in map("flux{}".format, count(1)) if free not in taken)
    pending = list(equations)
    while pending:
        name = pending.pop(0)
        text = equations[name]
        for lost in lost_jumps(parse_equation(text), scope, domain)[:1]:
            flux = next(names)
            first = lost.calls[0][0]
            parts = [(sign * first, _inside(text, call)) for sign, call in lost.calls]
            total = "".join(f"{' - ' if sign < 0 else ' + '}{part}" for sign, part in parts)
            fluxes[flux] = equations[flux] = f"{flux} = {total.removeprefix(' + ')}"
            equations[name] = _replaced(text, lost, flux)
            scope = replace(scope, unknowns=(*scope.unknowns, flux))
            pending += [name, flux]
    if not fluxes:
        return spec, {}
    fluxes = {name: equations[name] for name in fluxes}
    if len(fluxes) == 1 and "flux" not in taken:
        (name,) = fluxes
        equations = _renamed(equations, name, "flux")
        fluxes = _renamed(fluxes, name, "flux")
    unknowns = [*spec.unknowns, *fluxes]
    changes: dict[str, Any] = {"unknowns": unknowns, "equations": equations}
    if spec.data is not None and spec.data.target is None and spec.data.fields is None:
        changes["data"] = spec.data.model_copy(update={"fields": spec.unknowns})
    changes["conditions"] = {
        name: condition.model_copy(update={"fields": spec.unknowns})
        if condition.data is not None and condition.equation is None and condition.fields is None
        else condition
        for name, condition in spec.conditions.items()
    }
    if spec.forms and len(spec.unknowns) == 1:
        output = f"net_{spec.unknowns[0]}"
        changes["transform"] = {
            unknown: _with_names(text, {"net": output}) for unknown, text in spec.forms.items()
        }
    if spec.reference.exact is not None:
        exact = dict(spec.reference.exact)
        for flux, equation in fluxes.items():
            exact[flux] = _in_closed_form(equation.partition("=")[2], scope, exact)
        changes["reference"] = spec.reference.model_copy(update={"exact": exact})
    return spec.model_copy(update=changes), fluxes


def _derivatives(tree: Node) -> Iterator[Call]:
    """The outermost calls of `D` and `laplacian`, from left to right."""
    if isinstance(tree, Call):
        if tree.function in ("D", "laplacian"):
            yield tree
        else:
            for argument in tree.arguments:
                yield from _derivatives(argument)


def _along(call: Call, scope: Scope) -> list[str]:
    """The coordinates along which a call differentiates, twice those along which it does twice."""
    if call.function == "laplacian":
        return [name for name in scope.space for _ in range(2)]
    return [name.name for name in call.arguments[1:] if isinstance(name, Symbol)]


def jumping(tree: Node, along: Collection[str], scope: Scope, domain: Domain) -> str:
    """The function at which a resolved tree, or a derivative of it that is differentiated again,
    jumps along one of some coordinates; empty where none does.
    """
    work = 0
    for coordinate in dict.fromkeys(along):
        derived = tree
        for order in range(list(along).count(coordinate)):
            derived = differentiate(derived, coordinate, scope.coordinates) if order else derived
            axis = domain.coordinates.index(coordinate)
            ends = domain.lower[axis], domain.upper[axis]
            for node in nodes(derived):
                work += 1
                if not isinstance(node, Call) or node.function not in STEPS:
                    continue
                breaks = branch_breaks([node], coordinate, *ends)
                if any(_jumps_at(derived, coordinate, place, domain) for place in breaks):
                    return node.function
                # What changes by steps: the condition of a `where`, and the values of the others.
                step = node.arguments[0] if node.function == "where" else node
                is_other = bool(fields(step)) or len(symbols(step)) > 1
                if is_other and node.function in ("where", "sign", "floor"):
                    work += N_HALVINGS * sum(1 for _ in nodes(step))
                    if work <= MAX_WORK and _jumps(derived, step, [coordinate], domain):
                        return node.function
    return ""


def _jumps_at(tree: Node, coordinate: str, place: float, domain: Domain) -> bool:
    """Whether a resolved tree has two values at a place of a coordinate, from below and above."""
    values = _some_values(tree, domain, np.random.default_rng(0))
    below, above = (
        _value(tree, values | {coordinate: np.full(N_LINES, side)})
        for side in (np.nextafter(place, -np.inf), place)
    )
    return _is_jump(np.abs(_value(tree, values)), below, above)


def _jumps(tree: Node, step: Node, along: Collection[str], domain: Domain) -> bool:
    """Whether a resolved tree jumps at a break of `step` where the coordinates `along` and the
    unknowns change.

    Random points are joined in pairs by lines; on each that crosses a break, it is enclosed by
    halving. There the tree is evaluated on both sides: x*sign(x), or a `where` whose branches meet,
    has no jump.
    """
    random = np.random.default_rng(0)
    start, end = (_some_values(tree, domain, random) for _ in range(2))
    end |= {key: start[key] for key in start if isinstance(key, str) and key not in along}
    crossing = _value(step, start) != _value(step, end)
    left = {key: values[crossing] for key, values in start.items()}
    right = {key: values[crossing] for key, values in end.items()}
    before = _value(step, left)
    # Both sides come as near to the break as numbers lie.
    for _ in range(N_HALVINGS):
        middle = {key: (left[key] + right[key]) / 2 for key in left}
        is_left = _value(step, middle) == before
        left = {key: np.where(is_left, middle[key], left[key]) for key in left}
        right = {key: np.where(is_left, right[key], middle[key]) for key in right}
    return _is_jump(np.abs(_value(tree, start)), _value(tree, left), _value(tree, right))


def _is_jump(size: Array, one: Array, other: Array) -> bool:
    with np.errstate(all="ignore"):
        jump = np.abs(one - other)
    return bool(np.any(jump > CONTINUOUS * np.max(size, where=np.isfinite(size), initial=0.0)))


def _some_values(tree: Node, domain: Domain, random: np.random.Generator) -> dict[Any, Array]:
    """Points of the domain by coordinate, and values of everything else in a tree, [n_lines]
    each.
    """
    points = domain.from_unit(random.random((N_LINES, domain.dimension)))
    values: dict[Any, Array] = {
        name: random.uniform(0.5, 1.5, N_LINES) for name in sorted(symbols(tree))
    }
    ordered = sorted(fields(tree), key=lambda field: (field.unknown, field.orders))
    values |= {field: random.uniform(-1.5, 1.5, N_LINES) for field in ordered}
    return values | dict(zip(domain.coordinates, points.T, strict=True))


def _value(tree: Node, values: dict[Any, Array]) -> Any:
    with np.errstate(all="ignore"):
        n = len(next(iter(values.values())))
        return np.broadcast_to(evaluate(tree, values, values, NUMPY), n)


def _inside(text: str, call: Call) -> str:
    """What a call differentiates, in the words of the text, in brackets where it is a sum."""
    first = call.arguments[0]
    written = text[slice(*first.span)]
    is_sum = isinstance(first, Call) and first.function in ("+", "-", "neg")
    return f"({written})" if is_sum else written


def _replaced(text: str, lost: LostJump, flux: str) -> str:
    """The equation in which the flux replaces what is differentiated; of calls that add up, the
    first one stays.
    """
    (_, first), *others = lost.calls
    along = "".join(f", {text[slice(*name.span)]}" for name in first.arguments[1:])
    parts = [(first.span, f"{first.function}({flux}{along})")]
    parts += [(call.span, "0") for _, call in others]
    return _edited(text, parts)


def _edited(text: str, parts: list[tuple[tuple[int, int], str]]) -> str:
    for (begin, end), new in sorted(parts, reverse=True):
        text = text[:begin] + new + text[end:]
    return text


def _with_names(text: str, names: Mapping[str, str]) -> str:
    """An expression with other names."""
    replacements = {
        node.span: names[node.name]
        for node in nodes(parse(text))
        if isinstance(node, Symbol) and node.name in names
    }
    return _edited(text, list(replacements.items()))


def _renamed(texts: Mapping[str, str], old: str, new: str) -> dict[str, str]:
    """Equations by name, with another name of an unknown, whose derivatives are not named yet."""
    word = re.compile(rf"\b{old}\b")
    return {new if name == old else name: word.sub(new, text) for name, text in texts.items()}


def _in_closed_form(text: str, scope: Scope, exact: Mapping[str, str]) -> str:
    """A flux, with the closed forms of the unknowns in their places."""
    closed_forms: dict[str, str] = {}
    for node in nodes(parse(text.strip())):
        if isinstance(node, Symbol) and node.name not in scope.coordinates:
            try:
                (field,) = fields(resolve(node, scope)) or (None,)
            except ExpressionError:
                continue
            if field is not None and sum(field.orders) <= MAX_ORDER:
                along = "".join(
                    f", {name}" * order
                    for name, order in zip(scope.coordinates, field.orders, strict=True)
                )
                plain = f"({exact[field.unknown]})"
                closed_forms[node.name] = f"D({plain}{along})" if along else plain
    return _with_names(text.strip(), closed_forms)


def bends(problem: Problem) -> dict[str, list[tuple[float, int]]]:
    """By coordinate, the places at which formulas in it alone break, and the order of the
    derivative of the unknowns that jumps there; empty where a flux jumps anywhere else.
    """
    domain, places_of = problem.domain, dict[str, dict[float, int]]()
    for term in problem.terms:
        is_flux = term.name in problem.fluxes
        if not is_flux and term.kind != "equation":
            continue
        for tree in term.residuals:
            for switch in switches(tree):
                names = symbols(switch)
                is_plane = (
                    not fields(switch) and len(names) == 1 and names <= set(domain.coordinates)
                )
                if is_flux and (not is_plane or names & {domain.time}):
                    return {}
                if not is_plane:
                    continue
                (name,) = names
                axis = domain.coordinates.index(name)
                order = max(max(field.orders[axis] for field in fields(tree)), int(is_flux))
                if axis in domain.periodic or order == 0:
                    continue
                known = places_of.setdefault(name, {})
                for place in branch_breaks([switch], name, domain.lower[axis], domain.upper[axis]):
                    known[place] = min(order, known.get(place, order))
    return {name: sorted(places.items()) for name, places in places_of.items()}
