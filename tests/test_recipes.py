"""Each recipe of "Adding one row" in `docs/contributing.md`, followed with a toy row.

A row that stands in a file is there before other modules are loaded. Tests that add one to a table
that is loaded already add its name to `CHOICES` as well, which is made of the tables.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Laaf, plan_of
from matplotlib.figure import Figure

from laaf_cli.arrays import Array
from laaf_cli.files.export import FORMATS, Format
from laaf_cli.network.activations import ACTIVATIONS, Activation
from laaf_cli.problem import SAMPLER_CHOICES, SAMPLERS, Domain, PointSet, Problem, Term, conditions
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import Drawn
from laaf_cli.problem.samplers import Sampler
from laaf_cli.references import REFERENCES, Reference, ReferenceKind, ReferenceValues
from laaf_cli.report.figures import kinds
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.runs.plan import CHOICES, Plan
from laaf_cli.spec import KeyPath
from laaf_cli.spec.models import ConditionSpec
from laaf_cli.training import OPTIMIZERS, Trainer

SPEC = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -u}
conditions: {start: {where: t = 0, equation: u = 1}}
points: {interior: 20}
network: {hidden: [5, 5]}
training: [{iterations: 3}]
evaluation: {grid: {t: 11}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "decay.yaml").write_text(SPEC, encoding="utf-8")
    return tmp_path


@pytest.fixture
def choices(monkeypatch: pytest.MonkeyPatch) -> object:
    """Lets a key of the spec take another name."""

    def allow(path: KeyPath, name: str) -> None:
        table = CHOICES if path in CHOICES else SAMPLER_CHOICES
        monkeypatch.setitem(table, path, (*table[path], name))

    return allow


def trained(plan: Plan) -> float:
    """The loss after the training."""
    network = plan.make_network()
    objective = plan.make_objective(network, plan.draw_points())
    trainer = Trainer(objective, plan.phases)
    result = trainer.train()
    assert result.records[-1].iteration == 3
    return result.records[-1].total


def test_an_activation(choices, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file: the table."""
    row = Activation(
        name="double",
        derivatives=lambda z, k: [2 * z, torch.full_like(z, 2.0), *[torch.zeros_like(z)] * (k - 1)][
            : k + 1
        ],
    )
    monkeypatch.setitem(ACTIVATIONS, "double", row)
    choices(("network", "activation"), "double")
    assert np.isfinite(trained(plan_of(SPEC, "network.activation=double")))


SLOPE_KIND = """
import sys
from typing import Literal
from laaf_cli.network import slope_kinds
slope_kinds.SLOPE_KINDS["snlaaf"] = slope_kinds.SlopeKind(
    name="snlaaf", label="S-N-LAAF", description="one per place in all layers", color="#009E73",
    is_shared=True, per_neuron=True,
)
slope_kinds.SlopeKindName = Literal[tuple(slope_kinds.SLOPE_KINDS)]  # what the file does next
from laaf_cli.__main__ import main
for line in sys.stdin:
    sys.argv = ["laaf", *line.split()]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


def test_a_slope_kind(folder: Path) -> None:
    """One file: the table. A process of its own, for specs and options take the names of the kinds
    when they are loaded.
    """
    path = "runs/decay-snlaaf-n10-s0.h5"
    commands = [
        "solve decay.yaml --slopes snlaaf --quiet",
        f"show {path}",
        f"plot {path} --kind slopes --output slopes.png",
        f"evaluate {path} --fields u --output u.csv",
    ]
    done = subprocess.run(
        [sys.executable, "-c", SLOPE_KIND],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "S-N-LAAF (n = 10, with recovery)" in done.stdout
    with h5py.File(folder / path) as run:
        assert run.attrs["n_slopes"] == 5
        first, second = (run[f"network/layer_{k}/slope"][:] for k in (1, 2))
    assert first.shape == (5,)
    np.testing.assert_array_equal(first, second)
    assert (folder / "slopes.png").exists()
    assert (folder / "u.csv").exists()


def test_an_optimizer(choices, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file: the table, and a file for a method that is not there yet."""
    phases = []
    adam = OPTIMIZERS["adam"]
    row = replace(
        adam,
        keys=("learning_rate",),
        make=lambda objective, phase, done: (
            phases.append(phase) or adam.make(objective, phase, done)
        ),
    )
    monkeypatch.setitem(OPTIMIZERS, "other", row)
    choices(("training", "*", "optimizer"), "other")
    loss = trained(plan_of(SPEC, "training.0.optimizer=other"))
    assert loss == trained(plan_of(SPEC))
    assert [phase.optimizer for phase in phases] == ["other"]


