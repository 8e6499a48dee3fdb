"""The conditions of a spec → terms. Each kind of condition is a row of the table at the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from laaf_cli.expression import (
    Call,
    ExpressionError,
    Field,
    Node,
    Number,
    Scope,
    Symbol,
    fields,
    parse,
    resolve,
    sides,
    symbols,
)
from laaf_cli.expression.tokens import equals_signs
from laaf_cli.problem.domain import Face
from laaf_cli.problem.observations import read_observed
from laaf_cli.problem.problem import Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import (
    N_NODES,
    NORMAL,
    AtPlace,
    IntegralOver,
    OnFaces,
    OnParts,
    PeriodicPair,
    Region,
)
from laaf_cli.problem.rejection import NONE_DRAWN, NoPointsError
from laaf_cli.problem.shapes.boundary import BoundaryPiece
from laaf_cli.problem.shapes.shape import BOUNDARY
from laaf_cli.spec import ConditionSpec, KeyPath
from laaf_cli.text import did_you_mean, listed, shown

N_POINTS = 100
"""Points of a condition that does not say how many."""

MAX_QUADRATURE = 5_000_000
"""Points of an integral, all nodes together."""

Read = Callable[[Reader, str, ConditionSpec], Term | None]


@dataclass(frozen=True)
class ConditionKind:
    """A row of the table: the keys that go with the one that names the kind, and what reads it."""

    read: Read
    keys: tuple[str, ...]
    needs_equation: bool = False


def read_conditions(reader: Reader) -> list[Term]:
    """The terms of all conditions; faults are noted in the reader."""
    terms = [_read(reader, name, condition) for name, condition in reader.spec.conditions.items()]
    return [term for term in terms if term is not None]


def _read(reader: Reader, name: str, condition: ConditionSpec) -> Term | None:
    path: KeyPath = ("conditions", name)
    keys = reader.written_keys(path, condition)
    # What goes with another kind does not name one: the 'at' of an integral.
    kinds = [
        key
        for key in KINDS
        if key in keys and not any(key in KINDS[other].keys for other in keys & KINDS.keys())
    ]
    if len(kinds) != 1:
        if reader.form_is_right and keys == condition.model_fields_set:
            what = f"condition '{name}' has " + (
                f"'{kinds[0]}' and '{kinds[1]}'" if kinds else "no place"
            )
            reader.fault(path, what, f"One of these says where it holds: {listed(KINDS)}.", True)
        return None
    kind = KINDS[kinds[0]]
    allowed = (kinds[0], *kind.keys, "weight")
    for key in sorted(keys - set(allowed)):
        reader.fault(
            (*path, key),
            f"a condition with '{kinds[0]}' takes no '{key}'",
            f"Keys: {listed(allowed)}.",
            True,
        )
    if kind.needs_equation and condition.equation is None:
        if reader.form_is_right and keys == condition.model_fields_set:
            reader.fault(
                path, f"'{name}' lacks the key 'equation'", "Example: equation: u = 0.", True
            )
        return None
    return kind.read(reader, name, condition)


def _term(
    name: str, condition: ConditionSpec, residuals: tuple[Node, ...], region: Region | None
) -> Term | None:
    return (
        Term(
            name=name, kind="condition", residuals=residuals, region=region, weight=condition.weight
        )
        if region is not None
        else None
    )


# On faces


def _on_faces(reader: Reader, name: str, condition: ConditionSpec) -> Term | None:
    path: KeyPath = ("conditions", name)
    faces: list[Face] = []
    pieces: list[BoundaryPiece] = []
    for i, text in enumerate(condition.where or []):
        here = (*path, "where", i)
        if (part := _part(reader, here, text)) is not None:
            pieces += part
        elif text.strip() == BOUNDARY:
            if not reader.domain.boundary:
                what = "'boundary' means the faces in space, but there are no such faces"
                hint = "No coordinate of space is left that is not periodic."
                if not reader.domain.space:
                    what, hint = (
                        "'boundary' means the faces in space, but there is no coordinate of space",
                        "",
                    )
                reader.fault(here, what, hint)
            faces += reader.domain.boundary
        elif (face := _face(reader, here, text)) is not None:
            faces.append(face)
    unique, parts = tuple(dict.fromkeys(faces)), tuple(dict.fromkeys(pieces))
    if unique and parts:
        what = f"condition '{name}' holds at a time and on parts of the shape at all times"
        reader.fault((*path, "where"), what, "Write a condition for each.")
        return None
    # Where no place is known, for those given are wrong, what holds there is still read.
    normal = _normal(reader, unique) if unique else _normals(reader)
    scope = replace(reader.scope, normal=normal)
    residuals = reader.residuals(name, condition.equation or [], scope)
    only = None
    if condition.only is not None:
        only = reader.part((*path, "only"), condition.only, f"condition '{name}'")
        if only is None:
            return None
        if unique and all(only.is_empty(reader.domain, {face.axis: face.value}) for face in unique):
            what = (
                f"condition '{name}' selects no points: {shown(only.text)} holds nowhere on "
                "its faces"
            )
            reader.fault((*path, "only"), what, NONE_DRAWN)
            return None
    n_points, sampler = condition.points or N_POINTS, reader.sampler()
    region: Region | None = None
    if unique:
        region = OnFaces(faces=unique, n_points=n_points, sampler=sampler, only=only)
    elif parts:
        text = ", ".join(part.strip() for part in condition.where or [])
        region = OnParts(pieces=parts, text=text, n_points=n_points, sampler=sampler, only=only)
        try:
            region.with_points(1, "uniform").draw(reader.domain, np.random.default_rng(0))
        except NoPointsError:
            what = f"condition '{name}' selects no points: {shown(str(condition.only))} holds "
            reader.fault((*path, "only"), f"{what}nowhere on its parts", NONE_DRAWN)
            return None
    return _term(name, condition, residuals, region)


def _part(reader: Reader, path: KeyPath, text: str) -> Sequence[BoundaryPiece] | None:
    """The pieces of the boundary of a shape that a text names; None where it may name faces, and
    none where what is wrong with the shape has been noted.
    """
    shape, domain, text = reader.domain.shape, reader.domain, text.strip()
    if shape is None:
        is_time = text.partition("=")[0].strip() == domain.time
        return None if reader.spec.shape is None or is_time else ()
    if text == BOUNDARY or text in shape.named:
        return shape.part(text)
    within, hint = f"condition '{path[1]}'", f"Parts: {listed([BOUNDARY, *shape.named])}"
    if text.count("=") != 1 or any(c in text for c in "<>!"):
        meant = did_you_mean(text, [BOUNDARY, *shape.named])
        reader.fault(path, f"the shape has no part {shown(text)}", meant or f"{hint}.")
        return ()
    if (both := reader.attempt(path, within, lambda: sides(text))) is None:
        return ()
    left, right = both
    axes = {domain.coordinates[axis]: i for i, axis in enumerate(shape.axes)}
    if not (isinstance(left, Symbol) and left.name in axes):
        return None
    if (value := _number(reader, path, right, within)) is None:
        return ()
    pieces = shape.flat(axes[left.name], value)
    if not pieces:
        what = f"no flat part of the boundary lies at {shown(text)}"
        reader.fault(path, what, f"{hint}; or, where it is flat, a coordinate and its value.")
    return pieces


def _normals(reader: Reader) -> dict[str, Node]:
    """The components of the normal along coordinates of space, as symbols of the points."""
    names = [reader.domain.coordinates[axis] for axis in reader.domain.space]
    return {name: Symbol(f"{NORMAL}{name}") for name in names}


def _normal(reader: Reader, faces: tuple[Face, ...]) -> dict[str, Node]:
    """The outward unit normal of the faces: numbers where all have the same, else symbols of the
    points.
    """
    domain = reader.domain
    normals = np.array(
        [OnFaces.normal(face, domain) for face in faces if face.axis in domain.space]
    )
    components: dict[str, Node] = {}
    for axis in domain.space if len(normals) == len(faces) else ():
        values = np.unique(normals[:, axis])
        name = domain.coordinates[axis]
        components[name] = (
            Number(float(values[0])) if len(values) == 1 else Symbol(f"{NORMAL}{name}")
        )
    return components


def _face(reader: Reader, path: KeyPath, text: str) -> Face | None:
    domain = reader.domain
    faces = [face.name for face in domain.faces if face.axis not in domain.periodic]
    hint = f"Faces: {listed(faces)}; or boundary."
    if text.count("=") != 1 or any(c in text for c in "<>!"):
        pieces = re.split(r"\s*(?:,|;|\band\b|\bor\b|&|\|)\s*", text.strip())
        if len(pieces) > 1 and all(piece.count("=") == 1 for piece in pieces):
            hint = f"Write several faces in brackets: where: [{', '.join(pieces)}]."
        reader.fault(path, f"{shown(text)} is not a face", did_you_mean(text, ["boundary"]) or hint)
        return None
    within = f"condition '{path[1]}'"
    both = reader.attempt(path, within, lambda: sides(text))
    if both is None:
        return None
    left, right = both
    if not (isinstance(left, Symbol) and left.name in domain.coordinates):
        reader.fault(path, f"{shown(text)} does not begin with a coordinate", hint)
        return None
    axis = domain.coordinates.index(left.name)
    if axis in domain.periodic:
        what = f"'{left.name}' is periodic, so {shown(text)} is not a face and takes no condition"
        reader.fault(
            path, what, f"Take '{left.name}' out of 'periodic', or this condition out of the spec."
        )
        return None
    value = _number(reader, path, right, within)
    if value is None:
        return None
    face = domain.face(axis, value)
    if face is None:
        inside = domain.lower[axis] < value < domain.upper[axis]
        reader.fault(
            path,
            f"{shown(text)} is not a face of the domain",
            f"Inside the domain, write at: {{{left.name}: {value:g}}} for where. {hint}"
            if inside
            else hint,
        )
    return face


def _number(reader: Reader, path: KeyPath, tree: Node, within: str) -> float | None:
    constants = Scope(constants=reader.scope.constants)
    value = reader.attempt(
        path, within, lambda: resolve(reader.without_learned(tree, constants), constants)
    )
    return value.value if isinstance(value, Number) else None


# At given values of some coordinates


def _at_place(reader: Reader, name: str, condition: ConditionSpec) -> Term | None:
    residuals = reader.residuals(name, condition.equation or [], reader.scope)
    values = _fixed(reader, name, condition.at or {})
    if values is None:
        return None
    region = AtPlace(values=values, n_points=condition.points or N_POINTS, sampler=reader.sampler())
    return _term(name, condition, residuals, region)


def _fixed(reader: Reader, name: str, texts: Mapping[str, str]) -> dict[int, float] | None:
    """Coordinates with given values inside the domain, by axis; None where one of them is wrong."""
    domain, values = reader.domain, {}
    for coordinate, text in texts.items():
        path: KeyPath = ("conditions", name, "at", coordinate)
        if coordinate not in domain.coordinates:
            hint = (
                did_you_mean(coordinate, domain.coordinates)
                or f"Coordinates: {listed(domain.coordinates)}."
            )
            reader.fault(path, f"'{coordinate}' is not a coordinate", hint, True)
            continue
        value = reader.constant(path, text, f"condition '{name}'", reader.scope.constants)
        axis = domain.coordinates.index(coordinate)
        low, high = domain.lower[axis], domain.upper[axis]
        slack = 1e-12 * (high - low)
        if value is not None and not low - slack <= value <= high + slack:
            what = (
                f"condition '{name}' selects no points: {coordinate} = {value:g} lies "
                f"outside [{low:g}, {high:g}]"
            )
            reader.fault(path, what)
        elif value is not None:
            values[axis] = min(max(value, low), high)
    shape = domain.shape
    if shape is not None and all(axis in values for axis in shape.axes):
        place = np.array([[values.get(axis, 0.0) for axis in range(domain.dimension)]])
        if not domain.inside(place).all():
            what = f"condition '{name}' selects no points: the place lies outside the shape"
            reader.fault(("conditions", name, "at"), what, key=True)
            return None
    return values if len(values) == len(texts) else None


# Between opposite faces


def _periodic(reader: Reader, name: str, condition: ConditionSpec) -> Term | None:
    path: KeyPath = ("conditions", name, "periodic")
    coordinate, domain = str(condition.periodic), reader.domain
    if coordinate not in domain.coordinates:
        hint = (
            did_you_mean(coordinate, domain.coordinates)
            or f"Coordinates: {listed(domain.coordinates)}."
        )
        reader.fault(path, f"'{coordinate}' is not a coordinate", hint)
        return None
    axis = domain.coordinates.index(coordinate)
    if condition.equation is None:
        residuals = _all_derivatives(reader, axis)
    else:
        for i, text in enumerate(condition.equation):
            if _is_equation(text):
                hint = f"It means equal values at both faces of '{coordinate}': write u, not u = 0."
                reader.fault(
                    ("conditions", name, "equation", i), f"{shown(text)} is an equation", hint
                )
                return None
        residuals = reader.residuals(name, condition.equation, reader.scope)
    return _term(
        name,
        condition,
        residuals,
        PeriodicPair(axis=axis, n_points=condition.points or N_POINTS, sampler=reader.sampler()),
    )


def _is_equation(text: str) -> bool:
    try:
        return bool(equals_signs(text))
    except ExpressionError:
        return False  # reported where it is resolved


def _all_derivatives(reader: Reader, axis: int) -> tuple[Node, ...]:
    """Every unknown and its derivatives along an axis below the highest of the equations."""
    orders = dict.fromkeys(reader.scope.unknowns, 1)
    for field in reader.derivatives:
        orders[field.unknown] = max(orders[field.unknown], field.orders[axis])
    dimension = reader.domain.dimension
    return tuple(
        Field(unknown, tuple(order * (i == axis) for i in range(dimension)))
        for unknown, below in orders.items()
        for order in range(below)
    )


# Integrals


def _integral(reader: Reader, name: str, condition: ConditionSpec) -> Term | None:
    path: KeyPath = ("conditions", name)
    domain, within = reader.domain, f"condition '{name}'"
    over = condition.over or [domain.coordinates[axis] for axis in domain.space]
    for i, coordinate in enumerate(over):
        if coordinate not in domain.coordinates:
            hint = (
                did_you_mean(coordinate, domain.coordinates)
                or f"Coordinates: {listed(domain.coordinates)}."
            )
            reader.fault((*path, "over", i), f"'{coordinate}' is not a coordinate", hint)
            return None
    axes = tuple(domain.coordinates.index(coordinate) for coordinate in dict.fromkeys(over))
    if domain.shape is not None and set(axes) & set(domain.shape.axes):
        what = f"{within} integrates over a shape, which is not possible"
        reader.fault(path, what, "Give a value at a point instead: at: {x: 0, y: 0}.", True)
        return None
    if not axes:
        reader.fault(
            path,
            f"{within} integrates over space, but the problem has no space",
            "Name a coordinate: over: t.",
            True,
        )
        return None
    fixed = _fixed(reader, name, condition.at or {})
    if _is_equation(str(condition.integral)):
        what = f"{shown(str(condition.integral))} is an equation"
        reader.fault(
            (*path, "integral"), what, "Write what is integrated, and the value below 'equals'."
        )
        return None
    integrand = reader.residual((*path, "integral"), str(condition.integral), within)
    value = _value(reader, name, condition, over)
    if fixed is None or integrand is None or value is None:
        return None
    if both := set(fixed) & set(axes):
        coordinate = domain.coordinates[min(both)]
        hint = f"Take '{coordinate}' out of 'at', or let 'over' name other coordinates."
        reader.fault(
            (*path, "at", coordinate),
            f"'{coordinate}' is integrated over and has a value",
            hint,
            True,
        )
        return None
    n_points = condition.points or N_POINTS
    n_all = N_NODES ** len(axes) * (n_points if len(fixed) + len(axes) < domain.dimension else 1)
    if n_all > MAX_QUADRATURE:
        what = f"the integral '{name}' needs {n_all:,} points, {N_NODES} along each coordinate"
        hint = (
            f"The limit is {MAX_QUADRATURE:,}: integrate over fewer coordinates, or take "
            "fewer 'points'."
        )
        reader.fault((*path, "integral"), what, hint)
        return None
    size = float(np.prod([domain.upper[axis] - domain.lower[axis] for axis in axes]))
    # ∫ e = c is ∫ (e − c/|Ω|) = 0.
    residual = Call("-", (integrand, Call("/", (value, Number(size)))))
    region = IntegralOver(axes=axes, fixed=fixed, n_points=n_points, sampler=reader.sampler())
    return _term(name, condition, (residual,), region)


def _value(reader: Reader, name: str, condition: ConditionSpec, over: list[str]) -> Node | None:
    """What an integral equals: a function of the coordinates that are not integrated over."""
    path: KeyPath = ("conditions", name, "equals")
    within = f"the value of the integral '{name}'"
    value = reader.attempt(
        path, within, lambda: resolve(parse(condition.equals or "0"), reader.scope)
    )
    if value is None:
        return None
    if fields(value):
        reader.fault(path, f"{within} contains an unknown", "Write all of it below 'integral'.")
        return None
    if inside := symbols(value) & set(over):
        hint = "It may contain the other coordinates."
        reader.fault(path, f"{within} contains '{min(inside)}', which is integrated over", hint)
        return None
    return value


KINDS: dict[str, ConditionKind] = {
    "where": ConditionKind(_on_faces, ("only", "equation", "points"), needs_equation=True),
    "at": ConditionKind(_at_place, ("equation", "points"), needs_equation=True),
    "periodic": ConditionKind(_periodic, ("equation", "points")),
    "integral": ConditionKind(_integral, ("over", "equals", "at", "points")),
    "data": ConditionKind(read_observed, ("names", "columns", "fields", "weights", "equation")),
}
