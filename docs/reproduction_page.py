"""docs/reproduction.md and its pictures from the runs of the study."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from reproduction_study import (
    BURGERS,
    DOCS,
    FIRST,
    NOT_IN_THE_STUDY,
    STEP,
    STUDY,
    Results,
    Study,
    claims_of,
)

from laaf_cli.paper import ARTEFACTS, Column
from laaf_cli.paper.claims import JUDGEMENTS, Judgement, image_claims, judge
from laaf_cli.paper.columns import FIXED, SEVEN, TABLE1
from laaf_cli.paper.images.figure import draw_training_loss
from laaf_cli.paper.images.results import EARLY, FINAL, TEST_ERROR
from laaf_cli.paper.page import READING, planned_seeds
from laaf_cli.report.comparison_table import error_text, number_text
from laaf_cli.report.statistics import PairedComparison, compare_pairs, holm, spread

IMAGES = DOCS / "images"

SHORT = {
    JUDGEMENTS["better"]: "holds",
    JUDGEMENTS["worse"]: "contrary",
    JUDGEMENTS["tie"]: "equal",
    JUDGEMENTS["open"]: "open",
}
"""Verdicts in one word."""

PICTURES = {
    f"figure{k}": block
    for block, numbers in (("section 3.1", (2, 3, 4)), ("table 1", (5, 6, 7, 8, 9)))
    for k in numbers
}


def page(study: Study) -> str:
    """The whole page."""
    first, second = study.runs("table 1"), study.runs("table 1, other seeds")
    both = study.runs("table 1", "table 1, other seeds")
    burgers = claims_of(BURGERS)
    judged, again, of_all = (judge(runs, burgers) for runs in (first, second, both))
    step = judge(study.runs("section 3.1"), claims_of(STEP))
    image = judge(study.runs("figure 10"), image_claims(EARLY, FINAL, TEST_ERROR))
    parts = [
        INTRODUCTION,
        "## The claims",
        "\n".join(f"- {line}" for line in summary(judged, again, step, image)),
        f"{READING} *Open*: cannot be decided; *contrary*: the contrary holds.",
        "### Burgers' equation",
        claims_beside(judged, [(seeds(second), again), ("all", of_all)] if second else [], seeds(first)),
        planned_seeds(first, 9),
        "### The discontinuous function",
        "By iteration, ratio and verdict; 2,100 and 8,100 are the records nearest to the journal's 2,000 and 8,000.",
        table(*by_moment(step)),
    ]  # fmt: skip
    if image:
        parts += ["### Semeion, 50 epochs", table(("claim", "pairs", "ratio", "interval", "p", "verdict"), image_rows(image))]  # fmt: skip
    parts += ["## Table 1", *table_1(both), *varied(study), *tuned(study)]
    parts += ["## The figures", "Seed 0.", *figures()]
    parts += ["## What it took", *took(study), OTHERWISE]
    parts += ["## Not trained here", table(("what", "runs", "command"), missing(study))]
    return "\n\n".join(wrapped(part.strip()) for part in parts if part) + "\n"


def wrapped(text: str) -> str:
    """A paragraph in lines; anything else as it is."""
    is_text = text[:1] not in "|#!-`" and "\n" not in text
    return textwrap.fill(text, 120, break_on_hyphens=False) if is_text else text


INTRODUCTION = """# Reproducing the paper

