"""The one error of the expression language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from laaf_cli.expression.tree import Span


@dataclass(frozen=True)
class ExpressionFault:
    """What is wrong with the characters `span` of an expression, and how to mend it."""

    what: str
    span: Span
    hint: str = ""


class ExpressionError(Exception):
    """An expression is wrong; carries every fault that was found in it."""

    def __init__(self, faults: Iterable[ExpressionFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.what for fault in self.faults))


class TooLargeError(ExpressionError):
    """An expression outgrows its bounds: to look for further faults could take long."""


def fault(what: str, span: Span, hint: str = "") -> ExpressionError:
    """An `ExpressionError` with a single fault."""
    return ExpressionError([ExpressionFault(what, span, hint)])
