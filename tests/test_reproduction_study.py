"""The study behind docs/reproduction.md: what stands there follows from the runs, whatever they say."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from laaf_cli.paper import ARTEFACTS, Column, Request, Variant
from laaf_cli.paper.columns import FIXED, GAAF, LLAAF, LLAAF_RECOVERY, SEVEN
from laaf_cli.paper.results import EquationResult

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture
def docs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))


@pytest.fixture
def study(docs: None) -> ModuleType:  # noqa: ARG001
    return importlib.import_module("reproduction_study")


@pytest.fixture
def page(docs: None) -> ModuleType:  # noqa: ARG001
    return importlib.import_module("reproduction_page")


@dataclass(frozen=True)
class Known:
    """A run of which everything is one number, but for the seconds, which are about 10; no two
    runs have a ratio in common, for exact tests of ties take seconds.
    """

    seed: int
    value: float

    @property
    def entry(self) -> Any:
        failed = math.isinf(self.value)
        return SimpleNamespace(
            error=self.value,
            failed=failed,
            largest_scale=1.0,
            wall_time_s=10 + 0.1 * self.value + 0.01 * self.seed,
            seed=self.seed,
        )

    facts = dict.fromkeys(
        ("engine", "device", "dtype", "threads", "laaf_version", "torch_version"), "known"
    )
    history = SimpleNamespace(columns={"relative_l2": None})
    losses = None

    def record_near(self, _values: object, _iteration: int) -> float:
        return self.value

    @property
    def mean_scale(self) -> float:
        return self.value

    @property
    def errors_at(self) -> dict[float, float]:
        last = (2 + 0.01 * math.sin(self.seed)) * self.value
        return {0.25: last, 0.5: self.value, 0.75: self.value}


def runs(factor: float, seeds: Sequence[int]) -> list[Known]:
    return [Known(seed, factor * (1 + 0.1 * math.sin(7 * seed + 10 * factor))) for seed in seeds]


def made(module: ModuleType, first: dict[Column, float], second: dict[Column, float]) -> Any:
    found: dict[str, Any] = {block.name: {} for block in module.STUDY}
    for name, seeds, factors in (
        ("table 1", range(14), first),
        ("table 1, other seeds", range(20, 34), second),
    ):
        found[name] = {column: runs(factor, seeds) for column, factor in factors.items()}
    sizes = {block.name: len(block.columns) * len(block.seeds) for block in module.STUDY}
    return module.Study(found, sizes, "0123456789abcdef", changed=False)


def test_the_page_says_what_the_runs_say(study: ModuleType, page: ModuleType) -> None:
    first = {FIXED: 1.0, GAAF: 0.3, LLAAF: 0.1, LLAAF_RECOVERY: 0.4}
    written = page.page(made(study, first, {**first, GAAF: 3.0}))
    lines = written.splitlines()
    # By error 4 of 5, by loss 9, by slopes 1; t = 0.25 last: 4; the same cost: 3.
    told = "Of 22 claims on Burgers' equation, 21 hold, 1 are contrary to what is found, 0 cannot be decided."
    assert f"- {told}" in lines
    assert (
        "- On other seeds 18 of 22 verdicts on Burgers' equation are the same, and 4 are opposite."
        in lines
    )
    rows = {line.split("|")[1]: line.split("|")[2:-1] for line in lines if line.startswith("|")}
    better = rows["a global adaptive slope improves on fixed slopes"]
    assert (better[0], better[5], better[7], better[9]) == ("14", "holds", "contrary", "open")
    assert float(better[1]) == pytest.approx(0.3, rel=0.05)
    assert float(better[6]) == pytest.approx(3, rel=0.05)
    assert rows["slope recovery improves layer-wise slopes"][5] == "contrary"
    assert rows["fixed: the largest error is at t = 0.25"][1:3] == ["0.5", "0.498–0.502(*99%*)"]
    assert rows["L-LAAF: seconds as fixed, within 1.25 times"][5] == "holds"
    assert rows["L-LAAF + recovery: n·a grows more than without"][5] == "holds"
    assert rows["table 1"] in (["56/140", "10", "0.16"], ["84", '`python docs/reproduction.py --only "table 1"`'])  # fmt: skip
    assert "All of commit 0123456789ab." in written
    assert "Engine: known, known, known, known thread, laaf known, PyTorch known." in written


def test_few_or_failed_runs_decide_nothing(study: ModuleType, page: ModuleType) -> None:
    few = made(study, {FIXED: 1.0, GAAF: 0.3}, {})
    found = few.found["table 1"]
    found[GAAF] = [Known(run.seed, math.inf if run.seed % 2 else run.value) for run in found[GAAF]]
    rows = [line.split("|") for line in page.page(few).splitlines()]
    (claim,) = [
        row for row in rows if row[1:2] == ["a global adaptive slope improves on fixed slopes"]
    ]
    assert claim[7] == "open"
    assert len(claim) == 9  # nothing beside where there are no other seeds


def test_no_seed_is_judged_by_a_rate_that_it_chose(study: ModuleType, page: ModuleType) -> None:
    """The best rate of even seeds is the worst of odd ones, so whoever chooses for itself wins."""
    rates = (None, *study.OTHER_RATES)
    some = made(study, {}, {})
    for name, kind in (("table 1", FIXED), ("table 1", GAAF)):
        for k, rate in enumerate(rates):
            column = replace(kind, learning_rate=rate)
            lucky = {0: 1, 1: 2}  # by parity, the place of the rate that is best there
            factors = [0.1 if lucky[seed % 2] == k else 1.0 + 0.1 * k for seed in range(14)]
            of = [Known(seed, f * (1 + 0.001 * seed)) for seed, f in enumerate(factors)]
            some.found[name][column] = of
    told = list(page.tuned(some))
    (fixed, gaaf) = [line.split("|")[1:-1] for line in told[1].splitlines()[2:]]
    # 1.6e-3 is what the odd seeds choose, and 4e-4 the even ones.
    assert fixed[:2] == ["fixed", "1.6e-3, 4e-4"]
    assert float(fixed[2]) > 1
    assert (gaaf[3], gaaf[4], gaaf[7]) == ("14", "1", "tie")


def test_runs_are_those_of_the_commands(study: ModuleType) -> None:
    blocks = {block.name: block for block in study.STUDY}
    folder = Path("out")
    for name, artefact, seeds in (
        ("table 1", "table1", range(20)),
        ("section 3.1", "figure2", range(20)),
    ):
        asked = Request(variant=Variant(), seeds=tuple(seeds), folder=folder)
        ours, theirs = blocks[name].plan(folder), ARTEFACTS[artefact].plan(asked)
        for column, planned in theirs.items():
            assert [run.path for run in ours[column]] == [run.path for run in planned]
    weighted = blocks["weight 0.1"].plan(folder)[LLAAF_RECOVERY][0]
    assert weighted.path.name == "burgers-llaaf-n10-weight=0.1-s0.h5"
    assert weighted.plan.recovery is not None
    assert weighted.plan.recovery.weight == 0.1
    assert set(blocks["table 1"].columns) == set(SEVEN)


def test_other_training_code_trains_nothing_there(
    study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "commit").write_text("abc\n")
    monkeypatch.setattr(study, "has_changed", lambda commit: commit == "abc")
    program = importlib.import_module("reproduction")
    with pytest.raises(SystemExit, match=r"was trained by other training code; give another"):
        program.main(["--folder", str(tmp_path), "--only", "table 1"])
    with pytest.raises(SystemExit, match="there is no block 'figure 12' in the study: table 1, "):
        program.main(["--folder", str(tmp_path), "--only", "figure 12"])


def test_a_record_near_an_iteration_speaks_for_it() -> None:
    columns = {"iteration": np.array([0, 300, 2100, 15000])}
    values = np.array([1.0, np.nan, 0.5, 0.1])

    def near(iteration: int, *, failed: bool = False) -> float:
        run: Any = SimpleNamespace(
            history=SimpleNamespace(columns=columns), entry=SimpleNamespace(failed=failed)
        )
        return EquationResult.record_near(run, values, iteration)

    assert near(2000) == 0.5
    assert near(15000) == 0.1
    assert math.isnan(near(8000))
    assert near(20000, failed=True) == math.inf
    assert near(2100, failed=True) == 0.5