def test_a_sampler(choices, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file: the table. That it is deterministic is all that others need to know of it."""
    row = Sampler(draw=lambda n, d, _random: np.full((n, d), 0.25), is_deterministic=True)
    monkeypatch.setitem(SAMPLERS, "quarter", row)
    choices(("points", "sampler"), "quarter")
    plan = plan_of(SPEC, "points.sampler=quarter")
    np.testing.assert_array_equal(plan.draw_points()["decay"].points, np.full((20, 1), 0.25))
    assert np.isfinite(trained(plan))


@dataclass(frozen=True, kw_only=True)
class Middle(Drawn):
    """The centre of the domain."""

    def draw(self, domain: Domain, random: np.random.Generator) -> PointSet:  # noqa: ARG002
        return PointSet(points=domain.from_unit(np.full((1, domain.dimension), 0.5)))

    def describe(self, domain: Domain) -> str:  # noqa: ARG002
        return "the centre"


def test_a_kind_of_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three files: the region, the row, and the key, a field of `ConditionSpec`; here the row takes the
    place of that of an existing key.
    """

    def read(reader: Reader, name: str, condition: ConditionSpec) -> Term:
        residuals = reader.residuals(name, condition.equation or [], reader.scope)
        region = Middle(n_points=1, sampler=reader.sampler())
        return Term(name=name, kind="condition", residuals=residuals, region=region, weight=1.0)

    row = conditions.ConditionKind(read, ("equation",), needs_equation=True)
    monkeypatch.setitem(conditions.KINDS, "at", row)
    plan = plan_of(SPEC, "conditions.middle={at: {t: 0.5}, equation: u = 0.5}", "reference=none")
    assert plan.draw_points()["middle"].points.tolist() == [[0.5]]
    assert np.isfinite(trained(plan))


class Ones(Reference):
    """1 everywhere."""

    method = "a constant"

    def evaluate(self, points: Array) -> ReferenceValues:
        return ReferenceValues({"u": np.ones(len(points))}, {"u": 0.0}, 0.0)


def make_ones(_problem: Problem, _spec: object, _folder: Path) -> Reference:
    return Ones()


def test_a_reference(choices, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file besides its own: the table. `auto` tries rows by their priority."""
    chosen = plan_of(SPEC).reference
    assert not isinstance(chosen, Ones)
    monkeypatch.setitem(REFERENCES, "ones", ReferenceKind(make=make_ones, meaning="1 everywhere"))
    choices(("reference", "kind"), "ones")
    assert isinstance(plan_of(SPEC, "reference=ones").reference, Ones)
    assert type(plan_of(SPEC).reference) is type(chosen)
    for priority, kind in ((1, type(chosen)), (-1, Ones)):
        row = ReferenceKind(make=make_ones, meaning="1 everywhere", priority=priority)
        monkeypatch.setitem(REFERENCES, "ones", row)
        assert type(plan_of(SPEC).reference) is kind


def test_a_figure_and_an_export_format(
    folder: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file for each: the table, and for a figure the module that draws it."""

    def draw(runs: Sequence[RunData], _times: object, _unknown: object) -> Figure:
        figure = Figure()
        figure.text(0.5, 0.5, runs[0].title)
        return figure

    row = kinds.Kind[RunData]("the title of a run", lambda _run: "", draw)
    monkeypatch.setitem(kinds.KINDS, "title", row)
    monkeypatch.setitem(
        FORMATS,
        ".max",
        Format(
            description="one number",
            write=lambda path, sampled: path.write_text(
                str(sampled.fields["u"].max()), encoding="utf-8"
            ),
        ),
    )
    assert laaf("solve", "decay.yaml", "--slopes", "fixed", "--quiet").code == 0
    run = "runs/decay-fixed-s0.h5"
    done = laaf("plot", run, "--kind", "title", "--output", "title.png")
    assert done.code == 0, done.err
    assert (folder / "title.png").exists()
    done = laaf("evaluate", run, "--fields", "u", "--output", "u.max")
    assert done.code == 0, done.err
    assert np.isfinite(float((folder / "u.max").read_text(encoding="utf-8")))
