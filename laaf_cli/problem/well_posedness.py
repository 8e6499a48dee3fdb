"""Whether the conditions of a problem are as many as its equations need: none missing, none too
many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from laaf_cli.expression import fields
from laaf_cli.problem.domain import Face
from laaf_cli.problem.problem import Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.shapes.shape import AnyShape
from laaf_cli.text import listed


def check_well_posedness(reader: Reader, terms: Sequence[Term]) -> tuple[str, ...]:
    """Notes what is plainly missing or too much as faults; returns warnings of what may be missing.

    An equation of order k along an axis needs k conditions on its faces for each unknown, all of
    them at the start where the axis is time, or all at the end. Observations, conditions inside and
    integrals may replace any of them, and a degenerate coefficient may need fewer, so that only
    an axis without any is refused.
    """
    equations = [term for term in terms if term.kind == "equation"]
    if not equations:
        return ()
    is_free = any(not term.region.is_at_bounds for term in terms if term.kind != "equation")
    has_more = is_free or reader.has_own_form
    warnings: list[str] = []
    shape = reader.domain.shape
    if shape is not None:
        has_more |= _has_more_on(shape, reader, equations, terms)
        if not is_free:
            warnings += _check_boundary(shape, reader, equations, terms)
    for axis in range(reader.domain.dimension):
        if axis in reader.domain.periodic or (shape is not None and axis in shape.axes):
            continue
        paired = [term for term in terms if term.region.paired_axis == axis]
        held = [(term, face) for term in terms for face in term.region.faces_along(axis)]
        if not paired and not is_free and not _check_missing(reader, equations, held, axis):
            warnings += _too_few(reader, equations, held, axis)
        faces = [*held, *((term, None) for term in paired)]
        has_more |= _has_more(reader, equations, faces, axis)
        if not reader.spec.learn and len(equations) >= len(reader.scope.unknowns):
            _check_too_many(reader, equations, faces, axis)
    if not reader.faults:
        # Where there is one coordinate, all but observations are numbers, which find no function.
        is_number = reader.domain.dimension == 1 and not reader.has_own_form
        is_observed = any(term.region.is_observed for term in terms)
        if not has_more or (is_number and not is_observed):
            _check_unknowns(reader, equations)
        if not has_more:
            _check_learned(reader)
        _check_levels(reader, equations, terms)
    return tuple(warnings)


def _check_boundary(
    shape: AnyShape, reader: Reader, equations: Sequence[Term], terms: Sequence[Term]
) -> Iterator[str]:
    """Notes a fault where equations of second order have no condition on the boundary of a shape;
    sentences on what of it is without one.
    """
    unknowns = [
        unknown
        for unknown in reader.scope.unknowns
        if max(_needed(equations, axis, unknown) for axis in shape.axes) >= 2
    ]
    held = [term for term in terms if term.region.on_boundary]
    if unknowns and not held:
        hint = f"Example: conditions: {{edge: {{where: boundary, equation: {unknowns[0]} = 0}}}}."
        what = "no condition on the boundary of the shape: the problem is underdetermined"
        reader.fault(("equations",), what, hint, True)
        return
    for unknown in unknowns:
        covered = {
            piece for term in held if unknown in term.unknowns for piece in term.region.on_boundary
        }
        bare = [piece for piece in shape.pieces if piece not in covered]
        names = [name for name in shape.named if set(shape.part(name)) & set(bare)]
        if bare:
            whose = f" for '{unknown}'" if len(reader.scope.unknowns) > 1 else ""
            extent = sum(piece.measure for piece in bare)
            yield (
                f"No condition{whose} on a {bare[0].quantity} {extent:.4g} of the boundary, of "
                f"{listed(names)}: the problem may be underdetermined."
            )


def _has_more_on(
    shape: AnyShape, reader: Reader, equations: Sequence[Term], terms: Sequence[Term]
) -> bool:
    """Whether conditions on some piece of a boundary may be more than the equations need."""
    allowed = sum(
        max(_needed(equations, axis, unknown) for axis in shape.axes) / 2
        for unknown in reader.scope.unknowns
    )
    return any(
        sum(len(term.residuals) for term in terms if piece in term.region.on_boundary) > allowed
        for piece in shape.pieces
    )


def _needed(equations: Sequence[Term], axis: int, unknown: str) -> int:
    """How many conditions an unknown needs along an axis."""
    return max(term.order_along(axis, unknown) for term in equations)


def _check_missing(
    reader: Reader, equations: Sequence[Term], held: Sequence[tuple[Term, Face]], axis: int
) -> bool:
    """Notes a fault, and says so, where an axis has no condition at all and its equations need
    some.
    """
    domain = reader.domain
    name, is_time = domain.coordinates[axis], axis == domain.time_axis
    order = max(term.order_along(axis) for term in equations)
    if held or order < (1 if is_time else 2):
        return False
    if is_time:
        what = f"no initial condition at {name} = {domain.lower[axis]:g}"
        hint = (
            "Example: conditions: "
            f"{{start: {{where: {name} = {domain.lower[axis]:g}, equation: u = 0}}}}."
        )
    else:
        what = f"no boundary condition in {name}"
        faces = f"[{name} = {domain.lower[axis]:g}, {name} = {domain.upper[axis]:g}]"
        hint = (
            f"Example: conditions: {{ends: {{where: {faces}, equation: u = 0}}}}, or periodic: "
            f"{{{name}: true}}."
        )
    if reader.has_own_form:
        hint += " What the transform meets is stated as well: then it is checked."
    reader.fault(("equations",), f"{what}: the problem is underdetermined", hint, True)
    return True


def _too_few(
    reader: Reader, equations: Sequence[Term], held: Sequence[tuple[Term, Face]], axis: int
) -> Iterator[str]:
    """Sentences on unknowns with fewer conditions along an axis than their equations need."""
    domain, unknowns = reader.domain, reader.scope.unknowns
    is_time = axis == domain.time_axis
    name = domain.coordinates[axis]
    for unknown in unknowns:
        needed = _needed(equations, axis, unknown)
        at = [
            face.upper
            for term, face in held
            for residual in term.residuals
            if unknown in {field.unknown for field in fields(residual)}
        ]
        sort, where, count = "boundary", f"in {name}", len(at)
        if is_time and set(at) == {True}:
            sort, where = "final", f"at {name} = {domain.upper[axis]:g}"
        elif is_time:
            sort, where = "initial", f"at {name} = {domain.lower[axis]:g}"
            count = at.count(False)
        # Along space, an equation of first order asks for a condition on one face or on none.
        if count < needed and (is_time or needed >= 2):
            whose = f" for '{unknown}'" if len(unknowns) > 1 else ""
            few = f"Only {count}" if count else "No"
            plural = "s" * (count > 1)
            yield f"{few} {sort} condition{plural} {where}{whose}: order {needed} needs {needed}."


def _has_more(
    reader: Reader, equations: Sequence[Term], held: Sequence[tuple[Term, Face | None]], axis: int
) -> bool:
    """Whether conditions along an axis may be more than the equations need, and so determine
    something else.
    """
    allowed = sum(_needed(equations, axis, unknown) for unknown in reader.scope.unknowns)
    count = sum(
        len(term.residuals) if face else min(len(term.residuals), allowed) for term, face in held
    )
    return count > allowed or any(term.region.is_part_of_faces for term, _ in held)


def _check_unknowns(reader: Reader, equations: Sequence[Term]) -> None:
    """Notes unknowns beyond the equations, which nothing else finds, as a fault."""
    n_unknowns, n_equations = len(reader.scope.unknowns), len(equations)
    if n_equations < n_unknowns:
        plural = "s" * (n_equations != 1)
        what = f"{n_equations} equation{plural} for {n_unknowns} unknowns, and no data"
        hint = (
            "Add an equation, or what was measured: data: {file: FILE}. An unknown number is a "
            "learned constant: learn: {k: {start: 1}}."
        )
        reader.fault(("equations",), what, hint, True)


def _check_learned(reader: Reader) -> None:
    """Notes learned constants as faults: all conditions are taken by the orders of the
    equations.
    """
    for name in reader.spec.learn:
        what = f"nothing determines the learned constant '{name}'"
        hint = (
            "The conditions can be met for any value of it. Add measurements, data: {file: FILE}, "
            "or one more condition."
        )
        reader.fault(("learn", name), what, hint, True)


def _check_levels(reader: Reader, equations: Sequence[Term], terms: Sequence[Term]) -> None:
    """Notes unknowns as faults that occur only in derivatives and differences: adding a
    constant to them changes nothing.
    """
    domain = reader.domain
    for i, name in enumerate(reader.scope.unknowns):
        held = {field for term in equations for field in term.fields if field.unknown == name}
        valued = {
            field
            for term in terms
            if term.region.paired_axis is None
            for field in term.fields
            if field.unknown == name and not any(field.orders)
        }
        if not held or valued or name in reader.spec.forms:
            continue
        time = domain.time_axis
        is_evolving = time is not None and any(field.orders[time] for field in held)
        axes = range(domain.dimension) if is_evolving else domain.space
        at = domain.lower
        if domain.shape is not None:
            at = tuple(domain.scattered(1, np.random.default_rng(0))[0].tolist())
        place = ", ".join(f"{domain.coordinates[axis]}: {at[axis]:g}" for axis in axes)
        what = f"only derivatives of '{name}' are given, so that any constant may be added to it"
        level = f"{{level: {{at: {{{place}}}, equation: {name} = 0}}}}"
        reader.fault(("unknowns", i), what, f"Give it a value: conditions: {level}.")


def _check_too_many(
    reader: Reader, equations: Sequence[Term], held: Sequence[tuple[Term, Face | None]], axis: int
) -> None:
    """More conditions along an axis than the orders of all unknowns together contradict each
    other, in general.
    """
    unknowns = reader.scope.unknowns
    allowed = sum(_needed(equations, axis, unknown) for unknown in unknowns)
    # A condition on unknowns that are not derived along the axis, as of a consistent start, takes
    # none of their places.
    derived = {unknown for unknown in unknowns if _needed(equations, axis, unknown)}
    whole = [
        (
            term,
            sum(
                not derived.isdisjoint(field.unknown for field in fields(residual))
                for residual in term.residuals
            ),
        )
        for term, _ in held
        if not term.region.is_part_of_faces
    ]
    # Periodicity of further derivatives follows from the equations and contradicts nothing.
    count = sum(
        n_residuals if term.region.paired_axis is None else min(n_residuals, allowed)
        for term, n_residuals in whole
    )
    if count <= allowed or allowed == 0:
        return
    name, in_order = reader.domain.coordinates[axis], list(reader.spec.conditions)
    last = max((term.name for term, n_residuals in whole if n_residuals), key=in_order.index)
    sort = "conditions" if axis == reader.domain.time_axis else "boundary conditions"
    orders = (
        f"order {allowed} admits" if len(unknowns) == 1 else "the orders of the equations add up to"
    )
    what = f"too many {sort} in {name}: {count} given, {orders} {allowed}"
    reader.fault(("conditions", last), what, f"Remove {count - allowed}.", True)
