"""Writes what docs/reproduction.md tells of section 4, and its figures, from the run files in a folder.

    python docs/reproduction_images.py FOLDER            writes the page and its figures
    python docs/reproduction_images.py FOLDER --check    exits with 1 where the page is not what the runs say

Nothing else is read, and nothing is trained: the runs are those that `laaf reproduce figure10`, or `laaf sweep`, left.
Runs with augmentation, and those of adaptive methods without slope recovery, are not the figure's and are passed over,
and so are data sets with a single seed, which says nothing about others.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from laaf_cli.files.atomic import replacing
from laaf_cli.images.data import DATASETS
from laaf_cli.paper.columns import FOUR, Column
from laaf_cli.paper.images.artefact import PAPER_DATASETS
from laaf_cli.paper.images.figure import draw_training_loss
from laaf_cli.paper.images.page import READING, caption, of_data_set, runs_of, trained
from laaf_cli.paper.images.results import ImageResult, Results, against_fixed
from laaf_cli.report.statistics import MIN_PAIRS

DOCS = Path(__file__).resolve().parent
PAGE, IMAGES = DOCS / "reproduction.md", DOCS / "images"
WIDTH = 120
PAPER_EPOCHS = 50

ByEpochs = Mapping[float, Mapping[str, Results]]
"""The runs by number of epochs, the most first, then by data set as in the paper, then by method."""


def read(folder: Path) -> ByEpochs:
    """The runs of figure 10 in a folder, by the names that `laaf reproduce` gives them."""
    files = [path for dataset in PAPER_DATASETS for path in sorted(folder.glob(f"{dataset}-*.h5"))]
    kinds = [(column.kind, column.recovery) for column in FOUR]
    runs = [
        run
        for run in map(ImageResult.read, files)
        if not run.spec.augment and (run.column.kind, run.column.recovery) in kinds
    ]
    runs.sort(
        key=lambda run: (
            kinds.index((run.column.kind, run.column.recovery)),
            run.spec.slopes.n,
            run.spec.seed,
        )
    )
    found: dict[float, dict[str, dict[Column, list[ImageResult]]]] = {}
    for epochs in sorted({run.n_epochs for run in runs}, reverse=True):
        for dataset in PAPER_DATASETS:
            for run in runs:
                if (run.n_epochs, run.spec.images) == (epochs, dataset):
                    by_column = found.setdefault(epochs, {}).setdefault(dataset, {})
                    by_column.setdefault(run.column, []).append(run)
    return {
        epochs: several
        for epochs, by_dataset in found.items()
        if (several := {name: runs for name, runs in by_dataset.items() if _n_seeds(runs) > 1})
    }


def _n_seeds(results: Results) -> int:
    return len({run.spec.seed for run in runs_of(results)})


def short(found: ByEpochs) -> str:
    """What the ratios to fixed slopes are, for every data set with more than one seed."""
    return "\n".join(
        wrapped(sentence, "- ")
        for epochs, by_dataset in found.items()
        for dataset, results in by_dataset.items()
        for sentence in _against_fixed(f"{DATASETS[dataset].title}, {epochs:.3g} epochs", results)
    )


def _against_fixed(what: str, results: Results) -> Iterator[str]:
    losses, errors = (against_fixed(results, of) for of in ("training_loss", "test_error"))
    n_pairs = max((pair.n_pairs for pair in losses.values()), default=0)
    if n_pairs < 2:
        return
    by_loss = sorted(losses, key=lambda column: losses[column].ratio)
    ratios = [
        f"{errors[column].ratio:.2g} ({column.label})"
        for column in sorted(errors, key=lambda c: errors[c].ratio)
    ]
    few = f" {n_pairs} pairs of seeds can show no difference at 5 %." if n_pairs < MIN_PAIRS else ""
    yield (
        f"**On {what}** the training loss ends at {losses[by_loss[0]].ratio:.2g} ({by_loss[0].label}) to "
        f"{losses[by_loss[-1]].ratio:.2g} ({by_loss[-1].label}) times that of fixed slopes, and the test error at "
        f"{ratios[0]} to {ratios[-1]} times.{few}"
    )


def section(found: ByEpochs) -> str:
    """Figures, and a table for every data set."""
    parts = [wrapped(READING)]
    for epochs, by_dataset in found.items():
        runs = [run for results in by_dataset.values() for run in runs_of(results)]
        parts += [
            f"### {epochs:.3g} epochs",
            wrapped(trained(runs, PAPER_EPOCHS)),
            wrapped(caption(runs)),
            f"![Training loss of every method against the epoch, a panel for each data set](images/{picture(epochs)})",
        ]
        for dataset, results in by_dataset.items():
            parts.append(f"#### {DATASETS[dataset].title}")
            parts += [
                part if part.startswith("|") else wrapped(part) for part in of_data_set(results)
            ]
    made = sorted(
        {
            run.made
            for by_dataset in found.values()
            for results in by_dataset.values()
            for run in runs_of(results)
        }
    )
    parts.append(wrapped(f"Made with {'; '.join(made)}. The machine had other work to do besides."))
    return "\n\n".join(part.strip() for part in parts)


def picture(epochs: float) -> str:
    return f"reproduction-figure10-{epochs:.3g}-epochs.png"


def wrapped(text: str, bullet: str = "") -> str:
    """The text in lines; none begins with a plus, which would make it a bullet."""
    joined = "\u00a0+ "
    lines = textwrap.fill(
        text.replace(" + ", joined),
        WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(joined[0], " ")


def put(text: str, parts: Mapping[str, str]) -> str:
    """The page with what stands between `<!-- images: NAME -->` and `<!-- end images -->` replaced."""
    for name, part in parts.items():
        begin, end = f"<!-- images: {name} -->\n", "<!-- end images -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"{PAGE} has no place for {name}: {begin.strip()} and {end}")
        text = f"{before}{begin}\n{part}\n\n{end}{after}"
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the run files are")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 where the page is stale"
    )
    asked = parser.parse_args(arguments)
    found = read(asked.folder)
    if not found:
        raise SystemExit(f"there is no run of figure 10 in {asked.folder}")
    text = PAGE.read_text(encoding="utf-8")
    written = put(text, {"short": short(found), "figure10": section(found)})
    if asked.check:
        if written != text:
            raise SystemExit(f"{PAGE} is not what the runs in {asked.folder} say")
        return
    for epochs, by_dataset in found.items():
        draw_training_loss(
            f"Training loss without augmentation, {epochs:.3g} epochs",
            by_dataset,
            IMAGES / picture(epochs),
        )
    with replacing(PAGE) as aside:
        aside.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
