"""Comparing runs: grouping, failures, paired statistics against SciPy, the gate, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import Laaf, plan_of
from counting import counted
from scipy import stats
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.report.comparison import SORTS, MethodComparison, compare
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.run_paths import expand
from laaf_cli.report.statistics import (
    compare_pairs,
    equivalence_p,
    holm,
    log_deviation,
    median_interval,
    pairs_needed,
    rank_sum_p,
    seeds_needed,
    signed_rank_p,
    spread,
)
from laaf_cli.runfile import write_run
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.train import execute

SPEC = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -u}
conditions: {start: {where: t = 0, equation: u = 1}}
points: {interior: 20}
network: {hidden: [5, 5]}
slopes: {kind: nlaaf, n: 5}
training: [{iterations: 3, learning_rate: 1.0e-2}]
reference: {exact: {u: exp(-t)}}
evaluation: {grid: {t: 11}}
"""

METHODS = {
    "fixed": ("slopes.kind=fixed",),
    "GAAF": ("slopes.kind=gaaf", "slopes.recovery=false"),
    "GAAF + recovery": ("slopes.kind=gaaf",),
    "L-LAAF": ("slopes.kind=llaaf", "slopes.recovery=false"),
    "L-LAAF + recovery": ("slopes.kind=llaaf",),
    "N-LAAF": ("slopes.recovery=false",),
    "N-LAAF + recovery": (),
}


@pytest.fixture(scope="module")
def finished() -> dict[str, FinishedRun]:
    """A real run of each method."""
    return {name: execute(plan_of(SPEC, *settings)) for name, settings in METHODS.items()}


def write(run: FinishedRun, path: Path, **attributes: Any) -> Path:
    """A copy of a run with other attributes: what comparing takes from a file and training would take hours for."""
    write_run(path, replace(run.record, attributes={**run.record.attributes, **attributes}))
    return path


def write_errors(
    folder: Path, finished: Mapping[str, FinishedRun], errors: Mapping[str, list[float]]
) -> list[ComparisonEntry]:
    """Runs of methods with given errors over the seeds 0, 1, …; an infinite error is a run that diverged."""
    paths = [
        write(
            finished[name],
            folder / f"{name}-{seed}.h5",
            seed=seed,
            relative_l2=0.5 if math.isinf(error) else error,
            stop_reason="diverged" if math.isinf(error) else "completed",
            stop_detail="the loss became nan" if math.isinf(error) else "",
        )
        for name, values in errors.items()
        for seed, error in enumerate(values)
    ]
    return [ComparisonEntry.read(path) for path in paths]


# Statistics


@pytest.mark.parametrize("n", [2, 5, 6, 11, 40])
def test_signed_rank_test_is_scipys(n: int) -> None:
    sample = np.random.default_rng(n).normal(0.3, 1, n)
    assert signed_rank_p(sample) == stats.wilcoxon(sample).pvalue


def test_signed_rank_test_of_known_samples() -> None:
    """All of one sign: p = 2/2ⁿ. Darwin's maize heights, of which R's wilcox.test says 0.04126."""
    assert signed_rank_p(np.arange(1.0, 9.0)) == pytest.approx(2 / 2**8)
    darwin = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
    assert signed_rank_p(darwin) == pytest.approx(0.04126, abs=5e-5)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 9, 10, 20])
def test_median_interval_covers_the_true_median_as_often_as_it_says(n: int) -> None:
    samples = np.random.default_rng(n).exponential(1, (2000, n))
    low, high, coverage = np.array([median_interval(sample) for sample in samples]).T
    covered = np.mean((low < math.log(2)) & (math.log(2) < high))
    assert covered == pytest.approx(coverage[0], abs=0.03)
    assert (coverage[0] >= 0.95) == (n >= 6)


def test_median_interval_of_known_samples() -> None:
    """The ends of the sample up to 8 values, then the second ones (David & Nagaraja, section 7.1)."""
    assert median_interval(np.arange(5.0)) == (0, 4, 1 - 2 / 2**5)
    assert median_interval(np.arange(8.0)) == (0, 7, 1 - 2 / 2**8)
    assert median_interval(np.arange(9.0)) == (1, 7, 1 - 20 / 2**9)


