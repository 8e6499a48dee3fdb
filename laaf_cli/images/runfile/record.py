"""A run of an image classification as plain values: what its run file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from laaf_cli.arrays import Array
from laaf_cli.images.runfile.layout import IMAGE_SLOPES
from laaf_cli.runfile.record import EventSummary, SpecSource


@dataclass(frozen=True, kw_only=True)
class SlopeSummary:
    """The slopes of an activation, as n·a."""

    mean: float
    """Their mean."""
    deviation: float
    """Their standard deviation."""
    min: float
    """The least."""
    max: float
    """The greatest."""


SLOPE_FIELDS = tuple(field.name for field in fields(SlopeSummary))
"""In the order of `IMAGE_SLOPES`, by whose names a run file has them."""


@dataclass(frozen=True)
class ImageHistory:
    """What was recorded at the end of every epoch, and before the first.

    epochs: [n_records]; a run that was stopped in an epoch ends with a fraction. columns: by name,
    [n_records], as `IMAGE_COLUMNS` lists them. slopes: of n·a, [n_records, n_layers] by the names
    of `IMAGE_SLOPES`; ones where fixed.
    """

    epochs: Array
    columns: Mapping[str, Array]
    slopes: Mapping[str, Array]

    def slopes_at(self, record: int) -> tuple[SlopeSummary, ...]:
        """The slopes of each activation at a record."""
        columns = [self.slopes[name][record].tolist() for name in IMAGE_SLOPES]
        return tuple(
            SlopeSummary(**dict(zip(SLOPE_FIELDS, numbers, strict=True)))
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
    """What going on takes besides the network and the history.

    momentum: by the name of the parameter; empty before the first step. attributes: `iteration`,
    whole `epoch`s, and of the next epoch each `batch` that is carried out.
    """

    momentum: Mapping[str, Array]
    attributes: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """Everything that one run leaves behind; `image_layout.py` says where each part stands in the
    file.

    settings: the resolved settings as JSON. files: of the data set, by name, with their SHA-256.
    classes: their names. confusion: [n_classes, n_classes], test images by true and by found class.
    """

    attributes: Mapping[str, str | int | float]
    spec: SpecSource
    settings: str
    files: Mapping[str, str]
    classes: Sequence[str]
    history: ImageHistory
    events: Sequence[EventSummary]
    confusion: Array
    network: ImageNetwork
    checkpoint: ImageCheckpoint
