"""A loaded spec → a problem, or all that is wrong with what the spec says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from laaf_cli.errors import Fault, SpecError, did_you_mean, listed
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
    parse_equation,
    resolve,
    sides,
)
from laaf_cli.expression.functions import FUNCTIONS, NAMED_CONSTANTS
from laaf_cli.expression.tokens import WORDS
from laaf_cli.multi_index import ambiguous_coordinate
from laaf_cli.problem.domain import Array, Domain, Face
from laaf_cli.problem.problem import OBSERVED, Interior, Observed, OnFaces, PointSet, Problem, Region, Term
from laaf_cli.problem.samplers import SAMPLERS
from laaf_cli.problem.tables import TableError, as_rows, read_table
from laaf_cli.spec import MAX_FAULTS, Condition, Data, KeyPath, LoadedSpec, RunSpec, shown

T = TypeVar("T")

RESERVED_TERMS = ("slope_recovery", "total", "iteration", "wall_time_s", "relative_l2")
MAX_GRID_POINTS = 5_000_000
_DEFAULT_GRID = {1: 1001, 2: 101, 3: 41}

Choices = Mapping[KeyPath, tuple[str, ...]]
"""Paths of the spec (`*` stands for any list item) whose value must be one of the names of a table."""


def build(loaded: LoadedSpec, choices: Choices | None = None) -> tuple[RunSpec, Problem]:
    """The checked spec and its problem.

    choices: for keys that name a row of a table elsewhere, the names that exist.
    Raises SpecError with every fault of form and meaning.
    """
    builder = _Builder(loaded)
    problem = builder.problem() if loaded.spec is not None else None
    if loaded.spec is not None:
        builder.check_choices(
            {("points", "sampler"): tuple(SAMPLERS), ("data", "sampler"): tuple(SAMPLERS), **(choices or {})}
        )
    faults = [*loaded.faults, *builder.faults]
    if faults or loaded.spec is None or problem is None:
        raise SpecError(faults)
    return loaded.spec, problem


class _Builder:
    """Collects faults while it builds; a part that is wrong is left out and the rest is still checked."""

    def __init__(self, loaded: LoadedSpec) -> None:
        self.root = loaded.root
        self.folder = Path(loaded.text.name).parent
        self.faults: list[Fault] = []
        self.form_is_right = not loaded.faults
        if loaded.spec is not None:
            self.spec = loaded.spec

    def fault(self, path: KeyPath, what: str, hint: str = "", key: bool = False) -> None:
        """Notes a fault at a value, or at its key."""
        mark = self.root.locate(path).mark
        if key:
            mark = self.root.locate(path[:-1]).keys.get(str(path[-1]), mark)
        self.faults.append(Fault(what, mark, hint))

    def declared(self, section: str) -> list[str]:
        """The names of a section, also where their value is wrong: one fault must not give rise to others."""
        here = self.root.child(section)
        return list(here.data) if here is not None and isinstance(here.data, dict) else []

    def attempt(self, path: KeyPath, within: str, make: Callable[[], T]) -> T | None:
        """What `make` returns; the faults of an expression are noted at their characters."""
        if len(self.faults) >= MAX_FAULTS:
            return None
        try:
            return make()
        except ExpressionError as error:
            value = self.root.locate(path)
            for fault in error.faults:
                self.faults.append(Fault(f"{fault.what} in {within}", value.within(fault.span), fault.hint))
            return None

    def problem(self) -> Problem | None:
        """The problem, or None when the faults leave none."""
        self.check_names()
        constants = self.constants()
        domain = self.domain(constants)
        if domain is None:
            return None
        self.scope = Scope(domain.coordinates, tuple(self.spec.unknowns), constants, domain.time)
        terms = [*self.equations(), *self.conditions(domain), *self.data(domain)]
        closed_form = self.closed_form()
        grid, times = self.grid(domain), self.times(domain)
        # What is wrong elsewhere may be what seems to be missing.
        if not self.faults and self.form_is_right:
            self.check_whole(terms)
        if self.faults:
            return None
        return Problem(
            self.spec.title,
            domain,
            tuple(self.spec.unknowns),
            tuple(terms),
            closed_form,
            grid,
            times,
            _warnings(domain, terms),
        )

    def check_names(self) -> None:
        """Every name has one meaning."""
        taken = dict.fromkeys(WORDS, "a reserved word") | dict.fromkeys(FUNCTIONS, "a function")
        taken |= {"D": "the derivative", "laplacian": "a function"} | dict.fromkeys(NAMED_CONSTANTS, "a fixed constant")
        for section, meaning in (
            ("coordinates", "a coordinate"),
            ("unknowns", "an unknown"),
            ("constants", "a constant"),
        ):
            for i, name in enumerate(getattr(self.spec, section)):
                if name in taken:
                    path: KeyPath = (section, i if section == "unknowns" else name)
                    self.fault(
                        path,
                        f"'{name}' is already {taken[name]}",
                        "Choose another name.",
                        section != "unknowns",
                    )
                taken[name] = meaning
        if name := ambiguous_coordinate(list(self.spec.coordinates)):
            what = f"the coordinate '{name}' is made of the names of others"
            self.fault(("coordinates", name), what, "The names of derivatives could not be told apart.", True)
        taken_terms: dict[str, str] = {}
        for section in ("equations", "conditions"):
            for name in getattr(self.spec, section):
                if name in RESERVED_TERMS or name == "data":
                    self.fault((section, name), f"the name '{name}' is reserved", "Choose another name.", True)
                elif name in taken_terms:
                    what = f"'{name}' names an equation and a condition"
                    self.fault((section, name), what, "Each term of the loss has its own name.", True)
                taken_terms[name] = section
        equations = self.declared("equations")
        for name in self.spec.weights.equations:
            if name not in equations:
                hint = did_you_mean(name, equations) or f"Equations: {listed(equations)}."
                self.fault(("weights", "equations", name), f"there is no equation '{name}'", hint, True)

    def constants(self) -> dict[str, float]:
        """The values of the constants; each may use those above it."""
        values: dict[str, float] = {}
        for name in self.declared("constants"):
            value = None
            if name in self.spec.constants:
                value = self.constant(("constants", name), self.spec.constants[name], f"constant '{name}'", values)
            values[name] = 1.0 if value is None else value
        return values

    def constant(self, path: KeyPath, text: str, within: str, constants: Mapping[str, float]) -> float | None:
        """The value of a constant expression."""
        tree = self.attempt(path, within, lambda: resolve(parse(text), Scope(constants=constants)))
        return tree.value if isinstance(tree, Number) else None

    def domain(self, constants: Mapping[str, float]) -> Domain | None:
        names, lower, upper = [], [], []
        for name, texts in self.spec.coordinates.items():
            path: KeyPath = ("coordinates", name)
            bounds = [
                self.constant((*path, i), text, f"the bounds of '{name}'", constants) for i, text in enumerate(texts)
            ]
            low, high = (1.0 if bound is None else bound for bound in bounds)
            if None in bounds:
                low, high = 0.0, 1.0
            elif not low < high:
                self.fault(path, f"the lower bound of '{name}', {low:g}, is not below the upper, {high:g}")
                low, high = 0.0, 1.0
            elif high - low < 1e-12 * max(abs(low), abs(high)):
                self.fault(path, f"the range of '{name}' is too narrow for its distance from 0")
            names.append(name)
            lower.append(low)
            upper.append(high)
        return Domain(tuple(names), tuple(lower), tuple(upper)) if names else None

    def residual(self, path: KeyPath, text: str, within: str) -> Node | None:
        """The residual of an equation, which must speak of an unknown."""
        tree = self.attempt(path, within, lambda: resolve(parse_equation(text), self.scope))
        if tree is not None and not fields(tree):
            self.fault(path, f"{within} contains no unknown", f"Unknowns: {listed(self.scope.unknowns)}.")
            return None
        return tree

    def equations(self) -> list[Term]:
        region = Interior(self.spec.points.interior, self.spec.points.sampler)
        terms = []
        for name, text in self.spec.equations.items():
            residual = self.residual(("equations", name), text, f"equation '{name}'")
            if residual is not None:
                weight = self.spec.weights.equations.get(name, 1.0)
                terms.append(Term(name, "equation", (residual,), region, weight))
        return terms

    def conditions(self, domain: Domain) -> list[Term]:
        terms = []
        for name, condition in self.spec.conditions.items():
            path: KeyPath = ("conditions", name)
            residuals = [
                self.residual((*path, "equation", i), text, f"condition '{name}'")
                for i, text in enumerate(condition.equation)
            ]
            region = self.region(path, condition, domain)
            if region is not None:
                kept = tuple(residual for residual in residuals if residual is not None)
                terms.append(Term(name, "condition", kept, region, condition.weight))
        return terms

    def region(self, path: KeyPath, condition: Condition, domain: Domain) -> Region | None:
        faces: list[Face] = []
        for i, text in enumerate(condition.where):
            here = (*path, "where", i)
            if text.strip() == "boundary":
                if not domain.boundary:
                    self.fault(here, "'boundary' means the faces in space, and there is no coordinate of space")
                faces += domain.boundary
            elif (face := self.face(here, text, domain)) is not None:
                faces.append(face)
        unique = tuple(dict.fromkeys(faces))
        return OnFaces(unique, condition.points, self.spec.points.sampler) if unique else None

    def face(self, path: KeyPath, text: str, domain: Domain) -> Face | None:
        hint = f"Faces: {listed(face.name for face in domain.faces)}; or boundary."
        if text.count("=") != 1 or any(c in text for c in "<>!"):
            self.fault(path, f"{shown(text)} is not a face", did_you_mean(text, ["boundary"]) or hint)
            return None
        within = f"condition '{path[1]}'"
        both = self.attempt(path, within, lambda: sides(text))
        if both is None:
            return None
        left, right = both
        if not (isinstance(left, Symbol) and left.name in domain.coordinates):
            self.fault(path, f"{shown(text)} does not begin with a coordinate", hint)
            return None
        constants = Scope(constants=self.scope.constants)
        value = self.attempt(path, within, lambda: resolve(right, constants))
        if not isinstance(value, Number):
            return None
        face = domain.face(domain.coordinates.index(left.name), value.value)
        if face is None:
            self.fault(path, f"{shown(text)} is not a face of the domain", hint)
        return face

    def data(self, domain: Domain) -> list[Term]:
        data = self.spec.data
        if data is None:
            return []
        if (data.target is None) == (data.file is None):
            if self.form_is_right:
                hint = "As in data: {target: {u: sin(x)}, points: 300}."
                self.fault(("data",), "'data' has either a target or a file", hint, True)
            return []
        for key in ("names",) if data.file is None else ("points", "sampler"):
            if key in data.model_fields_set:
                source = "target" if data.file is None else "file"
                self.fault(("data", key), f"data with a {source} takes no '{key}'", "", True)
        return self.target(data) if data.target is not None else self.observations(data, domain)

    def target(self, data: Data) -> list[Term]:
        trees = self.functions(("data", "target"), data.target or {}, "target")
        residuals = tuple(Call("-", (self.unknown(name), tree)) for name, tree in trees.items())
        if data.points is None:
            if self.form_is_right:
                hint = "How many points is the target sampled at?"
                self.fault(("data",), "'data' lacks the key 'points'", hint, True)
            return []
        region = Interior(data.points, data.sampler or self.spec.points.sampler)
        return [Term("data", "data", residuals, region, data.weight)]

    def functions(self, path: KeyPath, texts: Mapping[str, str], what: str) -> dict[str, Node]:
        """Expressions in the coordinates alone, by unknown."""
        trees = {}
        for name, text in texts.items():
            here, within = (*path, name), f"the {what} of '{name}'"
            tree = self.attempt(here, within, lambda text=text: resolve(parse(text), self.scope))  # type: ignore[misc]
            if name not in self.scope.unknowns:
                self.not_unknown(here, name)
            elif tree is not None and fields(tree):
                self.fault(here, f"{within} contains an unknown", f"A {what} is a function of the coordinates.")
            elif tree is not None:
                trees[name] = tree
        return trees

    def check_file_names(self, path: KeyPath, names: Mapping[str, str]) -> None:
        """The key `names` speaks of what the file is read for."""
        wanted = [*self.scope.coordinates, *self.scope.unknowns]
        for name in names:
            if name not in wanted:
                hint = did_you_mean(name, wanted) or f"Coordinates and unknowns: {listed(wanted)}."
                self.fault((*path, name), f"'{name}' is neither a coordinate nor an unknown", hint, True)

    def observations(self, data: Data, domain: Domain) -> list[Term]:
        self.check_file_names(("data", "names"), data.names)
        try:
            rows = as_rows(
                read_table(self.folder / str(data.file), domain.coordinates, self.scope.unknowns, data.names)
            )
        except TableError as error:
            self.fault(("data", "file"), str(error))
            return []
        # Files may hold coordinates in single precision.
        size = np.maximum(np.abs(domain.lower), np.abs(domain.upper)) + np.subtract(domain.upper, domain.lower)
        points = np.clip(rows.points, domain.lower, domain.upper)
        outside = np.any(np.abs(points - rows.points) > 1e-6 * size, axis=1)
        if outside.any():
            what = f"{outside.sum()} of {len(outside)} points of {data.file} lie outside the domain"
            self.fault(("data", "file"), what)
        symbols = {f"{OBSERVED}{name}": value for name, value in rows.fields.items()}
        residuals = tuple(Call("-", (self.unknown(name), Symbol(f"{OBSERVED}{name}"))) for name in rows.fields)
        return [
            Term(
                "data",
                "data",
                residuals,
                Observed(PointSet(points, symbols), str(data.file)),
                data.weight,
            )
        ]

    def unknown(self, name: str) -> Field:
        return Field(name, (0,) * len(self.scope.coordinates))

    def not_unknown(self, path: KeyPath, name: str) -> None:
        hint = did_you_mean(name, self.scope.unknowns) or f"Unknowns: {listed(self.scope.unknowns)}."
        self.fault(path, f"'{name}' is not an unknown", hint, True)

    def closed_form(self) -> dict[str, Node] | None:
        """The exact solution, where the spec states one; the fields of `reference` must fit its kind."""
        reference = self.spec.reference
        for key, kind in (("exact", "exact"), ("file", "file"), ("names", "file")):
            given, named = key in reference.model_fields_set, reference.kind == kind
            if given and not named:
                self.fault(("reference", key), f"the reference '{reference.kind}' takes no '{key}'", "", True)
            elif named and not given and key == kind and self.form_is_right:
                hint = (
                    "As in reference: {exact: {u: sin(pi*x)}}." if key == "exact" else "As in reference: {file: u.npz}."
                )
                self.fault(("reference",), f"the reference '{key}' lacks the key '{key}'", hint, True)
        if reference.kind == "file":
            self.check_file_names(("reference", "names"), reference.names)
        if reference.exact is None or reference.kind != "exact":
            return None
        trees = self.functions(("reference", "exact"), reference.exact, "reference")
        written = self.root.locate(("reference", "exact")).data
        for name in self.scope.unknowns:
            if name not in written:
                self.fault(("reference", "exact"), f"the reference lacks the unknown '{name}'", "", True)
        return trees

    def grid(self, domain: Domain) -> tuple[Array, ...]:
        sizes = self.spec.evaluation.grid
        for name in sizes:
            if name not in domain.coordinates:
                hint = f"Coordinates: {listed(domain.coordinates)}."
                self.fault(("evaluation", "grid", name), f"'{name}' is not a coordinate", hint, True)
        default = _DEFAULT_GRID.get(domain.dimension, 11)
        chosen = tuple(sizes.get(name, default) for name in domain.coordinates)
        if math.prod(chosen) > MAX_GRID_POINTS:
            what = f"the evaluation grid has {math.prod(chosen):,} points"
            self.fault(("evaluation", "grid"), what, f"The limit is {MAX_GRID_POINTS:,}.", True)
            return ()
        return domain.grid(chosen)

    def times(self, domain: Domain) -> tuple[float, ...]:
        axis, given = domain.time_axis, self.spec.evaluation.times
        if axis is None:
            if given:
                what = "'times' needs a coordinate named 't'"
                self.fault(("evaluation", "times"), what, f"Coordinates: {listed(domain.coordinates)}.", True)
            return ()
        lower, upper = domain.lower[axis], domain.upper[axis]
        for i, time in enumerate(given):
            if not lower <= time <= upper:
                what = f"the time {time:g} lies outside [{lower:g}, {upper:g}]"
                self.fault(("evaluation", "times", i), what)
        return tuple(given) or tuple(lower + (upper - lower) * share for share in (0.25, 0.5, 0.75))

    def check_whole(self, terms: list[Term]) -> None:
        """The terms together determine something."""
        if not any(term.kind in ("equation", "data") for term in terms):
            what = "a spec has 'equations' or 'data', and this one has neither"
            self.faults.append(Fault(what, self.root.mark, "As in equations: {heat: u_t = u_xx}."))
        for i, name in enumerate(self.spec.unknowns):
            if not any(field.unknown == name for term in terms for field in term.fields):
                self.fault(("unknowns", i), f"no equation, condition or data speaks of the unknown '{name}'")

    def check_choices(self, choices: Choices) -> None:
        """Keys that name a row of a table name one that exists."""
        for pattern, names in choices.items():
            for path in self._matching(pattern):
                value = self.root.locate(path)
                word = value.data
                if isinstance(word, str) and word not in names:
                    key = next(str(step) for step in reversed(path) if isinstance(step, str) and step != "kind")
                    hint = did_you_mean(word, names) or f"Choices: {listed(names)}."
                    self.faults.append(Fault(f"{shown(word)} is not a choice for '{key}'", value.mark, hint))

    def _matching(self, pattern: KeyPath) -> list[KeyPath]:
        """The paths of the spec text that fit a pattern; a trailing `kind` may be left out in the text."""
        paths: list[KeyPath] = [()]
        for depth, step in enumerate(pattern):
            following: list[KeyPath] = []
            for path in paths:
                here = self.root.locate(path) if path else self.root
                if step == "*":
                    following += [(*path, i) for i in range(len(here.data))] if isinstance(here.data, list) else []
                elif here.child(step) is not None:
                    following.append((*path, step))
                elif step == "kind" and depth == len(pattern) - 1 and not isinstance(here.data, dict):
                    following.append(path)
            paths = following
        return paths


def _warnings(domain: Domain, terms: list[Term]) -> tuple[str, ...]:
    """Sentences on coordinates along which the equations differentiate and no condition stands."""
    if any(term.kind == "data" for term in terms):
        return ()
    orders = [field.orders for term in terms if term.kind == "equation" for field in term.fields]
    held = {(face.axis, face.upper) for term in terms if isinstance(term.region, OnFaces) for face in term.region.faces}
    warnings = []
    for axis, name in enumerate(domain.coordinates):
        order = max((o[axis] for o in orders), default=0)
        if axis == domain.time_axis:
            if order and (axis, False) not in held:
                warnings.append(f"No condition stands at the start, {name} = {domain.lower[axis]:g}.")
        elif order >= 2 and not {(axis, False), (axis, True)} & held:
            warnings.append(f"No condition stands on the faces of {name}.")
    return tuple(warnings)
