"""Independent solutions to compare with: none of this imports torch or the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from laaf_cli.problem import Problem
from laaf_cli.reference.closed_form import ClosedForm
from laaf_cli.reference.hopf_cole import HopfCole
from laaf_cli.reference.reference import Reference, ReferenceRefusedError, ReferenceValues
from laaf_cli.reference.tabulated import Tabulated
from laaf_cli.spec import Reference as ReferenceSpec

MakeReference = Callable[[Problem, ReferenceSpec, Path], Reference]


@dataclass(frozen=True)
class ReferenceKind:
    """A row of the table: how a reference is made from a problem, its spec and the spec's folder."""

    make: MakeReference
    meaning: str


REFERENCES: dict[str, ReferenceKind] = {
    "hopf-cole": ReferenceKind(
        lambda problem, _spec, _folder: HopfCole(problem),
        "Burgers' equation with constant viscosity between walls with u = 0",
    ),
    "exact": ReferenceKind(lambda problem, _spec, _folder: ClosedForm(problem), "a closed form, as `{exact: {u: …}}`"),
    "file": ReferenceKind(
        lambda problem, spec, folder: Tabulated(problem, folder / str(spec.file), spec.names),
        "values in a file, as `{file: FILE}`",
    ),
}

NO_REFERENCE = "none"


def make_reference(problem: Problem, spec: ReferenceSpec, folder: Path) -> Reference | None:
    """The reference that a spec names, or None for `none`.

    folder: what relative paths of the spec are relative to.
    Raises ReferenceRefusedError, with the reason, where the reference does not apply to the problem.
    """
    if spec.kind == NO_REFERENCE:
        return None
    return REFERENCES[spec.kind].make(problem, spec, folder)


__all__ = [
    "NO_REFERENCE",
    "REFERENCES",
    "ClosedForm",
    "HopfCole",
    "Reference",
    "ReferenceRefusedError",
    "ReferenceValues",
    "Tabulated",
    "make_reference",
]
