"""`transform: auto`: a form of the solution that meets as many conditions as it can, derived from
their trees.

Along one axis, values and normal derivatives on its faces are interpolated by Hermite's polynomials
and a factor takes the network away there. The interpolants of all axes are joined by their Boolean
sum (Gordon, SIAM J. Numer. Anal. 8, 1971; Leake, Johnston & Mortari, Mathematics 8, 2020, 1303):
for each axis in turn,

    g ← g + Σ H_k(x) (value_k − ∂ₓᵏ g on its face),     u = g + Π factor(x) net.

What is derived is proved like a transform that a user writes; what is not proved is left to
training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import (
    NUMPY,
    ExpressionError,
    Field,
    Node,
    Number,
    Symbol,
    bounded,
    call,
    differentiate,
    evaluate,
    fields,
    functions,
    partial,
    substitute,
    symbols,
    write,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.multi_index import derivative_name, unit
from laaf_cli.problem.domain import Domain, Face, grid_points
from laaf_cli.problem.form import (
    ROUNDING,
    in_outputs,
    jump_at_seam,
    output_names,
    proofs,
    read_form,
)
from laaf_cli.problem.hermite import ZERO, Ends, product, total
from laaf_cli.problem.jumps import jumping
from laaf_cli.problem.problem import Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import NORMAL
from laaf_cli.spec import RunSpec
from laaf_cli.text import listed

AGREE = 1e-9
"""Values that differ by less than this share of their size agree."""

INSIDE, NEAR = 1e-9, 1e-6
"""How far from a face, as a share of the range, values still are those on it, and how nearly."""

MAX_WORK = 30_000
"""Operations that may be built for one form."""

N_POINTS, N_ALONG = 200, 5
"""Points at which values are compared: random ones, and along each coordinate of a grid."""


@dataclass(frozen=True, kw_only=True)
class Derived:
    """spec: with the transform and the periodic inputs. left: why the other conditions are left to
    training, by name.
    """

    spec: RunSpec
    left: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class _Given:
    """The value of ∂ᵏ unknown along the normal of a face; name, place: of the condition and the
    residual that give it.
    """

    name: str
    place: int
    unknown: str
    face: Face
    order: int
    value: Node


class _UnfitError(Exception):
    """No form with this value is known; the text completes the sentence that it is left."""

    def __init__(self, why: str, given: _Given | None = None) -> None:
        super().__init__(why)
        self.given = given


def derive(reader: Reader, terms: Sequence[Term]) -> Derived:
    """The spec with a transform and periodic inputs in the place of `auto`: those that meet as many
    conditions as can be proved to be met.
    """
    return _Derivation(copy(reader), terms).result()


@dataclass(frozen=True)
class _Derivation:
    reader: Reader
    terms: Sequence[Term]
    why: dict[str, str] = field(default_factory=dict)
    """The first thing that was found against each condition."""

    @property
    def domain(self) -> Domain:
        return self.reader.domain

    @property
    def conditions(self) -> list[Term]:
        return [term for term in self.terms if term.kind == "condition"]

    def result(self) -> Derived:
        names, plain = self.domain.coordinates, self.reader.spec
        circles = tuple(self.circles())
        periodic = {names[axis]: 1 for axis in circles} | plain.periodic
        given = list(self.all_given((*self.domain.periodic, *circles)))
        while True:
            changes = {"transform": self.texts(given), "periodic": periodic}
            self.reader.spec = plain.model_copy(update=changes)
            found = list(proofs(self.domain, read_form(self.reader), self.conditions))
            met = {proof.term.name: proof.met for proof in found}
            lost = [each for each in given if each.place not in met.get(each.name, ())]
            for each in lost:
                self.why.setdefault(each.name, "it could not be proved to hold exactly")
            for proof in found if not lost else ():
                if proof.off:
                    lost = [each for each in given if each.unknown in proof.term.unknowns][-1:]
                    self.why.update(
                        (each.name, f"it contradicts '{proof.term.name}'") for each in lost
                    )
            if not lost:
                break
            given = [each for each in given if each not in lost]
        left = {
            term.name: self.why.get(term.name, "it is more than a transform can hold")
            for term in self.conditions
            if len(met.get(term.name, ())) < len(term.residuals)
        }
        return Derived(spec=self.reader.spec, left=left)

    # Circles

    def circles(self) -> Iterator[int]:
        """The axes whose periodic conditions say that all is periodic along them."""
        for axis, name in enumerate(self.domain.coordinates):
            held = [term for term in self.conditions if term.region.paired_axis == axis]
            if not held:
                continue
            found = self.against_circle(axis, {tree for term in held for tree in term.residuals})
            if found:
                self.why.update((term.name, found) for term in held)
            elif name not in self.reader.spec.periodic:
                yield axis

    def against_circle(self, axis: int, held: set[Node]) -> str:
        """What forbids periodic inputs along an axis; empty where nothing does."""
        name, dimension = self.domain.coordinates[axis], self.domain.dimension
        for unknown in self.reader.scope.unknowns:
            for order in range(max(1, self.order_along(axis, unknown))):
                orders = tuple(order * step for step in unit(axis, dimension))
                if Field(unknown, orders) not in held:
                    derivative = derivative_name(unknown, orders, self.domain.coordinates)
                    return f"periodic inputs would hold '{derivative}' as well"
        for term in self.terms:
            if any(face.axis == axis for face in term.region.whole_faces(self.domain)):
                return f"'{term.name}' stands on faces of '{name}' too"
            if term.kind == "equation":
                for tree in term.residuals:
                    if functions(tree) - TABLE.keys():
                        return f"'{term.name}' calls a Python function"
                    if jump_at_seam(self.domain, axis, tree):
                        return f"'{term.name}' is not periodic in '{name}'"
        return ""

    def order_along(self, axis: int, unknown: str) -> int:
        """The highest order along an axis in the equations."""
        equations = [term for term in self.terms if term.kind == "equation"]
        return max((term.order_along(axis, unknown) for term in equations), default=0)

    # Values on faces

    def all_given(self, circles: Sequence[int]) -> Iterator[_Given]:
        """The values that a form may hold, those of the first condition where several give one."""
        taken: set[tuple[str, Face, int]] = set()
        for term in self.conditions:
            faces = term.region.whole_faces(self.domain)
            if not faces and term.region.paired_axis is None:
                self.why[term.name] = "its place is not a whole face of the domain"
            for face in faces:
                for place in range(len(term.residuals)):
                    try:
                        given = self.given(term, place, face, circles)
                    except (_UnfitError, ExpressionError) as error:
                        told = isinstance(error, _UnfitError)
                        self.why.setdefault(
                            term.name, str(error) if told else "its values are not finite"
                        )
                        continue
                    key = (given.unknown, given.face, given.order)
                    if key not in taken:
                        taken.add(key)
                        yield given

    def given(self, term: Term, place: int, face: Face, circles: Sequence[int]) -> _Given:
        """What a residual gives on a face; raises _UnfitError where that is not the value of one
        derivative along its normal, or where the equations cannot take that value.
        """
        names = self.domain.coordinates
        on_face: dict[Field | Symbol, Node] = {
            Symbol(f"{NORMAL}{name}"): Number((1.0 if face.upper else -1.0) * (axis == face.axis))
            for axis, name in enumerate(names)
        }
        on_face[Symbol(names[face.axis])] = Number(face.value)
        tree = substitute(term.residuals[place], on_face)
        held = fields(tree)
        unknowns = sorted({each.unknown for each in held})
        if len(unknowns) > 1:
            raise _UnfitError(f"it couples {listed(unknowns)}")
        if functions(tree) - TABLE.keys():
            raise _UnfitError("it calls a Python function")
        if learned := symbols(tree) - set(names):
            raise _UnfitError(f"it contains '{min(learned)}', which is learned")
        if len(held) != 1:
            raise _UnfitError(f"it ties '{unknowns[0]}' to its derivatives" if held else "")
        (held_field,) = held
        order = held_field.orders[face.axis]
        if sum(held_field.orders) != order:
            told = derivative_name(held_field.unknown, held_field.orders, names)
            raise _UnfitError(f"'{told}' is no derivative along the normal of its face")
        slope, rest = partial(tree, held_field), substitute(tree, {held_field: ZERO})
        if fields(slope) or not self.is_linear(tree, slope, rest, held_field, face):
            raise _UnfitError(f"it is not linear in '{held_field.unknown}'")
        value = rest if slope == Number(-1.0) else call("/", call("neg", rest), slope)
        self.check_smooth(value, face, held_field.unknown, circles)
        return _Given(
            name=term.name,
            place=place,
            unknown=held_field.unknown,
            face=face,
            order=order,
            value=value,
        )

    def is_linear(self, tree: Node, slope: Node, rest: Node, held: Field, face: Face) -> bool:
        """Whether tree = slope·field + rest, with a slope that is zero nowhere."""
        points = self.points({face.axis: face.value})
        columns = dict(zip(self.domain.coordinates, points.T, strict=True))
        values = np.random.default_rng(1).uniform(-1.5, 1.5, len(points))
        with np.errstate(all="ignore"):
            whole = evaluate(tree, columns, {held: values}, NUMPY)
            steep, level = (evaluate(part, columns, {}, NUMPY) for part in (slope, rest))
            off = np.abs(whole - (steep * values + level))
            size = np.max(np.abs(steep)) + np.max(np.abs(level))
        return bool(np.all(off <= AGREE * size) and np.min(np.abs(steep)) > AGREE * size)

    def check_smooth(self, value: Node, face: Face, unknown: str, circles: Sequence[int]) -> None:
        """Raises _UnfitError where a value, or a derivative of it that the equations take, jumps,
        is not finite or has two values at the seam of a circle.
        """
        names = self.domain.coordinates
        for axis, name in enumerate(names):
            order = self.order_along(axis, unknown)
            if name not in symbols(value):
                continue
            if jumping(value, [name] * (order + 1), self.reader.scope, self.domain):
                raise _UnfitError("its values or their slopes jump")
            derived = value
            for k in range(order + 1):
                derived = differentiate(derived, name, names) if k else derived
                if not np.isfinite(self.values(derived, {face.axis: face.value})).all():
                    raise _UnfitError("its values or their slopes are not finite everywhere")
                if (
                    axis in circles
                    and k < max(1, order)
                    and jump_at_seam(self.domain, axis, derived)
                ):
                    raise _UnfitError(f"its values or their slopes are not periodic in '{name}'")

    def points(self, fixed: Mapping[int, float]) -> Array:
        """Points of the domain [n, d], its corners among them, some coordinates of which have given
        values.
        """
        domain = self.domain
        axes = [
            np.array([fixed[axis]]) if axis in fixed else along
            for axis, along in enumerate(domain.grid((N_ALONG,) * domain.dimension))
        ]
        points = domain.from_unit(np.random.default_rng(0).random((N_POINTS, domain.dimension)))
        for axis, value in fixed.items():
            points[:, axis] = value
        return np.concatenate([grid_points(tuple(axes)), points])

    def values(self, tree: Node, fixed: Mapping[int, float]) -> Array:
        """Those of a function of the coordinates where some of these have given values."""
        points = self.points(fixed)
        columns = dict(zip(self.domain.coordinates, points.T, strict=True))
        with np.errstate(all="ignore"):
            found = np.asarray(evaluate(tree, columns, {}, NUMPY), dtype=np.float64)
        return np.broadcast_to(found, len(points))

    def size(self, tree: Node, fixed: Mapping[int, float]) -> float:
        return float(np.max(np.abs(self.values(tree, fixed))))

    # The form

    def texts(self, given: list[_Given]) -> dict[str, str]:
        """The form of each unknown of which something is given; what is unfit is taken out of
        `given`.
        """
        unknowns, texts = self.reader.scope.unknowns, {}
        for unknown, output in zip(unknowns, output_names(unknowns), strict=True):
            scope = replace(self.reader.scope, unknowns=output_names(unknowns))
            while own := [each for each in given if each.unknown == unknown]:
                try:
                    with bounded(MAX_WORK, "a form takes"):
                        form = self.form(own, Field(output, (0,) * self.domain.dimension))
                        texts[unknown] = write(form, self.domain.coordinates)
                        in_outputs(texts[unknown], unknowns, scope)
                    break
                except _UnfitError as error:
                    unfit, why = error.given or own[-1], str(error)
                except ExpressionError:
                    unfit, why = own[-1], "the expression would be too long"
                texts.pop(unknown, None)
                self.why.setdefault(unfit.name, why)
                given.remove(unfit)
        return texts

    def form(self, given: Sequence[_Given], output: Field) -> Node:
        """g + Π factor·output; raises _UnfitError with what does not fit in."""
        domain, names = self.domain, self.domain.coordinates
        # Time comes last: where start and boundary disagree, it is the start that is left.
        axes = [*domain.space, *([] if domain.time_axis is None else [domain.time_axis])]
        level: Node = ZERO
        factors: list[Node] = []
        placed: list[_Given] = []
        for axis in axes:
            own = [each for each in given if each.face.axis == axis]
            if not own:
                continue
            counts = [self.count([e for e in own if e.face.upper == upper]) for upper in (0, 1)]
            ends = Ends(names[axis], domain.lower[axis], domain.upper[axis], *counts)
            more: Node = ZERO
            for each in own:
                gap = self.gap(each, level)
                self.check_corners(each, level, placed)
                more = total(more, product([ends.basis(each.face.upper, each.order), gap]))
            level = total(level, more)
            factors += ends.factors
            placed += own
        return total(level, product([*factors, output]))

    def count(self, own: Sequence[_Given]) -> int:
        """How many derivatives, from the value on, are given at one end; raises _UnfitError where
        one is left out.
        """
        for k, each in enumerate(sorted(own, key=lambda each: each.order)):
            if each.order != k:
                names, dimension = self.domain.coordinates, self.domain.dimension
                told, missing = (
                    derivative_name(
                        each.unknown,
                        tuple(order * step for step in unit(each.face.axis, dimension)),
                        names,
                    )
                    for order in (each.order, k)
                )
                why = f"it gives '{told}' at {each.face.name}, and nothing gives '{missing}' there"
                raise _UnfitError(why, each)
        return len(own)

    def on(self, given: _Given, level: Node) -> Node:
        """∂ᵏ level on the face of a value."""
        coordinate = self.domain.coordinates[given.face.axis]
        for _ in range(given.order):
            level = differentiate(level, coordinate, self.domain.coordinates)
        return substitute(level, {Symbol(coordinate): Number(given.face.value)})

    def gap(self, given: _Given, level: Node) -> Node:
        """value − ∂ᵏ level on its face, without the part that is rounding."""
        fixed, here = {given.face.axis: given.face.value}, self.on(given, level)
        whole = call("-", given.value, here)
        sizes = [self.size(tree, fixed) for tree in (whole, given.value, here)]
        if not np.isfinite(sizes).all():
            raise _UnfitError("its values are not finite everywhere", given)
        if sizes[0] <= ROUNDING * max(sizes):
            return ZERO
        if sizes[2] <= ROUNDING * sizes[1]:
            return given.value
        return call("neg", here) if sizes[1] <= ROUNDING * sizes[2] else whole

    def check_corners(self, given: _Given, level: Node, placed: Sequence[_Given]) -> None:
        """Raises _UnfitError where a value disagrees with one of another axis on the edge of both,
        or comes to it with a jump.
        """
        domain, names = self.domain, self.domain.coordinates
        fixed, parts = {given.face.axis: given.face.value}, [given.value, self.on(given, level)]
        sizes = [self.size(part, fixed) for part in parts]
        for other in placed:
            axis, derived = other.face.axis, parts
            length = domain.upper[axis] - domain.lower[axis]
            for _ in range(other.order):
                derived = [differentiate(part, names[axis], names) for part in derived]
            scale = max(
                max(sizes) / length**other.order, *(self.size(part, fixed) for part in derived)
            )
            inside = other.face.value + (-1 if other.face.upper else 1) * INSIDE * length
            for place, share in ((other.face.value, AGREE), (inside, NEAR)):
                value, here = (self.values(part, {**fixed, axis: place}) for part in derived)
                if not np.all(np.abs(value - here) <= share * scale):
                    raise _UnfitError(f"it disagrees with '{other.name}' where they meet", given)
