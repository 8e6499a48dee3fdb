"""The figures of section 4: whatever data sets are there, four methods, their training loss and
their test error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from laaf_cli.errors import UsageError
from laaf_cli.images.errors import MissingDataError
from laaf_cli.images.plan import make_image_plan
from laaf_cli.paper.artefact import Artefact
from laaf_cli.paper.claims import image_claims, too_few
from laaf_cli.paper.columns import FOUR, Column
from laaf_cli.paper.images.figure import draw_training_loss
from laaf_cli.paper.images.page import ImagePage
from laaf_cli.paper.images.results import EARLY, FINAL, TEST_ERROR, ImageResult
from laaf_cli.paper.request import Request
from laaf_cli.spec import Override, bundled
from laaf_cli.sweeps import Alternative, PlannedRun
from laaf_cli.text import did_you_mean, listed

PAPER_DATASETS = ("semeion", "mnist", "kmnist", "fashion-mnist", "cifar-10", "cifar-100", "svhn")

SCALES = ("1", "2")
"""The n of section 4."""


@dataclass(frozen=True)
class ImageRuns:
    """The runs by data set, then by method."""

    by_dataset: Mapping[str, Mapping[Column, list[PlannedRun]]]
    absent: Mapping[str, str]
    """Data set → what of it is missing."""


@dataclass(frozen=True, kw_only=True)
class ImageArtefact(Artefact[ImageRuns]):
    """A figure of section 4.

    A request says more: `datasets`, those that must be there, none takes those that are; `epochs`,
    others than the paper's; `data_dir`, where data sets lie, None for the default.
    """

    subject = "images"
    takes = ("datasets", "n", "epochs", "data_dir")

    n_seeds: int = 3
    augment: bool
    """Whether training images are shifted, turned or mirrored."""
    epochs: int
    """The epochs of the paper."""

    def _plan(self, request: Request) -> ImageRuns:
        """What is missing is not fetched: seven data sets are gigabytes, and few want all of
        them.
        """
        wanted = request.more.get("datasets", ())
        for name in wanted:
            if name not in PAPER_DATASETS:
                hint = did_you_mean(name, PAPER_DATASETS)
                hint = hint or f"Those of {self.name}: {listed(PAPER_DATASETS)}."
                raise UsageError(f"`datasets` does not know '{name}'\n{hint}")
        planned: dict[str, Mapping[Column, list[PlannedRun]]] = {}
        absent: dict[str, str] = {}
        for name in wanted or PAPER_DATASETS:
            try:
                planned[name] = self._of(name, request)
            except MissingDataError as error:
                if wanted:
                    raise MissingDataError(f"{error}\n`classify({name!r})` fetches it.") from None
                absent[name] = str(error).splitlines()[0]
        if not planned:
            end = f"There is nothing to reproduce {self.name} with; Semeion is the smallest."
            raise MissingDataError("\n".join([*_left_out(absent), end]))
        return ImageRuns(planned, absent)

    def _of(self, dataset: str, request: Request) -> dict[Column, list[PlannedRun]]:
        """The runs of one data set, which is read once for all of them; named as a sweep
        names them.
        """
        make = partial(
            make_image_plan,
            bundled.find(dataset, "images"),
            folder=request.more.get("data_dir"),
            download=False,
            known={},
        )
        settings = []
        if self.augment:  # file names say it anyway
            settings.append(Alternative((Override.from_assignment("augment=true"),)))
        if (epochs := request.more.get("epochs")) not in (None, self.epochs):
            settings.append(Alternative.of(Override.from_assignment(f"training.epochs={epochs}")))
        variant = replace(request.variant, scales=request.variant.scales or SCALES)
        return request.runs(make, settings, variant.crossed(FOUR))

    def runs(self, planned: ImageRuns) -> list[PlannedRun]:
        return [
            run for by in planned.by_dataset.values() for column in by.values() for run in column
        ]

    def warnings(self, planned: ImageRuns, request: Request) -> list[str]:
        """Data sets that are not there, and too few seeds to decide any claim."""
        columns = next(iter(planned.by_dataset.values()))
        few = too_few(image_claims(EARLY, FINAL, TEST_ERROR), columns, len(request.seeds))
        return [*_left_out(planned.absent), *[few] * bool(few)]

    def write(self, planned: ImageRuns, request: Request) -> list[Path]:
        # Single data sets do not replace the page of all.
        only = request.more.get("datasets", ())
        name = "-".join([request.name(self.name), *[",".join(only)] * bool(only)])
        page, figure = request.folder / f"{name}.md", request.folder / f"{name}-loss.png"
        results = {
            dataset: {
                column: [ImageResult.read(run.path) for run in runs if run.path.exists()]
                for column, runs in by_column.items()
                if any(run.path.exists() for run in runs)
            }
            for dataset, by_column in planned.by_dataset.items()
        }
        is_drawn = draw_training_loss(self.title, results, figure)
        content = ImagePage(
            title=self.title,
            command=request.command,
            paper_epochs=self.epochs,
            results=results,
            left_out=[f"Left out: {why}" for why in planned.absent.values()],
        )
        content.write(page, figure.name if is_drawn else "")
        return [page, *[figure] * is_drawn]


def _left_out(absent: Mapping[str, str]) -> list[str]:
    return [f"Left out: {why} `classify({name!r})` fetches it." for name, why in absent.items()]


ARTEFACTS = (
    ImageArtefact(
        name="figure10",
        title="Figure 10: images, training loss without augmentation",
        augment=False,
        epochs=50,
    ),
    ImageArtefact(
        name="figure11",
        title="Figure 11: images, training loss with augmentation",
        augment=True,
        epochs=200,
    ),
)
