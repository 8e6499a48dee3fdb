"""A run of an image classification as plain values: what its run file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import h5py
import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.images.runfile.layout import IMAGE_ATTRIBUTES, IMAGE_SLOPES
from laaf_cli.runfile.record import RunFileRecord
from laaf_cli.runfile.write import as_json, fill_along, fill_head, storable


@dataclass(frozen=True, kw_only=True)
class SlopeStatistics:
    """The slopes of an activation, as n·a."""

    mean: float
    """Their mean."""
    deviation: float
    """Their standard deviation."""
    min: float
    """The minimum."""
    max: float
    """The maximum."""


SLOPE_FIELDS = tuple(field.name for field in fields(SlopeStatistics))
"""In the order of `IMAGE_SLOPES`, by whose names a run file has them."""


@dataclass(frozen=True)
class ImageHistory:
    """What was recorded at the end of every epoch, and before the first."""

    epochs: Array
    """[n_records]; a run that was stopped in an epoch ends with a fraction."""
    columns: Mapping[str, Array]
    """By name, [n_records], as `IMAGE_COLUMNS` lists them."""
    slopes: Mapping[str, Array]
    """Of n·a, [n_records, n_layers] by the names of `IMAGE_SLOPES`; ones where fixed."""

    def slopes_at(self, record: int) -> tuple[SlopeStatistics, ...]:
        """The slopes of each activation at a record."""
        columns = [self.slopes[name][record].tolist() for name in IMAGE_SLOPES]
        return tuple(
            SlopeStatistics(**dict(zip(SLOPE_FIELDS, numbers, strict=True)))
            for numbers in zip(*columns, strict=True)
        )


@dataclass(frozen=True)
class ImageNetwork:
    """Parameters, slopes (without n) and buffers by their names in PyTorch; attributes as the
    layout lists them.
    """

    arrays: Mapping[str, Array]
    attributes: Mapping[str, str | float]


@dataclass(frozen=True)
class ImageCheckpoint:
    """What resuming needs besides the network and the history."""

    momentum: Mapping[str, Array]
    """By the name of the parameter; empty before the first step."""
    attributes: Mapping[str, int]
    """`iteration`, whole `epoch`s, and of the next epoch each `batch` that is carried out."""


@dataclass(frozen=True, kw_only=True)
class ImageMistakes:
    """Examples of test images that were classified wrongly, the first ones of the test set."""

    pixels: Array
    """[n, channels, height, width], 0 to 255."""
    true: Array
    """[n], their classes."""
    found: Array
    """[n], the classes that were found."""


@dataclass(frozen=True, kw_only=True)
class ImageRecord(RunFileRecord):
    """Everything that the run of a classification leaves behind; `layout.py` says where it is."""

    files: Mapping[str, str]
    """Of the data set, by name, with their SHA-256."""
    classes: Sequence[str]
    """Their names."""
    history: ImageHistory
    confusion: Array
    """[n_classes, n_classes], test images by true and by found class."""
    mistakes: ImageMistakes
    network: ImageNetwork
    checkpoint: ImageCheckpoint

    def fill(self, file: h5py.File) -> None:
        fill_head(file, self, IMAGE_ATTRIBUTES)
        file["spec/files"] = as_json({storable(name): sha for name, sha in self.files.items()})
        file["spec/classes"] = as_json([storable(name) for name in self.classes])
        history = self.history
        fill_along(file["history"], "epoch", history.epochs, history.columns)
        slopes = file.create_group("slopes")
        fill_along(slopes, "epoch", history.epochs, history.slopes)
        slopes["layer"] = np.arange(1, next(iter(history.slopes.values())).shape[1] + 1)
        slopes["layer"].make_scale("layer")
        for name in history.slopes:
            slopes[name].dims[1].attach_scale(slopes["layer"])
        file["test/confusion"] = self.confusion
        if len(self.mistakes.found):
            here = file.create_group("test/mistakes")
            for name in ("pixels", "true", "found"):
                values = getattr(self.mistakes, name).astype(np.int64)
                here.create_dataset(name, data=values, compression="gzip", shuffle=True)
        for group, arrays, attributes in (
            ("network", self.network.arrays, self.network.attributes),
            ("checkpoint", {}, self.checkpoint.attributes),
            ("checkpoint/momentum", self.checkpoint.momentum, {}),
        ):
            here = file.create_group(group)
            here.attrs.update(attributes)
            for name, values in arrays.items():
                here[name] = values
