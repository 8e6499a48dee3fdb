"""What all readers of a spec's sections share: the names in scope, and the faults found so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from laaf_cli.errors import Fault
from laaf_cli.expression import (
    ExpressionError,
    ExpressionFault,
    Field,
    Node,
    Number,
    Scope,
    Symbol,
    TooLargeError,
    fields,
    functions,
    nodes,
    parse,
    parse_comparison,
    parse_equation,
    resolve,
)
from laaf_cli.expression.functions import TABLE
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.jumps import lost_jumps
from laaf_cli.problem.rejection import Subset
from laaf_cli.problem.samplers import SAMPLERS
from laaf_cli.problem.tables import Rows, TableError, read_rows
from laaf_cli.spec import (
    MAX_FAULTS,
    ConditionSpec,
    DataSpec,
    KeyPath,
    LoadedSpec,
    PointsSpec,
    RunSpec,
)
from laaf_cli.text import did_you_mean, listed, shown

T = TypeVar("T")


class Reader:
    """Collects faults while sections are read; a part that is wrong is left out and the rest is
    still checked.

    Attributes:
        scope: what names mean in the equations.
        known: the same for functions of the coordinates alone, with learned constants at their true
            values.
        domain: the box, once it is known.
        warnings: sentences on what is read.
        left: why conditions are left to training, where the form of the solution is derived from
            them.
        place: what is being read, where that can take long.
    """

    def __init__(self, loaded: LoadedSpec[RunSpec], spec: RunSpec) -> None:
        self.root = loaded.root
        self.folder = Path(loaded.text.name).parent
        self.faults: list[Fault] = []
        self.warnings: list[str] = []
        self.left: dict[str, str] | None = None
        self.form_is_right = not loaded.faults
        self.place: KeyPath = ()
        self.spec = spec
        self.scope = Scope()
        self.known = Scope()
        self.domain = Domain(coordinates=(), lower=(), upper=())

    @property
    def has_own_form(self) -> bool:
        """Whether the user wrote a transform, which may hold what no condition says."""
        return bool(self.spec.forms) and self.left is None

    @cached_property
    def derivatives(self) -> frozenset[Field]:
        """The unknowns and derivatives in the equations, as far as those are right."""
        derivatives: frozenset[Field] = frozenset()
        for text in self.spec.equations.values():
            with suppress(ExpressionError):  # reported where the equations are read
                derivatives |= fields(resolve(parse_equation(text), self.scope))
        return derivatives

    def fault(self, path: KeyPath, what: str, hint: str = "", key: bool = False) -> None:
        """Notes a fault at a value, or at its key, unless there are very many."""
        if len(self.faults) >= MAX_FAULTS:
            return
        mark = self.root.locate(path).mark
        if key:
            mark = self.root.locate(path[:-1]).keys.get(str(path[-1]), mark)
        self.faults.append(Fault(what, mark, hint))

    def written_keys(self, path: KeyPath, part: ConditionSpec | DataSpec) -> set[str]:
        """The keys that a mapping has; notes a fault at one that holds nothing."""
        for key in sorted(part.model_fields_set):
            if getattr(part, key) is None:
                hint = "Write a value, or leave the key out."
                self.fault((*path, key), f"'{key}' is empty", hint)
        return {key for key in part.model_fields_set if getattr(part, key) is not None}

    def declared(self, section: str) -> list[str]:
        """The names of a section, also where their value is wrong: one fault must not give rise
        to others.
        """
        here = self.root.child(section)
        return list(here.data) if here is not None and isinstance(here.data, dict) else []

    def attempt(self, path: KeyPath, within: str, make: Callable[[], T]) -> T | None:
        """What `make` returns; the faults of an expression are noted at their characters.

        Raises:
            TooLargeError: again, for to look for further faults could take long.
        """
        if len(self.faults) >= MAX_FAULTS:
            return None
        self.place = path
        try:
            return make()
        except ExpressionError as error:
            value = self.root.locate(path)
            self.faults += [
                Fault(f"{fault.what} in {within}", value.within(fault.span), fault.hint)
                for fault in error.faults
            ]
            if isinstance(error, TooLargeError):
                raise
            return None

    def constant(
        self, path: KeyPath, text: str, within: str, constants: Mapping[str, float]
    ) -> float | None:
        """The value of a constant expression."""
        scope = Scope(constants=constants)
        tree = self.attempt(
            path, within, lambda: resolve(self.without_learned(parse(text), scope), scope)
        )
        return tree.value if isinstance(tree, Number) else None

    def without_learned(self, tree: Node, scope: Scope) -> Node:
        """The tree, in which without learned constants.

        Raises:
            ExpressionError: one does.
        """
        why = "is learned and has no value before training"
        names = set(self.declared("learn")) - set(scope.words)
        learned = [
            ExpressionFault(f"'{node.name}' {why}", node.span, "Write a number.")
            for node in nodes(tree)
            if isinstance(node, Symbol) and node.name in names
        ]
        if learned:
            raise ExpressionError(learned)
        return tree

    def residual(
        self, path: KeyPath, text: str, within: str, scope: Scope | None = None
    ) -> Node | None:
        """The residual of an equation, which must speak of an unknown."""
        chosen = scope or self.scope
        tree = self.attempt(path, within, lambda: resolve(parse_equation(text), chosen))
        if tree is None:
            return None
        if not fields(tree):
            hint = f"Unknowns: {listed(self.scope.unknowns)}."
            self.fault(path, f"{within} contains no unknown", hint)
            return None
        if path[0] != "equations":
            for lost in lost_jumps(parse_equation(text), chosen, self.domain):
                self.not_differentiable(path, lost.function, within)
        return tree

    def not_differentiable(self, path: KeyPath, function: str, within: str) -> None:
        """Notes at a key that a jump of a function disappears in a derivative."""
        what = f"the jump of '{function}' in {within} is lost when it is differentiated"
        hint = (
            "Make what is differentiated, as a flux, an unknown q of its own, with an equation "
            "such as q = k*u_x, and write q_x."
        )
        self.fault(path, what, hint)

    def residuals(self, condition: str, texts: Sequence[str], scope: Scope) -> tuple[Node, ...]:
        """The residuals of a condition's equations."""
        path: KeyPath = ("conditions", condition, "equation")
        is_list = isinstance(self.root.locate(path).data, list)
        residuals = [
            self.residual((*path, i) if is_list else path, text, f"condition '{condition}'", scope)
            for i, text in enumerate(texts)
        ]
        return tuple(residual for residual in residuals if residual is not None)

    def function(self, path: KeyPath, text: str, within: str, kind: str) -> Node | None:
        """An expression in the coordinates alone.

        Args:
            kind: what the message calls it.
        """
        tree = self.attempt(path, within, lambda: resolve(parse(text), self.known))
        if tree is None:
            return None
        if fields(tree):
            hint = f"A {kind} is a function of the coordinates."
            self.fault(path, f"{within} contains an unknown", hint)
            return None
        return tree if self.is_of_coordinates(path, tree, within) else None

    def is_of_coordinates(
        self, path: KeyPath, tree: Node, within: str, hint: str = "Give its 'truth'."
    ) -> bool:
        """Whether a tree has values without training and without Python functions; notes a fault
        where not.

        Args:
            hint: how to mend a learned constant.
        """
        value = self.root.locate(path)
        for node in nodes(tree):
            if isinstance(node, Symbol) and node.name not in self.scope.coordinates:
                what = f"{within} contains '{node.name}', which is learned"
                self.faults.append(Fault(what, value.within(node.span), hint))
                return False
        if called := functions(tree) - TABLE.keys():
            what = f"{within} calls '{min(called)}', a Python function"
            self.fault(path, what, "Only equations call those.")
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

    def sampler(self, named: str | None = None) -> str:
        """The sampler that is named, else that of the points; the default in place of one that
        does not exist.
        """
        name = named or self.spec.points.sampler
        return name if name in SAMPLERS else str(PointsSpec.model_fields["sampler"].default)

    def part(self, path: KeyPath, text: str, within: str) -> Subset | None:
        """A comparison in the coordinates."""
        scope = replace(self.scope, unknowns=(), symbols={}, functions={})
        tree = self.attempt(
            path,
            within,
            lambda: resolve(self.without_learned(parse_comparison(text), scope), scope),
        )
        return None if tree is None else Subset(tree, text.strip())

    def unknown(self, name: str) -> Field:
        """The unknown itself, underived."""
        return Field(name, (0,) * len(self.scope.coordinates))

    def not_unknown(self, path: KeyPath, name: str) -> None:
        """Notes at a key that this name is not one of the unknowns."""
        unknowns = self.scope.unknowns
        hint = did_you_mean(name, unknowns) or f"Unknowns: {listed(unknowns)}."
        self.fault(path, f"'{name}' is not an unknown", hint, True)

    def rows(
        self,
        path: KeyPath,
        spec: ConditionSpec | DataSpec,
        wanted: tuple[str, ...],
        wanted_at: Mapping[str, KeyPath] | None = None,
    ) -> Rows | None:
        """Points of the domain and columns [n_rows] of the file named at `path`, with the keys
        beside it; what does not fit is noted there.

        Args:
            wanted: the columns.
            wanted_at: where the spec asks for one; a fault points there if the file lacks it.
        """
        file, names = str(getattr(spec, str(path[-1]))), spec.names
        coordinates, lower, upper = self.domain.coordinates, self.domain.lower, self.domain.upper
        try:
            rows = read_rows(self.folder / file, coordinates, wanted, names, spec.columns)
        except TableError as error:
            asked = {names.get(name, name): place for name, place in (wanted_at or {}).items()}
            self.fault(asked.get(error.name or "", path), str(error))
            return None
        # Files may hold coordinates in single precision: their rounding is moved inside.
        size = np.maximum(np.abs(lower), np.abs(upper)) + np.subtract(upper, lower)
        moved = np.clip(rows.points, lower, upper)
        is_outside = np.abs(moved - rows.points) > 1e-6 * size
        for i in np.flatnonzero(is_outside.any(axis=0)):
            name, values, of_rows = coordinates[i], rows.points[:, i], is_outside[:, i]
            first = int(np.argmax(of_rows))
            self.fault(
                path,
                f"{of_rows.sum()} of {len(values)} points of {file} lie outside the domain in "
                f"'{name}', the first at {rows.place(first)}: {name} = {values[first]:.6g}",
                f"In the file {name} is from {values.min():.6g} to {values.max():.6g}, in the "
                f"domain from {lower[i]:.6g} to {upper[i]:.6g}.",
            )
        if (shape := self.domain.shape) is not None and not is_outside.any():
            off = ~self.domain.inside(moved)
            if off.any():
                first = int(np.argmax(off))
                place = ", ".join(
                    f"{name} = {value:.6g}"
                    for name, value in zip(coordinates, moved[first], strict=True)
                )
                what = f"{off.sum()} of {len(off)} points of {file} lie outside the shape"
                what += f" {shown(shape.text)}, the first at {rows.place(first)}: {place}"
                self.fault(path, what)
        return replace(rows, points=moved)

    def check_file_names(
        self, path: KeyPath, names: Mapping[str, str], wanted: tuple[str, ...]
    ) -> None:
        """The key `names` speaks of what the file is read for."""
        for name in names:
            if name not in wanted:
                hint = did_you_mean(name, wanted) or f"What is read: {listed(wanted)}."
                self.fault((*path, name), f"'{name}' is not read from the file", hint, True)