def test_holm_of_a_worked_example() -> None:
    """p = 0.01, 0.04, 0.03, 0.005: sorted and multiplied by 4, 3, 2, 1, never falling."""
    pairs = compare_pairs({0: 1.0}, {0: 2.0})
    adjusted = holm([replace(pairs, p=p) for p in (0.01, 0.04, 0.03, 0.005, math.nan)])
    assert [pair.adjusted for pair in adjusted[:4]] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert math.isnan(adjusted[4].adjusted)


def test_spread_counts_failures_as_infinite() -> None:
    assert spread([3.0, 1.0, 2.0]) == spread([1.0, 2.0, 3.0])
    found = spread([4.0, 1.0, 2.0, 3.0])
    assert (found.lower, found.median, found.upper) == tuple(
        np.quantile([1, 2, 3, 4], [0.25, 0.5, 0.75])
    )
    failing = spread([1.0, math.inf, 2.0])
    assert (failing.lower, failing.median, failing.upper, failing.best) == (1.5, 2.0, math.inf, 1.0)
    assert math.isnan(spread([1.0, math.nan]).median)
    assert math.isnan(spread([]).median)


def pairs_of(ratios: list[float], verdict: str = "") -> str:
    pair = compare_pairs(dict(enumerate(ratios)), dict.fromkeys(range(len(ratios)), 1.0))
    if verdict:
        assert pair.verdict == verdict
    return pair.sentence("A", "B")


def test_identical_runs_are_no_difference(snapshot: SnapshotAssertion) -> None:
    assert pairs_of([1.0] * 9, "tie") == snapshot


def test_runs_that_both_failed_are_no_tie(snapshot: SnapshotAssertion) -> None:
    both = compare_pairs(dict.fromkeys(range(7), math.inf), dict.fromkeys(range(7), math.inf))
    assert both.verdict == "open"
    assert both.sentence("A", "B") == snapshot
    some = compare_pairs({0: math.inf, 1: 0.5, 2: 0.5}, {0: math.inf, 1: 0.5, 2: math.inf})
    assert (some.n_both_failed, some.n_baseline_failed, some.n_equal) == (1, 1, 1)
    assert "; only the first failed in 0, only the second in 1, both in 1," in some.sentence(
        "A", "B"
    )


def test_mostly_equal_runs_are_neither_a_tie_nor_a_win() -> None:
    told = pairs_of([1.0] * 8 + [0.5], "open")
    assert told.startswith(
        "The data do not distinguish A from B: the error of A is 1 times that of B"
    )


def test_sentences(snapshot: SnapshotAssertion) -> None:
    assert pairs_of([0.5 + 0.01 * i for i in range(8)], "better") == snapshot
    assert pairs_of([2.0 + 0.01 * i for i in range(8)], "worse").startswith(
        "A is worse than B: the error of A is 2.03 times that of B"
    )
    assert pairs_of([0.5] * 5, "open").endswith("; 5 pairs cannot show a difference at 5 %, 6 can.")
    assert pairs_of([0.5, 2.0] * 4, "open").endswith("; that does not show that they are equal.")
    assert pairs_of([0.5], "open") == snapshot
    assert compare_pairs({0: 1.0}, {1: 1.0}).sentence("A", "B") == snapshot


def test_failures_count_against_a_method() -> None:
    told = pairs_of([0.5, 0.6, math.inf, math.inf, math.inf, math.inf, math.inf], "open")
    assert (
        "the error of A is inf times that of B (median of 7 paired seeds; only the first failed in 5, only the second in 0, both in 0,"
        in told
    )
    winning = compare_pairs(dict.fromkeys(range(8), 0.5), dict.fromkeys(range(8), math.inf))
    assert (winning.verdict, winning.ratio, winning.n_baseline_failed) == ("better", 0.0, 8)


def test_fewest_pairs_that_can_show_anything() -> None:
    for family, needed in ((1, 6), (3, 7), (6, 8), (9, 9)):
        assert pairs_needed(family) == needed
        assert family * signed_rank_p(np.arange(1.0, needed)) > 0.05
        assert family * signed_rank_p(np.arange(1.0, needed + 1)) < 0.05


