"""What all readers of a spec's sections share: the names in scope, and the faults found so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from laaf_cli.errors import Fault, did_you_mean, listed
from laaf_cli.expression import (
    ExpressionError,
    Field,
    Node,
    Number,
    Scope,
    fields,
    functions,
    parse,
    parse_comparison,
    parse_equation,
    resolve,
    symbols,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.problem.domain import Array, Domain
from laaf_cli.problem.regions import Part
from laaf_cli.problem.tables import Rows, TableError, as_rows, read_table
from laaf_cli.spec import MAX_FAULTS, KeyPath, LoadedSpec, RunSpec

T = TypeVar("T")


class Reader:
    """Collects faults while sections are read; a part that is wrong is left out and the rest is still checked.

    scope: what names mean in the equations. known: the same for functions of the coordinates alone, with learned
    constants at their true values. domain: the box, once it is known.
    """

    def __init__(self, loaded: LoadedSpec, spec: RunSpec) -> None:
        self.root = loaded.root
        self.folder = Path(loaded.text.name).parent
        self.faults: list[Fault] = []
        self.form_is_right = not loaded.faults
        self.spec = spec
        self.scope = Scope()
        self.known = Scope()
        self.domain = Domain((), (), ())

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

    def constant(self, path: KeyPath, text: str, within: str, constants: Mapping[str, float]) -> float | None:
        """The value of a constant expression."""
        tree = self.attempt(path, within, lambda: resolve(parse(text), Scope(constants=constants)))
        return tree.value if isinstance(tree, Number) else None

    def residual(self, path: KeyPath, text: str, within: str, scope: Scope | None = None) -> Node | None:
        """The residual of an equation, which must speak of an unknown."""
        chosen = scope or self.scope
        tree = self.attempt(path, within, lambda: resolve(parse_equation(text), chosen))
        if tree is not None and not fields(tree):
            self.fault(path, f"{within} contains no unknown", f"Unknowns: {listed(self.scope.unknowns)}.")
            return None
        return tree

    def function(self, path: KeyPath, text: str, within: str, kind: str) -> Node | None:
        """An expression in the coordinates alone; kind: what the message calls it."""
        tree = self.attempt(path, within, lambda: resolve(parse(text), self.known))
        if tree is None:
            return None
        if fields(tree):
            self.fault(path, f"{within} contains an unknown", f"A {kind} is a function of the coordinates.")
            return None
        return tree if self.is_of_coordinates(path, tree, within) else None

    def is_of_coordinates(self, path: KeyPath, tree: Node, within: str) -> bool:
        """Whether a tree has values without training and without Python functions; notes a fault where not."""
        if learned := symbols(tree) - set(self.scope.coordinates):
            self.fault(path, f"{within} contains '{min(learned)}', which is learned", "Give its 'truth'.")
            return False
        if called := functions(tree) - TABLE.keys():
            self.fault(path, f"{within} calls '{min(called)}', a Python function", "Only equations call those.")
            return False
        return True

    def functions(self, path: KeyPath, texts: Mapping[str, str], what: str) -> dict[str, Node]:
        """Expressions in the coordinates alone, by unknown."""
        trees = {}
        for name, text in texts.items():
            here = (*path, name)
            if name not in self.scope.unknowns:
                self.not_unknown(here, name)
            elif (tree := self.function(here, text, f"the {what} of '{name}'", what)) is not None:
                trees[name] = tree
        return trees

    def part(self, path: KeyPath, text: str, within: str) -> Part | None:
        """A comparison in the coordinates."""
        coordinates = replace(self.known, unknowns=(), symbols={}, functions={})
        tree = self.attempt(path, within, lambda: resolve(parse_comparison(text), coordinates))
        return None if tree is None else Part(tree, text.strip())

    def unknown(self, name: str) -> Field:
        """The unknown itself, underived."""
        return Field(name, (0,) * len(self.scope.coordinates))

    def not_unknown(self, path: KeyPath, name: str) -> None:
        hint = did_you_mean(name, self.scope.unknowns) or f"Unknowns: {listed(self.scope.unknowns)}."
        self.fault(path, f"'{name}' is not an unknown", hint, True)

    def rows(self, path: KeyPath, file: str, names: Mapping[str, str], columns: tuple[str, ...]) -> Rows | None:
        """Points of the domain and columns [n_rows] of a file; what does not fit is noted at `path`."""
        try:
            rows = as_rows(read_table(self.folder / file, self.domain.coordinates, columns, names))
        except TableError as error:
            self.fault(path, str(error))
            return None
        return Rows(self.inside(path, file, rows.points), rows.fields)

    def inside(self, path: KeyPath, file: str, points: Array) -> Array:
        """Points moved into the domain where only their rounding lies outside."""
        domain = self.domain
        # Files may hold coordinates in single precision.
        size = np.maximum(np.abs(domain.lower), np.abs(domain.upper)) + np.subtract(domain.upper, domain.lower)
        moved = np.clip(points, domain.lower, domain.upper)
        outside = np.any(np.abs(moved - points) > 1e-6 * size, axis=1)
        if outside.any():
            self.fault(path, f"{outside.sum()} of {len(outside)} points of {file} lie outside the domain")
        return moved

    def check_file_names(self, path: KeyPath, names: Mapping[str, str], wanted: tuple[str, ...]) -> None:
        """The key `names` speaks of what the file is read for."""
        for name in names:
            if name not in wanted:
                hint = did_you_mean(name, wanted) or f"Coordinates and unknowns: {listed(wanted)}."
                self.fault((*path, name), f"'{name}' is neither a coordinate nor an unknown", hint, True)
