"""The paper's tables and figures: which runs, which printed numbers, which verdicts, and the pages that tell them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from conftest import Laaf

from laaf_cli.cli.reproduce import command_line
from laaf_cli.errors import UsageError
from laaf_cli.paper import ARTEFACTS, Request, Variant
from laaf_cli.paper.claims import JUDGEMENTS, Claim, cost_claims, error_claims, judge, loss_claims
from laaf_cli.paper.columns import (
    FIXED,
    GAAF,
    LLAAF,
    LLAAF_RECOVERY,
    NLAAF,
    NLAAF_RECOVERY,
    PAPER_ORDER,
    SEVEN,
    TABLE1,
    Column,
)
from laaf_cli.paper.results import Quantity
from laaf_cli.runfile import RunFile
from laaf_cli.spec import bundled


def request(
    folder: Path, seeds: tuple[int, ...] = (0,), rates: tuple[str, ...] = (), **variant: object
) -> Request:
    return Request(variant=Variant(**variant), seeds=seeds, folder=folder, fixed_rates=rates)  # type: ignore[arg-type]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper's problems with fewer points to train and to be compared at."""
    folder = tmp_path / "problems"
    (folder / "paper").mkdir(parents=True)
    for name, changes in {
        "burgers": {"interior: 10000": "interior: 300", "{x: 256, t: 100}": "{x: 48, t: 20}"},
        "discontinuous": {"{x: 1200}": "{x: 200}"},
    }.items():
        text = (bundled.folder() / "paper" / f"{name}.yaml").read_text("utf-8")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (folder / "paper" / f"{name}.yaml").write_text(text, "utf-8")
    monkeypatch.setattr(bundled, "folder", lambda: folder)


def test_printed_numbers_are_those_of_table_1() -> None:
    assert [TABLE1.errors[column] for column in SEVEN[:6]] == [
        1.913973e-01, 9.517134e-02, 8.866356e-02, 9.129446e-02, 7.693435e-02, 8.378424e-02,
    ]  # fmt: skip
    assert SEVEN[6] not in TABLE1.errors


def test_table_1_is_the_set_up_of_section_3_2() -> None:
    runs = ARTEFACTS["table1"].plan(request(Path("out"), (0, 1)))
    assert [column.label for column in runs] == [
        "fixed", "GAAF", "L-LAAF", "N-LAAF", "L-LAAF + recovery", "N-LAAF + recovery", "GAAF + recovery",
    ]  # fmt: skip
    for column, planned in runs.items():
        assert [run.plan.spec.seed for run in planned] == [0, 1]
        spec = planned[0].plan.spec
        recovers = planned[0].plan.recovery is not None
        assert (spec.slopes.kind, recovers) == (column.kind.name, column.recovery)
        network = spec.network
        assert (spec.slopes.n, network.hidden, network.activation) == (10, [20] * 6, "tanh")
        points = [condition.points for condition in spec.conditions.values()]
        assert (spec.points.interior, points) == (10000, [200, 200])
        (phase,) = spec.training
        assert (phase.optimizer, phase.iterations, phase.learning_rate) == ("adam", 2000, 8e-4)
    assert len({run.path for planned in runs.values() for run in planned}) == 14


def test_regression_is_the_set_up_of_section_3_1() -> None:
    runs = ARTEFACTS["figure2"].plan(request(Path("out")))
    for (planned,) in runs.values():
        spec = planned.plan.spec
        phase = spec.training[0]
        assert (phase.iterations, phase.learning_rate) == (15000, 2e-4)
        assert (spec.network.hidden, spec.data.points) == ([50] * 4, 300)  # type: ignore[union-attr]
    assert runs[FIXED][0].path.name == "discontinuous-fixed-s0.h5"
    fewer = ARTEFACTS["figure2"].plan(request(Path("out"), iterations=150))
    assert fewer[FIXED][0].path.name == "discontinuous-fixed-iterations=150-s0.h5"


RECOVERY = (LLAAF_RECOVERY, NLAAF_RECOVERY)


