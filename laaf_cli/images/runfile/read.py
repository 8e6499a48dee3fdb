"""Reading the run file of an image classification: only what is asked for, each shape checked."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from laaf_cli.arrays import Array
from laaf_cli.files.untrusted.hdf5 import Attribute
from laaf_cli.images.runfile.layout import (
    IMAGE_ATTRIBUTES,
    IMAGE_COLUMNS,
    IMAGE_GROUP_ATTRIBUTES,
    IMAGE_SLOPES,
)
from laaf_cli.images.runfile.record import (
    ImageCheckpoint,
    ImageHistory,
    ImageMistakes,
    ImageNetwork,
)
from laaf_cli.images.spec import ImageSpec
from laaf_cli.runfile.any_run_file import MAX_RECORDS, AnyRunFile

MAX_LAYERS = 10_000

MAX_PIXELS = 1_000_000
"""Of all images that a run file shows."""

_FILES, _CLASSES = (TypeAdapter[Any](kind) for kind in (dict[str, str], list[str]))
_SUBSET = Attribute(kind=str, meaning="which part of the data set was used, empty for all of it")
_WHOLE = ("iteration",)
_SHARES = ("train_error", "test_error")


class ImageRunFile(AnyRunFile):
    """An open run file of an image classification; use it in a `with`."""

    expected = IMAGE_ATTRIBUTES
    task = "images"
    error_attribute = "test_error"

    def convert(self) -> None:
        """Format 6 could hold a run on a part of a data set: the name of its problem says so."""
        if part := self.attribute("subset", _SUBSET):
            self.attributes["problem"] += f" ({part})"

    @cached_property
    def spec(self) -> ImageSpec:
        """The resolved spec: command line put in, defaults written out."""
        return self._settings_as(ImageSpec)

    def files(self) -> dict[str, str]:
        """The files of the data set, with their SHA-256."""
        files: dict[str, str] = self._json("spec/files", _FILES)
        return files

    def classes(self) -> list[str]:
        """The names of the classes."""
        classes: list[str] = self._json("spec/classes", _CLASSES)
        if len(classes) != self.attributes["n_classes"]:
            raise self.refusal(
                f"spec/classes in {self.path} does not name {self.attributes['n_classes']} classes"
            )
        return classes

    def history(self) -> ImageHistory:
        """Everything that was recorded while training."""
        shape = self._length("history/epoch", MAX_RECORDS)
        epochs = self._shaped("history/epoch", shape)
        if not np.isfinite(epochs).all() or epochs[0] < 0 or (epochs[1:] <= epochs[:-1]).any():
            raise self.refusal(f"history/epoch in {self.path} does not count upwards")
        columns = {
            name: self._shaped(f"history/{name}", shape, "i" if name in _WHOLE else "f")
            for name in IMAGE_COLUMNS
        }
        for name in _SHARES:
            values = columns[name]
            if ((values < 0) | (values > 1)).any():
                raise self.refusal(f"history/{name} in {self.path} is not a fraction")
        layers = self._length("slopes/layer", MAX_LAYERS)
        slopes = {name: self._shaped(f"slopes/{name}", (*shape, *layers)) for name in IMAGE_SLOPES}
        return ImageHistory(epochs, columns, slopes)

    def largest_scale(self) -> float:
        """The largest n·a at the end."""
        shape = (
            *self._length("history/epoch", MAX_RECORDS),
            *self._length("slopes/layer", MAX_LAYERS),
        )
        return float(self._shaped("slopes/greatest", shape)[-1].max())

    def recovery(self) -> float:
        """S(a) at the end, NaN where it is not part of the loss."""
        return float(
            self._shaped("history/slope_recovery", self._length("history/epoch", MAX_RECORDS))[-1]
        )

    def confusion(self) -> Array:
        """Test images by true class (rows) and found class (columns)."""
        n = self.attributes["n_classes"]
        confusion = self._shaped("test/confusion", (n, n), "i")
        # As floats, because sums of integers overflow.
        if (confusion < 0).any() or confusion.sum(dtype=np.float64) != self.attributes["n_test"]:
            raise self.refusal(f"test/confusion in {self.path} does not count the test images")
        return confusion

    def mistakes(self) -> ImageMistakes | None:
        """Test images that were classified wrongly; None in older files, and where none was."""
        if not self.has("test/mistakes"):
            return None
        pixels = self.shape("test/mistakes/pixels")
        fits = len(pixels) == 4 and pixels[1] in (1, 3) and math.prod(pixels) <= MAX_PIXELS
        if not fits or not all(pixels):
            raise self.refusal(f"test/mistakes/pixels in {self.path} holds no images")
        mistakes = ImageMistakes(
            pixels=self._shaped("test/mistakes/pixels", pixels, "i"),
            true=self._shaped("test/mistakes/true", pixels[:1], "i"),
            found=self._shaped("test/mistakes/found", pixels[:1], "i"),
        )
        for name, most in (
            ("pixels", 255),
            *((of, self.attributes["n_classes"] - 1) for of in ("true", "found")),
        ):
            values = getattr(mistakes, name)
            if values.min() < 0 or values.max() > most:
                raise self.refusal(f"test/mistakes/{name} in {self.path} is not in 0 to {most}")
        return mistakes

    def network(self) -> ImageNetwork:
        """Parameters, slopes and buffers, by name; their shapes are for whoever makes the
        network to check.
        """
        return ImageNetwork(self._arrays("network"), self.group_attributes("network"))

    def checkpoint(self) -> ImageCheckpoint:
        """What resuming needs besides the network and the history."""
        return ImageCheckpoint(
            self._arrays("checkpoint/momentum"), self.group_attributes("checkpoint")
        )

    def group_attributes(self, group: str) -> dict[str, Any]:
        """The attributes of a group as `image_layout.py` lists them."""
        return self.read_attributes(IMAGE_GROUP_ATTRIBUTES[f"/{group}"], group)

    def _arrays(self, group: str) -> dict[str, Array]:
        """All of a group by name; together they are no larger than the file, where one of them
        has many names.
        """
        paths = {name: f"{group}/{name}" for name in self.names(group)}
        claimed = sum(
            math.prod(self.shape(path)) * self._dataset(path).dtype.itemsize
            for path in paths.values()
        )
        if claimed > self.n_bytes:
            raise self.refusal(
                f"{group} in {self.path} claims {claimed:,} bytes, more than the file has"
            )
        arrays = {name: self.array(path) for name, path in paths.items()}
        for name, values in arrays.items():
            if values.dtype.kind != "f":
                raise self.refusal(f"{paths[name]} in {self.path} holds no numbers")
        return arrays