@pytest.mark.parametrize(("deviation", "family"), [(0.6, 1), (0.7, 9)])
def test_planned_seeds_have_the_power_that_was_asked_for(deviation: float, family: int) -> None:
    """A ratio of 1.5 is seen in four of five studies, at 5 % after Bonferroni."""
    n = seeds_needed(deviation, family)
    samples = np.random.default_rng(3).normal(math.log(1.5), deviation, (1500, n))
    seen = stats.wilcoxon(samples, axis=1, method="asymptotic").pvalue < 0.05 / family
    assert 0.76 < seen.mean() < 0.86
    assert seeds_needed(1e-3, family) == pairs_needed(family)


def test_deviation_is_that_of_the_logarithm() -> None:
    errors = np.exp(np.random.default_rng(2).normal(-2, 0.5, 4000)).tolist()
    assert log_deviation(errors) == pytest.approx(0.5, rel=0.05)
    assert log_deviation([*errors, math.inf]) == pytest.approx(0.5, rel=0.05)
    assert math.isnan(log_deviation([0.1]))
    assert math.isnan(log_deviation([0.1, math.inf]))


def test_unpaired_errors_and_equal_ones() -> None:
    ours, theirs = dict(enumerate([0.1, 0.2, 0.3, math.inf])), dict(enumerate([1.0, 2.0, 3.0]))
    assert rank_sum_p(ours, theirs) == stats.mannwhitneyu([1, 2, 3, 7], [4, 5, 6]).pvalue
    assert math.isnan(rank_sum_p({0: math.nan}, theirs))
    equal = {seed: 1 + 0.01 * seed for seed in range(10)}
    ones = dict.fromkeys(range(10), 1.0)
    assert equivalence_p(equal, ones, 1.25) == pytest.approx(1 / 2**10)
    assert equivalence_p({seed: 1.3 * e for seed, e in equal.items()}, ones, 1.25) > 0.5


# Groups


def by_label(comparison: MethodComparison) -> dict[str, Any]:
    return {group.label: group for group in comparison.groups}


def test_methods_are_named_and_sorted(finished: Mapping[str, FinishedRun], tmp_path: Path) -> None:
    runs = write_errors(
        tmp_path,
        finished,
        {name: [0.1 * i, 0.2] for i, name in enumerate(reversed(METHODS), start=1)},
    )
    comparison = compare(runs)
    assert [group.label for group in comparison.groups] == list(METHODS)
    for name, group in by_label(comparison).items():
        assert [run.seed for run in group.runs] == [0, 1]
        assert group.runs[0].n_slopes == {"f": 0, "G": 1, "L": 2, "N": 10}[name[0]]
        assert group.style.label.startswith(name.split(" ")[0])
    ordered = compare(runs, sort="error").groups
    assert [group.error.median for group in ordered] == sorted(
        group.error.median for group in ordered
    )
    assert comparison.flags == ()


