"""Plan → trained network → finished run, for images."""

from __future__ import annotations

import math
from collections.abc import Callable

from laaf_cli.images.batches import ImageBatches
from laaf_cli.images.plan import ImagePlan
from laaf_cli.images.record import ClassifyResult, finish
from laaf_cli.images.state import PastImageRun
from laaf_cli.images.trainer import EpochRecord, ImageTrainer, ImageTrainingResult
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.progress import Callback, Progress
from laaf_cli.runs.train import prepare_torch
from laaf_cli.training import Checkpoints


def execute(
    plan: ImagePlan,
    *,
    past: PastImageRun | None = None,
    retries: int = 0,
    on_progress: Callback | None = None,
    on_checkpoint: Callable[[FinishedRun[ClassifyResult]], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> FinishedRun[ClassifyResult]:
    """Trains as planned. Training that diverges or is interrupted ends in a finished run too.

    Args:
        past: a run to resume, as if it had never stopped.
        retries: none, for training that diverges ends.
        on_checkpoint: called with the run as it would be if it ended now, as often as the spec
            says; None keeps nothing.

    Raises RunFileError where the past run does not fit the plan.
    """
    del retries
    prepare_torch()
    spec, reporter = plan.spec, _Reporter(plan.n_iterations, on_progress or (lambda _: None))
    network = plan.make_network()
    if past is not None:
        past.load(network)
    checkpoints: Checkpoints[ImageTrainingResult] | None = None
    if on_checkpoint is not None and spec.checkpoint is not None:
        keep = on_checkpoint
        checkpoints = Checkpoints(
            keep=lambda result: keep(finish(plan, network, result)), every_s=spec.checkpoint.every_s
        )
    train, test = (
        ImageBatches(images, plan.augmentation, spec.seed, plan.dtype, plan.device)
        for images in (plan.data.train, plan.data.test)
    )
    trainer = ImageTrainer(
        network,
        train,
        test,
        spec.training,
        plan.recovery,
        spec.seed,
        on_record=reporter.on_record,
        on_step=reporter.on_step,
        should_stop=should_stop,
        max_seconds=plan.max_seconds,
        checkpoints=checkpoints,
    )
    if past is not None:
        past.resume(trainer)
    result = trainer.train()
    return finish(plan, network, result)


class _Reporter:
    """Reports epochs and steps."""

    def __init__(self, n_iterations: int, on_progress: Callback) -> None:
        self.n_iterations, self.on_progress = n_iterations, on_progress
        self.error = math.nan
        self.epoch = ""

    def on_record(self, record: EpochRecord) -> None:
        self.error = record.test_error
        self.epoch = (
            f"after epoch {record.epoch:g}: training loss {record.train_loss:.3g}, "
            f"test error {record.test_error:.2%}"
        )
        self._tell(record.iteration, record.wall_time_s, record.train_loss, self.epoch)

    def on_step(self, iteration: int, wall_time_s: float, loss: float) -> None:
        # A training that is resumed within an epoch has not come to the end of one.
        so_far = f"{self.epoch}; " if self.epoch else ""
        self._tell(iteration, wall_time_s, loss, f"{so_far}loss of the last batch {loss:.3g}")

    def _tell(self, iteration: int, wall_time_s: float, loss: float, message: str) -> None:
        self.on_progress(
            Progress(
                iteration=iteration,
                n_iterations=self.n_iterations,
                wall_time_s=wall_time_s,
                loss=loss,
                error=self.error,
                message=message,
            )
        )