@pytest.mark.parametrize(
    ("name", "problem", "columns"),
    [
        ("figure2", "discontinuous", PAPER_ORDER),
        ("figure3", "discontinuous", PAPER_ORDER[1:]),
        ("figure4", "discontinuous", PAPER_ORDER),
        ("figure5", "burgers", PAPER_ORDER),
        ("figure6", "burgers", (FIXED, GAAF, *RECOVERY)),
        ("figure7", "burgers", PAPER_ORDER),
        ("figure8", "burgers", (LLAAF, LLAAF_RECOVERY)),
        ("figure9", "burgers", (NLAAF, NLAAF_RECOVERY)),
    ],
)
def test_figures_are_numbered_as_the_papers(
    name: str, problem: str, columns: tuple[Column, ...]
) -> None:
    planned = ARTEFACTS[name].plan(request(Path("out")))
    assert tuple(planned) == columns
    assert {run.path.name.split("-")[0] for (run,) in planned.values()} == {problem}
    whole = ARTEFACTS["table1" if problem == "burgers" else "figure2"].plan(request(Path("out")))
    assert {run.path for runs in planned.values() for run in runs} <= {
        run.path for runs in whole.values() for run in runs
    }


VARIANTS: list[tuple[dict[str, object], str, object]] = [
    ({"recovery_forms": ("sum",)}, "sum", lambda spec: spec.slopes.recovery.form == "sum"),
    (
        {"data_points": 200},
        "data=200",
        lambda spec: [c.points for c in spec.conditions.values()] == [100, 100],
    ),
    (
        {"initializer": "glorot-normal-truncated"},
        "network.initializer=glorot-normal-truncated",
        lambda spec: spec.network.initializer == "glorot-normal-truncated",
    ),
    ({"iterations": 7}, "iterations=7", lambda spec: spec.training[0].iterations == 7),
]


@pytest.mark.parametrize(
    ("variant", "name", "holds"), VARIANTS, ids=[name for _, name, _ in VARIANTS]
)
def test_variants(variant: dict[str, object], name: str, holds: object) -> None:
    asked = request(Path("out"), **variant)
    by_column = ARTEFACTS["table1"].plan(asked)
    (run,) = next(
        runs
        for column, runs in by_column.items()
        if (column.kind.name, column.recovery) == ("llaaf", True)
    )
    assert holds(run.plan.spec)  # type: ignore[operator]
    assert name in run.path.name
    option, value = next(iter(variant.items()))
    if option == "recovery_forms":
        assert "--recovery-form sum" in command_line("table1", asked)
        assert by_column[replace(LLAAF_RECOVERY, form="sum")] == [run]
        assert by_column[LLAAF][0].plan.recovery is None
        assert name not in by_column[LLAAF][0].path.name
    else:
        assert f"--{option.replace('_', '-')} {value}" in command_line("table1", asked)


def test_fixed_baseline_at_other_learning_rates() -> None:
    by_column = ARTEFACTS["table1"].plan(request(Path("out"), rates=("4e-4", "1.6e-3")))
    tuned = [column for column in by_column if column.learning_rate]
    assert [column.label for column in tuned] == [
        "fixed, learning rate 0.0004",
        "fixed, learning rate 0.0016",
    ]
    assert [by_column[column][0].plan.spec.training[0].learning_rate for column in tuned] == [
        4e-4,
        1.6e-3,
    ]


def test_the_papers_own_rate_and_iterations_make_no_second_run() -> None:
    rates = ("8e-4", "0.0008", "1.6e-3")
    by_column = ARTEFACTS["table1"].plan(request(Path("out"), rates=rates, iterations=2000))
    assert len(by_column) == 8
    assert by_column[FIXED][0].path.name == "burgers-fixed-s0.h5"


def test_a_variant_has_files_of_its_own() -> None:
    assert (
        request(Path("out"), recovery_forms=("sum",), data_points=200).name("table1")
        == "table1-sum-data=200"
    )
    assert request(Path("out"), iterations=5).name("table1") == "table1"
    with pytest.raises(
        UsageError, match="burgers shares its data points among 2 conditions; give an even number"
    ):
        ARTEFACTS["table1"].plan(request(Path("out"), data_points=401))