def test_loss_is_reported_without_slope_recovery(
    finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    for name, run in finished.items():
        summary = ComparisonEntry.read(write(run, tmp_path / "run.h5"))
        terms = dict(run.summary.terms)
        s = terms.pop("slope_recovery", math.nan)
        assert summary.loss == pytest.approx(sum(terms.values()), rel=1e-6)
        assert math.isnan(summary.recovery) == ("+ recovery" not in name)
        if "+ recovery" in name:
            assert summary.recovery == s
        assert summary.largest_scale == pytest.approx(
            max(layer.max for layer in run.summary.slopes), rel=1e-6
        )


def test_methods_that_share_a_name_are_distinguished_by_their_settings(tmp_path: Path) -> None:
    settings = [
        (),
        ("slopes.n=7",),
        ("training.0.learning_rate=3e-3", "network.hidden=[4]"),
        ("slopes.recovery.form=sum",),
    ]
    runs = [
        ComparisonEntry.read(write(execute(plan_of(SPEC, *changes)), tmp_path / f"{i}.h5"))
        for i, changes in enumerate(settings)
    ]
    labels = [group.label for group in compare(runs).groups]
    assert labels == [
        "N-LAAF + recovery, n 5, form mean, learning_rate 0.003, hidden 4",
        "N-LAAF + recovery, n 5, form mean, learning_rate 0.01, hidden 5x5",
        "N-LAAF + recovery, n 5, form sum, learning_rate 0.01, hidden 5x5",
        "N-LAAF + recovery, n 7, form mean, learning_rate 0.01, hidden 5x5",
    ]
    flags = " ".join(compare(runs).flags)
    assert "unequal parameters: " in flags


def test_unequal_runs_are_flagged(finished: Mapping[str, FinishedRun], tmp_path: Path) -> None:
    fixed = finished["fixed"]
    other = execute(
        plan_of(
            SPEC,
            "points.interior=30",
            "dtype=float64",
            "training.0.iterations=5",
            "evaluation.grid.t=21",
        )
    )
    runs = [
        ComparisonEntry.read(write(fixed, tmp_path / "a.h5")),
        ComparisonEntry.read(
            write(other, tmp_path / "b.h5", laaf_version="9.9", device="cuda", seed=4)
        ),
    ]
    flags = compare(runs).flags
    for words in (
        "unequal points: 21 in fixed; 31 in N-LAAF + recovery",
        "unequal iterations: 3 in fixed; 5 in N-LAAF + recovery",
        "unequal precision: float32 in fixed; float64 in N-LAAF + recovery",
        "unequal references: closed form of the spec on 11 in fixed; closed form of the spec on 21 in N-LAAF + recovery",
        "unequal devices: cpu in fixed; cuda in N-LAAF + recovery",
        "unequal versions of laaf",
        "not every method has the same seeds: 1 in fixed; 1 in N-LAAF + recovery",
    ):
        assert any(flag.startswith(words) for flag in flags), (words, flags)


def test_one_seed_given_twice_counts_once(
    finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    runs = [
        ComparisonEntry.read(write(finished["fixed"], tmp_path / f"{name}.h5")) for name in "ab"
    ]
    comparison = compare(runs)
    assert [len(group.runs) for group in comparison.groups] == [1]
    assert comparison.flags == (
        f"{tmp_path}/b.h5 repeats method and seed of {tmp_path}/a.h5 and is left out",
    )


def test_runs_of_different_problems_do_not_rank(
    finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    other = execute(plan_of(SPEC, "equations.decay=u_t = -2*u", "reference.exact.u=exp(-2*t)"))
    runs = [
        ComparisonEntry.read(write(finished["fixed"], tmp_path / "a.h5")),
        ComparisonEntry.read(write(other, tmp_path / "b.h5", problem="growth")),
    ]
    with pytest.raises(RunFileError, match=r"these are runs of 2 problems \(spec: 1, growth: 1\)"):
        compare(runs)
    mixed = compare(runs, mixed=True)
    assert [group.problem for group in mixed.groups] == ["spec", "growth"]
    assert mixed.sentences == []
    assert mixed.flags == ()


def test_the_two_best_of_several_are_a_choice_among_all_pairs(
    finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    errors = {
        name: [error + 0.001 * i for i in range(6)]
        for name, error in (("fixed", 0.1), ("GAAF", 0.2), ("L-LAAF", 0.3))
    }
    (text,) = compare(write_errors(tmp_path, finished, errors)).sentences
    assert "The data do not distinguish fixed from GAAF: " in text
    assert text.endswith("6 pairs cannot show a difference at 5 %, 7 can with 3 comparisons.")


def test_baseline_by_kind_label_or_file(
    finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    errors = {
        "fixed": [0.4] * 8,
        "N-LAAF": [0.2 + 0.001 * i for i in range(8)],
        "N-LAAF + recovery": [0.4] * 8,
    }
    runs = write_errors(tmp_path, finished, errors)
    comparison = compare(runs, baseline="fixed")
    verdicts = {name: comparison.pair(group) for name, group in by_label(comparison).items()}
    assert verdicts["fixed"] is None
    assert verdicts["N-LAAF"].verdict == "better"
    assert verdicts["N-LAAF"].adjusted == 2 * verdicts["N-LAAF"].p or math.isnan(
        verdicts["N-LAAF + recovery"].p
    )
    assert verdicts["N-LAAF + recovery"].verdict == "tie"
    assert (
        "No difference between N-LAAF + recovery and fixed: 8 paired seeds"
        in comparison.sentences[1]
    )
    with pytest.raises(
        UsageError,
        match="2 methods are of the kind 'nlaaf': 'N-LAAF', 'N-LAAF \\+ recovery'; name one",
    ):
        compare(runs, baseline="nlaaf")
    assert list(compare(runs, baseline="N-LAAF").baselines.values())[0].label == "N-LAAF"  # noqa: RUF015
    with pytest.raises(
        UsageError, match="no run of spec is of the method 'fixt'\nDid you mean 'fixed'?"
    ):
        compare(runs, baseline="fixt")


# The command


@pytest.fixture(scope="module")
def many(finished: Mapping[str, FinishedRun], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """7 methods × 20 seeds; one run diverged."""
    folder = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(0)
    errors = {
        name: random.lognormal(-2 - 0.2 * i, 0.3, 20).tolist() for i, name in enumerate(METHODS)
    }
    errors["GAAF"][3] = math.inf
    write_errors(folder, finished, errors)
    return folder


def n_rows(out: str) -> int:
    """Rows of the table: a method, then its 20 runs."""
    return sum(line.startswith(tuple(METHODS)) and "  20  " in line for line in out.splitlines())


MOST_CALLS_OF_A_RUN = 30_000
"""Of functions, for reading a run and its share of the statistics, which take 13,000."""


def test_7_methods_of_20_seeds_cost_little(
    laaf: Laaf, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """140 files, each opened for its task and for its numbers, and statistics against a baseline."""
    opened: Counter[str] = Counter()
    real = h5py.File

    def open_file(path: Path, mode: str) -> h5py.File:
        opened[Path(path).name] += 1
        return real(path, mode)

    monkeypatch.setattr("laaf_cli.files.untrusted.hdf5.h5py.File", open_file)
    with counted() as calls:
        found = laaf("compare", many, "--baseline", "fixed")
    assert found.code == 0, found.err
    assert n_rows(found.out) == 7
    assert len(opened) == 140
    assert set(opened.values()) == {2}
    assert calls.n < 140 * MOST_CALLS_OF_A_RUN


def test_comparing_imports_no_torch(many: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from laaf_cli.report.comparison_entry import ComparisonEntry;"
        "from laaf_cli.report.comparison import compare;"
        f"compare([ComparisonEntry.read(p) for p in sorted(Path({str(many)!r}).glob('*-1.h5'))]);"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_diverged_runs_stay_in_sight(laaf: Laaf, many: Path) -> None:
    found = laaf("compare", many)
    assert found.code == 0
    row = next(line.split() for line in found.out.splitlines() if line.startswith("GAAF  "))
    assert row[1:3] == ["20", "1"]
    assert "Smallest median errors: " in found.out


def test_csv_json_and_markdown_hold_the_same_numbers(laaf: Laaf, many: Path) -> None:
    table = list(csv.DictReader(io.StringIO(laaf("compare", many, "--csv", "-b", "fixed").out)))
    told = json.loads(laaf("compare", many, "--json", "-b", "fixed").out)
    markdown = laaf("compare", many, "--markdown", "-b", "fixed").out
    assert len(table) == len(told["groups"]) == 7
    for row, group in zip(table, told["groups"], strict=True):
        assert row["method"] == group["method"]
        assert float(row["error_median"]) == group["error_median"]
        assert (
            f"| {group['method']} | 20 | {group['failed']} | {group['error_median']:.2e} |"
            in markdown
        )
        assert len(group["seeds"]) == 20
        if group["method"] != "fixed":
            assert float(row["ratio"]) == group["ratio"]
            assert group["verdict"] in ("better", "worse", "open")
    assert told["baselines"] == {"spec": "fixed"}
    assert told["unreadable"] == []
    assert laaf("compare", many, "--csv", "--json").code == 2


def test_one_unreadable_file_is_named_and_the_rest_compared(
    laaf: Laaf, many: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.h5").write_text("nonsense")
    found = laaf("compare", many, tmp_path / "bad.h5")
    assert found.code == 4
    assert n_rows(found.out) == 7
    assert f"{tmp_path}/bad.h5 cannot be read as HDF5" in found.err
    alone = laaf("compare", tmp_path)
    assert (alone.code, alone.out) == (4, "")


def test_gate_by_bound(laaf: Laaf, finished: Mapping[str, FinishedRun], tmp_path: Path) -> None:
    write_errors(tmp_path, finished, {"fixed": [0.1, 0.3, math.inf]})
    found = laaf("compare", tmp_path, "--max-error", "0.2")
    assert found.code == 6
    assert (
        f"{tmp_path}/fixed-1.h5: the relative L2 error 3.000e-01 is above the bound 0.2"
        in found.err
    )
    assert (
        f"{tmp_path}/fixed-2.h5: the training diverged, which is above the bound 0.2" in found.err
    )
    assert "fixed-0.h5" not in found.err
    assert laaf("compare", tmp_path / "fixed-0.h5", "--max-error", "0.2").code == 0
    assert laaf("compare", tmp_path / "fixed-0.h5", "--max-error", "nan").code == 2


def test_gate_against_a_stored_run(
    laaf: Laaf, finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    stored = write(finished["fixed"], tmp_path / "stored.h5", relative_l2=0.1)
    for error, code in ((0.119, 0), (0.121, 6)):
        now = write(finished["fixed"], tmp_path / "now.h5", relative_l2=error)
        found = laaf("compare", now, "--against", stored, "--max-regression", "1.2")
        assert found.code == code, found.err
    assert (
        "fixed: the relative L2 error 1.21e-01 is 1.21 times that of the stored run, 1.00e-01; the bound is 1.2 times"
        in found.err
    )
    assert laaf("compare", now, "--against", stored).code == 6
    assert laaf("compare", now, "--against", stored, "--max-regression", "1.3").code == 0
    assert laaf("compare", now, "--max-regression", "1.3").code == 2
    other = write(
        execute(plan_of(SPEC, "equations.decay=u_t = u")), tmp_path / "other.h5", problem="growth"
    )
    found = laaf("compare", now, "--against", other)
    assert found.code == 4
    assert "is a run of another problem (growth)" in found.err
    diverged = write(
        finished["fixed"], tmp_path / "diverged.h5", stop_reason="diverged", relative_l2=0.05
    )
    assert laaf("compare", diverged, "--against", stored).code == 6


def test_gate_on_the_time(
    laaf: Laaf, finished: Mapping[str, FinishedRun], tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    for name, seconds in (("stored", (10.0, 30.0, 20.0)), ("now", (62.0, 70.0, 10.0))):
        (tmp_path / name).mkdir()
        for seed, wall_time_s in enumerate(seconds):
            write(
                finished["fixed"],
                tmp_path / name / f"{seed}.h5",
                relative_l2=0.1,
                seed=seed,
                wall_time_s=wall_time_s,
            )
    now, stored = tmp_path / "now", tmp_path / "stored"
    assert laaf("compare", now, "--against", stored).code == 0, "no bound, no failure"
    assert laaf("compare", now, "--against", stored, "--max-slowdown", "3.2").code == 0
    found = laaf("compare", now, "--against", stored, "--max-slowdown", "3")
    assert found.code == 6
    assert found.err == snapshot
    write(
        finished["fixed"],
        now / "1.h5",
        relative_l2=0.1,
        seed=1,
        wall_time_s=99.0,
        stop_reason="diverged",
    )
    found = laaf("compare", now, "--against", stored, "--max-slowdown", "3")
    assert found.code == 0, "36 s is the median of those that did not fail"
    refused = laaf("compare", now, "--max-slowdown", "3")
    assert (refused.code, refused.err) == (
        2,
        "error: --max-slowdown needs --against and a run to measure by\n",
    )


def test_runs_without_a_reference_pass_no_gate(laaf: Laaf, tmp_path: Path) -> None:
    execute(plan_of(SPEC, "reference=none")).save(tmp_path / "run.h5")
    assert laaf("compare", tmp_path).code == 0
    found = laaf("compare", tmp_path, "--max-error", "1")
    assert found.code == 6
    assert "the error is unknown: the run has no reference" in found.err


def test_baseline_file_joins_the_runs(
    laaf: Laaf, finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()
    base = write(finished["fixed"], tmp_path / "base.h5", relative_l2=0.4)
    write(finished["GAAF"], tmp_path / "runs" / "gaaf.h5", relative_l2=0.2)
    found = laaf("compare", tmp_path / "runs", "--baseline", base, "--max-error", "0.3")
    assert found.code == 0, found.err
    assert "The error of GAAF is 0.5 times that of fixed" in found.out


def test_baseline_file_that_repeats_a_run_is_refused(
    laaf: Laaf, finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()
    base = write(finished["GAAF"], tmp_path / "base.h5", relative_l2=0.4)
    write(finished["GAAF"], tmp_path / "runs" / "gaaf.h5", relative_l2=0.2)
    found = laaf("compare", tmp_path / "runs", "--baseline", base)
    assert found.code == 2
    assert "--against measures new runs by a stored one" in found.err


def test_mixed_problems_are_measured_each_by_its_own(
    laaf: Laaf, finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    other = execute(plan_of(SPEC, "equations.decay=u_t = u", "reference.exact.u=exp(t)"))
    stored = [
        write(finished["fixed"], tmp_path / "a.h5", relative_l2=0.1),
        write(other, tmp_path / "b.h5", relative_l2=0.3),
    ]
    (tmp_path / "now").mkdir()
    write(finished["fixed"], tmp_path / "now" / "a.h5", relative_l2=0.11)
    write(other, tmp_path / "now" / "b.h5", relative_l2=0.33)
    both = [argument for path in stored for argument in ("--against", path)]
    assert laaf("compare", tmp_path / "now", "--mixed", *both).code == 0
    write(other, tmp_path / "now" / "b.h5", relative_l2=0.5)
    found = laaf("compare", tmp_path / "now", "--mixed", *both)
    assert found.code == 6
    assert "1.67 times that of the stored run, 3.00e-01" in found.err
    only = laaf("compare", tmp_path / "now", "--mixed", "--against", stored[0])
    assert only.code == 0, only.err


def test_problems_of_one_name_are_distinguished_by_what_differs(tmp_path: Path) -> None:
    runs = [
        ComparisonEntry.read(
            write(execute(plan_of(SPEC, f"equations.decay=u_t = -{k}*u")), tmp_path / f"{k}.h5")
        )
        for k in (1, 2)
    ]
    assert compare(runs, mixed=True).problems == [
        "spec, decay u_t = -1*u",
        "spec, decay u_t = -2*u",
    ]


def test_one_method_measured_on_two_grids_is_two_groups(tmp_path: Path) -> None:
    runs = [
        ComparisonEntry.read(
            write(execute(plan_of(SPEC, f"evaluation.grid.t={n}")), tmp_path / f"{n}.h5")
        )
        for n in (9, 17)
    ]
    comparison = compare(runs)
    assert set(by_label(comparison)) == {"N-LAAF + recovery, t 9", "N-LAAF + recovery, t 17"}
    assert "repeats" not in " ".join(comparison.flags)


def test_labels_tell_phases_apart_by_their_numbers(tmp_path: Path) -> None:
    trainings = (
        "[{iterations: 2}]",
        "[{iterations: 2}, {optimizer: lbfgs, iterations: 1}]",
        "[{iterations: 2}, {optimizer: bfgs, iterations: 1}]",
    )
    runs = [
        ComparisonEntry.read(
            write(
                execute(plan_of(SPEC, f"training={training}", "checkpoint.every_s=9")),
                tmp_path / f"{i}.h5",
            )
        )
        for i, training in enumerate(trainings)
    ]
    assert {group.label for group in compare(runs).groups} == {
        "N-LAAF + recovery, no phase 1",
        "N-LAAF + recovery, phase 1 optimizer lbfgs, phase 1 iterations 1, phase 1 schedule.kind constant",
        "N-LAAF + recovery, phase 1 optimizer bfgs, phase 1 iterations 1, phase 1 schedule.kind constant",
    }


def test_labels_that_differ_in_rounding_or_section_stay_apart(tmp_path: Path) -> None:
    rates = ("8e-4", "8.000001e-4")
    runs = [
        ComparisonEntry.read(
            write(
                execute(plan_of(SPEC, f"training.0.learning_rate={rate}")), tmp_path / f"{rate}.h5"
            )
        )
        for rate in rates
    ]
    labels = [group.label for group in compare(runs).groups]
    assert labels == [
        "N-LAAF + recovery, learning_rate 0.0008",
        "N-LAAF + recovery, learning_rate 0.0008000001",
    ]
    changes = (
        ("points.interior=5", "conditions.start.points=9"),
        ("points.interior=9", "conditions.start.points=5"),
    )
    runs = [
        ComparisonEntry.read(write(execute(plan_of(SPEC, *c)), tmp_path / f"p{i}.h5"))
        for i, c in enumerate(changes)
    ]
    assert [group.label for group in compare(runs).groups] == [
        "N-LAAF + recovery, interior 5, points 9",
        "N-LAAF + recovery, interior 9, points 5",
    ]


def test_loss_is_summed_where_slope_recovery_dominates(tmp_path: Path) -> None:
    """W_a = 1e6 leaves no digit of the rest in a float32 sum."""
    finished = execute(
        plan_of(
            SPEC,
            "slopes.recovery.weight=1e6",
            "conditions.start.weight=3",
            "weights.equations.decay=2",
        )
    )
    terms = finished.summary.terms
    summary = ComparisonEntry.read(write(finished, tmp_path / "run.h5"))
    assert summary.loss == pytest.approx(2 * terms["decay"] + 3 * terms["start"], rel=1e-12)


def test_table_fits_a_narrow_terminal(many: Path) -> None:
    from laaf_cli.report.comparison_table import text_table

    runs = [ComparisonEntry.read(path) for path in sorted(many.glob("*-1.h5"))]
    whole = text_table(compare(runs, baseline="fixed"))
    assert whole.fitted(1000) == whole
    narrow = whole.fitted(80)
    assert (
        sum(max(map(len, cells)) + 3 for cells in zip(narrow.headings, *narrow.rows, strict=True))
        <= 80
    )
    assert {"method", "runs", "failed", "relative L2", "ratio", "p"} <= set(narrow.headings)


def test_paths(tmp_path: Path) -> None:
    for name in ("b.h5", "a.h5", "c.txt"):
        (tmp_path / name).touch()
    both = [tmp_path / "a.h5", tmp_path / "b.h5"]
    assert expand([tmp_path]) == both
    assert expand([tmp_path / "*.h5"]) == both
    assert expand([tmp_path / "b.h5", tmp_path]) == [tmp_path / "b.h5", tmp_path / "a.h5"]
    assert expand([tmp_path / "none.h5"]) == [tmp_path / "none.h5"]
    with pytest.raises(UsageError, match="no file matches"):
        expand([tmp_path / "*.nc"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"there is no \*\.h5 in the folder"):
        expand([tmp_path / "empty"])


def test_figure(laaf: Laaf, finished: Mapping[str, FinishedRun], tmp_path: Path) -> None:
    write_errors(tmp_path, finished, {"fixed": [0.1, math.inf], "N-LAAF": [0.05, 0.06]})
    found = laaf("compare", tmp_path, "--figure", tmp_path / "errors.pdf", "--quiet")
    assert (found.code, found.err) == (0, "")
    assert (tmp_path / "errors.pdf").read_bytes().startswith(b"%PDF")
    assert laaf("compare", tmp_path, "--figure", tmp_path / "errors.xyz").code == 2


def test_sort_takes_what_the_table_knows(
    laaf: Laaf, finished: Mapping[str, FinishedRun], tmp_path: Path
) -> None:
    from laaf_cli.cli.compare import Sort

    write_errors(tmp_path, finished, {"fixed": [0.1], "N-LAAF": [0.05]})
    assert {sort.value for sort in Sort} == set(SORTS)
    for sort in Sort:
        assert laaf("compare", tmp_path, "--sort", sort.value).code == 0
    by_error = laaf("compare", tmp_path, "--sort", "error").out
    assert by_error.index("N-LAAF") < by_error.index("fixed")
