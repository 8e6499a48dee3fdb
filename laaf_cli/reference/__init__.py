"""Independent solutions to compare with: none of this imports torch or the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.expression import ExpressionError
from laaf_cli.problem import Problem
from laaf_cli.reference.closed_form import ClosedForm
from laaf_cli.reference.hopf_cole import HopfCole
from laaf_cli.reference.reference import Reference, ReferenceRefusedError, ReferenceValues
from laaf_cli.reference.spectral import make_spectral
from laaf_cli.reference.tabulated import Tabulated
from laaf_cli.spec import Reference as ReferenceSpec

MakeReference = Callable[[Problem, ReferenceSpec, Path], Reference]


@dataclass(frozen=True)
class ReferenceKind:
    """A row of the table: how a reference is made from a problem, its spec and the spec's
    folder.
    """

    make: MakeReference
    meaning: str


REFERENCES: dict[str, ReferenceKind] = {
    "spectral": ReferenceKind(
        lambda problem, _spec, _folder: make_spectral(problem),
        (
            "the equations of the spec themselves, solved by collocation; twice, the difference "
            "being the error"
        ),
    ),
    "hopf-cole": ReferenceKind(
        lambda problem, _spec, _folder: HopfCole(problem),
        "Burgers' equation with constant viscosity between walls with u = 0",
    ),
    "exact": ReferenceKind(
        lambda problem, _spec, _folder: ClosedForm(problem), "a closed form, as `{exact: {u: …}}`"
    ),
    "file": ReferenceKind(
        lambda problem, spec, folder: Tabulated(problem, folder / str(spec.file), spec.names),
        "values in a file, as `{file: FILE}`",
    ),
}

NO_REFERENCE = "none"

AUTO = "auto"
"""Asks for the spectral reference where the problem has a form that it knows, and for none
elsewhere.
"""


def make_reference(problem: Problem, spec: ReferenceSpec, folder: Path) -> Reference | None:
    """The reference that a spec names, or None for `none`; the spectral one for `auto`.

    folder: what relative paths of the spec are relative to. Raises ReferenceRefusedError, with the
    reason, where the reference does not apply to the problem.
    """
    if spec.kind == NO_REFERENCE:
        return None
    try:
        known = problem.at_truth()
    except (KeyError, ExpressionError) as error:
        # What is known of the unknowns themselves needs no constants.
        if spec.kind not in ("exact", "file"):
            why = f"the true value of '{error.args[0]}' is not known"
            if isinstance(error, ExpressionError):
                why = (
                    "with the true values of the learned constants it cannot be written "
                    f"out: {error.faults[0].what}"
                )
            raise ReferenceRefusedError(why) from None
        known = problem
    reference = REFERENCES["spectral" if spec.kind == AUTO else spec.kind].make(known, spec, folder)
    reference.check(problem.domain)
    return reference
