"""A run of images at a glance: what was classified, how, how often wrongly and where, its losses
and its slopes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.images.report.diagnostics import image_doubts
from laaf_cli.images.runfile.layout import IMAGE_ATTRIBUTES
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.runfile.record import ImageHistory, SlopeStatistics
from laaf_cli.images.spec import ImageSpec
from laaf_cli.json_record import JsonRecord
from laaf_cli.report.run_report import attributes_schema, shared
from laaf_cli.runfile import EventSummary

MAX_CONFUSIONS = 10


@dataclass(frozen=True, kw_only=True)
class EpochState:
    """Losses and errors at the end of an epoch."""

    epoch: float
    """The epoch; 0 is before the training, a fraction the end of a training that was stopped in
    one.
    """
    train_loss: float
    """Cross entropy of all training images, in training mode, without slope recovery."""
    train_error: float
    """Fraction of them that is classified wrongly, in training mode."""
    test_loss: float
    """Cross entropy of the test images."""
    test_error: float
    """Fraction of the test images that is classified wrongly."""


@dataclass(frozen=True, kw_only=True)
class ClassErrors:
    """How the test images of a class were classified."""

    name: str
    """The name of the class."""
    images: int
    """The number of its test images."""
    wrong: int
    """How many of them were classified wrongly."""
    error: float
    """The fraction of these, null where the class has no test image."""


@dataclass(frozen=True)
class Confusion:
    """Test images of one class that were taken for another."""

    true: str
    """The name of their class."""
    found: str
    """The name of the class that was found."""
    images: int
    """Their number."""


@dataclass(frozen=True, kw_only=True)
class ImageRunReport(JsonRecord):
    """The report on a run of images."""

    path: str
    """The run file."""
    attributes: Annotated[dict[str, Any], attributes_schema(IMAGE_ATTRIBUTES)]
    """The attributes of the run file."""
    settings: ImageSpec
    """The spec with the command line put in and every default written out."""
    spec_text: str
    """The spec as it was given."""
    files: dict[str, str]
    """The SHA-256 of each file of the data set, by its name."""
    method: str
    """The name of the method."""
    start: EpochState
    """Before the training."""
    end: EpochState
    """At the end."""
    best: EpochState
    """The record with the smallest test error, the first of several; picked by the test images, so
    no fair result.
    """
    slope_recovery: float | None
    """S(a) at the end; None where it is not part of the loss."""
    classes: list[ClassErrors]
    """The classes, by their numbers."""
    confusions: list[Confusion]
    """What was taken for what most often, at most ten pairs."""
    slopes: list[SlopeStatistics]
    """The slopes of each activation; empty where they are fixed."""
    n_records: int
    """The number of records in the history."""
    events: list[EventSummary]
    """That the training was resumed."""
    warnings: list[str]
    """Reasons to doubt the answer."""

    @classmethod
    def read(cls, path: Path) -> ImageRunReport:
        """The report of a run file; raises RunFileError where a part of it cannot be read."""
        with ImageRunFile(path) as run:
            facts, history, names = run.attributes, run.history(), run.classes()
            confusion, recovery = run.confusion(), run.recovery()
            images, wrong = confusion.sum(axis=1), confusion.sum(axis=1) - confusion.diagonal()
            errors = history.columns["test_error"]
            # The error of an unfinished training is no reason to doubt.
            doubted = facts["test_error"] if facts["stop_reason"] == "completed" else 0.0
            return cls(
                **shared(run, run.spec),
                files=run.files(),
                start=_state(history, 0),
                end=_state(history, -1),
                best=_state(history, int(np.argmin(np.where(np.isfinite(errors), errors, np.inf)))),
                slope_recovery=None if math.isnan(recovery) else recovery,
                classes=[
                    ClassErrors(
                        name=name,
                        images=int(n),
                        wrong=int(k),
                        error=float(k / n) if n else math.nan,
                    )
                    for name, n, k in zip(names, images, wrong, strict=True)
                ],
                confusions=_confusions(names, confusion),
                slopes=list(history.slopes_at(-1)) if run.spec.slopes.row.is_adaptive else [],
                n_records=len(history.epochs),
                warnings=image_doubts(doubted, facts["n_classes"]),
            )


def _state(history: ImageHistory, i: int) -> EpochState:
    columns = ("train_loss", "train_error", "test_loss", "test_error")
    return EpochState(
        epoch=float(history.epochs[i]),
        **{name: float(history.columns[name][i]) for name in columns},
    )


def _confusions(names: Sequence[str], confusion: Array) -> list[Confusion]:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MAX_CONFUSIONS]
    pairs = [divmod(int(place), len(names)) for place in order]
    return [
        Confusion(names[true], names[predicted], int(wrong[true, predicted]))
        for true, predicted in pairs
        if wrong[true, predicted]
    ]