@dataclass(frozen=True)
class Known:
    """A run of which one number is known."""

    seed: int
    value: float


def known(values: Mapping[Column, Sequence[float]]) -> dict[Column, list[Known]]:
    return {column: [Known(i, v) for i, v in enumerate(of)] for column, of in values.items()}


VALUE = Quantity("value", lambda run: run.value)


def of_value(claims: Sequence[Claim]) -> list[Claim]:
    """The claims, of the one number that is known."""
    return [replace(c, smaller=(c.smaller[0], VALUE), larger=(c.larger[0], VALUE)) for c in claims]


def test_claims_are_judged_by_pairs() -> None:
    runs = known(
        {
            FIXED: [0.3 + 0.01 * seed for seed in range(10)],
            GAAF: [0.1 + 0.01 * seed for seed in range(10)],
            LLAAF: [0.1 + 0.01 * seed for seed in range(10)],
            LLAAF_RECOVERY: [0.9] * 10,
            NLAAF: [math.inf if seed % 2 else 0.01 for seed in range(10)],
        }
    )
    judged = {j.claim.text: j for j in judge(runs, of_value(error_claims(2000)))}
    assert {text: judgement.verdict for text, judgement in judged.items()} == {
        "a global adaptive slope improves on fixed slopes": "holds",
        "layer-wise slopes improve on fixed slopes": "holds",
        "neuron-wise slopes improve on fixed slopes": "cannot be decided",
        "layer-wise slopes improve on a global one": "no difference",
        "neuron-wise slopes improve on a global one": "cannot be decided",
        "slope recovery improves layer-wise slopes": "the contrary holds",
        "layer-wise slopes with recovery improve on fixed slopes": "the contrary holds",
    }
    # 6 tests of p = 2/2¹⁰ or more; a claim without any difference is none.
    best = judged["a global adaptive slope improves on fixed slopes"]
    assert best.pairs.family == 6
    assert best.pairs.adjusted == pytest.approx(6 * 2 / 2**10)
    assert 0 < best.unpaired < 0.05
    few = {column: of[:7] for column, of in runs.items()}
    assert {j.verdict for j in judge(few, of_value(error_claims(2000)))} <= {
        "cannot be decided",
        "no difference",
    }


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(1.02, "better"), (1.6, "worse"), (0.6, "worse"), (1.25, "open")]
)
def test_costs_are_comparable_or_not(ratio: float, verdict: str) -> None:
    noise = [1 + 0.01 * (seed % 5 - 2) for seed in range(14)]
    runs = known({FIXED: [10.0] * 14, GAAF: [10 * ratio * factor for factor in noise]})
    (judgement,) = judge(runs, of_value(cost_claims()))
    assert judgement.verdict == JUDGEMENTS[verdict]


def test_a_family_is_judged_apart_from_others() -> None:
    values = {column: [0.1 * (i + 1)] * 14 for i, column in enumerate(PAPER_ORDER)}
    claims = of_value([*loss_claims([5, 10]), *error_claims(10)])
    judged = judge(known(values), claims)
    assert [j.pairs.family for j in judged] == [10] * 10 + [9] * 9
    assert len({j.claim.text for j in judged}) == len(judged) == 19


def test_the_papers_claims_are_more_than_twenty() -> None:
    claims = [
        claim
        for artefact in ARTEFACTS.values()
        if hasattr(artefact, "claims")
        for claim in artefact.claims(artefact.iterations)
        if artefact.problem == "paper/burgers"
    ]
    assert len(claims) == len({claim.text for claim in claims}) == 37


