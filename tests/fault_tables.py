"""Tables of faulty specs: a case is its name, a YAML text, and the complete message.

`==` begins a text that is complete; `=+` one that stands below the three lines of START, and above CONDITIONS unless
it has conditions of its own.
"""

from __future__ import annotations

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
    """A YAML text, the `--set` assignments that go with it, and the message that is expected, for each case."""
    found = []
    for block in "".join(tables).split("\n=")[1:]:
        (marker, *name), (body, expected) = (
            block.partition("\n")[0],
            block.partition("\n")[2].split("\n--\n"),
        )
        lines = body.split("\n")
        assignments = [line.removeprefix("--set ") for line in lines if line.startswith("--set ")]
        yaml = "\n".join(line for line in lines if not line.startswith("--set ")) + "\n"
        if marker == "+":
            yaml = START + yaml + ("" if "conditions:" in yaml else CONDITIONS)
        found.append(
            pytest.param(yaml, assignments, expected.strip("\n"), id="".join(name).strip())
        )
    return found


def message(
    yaml: str, assignments: tuple[str, ...] | list[str] = (), *, allow_python: bool = False
) -> str:
    """The complete message for a text and assignments that are wrong."""
    with pytest.raises(SpecError) as caught:
        make_plan(
            Text("spec.yaml", yaml),
            [Override.from_assignment(assignment, "--set ") for assignment in assignments],
            allow_python=allow_python,
        )
    return str(caught.value)
