"""Independent solutions to compare with: none of this imports torch or the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from laaf_cli.expression import ExpressionError
from laaf_cli.problem import Problem, carried_kinks
from laaf_cli.references.closed_form import ClosedForm
from laaf_cli.references.hopf_cole import HopfCole
from laaf_cli.references.reference import (
    UNWATCHED,
    Reference,
    ReferenceRefusedError,
    ReferenceValues,
    Watch,
)
from laaf_cli.references.shapes.derivation import has_pressure
from laaf_cli.references.shapes.finite_elements import FiniteElements, NotInstalledError
from laaf_cli.references.shapes.on_shape import OnShape
from laaf_cli.references.spectral import make_spectral
from laaf_cli.references.tabulated import Tabulated
from laaf_cli.spec import ReferenceSpec as ReferenceSpec

MakeReference = Callable[[Problem, ReferenceSpec, Path], Reference]


@dataclass(frozen=True, kw_only=True)
class ReferenceKind:
    """A row of the table."""

    make: MakeReference
    """A problem, its spec and the spec's folder → the reference; raises ReferenceRefusedError, with
    the reason, for a problem that it does not apply to.
    """
    meaning: str
    priority: int | None = None
    """The place among the rows that `auto` tries, from low to high; None: it must be named."""
    comes_first: Callable[[Problem], bool] = lambda _problem: False
    """Whether `auto` tries it before all others."""
    needs_constants: bool = True
    """Whether it needs the true values of learned constants."""


REFERENCES: dict[str, ReferenceKind] = {
    "spectral": ReferenceKind(
        make=lambda problem, _spec, _folder: make_spectral(problem),
        meaning="the equations of the spec themselves, solved by collocation; twice, the "
        "difference being the error",
        priority=0,
    ),
    "finite-elements": ReferenceKind(
        make=lambda problem, _spec, _folder: FiniteElements(problem),
        meaning="the same in two or three coordinates of space, on shapes too, by finite elements",
        priority=1,
        comes_first=has_pressure,
    ),
    "hopf-cole": ReferenceKind(
        make=lambda problem, _spec, _folder: HopfCole(problem),
        meaning="Burgers' equation with constant viscosity between walls with u = 0",
    ),
    "exact": ReferenceKind(
        make=lambda problem, _spec, _folder: ClosedForm(problem),
        meaning="a closed form: `{exact: {u: …}}`",
        needs_constants=False,
    ),
    "file": ReferenceKind(
        make=lambda problem, spec, folder: Tabulated(
            problem, folder / str(spec.file), spec.names, spec.columns
        ),
        meaning="values in a file: `{file: FILE}`",
        needs_constants=False,
    ),
}

NO_REFERENCE = "none"

SMOOTH = 2
"""The order of derivatives from which on a jump that is carried along may be resolved."""

IN_SPACE = 3
"""Coordinates of space from which on the last row, not the first, says why none applies."""

AUTO = "auto"
"""Asks for the first reference with a priority that applies, and for none where none does."""


def make_reference(problem: Problem, spec: ReferenceSpec, folder: Path) -> Reference | None:
    """The reference that a spec names, or None for `none`; the first that applies for `auto`.

    Args:
        folder: what relative paths of the spec are relative to.

    Raises:
        ReferenceRefusedError: the reference does not apply to the problem, with the reason; of
            `auto`, that of the first row, of the last on a shape or in space, or of one that only
            lacks what is not installed.
    """
    if spec.kind == NO_REFERENCE:
        return None
    known, unknown_constants = problem, ""
    try:
        known = problem.at_truth()
    except KeyError as error:
        unknown_constants = f"the true value of '{error.args[0]}' is not known"
    except ExpressionError as error:
        unknown_constants = (
            "with the true values of the learned constants it cannot be written "
            f"out: {error.faults[0].what}"
        )
    lines = [line for along in carried_kinks(known).values() for line in along]
    if spec.kind == AUTO and any(order < SMOOTH for _, order, _ in lines):
        raise ReferenceRefusedError(
            "what it begins with has jumps or bends, which are carried along and never smoothed"
        )
    refusals = []
    for row in _ranked(known) if spec.kind == AUTO else [REFERENCES[spec.kind]]:
        try:
            if unknown_constants and row.needs_constants:
                raise ReferenceRefusedError(unknown_constants)
            reference = row.make(known, spec, folder)
            if problem.domain.shape is not None:
                reference = OnShape(reference, problem.domain)
            reference.check(problem.domain)
        except ReferenceRefusedError as refusal:
            refusals.append(refusal)
        except ExpressionError as error:
            why = f"the derivatives of the equations cannot be formed: {error.faults[0].what}"
            refusals.append(ReferenceRefusedError(why))
        else:
            return reference
    missing = [refusal for refusal in refusals if isinstance(refusal, NotInstalledError)]
    is_plain = problem.domain.shape is None and len(problem.domain.space) < IN_SPACE
    raise missing[0] if missing else refusals[0 if is_plain else -1]


def _ranked(problem: Problem) -> list[ReferenceKind]:
    """The rows that `auto` tries, in order."""
    ranked = [
        (not row.comes_first(problem), row.priority, row)
        for row in REFERENCES.values()
        if row.priority is not None
    ]
    return [row for *_, row in sorted(ranked, key=itemgetter(0, 1))]
