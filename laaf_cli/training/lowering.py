"""Residuals as training evaluates them: what is linear in derivatives as operators, what never
changes as symbols.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from laaf_cli.derivatives import Operator
from laaf_cli.expression import (
    Call,
    ExpressionError,
    Field,
    Node,
    fields,
    hoist,
    linear_coefficients,
    without,
)
from laaf_cli.multi_index import Orders, lower_set
from laaf_cli.problem import Term


@dataclass(frozen=True, kw_only=True)
class LoweredResiduals:
    """The residuals of terms that share their points."""

    fields: frozenset[Field]
    """Derivatives that the residuals need of the network."""
    operators: tuple[Operator, ...]
    """Operators that they need of it."""
    coefficients: Mapping[str, tuple[Node, ...]]
    """Coefficients of the operators, as trees by name and in their orders."""
    residuals: Mapping[str, tuple[Node, ...]]
    """By term, trees in fields, symbols and the values of operators."""
    parts: Mapping[str, Node]
    """The trees of symbols."""


def lower(terms: Sequence[Term], varying: Collection[str]) -> LoweredResiduals:
    """The residuals of terms; with operators where these need fewer streams than single
    derivatives.

    Args:
        varying: symbols that training changes.
    """
    trees = {term.name: tuple(term.residuals) for term in terms}
    plain = _Collector(trees, varying, collected=False)
    combined = _Collector(trees, varying, collected=True)
    best = min((plain, combined), key=lambda collector: collector.n_streams)
    residuals, parts = {}, {}
    for name, rest in best.trees.items():
        lowered = []
        for i, tree in enumerate(rest):
            residual, constant = hoist(tree, f"{name} {i}", varying)
            lowered.append(residual)
            parts.update(constant)
        residuals[name] = tuple(lowered)
    return LoweredResiduals(
        fields=best.fields,
        operators=tuple(best.operators),
        coefficients=best.coefficients,
        residuals=residuals,
        parts=parts,
    )


class _Collector:
    """Residuals, their operators taken out where `collected`."""

    def __init__(
        self, trees: Mapping[str, Sequence[Node]], varying: Collection[str], *, collected: bool
    ) -> None:
        self.operators: list[Operator] = []
        self.coefficients: dict[str, tuple[Node, ...]] = {}
        self.varying = varying
        self.trees = {
            name: tuple(self._collect(tree) if collected else tree for tree in residuals)
            for name, residuals in trees.items()
        }
        all_fields = frozenset().union(
            *(fields(tree) for residuals in self.trees.values() for tree in residuals)
        )
        self.fields = all_fields - {operator.value for operator in self.operators}

    @property
    def n_streams(self) -> int:
        """Of a pass that carries each operator as one stream, beside the derivatives that its
        chain rule needs.
        """
        needed = [below for operator in self.operators for below in operator.below]
        needed += [field.orders for field in self.fields]
        return len(lower_set(needed)) + len(self.coefficients)

    def _collect(self, tree: Node) -> Node:
        linear = linear_coefficients(tree, self.varying)
        for unknown in sorted({field.unknown for field in linear if sum(field.orders) > 1}):
            coefficients = {field: c for field, c in linear.items() if field.unknown == unknown}
            with suppress(ExpressionError):
                tree = Call(
                    "+", (without(tree, coefficients), self._operator(unknown, coefficients).value)
                )
        return tree

    def _operator(self, unknown: str, linear: Mapping[Field, Node]) -> Operator:
        orders: tuple[Orders, ...] = tuple(field.orders for field in linear)
        trees = tuple(linear.values())
        same = [
            known.coefficients
            for known in self.operators
            if known.orders == orders and self.coefficients[known.coefficients] == trees
        ]
        # No name in a spec holds a space, so these cannot be confused with one.
        name = same[0] if same else f"coefficients {len(self.coefficients)}"
        self.coefficients[name] = trees
        for known in self.operators:
            if (known.unknown, known.coefficients) == (unknown, name):
                return known
        operator = Operator(
            value=Field(f"operator {len(self.operators)}", ()),
            unknown=unknown,
            orders=orders,
            coefficients=name,
        )
        self.operators.append(operator)
        return operator