def test_every_n_with_every_form_of_slope_recovery() -> None:
    """28 methods: 4 learning rates, and 3 kinds × 3 n × (none, mean, sum), where GAAF has no second form."""
    rates = ("8e-4", "1.6e-3", "3.2e-3", "6.4e-3")
    asked = request(
        Path("out"), (0, 1), rates, recovery_forms=("mean", "sum"), scales=("1", "5", "10")
    )
    by_column = ARTEFACTS["table1"].plan(asked)
    assert len(by_column) == 28
    assert len({run.path for planned in by_column.values() for run in planned}) == 56
    for column, planned in by_column.items():
        slopes = planned[0].plan.spec.slopes
        if column.kind.is_adaptive:
            assert slopes.n == float(column.n or "nan")
        assert (planned[0].plan.recovery.form if planned[0].plan.recovery else None) == column.form
    assert [
        column.label for column in by_column if column.kind.name == "gaaf" and column.recovery
    ] == [f"GAAF (n = {n}, with mean recovery)" for n in (1, 5, 10)]
    assert [column.label for column in by_column if column.published in TABLE1.errors] == [
        "fixed", "GAAF (n = 10)", "L-LAAF (n = 10)", "N-LAAF (n = 10)",
        "L-LAAF (n = 10, with mean recovery)", "N-LAAF (n = 10, with mean recovery)",
    ]  # fmt: skip
    assert "--recovery-form mean,sum --n 1,5,10" in command_line("table1", asked)
    assert asked.name("table1") == "table1-mean-sum-n=1,5,10"


def test_claims_are_judged_for_each_n_and_form() -> None:
    columns = Variant(recovery_forms=("mean", "sum"), scales=("1", "10")).crossed(SEVEN)
    runs = known({column: [0.1] for column in columns})
    told = [judgement.claim.text for judgement in judge(runs, of_value(error_claims(5)))]
    assert len(told) == len(set(told)) == 5 * 2 + 4 * 4
    assert "layer-wise slopes improve on a global one (n = 10)" in told
    assert "slope recovery improves layer-wise slopes (n = 1, sum)" in told


def test_too_few_seeds_are_warned_of() -> None:
    table, figure = ARTEFACTS["table1"], ARTEFACTS["figure6"]
    for seeds, n_warnings in ((range(8), 1), (range(9), 0)):
        asked = request(Path("out"), tuple(seeds))
        warnings = list(table.warnings(table.plan(asked), asked))
        assert len(warnings) == n_warnings
        assert not list(figure.warnings(figure.plan(asked), asked))
    asked = request(Path("out"), tuple(range(8)))
    assert list(table.warnings(table.plan(asked), asked)) == [
        "8 seeds can decide none of 9 claims judged together; `seeds` of at least 9 can"
    ]
    assert (table.n_seeds, figure.n_seeds, ARTEFACTS["figure10"].n_seeds) == (20, 1, 3)


def test_pictures_of_single_runs_take_one_n() -> None:
    asked = request(Path("out"), scales=("1", "10"))
    with pytest.raises(
        UsageError, match="figure7 shows single runs and takes one value of `n`, not 2"
    ):
        ARTEFACTS["figure7"].plan(asked)
    by_column = ARTEFACTS["figure7"].plan(request(Path("out"), scales=("5",)))
    assert [planned[0].plan.spec.slopes.n for planned in by_column.values()][1:] == [5] * 5


