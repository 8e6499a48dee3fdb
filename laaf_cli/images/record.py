"""What a classification leaves behind: the record that is written and the summary that is
printed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import computed_field
from torch import Tensor

from laaf_cli.arrays import Array
from laaf_cli.images.models.image_model import ImageModel
from laaf_cli.images.plan import ImagePlan
from laaf_cli.images.report.diagnostics import image_doubts
from laaf_cli.images.runfile.layout import IMAGE_COLUMNS, IMAGE_SLOPES
from laaf_cli.images.runfile.record import (
    SLOPE_FIELDS,
    ImageCheckpoint,
    ImageHistory,
    ImageMistakes,
    ImageNetwork,
    ImageRecord,
    SlopeStatistics,
)
from laaf_cli.images.trainer import ImageTrainingResult
from laaf_cli.runs.finished import FinishedRun, RunResult, shared_attributes, shared_facts
from laaf_cli.runs.provenance import spec_source
from laaf_cli.training import StopReason


@dataclass(frozen=True, kw_only=True)
class ClassifyResult(RunResult):
    """What is reported at the end of a classification."""

    task: ClassVar[str] = "images"

    model: str
    """The architecture of the network."""
    reading: str
    """Whose set-up counts where the paper's text and the authors' code differ: `paper` or
    `code`.
    """
    augment: bool
    """Whether training images were shifted, turned or mirrored at random."""
    epochs: float
    """The passes over the training images; a fraction where the training ended in one."""
    train_loss: float
    """Cross entropy of the training images at the end, in training mode, without slope recovery."""
    train_error: float
    """Fraction of them that is classified wrongly."""
    test_loss: float
    """Cross entropy of the test images at the end."""
    test_error: float
    """Fraction of the test images that is classified wrongly."""
    slope_recovery: float | None
    """S(a) at the end; None where it is not part of the loss."""
    slopes: list[SlopeStatistics]
    """The slopes of each activation at the end."""
    classes: dict[str, float]
    """By the name of a class, the fraction of its test images that is classified wrongly."""
    n_train: int
    """The number of training images."""
    n_test: int
    """The number of test images."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def images_per_s(self) -> float:
        """Training images per second of training, not finite where there was none."""
        return self.epochs * self.n_train / self.wall_time_s if self.wall_time_s else math.nan

    @property
    def error(self) -> float:
        """The test error."""
        return self.test_error


def finish(
    plan: ImagePlan, network: ImageModel, result: ImageTrainingResult
) -> FinishedRun[ClassifyResult]:
    """Puts together what a training leaves behind."""
    summary = _summary(plan, network, result)
    state = result.state
    record = ImageRecord(
        attributes=shared_attributes(plan, summary, result)
        | {
            "model": summary.model,
            "epochs": state.epoch,
            "n_train": summary.n_train,
            "n_test": summary.n_test,
            "n_classes": plan.data.n_classes,
            "test_error": summary.test_error,
            "test_loss": summary.test_loss,
            "train_loss": summary.train_loss,
            "images_per_s": summary.images_per_s,
        },
        spec=spec_source(plan.text, plan.overrides),
        settings=json.dumps(plan.settings(), indent=2, allow_nan=False),
        files=plan.data.files,
        classes=plan.data.classes,
        history=_history(result),
        events=summary.events,
        confusion=result.confusion,
        mistakes=_mistakes(plan, result),
        network=ImageNetwork(
            arrays(network.state_dict()),
            {"kind": plan.spec.slopes.kind, "n": plan.spec.slopes.n, "per": plan.spec.slopes.per},
        ),
        checkpoint=ImageCheckpoint(
            arrays(state.momentum),
            {"iteration": state.iteration, "epoch": state.epoch, "batch": state.batch},
        ),
    )
    return FinishedRun(record, summary)


def arrays(tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    """What of a network is numbers that training changes, by name; counters of batches are not."""
    return {
        name: tensor.detach().cpu().contiguous().numpy()
        for name, tensor in tensors.items()
        if tensor.is_floating_point()
    }


def _summary(plan: ImagePlan, network: ImageModel, result: ImageTrainingResult) -> ClassifyResult:
    spec, last = plan.spec, result.records[-1]
    counts = result.confusion.sum(1)
    wrong = 1 - result.confusion.diagonal() / np.maximum(counts, 1)
    # Of an unfinished training nothing is doubted but what was used.
    doubted = last.test_error if result.stop_reason is StopReason.COMPLETED else 0.0
    return ClassifyResult(
        **shared_facts(
            plan,
            network.count(),
            result,
            stop_detail=result.stop_detail,
            iterations=result.state.iteration,
            wall_time_s=result.state.wall_time_s,
        ),
        model=spec.model.kind,
        reading=spec.reading,
        augment=spec.augment,
        epochs=result.state.epoch + result.state.batch / plan.n_batches,
        train_loss=last.train_loss,
        train_error=last.train_error,
        test_loss=last.test_loss,
        test_error=last.test_error,
        slope_recovery=None if math.isnan(last.recovery) else last.recovery,
        slopes=list(last.scales),
        classes={
            name: float(share)
            for name, share, n in zip(plan.data.classes, wrong, counts, strict=True)
            if n
        },
        n_train=len(plan.data.train.labels),
        n_test=len(plan.data.test.labels),
        warnings=image_doubts(doubted, plan.data.n_classes),
    )


def _mistakes(plan: ImagePlan, result: ImageTrainingResult) -> ImageMistakes:
    numbers, found = result.mistakes.T
    test = plan.data.test
    return ImageMistakes(pixels=test.pixels[numbers], true=test.labels[numbers], found=found)


def _history(result: ImageTrainingResult) -> ImageHistory:
    records = result.records
    renamed = {"slope_recovery": "recovery"}
    return ImageHistory(
        epochs=np.array([record.epoch for record in records], dtype=np.float64),
        columns={
            name: np.array([getattr(r, renamed.get(name, name)) for r in records])
            for name in IMAGE_COLUMNS
        },
        slopes={
            name: np.array([[getattr(s, field) for s in r.scales] for r in records])
            for name, field in zip(IMAGE_SLOPES, SLOPE_FIELDS, strict=True)
        },
    )
