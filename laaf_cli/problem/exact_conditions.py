"""`transform: auto`: a form of the solution that meets as many conditions as it can, derived from
their trees.

Values and slopes on faces become a transfinite interpolation, periodic conditions periodic inputs.
What is derived is proved like a transform that a user writes; what is not proved is left to
training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np

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
    interpolants,
    partial,
    substitute,
    symbols,
    write,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.multi_index import derivative_name
from laaf_cli.problem.domain import Domain, Face
from laaf_cli.problem.jumps import jumping
from laaf_cli.problem.problem import Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import NORMAL
from laaf_cli.problem.transfinite import (
    AGREE,
    ZERO,
    FaceValue,
    NoAnsatzError,
    along,
    interpolate,
    name_along,
    sample,
    values_on,
)
from laaf_cli.problem.transform import in_outputs, jump_at_seam, output_names, proofs, read_ansatz
from laaf_cli.spec import RunSpec
from laaf_cli.text import listed

MAX_WORK = 40_000
"""Operations that may be built for a form, those of the conditions and equations among them."""


@dataclass(frozen=True, kw_only=True)
class DerivedAnsatz:
    """A spec whose hard constraints were derived, and what they leave out."""

    spec: RunSpec
    """The spec with the transform and the periodic inputs."""
    left: dict[str, str]
    """Why the other conditions are left to training, by name."""


def derive(reader: Reader, terms: Sequence[Term]) -> DerivedAnsatz:
    """The spec with a transform and periodic inputs in the place of `auto`: those that meet as many
    conditions as can be proved to be met.
    """
    with bounded(MAX_WORK, "the form takes"):
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

    def result(self) -> DerivedAnsatz:
        names, plain = self.domain.coordinates, self.reader.spec
        circles = tuple(self.circles())
        periodic = {names[axis]: 1 for axis in circles} | plain.periodic
        values = list(self.face_values((*self.domain.periodic, *circles)))
        while True:
            changes = {"transform": self.texts(values), "periodic": periodic}
            self.reader.spec = plain.model_copy(update=changes)
            ansatz, proven = read_ansatz(self.reader), []
            try:
                for term in self.terms:
                    term.in_outputs(ansatz)
                proven = list(proofs(self.domain, ansatz, self.conditions))
                lost, why = [], ""
            except ExpressionError:
                lost, why = values[-1:], "the equations would be too long with it"
            satisfied = {proof.term.name: proof.satisfied for proof in proven}
            if not why:
                lost = [
                    value for value in values if value.place not in satisfied.get(value.name, ())
                ]
                why = "it could not be proved to hold exactly"
            for proof in proven if not lost else ():
                if proof.off:
                    lost = [value for value in values if value.unknown in proof.term.unknowns][-1:]
                    why = f"it contradicts '{proof.term.name}'"
            if not lost:
                break
            for value in lost:
                self.why.setdefault(value.name, why)
            values = [value for value in values if value not in lost]
        left = {
            term.name: self.why.get(term.name, "it is more than a transform can hold")
            for term in self.conditions
            if len(satisfied.get(term.name, ())) < len(term.residuals)
        }
        return DerivedAnsatz(spec=self.reader.spec, left=left)

    # Circles

    def circles(self) -> Iterator[int]:
        """The axes whose periodic conditions say that all is periodic along them."""
        for axis, name in enumerate(self.domain.coordinates):
            held = [term for term in self.conditions if term.region.paired_axis == axis]
            if not held:
                continue
            why = self.against_circle(axis, {tree for term in held for tree in term.residuals})
            if why:
                self.why.update((term.name, why) for term in held)
            elif name not in self.reader.spec.periodic:
                yield axis

    def against_circle(self, axis: int, held: set[Node]) -> str:
        """What forbids periodic inputs along an axis; empty where nothing does."""
        name = self.domain.coordinates[axis]
        for unknown in self.reader.scope.unknowns:
            for order in range(max(1, self.order_along(axis, unknown))):
                if along(unknown, axis, order, self.domain) not in held:
                    derived_name = name_along(unknown, axis, order, self.domain)
                    return f"periodic inputs would hold {derived_name} as well"
        for term in self.terms:
            if any(face.axis == axis for face in term.region.whole_faces(self.domain)):
                return f"'{term.name}' applies to faces of '{name}' too"
            if term.kind == "equation":
                for tree in term.residuals:
                    if functions(tree) - TABLE.keys():
                        return f"'{term.name}' calls a Python function"
                    if interpolants(tree):
                        return f"'{term.name}' contains values of a file"
                    if jump_at_seam(self.domain, axis, tree):
                        return f"'{term.name}' is not periodic in '{name}'"
        return ""

    def order_along(self, axis: int, unknown: str) -> int:
        """The highest order along an axis in the equations."""
        equations = [term for term in self.terms if term.kind == "equation"]
        return max((term.order_along(axis, unknown) for term in equations), default=0)

    # Values on faces

    def face_values(self, circles: Sequence[int]) -> Iterator[FaceValue]:
        """The values that a form may hold, those of the first condition where several give one."""
        taken: set[tuple[str, Face, int]] = set()
        for term in self.conditions:
            whole = term.region.whole_faces(self.domain)
            faces = [face for face in whole if face.axis not in circles]
            if not faces and term.region.paired_axis is None:
                self.why[term.name] = "its place is not a whole face of the domain"
            for face in faces:
                for place in range(len(term.residuals)):
                    try:
                        value = self.face_value(term, place, face, circles)
                    except NoAnsatzError as error:
                        self.why.setdefault(term.name, str(error))
                        continue
                    except ExpressionError as error:
                        what = f"it cannot be worked out: {error.faults[0].what}"
                        self.why.setdefault(term.name, what)
                        continue
                    key = (value.unknown, value.face, value.order)
                    if key not in taken:
                        taken.add(key)
                        yield value

    def face_value(self, term: Term, place: int, face: Face, circles: Sequence[int]) -> FaceValue:
        """What a residual gives on a face.

        Raises:
            NoAnsatzError: that is not the value of one derivative along its normal, or the
                equations cannot take that value.
        """
        names = self.domain.coordinates
        on_face: dict[Field | Symbol, Node] = {
            Symbol(f"{NORMAL}{name}"): Number((1.0 if face.upper else -1.0) * (axis == face.axis))
            for axis, name in enumerate(names)
        }
        on_face[Symbol(names[face.axis])] = Number(face.value)
        tree = substitute(term.residuals[place], on_face)
        held = fields(tree)
        unknowns = sorted({field.unknown for field in held})
        if len(unknowns) > 1:
            raise NoAnsatzError(f"it couples {listed(unknowns)}")
        if functions(tree) - TABLE.keys():
            raise NoAnsatzError("it calls a Python function")
        if interpolants(tree):
            raise NoAnsatzError("it contains values of a file")
        if learned := symbols(tree) - set(names):
            raise NoAnsatzError(f"it contains '{min(learned)}', which is learned")
        if len(held) != 1:
            raise NoAnsatzError(
                f"it ties {listed(unknowns)} to derivatives of it"
                if held
                else "it says nothing of an unknown there"
            )
        (held_field,) = held
        order = held_field.orders[face.axis]
        if sum(held_field.orders) != order:
            derived_name = derivative_name(held_field.unknown, held_field.orders, names)
            raise NoAnsatzError(
                f"'{derived_name}' is not a derivative along the normal of its face"
            )
        slope, rest = partial(tree, held_field), substitute(tree, {held_field: ZERO})
        if fields(slope) or not self.is_linear(tree, slope, rest, held_field, face):
            raise NoAnsatzError(f"it is not linear in '{held_field.unknown}'")
        value = rest if slope == Number(-1.0) else call("/", call("neg", rest), slope)
        self.check_smooth(value, face, held_field.unknown, circles)
        return FaceValue(
            name=term.name,
            place=place,
            unknown=held_field.unknown,
            face=face,
            order=order,
            value=value,
        )

    def is_linear(self, tree: Node, slope: Node, rest: Node, held: Field, face: Face) -> bool:
        """Whether tree = slope·field + rest, with a slope that is zero nowhere."""
        points = sample(self.domain, {face.axis: face.value})
        columns = dict(zip(self.domain.coordinates, points.T, strict=True))
        values = np.random.default_rng(1).uniform(-1.5, 1.5, len(points))
        with np.errstate(all="ignore"):
            whole = evaluate(tree, columns, {held: values}, NUMPY)
            steep, level = (evaluate(part, columns, {}, NUMPY) for part in (slope, rest))
            off = np.abs(whole - (steep * values + level))
            size = np.max(np.abs(steep)) + np.max(np.abs(level))
        return bool(np.all(off <= AGREE * size) and np.min(np.abs(steep)) > AGREE * size)

    def check_smooth(self, value: Node, face: Face, unknown: str, circles: Sequence[int]) -> None:
        """Raises NoAnsatzError where a value, or a derivative of it that the equations take, jumps,
        is not finite or has two values at the seam of a circle.
        """
        names = self.domain.coordinates
        for axis, name in enumerate(names):
            order = self.order_along(axis, unknown)
            if name not in symbols(value):
                continue
            if jumping(value, [name] * (order + 1), self.reader.scope, self.domain):
                raise NoAnsatzError("its values or their slopes jump")
            derived = value
            for k in range(order + 1):
                derived = differentiate(derived, name, names) if k else derived
                if not np.isfinite(values_on(self.domain, derived, {face.axis: face.value})).all():
                    raise NoAnsatzError("its values or their slopes are not finite everywhere")
                if (
                    axis in circles
                    and k < max(1, order)
                    and jump_at_seam(self.domain, axis, derived)
                ):
                    raise NoAnsatzError(f"its values or their slopes are not periodic in '{name}'")

    # The form

    def texts(self, values: list[FaceValue]) -> dict[str, str]:
        """The form of each unknown of which something is given; what is unfit is taken out of
        `values`.
        """
        unknowns, texts = self.reader.scope.unknowns, {}
        for unknown, output in zip(unknowns, output_names(unknowns), strict=True):
            scope = replace(self.reader.scope, unknowns=output_names(unknowns))
            while of_unknown := [value for value in values if value.unknown == unknown]:
                try:
                    form = interpolate(self.domain, of_unknown, along(output, 0, 0, self.domain))
                    text = write(form, self.domain.coordinates)
                    in_outputs(text, unknowns, scope)
                    texts[unknown] = text
                    break
                except NoAnsatzError as error:
                    unfit, why = error.value or of_unknown[-1], str(error)
                except ExpressionError:
                    unfit, why = of_unknown[-1], "the expression would be too long"
                self.why.setdefault(unfit.name, why)
                values.remove(unfit)
        return texts