def test_list_and_mistakes(laaf: Laaf, tmp_path: Path) -> None:
    listed = laaf("reproduce")
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()[2:]] == [
        "table1",
        *(f"figure{i}" for i in range(2, 12)),
    ]
    for arguments, code, text in (
        (("tabel1",), 2, "there is no 'tabel1' to reproduce\nDid you mean 'table1'?"),
        (
            ("table1", "--recovery-form", "median"),
            2,
            "--recovery-form is mean, sum or mean,sum, not 'median'",
        ),
        (("table1", "--initializer", "glorot"), 3, "'glorot' is not a choice for 'initializer'"),
        (("table1", "--fixed-learning-rates", "fast"), 2, "--fixed-learning-rates takes numbers"),
        (("table1", "--n", "1,many"), 2, "--n takes numbers with commas between, not '1,many'"),
        (("table1", "--seeds", "none"), 2, "--seeds takes a number"),
        (
            ("table1", "--epochs", "5"),
            2,
            "table1 is of an equation, and --epochs does not apply to it\nIts options: --iterations, --recovery-form",
        ),
        (
            ("figure2", "--datasets", "mnist"),
            2,
            "figure2 is of an equation, and --datasets does not apply to it",
        ),
        (
            ("figure5", "--data-dir", "."),
            2,
            "figure5 is of an equation, and --data-dir does not apply to it",
        ),
    ):
        found = laaf("reproduce", *arguments, "--directory", tmp_path)
        assert found.code == code, found.err
        for line in text.splitlines():
            assert line in found.err
        assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_table_1_with_3_seeds_of_5_iterations(laaf: Laaf, tmp_path: Path) -> None:
    arguments = (
        "reproduce",
        "table1",
        "--seeds",
        "3",
        "--iterations",
        "5",
        "--directory",
        tmp_path,
    )
    found = laaf(*arguments)
    assert found.code == 0, found.err
    page = (tmp_path / "table1.md").read_text()
    assert found.out == page
    assert "`laaf reproduce table1 --seeds 3 --iterations 5`" in page
    assert (
        "5 iterations, where the bundled problem has 2000. 21 runs over the seeds 0, 1, 2; 0 failed."
        in page
    )
    assert len(list((tmp_path / "runs").glob("*.h5"))) == 21
    for column in SEVEN:
        row = next(
            line.split(" | ")
            for line in page.splitlines()
            if line.startswith(f"| {column.label} | ")
        )
        published = TABLE1.errors.get(column)
        assert row[1] == ("-" if published is None else f"{published:.2e}")
        assert row[2:4] == ["3", "0"]
        errors = []
        for path in (tmp_path / "runs").glob("*.h5"):
            with RunFile(path) as run:
                if (run.spec.slopes.kind, run.spec.slopes.used_recovery is not None) == (
                    column.kind.name,
                    column.recovery,
                ):
                    errors.append(run.attributes["relative_l2"])
        assert len(errors) == 3
        assert row[4] == f"{sorted(errors)[1]:.2e}"
    assert page.count("cannot be decided") == 9 + 5  # three seeds never suffice
    assert "3 seeds can decide none of 9 claims judged together" in found.err
    assert (tmp_path / "table1.png").stat().st_size > 10_000
    again = laaf(*arguments)
    assert again.code == 0
    assert "21 of 21 runs already existed" in again.err
    assert again.out == page


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_every_figure_is_drawn(laaf: Laaf, tmp_path: Path) -> None:
    names = [f"figure{k}" for k in range(2, 10)]
    assert set(names) == set(ARTEFACTS) - {"table1", "figure10", "figure11"}
    for name in names:
        length = "15" if name < "figure5" else "2"
        arguments = ("--seeds", "1", "--iterations", length, "--directory", tmp_path)
        found = laaf("reproduce", name, *arguments, "--quiet")
        assert found.code == 0, found.err
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        page = (tmp_path / f"{name}.md").read_text()
        assert re.findall(r"!\[.*\]\((.*)\)", page) == [f"{name}.png"]
        if name == "figure2":
            assert page.count("| a global adaptive slope improves on fixed slopes |") == 3


@pytest.mark.usefixtures("small")
def test_runs_that_diverge_are_in_the_table(laaf: Laaf, tmp_path: Path) -> None:
    """A learning rate that no run survives: told in the table, counted as a failure, exit code 5."""
    rates = ("--fixed-learning-rates", "1e30")
    found = laaf(
        "reproduce",
        "figure4",
        "--seeds",
        "1",
        "--iterations",
        "5",
        "--directory",
        tmp_path,
        *rates,
        "--quiet",
    )
    assert found.code == 5
    assert (
        "5 iterations, where the bundled problem has 15000. 7 runs over the seeds 0; 1 failed."
        in found.out
    )
    row = next(
        line for line in found.out.splitlines() if line.startswith("| fixed, learning rate 1e+30 ")
    )
    assert row.startswith(
        "| fixed, learning rate 1e+30 | 1 | 1 | failed | failed to failed | failed | failed |"
    )
    assert "1 of 7 runs diverged" in found.err
    assert (tmp_path / "figure4.png").exists()
