"""The keys `shape` and `parts` of a spec → a shape, or what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import Call, Node, Number, Scope, Symbol, parse_shape, resolve
from laaf_cli.expression.faults import fault
from laaf_cli.expression.tree import Span
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.shapes.inequality import inequality
from laaf_cli.problem.shapes.mesh_file import MeshFileError, Outline, read_outline
from laaf_cli.problem.shapes.motion import Motion
from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.problem.shapes.plane_solids import OF_PLANE, of_outline, of_side, polygon
from laaf_cli.problem.shapes.shape import BOUNDARY, AnyShape, Body, Combined, solids
from laaf_cli.problem.shapes.solid import BOX, NoSolidError, Primitive, Solid
from laaf_cli.problem.shapes.space_shape import SpaceShape
from laaf_cli.problem.shapes.space_solids import OF_SPACE
from laaf_cli.problem.tables import TableError, read_rows
from laaf_cli.spec import KeyPath
from laaf_cli.text import did_you_mean, listed, shown

N_TRIED = 10_000
"""Random points of the box, of which one at least is to be in the shape."""

MOST_CORNERS = 2000

Moves = Mapping[str, tuple[str, Mapping[int, Callable[[Array], Motion]]]]
"""What moves a shape: the arguments behind it, and for each number of them what they make."""


@dataclass(frozen=True, kw_only=True)
class ShapeKind:
    """What shapes of one dimension are made of."""

    made: type[PlaneShape | SpaceShape]
    primitives: Mapping[str, Primitive]
    moves: Moves
    whole: tuple[str, str]
    """The names that without numbers are the ranges of the coordinates."""


KINDS = {
    2: ShapeKind(
        made=PlaneShape,
        primitives=OF_PLANE,
        whole=(BOX, "rectangle"),
        moves={
            "translate": ("dx, dy", {2: lambda by: Motion(np.eye(2), by)}),
            "rotate": (
                "angle, or angle, x, y",
                {
                    1: lambda by: Motion.turning(by[0], np.zeros(2)),
                    3: lambda by: Motion.turning(by[0], by[1:]),
                },
            ),
        },
    ),
    3: ShapeKind(
        made=SpaceShape,
        primitives=OF_SPACE,
        whole=(BOX, "cuboid"),
        moves={
            "translate": ("dx, dy, dz", {3: lambda by: Motion(np.eye(3), by)}),
            "rotate": (
                "angle, nx, ny, nz, or angle, nx, ny, nz, x, y, z",
                {
                    4: lambda by: Motion.turning_about(by[0], by[1:], np.zeros(3)),
                    7: lambda by: Motion.turning_about(by[0], by[1:4], by[4:]),
                },
            ),
        },
    ),
}
"""By dimension."""

COMBINING = {"+": "+", "or": "+", "*": "*", "and": "*", "-": "-"}
COMPARING = ("<", "<=", ">", ">=")

POLYGON = "polygon"
"""Of which corners may be in a file."""

_MESH = re.compile(r"\s*mesh\s*\(([^()]+)\)\s*")

_CORNERS = re.compile(r"\s*polygon\s*\(([-+.0-9eE,\s]+)\)\s*")


def read_shape(reader: Reader) -> AnyShape | None:
    """The shape of the spec that is read; None where it has none or a wrong one."""
    text, names = reader.spec.shape, reader.spec.parts
    if text is None:
        if names:
            hint = "Say what shape they are the parts of: shape: box - disk(0.3, 0.3, 0.1)."
            reader.fault(("parts",), "there are 'parts' and no 'shape'", hint, True)
        return None
    domain = reader.domain
    if len(domain.space) not in KINDS:
        coordinates = [domain.coordinates[axis] for axis in domain.space]
        what = "a shape lies in two or three coordinates of space, and here are: "
        what += listed(coordinates) or "none"
        reader.fault(("shape",), what, key=True)
        return None
    if domain.periodic:
        reader.fault(("periodic",), "a shape and periodic coordinates do not go together", "", True)
        return None
    reading = _Reading(reader=reader)
    whole = reading.whole(text)
    body = None if whole is None else reading.body(("shape",), whole, "the shape")
    named = {name: reading.of_part(name) for name in names}
    if body is None or whole is None or reader.faults:
        return None
    kinds: dict[str, list[Solid]] = {BOX: [reading.box]}
    of_parts = {solid for p in named.values() if isinstance(p, Body) for solid in solids(p)}
    for solid in solids(body):
        if solid not in of_parts:
            kinds.setdefault(solid.kind, []).append(solid)
    for name, part in named.items():
        if isinstance(part, str) and part not in kinds:
            reader.fault(("parts", name), f"the shape has no '{part}'", _known(kinds))
    shape = reading.kind.made(
        text=whole,
        axes=domain.space,
        body=body,
        box=reading.box,
        size=float(np.linalg.norm(reading.corners[1] - reading.corners[0])),
        named={
            **kinds,
            **reading.sides,
            **{
                name: kinds.get(part, []) if isinstance(part, str) else [*solids(part)]
                for name, part in named.items()
                if part is not None
            },
        },
    )
    _check(reader, shape, list(names))
    return None if reader.faults else shape


def box_shape(domain: Domain) -> AnyShape:
    """The whole box of a domain of two or three coordinates of space."""
    corners = np.array([domain.lower, domain.upper])[:, list(domain.space)]
    kind = KINDS[len(domain.space)]
    box = kind.primitives[BOX].make(np.zeros(0), corners)
    size = float(np.linalg.norm(corners[1] - corners[0]))
    return kind.made(text=BOX, axes=domain.space, body=box, box=box, size=size, named={})


def _check(reader: Reader, shape: AnyShape, names: Sequence[str]) -> None:
    unit = np.random.default_rng(0).random((N_TRIED, reader.domain.dimension))
    if not shape.holds(reader.domain.from_unit(unit)).any() or not shape.pieces:
        what = f"the shape {shown(shape.text)} is empty within the ranges of the coordinates"
        reader.fault(("shape",), what, "Widen the ranges, or move what it is made of into them.")
    elif (n := shape.n_apart) > 1:
        what = f"the shape {shown(shape.text)} falls into {n} pieces that do not touch"
        reader.fault(("shape",), what, "Each is a problem of its own: write a spec for each.")
    for name in names if not reader.faults else ():
        if not shape.part(name):
            what = f"nothing of the boundary lies on the part '{name}'"
            hint = "A part is where the boundary of the shape is that of the part's own formula."
            reader.fault(("parts", name), what, hint)


def _known(kinds: Mapping[str, Sequence[Solid]]) -> str:
    return f"It is made of: {listed(kinds)}."


@dataclass(kw_only=True)
class _Reading:
    reader: Reader
    read: dict[str, Body | str | None] = field(default_factory=dict)
    """Parts by name; a bare name of a primitive, for all of its kind."""
    open: list[str] = field(default_factory=list)
    """The parts that are being read, one inside the other."""
    sides: dict[str, list[Solid]] = field(default_factory=dict)
    """What has the named sides of meshes for its boundary, by name."""

    def __post_init__(self) -> None:
        domain = self.reader.domain
        self.kind = KINDS[len(domain.space)]
        self.primitives, self.moves = self.kind.primitives, self.kind.moves
        self.names = tuple(domain.coordinates[axis] for axis in domain.space)
        self.corners = np.array([domain.lower, domain.upper])[:, list(domain.space)]
        self.box = self.primitives[BOX].make(np.zeros(0), self.corners)

    def whole(self, text: str) -> str | None:
        """The text of the shape, in which a part takes the place of a mesh, so that what is made of
        the spec needs the file no more; None where the mesh is wrong.
        """
        if (mesh := _MESH.fullmatch(text)) is None:
            return text.strip()
        name = "mesh_" + re.sub(r"\W+", "_", Path(mesh[1].strip()).stem)
        self.reader.spec = self.reader.spec.model_copy(update={"shape": name})
        self.read[name] = self._of_mesh(("shape",), name, mesh[1].strip())
        return name if self.read[name] is not None else None

    def _of_mesh(self, path: KeyPath, name: str, text: str) -> Body | None:
        """The inside of a mesh, by the name of a file or by what has been read from one."""
        try:
            if POLYGON not in self.primitives:
                raise MeshFileError("meshes are taken in two coordinates of space alone")
            outline = Outline.parse(text) or read_outline(self.reader.folder / text)
            if outline.n_sides > MOST_CORNERS:
                n = outline.n_sides
                raise MeshFileError(f"it has {n:,} sides, and {MOST_CORNERS:,} are taken at most")
        except MeshFileError as error:
            self.reader.fault(path, f"{shown(text)} makes no shape: {error}")
            return None
        self.sides |= {
            side: [*self.sides.get(side, []), of_side(outline, side)] for side in outline.names
        }
        parts = {**self.reader.spec.parts, name: f"mesh({outline.text()})"}
        self.reader.spec = self.reader.spec.model_copy(update={"parts": parts})
        return of_outline(outline)

    def body(self, path: KeyPath, text: str, within: str) -> Body | None:
        """The body of a text."""
        if "mesh" in re.findall(r"\b(\w+)\s*\(", text):
            hint = (
                "Give it a name: parts: {plate: mesh(plate.msh)}; and write plate - disk(0, 0, 1)."
            )
            self.reader.fault(path, f"{within} is more than a mesh", hint)
            return None
        numbers = _CORNERS.fullmatch(text) if POLYGON in self.primitives else None
        if numbers is not None and len(text) > 100:
            numbers_of = [float(number) for number in numbers[1].split(",")]
            return self.reader.attempt(
                path, within, lambda: self._made(POLYGON, numbers_of, (0, len(text)))
            )
        return self.reader.attempt(path, within, lambda: self.of(parse_shape(text)))

    def of_part(self, name: str) -> Body | str | None:
        """The body of a part."""
        if name in self.read:
            return self.read[name]
        text, path = self.reader.spec.parts[name].strip(), ("parts", name)
        taken = {BOUNDARY: "all of the boundary", **dict.fromkeys(self.primitives, "a primitive")}
        taken |= dict.fromkeys(self.moves, "a motion")
        taken |= dict.fromkeys(self.reader.domain.coordinates, "a coordinate")
        part: Body | str | None = None
        if name in taken:
            what = f"'{name}' is already {taken[name]}"
            self.reader.fault(path, what, "Choose another name for the part.", True)
        elif mesh := _MESH.fullmatch(text):
            part = self._of_mesh(path, name, mesh[1].strip())
        elif text.lower().endswith(".csv"):
            part = self._of_file(path, text)
        elif text in self.primitives and self.primitives[text].n_arguments != 0:
            part = text
        else:
            self.open.append(name)
            part = self.body(path, text, f"the part '{name}'")
            self.open.pop()
        self.read[name] = part
        return part

    def _of_file(self, path: KeyPath, text: str) -> Body | None:
        """A polygon whose corners are the rows of a file."""
        if POLYGON not in self.primitives:
            self.reader.fault(path, "a polygon lies in two coordinates of space")
            return None
        try:
            corners = read_rows(self.reader.folder / text, self.names, (), {}).points
            if len(corners) > MOST_CORNERS:
                raise NoSolidError(f"it has {len(corners):,} corners, and {MOST_CORNERS:,} at most")
            solid = polygon(corners)
        except (TableError, NoSolidError) as error:
            self.reader.fault(path, f"{text} makes no polygon: {error}")
            return None
        # So that what is made of the spec needs the file no more.
        numbers = ", ".join(map(repr, corners.ravel().tolist()))
        parts = {**self.reader.spec.parts, str(path[1]): f"polygon({numbers})"}
        self.reader.spec = self.reader.spec.model_copy(update={"parts": parts})
        return solid

    def of(self, tree: Node) -> Body:
        """The body of a tree.

        Raises:
            ExpressionError: it is not a shape.
        """
        match tree:
            case Call(function=name) if name in COMBINING and len(tree.arguments) == 2:
                first, second = (self.of(argument) for argument in tree.arguments)
                return Combined(COMBINING[name], first, second)
            case Call(function=name) if name in COMPARING:
                return self._of_comparison(tree)
            case Call(function=name) if name in self.moves:
                return self._moved(tree)
            case Call(function=name) if name in self.primitives:
                return self._made(name, [self._number(a) for a in tree.arguments], tree.span)
            case Symbol(name=name):
                return self._named(name, tree.span)
        if isinstance(tree, Call) and tree.function.isidentifier():
            hint = did_you_mean(tree.function, [*self.primitives, *self.moves])
            known = [f"{name}({row.arguments})" for name, row in self.primitives.items()]
            raise fault(
                f"'{tree.function}' is not a shape", tree.span, hint or f"Shapes: {listed(known)}."
            )
        hint = "Shapes are joined by + or 'or', met by * or 'and', and cut out by -."
        raise fault("this is not a shape", tree.span, hint)

    def _named(self, name: str, span: Span) -> Body:
        if name in self.kind.whole:
            return self.box
        if name in self.primitives:
            row = self.primitives[name]
            raise fault(f"'{name}' has no arguments", span, f"Write it as {name}({row.arguments}).")
        if name in self.open:
            raise fault(f"the part '{name}' is made of itself", span)
        if name in self.reader.spec.parts:
            part = self.of_part(name)
            if isinstance(part, str):
                row = self.primitives[part]
                hint = f"Write the part as {part}({row.arguments})."
                raise fault(f"the part '{name}' names a kind of shape", span, hint)
            return part if part is not None else self.box  # what is wrong has been noted
        hint = did_you_mean(name, [*self.reader.spec.parts, *self.primitives])
        raise fault(f"'{name}' is not a shape", span, hint or f"Shapes: {listed(self.primitives)}.")

    def _made(self, name: str, numbers: Sequence[float], span: Span) -> Solid:
        row = self.primitives[name]
        n, form = len(numbers), f"Write it as {name}({row.arguments})."
        if n == 0 and name in self.kind.whole:
            return self.box
        if (n != row.n_arguments) if row.n_arguments is not None else (n < 6 or n % 2):
            raise fault(f"{name} has {n} numbers", span, form)
        try:
            return row.make(np.array(numbers, dtype=float), self.corners)
        except NoSolidError as error:
            raise fault(f"this {name} is empty: {error}", span, form) from None

    def _moved(self, tree: Call) -> Body:
        names, made = self.moves[tree.function]
        if len(tree.arguments) - 1 not in made:
            hint = f"Write it as {tree.function}(shape, {names})."
            raise fault(f"{tree.function} has {len(tree.arguments)} arguments", tree.span, hint)
        body, numbers = self.of(tree.arguments[0]), [self._number(a) for a in tree.arguments[1:]]
        with np.errstate(all="ignore"):
            motion = made[len(numbers)](np.array(numbers, dtype=float))
        if not np.isfinite(motion.matrix).all():
            raise fault("it is turned about an axis without direction", tree.span)
        return body.moved(motion)

    def _of_comparison(self, tree: Call) -> Solid:
        scope = Scope(coordinates=self.names, constants=self.reader.scope.constants)
        resolved = resolve(self.reader.without_learned(tree, scope), scope)
        if not isinstance(resolved, Call):
            raise fault("this holds everywhere or nowhere", tree.span)
        try:
            return inequality(resolved, self.names, self.corners)
        except NoSolidError as error:
            raise fault(f"this makes no shape: {error}", tree.span) from None

    def _number(self, tree: Node) -> float:
        scope = Scope(constants=self.reader.scope.constants)
        value = resolve(self.reader.without_learned(tree, scope), scope)
        if not isinstance(value, Number):
            raise fault("a number is expected here", tree.span)
        return value.value
