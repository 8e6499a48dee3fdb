"""Solves the problems of the benchmark PINNacle as `laaf solve` does, with nothing set, and writes docs/pinnacle.md.

    python docs/pinnacle.py                    solves what is not solved yet, then writes the page
    python docs/pinnacle.py ns2d-c pnd         solves only these; the page is written from all that are solved
    python docs/pinnacle.py --page             solves nothing

One problem at a time, on two processors; run files stand beside those of docs/problems.py.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from laaf_cli.files.atomic import replacing
from laaf_cli.runfile import RunFile
from problems import DOCS, Entry, solve

PAGE = DOCS / "pinnacle.md"
SECONDS = 300.0

HEAD = """# PINNacle

The benchmark of Hao et al. ([arXiv 2306.08827](https://arxiv.org/abs/2306.08827)): `laaf solve pinnacle/NAME` with nothing
set but `--max-seconds 300`, two processor cores. *Published* is the best relative L2 error there; *laaf* that against the
reference, of several unknowns the largest, of flows that of the velocity: the pressure is infinite in corners. *Its own
error* is absolute.

"""

NOTES = """Specs say more than the benchmark: the outflow of NS2d-CG and NS2d-LT is free, `nu*u_x - p = 0` and `v_x = 0`, for p = 0
alone leaves the velocity undetermined; nothing leaves GS through its edges. Against the fields of the authors the
reference agrees for NS2d-C to 2e-4 (u, v); their NS2d-CG differs from its statement near the outflow.
"""

TABLE = (
    "| problem | published | laaf | seconds | reference | its own error |",
    "| --- | --- | --- | --- | --- | --- |",
)

NOT_AT_HAND = "coefficients in files of the authors"


@dataclass(frozen=True)
class Row:
    """A problem of the benchmark."""

    title: str
    published: float
    name: str = ""
    """Of the bundled spec; empty where there is none."""
    missing: str = ""
    """Why there is none."""
    unknowns: tuple[str, ...] = ()
    """Those that count; all where empty."""

    @property
    def entry(self) -> Entry:
        return Entry(f"pinnacle/{self.name}", seconds=SECONDS)


VELOCITY = ("u", "v")
ROWS = (
    Row("Burgers1d-C", 1.3e-2, "burgers1d-c"),
    Row("Burgers2d-C", math.nan, missing=NOT_AT_HAND),
    Row("Poisson2d-C", 1.2e-2, "poisson2d-c"),
    Row("Poisson2d-CG", 1.4e-2, "poisson2d-cg"),
    Row("Poisson3d-CG", 1e-1, "poisson3d-cg"),
    Row("Poisson2d-MS", 5.9e-1, missing=NOT_AT_HAND),
    Row("Heat2d-VC", 2.1e-1, missing=NOT_AT_HAND),
    Row("Heat2d-MS", 3e-2, "heat2d-ms"),
    Row("Heat2d-CG", 2.4e-2, "heat2d-cg"),
    Row("Heat2d-LT", 1.0, "heat2d-lt"),
    Row("NS2d-C", 3.6e-2, "ns2d-c", unknowns=VELOCITY),
    Row("NS2d-CG", 8.2e-2, "ns2d-cg", unknowns=VELOCITY),
    Row("NS2d-LT", 9.7e-1, "ns2d-lt", unknowns=VELOCITY),
    Row("Wave1d-C", 9.8e-2, "wave1d-c"),
    Row("Wave2d-CG", 7.9e-1, missing=NOT_AT_HAND),
    Row("Wave2d-MS", 9.8e-1, missing="its published solution does not satisfy its equation"),
    Row("GS", 8e-2, "gray-scott"),
    Row("KS", 9.6e-1, "kuramoto-sivashinsky"),
    Row("PNd", 4.7e-4, "pnd"),
    Row("HNd", 1.2e-4, missing="its domain is a ball in five dimensions"),
    Row("PInv", 2e-2, "pinv"),
    Row("HInv", 5e-2, "hinv"),
)


def line(row: Row) -> str:
    """A row of the table."""
    begin = f"| {row.title} | {row.published:.1e} |"
    with RunFile(row.entry.path) as run:
        seconds, unknowns = run.attributes["wall_time_s"], row.unknowns or tuple(run.spec.unknowns)
        kind = run.spec.reference.kind
        has_reference = not math.isnan(run.attributes["relative_l2"])
        errors = run.group_attributes("error") if has_reference else {}
        referee = run.group_attributes("reference") if has_reference else {}
    if not has_reference:
        return f"{begin} unknown | {seconds:.0f} | none | – |"
    error = max(errors[f"relative_l2_{name}"] for name in unknowns)
    own = max(referee[f"error_estimate_{name}"] for name in unknowns)
    return f"{begin} {error:.1e} | {seconds:.0f} | {kind} | {own:.0e} |"


def page() -> str:
    """The page, from the run files."""
    missing: dict[str, list[str]] = {}
    measured = [row for row in ROWS if row.name and row.entry.path.exists()]
    for row in ROWS:
        if row not in measured:
            missing.setdefault(row.missing or "not measured yet", []).append(row.title)
    lines = [
        HEAD.rstrip(),
        "",
        *(TABLE if measured else ()),
        *map(line, measured),
        *([""] if measured else ()),
        "Not there: " + "; ".join(f"{', '.join(of)} ({why})" for why, of in missing.items()) + ".",
        "",
        NOTES,
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    names = [argument for argument in arguments if not argument.startswith("-")]
    if "--page" not in arguments:
        solve([row.entry for row in ROWS if row.name and (not names or row.name in names)])
    with replacing(PAGE) as part:
        part.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
