"""Fuzzing of specs: whole ones and `--set` assignments, up to a plan; nothing is trained.

    python tests/fuzz/specs.py --n 20000 [--seed 0]

Fails where anything but a SpecError or a UsageError comes out, anything is executed, a file is opened that the spec
does not name, a message could upset a terminal, or a spec takes more than a second.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import campaign
import numpy as np
import scipy.io
from spec_texts import START, any_assignments, any_spec, bundled_texts
from tripwire import armed

from laaf_cli.errors import SpecError, UsageError
from laaf_cli.problem.tables import FORMATS
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Override, read_text
from laaf_cli.spec.source import Value, read_yaml

NAME = "spec.yaml"


@dataclass(frozen=True)
class Case:
    """A text and the assignments that go with it."""

    text: str
    assignments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.text, *(f"--set {assignment}" for assignment in self.assignments)])


def draw(random: Random) -> Case:
    return Case(any_spec(random), any_assignments(random))


def examine(case: Case) -> bool:
    """Whether a spec has a plan, in the working directory; raises what is no error of the user."""
    Path(NAME).write_bytes(case.text.encode("utf-8", "surrogatepass"))
    readable = {str(Path(name)) for name in _names(case) if Path(name).suffix in FORMATS}
    with armed({*readable, NAME}) as tried:
        accepted = _examine(case)
    assert not tried, tried
    return accepted


def _examine(case: Case) -> bool:
    try:
        make_plan(
            read_text(Path(NAME)), [Override.from_assignment(each) for each in case.assignments]
        )
    except (SpecError, UsageError) as error:
        shown = str(error)
        assert shown
        assert all(character.isprintable() or character == "\n" for character in shown), ascii(
            shown
        )
        return False
    return True


def _names(case: Case) -> Iterator[str]:
    """Every text in a spec and its assignments: what it may name a file by."""
    try:
        trees = [read_yaml(read_text(Path(NAME)))]
        trees += [Override.from_assignment(each).value() for each in case.assignments]
    except SpecError:
        return
    while trees:
        data = trees.pop().data
        if isinstance(data, str) and "\0" not in data:
            yield data
        elif isinstance(data, dict | list):
            trees += [
                item
                for item in (data.values() if isinstance(data, dict) else data)
                if isinstance(item, Value)
            ]


@contextmanager
def folder_of_files() -> Iterator[Path]:
    """A working directory with some files that specs name: data, a pipe, a folder, and Python that must not run."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x, t = (
            axis.ravel()
            for axis in np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 12), indexing="ij")
        )
        columns = {"x": x, "t": t, "u": np.sin(np.pi * x) * np.exp(-t), "k": x}
        np.savetxt(
            folder / "a.csv",
            np.stack(list(columns.values()), 1),
            delimiter=",",
            header="x,t,u,k",
            comments="",
        )
        np.savez(folder / "a.npz", **columns)
        np.savez(folder / "deep.npz", x=x, t=t, u=np.array([object()]))
        scipy.io.savemat(folder / "a.mat", columns)
        os.mkfifo(folder / "pipe.csv")
        (folder / "folder.h5").mkdir()
        (folder / "laws.py").write_text("import os\nos.system('true')\n")
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)


def warm_up() -> None:
    """Loads what is loaded at first use, so that a text that imports something is seen."""
    files = [f"data: {{file: {name}}}\n" for name in ("a.csv", "a.npz", "a.mat", "a.h5")]
    kinds = [
        f"conditions: {{c: {{{kind}}}}}\n"
        for kind in ("where: t = 0, equation: u = 0", "integral: u", "periodic: x")
    ]
    samplers = [
        f"data: {{target: {{u: erf(x)}}, points: 9, sampler: {name}}}\n"
        for name in ("sobol", "halton", "grid")
    ]
    references = ["reference: {file: a.csv}\n", "reference: hopf-cole\n", "transform: {u: t*net}\n"]
    for text in (
        *bundled_texts(),
        *(START + each for each in (*files, *kinds, *samplers, *references)),
    ):
        Path(NAME).write_text(text, encoding="utf-8")
        _examine(Case(text))


def written(case: Case) -> str:
    return json.dumps({"text": case.text, "assignments": case.assignments})


if __name__ == "__main__":
    with folder_of_files():
        specs = campaign.Campaign(
            what="specs", n=20_000, draw=draw, examine=examine, write=written, begin=warm_up
        )
        sys.exit(campaign.main(specs))
