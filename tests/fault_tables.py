"""Tables of faulty specs: a case is its name, a YAML text, and for each fault a line `-- LINE:COLUMN UNDERLINED TEXT`.

`==` begins a text that is complete; `=+` one between the three lines of START and, unless it has conditions, CONDITIONS.
The messages are in `__snapshots__`.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from laaf_cli.errors import SpecError
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Override, Text

START = """\
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
"""

CONDITIONS = "conditions: {start: {where: t = 0, equation: u = 0}, walls: {where: boundary, equation: u = 0}}\n"


def cases(*tables: str) -> list[Any]:
    """A YAML text, the `--set` assignments that go with it, and the marked places, for each case."""
    found = []
    for block in "".join(tables).split("\n=")[1:]:
        (marker, *name), *lines = block.strip("\n").split("\n")
        assignments = [line.removeprefix("--set ") for line in lines if line.startswith("--set ")]
        marks = [line[3:] for line in lines if line.startswith("-- ")]
        yaml = "".join(f"{line}\n" for line in lines if not re.match("--( |set |$)", line))
        if marker == "+":
            yaml = START + yaml + ("" if "conditions:" in yaml else CONDITIONS)
        found.append(pytest.param(yaml, assignments, marks, id="".join(name).strip()))
    return found


def spec_error(
    yaml: str, assignments: tuple[str, ...] | list[str] = (), *, allow_python: bool = False
) -> SpecError:
    """The error for a text and assignments that are wrong."""
    with pytest.raises(SpecError) as caught:
        make_plan(
            Text("spec.yaml", yaml),
            [Override.from_assignment(assignment, "--set ") for assignment in assignments],
            allow_python=allow_python,
        )
    return caught.value


def message(yaml: str, assignments: tuple[str, ...] | list[str] = ()) -> str:
    """The complete message for a text and assignments that are wrong."""
    return str(spec_error(yaml, assignments))


def marks_of(error: SpecError) -> list[str]:
    """The line, the column and the underlined text of each fault."""
    found = []
    for mark in (fault.mark for fault in error.faults if fault.mark is not None):
        source = "" if mark.source == "spec.yaml" else f"{mark.source}:"
        text = mark.line_text[mark.column : mark.column + mark.length]
        found.append(f"{source}{mark.line + 1}:{mark.column + 1} {text}".rstrip())
    return found
