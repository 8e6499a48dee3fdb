"""The study of Table 1 in docs/reproduction.md: what stands there follows from the runs, whatever they say."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from conftest import Laaf

from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.paper import ARTEFACTS, Column, Request, Variant
from laaf_cli.paper.columns import FIXED

DOCS = Path(__file__).resolve().parents[1] / "docs"
LLAAF_10 = Column(kind=SLOPE_KINDS["llaaf"], n="10")
RECOVERED = Column(kind=SLOPE_KINDS["llaaf"], recovery=True, n="10", form="mean")
TUNED = Column(kind=SLOPE_KINDS["fixed"], learning_rate="3.2e-3")


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return docs_module("reproduction_results", monkeypatch)


def docs_module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module(name)


def noise(seed: int) -> float:
    return 1 + 0.2 * math.sin(7 * seed)


def made(
    module: ModuleType, errors: Mapping[Column, Mapping[int, float]], n_seeds: int = 20
) -> object:
    found = {
        column: {seed: module.Found(error, 2.0, 14.0, "cpu") for seed, error in by_seed.items()}
        for column, by_seed in errors.items()
        if by_seed
    }
    return module.Results(2000, n_seeds, tuple(errors), found)


def steady(level: float, n_seeds: int = 20) -> dict[int, float]:
    return {seed: level * noise(seed) for seed in range(n_seeds)}


def test_no_seed_is_judged_by_a_choice_that_it_had_a_part_in(results: ModuleType) -> None:
    """Each column is lucky on one half: chosen by it, and judged by the other, where it is not."""
    lucky_even = {seed: 0.1 if seed % 2 == 0 else 0.9 for seed in range(20)}
    lucky_odd = {seed: 0.9 if seed % 2 == 0 else 0.1 for seed in range(20)}
    chosen = results.Chosen.among({FIXED: lucky_even, TUNED: lucky_odd}, [FIXED, TUNED])
    assert chosen.choices == (TUNED, FIXED)
    assert set(chosen.errors.values()) == {0.9}


def test_a_baseline_with_few_runs_is_no_candidate(results: ModuleType) -> None:
    errors = {FIXED: steady(0.3), TUNED: steady(0.01, 8)}
    chosen = results.Chosen.among(errors, list(errors))
    assert chosen.considered == (FIXED,)
    assert chosen.errors == errors[FIXED]
    assert results.Chosen.among({FIXED: steady(0.3, 3)}, [FIXED]) is None
    off_by_one = results.Chosen.among({FIXED: steady(0.3), TUNED: steady(0.1, 19)}, list(errors))
    assert off_by_one.considered == (FIXED, TUNED)
    assert sorted(off_by_one.errors) == list(range(19))


def test_sentences_follow_from_the_verdicts(
    results: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = docs_module("reproduction_sentences", monkeypatch)
    for level, said in (
        (0.1, "a smaller error"),
        (0.9, "a greater error"),
        (0.3, "the same error"),
    ):
        one = made(results, {FIXED: steady(0.3), LLAAF_10: steady(level)})
        ratio = f"{level / 0.3:.3g}"
        assert list(sentences.on_claims(one)) == [
            f"With the paper's settings, against fixed slopes: {said} for L-LAAF ({ratio} times, {ratio} to {ratio})."
        ]
        assert said in next(sentences.on_fixed(one, 8e-4))
    undecided = {seed: 0.3 * noise(seed + 3) for seed in range(20)}
    one = made(results, {FIXED: steady(0.3), LLAAF_10: undecided})
    assert "not to be told apart for L-LAAF" in next(sentences.on_claims(one))
    assert "none has a smaller error, none has a greater error and 1 is not" in next(
        sentences.on_fixed(one, 8e-4)
    )


def test_what_failed_counts_and_too_few_pairs_do_not(results: ModuleType) -> None:
    failed = dict.fromkeys(range(20), math.inf)
    one = made(results, {FIXED: steady(0.3), LLAAF_10: failed, RECOVERED: steady(0.01, 5)})
    pairs = results.against_fixed(one)
    assert list(pairs) == [LLAAF_10]
    assert (pairs[LLAAF_10].ratio, pairs[LLAAF_10].verdict) == (math.inf, "worse")
    assert results.recovery(one) == {}
    assert [judged.claim.text for judged in results.papers_claims(one)] == [
        "layer-wise slopes improve on fixed slopes"
    ]


def test_the_page_says_what_is_missing(
    results: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = docs_module("reproduction_page", monkeypatch)
    spec = next(
        iter(
            ARTEFACTS["table1"]
            .plan(Request(variant=Variant(), seeds=(0,), folder=tmp_path))[2000]
            .values()
        )
    )[0].plan.spec
    whole = made(
        results,
        {FIXED: steady(0.3), TUNED: steady(0.2), LLAAF_10: steady(0.25), RECOVERED: steady(0.6)},
    )
    told = page.burgers([whole], spec, ["make"])
    assert "2000 iterations: all 80 runs, 20 seeds of 4 methods." in told
    assert "| layer-wise slopes improve on fixed slopes | 0.833 | 0.833 to 0.833 |" in told
    assert "| L-LAAF (n = 10) | 8.87e-02 | 20 | 0 |" in told
    part = made(results, {FIXED: steady(0.3), TUNED: steady(0.2, 7), LLAAF_10: {}})
    told = " ".join(page.burgers([part], spec, ["make"]).split())
    assert (
        "**2000 iterations: 27 of 60 runs**, for lack of processor time. There are 20 of 20 seeds of fixed, and 7"
        in told
    )
    assert "No run of L-LAAF (n = 10)." in told
    assert not any(line.lstrip().startswith("+") for line in page.short([whole], 8e-4).splitlines())
    page.draw([whole], tmp_path)
    assert (tmp_path / page.PICTURE).stat().st_size > 10_000


def test_a_longer_run_tells_what_a_shorter_one_would(
    laaf: Laaf, results: ModuleType, tmp_path: Path
) -> None:
    small = [
        *(
            "--set",
            "points.interior=20",
            "--set",
            "network.hidden=[4]",
            "--set",
            "evaluation.grid={x: 8, t: 8}",
        ),
        *("--set", "evaluation.times=[]", "--activation", "nlaaf", "--quiet"),
    ]
    short, long = tmp_path / "short.h5", tmp_path / "long.h5"
    for path, iterations in ((short, 10), (long, 100)):
        found = laaf("solve", "burgers", *small, "--iterations", str(iterations), "--output", path)
        assert found.code == 0, found.err
    own, stood_in = results.Found.read(short, 10), results.Found.read(long, 10)
    np.testing.assert_allclose([own.error, own.scale], [stood_in.error, stood_in.scale], rtol=1e-5)
    assert stood_in.error != results.Found.read(long, 100).error
    with pytest.raises(ValueError, match="has no record of 100"):
        results.Found.read(short, 100)
