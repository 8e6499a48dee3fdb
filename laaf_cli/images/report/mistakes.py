"""Test images that were classified wrongly, as a figure."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from laaf_cli.images.runfile.record import ImageMistakes
from laaf_cli.report.figures.canvas import plain, shortened

COLUMNS = 8
"""Images in a row."""

MAX_NAME = 12
"""The most characters of the name of a class."""


def mistakes_figure(mistakes: ImageMistakes, classes: Sequence[str]) -> Figure:
    """Each image with its class, and below it the class that was found."""
    rows = -(-len(mistakes.found) // COLUMNS)
    figure = Figure(figsize=(9, 1.6 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for place in axes:
        place.axis("off")
    names = [shortened(name, MAX_NAME) for name in classes]
    for place, pixels, true, found in zip(
        axes, mistakes.pixels, mistakes.true, mistakes.found, strict=False
    ):
        image = pixels.transpose(1, 2, 0)
        place.imshow(image[..., 0] if image.shape[2] == 1 else image, cmap="gray", vmin=0, vmax=255)
        plain(place.set_title(f"{names[true]}\nfound: {names[found]}", fontsize=8))
    return figure
