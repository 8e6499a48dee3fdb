"""Plan → trained network → finished run, for images."""

from __future__ import annotations

from collections.abc import Callable

from laaf_cli.images.batches import ImageBatches
from laaf_cli.images.plan import ImagePlan
from laaf_cli.images.record import ImageSummary, finish
from laaf_cli.images.state import PastImageRun
from laaf_cli.images.trainer import EpochRecord, ImageResult, ImageTrainer
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.train import prepare_torch
from laaf_cli.training import Checkpoints


def execute(
    plan: ImagePlan,
    *,
    past: PastImageRun | None = None,
    on_record: Callable[[EpochRecord], None] = lambda _record: None,
    on_step: Callable[[int, float, float], None] = lambda _iteration, _wall_time_s, _loss: None,
    on_checkpoint: Callable[[FinishedRun[ImageSummary]], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> FinishedRun[ImageSummary]:
    """Trains as planned. Training that diverges or is interrupted ends in a finished run too.

    past: a run to go on from, as if it had never stopped. on_checkpoint: called with the run as it
    would be if it ended now, as often as the spec says; None keeps nothing.

    Raises RunFileError where the past run does not fit the plan.
    """
    prepare_torch()
    spec = plan.spec
    network = plan.make_network()
    if past is not None:
        past.load(network)
    checkpoints: Checkpoints[ImageResult] | None = None
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
        on_record=on_record,
        on_step=on_step,
        should_stop=should_stop,
        max_seconds=plan.max_seconds,
        checkpoints=checkpoints,
    )
    if past is not None:
        past.go_on(trainer)
    result = trainer.train()
    return finish(plan, network, result)
