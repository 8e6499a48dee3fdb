"""The table of figures of classifications."""

from __future__ import annotations

from laaf_cli.images.report.confusion import confusion_figure
from laaf_cli.images.report.epochs import activations_figure, columns_figure, no_activations
from laaf_cli.images.report.run_data import ImageRunData
from laaf_cli.report.figures.kinds import Figures, Kind

IMAGE_KINDS: dict[str, Kind[ImageRunData]] = {
    "loss": Kind(
        "the cross entropy of training and test images against the epoch, without slope recovery",
        lambda _run: "",
        lambda runs, _times, _unknown: columns_figure(
            runs, "cross entropy", {"training images": "train_loss", "test images": "test_loss"}
        ),
    ),
    "error": Kind(
        "the fraction of wrong answers among test and training images against the epoch",
        lambda _run: "",
        lambda runs, _times, _unknown: columns_figure(
            runs,
            "fraction classified wrongly",
            {"test images": "test_error", "training images": "train_error"},
        ),
    ),
    "slopes": Kind(
        "the slopes n·a of each activation against the epoch",
        no_activations,
        lambda runs, _times, _unknown: activations_figure(runs),
    ),
    "confusion": Kind(
        "how often images of each class were taken for each other class",
        lambda _run: "",
        lambda runs, _times, _unknown: confusion_figure(runs),
    ),
}

FIGURES = Figures(read=ImageRunData.read, kinds=IMAGE_KINDS)