`laaf reproduce` makes Table 1 and Figures 2 to 11 of [arXiv 1909.12228](https://arxiv.org/abs/1909.12228): it trains
the runs that are missing, draws the picture and judges what the paper claims there. This page is written by
`python docs/reproduction.py` from run files, verdicts included.

```sh
laaf reproduce table1 --fixed-learning-rates 4e-4,1.6e-3,3.2e-3,6.4e-3
laaf reproduce figure2                        # figure3 and figure4: no further training
laaf reproduce figure10 --datasets semeion    # figure11 with augmentation
```
"""

OTHERWISE = """The set-up is that of the text. `--initializer normal-0.1 --data-points 301 --recovery-form sum`, with raw
inputs, is the authors' script of section 3.1; none of Burgers' equation with this method is public. Figures 10 and 11 are 7
and 8 in the journal; `laaf classify --reading code` reads section 4 as the authors' code does. Their seeds give other
numbers in TensorFlow."""


def summary(
    judged: Sequence[Judgement],
    again: Sequence[Judgement],
    step: Sequence[Judgement],
    image: Sequence[Judgement],
) -> Iterator[str]:
    """How many claims hold."""
    named = (
        ("Burgers' equation", judged),
        ("the discontinuous function", step),
        ("Semeion", image),
    )
    for name, some in named:
        if some:
            counts = dict.fromkeys(SHORT.values(), 0)
            for one in some:
                counts[SHORT[one.verdict]] += 1
            yield (
                f"Of {len(some)} claims on {name}, {counts['holds']} hold, {counts['contrary']} are contrary to what is "
                f"found, {counts['open'] + counts['equal']} cannot be decided."
            )
    other = {one.claim.text: one for one in again if one.pairs.n_pairs}
    both = [
        (one.verdict, other[one.claim.text].verdict) for one in judged if one.claim.text in other
    ]
    if both:
        agree = sum(a == b for a, b in both)
        opposed = sum({a, b} == {JUDGEMENTS["better"], JUDGEMENTS["worse"]} for a, b in both)
        yield (
            f"On other seeds {agree} of {len(both)} verdicts on Burgers' equation are the same, and {opposed} are opposite."
        )
    apart = [one for one in judged if one.unpaired == one.unpaired]
    if apart:
        alike = sum((one.pairs.adjusted < 0.05) == (one.unpaired < 0.05) for one in apart)
        yield f"The unpaired test agrees with that of the pairs on {alike} of {len(apart)} claims."


def seeds(runs: Results) -> str:
    """From the first seed to the last."""
    there = sorted({run.seed for of in runs.values() for run in of})
    return f"seeds {there[0]}–{there[-1]}" if there else ""


def claims_beside(
    judged: Sequence[Judgement], others: Sequence[tuple[str, Sequence[Judgement]]], first: str
) -> str:
    """The claims on some seeds, with ratio and verdict on other ones beside."""
    headings = ["claim", "pairs", first, "interval", "p", "unpaired", "verdict"]
    headings += [word for name, _judged in others for word in (name, "verdict")]
    beside = [{one.claim.text: one for one in other} for _name, other in others]
    rows = []
    for one in judged:
        row = [
            one.claim.text, str(one.pairs.n_pairs), number_text(one.pairs.ratio, ".3g"),
            interval(one.pairs), number_text(one.pairs.adjusted, ".2g"), number_text(one.unpaired, ".2g"),
            SHORT[one.verdict],
        ]  # fmt: skip
        for by_text in beside:
            other = by_text.get(one.claim.text)
            row += (
                ["-", "-"]
                if other is None
                else [number_text(other.pairs.ratio, ".3g"), SHORT[other.verdict]]
            )
        rows.append(tuple(row))
    return table(headings, rows)


def image_rows(judged: Sequence[Judgement]) -> Iterator[tuple[str, ...]]:
    for one in judged:
        pairs = one.pairs
        yield (
            one.claim.text, str(pairs.n_pairs), number_text(pairs.ratio, ".2g"), interval(pairs),
            number_text(pairs.adjusted, ".2g"), SHORT[one.verdict],
        )  # fmt: skip


def by_moment(judged: Sequence[Judgement]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Claims that are made at several iterations in one row."""
    moments: dict[str, None] = {}
    rows: dict[str, dict[str, str]] = {}
    for one in judged:
        words = one.claim.smaller[1].name.split()
        moment = words[words.index("after") + 1] if "after" in words else "end"
        text = one.claim.text.removesuffix(f" after {moment}")
        moments[moment] = None
        cell = f"{number_text(one.pairs.ratio, '.3g')} {SHORT[one.verdict]}"
        rows.setdefault(text, {})[moment] = cell
    n_pairs = max((one.pairs.n_pairs for one in judged), default=0)
    headings = (f"claim, {n_pairs} pairs", *moments)
    return headings, [(text, *(of.get(m, "") for m in moments)) for text, of in rows.items()]


def interval(pair: PairedComparison) -> str:
    """The interval and its coverage in one word."""
    if pair.n_pairs < 2:
        return "-"
    return f"{pair.low:.3g}–{pair.high:.3g}(*{100 * pair.coverage:.0f}%*)"


def table_1(runs: Results) -> Iterator[str]:
    """The errors of every method."""
    yield "Relative L2 error after 2000 iterations; *published*: of single runs."
    rows = []
    for column in SEVEN:
        if column in runs:
            errors = [run.entry.error for run in runs[column]]
            found = spread(errors)
            scales = [run.entry.largest_scale for run in runs[column]]
            rows.append(
                (
                    column.label, error_text(TABLE1.errors.get(column, float("nan"))), str(len(errors)),
                    error_text(found.median), f"{error_text(found.lower)}–{error_text(found.upper)}",
                    f"{error_text(found.best)}–{error_text(max(errors))}", f"{median(scales):.3g}",
                )
            )  # fmt: skip
    headings = ("method", "published", "runs", "median", "quartiles", "range", "n·a up to (median)")
    yield table(headings, rows)


def varied(study: Study) -> Iterator[str]:
    """What other settings do to a method, against the same seeds in the paper's setting."""
    base = study.runs("table 1")
    named: list[tuple[str, Sequence[Any], Sequence[Any]]] = []
    for block in STUDY:
        is_variation = block.problem == BURGERS and block.seeds == FIRST and block.name != "table 1"
        if (
            is_variation
            and not block.settings
            and block.name != "learning rates of adaptive slopes"
        ):
            for column, runs in study.runs(block.name).items():
                plain = replace(column, n=None, form=None, learning_rate=None)
                label = ", ".join(filter(None, (column.label, block.words)))
                named.append((label, runs, base.get(plain, ())))
    pairs = holm(
        [
            compare_pairs(*({run.seed: run.entry.error for run in side} for side in (runs, plain)))
            for _label, runs, plain in named
        ]
    )
    verdicts = {"better": "better", "worse": "worse", "tie": "equal", "open": "open"}
    rows = [
        (
            label, str(pair.n_pairs), error_text(spread([run.entry.error for run in runs]).median),
            number_text(pair.ratio, ".3g"), interval(pair), number_text(pair.adjusted, ".2g"),
            verdicts[pair.verdict],
        )
        for (label, runs, _plain), pair in zip(named, pairs, strict=True)
    ]  # fmt: skip
    if rows:
        yield (
            "Other settings against the paper's (n = 10, weight 1, mean, 8e-4) with the same method and seeds; p after Holm "
            "for all of them. The sum form is weight 1/6 of the mean."
        )
        yield table(("setting", "pairs", "median", "ratio", "interval", "p", "verdict"), rows)


def tuned(study: Study) -> Iterator[str]:
    """Every method at the best of its learning rates, chosen by seeds that it is not judged by: those with an even
    number choose for the odd ones, and the odd for the even.
    """
    runs = study.runs("table 1", "learning rates", "learning rates of adaptive slopes")
    errors = {column: {run.seed: run.entry.error for run in of} for column, of in runs.items()}
    chosen: dict[Column, dict[int, float]] = {}
    rates: dict[Column, str] = {}
    for method in SEVEN:
        tried = [column for column in errors if replace(column, learning_rate=None) == method]
        seeds = set.intersection(*(set(errors[column]) for column in tried)) if tried else set()
        halves = [[seed for seed in seeds if seed % 2 == parity] for parity in (0, 1)]
        if len(tried) < 5 or not all(halves):
            continue
        best = [
            min(tried, key=lambda c, half=half: spread([errors[c][s] for s in half]).median)  # type: ignore[misc]
            for half in reversed(halves)
        ]
        chosen[method] = {seed: errors[best[seed % 2]][seed] for seed in sorted(seeds)}
        rates[method] = ", ".join(dict.fromkeys(column.learning_rate or "8e-4" for column in best))
    if FIXED not in chosen or len(chosen) < 2:
        return
    adaptive = [method for method in chosen if method != FIXED]
    pairs = holm([compare_pairs(chosen[method], chosen[FIXED]) for method in adaptive])
    fixed = (FIXED.label, rates[FIXED], error_text(spread(list(chosen[FIXED].values())).median))
    rows = [
        (
            method.label, rates[method], error_text(spread(list(chosen[method].values())).median), str(pair.n_pairs),
            number_text(pair.ratio, ".3g"), interval(pair), number_text(pair.adjusted, ".2g"), pair.verdict,
        )
        for method, pair in zip(adaptive, pairs, strict=True)
    ]  # fmt: skip
    yield "Each method at the best of five learning rates; one half of the seeds chooses for the other."
    headings = (
        "method",
        "rates chosen",
        "median",
        "pairs",
        "ratio to fixed",
        "interval",
        "p",
        "verdict",
    )
    yield table(headings, [(*fixed, *[""] * 5), *rows])


def figures() -> Iterator[str]:
    """The pictures that are there, in the order of the paper."""
    for name in (*PICTURES, "figure10", "figure11"):
        if picture(name).exists():
            title = ARTEFACTS[name].title
            yield f"![{title}](images/{picture(name).name})"


def picture(name: str) -> Path:
    return IMAGES / f"reproduction-{name}.png"


def draw(study: Study) -> None:
    """Draws the pictures of what is there; those of nothing go."""
    for name, block in PICTURES.items():
        artefact = ARTEFACTS[name]
        shown = [
            (column, paths[column][0])
            for paths in [study.paths[block]]
            for column in artefact.columns
            if column in paths
        ]
        if shown:
            artefact.draw(artefact.title, shown, picture(name))
        else:
            picture(name).unlink(missing_ok=True)
    for name in ("figure10", "figure11"):
        runs = study.runs(name.replace("figure", "figure "))
        shown = {c: of for c, of in runs.items() if c.recovery or c == FIXED}
        if not (
            shown and draw_training_loss(ARTEFACTS[name].title, {"semeion": shown}, picture(name))
        ):
            picture(name).unlink(missing_ok=True)


def took(study: Study) -> Iterator[str]:
    """What the training took, on what, by which code."""
    lines = []
    made: dict[str, None] = {}
    for block in STUDY:
        runs = [run for of in study.found[block.name].values() for run in of]
        if not runs:
            continue
        seconds = [(run if block.is_image else run.entry).wall_time_s for run in runs]
        lines.append((block.name, f"{len(runs)}/{study.sizes[block.name]}", f"{median(seconds):.0f}", f"{sum(seconds) / 3600:.2f}"))  # fmt: skip
        for run in runs:
            if not block.is_image:
                facts = run.facts
                made[
                    f"{facts['engine']}, {facts['device']}, {facts['dtype']}, {facts['threads']} thread, laaf "
                    f"{facts['laaf_version']}, PyTorch {facts['torch_version']}"
                ] = None
    yield table(("block", "runs", "seconds a run", "hours"), lines)
    code = f"All of commit {study.commit[:12]}" if study.commit else "Of a commit that is not known"
    today = "; the training code has changed since" if study.changed else ""
    yield f"{code}{today}. Engine: {'; '.join(made)}. The machine had other work to do besides, and its seconds say little of costs."


def missing(study: Study) -> Iterator[tuple[str, ...]]:
    for block in STUDY:
        n_found = sum(map(len, study.found[block.name].values()))
        if n_found < study.sizes[block.name]:
            command = f'`python docs/reproduction.py --only "{block.name}"`'
            yield block.name, str(study.sizes[block.name] - n_found), command
    for what, command in NOT_IN_THE_STUDY:
        yield what, "", f"`{command}`"


def table(
    headings: Sequence[str], rows: Sequence[tuple[str, ...]] | Iterator[tuple[str, ...]]
) -> str:
    """A table in Markdown, close set."""
    lines = [tuple(headings), ("---",) * len(headings), *rows]
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)
